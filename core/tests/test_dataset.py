"""Datasets: bad frames and arrays are refused by column and sample, subsets read the right rows, digests see all."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.batch import collate
from pellucid.data import ArrayDataset, Binary, DataSpec, MultiClass, MultiLabel, Regression, Vector
from pellucid.data.spec import Concepts
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import DataError, StudyError

SPEC = DataSpec(
    name="small",
    inputs={"x": Vector(names=("a", "b")), "y": Vector(names=("c",))},
    targets={
        "ill": Binary(names=("well", "ill")),
        "kind": MultiClass(names=("k0", "k1", "k2")),
        "signs": MultiLabel(names=("fever", "cough")),
        "grade": Regression(names=("grade",), units=("1",)),
    },
    namespace="small",
    covariates=Vector(names=("age", "size"), units=("years", "mm")),
    trivial=("age",),
    concepts=Concepts(names=("round",), low=(1.0,), high=(5.0,)),
)


def frame(**changes):
    columns = {
        "subject": ["p", "p", "q", "r"],
        "ill": [0.0, 1.0, np.nan, 1.0],
        "kind": [0, 1, 2, 1],
        "signs:fever": [0, 1, 1, 0],
        "signs:cough": [1, np.nan, 0, 0],
        "grade": [1.5, 2.5, np.nan, -1.0],
        "age": [50.0, np.nan, 60.0, 70.0],
        "size": [1.0, 2.0, 3.0, 4.0],
        "concept:round": [1.0, 5.0, np.nan, 3.0],
    }
    return pd.DataFrame({**columns, **changes}, index=["s0", "s1", "s2", "s3"])


def arrays():
    return {"x": np.arange(8, dtype=np.float32).reshape(4, 2), "y": np.arange(4, dtype=np.float32)[:, None] * 10}


def small(inputs=None, masks=None, **changes):
    return ArrayDataset(SPEC, frame(**changes), inputs or arrays(), masks)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_by_input_and_sample(value):
    inputs = arrays()
    inputs["x"][2, 1] = value
    with pytest.raises(DataError, match=r"'small': input 'x' of sample 's2' holds NaN or infinity \(1 values"):
        small(inputs)
    whole = {"x": np.array([True, True, False, True])}
    single = {"x": np.ones((4, 2), bool)}
    single["x"][2, 1] = False
    for mask in (whole, single):
        read = small(inputs, mask).read(np.arange(4))
        assert np.isfinite(read.inputs["x"]).all()
        assert read.inputs["x"][2, 1] == 0
        assert read.inputs["x"].dtype == np.float32
        assert (read.masks["x"] == mask["x"]).all()
    assert np.isnan(inputs["x"][2, 1]) or np.isinf(inputs["x"][2, 1])
    wrong = {"x": np.array([True, False, True, True])}
    with pytest.raises(DataError, match="'s2'"):
        small(inputs, wrong)


def test_a_mask_of_another_kind_or_shape_or_name_is_refused():
    for mask in (np.ones(4), np.ones((4, 1), bool), np.ones(3, bool)):
        with pytest.raises(DataError, match=r"mask of input 'x' is .* expected bool of shape \(4,\) or \(4, 2\)"):
            small(masks={"x": mask})
    with pytest.raises(DataError, match="mask is given for 'z'"):
        small(masks={"z": np.ones(4, bool)})


def test_inputs_that_do_not_match_the_spec_are_refused():
    with pytest.raises(DataError, match=r"inputs \['x'\] do not match"):
        small({"x": arrays()["x"]})
    with pytest.raises(DataError, match=r"input 'x' has shape \(4, 3\), expected \(4, 2\)"):
        small({**arrays(), "x": np.zeros((4, 3))})
    with pytest.raises(DataError, match=r"input 'y' has shape \(3, 1\), expected \(4, 1\)"):
        small({**arrays(), "y": np.zeros((3, 1))})


def test_what_is_no_array_of_real_numbers_is_refused():
    x = arrays()["x"]
    for values, said in (
        (x.tolist(), "a list"),
        (torch.from_numpy(x), "a Tensor"),
        (x.astype(object), "an array of object"),
        (x.astype(str), "an array of <U32"),
        (x * 1j, "an array of complex64"),
    ):
        with pytest.raises(DataError, match=f"input 'x' is {said}; make it a numpy array of real numbers"):
            small({**arrays(), "x": values})
    with pytest.raises(DataError, match="mask of input 'x' is a list; make it a numpy array of bool"):
        small(masks={"x": [True] * 4})


@pytest.mark.parametrize("column", ["subject", "ill", "signs:cough", "age", "concept:round"])
def test_a_missing_column_is_named(column):
    with pytest.raises(DataError, match=f"lacks column.*'{column}'"):
        ArrayDataset(SPEC, frame().drop(columns=column), arrays())


def test_a_sample_without_subject_or_with_a_taken_id_is_refused():
    with pytest.raises(DataError, match="sample 's1' has no 'subject'"):
        small(subject=["p", None, "q", "r"])
    twice = frame()
    twice.index = ["s0", "s1", "s1", "s3"]
    with pytest.raises(DataError, match="'s1' stands more than once"):
        ArrayDataset(SPEC, twice, arrays())


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("ill", [0, 1, 2, 1], r"column 'ill': sample 's2' has .*2.*its labels are 0 and 1"),
        ("ill", [0.5, 1, 0, 1], r"'s0' has .*0\.5"),
        ("kind", [0, 1, 3, 1], "sample 's2' has .*3.*its labels are 0 to 2"),
        ("kind", [0, 1, -1, 1], "sample 's2'"),
        ("signs:fever", [0, 9, 1, 0], "column 'signs:fever': sample 's1'"),
        ("grade", [1.0, np.inf, 0.0, 0.0], "column 'grade': sample 's1' has .*inf"),
        ("grade", ["1", "2", "3", "4"], "column 'grade': sample 's0' has '1'; expected a number"),
        ("age", [50, "old", 3, 4], r"column 'age': sample 's1' has 'old'.*\(1 such"),
        ("concept:round", [1.0, -np.inf, 3, 4], "column 'concept:round': sample 's1'"),
    ],
)
def test_a_value_that_cannot_be_what_its_column_says_is_refused_by_column_and_sample(column, values, message):
    with pytest.raises(DataError, match=message):
        small(**{column: values})


def test_numbers_may_be_missing_in_every_way_that_pandas_knows():
    data = small(age=pd.array([50, None, 60, 70], dtype="Int64"), size=[1.0, None, 3, np.nan])
    covariates = data.covariate_values()
    assert np.isnan(covariates).tolist() == [[False, False], [True, True], [False, False], [False, True]]
    read = collate(data, [1, 2])
    assert read.inputs["covariates"].tolist() == [[0, 0], [60, 3]]
    assert read.masks["covariates"].tolist() == [[False, False], [True, True]]
    assert data.covariate_values(("size",))[2].tolist() == [3]
    assert data.concept_values()[:, 0].tolist()[:2] == [1, 5]


def test_samples_without_a_label_are_left_out():
    assert small().labelled("ill").frame.index.tolist() == ["s0", "s1", "s3"]
    assert small().labelled("signs").frame.index.tolist() == ["s0", "s2", "s3"]
    assert small().labelled("signs").target_values("signs").tolist() == [[0, 1], [1, 0], [0, 0]]


def test_nothing_labelled_or_one_class_is_refused():
    with pytest.raises(DataError, match="no sample has a label in column 'ill'"):
        small(ill=[np.nan] * 4).labelled("ill")
    with pytest.raises(DataError, match="all 3 labels in column 'ill' are 1; a classifier needs at least two"):
        small(ill=[1, 1, np.nan, 1]).labelled("ill")
    with pytest.raises(DataError, match="all 4 labels in column 'kind' are 2"):
        small(kind=[2] * 4).labelled("kind")
    assert len(small(grade=[3.0] * 4).labelled("grade")) == 4
    with pytest.raises(
        DataError, match="sample 's2' has -1e\\+300 in column 'grade', which is too large to learn from"
    ):
        small(grade=[3.0, 1e38, -1e300, 1.0]).labelled("grade")
    with pytest.raises(StudyError, match="no target 'il'; did you mean 'ill'"):
        small().labelled("il")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.data())
@settings(max_examples=50, deadline=None)
def test_a_subset_of_a_subset_reads_the_rows_that_two_selections_name(first, draw):
    second = draw.draw(st.lists(st.integers(0, len(first) - 1), min_size=1, max_size=8))
    data = small(masks={"y": np.array([True, False, True, False])})
    inner = data.subset(first).subset(second)
    expected = np.array(first)[second]
    assert inner.source is data
    assert inner.frame.index.tolist() == [f"s{i}" for i in expected]
    read = inner.read(np.arange(len(inner))[::-1])
    assert (read.inputs["x"] == arrays()["x"][expected[::-1]]).all()
    assert read.masks["y"].tolist() == [i % 2 == 0 for i in expected[::-1]]
    assert inner[-1].id == inner.frame.index[-1]
    assert inner[-1].inputs["y"] == arrays()["y"][expected[-1]]
    assert inner.learned_from == LearnedFrom.of({"subject": [["p", "p", "q", "r"][i] for i in expected]}, "small")


def test_positions_that_do_not_exist_and_masks_are_refused():
    data = small()
    for wrong in ([4], [-1], [0, 17]):
        with pytest.raises(IndexError, match="of 4"):
            data.subset(wrong)
    with pytest.raises(IndexError):
        data.subset([0, 1]).subset([2])
    for index in (4, -5):
        with pytest.raises(IndexError, match="of 4"):
            data[index]
    with pytest.raises(TypeError, match="flatnonzero"):
        data.subset(np.array([False, True, False, True]))
    assert len(data.subset([])) == 0


def test_a_subset_remembers_which_model_made_its_samples():
    data = small()
    data.made_by = LearnedFrom.of({"subject": ["somebody"]}, "small")
    assert data.subset([0, 1]).subset([0]).made_by == data.made_by


def test_the_digest_is_that_of_the_data_and_sees_every_change():
    base = small().digest()
    assert base == small().digest()
    changed = arrays()
    changed["x"][3, 1] += 1e-6 * changed["x"][3, 1]
    assert small(changed).digest() != base
    wider = {name: values.astype(np.float64) for name, values in arrays().items()}
    assert small(wider).digest() != base
    masked = small(masks={"y": np.array([True, True, True, False])}).digest()
    assert masked != base
    assert small(masks={"y": np.array([True, True, False, True])}).digest() not in (masked, base)
    for column, value in (("ill", [0, 1, np.nan, 0.0]), ("subject", list("ppqq")), ("size", [1, 2, 3, 4.5])):
        assert small(**{column: value}).digest() != base
    renamed = ArrayDataset(SPEC, frame(extra=[1] * 4), arrays()).digest()
    assert renamed != ArrayDataset(SPEC, frame(other=[1] * 4), arrays()).digest()
    moved = frame()
    moved.index = ["s0", "s1", "s2", "s4"]
    assert ArrayDataset(SPEC, moved, arrays()).digest() != base
    assert small().subset([0, 1, 2, 3]).digest() == base
    assert small().subset([1, 0, 2, 3]).digest() != base


def test_the_digest_reads_long_data_to_the_end():
    spec = DataSpec(name="long", inputs={"x": Vector(names=("a",))}, targets={}, namespace="long")
    table = pd.DataFrame({"subject": np.arange(2100)}, index=[f"s{i}" for i in range(2100)])
    values = np.zeros((2100, 1))
    before = ArrayDataset(spec, table, {"x": values}).digest()
    values = values.copy()
    values[2099] = 1
    assert ArrayDataset(spec, table, {"x": values}).digest() != before


def test_what_a_dataset_does_not_have_is_said():
    spec = DataSpec(name="bare", inputs={}, targets={}, namespace="bare")
    data = ArrayDataset(spec, pd.DataFrame({"subject": ["p"]}, index=["s0"]), {})
    with pytest.raises(StudyError, match="'bare' has no covariates"):
        data.covariate_values()
    with pytest.raises(StudyError, match="'bare' has no concepts"):
        data.concept_values()


# --- concepts ---------------------------------------------------------------------------------------------------------

RATED = Concepts(
    names=("round", "grave", "dense"),
    low=(1.0, 1.0, 0.0),
    high=(5.0, 6.0, 1.0),
    units="score",
    disagreement=True,
    restates={"grave": ("ill", "kind"), "dense": ("kind",)},
)


def rated(spec=None, **changes):
    columns = {
        "concept:grave": [1.0, 6.0, 2.0, 5.0],
        "concept:dense": [0.0, 1.0, 0.5, np.nan],
        "concept-sd:round": [0.5, np.nan, 0.0, 0.0],
        "concept-sd:grave": [0.0, 1.0, np.nan, 2.5],
        "concept-sd:dense": [0.0, 0.0, 0.0, np.nan],
    }
    spec = spec or SPEC.model_copy(update={"concepts": RATED})
    return ArrayDataset(spec, frame(**{**columns, **changes}), arrays())


def test_a_concept_that_restates_the_target_is_left_out_wherever_the_target_is_asked_for():
    data = rated()
    assert data.concept_values().shape == (4, 3)
    asked = data.labelled("ill")
    assert asked.spec.concepts.names == ("round", "dense")
    assert (asked.spec.concepts.low, asked.spec.concepts.high) == ((1.0, 0.0), (5.0, 1.0))
    assert asked.spec.concepts.units == "score"
    assert asked.spec.concepts.restates == {"dense": ("kind",)}
    np.testing.assert_array_equal(asked.concept_values(), [[1, 0], [5, 1], [3, np.nan]])
    np.testing.assert_array_equal(asked.concept_disagreement(), [[0.5, 0], [np.nan, 0], [0, np.nan]])
    # Whatever is made of it keeps to that: parts of it, and batches.
    part = asked.subset([2, 0]).subset([1])
    assert part.spec == asked.spec
    assert part.concept_values().tolist() == [[1, 0]]
    assert collate(asked, [0, 1], "ill").concepts.tolist() == [[1, 0], [5, 1]]
    assert asked.labelled("ill").spec == asked.spec
    # The dataset itself has not changed, and another target sees what it is not made of.
    assert data.spec.concepts == RATED
    assert data.labelled("grade").spec == data.spec
    assert data.labelled("kind").spec.concepts.names == ("round",)


def test_what_was_left_out_is_said_where_every_report_begins():
    data = rated(SPEC.model_copy(update={"concepts": RATED, "about": "Made up."}))
    assert data.labelled("ill").spec.about == (
        "Made up. The rating “grave” is not among the concepts here: “ill” is made of it."
    )
    told = data.labelled("kind").spec.about
    assert told.endswith("The ratings “grave” and “dense” are not among the concepts here: “kind” is made of them.")
    assert data.labelled("grade").spec.about == "Made up."


def test_where_all_concepts_restate_the_target_there_are_none():
    concepts = Concepts(names=("round",), low=(1,), high=(5,), restates={"round": ("ill",)})
    data = ArrayDataset(SPEC.model_copy(update={"concepts": concepts}), frame(), arrays())
    assert data.labelled("ill").spec.concepts is None
    assert collate(data.labelled("ill"), [0], "ill").concepts is None
    assert collate(data.labelled("kind"), [0], "kind").concepts.tolist() == [[1.0]]


def test_disagreement_is_read_where_the_spec_promises_it():
    found = rated().concept_disagreement()
    assert found.shape == (4, 3)
    assert found[3].tolist()[:2] == [0.0, 2.5]
    with pytest.raises(StudyError, match="does not say how far raters disagree"):
        small().concept_disagreement()
    with pytest.raises(DataError, match=r"column 'concept-sd:grave': sample 's2' has .*-0\.1.*not negative"):
        rated(**{"concept-sd:grave": [0.0, 1.0, -0.1, 0.0]})
    with pytest.raises(DataError, match="column 'concept-sd:dense': sample 's1' has 'x'; expected a number"):
        rated(**{"concept-sd:dense": [0.0, "x", 0.0, 0.0]})
    lacking = rated().frame.drop(columns="concept-sd:round")
    with pytest.raises(DataError, match=r"lacks column.*'concept-sd:round'"):
        ArrayDataset(SPEC.model_copy(update={"concepts": RATED}), lacking, arrays())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"restates": {"rond": ("ill",)}}, "'rond' is said to restate a target.*did you mean 'round'"),
        ({"low": (1.0,)}, "2 concepts, 1 low ends"),
        ({"names": ("round", "round")}, "differ from each other"),
        ({"high": (5.0, 1.0)}, "scale of concept 'grave' runs from 1 to 1"),
    ],
)
def test_concepts_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Concepts(**{"names": ("round", "grave"), "low": (1.0, 1.0), "high": (5.0, 5.0), **changes})


def test_a_target_that_nobody_knows_cannot_be_restated():
    concepts = Concepts(names=("round",), low=(1,), high=(5,), restates={"round": ("il",)})
    with pytest.raises(ValueError, match="restate 'il', which is no target; did you mean 'ill'"):
        DataSpec(**{**SPEC.model_dump(), "concepts": concepts})


def test_a_spec_names_the_columns_of_its_frame():
    spec = DataSpec(
        name="named",
        namespace="named",
        inputs={"x": Vector(names=("a",))},
        groups=("subject", "scanner"),
        targets={"ill": Binary(names=("no", "yes")), "signs": MultiLabel(names=("cough", "fever"))},
        covariates=Vector(names=("age", "scanner")),
        concepts=Concepts(names=("round", "sharp"), low=(1, 1), high=(5, 5), disagreement=True),
    )
    assert spec.columns == (
        "subject", "scanner", "ill", "signs:cough", "signs:fever", "age", "concept:round", "concept:sharp",
        "concept-sd:round", "concept-sd:sharp",
    )  # fmt: skip
    alone = spec.concepts.model_copy(update={"disagreement": False})
    assert alone.spread_columns == ()
