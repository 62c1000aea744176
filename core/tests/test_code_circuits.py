"""Circuits by the codes of a study's dictionary: planted positions are found, means do as well where they differ, and not where not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data import ArrayDataset, Binary, DataSpec, LearnedFrom, Ordinal, Split, Vector
from pellucid.encoders.identity import Identity
from pellucid.errors import DataError, LeakageError, StudyError
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.measures.circuits import difference_null, mean_difference, permutation_null
from pellucid.model import Model
from pellucid.protocols.audited import told
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.examples import examples
from pellucid.protocols.dictionaries.places.circuits import CodeCircuits, CodeCircuitsConfig

ATOMS, POSITIONS, PEOPLE = 8, 6, 160


def data(kind: str, seed: int = 2) -> ArrayDataset:
    """At positions 1 and 4 of whoever has the label another atom than else; with ``means`` equal, one of two that cancel."""
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(PEOPLE) % 2).astype(float)
    atom = random.integers(4, size=(PEOPLE, POSITIONS))
    sign = np.ones((PEOPLE, POSITIONS))
    if kind == "differ":
        atom[:, [1, 4]] = np.where(y[:, None] == 1, 5, 6)
    if kind == "cancel":
        # Atoms 4 and 5 are opposite, so are 6 and 7: on either side their mean is nothing.
        atom[:, [1, 4]] = random.integers(2, size=(PEOPLE, 2)) + np.where(y[:, None] == 1, 4, 6)
    if kind == "pair":
        one = random.integers(2, size=PEOPLE)
        atom[:, 1], atom[:, 4] = one, np.where(y == 1, one, 1 - one)
    values = (sign[..., None] * true()[atom] + 0.05 * random.normal(size=(PEOPLE, POSITIONS, 6))).astype(np.float32)
    source, position = np.divmod(np.arange(PEOPLE * POSITIONS), POSITIONS)
    order = random.permutation(len(source))
    # Two samples of each of the first people: one of them is an example.
    person = source // 2
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in person], "y": y[source], "source": [f"s{at}" for at in source], "position": position},
        index=[f"s{a}@{b}" for a, b in zip(source, position, strict=True)],
    ).iloc[order]  # fmt: skip
    names = tuple(f"u{at}" for at in range(6))
    spec = DataSpec(name="rows", namespace="r", inputs={"activations": Vector(names=names)},
                    targets={"y": Binary(names=("no", "yes"))})  # fmt: skip
    return ArrayDataset(spec, frame, {"activations": values.reshape(-1, 6)[order]})


def true() -> np.ndarray:
    found = np.zeros((ATOMS, 6))
    found[[0, 1, 2, 3], [0, 1, 2, 3]] = 1
    found[4, 4], found[5, 4], found[6, 5], found[7, 5] = 1, -1, 1, -1
    return found


def fold_of(rows: ArrayDataset) -> FittedFold:
    encoder = Identity(Identity.config_type(inputs={"activations": rows.spec.input("activations")}))
    head = TopK(TopKConfig(units=tuple(f"activations:{n}" for n in encoder.names), features=ATOMS, k=1))
    with torch.no_grad():
        head.directions.copy_(torch.from_numpy(true()))
        head.weight.copy_(torch.from_numpy(true()))
    everybody = np.arange(len(rows))
    model = Model({"activations": encoder}, head).eval()
    return FittedFold(rows, "", Split(0, everybody[:0], everybody[:0], everybody), {"it": model}, None, 0)


def results(rows: ArrayDataset, **options):
    protocol, fold = CodeCircuits(CodeCircuitsConfig(**options)), fold_of(rows)
    context = Context(rows.spec, "", {"it": TopK.tags}, "", 0)
    assert protocol.unfit(context) == ""
    examined = protocol.examine(fold).assign(fold=0)
    assert len(protocol.figures(examined, context)) == 1
    return {one.metric: one for one in protocol.conclude(examined, context)}, examined


def test_positions_with_other_codes_are_found_and_so_they_are_by_their_means():
    found, first = results(data("differ"))
    assert np.flatnonzero(told(first, "found")[0]).tolist() == [1, 4]
    assert np.flatnonzero(told(first, "difference_found")[0]).tolist() == [1, 4]
    assert found["found"].value == found["found"].baseline == 2
    assert 0 < found["found"].chance < 0.2
    assert found["found"].n_samples == found["found"].n_subjects == PEOPLE // 2
    assert "“is yes (y)”" in found["found"].sentence


def test_codes_find_what_means_cannot():
    found, first = results(data("cancel"))
    assert np.flatnonzero(told(first, "found")[0]).tolist() == [1, 4]
    assert found["found"].value == 2
    assert found["found"].baseline == 0


def test_nothing_is_found_where_there_is_no_circuit_more_often_than_said():
    alarms = [results(data("none", seed))[0]["found"].value > 0 for seed in range(40)]
    # 0.05 of 40 are 2; 7 or more have a chance of 0.003.
    assert sum(alarms) < 7


def test_pairs_that_go_together_are_found_as_edges_and_not_as_positions():
    found, _ = results(data("pair"), edges=True)
    assert found["found"].value == 0
    assert found["edges"].value == 1
    assert found["edges"].baseline == 0
    assert "edges" not in results(data("pair"))[0]


def test_few_examples_are_those_of_one_fold():
    rows = data("differ")
    few = np.flatnonzero([int(one[1:]) < 14 for one in rows.frame["subject"]])
    fold, protocol = fold_of(rows), CodeCircuits(CodeCircuitsConfig(permutations=50))
    one = dataclasses.replace(fold, split=Split(0, few[:0], few[:0], few))
    found = protocol.examine(one)
    least = min(int(found["positive"].sum()), int((~found["positive"]).sum()))
    assert least <= 7
    three = pd.concat([found.assign(fold=at) for at in range(3)])
    (result,) = protocol.conclude(three, Context(rows.spec, "", {"it": TopK.tags}, "", 0))
    assert f" With {least} examples of one kind in a fold that says little." in result.sentence
    (result,) = protocol.conclude(found.assign(fold=0), Context(rows.spec, "", {"it": TopK.tags}, "", 0))
    assert f" With {least} examples of one kind that says little." in result.sentence


def test_examples_are_one_sample_a_subject_with_codes_and_rows_in_their_places():
    rows = data("differ")
    model = fold_of(rows).models["it"]
    name, some = examples(model, rows, "is yes")
    assert name == "is yes (y)"
    assert len(set(some.subjects)) == len(some.samples) == PEOPLE // 2
    assert some.positions.tolist() == list(range(POSITIONS))
    for at, sample in enumerate(some.samples[:10]):
        own = rows.frame[rows.frame["source"] == sample]
        assert some.positive[at] == (own["y"].iloc[0] == 1)
        for place in range(POSITIONS):
            (where,) = np.flatnonzero(rows.frame.index == f"{sample}@{place}")
            x = rows.read(np.array([where])).inputs["activations"]
            np.testing.assert_allclose(some.rows[at, place], x[0], rtol=1e-6)
            assert some.codes[at, place] == int((x[0] @ true().T).argmax())
    with pytest.raises(StudyError, match="no yes-or-no label 'is maybe'"):
        examples(model, rows, "is maybe")


def test_a_position_that_some_examples_lack_is_left_out():
    rows = data("differ")
    model = fold_of(rows).models["it"]
    lacking = rows.frame["source"].isin(["s0", "s1"]) & (rows.frame["position"] == 3)
    _, some = examples(model, rows.subset(np.flatnonzero(~lacking)), "")
    assert some.positions.tolist() == [0, 1, 2, 4, 5]
    assert some.codes.shape == (PEOPLE // 2, 5)


def test_nobody_is_an_example_who_was_learnt_from():
    rows = data("differ")
    fold = fold_of(rows)
    fold.models["it"].head.learned_from = LearnedFrom.of({"subject": ["p3"]}, "r")
    with pytest.raises(LeakageError):
        CodeCircuits().examine(fold)


def test_the_null_of_means_is_that_of_labels_dealt_anew():
    random = np.random.default_rng(1)
    outputs, positive = random.normal(size=(40, 5, 3)), np.arange(40) < 20
    null = difference_null(outputs, positive, permutations=100, seed=2)
    np.testing.assert_allclose(null.scores, mean_difference(outputs, positive))
    dealt = np.random.default_rng(2)
    others = np.stack([mean_difference(outputs, dealt.permutation(positive)) for _ in range(100)])
    np.testing.assert_allclose(null.z, (null.scores - others.mean(0)) / others.std(0))
    np.testing.assert_allclose(null.largest, ((others - others.mean(0)) / others.std(0)).max(1))
    edges = permutation_null(random.integers(3, size=(40, 5)), positive, edges=True, permutations=50)
    assert np.isfinite(edges.dealt_z).sum() == 50 * 10


def test_chance_of_pairs_is_how_many_pairs_labels_dealt_anew_find():
    rows = data("differ")
    fold = fold_of(rows)
    protocol = CodeCircuits(CodeCircuitsConfig(permutations=100, edges=True))
    examined = protocol.examine(fold).assign(fold=0)
    context = Context(rows.spec, "", {"it": TopK.tags}, "", 0)
    found = {one.metric: one for one in protocol.conclude(examined, context)}
    (model,) = fold.models.values()
    _, some = examples(model, fold.test("it"), "")
    null = permutation_null(some.codes, some.positive, edges=True, permutations=100, seed=fold.seed)
    one, other = np.triu_indices(POSITIONS, 1)
    dealt = null.dealt_z[:, one, other]
    bound = np.quantile(dealt.max(1), 0.95)
    assert found["edges"].chance == pytest.approx(np.mean([(each > bound).sum() for each in dealt]))
    # Five of a hundred dealings have one pair at least above what is exceeded in so many.
    assert found["edges"].chance >= 0.05


def test_rows_that_say_no_position_are_refused_before_anything_is_fitted():
    rows = data("differ")
    context = Context(rows.spec, "", {"it": TopK.tags}, "", 0)
    assert CodeCircuits().unfit_for(rows, {}, context) == ""
    bare = ArrayDataset(
        rows.spec, rows.frame.drop(columns="source"), {"activations": np.zeros((len(rows), 6), np.float32)}
    )
    assert "do not say which sample and position they are of" in CodeCircuits().unfit_for(bare, {}, context)


def test_labels_that_are_not_there_are_refused_before_anything_is_fitted():
    rows = data("differ")
    context = Context(rows.spec, "", {"it": TopK.tags}, "", 0)
    for label in ("", "is yes", "is yes (y)", "y", "y:yes", "yes"):
        assert CodeCircuits(CodeCircuitsConfig(label=label)).unfit(context) == ""
    assert "no yes-or-no label 'yy'; did you mean 'y'?" in CodeCircuits(CodeCircuitsConfig(label="yy")).unfit(context)
    stages = rows.spec.model_copy(update={"targets": {"y": Ordinal(names=("none", "some", "much"))}})
    assert "have no yes-or-no label" in CodeCircuits().unfit(dataclasses.replace(context, spec=stages))


@pytest.mark.parametrize(("said", "told"), [(0.0, "there are 80, none with it"), (np.nan, "there are none")])
def test_examples_of_one_kind_are_said_with_their_label(said, told):
    rows = data("differ")
    rows.frame["y"] = said
    with pytest.raises(DataError, match=f"“is yes .y.” are compared, but among the test samples {told}"):
        CodeCircuits().examine(fold_of(rows))
