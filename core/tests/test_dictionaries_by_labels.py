"""Assessments of dictionaries by labels: planted features are found, mixed dictionaries and chance score as they should."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
import torch
from made_dictionaries import CHILDREN, hierarchy
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pellucid.data import ArrayDataset, Binary, DataSpec, LearnedFrom, MultiClass, Split, Vector
from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.heads.functions.linear import Linear
from pellucid.measures.dictionaries.ablation import ablate
from pellucid.measures.dictionaries.code_edits import clamped, with_error
from pellucid.measures.dictionaries.exactness import indices_of_strongest
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.absorption import Absorption
from pellucid.protocols.dictionaries.by_labels import ByLabels
from pellucid.protocols.dictionaries.codes import label_called, label_names
from pellucid.protocols.dictionaries.labelled import Labelled, Side
from pellucid.protocols.dictionaries.perturbation import TargetedPerturbation, effects_of
from pellucid.protocols.dictionaries.probing import SparseProbing
from pellucid.protocols.dictionaries.ravel import Ravel, _pairs
from pellucid.protocols.dictionaries.removal import SpuriousRemoval
from pellucid.protocols.dictionaries.unlearning import UNTOUCHED, Unlearned, _change
from pellucid.protocols.measuring import concluded, examined

PEOPLE, POSITIONS, UNITS, ATOMS = 360, 4, 24, 12
BASIS = torch.linalg.qr(torch.randn(UNITS, UNITS, generator=torch.Generator().manual_seed(0)))[0]
TRUE = BASIS[:ATOMS]

LOUD, QUIET, COIN = "is yes (loud)", "is yes (quiet)", "is yes (coin)"


def rows(flipped: float = 0.0, seed: int = 0, others: float = 0.3, both: bool = False) -> ArrayDataset:
    """People with four positions each: atom 0 goes with ``loud``, atom 1, half as strong, with ``quiet``, nothing with ``coin``.

    With ``both``, atoms 2 and 3 go with not being so.
    """
    random = np.random.default_rng(seed)
    loud, quiet, coin = (random.permutation(np.arange(PEOPLE) % 2).astype(float) for _ in range(3))
    # Of a person, not of a position, so that means over positions leave it: single units are full of it.
    other = (random.random((PEOPLE, 1, ATOMS)) < 0.4) * others * random.uniform(1, 3, (PEOPLE, 1, ATOMS))
    codes = other * random.uniform(0.8, 1.2, (PEOPLE, POSITIONS, ATOMS))
    strength = random.uniform(1, 1.5, (PEOPLE, POSITIONS))
    # Each at half of the positions, so that a sample's mean is not what a position says.
    here = np.arange(POSITIONS) % 2 == 0
    codes[:, :, 0] = 2 * strength * here * loud[:, None]
    codes[:, :, 1] = strength * ~here * quiet[:, None]
    if both:
        codes[:, :, 2] = 2 * strength * here * (1 - loud[:, None])
        codes[:, :, 3] = strength * ~here * (1 - quiet[:, None])
    said = np.where(random.random(PEOPLE) < flipped, 1 - loud, loud)
    values = (codes.reshape(-1, ATOMS) @ TRUE.numpy() + 0.05 * random.normal(size=(PEOPLE * POSITIONS, UNITS))).astype(
        np.float32
    )
    source, position = np.divmod(np.arange(PEOPLE * POSITIONS), POSITIONS)
    order = random.permutation(len(source))
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in source], "loud": said[source], "quiet": quiet[source], "coin": coin[source],
         "source": [f"s{at}" for at in source], "position": position},
        index=[f"s{a}@{b}" for a, b in zip(source, position, strict=True)],
    ).iloc[order]  # fmt: skip
    no_yes = Binary(names=("no", "yes"))
    spec = DataSpec(
        name="rows", namespace="r", inputs={"activations": Vector(names=tuple(f"u{at}" for at in range(UNITS)))},
        targets={"loud": no_yes, "quiet": no_yes, "coin": no_yes},
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"activations": values[order]})


def model(data: ArrayDataset, atoms: torch.Tensor = TRUE, weight: torch.Tensor | None = None) -> Model:
    """A dictionary made by hand: atoms, and weights that read codes."""
    encoder = Identity(Identity.config_type(inputs={"activations": data.spec.input("activations")}))
    head = TopK(TopKConfig(units=tuple(f"activations:{n}" for n in encoder.names), features=len(atoms), k=len(atoms)))
    with torch.no_grad():
        head.directions.copy_(atoms)
        head.weight.copy_(atoms if weight is None else weight)
        # Four standard deviations of the noise, or the sum of many numbers rounded: off is off.
        head.bias.fill_(-0.2 if weight is None else -1e-3)
    return Model({"activations": encoder}, head).eval()


def mixed() -> torch.Tensor:
    """The same atoms turned among themselves: each is a bit of all labels."""
    return torch.linalg.qr(torch.randn(ATOMS, ATOMS, generator=torch.Generator().manual_seed(4)))[0] @ TRUE


def at_random() -> torch.Tensor:
    """Directions that have nothing to do with the data."""
    found = torch.randn(ATOMS, UNITS, generator=torch.Generator().manual_seed(5))
    return torch.nn.functional.normalize(found, dim=1)


def fold_of(data: ArrayDataset, made: Model, test: np.ndarray | None = None) -> FittedFold:
    if test is None:
        test = np.flatnonzero([int(one[1:]) % 3 == 0 for one in data.frame["subject"]])
    return FittedFold(
        data, "", Split(0, np.setdiff1d(np.arange(len(data)), test), test[:0], test), {"topk": made}, None, 0
    )


def context(data: ArrayDataset) -> Context:
    return Context(data.spec, "", {"topk": TopK.tags}, "", 0)


def assessed(protocol: ByLabels, data: ArrayDataset, made: Model, **more):
    """Rows of a fold, through parquet and back, and results by metric."""
    assert protocol.unfit(context(data)) == ""
    buffer = io.BytesIO()
    protocol.examine(fold_of(data, made, **more)).assign(fold=0).to_parquet(buffer, index=False)
    found = pd.read_parquet(buffer)
    return found, {result.metric: result for result in protocol.conclude(found, context(data))}


def probing(**options):
    return SparseProbing(SparseProbing.config_type(**options))


def tpp(**options):
    return TargetedPerturbation(TargetedPerturbation.config_type(**{"ns": (1, 2), "steps": 1000, **options}))


def scr(**options):
    given = {"wanted": "quiet", "spurious": "loud", "ns": (1,), "steps": 1000, **options}
    return SpuriousRemoval(SpuriousRemoval.config_type(**given))


def unlearned(**options):
    given = {"forget": "loud", "keep": ("quiet",), "steps": 1000, **options}
    return Unlearned(Unlearned.config_type(**given))


def ravel(**options):
    given = {"first": "loud", "second": "quiet", "steps": 1000, **options}
    return Ravel(Ravel.config_type(**given))


# --- samples ----------------------------------------------------------------------------------------------------------


def test_a_sample_is_the_mean_of_its_positions():
    data = rows()
    made = model(data)
    side = Side.of(made, data)
    codes, x = made.codes(data).to_numpy(), data.read(np.arange(len(data))).inputs["activations"]
    source = data.frame["source"].to_numpy()
    for at in (0, 17, 200):
        own = np.flatnonzero(source == side.samples[at])
        assert len(own) == POSITIONS == side.positions[at]
        np.testing.assert_allclose(side.x[at], x[own].mean(0), atol=1e-6)
        np.testing.assert_allclose(side.codes[at], codes[own].mean(0), atol=1e-6)
        np.testing.assert_allclose(side.on[at], (codes[own] > 0).mean(0), atol=1e-6)
        np.testing.assert_allclose(side.positive[at], codes[own].clip(min=0).mean(0), atol=1e-6)
        assert set(data.frame["subject"].iloc[own]) == {side.subjects[at]}
        assert side.labels[LOUD][at] == data.frame["loud"].iloc[own[0]]


def test_edits_of_means_are_means_of_edited_positions():
    data = rows()
    made = model(data, mixed())
    sides = Labelled.of(fold_of(data, made), "topk", made, 10)
    probes = sides.probes([LOUD, QUIET], 300)
    test = fold_of(data, made).test("topk")
    x, head = made.representation(test).values, made.head
    codes, features = head.encode(x), torch.tensor([3, 0, 7])
    source, count = np.unique(test.frame["source"].to_numpy(), return_inverse=True)[1], len(sides.test.samples)

    def pooled(values):
        return torch.zeros(count, UNITS).index_add(0, torch.from_numpy(source), values) / POSITIONS

    off = probes.logits(pooled(ablate(x, codes, features, head.decode)))
    change = (sides.test.codes[:, features] @ sides.atoms[features]) @ probes.weight.T
    torch.testing.assert_close(probes.logits(sides.test.x) - change, off, atol=1e-5, rtol=1e-5)
    pressed = probes.logits(pooled(with_error(x, codes, clamped(codes, features, -25.0), head.decode)))
    change = _change(sides.test, features, 25.0, sides.atoms, probes.weight)
    torch.testing.assert_close(probes.logits(sides.test.x) + change, pressed, atol=1e-4, rtol=1e-4)


def test_clamping_takes_away_what_is_above_zero_alone(monkeypatch):
    data = rows()
    made = model(data)
    monkeypatch.setattr(made.head, "encode", lambda x: x[:, :ATOMS])
    side, codes = Side.of(made, data), data.read(np.arange(len(data))).inputs["activations"][:, :ATOMS]
    own = data.frame["source"].to_numpy() == side.samples[5]
    assert codes[own].min() < 0
    np.testing.assert_allclose(side.positive[5], codes[own].clip(min=0).mean(0), atol=1e-6)
    np.testing.assert_allclose(side.codes[5], codes[own].mean(0), atol=1e-6)


# --- sparse probing ---------------------------------------------------------------------------------------------------


def test_one_feature_reads_what_was_planted_and_single_units_do_not():
    data = rows(flipped=0.1, others=1.5)
    found, results = assessed(probing(labels=("loud",)), data, model(data))
    test = fold_of(data, model(data)).test("topk").frame.drop_duplicates("source").set_index("source")
    has = rows(others=1.5).frame.drop_duplicates("source").set_index("source")["loud"][test.index]
    known = float((has == test["loud"]).mean())
    assert 0.85 < known < 0.95
    one = results["accuracy_k1"]
    assert one.value == pytest.approx(known)
    assert one.low < known < one.high
    assert one.baseline < known - 0.1
    assert one.n_subjects == one.n_samples == PEOPLE / 3
    assert found["features"].iloc[0].startswith("f0, ")
    assert results["auroc_k1"].value == pytest.approx(roc_auc_score(found["truth"], found["codes:1"]), abs=1e-9)
    assert results["auroc_k1"].chance == 0.5
    full = float(((found["full"] > 0) == (found["truth"] > 0)).mean())
    assert f"of the whole layer {full:.1%}" in one.sentence
    assert one.chance == pytest.approx(0.5, abs=0.1)


def test_where_no_label_can_be_read_it_is_said_with_what_was_left_out():
    data = rows()
    data.frame["loud"] = 0.0
    with pytest.raises(
        NotMeasurable, match=r"no label has samples enough \(left out: yes \(loud\) \(0 with and 240 without"
    ):
        assessed(probing(labels=("loud",)), data, model(data))


def test_a_label_that_goes_with_nothing_is_read_by_chance():
    found = []
    for seed in range(6):
        data = rows(seed=seed)
        found.append(assessed(probing(labels=("coin",)), data, model(data))[1])
    for k in (1, 2, 5):
        for metric in (f"auroc_k{k}", f"accuracy_k{k}"):
            assert np.mean([one[metric].value for one in found]) == pytest.approx(0.5, abs=0.05)
    # Of six intervals of 95 % one may lie beside it.
    assert sum(one["auroc_k1"].low < 0.5 < one["auroc_k1"].high for one in found) >= 5


def test_several_labels_are_averaged_and_told_one_by_one():
    data = rows()
    _, results = assessed(probing(), data, model(data))
    # In the order of the data's labels.
    names = [f"auroc_k1_yes ({label})" for label in ("loud", "quiet", "coin")]
    assert [metric for metric in results if metric.startswith("auroc_k1_")] == names
    each = [results[name].value for name in names]
    assert results["auroc_k1"].value == pytest.approx(np.mean(each))
    assert each[0] == each[1] == 1.0
    assert "mean of 3 labels" in results["auroc_k1"].sentence
    # The mean of one certain and two fixed labels varies a third as much as the one.
    wide, narrow = results["auroc_k1_yes (coin)"], results["auroc_k1"]
    assert narrow.high - narrow.low == pytest.approx((wide.high - wide.low) / 3, rel=1e-6)


def test_the_usual_answer_is_that_of_the_training_side():
    data = rows()
    number = np.array([int(one[1:]) for one in data.frame["subject"]])
    # Most test samples have it, few training samples do.
    data.frame["coin"] = np.where(number % 3 == 0, number % 4 != 0, number % 4 == 0).astype(float)
    _, results = assessed(probing(labels=("coin",), ks=(1,)), data, model(data))
    assert results["accuracy_k1"].chance == pytest.approx(0.25)


@pytest.mark.parametrize("unknown", ["training", "test", "both"])
def test_probes_are_scikit_learns_on_the_training_samples_of_which_the_label_is_known(unknown):
    """Rows of both sides are at other positions of their sides, so that who confuses them learns from others."""
    data = rows(flipped=0.2, others=1.0)
    made = model(data, mixed())
    fold = fold_of(data, made)
    sides = {name: getattr(fold.split, at) for name, at in (("training", "train"), ("test", "test"))}
    for name, at in sides.items():
        if unknown in (name, "both"):
            data.frame.iloc[
                [one for one in at if int(data.frame["subject"].iloc[one][1:]) % 5 < 2], data.frame.columns.get_loc("loud")
            ] = np.nan  # fmt: skip
    found, results = assessed(probing(labels=("loud",)), data, made)
    codes = made.codes(data).to_numpy().astype(float)
    x, source = data.read(np.arange(len(data))).inputs["activations"].astype(float), data.frame["source"].to_numpy()

    def whole(values, at):
        """Means over positions of the samples with a label, in order of their names."""
        names = [name for name in np.unique(source[at]) if data.frame["loud"][source == name].notna().all()]
        return names, np.stack([values[source == name].mean(0) for name in names])

    names, _ = whole(x, sides["test"])
    assert list(found["sample"]) == names
    learnt, _ = whole(x, sides["training"])
    y = np.array([data.frame["loud"][source == name].iloc[0] for name in learnt])
    for what, values in (("codes", codes), ("units", x)):
        here, there = whole(values, sides["training"])[1], whole(values, sides["test"])[1]
        strength = np.abs(here[y == 1].mean(0) - here[y == 0].mean(0))
        for k in (1, 2, 5, len(strength)):
            if k not in (1, 2, 5) and what == "codes":
                continue
            best = np.argsort(-strength)[:k]
            probe = LogisticRegression(max_iter=1000).fit(here[:, best], y)
            column = f"{what}:{k}" if k <= 5 else "full"
            np.testing.assert_allclose(
                found[column], probe.decision_function(there[:, best]), atol=1e-3, err_msg=column
            )
    assert set(found["usual"]) == {float(y.mean() > 0.5)}
    assert results["accuracy_k2"].value == np.mean((found["codes:2"] > 0) == (found["truth"] > 0))


# --- absorption -------------------------------------------------------------------------------------------------------


def kinds(absorbed: bool) -> tuple[ArrayDataset, Model, np.ndarray]:
    """A parent with many rare children as data; where absorbed the parent's feature is off in rows that have a child."""
    parts = [hierarchy(count, absorbed, seed) for seed, count in enumerate((2880, 1440))]
    x, codes, labels = (torch.cat([part[which] for part in parts]) for which in range(3))
    atoms = parts[0][3]
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in range(len(x))], "parent": labels[:, 0].double().numpy(),
         "coin": (np.random.default_rng(0).random(len(x)) < 0.5).astype(float)},
        index=[f"s{at}" for at in range(len(x))],
    )  # fmt: skip
    no_yes = Binary(names=("no", "yes"))
    spec = DataSpec(
        name="kinds", namespace="k", inputs={"activations": Vector(names=tuple(f"u{at}" for at in range(x.shape[1])))},
        targets={"parent": no_yes, "coin": no_yes},
    )  # fmt: skip
    data = ArrayDataset(spec, frame, {"activations": x.numpy()})
    clean = hierarchy(2, False, 0)[3]
    weight = clean.clone()
    if absorbed:
        weight[0] -= clean[1 : CHILDREN + 1].sum(0)
        weight[1 : CHILDREN + 1] *= 2**0.5
    made = model(data, atoms, weight)
    torch.testing.assert_close(made.head.encode(x[:50]), codes[:50], atol=2e-3, rtol=1e-4)
    return data, made, np.arange(2880, len(x))


def test_an_absorbed_parent_scores_high_and_a_clean_one_nothing():
    data, made, test = kinds(absorbed=True)
    found, results = assessed(Absorption(), data, made, test=test)
    assert results["absorption"].value == pytest.approx(0.9, abs=0.01)
    assert results["full_absorption"].value == pytest.approx(0.9, abs=0.01)
    assert results["absorption"].low < 0.9 < results["absorption"].high
    assert set(found["label"]) == {"is yes (parent)"}
    assert set(found["main"]) == {"f0"}
    data, made, test = kinds(absorbed=False)
    _, results = assessed(Absorption(), data, made, test=test)
    assert results["absorption"].value == results["full_absorption"].value == 0
    for metric in ("absorption", "full_absorption"):
        assert 0.9 < results[metric].baseline <= 1
        assert not results[metric].higher_is_better
    assert list(results) == ["absorption", "full_absorption"]
    assert "(yes (parent))" in results["absorption"].sentence


def test_absorption_without_a_label_that_can_be_told_is_said_not_to_be_defined():
    data = rows()
    with pytest.raises(NotMeasurable, match=r"no label has a probe of F1 0.6 on the test side \(F1: yes \(coin\) 0."):
        assessed(Absorption(Absorption.config_type(labels=("coin",))), data, model(data))


# --- targeted perturbation --------------------------------------------------------------------------------------------


def test_a_label_with_a_feature_of_its_own_is_lost_alone():
    data = rows()
    _, results = assessed(tpp(labels=("loud", "quiet")), data, model(data))
    # Of a probe without its feature what is left leans on other things, and is right by luck about a little more than half.
    assert results["tpp_1"].value == pytest.approx(0.5, abs=0.05)
    assert results["tpp_1"].baseline < 0.15
    assert results["tpp_1"].low <= results["tpp_1"].value <= results["tpp_1"].high
    _, results = assessed(tpp(labels=("loud", "quiet")), data, model(data, at_random()))
    assert abs(results["tpp_1"].value) < 0.15


def test_tpp_is_the_published_sum_over_labels():
    data = rows()
    made = model(data, mixed())
    _, results = assessed(tpp(), data, made)
    sides = Labelled.of(fold_of(data, made), "topk", made, 10)
    labels = [LOUD, QUIET, COIN]
    probes = sides.probes(labels, 1000)
    truth = [sides.test.labels[label] for label in labels]

    def accuracy(at, off=None):
        change = 0 if off is None else sides.test.codes[:, off] @ sides.atoms[off]
        said = (probes.logits(sides.test.x - change)[:, at] > 0).numpy()
        return np.mean([(said == value)[truth[at] == value].mean() for value in (0, 1)])

    for n in (1, 2):
        off = [indices_of_strongest(effects_of(sides, label, probes.weight[at]), n) for at, label in enumerate(labels)]
        score = np.mean([
            accuracy(i) - accuracy(i, off[i]) - np.mean([accuracy(j) - accuracy(j, off[i]) for j in range(3) if j != i])
            for i in range(3)
        ])  # fmt: skip
        assert results[f"tpp_{n}"].value == pytest.approx(score, abs=1e-9)


def test_tpp_takes_two_labels():
    data = rows()
    assert "it compares labels with each other, and one is named, 'loud'" in tpp(labels=("loud",)).unfit(context(data))
    assert "one is named" in tpp(labels=("loud", "loud:yes")).unfit(context(data))
    assert "no yes-or-no label 'lout'" in tpp(labels=("lout", "quiet")).unfit(context(data))
    data.frame["quiet"] = 1.0
    with pytest.raises(
        NotMeasurable, match=r"two labels with samples enough, there is one \(left out: yes \(quiet\) \(240 with"
    ):
        assessed(tpp(labels=("loud", "quiet")), data, model(data))


# --- spurious correlations --------------------------------------------------------------------------------------------


def test_a_misled_probe_is_made_fair_by_features_of_what_misled_it():
    # With features of yes alone, all that a probe says would move to one side of its threshold when they are off.
    data = rows(both=True, others=0.1)
    found, results = assessed(scr(ns=(2,)), data, model(data))
    one = results["scr_2"]
    assert one.value == pytest.approx(1, abs=0.15)
    assert one.low <= one.value <= one.high
    assert one.baseline < 0.3
    base, oracle = (found.groupby("combination")[name].mean().mean() for name in ("base", "oracle"))
    assert base < 0.8
    assert oracle > 0.95
    assert f"is right about {base:.1%}" in one.sentence
    _, results = assessed(scr(ns=(2,)), data, model(data, at_random()))
    assert abs(results["scr_2"].value) < 0.3


def test_a_probe_that_was_not_misled_has_nothing_to_be_given_back():
    data = rows(both=True)
    _, results = assessed(scr(wanted="loud", spurious="coin"), data, model(data))
    assert results["scr_1"].value == 0
    assert "There is nothing to give back" in results["scr_1"].sentence


# --- unlearning -------------------------------------------------------------------------------------------------------


def test_a_label_with_a_feature_of_its_own_is_forgotten_and_the_other_kept():
    data = rows()
    found, results = assessed(unlearned(), data, model(data))
    assert found["features"].iloc[0].split(", ")[0] == "f0"
    assert results["unlearning"].value > 0.97
    assert results["unlearning"].chance < 0.1
    assert results["unlearning"].n_samples == int(
        fold_of(data, model(data)).test("topk").frame.drop_duplicates("source")["loud"].sum()
    )
    assert results["retained"].value > 0.97
    assert results["retained"].n_subjects == PEOPLE / 3


def test_a_mixed_dictionary_forgets_nothing():
    data = rows()
    found, results = assessed(unlearned(), data, model(data, mixed()))
    assert set(found["features"]) == {UNTOUCHED}
    assert results["unlearning"].value == results["unlearning"].chance
    assert results["unlearning"].value < 0.1
    assert "nothing is clamped" in results["unlearning"].sentence


def test_where_nothing_needs_to_go_it_is_not_said_that_something_would_be_lost():
    """Features of the label are on too often without it, so that no setting clamps any, and all settings keep everything."""
    data = rows()
    _, results = assessed(unlearned(retain_densities=(0.0,), tops=(1,), strengths=(1e-6,)), data, model(data))
    assert results["retained"].value > 0.97
    assert results["unlearning"].sentence.startswith(
        "No setting makes the probe miss more training samples with yes (loud) and keeps 99% of what probes of other labels say there"
    )


def test_a_label_alone_is_not_forgotten_as_nobody_could_say_what_is_harmed():
    data = rows()
    data.frame[["quiet", "coin"]] = 0.0
    with pytest.raises(NotMeasurable, match="there is no other label with samples enough, which must not be harmed"):
        assessed(unlearned(keep=()), data, model(data))


def test_numbers_of_features_that_make_no_sense_are_refused():
    for made, option in ((probing, "ks"), (tpp, "ns"), (scr, "ns"), (unlearned, "tops")):
        for numbers in ((0,), (-1,), (2, 2)):
            with pytest.raises(ValueError, match=r"greater than or equal to 1|each number once"):
                made(**{option: numbers})
        made(**{option: (1, 2)})
    for wrong in ({"strengths": (0.0,)}, {"strengths": (float("nan"),)}, {"retain_densities": (-0.1,)}):
        with pytest.raises(ValueError, match=r"greater than|finite"):
            unlearned(**wrong)


def test_one_feature_is_told_in_the_singular():
    data = rows()
    for protocol, metric in ((tpp(ns=(1,)), "tpp_1"), (scr(), "scr_1")):
        assert "the 1 feature of " in assessed(protocol, data, model(data))[1][metric].sentence


def test_what_each_fold_clamped_is_said():
    data = rows()
    found, _ = assessed(unlearned(), data, model(data))
    folds = [found.assign(fold=at, features=one) for at, one in enumerate(("f0", UNTOUCHED, "f0"))]
    sentence = unlearned().conclude(pd.concat(folds, ignore_index=True), context(data))[0].sentence
    assert sentence.startswith(f"With f0 | {UNTOUCHED} (by fold) of “topk” clamped, ")


def test_a_feature_that_other_labels_need_is_left_alone():
    """On with ``loud`` alone, so that densities allow it, but its atom goes along ``quiet`` too."""
    data = rows()
    made = model(data)
    with torch.no_grad():
        made.head.directions[0] = (TRUE[0] + 2 * TRUE[1]) / 5**0.5
    found, results = assessed(unlearned(), data, made)
    assert set(found["features"]) == {UNTOUCHED}
    assert results["retained"].value > 0.97


# --- interchange ------------------------------------------------------------------------------------------------------


def test_labels_with_features_of_their_own_are_exchanged_alone():
    data = rows()
    found, results = assessed(ravel(), data, model(data))
    one = results["disentanglement"]
    assert one.value > 0.97
    assert one.chance == 0.5
    assert abs(one.baseline - 0.5) < 0.2
    assert one.n_samples == one.n_subjects == PEOPLE / 3
    assert len(found) == 4 * PEOPLE / 3
    # Half of the sources differ in each label.
    assert found["cause_first"].notna().mean() == found["isolation_second"].notna().mean() == 0.5
    _, results = assessed(ravel(), data, model(data, mixed()))
    assert results["disentanglement"].value < 0.8


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_a_source_of_his_own(seed):
    """Six people with three samples of each combination, so that half of the lots fall on them; of one only who has all there is."""
    people = np.repeat(np.arange(6), 12)
    first, second = np.tile(np.repeat([0.0, 0.0, 1.0, 1.0], 3), 6), np.tile(np.repeat([0.0, 1.0, 0.0, 1.0], 3), 6)
    # Both labels together only the last one has.
    kept = (first + second < 2) | (people == 5)
    people, labels = people[kept], {LOUD: first[kept], QUIET: second[kept]}
    count = len(people)
    who = torch.from_numpy(people).float()[:, None]
    side = Side(
        np.array([f"s{at}" for at in range(count)]), people.astype(str), who, who, who, who, torch.ones(count), labels
    )
    pairs, bases = _pairs(side, (LOUD, QUIET), seed)
    assert (pairs.codes != pairs.source_codes).all()
    np.testing.assert_array_equal(pairs.codes[:, 0].numpy(), people[bases])
    of_source = (2 * pairs.source_labels[:, 0] + pairs.source_labels[:, 1]).numpy()
    # Of three combinations everybody finds somebody else's, of the fourth all but the one who has them.
    assert np.bincount(of_source).tolist() == [count, count, count, int((people != 5).sum())]


# --- what all share ---------------------------------------------------------------------------------------------------

ALL = {
    "sparse-probing": probing, "absorption": Absorption, "tpp": tpp, "scr": scr, "unlearning": unlearned, "ravel": ravel,
}  # fmt: skip


@pytest.mark.parametrize("name", ["sparse-probing", "tpp", "scr", "unlearning", "ravel"])
def test_labels_of_test_samples_choose_nothing(name):
    """With test labels turned round, what probes say is the same and only whether it is right turns round."""
    data, turned = rows(), rows()
    protocol = ALL[name]()
    test = fold_of(data, model(data)).split.test
    for column in ("loud", "quiet", "coin"):
        at = turned.frame.columns.get_loc(column)
        turned.frame.iloc[test, at] = 1 - turned.frame.iloc[test, at]
    one, other = (protocol.examine(fold_of(each, model(each))) for each in (data, turned))
    if name == "unlearning":
        assert one["features"].iloc[0] == other["features"].iloc[0] != UNTOUCHED
        kept = [each[each["forgets"] == 0] for each in (one, other)]
        for column in ("before", "after", "random"):
            np.testing.assert_allclose(kept[0][column].to_numpy(), 1 - kept[1][column].to_numpy())
        return
    if name == "ravel":
        for column in ("fold:features_first", "fold:features_second"):
            assert one[column].iloc[0] == other[column].iloc[0]
        both = [each.drop_duplicates("sample").set_index("sample").sort_index() for each in (one, other)]
        np.testing.assert_array_equal(both[0]["read_first"], 1 - both[1]["read_first"])
        return
    assert list(one["sample"]) == list(other["sample"])
    np.testing.assert_array_equal(one["truth"], 1 - other["truth"])
    if name == "sparse-probing":
        assert list(one["features"]) == list(other["features"])
        for column in [f"{what}:{k}" for what in ("codes", "units") for k in (1, 2, 5)] + ["full", "usual"]:
            np.testing.assert_array_equal(one[column], other[column])
        return
    for column in [each for each in one if each.split(":")[0] in ("right", "own", "others", "off", "base", "oracle")]:
        np.testing.assert_allclose(one[column], 1 - other[column], atol=1e-12)


@pytest.mark.parametrize(
    ("made", "option"), [(SparseProbing, "ks"), (TargetedPerturbation, "ns"), (SpuriousRemoval, "ns")]
)
def test_more_features_than_a_dictionary_has_are_refused_before_anything_is_fitted(made, option):
    data = rows()
    heads = {"linear": None, "topk": model(data).head}

    def said(*numbers: int) -> str:
        return made(made.config_type(**{option: numbers})).unfit_for(data, heads, context(data))

    assert said(1, ATOMS) == ""
    assert (
        said(ATOMS + 1, 1)
        == f"{option} asks for {ATOMS + 1} features, but “topk” has {ATOMS} features: ask for no more"
    )
    assert made().unfit_for(data, heads, context(data)) == ""


def test_a_probe_of_features_has_as_many_units_beside_it():
    data = rows()
    wide = model(data, torch.cat([TRUE, -TRUE, TRUE]))
    asked = probing(ks=(UNITS + 1,)).unfit_for(data, {"topk": wide.head}, context(data))
    assert asked == f"ks asks for {UNITS + 1} features, but “topk” has {UNITS} units to compare with: ask for no more"


def test_usual_numbers_that_a_dictionary_has_not_are_left_out_and_no_other_is_lost():
    """Of two dictionaries of 12 and of 4 features only the first has 5 and 10."""
    data = rows()
    small = model(data, TRUE[:4])
    fold = fold_of(data, model(data))
    fold = dataclasses.replace(fold, models={**fold.models, "small": small})
    both = Context(data.spec, "", {"topk": TopK.tags, "small": TopK.tags}, "", 0)
    for protocol, numbers in (
        (
            TargetedPerturbation(TargetedPerturbation.config_type(labels=("loud", "quiet"), steps=200)),
            ([2, 5, 10], [2]),
        ),
        (SpuriousRemoval(SpuriousRemoval.config_type(wanted="quiet", spurious="loud", steps=200)), ([2, 5, 10], [2])),
        (SparseProbing(SparseProbing.config_type(labels=("loud",))), ([1, 2, 5], [1, 2])),
    ):
        results, lacking = concluded(protocol, [examined(protocol, fold, both)], both)
        assert lacking == []
        for part, expected in zip(("topk", "small"), numbers, strict=True):
            named = {int(one.metric.split("_")[-1].removeprefix("k")) for one in results if one.part == part}
            assert named == set(expected)
            assert all(np.isfinite(one.value) for one in results)
    one = dataclasses.replace(fold, models={"topk": model(data, TRUE[:1])})
    usual = TargetedPerturbation(TargetedPerturbation.config_type(labels=("loud", "quiet"), steps=10))
    with pytest.raises(NotMeasurable, match="there are 1 features, fewer than the 2 asked for"):
        usual.examine(one)


def test_how_many_features_two_labels_have_is_said_of_all_folds():
    data = rows()
    found = ravel().examine(fold_of(data, model(data))).assign(fold=0)
    own = int(found["fold:features_first"].iloc[0])
    other = found.assign(fold=1, subject="x" + found["subject"], **{"fold:features_first": own + 3.0})
    (result,) = ravel().conclude(pd.concat([found, other]), context(data))
    assert result.sentence.startswith(f"Given the {own} to {own + 3} features of yes (loud) of another sample")


@pytest.mark.parametrize("name", ALL)
def test_nobody_is_judged_whom_the_model_has_learnt_from(name):
    data = rows()
    data.made_by = LearnedFrom.of({"subject": ["p0"]}, "r")
    with pytest.raises(LeakageError, match="1 of"):
        ALL[name]().examine(fold_of(data, model(data)))


@pytest.mark.parametrize("name", ALL)
def test_a_label_of_one_class_is_said_and_breaks_nothing(name):
    data = rows()
    data.frame["loud"] = 0.0
    if name in ("sparse-probing", "absorption", "tpp"):
        _, results = assessed(ALL[name](), data, model(data))
        first = next(iter(results.values()))
        assert np.isfinite(first.value)
        told = first.sentence
    else:
        with pytest.raises(NotMeasurable) as refused:
            assessed(ALL[name](), data, model(data))
        assert "(least)" in refused.value.helps
        told = refused.value.because
    said = "yes (loud) (0 with and 240 without it on the training side; 10 of each are asked for)"
    assert said in told or "the training side has 0 samples" in told
    assert told.count(said) <= 1


def test_labels_that_nobody_said_are_left_out_of_their_label_alone():
    data = rows()
    unknown = data.frame["subject"].isin([f"p{at}" for at in range(0, PEOPLE, 4)])
    data.frame.loc[unknown, "quiet"] = np.nan
    found, results = assessed(probing(), data, model(data))
    assert found.groupby("label").size().to_dict() == {LOUD: 120, QUIET: 90, COIN: 120}
    assert results["auroc_k1_yes (quiet)"].n_samples == 90
    assert results["auroc_k1_yes (quiet)"].value == 1
    assert results["auroc_k1"].n_samples == 120
    _, results = assessed(ravel(), data, model(data))
    assert results["disentanglement"].n_samples == 90
    _, results = assessed(tpp(labels=("loud", "quiet")), data, model(data))
    assert results["tpp_1"].value == pytest.approx(0.5, abs=0.05)


def test_the_order_of_rows_changes_no_interval():
    data = rows()
    data.frame.loc[data.frame["subject"].isin([f"p{at}" for at in range(0, PEOPLE, 4)]), "coin"] = np.nan
    found, results = assessed(probing(ks=(1,)), data, model(data))
    again = probing(ks=(1,)).conclude(found.sample(frac=1, random_state=0), context(data))
    for result in again:
        one = results[result.metric]
        assert (result.low, result.high) == pytest.approx((one.low, one.high))


def test_folds_have_probes_of_their_own():
    """What probes of two folds say cannot be put in one order: the area is of each fold, and subjects are drawn in theirs."""
    data = rows()
    protocol, made = probing(labels=("coin",), ks=(1,)), model(data)
    sides = [np.flatnonzero([int(one[1:]) % 3 == at for one in data.frame["subject"]]) for at in (0, 1)]
    both = [protocol.examine(fold_of(data, made, side)).assign(fold=at) for at, side in enumerate(sides)]
    both[1]["codes:1"] += 100
    (pooled,) = [r for r in protocol.conclude(pd.concat(both), context(data)) if r.metric == "auroc_k1"]
    each = [roc_auc_score(one["truth"], one["codes:1"]) for one in both]
    assert pooled.value == pytest.approx(np.mean(each))
    assert pooled.n_samples == 240


@pytest.mark.parametrize("name", ALL)
def test_a_fold_in_which_nothing_could_be_measured_is_said(name):
    data, protocol, known = rows(), ALL[name](), context(rows())
    whole = examined(protocol, fold_of(data, model(data)), known)
    nine = np.flatnonzero([int(one[1:]) % 40 == 0 for one in data.frame["subject"]])
    fold = fold_of(data, model(data), nine)
    few = examined(protocol, dataclasses.replace(fold, split=dataclasses.replace(fold.split, fold=1)), known)
    assert few.rows is None
    (why,) = few.not_measured
    assert (why.protocol, why.part, why.folds) == (name, "topk", (1,))
    alone, nothing = concluded(protocol, [whole], known)
    assert nothing == []
    (first, *others), lacking = concluded(protocol, [whole, few], known)
    # The one that could be measured is all that results are of.
    assert first.sentence == f"{alone[0].sentence} Measured in 1 of 2 folds; in the other not: {why.because}."
    assert [dataclasses.replace(first, sentence=alone[0].sentence), *others] == alone
    assert lacking == [dataclasses.replace(why, of_folds=2)]


def test_labels_are_called_by_short_names_and_the_nearest_is_suggested():
    names = {"loud": Binary(names=("no", "yes")), "kind": MultiClass(names=("cat", "dog", "yes"))}
    spec = DataSpec(name="d", namespace="d", inputs={"x": Vector(names=("a",))}, targets=names)
    assert label_called("loud", spec) == LOUD
    assert label_called("cat", spec) == label_called("kind:cat", spec) == label_called("cat (kind)", spec)
    assert list(label_names(spec)) == [LOUD, "is cat (kind)", "is dog (kind)", "is yes (kind)"]
    tags = Context(spec, "", {"topk": TopK.tags}, "", 0)
    assert "no yes-or-no label 'lould'; did you mean 'loud'?" in probing(labels=("lould",)).unfit(tags)
    assert "may mean any of is yes (loud), is yes (kind)" in probing(labels=("yes",)).unfit(tags)
    assert probing(labels=("loud", "kind:yes")).unfit(tags) == ""


def test_settings_that_lack_a_label_are_refused_before_anything_is_fitted():
    data = rows()
    asked = context(data)
    assert '[options.scr] wanted = "..."' in SpuriousRemoval().unfit(asked)
    assert '[options.ravel] first = "..."' in Ravel().unfit(asked)
    assert '[options.unlearning] forget = "..."' in Unlearned().unfit(asked)
    assert '[options.scr] spurious = "..."' in scr(spurious="").unfit(asked)
    assert "name two labels" in ravel(second="loud:yes").unfit(asked)
    assert "is to be forgotten and kept" in unlearned(keep=("quiet", "loud:yes")).unfit(asked)
    predictors = dataclasses.replace(asked, parts={"linear": Linear.tags})
    for made in ALL.values():
        assert "is a dictionary" in made().unfit(predictors)
        bare = dataclasses.replace(asked, spec=data.spec.model_copy(update={"targets": {}}))
        assert "have no yes-or-no labels" in made().unfit(bare)
