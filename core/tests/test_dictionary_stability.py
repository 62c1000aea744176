"""Stability of dictionaries: what every seed learns is told apart from what none does, and nobody judged is learnt from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data import ArrayDataset, DataSpec, Split, Vector
from pellucid.encoders.identity import Identity
from pellucid.errors import ContractError, LeakageError, NotMeasurable
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.matching import stability
from pellucid.model import Model
from pellucid.plugins import load
from pellucid.protocols.audited import told
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.stability import DictionaryStability, DictionaryStabilityConfig, compared
from pellucid.protocols.fit_again import fit_again
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

UNITS, PEOPLE, EACH = 12, 80, 20
SETTINGS = TrainingSettings(epochs=3, batch_size=128, learning_rate=0.01)


def rows(kind: str, atoms: int = 8, seed: int = 5) -> ArrayDataset:
    """Sums of few atoms, so few that independent components settle on them from any start, or noise that has none."""
    random = np.random.default_rng(seed)
    count = PEOPLE * EACH
    true = np.linalg.qr(random.normal(size=(UNITS, UNITS)))[0][:atoms]
    codes = (random.random((count, atoms)) < 0.08) * random.uniform(0.5, 1.5, (count, atoms))
    values = codes @ true if kind == "atoms" else random.normal(size=(count, UNITS))
    frame = pd.DataFrame(
        {"subject": [f"p{at // EACH}" for at in range(count)]}, index=[f"s{at}" for at in range(count)]
    )
    spec = DataSpec(
        name="rows",
        namespace="r",
        inputs={"activations": Vector(names=tuple(f"u{a}" for a in range(UNITS)))},
        targets={},
    )
    return ArrayDataset(spec, frame, {"activations": values.astype(np.float32)})


def fitted(data: ArrayDataset, name: str = "ica", **options) -> FittedFold:
    person = np.repeat(np.arange(PEOPLE), EACH)
    split = Split(
        0, np.flatnonzero(person < 48), np.flatnonzero((person >= 48) & (person < 60)), np.flatnonzero(person >= 60)
    )
    sides = Sides(data.subset(split.train), data.subset(split.validation))
    encoder = Identity(Identity.config_type(inputs={"activations": data.spec.input("activations")}))
    made = load("head", name)
    torch.manual_seed(0)
    units = tuple(f"activations:{unit}" for unit in encoder.names)
    head = made(made.config_type(units=units, **({"features": 8} | options)))
    model, _ = fit_model({"activations": encoder}, head, sides, SETTINGS)
    training = {"encoder activations": SETTINGS, "head it": SETTINGS}
    return FittedFold(data, "", split, {"it": model}, None, 3, training=training)


def results(fold: FittedFold, **options):
    protocol = DictionaryStability(DictionaryStabilityConfig(**options))
    examined = protocol.examine(fold).assign(fold=0)
    context = Context(fold.dataset.spec, "", {"it": fold.models["it"].head.tags}, "", 0)
    return {one.metric: one for one in protocol.conclude(examined, context)}, examined


@pytest.fixture(scope="module")
def planted() -> FittedFold:
    return fitted(rows("atoms"))


def test_atoms_that_are_there_are_stable_and_those_of_noise_are_not(planted):
    found, examined = results(planted)
    assert found["stable_features"].value == 1
    assert found["matched_cosine"].value > 0.99
    # The extremes of a finite sample of noise are now and then found by every seed too, so one sample says little.
    nothing = [results(fitted(rows("noise", seed=seed)))[0] for seed in range(5, 9)]
    assert np.mean([one["stable_features"].value for one in nothing]) < 0.6
    assert np.mean([one["matched_cosine"].value for one in nothing]) < 0.92
    # Neither chance nor rows drawn by lot do as well as what is learnt.
    for one in ("stable_features", "matched_cosine"):
        assert found[one].chance < found[one].value
        assert found[one].baseline < found[one].value
    # Rows lie where data lie, which random directions do not.
    assert found["matched_cosine"].chance < found["matched_cosine"].baseline
    cosines = np.array(told(examined, "cosines")[0])
    assert cosines.shape == (8,)
    assert (cosines > 0.9).mean() == found["stable_features"].value
    assert f"{(cosines > 0.9).sum()} are stable: 2 other seeds have them too" in found["stable_features"].sentence
    assert "are stable: another seed has them too" in results(planted, seeds=1)[0]["stable_features"].sentence


def test_its_mean_is_the_measure_and_its_lowest_is_over_all_other_seeds():
    random = torch.Generator().manual_seed(0)
    every = [torch.randn(6, 4, generator=random) for _ in range(3)]
    mean, _ = compared(every, signed=True)
    assert mean == pytest.approx(stability(every))
    same, turned = torch.eye(4), torch.eye(4)[[1, 0, 3, 2]].clone()
    turned[1] = -turned[1]
    half = torch.eye(4).clone()
    half[2] = torch.tensor([0.0, 1.0, 1.0, 0.0])
    _, lowest = compared([same, turned, half], signed=False)
    np.testing.assert_allclose(lowest, [1, 1, 0.5**0.5, 1], atol=1e-6)
    _, lowest = compared([same, turned, half], signed=True)
    assert lowest[0] < 0.01


def test_activity_is_counted_over_test_rows():
    fold = fitted(rows("noise"), "sae-topk", k=2)
    _, examined = results(fold)
    cosines = np.sort(told(examined, "cosines")[0])
    # A level that half of the features are above, whatever they are.
    level = float(cosines[3:5].mean())
    found, examined = results(fold, recovered=level)
    head, test = fold.models["it"].head, fold.test("it")
    assert isinstance(head, Dictionary)
    codes = fold.models["it"].codes(test).to_numpy() != 0
    stable = np.array(told(examined, "cosines")[0]) > level
    assert stable.sum() == 4
    assert found["stable_features"].value == 0.5
    assert found["stable_activity"].value == pytest.approx(codes[:, stable].sum() / codes.sum())
    assert found["stable_activity"].chance == found["stable_activity"].baseline == 0.5
    assert found["stable_activity"].low < found["stable_activity"].value < found["stable_activity"].high
    assert found["stable_activity"].n_subjects == 20
    assert examined["codes"].sum() == codes.sum()
    by_person = pd.Series(codes[:, stable].sum(1)).groupby(test.frame["subject"].to_numpy()).sum()
    assert dict(zip(examined["subject"], examined["stable_codes"], strict=True)) == by_person.to_dict()


def test_an_atom_and_its_negative_are_the_same_only_where_codes_have_either_sign(planted, monkeypatch):
    said = []

    def watched(every, *, signed):
        said.append(signed)
        return compared(every, signed=signed)

    monkeypatch.setattr("pellucid.protocols.dictionaries.stability.compared", watched)
    results(planted)
    assert said == [False] * 3
    said.clear()
    results(fitted(rows("atoms"), "sae-topk", k=2))
    assert said == [True] * 3


def test_each_seed_learns_from_the_share_of_training_rows_that_was_asked_for_drawn_anew(planted, monkeypatch):
    learnt = []

    def watched(model, part, sides, training, **options):
        learnt.append((list(sides.train.frame.index), options["seed"]))
        return fit_again(model, part, sides, training, **options)

    monkeypatch.setattr("pellucid.protocols.dictionaries.stability.fit_again", watched)
    results(planted, share=0.3)
    whole = planted.dataset.frame.index[planted.split.train]
    (one, first), (other, second) = learnt
    assert len(one) == len(other) == round(0.3 * len(whole))
    assert set(one) | set(other) <= set(whole)
    assert 0.2 < len(set(one) & set(other)) / len(one) < 0.4
    assert len(set(one)) == len(one)
    assert first != second
    learnt.clear()
    results(planted)
    assert [each for each, _ in learnt] == [list(whole)] * 2


def test_a_seed_is_another_seed_and_the_same_one_again():
    fold = fitted(rows("atoms"), "sae-topk", k=2)
    model = fold.models["it"]
    sides = Sides(fold.dataset.subset(fold.split.train), fold.dataset.subset(fold.split.validation))

    def again(seed: str) -> Model:
        return fit_again(model, "it", sides, fold.training, seed=seed, same_encoders=True)

    one, same, other = again("a"), again("a"), again("b")
    torch.testing.assert_close(one.head.atoms, same.head.atoms, rtol=0, atol=0)
    assert not torch.allclose(one.head.atoms, other.head.atoms)
    assert one.encoders["activations"] is model.encoders["activations"]
    with pytest.raises(ContractError, match="nobody says how 'head it'"):
        fit_again(model, "it", sides, {}, seed="a", same_encoders=True)


def test_what_has_no_chance_of_its_own_is_stable_unless_it_must_outlast_other_rows():
    fold = fitted(rows("noise"), "pca")
    assert results(fold)[0]["matched_cosine"].value == pytest.approx(1, abs=1e-5)
    assert results(fold, share=0.3)[0]["matched_cosine"].value < 0.97


def test_a_share_is_said_with_its_figures_and_one_that_is_too_small_is_refused(planted):
    found, _ = results(planted, share=0.5, seeds=1)
    assert "another seed, fitted on 0.5 of the training rows, has them too" in found["stable_features"].sentence
    assert "fitted on" not in results(planted, seeds=1)[0]["stable_features"].sentence
    context = Context(planted.dataset.spec, "", {"it": planted.models["it"].head.tags}, "", 0)
    heads = {"it": planted.models["it"].head}

    def refused(share: float) -> str:
        return DictionaryStability(DictionaryStabilityConfig(share=share)).unfit_for(planted.dataset, heads, context)

    assert refused(0.004) == (
        "share = 0.004 of 1,600 rows are 6, fewer than the 8 features of “it”: ask for a share of 0.005 at the very least"
    )
    assert refused(0.006) == refused(1.0) == ""
    # Of all rows there are enough, of those on the training side not.
    with pytest.raises(NotMeasurable, match=r"share = 0\.006 of 960 rows are 6, fewer than the 8 features") as why:
        results(planted, share=0.006)
    assert why.value.helps == "ask for a share of 0.0083 at the very least"


def test_nobody_whom_it_is_judged_on_is_learnt_from_again(planted):
    leaky = replace(planted, split=replace(planted.split, test=planted.split.train))
    with pytest.raises(LeakageError):
        DictionaryStability().examine(leaky)
    # The study's own dictionary has not seen them, but what is fitted again would.
    swapped = replace(planted, split=replace(planted.split, train=planted.split.test))
    with pytest.raises(LeakageError, match="with another seed"):
        DictionaryStability().examine(swapped)


def test_the_figure_is_drawn(planted):
    _, examined = results(planted, seeds=1, share=0.5)
    context = Context(planted.dataset.spec, "", {"it": planted.models["it"].head.tags}, "", 0)
    (figure,) = DictionaryStability().figures(examined, context).values()
    (line, _) = figure.axes[0].lines
    assert line.get_ydata() == pytest.approx(sorted(told(examined, "cosines")[0], reverse=True))
