"""Assessments of dictionaries: planted atoms are found to go with planted labels, chance finds none, sums are the formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from pellucid.data import ArrayDataset, Binary, DataSpec, LearnedFrom, MultiClass, MultiLabel, Regression, Split, Vector
from pellucid.data.spec import Concepts
from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.gathering.features import _shown
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.heads.functions.linear import Linear
from pellucid.measures.dictionaries.reconstruction import cossim, explained_variance
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.by_labels.labelled import Side
from pellucid.protocols.dictionaries.codes import label_names, labels_and_ratings
from pellucid.protocols.dictionaries.features import DictionaryFeatures, association_in_words
from pellucid.protocols.dictionaries.metrics import DictionaryMetrics
from pellucid.protocols.dictionaries.pooled import Pooled
from pellucid.protocols.dictionaries.stability import DictionaryStability
from pellucid.protocols.measuring import concluded, examined

UNITS, ATOMS, POSITIONS, PEOPLE = 12, 16, 5, 120
# numpy's chance: whatever a protocol draws by torch's, of any seed, is something else.
TRUE = functional.normalize(
    torch.from_numpy(np.random.default_rng(40).normal(size=(ATOMS, UNITS)).astype(np.float32)), dim=1
)


def rows(seed: int = 0) -> ArrayDataset:
    """Five positions a person; whoever has the label has atom 3 at one of them, atom 7 goes with the second label."""
    random = np.random.default_rng(seed)
    y, other = (random.random(PEOPLE) < 0.5).astype(float), (random.random(PEOPLE) < 0.5).astype(float)
    codes = (random.random((PEOPLE, POSITIONS, ATOMS)) < 0.08) * random.uniform(0.5, 1.5, (PEOPLE, POSITIONS, ATOMS))
    codes[:, :, [3, 7]] = 0
    codes[np.arange(PEOPLE), random.integers(POSITIONS, size=PEOPLE), 3] = 1.5 * y
    codes[np.arange(PEOPLE), 2, 7] = 1.5 * other
    values = (codes.reshape(-1, ATOMS) @ TRUE.numpy()).astype(np.float32)
    source, position = np.divmod(np.arange(PEOPLE * POSITIONS), POSITIONS)
    order = random.permutation(len(source))
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in source], "y": y[source], "other": other[source],
         "source": [f"s{at}" for at in source], "position": position},
        index=[f"s{a}@{b}" for a, b in zip(source, position, strict=True)],
    ).iloc[order]  # fmt: skip
    spec = DataSpec(
        name="rows", namespace="r", inputs={"activations": Vector(names=tuple(f"u{at}" for at in range(UNITS)))},
        targets={"y": Binary(names=("no", "yes")), "other": Binary(names=("no", "yes"))},
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"activations": values[order]})


def model(data: ArrayDataset, k: int = 3) -> Model:
    """A dictionary whose atoms are the true ones."""
    encoder = Identity(Identity.config_type(inputs={"activations": data.spec.input("activations")}))
    head = TopK(TopKConfig(units=tuple(f"activations:{n}" for n in encoder.names), features=ATOMS, k=k))
    with torch.no_grad():
        head.directions.copy_(TRUE)
        head.weight.copy_(TRUE)
    return Model({"activations": encoder}, head).eval()


def fold_of(data: ArrayDataset, made: Model) -> FittedFold:
    test = np.flatnonzero([int(one[1:]) % 2 == 0 for one in data.frame["subject"]])
    train = np.setdiff1d(np.arange(len(data)), test)
    return FittedFold(data, "", Split(0, train[50:], train[:50], test), {"topk": made}, None, 0)


def context(data: ArrayDataset) -> Context:
    return Context(data.spec, "", {"topk": TopK.tags}, "", 0)


def test_features_that_go_with_labels_are_found_and_no_others():
    data = rows()
    fold = fold_of(data, model(data))
    protocol = DictionaryFeatures()
    found = protocol.associated(Pooled.of(fold.models["topk"], fold.test("topk")))
    assert found[3][0] == "is yes (y)"
    assert found[7][0] == "is yes (other)"
    assert found[3][1] > 0.9
    assert len(found) <= 4
    examined = protocol.examine(fold).assign(fold=0)
    (result,) = protocol.conclude(examined, context(data))
    assert result.value == len(found)
    assert result.chance < 1
    assert result.n_subjects == PEOPLE // 2
    assert association_in_words(*found[3][:2]).startswith("is yes (y): AUROC 0.9") or found[3][1] == pytest.approx(1)


def test_a_subject_that_several_folds_test_is_counted_once():
    data = rows()
    made = DictionaryFeatures().examine(fold_of(data, model(data)))
    folds = pd.concat([made.assign(fold=at) for at in range(3)], ignore_index=True)
    (result,) = DictionaryFeatures().conclude(folds, context(data))
    assert result.n_subjects == PEOPLE // 2
    assert f"on {PEOPLE // 2} subjects that nothing" in result.sentence


def test_labels_that_are_the_same_for_all_who_are_tested_can_go_with_nothing():
    data = rows()
    data.frame["y"] = 1.0
    data.frame["other"] = np.nan
    with pytest.raises(
        NotMeasurable, match="60 subjects are tested, one sample each, and each label or rating is the same"
    ):
        DictionaryFeatures().examine(fold_of(data, model(data)))


def test_of_one_row_no_variance_can_be_explained_and_all_else_is_measured():
    data = rows()
    fold = fold_of(data, model(data))
    one = replace(fold, split=replace(fold.split, test=fold.split.test[:1]))
    protocol = DictionaryMetrics()
    results, (lacking,) = concluded(protocol, [examined(protocol, one, context(data))], context(data))
    assert {result.metric for result in results} == {"cossim", "l0", "alive", "coherence"}
    assert (lacking.metric, lacking.part) == ("explained_variance", "topk")


def test_a_unit_that_falls_goes_with_a_label_as_one_that_rises_and_is_counted_once():
    """Whoever has the label has at one position unit 2 far below or unit 5 far above all else."""
    data = rows()
    first = data.frame.drop_duplicates("source").set_index("source")["y"]
    random = np.random.default_rng(7)
    values = random.normal(size=(len(data), UNITS)).astype(np.float32)
    here = (data.frame["position"] == 2).to_numpy() & (first[data.frame["source"]] == 1).to_numpy()
    values[here, 2], values[here, 5] = -5, 5
    noise = ArrayDataset(data.spec, data.frame, {"activations": values})
    fold = fold_of(noise, model(noise))
    (result,) = DictionaryFeatures().conclude(DictionaryFeatures().examine(fold).assign(fold=0), context(noise))
    assert result.baseline == 2
    assert f"of the layer's {UNITS} single units 2." in result.sentence
    # Of one position each the smallest says what the largest does, and nothing is counted twice.
    alone = noise.subset(np.flatnonzero(here | (data.frame["position"] == 2).to_numpy()))
    one = fold_of(alone, fold.models["topk"])
    found = DictionaryFeatures().associated(Pooled.of(one.models["topk"], one.test("topk"), raw=True))
    (result,) = DictionaryFeatures().conclude(DictionaryFeatures().examine(one).assign(fold=0), context(alone))
    assert result.baseline == len(found) == 2


def test_a_sample_has_of_each_feature_the_strongest_position():
    data = rows()
    fold = fold_of(data, model(data))
    test = fold.test("topk")
    pooled = Pooled.of(fold.models["topk"], test)
    codes = fold.models["topk"].codes(test).to_numpy()
    frame = test.frame.reset_index(drop=True)
    for at, sample in enumerate(pooled.samples):
        own = np.flatnonzero(frame["source"] == sample)
        np.testing.assert_allclose(pooled.codes[at], codes[own].max(0), rtol=1e-6)
        for feature in np.flatnonzero(pooled.codes[at]):
            best = own[codes[own, feature].argmax()]
            assert pooled.places[at, feature] == frame["position"][best]
    assert (pooled.places[pooled.codes == 0] == -1).all()
    np.testing.assert_array_equal(pooled.counts, (codes != 0).sum(0))
    np.testing.assert_array_equal(
        pooled.attributes["is yes (y)"], frame.drop_duplicates("source").set_index("source")["y"][pooled.samples]
    )


def test_it_is_the_same_however_many_rows_are_in_memory_at_once(monkeypatch):
    """Samples whose positions come in several pieces are put together again."""
    data = rows()
    fold = fold_of(data, model(data))
    test = fold.test("topk")

    def measured():
        pooled = [Pooled.of(fold.models["topk"], test, raw=raw) for raw in (False, True)]
        side = Side.of(fold.models["topk"], test)
        return (
            [(one.codes, one.places, one.counts, one.rows) for one in pooled],
            [side.x, side.codes, side.on, side.positive, side.positions],
            DictionaryMetrics().examine(fold),
        )

    whole = measured()
    monkeypatch.setattr("pellucid.protocols.dictionaries.codes.ROWS", 37)
    pieces = measured()
    for one, other in zip(whole[0], pieces[0], strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    for one, other in zip(whole[1], pieces[1], strict=True):
        torch.testing.assert_close(one, other)
    sums = [each.drop(columns=["mean"]) for each in (whole[2], pieces[2])]
    pd.testing.assert_frame_equal(*sums, check_exact=False, rtol=1e-6)


def test_single_units_are_pooled_by_their_largest_value_or_their_lowest():
    data = rows()
    fold = fold_of(data, model(data))
    test = fold.test("topk")
    x = fold.models["topk"].representation(test).values.numpy()
    source, position = test.frame["source"].to_numpy(), test.frame["position"].to_numpy()
    for sign in (1, -1):
        raw = Pooled.of(fold.models["topk"], test, raw=True, sign=sign)
        for at in (0, 7, 31):
            own = np.flatnonzero(source == raw.samples[at])
            own = own[np.argsort(position[own])]
            np.testing.assert_allclose(raw.codes[at], (sign * x[own]).max(0), rtol=1e-6)
            # Where positions are alike, as empty ones are, it is the first of them.
            np.testing.assert_array_equal(raw.places[at], (sign * x[own]).argmax(0))
        assert (raw.counts == len(test)).all()


def test_labels_of_every_kind_of_target_and_ratings_have_names():
    count = 6
    values = {
        "ill": [0, 1, 1, 0, np.nan, 1],
        "kind": [0, 2, 1, np.nan, 2, 0],
        "age": [30.0, 41.0, np.nan, 55.0, 60.0, 20.0],
        "signs:st": [0, 1, 0, 1, 0, np.nan],
        "signs:t": [1, 1, 0, 0, 1, np.nan],
        "concept:round": [1.0, 2.0, 3.0, np.nan, 5.0, 4.0],
    }
    spec = DataSpec(
        name="d", namespace="d", inputs={"x": Vector(names=("a",))},
        targets={
            "ill": Binary(names=("no", "yes")), "kind": MultiClass(names=("cat", "dog", "cow")),
            "age": Regression(names=("age",), units=("years",)), "signs": MultiLabel(names=("st", "t")),
        },
        concepts=Concepts(names=("round",), low=(1.0,), high=(5.0,)),
    )  # fmt: skip
    columns = {column for name, target in spec.targets.items() for column in target.columns(name)} | {"concept:round"}
    assert columns == set(values)
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in range(count)], **values}, index=[f"s{at}" for at in range(count)]
    )
    found = labels_and_ratings(ArrayDataset(spec, frame, {"x": np.zeros((count, 1), np.float32)}))
    expected = {
        "is yes (ill)": values["ill"],
        "is cat (kind)": [1, 0, 0, np.nan, 0, 1],
        "is dog (kind)": [0, 0, 1, np.nan, 0, 0],
        "is cow (kind)": [0, 1, 0, np.nan, 1, 0],
        "age": values["age"],
        "is st (signs)": values["signs:st"],
        "is t (signs)": values["signs:t"],
        "concept round": values["concept:round"],
    }
    assert list(found) == list(expected)
    for name, said in expected.items():
        np.testing.assert_array_equal(found[name], said, err_msg=name)
    assert list(label_names(spec)) == [name for name in expected if name.startswith("is ")]


def test_sums_by_subject_give_the_measures_over_all_rows():
    data = rows()
    fold = fold_of(data, model(data))
    protocol = DictionaryMetrics()
    found = {r.metric: r for r in protocol.conclude(protocol.examine(fold).assign(fold=0), context(data))}
    test = fold.test("topk")
    x = fold.models["topk"].representation(test).values
    back = fold.models["topk"].head.reconstruct(x)
    assert found["explained_variance"].value == pytest.approx(explained_variance(x, back), abs=1e-9)
    assert found["cossim"].value == pytest.approx(float(np.nanmean(torch.cosine_similarity(x, back).numpy())), abs=1e-6)
    assert cossim(x[x.norm(dim=1) > 0], back[x.norm(dim=1) > 0]) > 0.5
    assert found["explained_variance"].low < found["explained_variance"].value < found["explained_variance"].high
    assert found["l0"].value == pytest.approx(float((fold.models["topk"].head.encode(x) != 0).sum(1).double().mean()))
    assert found["explained_variance"].baseline < found["explained_variance"].value
    assert found["l0"].baseline == ATOMS


def test_dictionaries_are_drawn_by_what_they_keep_and_with_how_many_codes():
    data = rows()
    fold = fold_of(data, model(data))
    fold.models["wide"] = model(data, k=5)
    protocol = DictionaryMetrics()
    examined = protocol.examine(fold).assign(fold=0)
    both = Context(data.spec, "", {"topk": TopK.tags, "wide": TopK.tags}, "", 0)
    found = {(r.part, r.metric): r.value for r in protocol.conclude(examined, both)}
    (figure,) = protocol.figures(examined, both).values()
    (ax,) = figure.axes
    drawn = {note.get_text(): note.xy for note in ax.texts}
    assert set(drawn) == {"topk", "wide"}
    for part, line in zip(("topk", "wide"), ax.lines, strict=True):
        expected = found[part, "l0"], found[part, "explained_variance"]
        assert drawn[part] == pytest.approx(expected)
        np.testing.assert_allclose(line.get_xydata(), [expected])
    assert drawn["wide"][0] > drawn["topk"][0]
    # One dictionary has nothing to be compared with.
    assert protocol.figures(examined[examined["part"] == "topk"], both) == {}


def test_alive_features_are_those_of_test_rows_and_the_baseline_has_as_many_components_as_codes():
    data = rows()
    made = model(data)
    fold = fold_of(data, made)
    test = fold.test("topk")
    with torch.no_grad():
        # One feature that no row has.
        made.head.bias[11] = -100
    protocol = DictionaryMetrics()
    examined = protocol.examine(fold).assign(fold=0)
    found = {r.metric: r for r in protocol.conclude(examined, context(data))}
    x = made.representation(test).values
    on = (made.head.encode(x) != 0).any(0)
    assert not on[11]
    assert found["alive"].value == pytest.approx(float(on.double().mean()))
    assert found["alive"].n_samples == len(test)
    beside = {name: (one.higher_is_better, one.chance, one.baseline) for name, one in found.items()}
    assert beside["alive"] == (True, 0, 1)
    assert beside["l0"] == (False, ATOMS, ATOMS)
    assert beside["explained_variance"][:2] == beside["cossim"][:2] == (True, 0)
    assert not beside["coherence"][0]
    train = made.representation(data.subset(fold.split.train)).values.double()
    codes = float((made.head.encode(train.float()) != 0).sum(1).double().mean())
    count = max(1, round(codes))
    mean = train.mean(0)
    basis = torch.linalg.svd(train - mean)[2][:count]
    back = mean + (x.double() - mean) @ basis.T @ basis
    assert found["explained_variance"].baseline == pytest.approx(explained_variance(x.double(), back), abs=1e-6)
    expected = float(torch.cosine_similarity(x.double(), back).mean())
    assert found["cossim"].baseline == pytest.approx(expected, abs=1e-5)
    assert found["explained_variance"].baseline_name.startswith(f"{count} principal component")
    atoms = functional.normalize(made.head.atoms.detach(), dim=1)
    assert found["coherence"].value == pytest.approx(float((atoms @ atoms.T).abs().fill_diagonal_(0).max()), abs=1e-6)


def test_random_directions_are_no_planted_ones():
    """Nor those of any dictionary that starts at atoms drawn by the fold's seed."""
    data = rows()
    made = model(data)
    torch.manual_seed(0)
    with torch.no_grad():
        made.head.directions.copy_(functional.normalize(torch.randn(ATOMS, UNITS), dim=1))
    protocol, fold = DictionaryMetrics(), fold_of(data, made)
    found = {r.metric: r for r in protocol.conclude(protocol.examine(fold).assign(fold=0), context(data))}
    assert found["coherence"].value != pytest.approx(found["coherence"].baseline, abs=1e-4)


def test_a_mean_that_is_large_beside_the_spread_costs_no_digits():
    """The same rows, written exactly in float32, about 0 and about 10,000."""
    near = rows()
    values = np.round(near.read(np.arange(len(near))).inputs["activations"] * 512) / 512
    far = ArrayDataset(near.spec, near.frame, {"activations": (values + 10_000).astype(np.float32)})
    made, protocol = model(far), DictionaryMetrics()
    assert torch.equal(made.representation(far).values - 10_000, torch.from_numpy(values))
    with torch.no_grad():
        made.head.centre.fill_(10_000.0)
    rows_of = protocol.examine(fold_of(far, made)).assign(fold=0)
    found = {r.metric: r for r in protocol.conclude(rows_of, context(far))}["explained_variance"]
    test = fold_of(far, made).test("topk")
    x = made.representation(test).values.double()
    wrong = (x - made.head.reconstruct(x.float()).double()).square().sum()
    expected = 1 - wrong / ((x - 10_000) - (x - 10_000).mean(0)).square().sum()
    assert found.value == pytest.approx(float(expected), abs=1e-12)
    # What the other measures of this package say of the same rows.
    assert found.value == pytest.approx(explained_variance(x, made.head.reconstruct(x.float()).double()), abs=1e-10)


def test_a_dictionary_is_not_judged_on_whom_its_model_has_learnt_from():
    data = rows()
    made = model(data)
    fold = fold_of(data, made)
    data.made_by = LearnedFrom.of({"subject": ["p0"]}, "r")
    with pytest.raises(LeakageError, match="1 of"):
        DictionaryMetrics().examine(fold)


def test_a_study_of_predictors_alone_cannot_have_them():
    data = rows()
    alone = Context(data.spec, "y", {"linear": Linear.tags}, "prevalence", 0)
    for protocol in (DictionaryMetrics(), DictionaryFeatures()):
        assert "is a dictionary" in protocol.no_head(alone)
        assert protocol.no_head(context(data)) == protocol.unfit(context(data)) == ""
    silent = data.spec.model_copy(update={"targets": {}})
    assert "neither labels nor ratings" in DictionaryFeatures().unfit(Context(silent, "", {"topk": TopK.tags}, "", 0))
    assert set(alone.predictors) == {"linear"}
    assert not context(data).predictors


def test_the_report_shows_the_surest_feature_of_every_label_before_the_second_of_any():
    sure = {
        1: ("is a (y)", 0.9, 1e-9),
        2: ("is a (y)", 0.9, 1e-8),
        3: ("is b (y)", 0.7, 1e-3),
        4: ("is a (y)", 0.8, 1e-7),
    }
    assert _shown(sure) == [1, 3, 2, 4]
    many = {at: ("is a (y)", 0.9, at / 1000) for at in range(20)}
    assert _shown(many) == list(range(8))


@pytest.mark.parametrize(
    ("protocol", "setting", "taken", "refused"),
    [
        (DictionaryFeatures, "false_discoveries", (1e-6, 0.999), (0, 1)),
        (DictionaryFeatures, "permutations", (1,), (0,)),
        (DictionaryMetrics, "replicates", (100,), (99,)),
        (DictionaryStability, "seeds", (1,), (0,)),
        (DictionaryStability, "share", (1e-6, 1), (0, 1.001)),
        (DictionaryStability, "recovered", (1e-6, 0.999), (0, 1)),
        (DictionaryStability, "replicates", (100,), (99,)),
    ],
)
def test_settings_reach_as_far_as_they_make_sense(protocol, setting, taken, refused):
    for value in taken:
        assert getattr(protocol.config_type(**{setting: value}), setting) == value
    for value in refused:
        with pytest.raises(ValueError, match=r"greater than|less than"):
            protocol.config_type(**{setting: value})
