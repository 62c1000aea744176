"""Missingness made on purpose, what a model makes of it, and what each input is worth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from made_modalities import PART, context_of, fitted, fold_of, fusion, modalities
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from pellucid.assembly import facts_of
from pellucid.batch import collate
from pellucid.data import ArrayDataset
from pellucid.data.spec import COVARIATES, Regression
from pellucid.data.splits import Split
from pellucid.encoders.base import EncoderTags
from pellucid.encoders.cnn import Cnn
from pellucid.encoders.identity import Identity
from pellucid.errors import ContractError, DataError, LeakageError, StudyError
from pellucid.heads.cumulative import Cumulative
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.plugins import components
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.fit_again import _seeded, fit_again
from pellucid.protocols.missingness import Missingness, ModalityImportance, WithMissing
from pellucid.protocols.missingness.conclusions import GAP
from pellucid.protocols.missingness.flip import MissingnessConfig
from pellucid.protocols.missingness.importance import ModalityImportanceConfig, orders, reordered
from pellucid.protocols.missingness.imposed import chosen
from pellucid.testing.planted import planted
from pellucid.testing.protocols import (
    protocol_refuses_whom_a_part_has_learnt_from,
    protocol_rows_and_results_are_complete,
)
from pellucid.training.fit import Sides
from pellucid.training.settings import TrainingSettings

FIT = TrainingSettings(epochs=8, batch_size=16, learning_rate=1e-2, patience=None)
SHIFTS = {"m1": 1.0, "m2": 0.0}


@pytest.fixture(scope="module")
def fold() -> FittedFold:
    """A small model of two inputs, fitted for a moment."""
    data = modalities(SHIFTS, 500, seed=0, features=3)
    split = Split(0, np.arange(250), np.arange(250, 300), np.arange(300, 500))
    sides = Sides(data.subset(split.train), data.subset(split.validation), "y")
    return fold_of(data, split, fitted(fusion(data.spec, state=4, hidden=(8,)), sides, FIT), FIT)


@pytest.fixture(scope="module")
def examined(fold) -> pd.DataFrame:
    return Missingness(MissingnessConfig(input="m2")).examine(fold).assign(fold=0)


@pytest.fixture(scope="module")
def read_in_turn(fold) -> pd.DataFrame:
    return ModalityImportance().examine(fold).assign(fold=0)


def some(count=6):
    return np.arange(count) % 2 == 0


# --- missing on purpose -----------------------------------------------------------------------------------------------


def test_masks_alone_say_who_lacks_an_input():
    data = modalities(SHIFTS, 6, seed=0)
    lacking = WithMissing(data, "m2", some())
    before, after = data.read(np.array([4, 1, 0])), lacking.read(np.array([4, 1, 0]))
    assert all(np.array_equal(before.inputs[name], after.inputs[name]) for name in SHIFTS)
    assert after.masks["m2"].tolist() == [False, True, False]
    assert set(after.masks) == {"m2"}
    assert lacking.frame is data.frame
    assert lacking.learned_from == data.learned_from
    batch = collate(lacking.subset([4, 1, 0]), [0, 1, 2], "y")
    assert batch.present("m2").tolist() == [False, True, False]


def test_what_was_missing_before_stays_missing():
    data = modalities(SHIFTS, 6, seed=0, features=3)
    values, whole = np.ones((6, 3), bool), np.ones(6, bool)
    values[1, 0] = whole[1] = False
    masked = ArrayDataset(data.spec, data.frame, data._inputs, {"m1": whole, "m2": values})
    of_values = WithMissing(masked, "m2", some()).read(np.arange(6)).masks["m2"]
    assert np.array_equal(of_values, values & ~some()[:, None])
    of_whole = WithMissing(masked, "m1", some()).read(np.arange(6)).masks["m1"]
    assert np.array_equal(of_whole, whole & ~some())


def test_covariates_are_missing_in_the_frame():
    data = planted(("vector",), samples=6, subjects=6)
    lacking = WithMissing(data, COVARIATES, some())
    assert np.isnan(lacking.covariate_values()[some()]).all()
    assert np.array_equal(lacking.covariate_values()[~some()], data.covariate_values()[~some()])
    assert not np.isnan(data.covariate_values()).any()
    assert collate(lacking, range(6)).present(COVARIATES).tolist() == (~some()).tolist()
    assert np.array_equal(lacking.target_values("binary"), data.target_values("binary"))


def test_who_lacks_what_is_refused_where_it_cannot_be():
    data = modalities(SHIFTS, 6, seed=0)
    with pytest.raises(StudyError, match="did you mean 'm1'"):
        WithMissing(data, "m11", some())
    for wrong in (some(5), some().astype(int)):
        with pytest.raises(DataError, match="needs bool of shape"):
            WithMissing(data, "m1", wrong)


def test_a_draw_belongs_to_a_sample_and_a_seed_and_to_nothing_else():
    data = modalities(SHIFTS, 4000, seed=0, features=1)
    rates = np.where(np.arange(4000) < 2000, 0.8, 0.2)
    drawn = chosen(data, rates, "seed")
    assert drawn[:2000].mean() == pytest.approx(0.8, abs=0.03)
    assert drawn[2000:].mean() == pytest.approx(0.2, abs=0.03)
    at = np.random.default_rng(0).permutation(4000)[:700]
    assert np.array_equal(chosen(data.subset(at), rates[at], "seed"), drawn[at])
    assert not np.array_equal(chosen(data, rates, "other seed"), drawn)
    assert not chosen(data, np.zeros(4000), "seed").any()
    assert chosen(data, np.ones(4000), "seed").all()


# --- fitting a model's like -------------------------------------------------------------------------------------------


def test_a_refit_has_the_same_settings_and_learns_from_whom_it_is_given(fold):
    model = fold.models[PART]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    few = Sides(fold.dataset.subset(range(300, 400)), fold.dataset.subset(range(400, 450)), "y")
    one, same, other = (fit_again(model, PART, few, fold.training, seed=seed) for seed in ("a", "a", "b"))
    assert one.encoders["all"].config == model.encoders["all"].config
    assert one.head.config == model.head.config
    assert one.learned_from == few.learned_from
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    first = one.logits(fold.dataset)
    assert torch.equal(first, same.logits(fold.dataset))
    assert not torch.allclose(first, other.logits(fold.dataset))
    assert not torch.allclose(first, model.logits(fold.dataset))


def test_settings_that_change_reach_the_head_too(fold):
    sides = Sides(fold.dataset.subset(range(100)), fold.dataset.subset(range(100, 150)), "y")
    changes = {"all": {"order": ("m2", "m1")}}
    found = fit_again(fold.models[PART], PART, sides, fold.training, seed="", changes=changes)
    assert found.encoders["all"].order == ("m2", "m1")
    assert found.head.step_names == ("m2", "m1")


def test_refits_of_different_names_have_seeds_of_their_own_from_the_whole_range():
    seeds = [_seeded(FIT, f"fold {at}").seed for at in range(200)]
    assert len(set(seeds)) == 200
    # Settings take seeds below 2 to the 32nd.
    assert max(TrainingSettings(seed=seed).seed for seed in seeds) > 0.98 * 2**32
    assert _seeded(FIT, "fold 0").seed == seeds[0] != _seeded(FIT.model_copy(update={"seed": 1}), "fold 0").seed


def test_nothing_is_fitted_again_where_nobody_knows_how_it_was_trained(fold):
    with pytest.raises(ContractError, match="'encoder all'"):
        Missingness().examine(dataclasses.replace(fold, training={}))


# --- missing by the label ---------------------------------------------------------------------------------------------


def test_training_and_same_miss_those_with_the_label_and_flipped_the_others(examined):
    yes = examined["label"].to_numpy() > 0
    assert examined.loc[yes, "lacks same"].mean() == pytest.approx(0.8, abs=0.1)
    assert examined.loc[~yes, "lacks flipped"].mean() == pytest.approx(0.8, abs=0.1)
    assert not examined.loc[~yes, "lacks same"].any()
    assert not examined.loc[yes, "lacks flipped"].any()
    untouched = ~examined["lacks same"].to_numpy()
    for who in ("", "oracle "):
        none, same = examined[f"{who}none"], examined[f"{who}same"]
        assert np.allclose(none[untouched], same[untouched])
        assert not np.isclose(none[~untouched], same[~untouched]).all()


def test_the_refit_has_learnt_from_missingness_and_the_oracle_has_not(fold, examined):
    model, test = fold.models[PART], fold.test(PART)
    said = model.predict(test).to_numpy()[:, 0]
    assert np.allclose(examined["oracle none"], said)
    lacking = WithMissing(test, "m2", examined["lacks same"].to_numpy())
    assert np.allclose(examined["oracle same"], model.predict(lacking).to_numpy()[:, 0])
    assert not np.allclose(examined["none"], said)
    assert set(examined["input"]) == {"m2"}
    assert set(examined["output"]) == {"yes"}


def test_by_default_the_last_input_is_missing(fold):
    class Watched(Missingness):
        def _lack(self, samples, fold, at, *, flipped):
            return np.zeros(len(samples), bool)

    assert set(Watched().examine(fold)["input"]) == {"m2"}
    assert set(Watched(MissingnessConfig(input="m1")).examine(fold)["input"]) == {"m1"}


def scripted(gap: float, count=400) -> pd.DataFrame:
    """Probabilities whose order under the rule turned round is spoilt for a share of the samples."""
    rng = np.random.default_rng(0)
    label = np.arange(count) % 2.0
    good = label + rng.normal(0, 0.5, count)
    bad = np.where(rng.random(count) < gap, -good, good)
    return pd.DataFrame(
        {"part": PART, "sample": [f"s{at}" for at in range(count)], "subject": [f"p{at // 2}" for at in range(count)],
         "fold": 0, "input": "m2", "output": "yes", "label": label, "none": good, "same": good + 0.2 * label,
         "flipped": bad, "oracle none": good, "oracle same": good, "oracle flipped": good - 0.1 * label}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spoilt", "passed", "said"), [(0.6, False, "is not to be trusted"), (0.0, True, "does not go by")]
)
def test_conclusions_are_those_of_the_scores(fold, spoilt, passed, said):
    rows = scripted(spoilt)
    found = {result.metric: result for result in Missingness().conclude(rows, context_of(fold))}
    wanted = {column: roc_auc_score(rows["label"], rows[column]) for column in rows.columns[7:]}
    oracle = wanted["oracle none"]
    for metric, column in (("nothing", "none"), ("same", "same"), ("flipped", "flipped")):
        result = found[f"auroc_{metric}_missing"]
        assert (result.value, result.baseline, result.chance) == pytest.approx((wanted[column], oracle, 0.5))
        assert result.low < result.value < result.high
        assert result.n_subjects == 200
    gap = found["mnar_gap"]
    assert gap.value == pytest.approx(wanted["same"] - wanted["flipped"])
    assert gap.baseline == pytest.approx(wanted["oracle same"] - wanted["oracle flipped"])
    assert (gap.passed, gap.higher_is_better) == (passed, False)
    assert said in gap.sentence
    assert f"{gap.value:.3f}" in gap.sentence
    assert "80 % of the “yes” samples and 0 % of the others" in found["auroc_nothing_missing"].sentence


def test_a_gap_that_is_not_sure_is_called_open_and_fails_nobody(fold):
    rows = scripted(0.12, count=120)
    (gap,) = (r for r in Missingness().conclude(rows, context_of(fold)) if r.metric == "mnar_gap")
    assert gap.low <= GAP < gap.value
    assert gap.passed
    assert "is open" in gap.sentence


def test_where_nothing_can_be_ranked_nothing_is_concluded(fold):
    rows = scripted(0.0).assign(label=1.0)
    assert Missingness().conclude(rows, context_of(fold)) == []


def test_models_of_one_input_are_left_out_and_several_encoders_count_together(fold):
    spec = fold.dataset.spec
    encoders = {name: Identity(Identity.config_type(inputs={name: spec.input(name)})) for name in SHIFTS}

    def linear(*names):
        units = tuple(f"{name}:{unit}" for name in names for unit in encoders[name].names)
        return Model(
            {name: encoders[name] for name in names}, Linear(Linear.config_type(units=units, target=spec.target("y")))
        )

    models = {"one": linear("m1"), "both": linear("m1", "m2")}
    training = dict.fromkeys(("encoder m1", "encoder m2", "head one", "head both"), FIT)
    rows = Missingness().examine(dataclasses.replace(fold, models=models, training=training))
    assert set(rows["part"]) == {"both"}
    nobody = Missingness().examine(dataclasses.replace(fold, models={"one": models["one"]}))
    assert Missingness().conclude(nobody, context_of(fold)) == []
    assert Missingness().figures(nobody, context_of(fold)) == {}


def test_a_study_that_it_does_not_fit_is_told_why(fold):
    context = context_of(fold)

    def reason(protocol=Missingness, context=context, **options):
        return protocol(protocol.config_type(**options)).unfit(context)

    one = context.spec.model_copy(update={"inputs": {"m1": context.spec.inputs["m1"]}})
    number = context.spec.model_copy(update={"targets": {"y": Regression(names=("y",), units=("1",))}})
    assert reason() == reason(ModalityImportance) == ""
    assert "one input only" in reason(context=dataclasses.replace(context, spec=one))
    assert "one input only" in reason(ModalityImportance, dataclasses.replace(context, spec=one))
    alone = {"m1": EncoderTags(accepts=("vector",))}
    assert "encoder reads one input" in reason(context=dataclasses.replace(context, encoders=alone))
    two = {**alone, "m2": alone["m1"]}
    assert "sequential-fusion" in reason(ModalityImportance, dataclasses.replace(context, encoders=two))
    plain = dataclasses.replace(context, parts={"linear": Linear.tags})
    assert reason(context=plain) == ""
    assert "add cumulative" in reason(ModalityImportance, plain)
    assert "regression" in reason(context=dataclasses.replace(context, spec=number))
    assert "did you mean 'm1'" in reason(input="m11")
    assert "did you mean 'yes'" in reason(output="yess")
    assert "not depend on the label" in reason(rate=0.3, other_rate=0.3)


# --- what inputs are worth --------------------------------------------------------------------------------------------


def test_orders_are_distinct_and_begin_with_the_own_one():
    assert orders(("a", "b"), 6, seed=0) == [("a", "b"), ("b", "a")]
    assert len(set(orders(("b", "a", "c"), 6, seed=0))) == 6
    assert orders(("b", "a", "c"), 6, seed=0)[0] == ("b", "a", "c")
    many = orders(tuple("abcde"), 7, seed=1)
    assert (len(many), len(set(many)), many[0]) == (7, 7, tuple("abcde"))
    assert many == orders(tuple("abcde"), 7, seed=1) != orders(tuple("abcde"), 7, seed=2)


def test_only_steps_that_can_be_taken_in_another_order_are(fold):
    data = planted(("signal",))
    cnn = Cnn(Cnn.config_type(inputs=data.spec.inputs, tokens=True))
    head = Cumulative(Cumulative.config_type(target=data.spec.target("binary"), **facts_of({"cnn": cnn})))
    assert reordered(fold.models[PART]) == "all"
    assert reordered(Model({"cnn": cnn}, head)) is None
    assert (
        reordered(Model({"cnn": cnn}, Linear(Linear.config_type(**facts_of({"cnn": cnn}), target=head.config.target))))
        is None
    )


def test_a_finished_run_is_not_assessed_without_its_training_samples():
    assert Missingness.needs_training
    assert ModalityImportance.needs_training


def test_every_order_is_read_as_it_is_called_and_ends_where_the_model_does(fold, read_in_turn):
    assert read_in_turn.groupby("order")[["input 1", "input 2"]].first().to_numpy().tolist() == [
        ["m1", "m2"],
        ["m2", "m1"],
    ]
    assert read_in_turn.groupby("order")["0:yes"].nunique().tolist() == [1, 1]
    own = read_in_turn[read_in_turn["order"] == 0]
    assert np.allclose(own["2:yes"], fold.models[PART].predict(fold.test(PART)).to_numpy()[:, 0])
    # The informative input decides, wherever it stands.
    auroc = {o: [roc_auc_score(r["y"], r[f"{s}:yes"]) for s in (1, 2)] for o, r in
             read_in_turn.rename(columns={"label": "y"}).groupby("order")}  # fmt: skip
    assert auroc[0][0] > 0.75 > 0.65 > auroc[1][0]


def test_importances_add_up_to_the_score_beyond_nothing_read(fold, read_in_turn):
    found = {r.metric: r for r in ModalityImportance().conclude(read_in_turn, context_of(fold))}
    final = [roc_auc_score(rows["label"], rows["2:yes"]) for _, rows in read_in_turn.groupby("order")]
    assert found["importance:m1"].value + found["importance:m2"].value == pytest.approx(np.mean(final) - 0.5, abs=1e-12)
    assert found["importance:m1"].value > 0.2 > 0.05 > abs(found["importance:m2"].value)
    first = [roc_auc_score(rows["label"], rows["1:yes"]) for _, rows in read_in_turn.groupby("order")]
    of_m1 = [first[0] - 0.5, final[1] - first[1]]
    assert found["importance:m1"].value == pytest.approx(np.mean(of_m1))
    assert found["importance_sd:m1"].value == pytest.approx(np.std(of_m1))
    assert found["importance:m1"].baseline == pytest.approx((np.mean(final) - 0.5) / 2)
    assert found["importance:m1"].low < found["importance:m1"].value < found["importance:m1"].high
    assert "“m1” adds" in found["importance:m1"].sentence
    assert "over 2 orders" in found["importance:m1"].sentence
    assert [found[f"importance{kind}:m1"].higher_is_better for kind in ("", "_sd")] == [True, False]


def test_of_numbers_a_smaller_error_is_what_an_input_adds(fold):
    context = context_of(fold)
    spec = context.spec.model_copy(update={"targets": {"y": Regression(names=("age",), units=("years",))}})
    label = np.linspace(20, 80, 60)
    rows = pd.DataFrame(
        {"part": PART, "sample": [f"s{at}" for at in range(60)], "subject": [f"p{at}" for at in range(60)], "fold": 0,
         "order": 0, "input 1": "m1", "input 2": "m2", "input 3": None, "label": label, "0:age": label + 10,
         "1:age": label + 9.4, "2:age": label + 10.4}
    )  # fmt: skip
    context = Context(spec, "y", context.parts, context.baseline_name, 0)
    found = {r.metric: r for r in ModalityImportance(ModalityImportanceConfig()).conclude(rows, context)}
    assert found["importance:m1"].value == pytest.approx(0.6)
    assert found["importance:m2"].value == pytest.approx(-1)
    assert "Reading “m1” adds 0.600 to MAE" in found["importance:m1"].sentence
    assert "Reading “m2” takes 1.000 from MAE" in found["importance:m2"].sentence


def test_too_few_resamplings_no_order_and_shares_that_are_none_are_refused_and_the_least_are_not():
    for config, wrong, least in (
        (MissingnessConfig, {"replicates": 99}, {"replicates": 100}),
        (MissingnessConfig, {"rate": 1}, {"rate": 0.99}),
        (MissingnessConfig, {"rate": -0.01}, {"rate": 0}),
        (MissingnessConfig, {"other_rate": 1}, {"other_rate": 0.99}),
        (MissingnessConfig, {"other_rate": -0.01}, {"other_rate": 0}),
        (ModalityImportanceConfig, {"replicates": 99}, {"replicates": 100}),
        (ModalityImportanceConfig, {"orders": 0}, {"orders": 1}),
    ):
        with pytest.raises(ValidationError):
            config(**wrong)
        assert config(**least)
    assert (MissingnessConfig().rate, MissingnessConfig().other_rate, ModalityImportanceConfig().orders) == (0.8, 0, 6)


def test_nobody_is_scored_whom_a_refit_has_learnt_from(fold):
    leaky = dataclasses.replace(fold, split=dataclasses.replace(fold.split, train=np.arange(350)))
    for protocol in (Missingness(), ModalityImportance()):
        with pytest.raises(LeakageError, match="50 of 200"):
            protocol.examine(leaky)


@pytest.mark.parametrize(
    "check", [protocol_rows_and_results_are_complete, protocol_refuses_whom_a_part_has_learnt_from]
)
def test_the_contract_is_kept_on_a_model_that_reads_one_input_after_the_other(fold, monkeypatch, check):
    # The models that all protocols are tried on read side by side, so that this one is passed over there.
    monkeypatch.setattr("pellucid.testing.protocols.fitted_fold", lambda: (fold, context_of(fold)))
    (component,) = (c for c in components("protocol").values() if c.name == "modality-importance")
    check(component)


def test_figures_say_what_they_show(fold, examined, read_in_turn):
    context = context_of(fold)
    (caption,) = Missingness().figures(examined, context)
    assert "“m2” was missing by label" in caption
    (caption,) = ModalityImportance().figures(read_in_turn, context)
    assert "averaged over orders" in caption
