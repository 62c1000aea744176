"""Is an input necessary? A model that reads it errs with another sample's, and one that answers from habit does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.assembly import facts_of
from pellucid.data import DataSpec, MultiClass, Regression, Vector
from pellucid.data.arrays import ArrayDataset
from pellucid.data.inputs import Sentences
from pellucid.data.splits import Split
from pellucid.encoders.identity import Identity, IdentityConfig
from pellucid.errors import ContractError, LeakageError, NotMeasurable
from pellucid.heads.base import Head, HeadConfig, HeadTags
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.measuring import concluded, examined
from pellucid.protocols.necessity import InputNecessity, InputNecessityConfig
from pellucid.testing.folds import fitted_fold
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

COUNT = 120


@pytest.fixture(scope="module")
def fold():
    """Two inputs, of which the target is the first; a head that reads both, and one that has learnt nothing."""
    rng = np.random.default_rng(0)
    x, other = rng.normal(0, 2, COUNT).astype(np.float32), rng.normal(0, 2, COUNT).astype(np.float32)
    spec = DataSpec(
        name="made",
        inputs={"told": Vector(names=("x",), units="mm"), "idle": Vector(names=("y",), units="mm")},
        targets={"size": Regression(names=("size",), units=("mm",))},
        namespace="made",
    )
    frame = pd.DataFrame(
        {"subject": np.arange(COUNT) // 2, "size": x.astype(float)}, index=[f"s{at}" for at in range(COUNT)]
    )
    data = ArrayDataset(spec, frame, {"told": x[:, None], "idle": other[:, None]})
    split = Split(0, np.arange(60), np.arange(60, 80), np.arange(80, COUNT))
    sides = Sides(data.subset(split.train), data.subset(split.validation), "size")
    models = {}
    for part, epochs in (("reads", 80), ("idles", 1)):
        encoders = {name: Identity(IdentityConfig(inputs={name: one})) for name, one in spec.inputs.items()}
        head = Linear(Linear.config_type(target=spec.target("size"), **facts_of(encoders)))
        settings = TrainingSettings(epochs=epochs, learning_rate=0.05, batch_size=16)
        models[part], _ = fit_model(encoders, head, sides, settings, name=part)
    with torch.no_grad():
        for parameter in models["idles"].head.parameters():
            parameter.zero_()
    return FittedFold(data, "size", split, models, None, 0)


@pytest.fixture(scope="module")
def measured(fold):
    context = Context(fold.dataset.spec, "size", {n: m.head.tags for n, m in fold.models.items()}, "", 0)
    protocol = InputNecessity()
    assert protocol.unfit(context) == ""
    rows = examined(protocol, fold, context)
    found, missing = concluded(protocol, [rows], context)
    assert not missing
    return rows.rows, {(one.part, one.metric): one for one in found}


def test_a_model_that_reads_its_input_owes_its_score_to_it(measured):
    _, found = measured
    assert found["reads", "necessity_error"].value < 0.2
    gap = found["reads", "necessity_gap"]
    assert gap.passed
    assert gap.value == pytest.approx(
        found["reads", "necessity_error_shuffled"].value - found["reads", "necessity_error"].value
    )


def test_the_shuffled_error_is_that_of_other_samples_each_dealt_once(fold, measured):
    rows = measured[0]
    mine = rows[(rows["part"] == "reads") & (rows["condition"] == "shuffled")].set_index("sample")["error"]
    truth = fold.dataset.frame["size"].iloc[fold.split.test]
    # What was said is the truth of another one: with a model that errs little the distance tells which.
    shift = np.abs(truth.to_numpy()[:, None] - truth.to_numpy())
    nearest = np.abs(shift - mine.loc[truth.index].to_numpy()[:, None])
    np.fill_diagonal(nearest, np.inf)
    assert nearest.min(1).max() < 0.3
    assert mine.mean() > 1.0


def test_a_model_that_answers_from_habit_has_no_gap(measured):
    _, found = measured
    assert found["idles", "necessity_gap"].value == 0
    assert found["idles", "necessity_gap"].passed is False
    assert found["idles", "necessity_error"].value == pytest.approx(found["idles", "necessity_error_zero"].value)


def test_each_encoder_is_shuffled_alone_and_the_idle_one_is_not_needed(measured):
    _, found = measured
    told, idle = (found["reads", f"necessity_error_{name}_shuffled"].value for name in ("told", "idle"))
    whole, own = found["reads", "necessity_error_shuffled"].value, found["reads", "necessity_error"].value
    assert told > 5 * own
    assert told == pytest.approx(whole, rel=0.1)
    assert idle == pytest.approx(own, abs=0.1)


def test_chance_is_the_constant_that_errs_least_on_the_training_side(fold, measured):
    truth = fold.dataset.frame["size"].to_numpy()
    # Of a mean absolute error the least lies at one of the numbers, or between two of them.
    errors = np.abs(truth[:60] - truth[:60, None]).mean(1)
    nearest = np.sort(truth[:60][np.argsort(errors)[:2]])
    said = np.abs(truth[80:] - nearest.mean()).mean()
    assert measured[1]["reads", "necessity_error"].chance == pytest.approx(said)
    # Of numbers with a long tail the mean is far from it.
    frame = fold.dataset.frame.assign(size=np.exp(truth))
    skewed = ArrayDataset(fold.dataset.spec, frame, dict(fold.dataset.read(np.arange(COUNT)).inputs))
    rows = InputNecessity().examine(replace(fold, dataset=skewed, models={"idles": fold.models["idles"]}))
    tail, least = np.exp(truth), np.exp(nearest.mean())
    own = rows.groupby("sample")["constant"].first().mean()
    assert own == pytest.approx(np.abs(tail[80:] - np.median(tail[:60])).mean())
    assert own < 0.9 * np.abs(tail[80:] - tail[:60].mean()).mean()
    assert own == pytest.approx(np.abs(tail[80:] - least).mean(), rel=0.1)


def test_of_several_numbers_each_counts_in_its_own_scale():
    truth = np.random.default_rng(0).normal(0, [1.0, 1000.0], (COUNT, 2))
    spec = DataSpec(
        name="made",
        inputs={"told": Vector(names=("x", "y"), units="mm")},
        targets={"sizes": Regression(names=("near", "far"), units=("mm", "mm"))},
        namespace="made",
    )
    frame = pd.DataFrame({"subject": np.arange(COUNT), "sizes:near": truth[:, 0], "sizes:far": truth[:, 1]},
                         index=[f"s{at}" for at in range(COUNT)])  # fmt: skip
    frame = frame.rename(columns=dict(zip(frame.columns[1:], spec.target("sizes").columns("sizes"), strict=True)))
    data = ArrayDataset(spec, frame, {"told": truth.astype(np.float32)})
    split = Split(0, np.arange(60), np.arange(60, 80), np.arange(80, COUNT))
    sides = Sides(data.subset(split.train), data.subset(split.validation), "sizes")
    encoders = {"told": Identity(IdentityConfig(inputs={"told": spec.inputs["told"]}))}
    head = Linear(Linear.config_type(target=spec.target("sizes"), **facts_of(encoders)))
    model, _ = fit_model(encoders, head, sides, TrainingSettings(epochs=1), name="one")
    rows = InputNecessity().examine(FittedFold(data, "sizes", split, {"one": model}, None, 0))
    said = model.predict(data.subset(split.test)).to_numpy()
    wanted = (np.abs(said - truth[80:]) / truth[:60].std(0)).mean(1)
    mine = rows[rows["condition"] == "true"]
    assert mine["error"].to_numpy() == pytest.approx(wanted, rel=1e-4)
    # In their units the far one would be all there is; by its first number alone, it would be nothing.
    assert np.abs(said - truth[80:]).mean() > 10 * mine["error"].mean()


def test_training_samples_are_asked_for_and_missed_in_one_sentence(fold):
    assert InputNecessity.needs_training
    alone = replace(fold, split=replace(fold.split, train=np.array([], int)))
    with pytest.raises(ContractError, match="has no training samples at hand"):
        InputNecessity().examine(alone)


def test_wrong_calls_are_counted_where_the_target_is_a_class():
    fold, _ = fitted_fold()
    rows = InputNecessity().examine(fold)
    assert set(rows["error"]) == {0.0, 1.0}
    test = fold.dataset.subset(fold.split.test)
    model = fold.models["linear"]
    wrong = (model.logits(test)[:, 0] >= 0).numpy() != test.target_values(fold.target)[:, 0]
    mine = rows[(rows["part"] == "linear") & (rows["condition"] == "true")]["error"]
    assert mine.tolist() == wrong.astype(float).tolist()


def test_of_several_classes_the_likeliest_is_called_and_the_commonest_is_what_is_always_said(fold):
    x = fold.dataset.read(np.arange(COUNT)).inputs["told"][:, 0]
    kind = np.where(x < -0.5, 0.0, np.where(x > 0.5, 2.0, 1.0))
    target = MultiClass(names=("less", "same", "more"))
    spec = fold.dataset.spec.model_copy(
        update={"inputs": {"told": fold.dataset.spec.inputs["told"]}, "targets": {"kind": target}}
    )
    data = ArrayDataset(spec, fold.dataset.frame.assign(kind=kind), {"told": x[:, None]})
    encoder = Identity(IdentityConfig(inputs=dict(spec.inputs), standardised=False))
    head = Linear(Linear.config_type(target=target, **facts_of({"told": encoder})))
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[-1.0], [0.0], [1.0]]))
        head.prior.copy_(torch.tensor([0.0, 5.0, 0.0]))
    model = Model({"told": encoder}, head)
    rows = InputNecessity().examine(FittedFold(data, "kind", fold.split, {"linear": model}, None, 0))
    truth, learnt = kind[fold.split.test], kind[fold.split.train]
    by = {condition: some for condition, some in rows.groupby("condition")}
    assert by["true"]["error"].sum() == 0
    assert by["shuffled"]["error"].mean() > 0.3
    assert by["zero"]["error"].tolist() == (truth != 1).tolist()
    commonest = np.bincount(learnt.astype(int)).argmax()
    assert by["true"]["constant"].tolist() == (truth != commonest).tolist()


class Writer(Head):
    """Writes the first unit as an answer in another unit, and of large ones that it does not know; without a sample always 2 cm."""

    tags = HeadTags(family="attribution", targets=(), learns="texts")
    config_type = HeadConfig
    text_name, writes, outputs = "answer", True, ()

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.silent = torch.nn.Dropout(0.9)

    def write(self, z):
        said = (z.values[:, 0] + self.silent(torch.ones(len(z))) - 1).tolist()
        return ["that is not known" if one > 8 else f"about {one / 10:.6f} cm" for one in said]

    def write_without(self, count):
        return ["2 cm"] * count

    def embed_texts(self, texts):
        raise NotImplementedError

    def forward(self, z):
        raise NotImplementedError

    def explain(self, z, target):
        raise NotImplementedError

    def loss(self, z, batch):
        raise NotImplementedError


def test_answers_in_words_are_compared_in_one_unit_and_misses_are_left_out():
    x = np.random.default_rng(0).uniform(1, 9, (COUNT, 1)).astype(np.float32)
    spec = DataSpec(
        name="made", inputs={"x": Vector(names=("x",))}, targets={}, namespace="made", texts={"answer": Sentences()}
    )
    frame = pd.DataFrame(
        {"subject": np.arange(COUNT) // 2, "text:answer": [f"{one:.6f} mm" for one in x[:, 0]]},
        index=[f"s{at}" for at in range(COUNT)],
    )
    data = ArrayDataset(spec, frame, {"x": x})
    encoders = {"x": Identity(IdentityConfig(inputs={"x": spec.inputs["x"]}, standardised=False))}
    # As if it had just learnt: what drops out in training must not when it answers.
    model = Model(encoders, Writer(HeadConfig(units=("x:x",)))).train()
    split = Split(0, np.arange(20), np.arange(20, 30), np.arange(30, COUNT))
    fold = FittedFold(data, "", split, {"writer": model}, None, 0)
    protocol = InputNecessity(InputNecessityConfig(unit="mm"))
    context = Context(spec, "", {"writer": Writer.tags}, "", 0)
    assert protocol.unfit_for(data, {"writer": model.head}, context) == ""
    rows = examined(protocol, fold, context)
    by = {condition: some["error"].to_numpy() for condition, some in rows.rows.groupby("condition")}
    truth, large = x[30:, 0].astype(float), x[30:, 0] > 8
    assert np.isnan(by["true"]).tolist() == large.tolist()
    assert by["true"][~large] == pytest.approx(0, abs=1e-4)
    assert by["zero"] == pytest.approx(truth, abs=1e-4)
    assert by["text only"] == pytest.approx(np.abs(truth - 20), abs=1e-4)
    found = {one.metric: one for one in concluded(protocol, [rows], context)[0]}
    assert found["coverage"].value == pytest.approx(1 - large.mean())
    assert found["coverage_shuffled"].value == pytest.approx(1 - large.mean())
    assert found["coverage_text_only"].value == 1
    assert "coverage_zero" not in found
    assert found["necessity_error"].value == pytest.approx(0, abs=1e-4)
    assert found["necessity_error_text_only"].value == pytest.approx(np.abs(truth - 20).mean(), abs=1e-4)
    assert {one.higher_is_better for name, one in found.items() if "error" in name} == {False}
    assert {one.higher_is_better for name, one in found.items() if "error" not in name} == {True}
    with pytest.raises(NotMeasurable, match="no model here predicts a number or a class, or writes"):
        InputNecessity().examine(fold)
    bare = data.frame.assign(**{"text:answer": "nobody knows"})
    assert "holds a number" in protocol.unfit_for(ArrayDataset(spec, bare, {"x": x}), {"writer": model.head}, context)


def test_a_gap_passes_above_0_however_small_the_numbers_are(measured):
    rows, found = measured
    small = rows.assign(error=rows["error"] / 1000, constant=rows["constant"] / 1000)
    context = Context(DataSpec(name="m", inputs={"x": Vector(names=("x",))}, targets={}, namespace="m"), "", {}, "", 0)
    again = {(one.part, one.metric): one for one in InputNecessity().conclude(small.assign(fold=0), context)}
    gap = again["reads", "necessity_gap"]
    assert gap.passed
    assert gap.chance == gap.baseline == 0
    assert gap.value == pytest.approx(found["reads", "necessity_gap"].value / 1000)
    assert 0 < gap.low < gap.value < gap.high < 0.01


def test_too_few_samples_to_deal_out_are_not_measured(fold):
    with pytest.raises(NotMeasurable, match="the test side has 4 samples"):
        InputNecessity().examine(replace(fold, split=replace(fold.split, test=fold.split.test[:4])))


def test_a_subject_that_was_learnt_from_is_refused(fold):
    with pytest.raises(LeakageError):
        InputNecessity().examine(replace(fold, split=replace(fold.split, test=np.arange(50, 90))))


def test_a_unit_that_nobody_knows_is_refused_before_anything_is_fitted():
    from pellucid.heads.bridge import SoftTokenBridge

    spec = DataSpec(name="made", inputs={"x": Vector(names=("x",))}, targets={}, namespace="made")
    context = Context(spec, "", {"bridge": SoftTokenBridge.tags}, "", 0)
    assert "option unit" in InputNecessity().unfit(context)
    assert "'furlong'" in InputNecessity(InputNecessityConfig(unit="furlong")).unfit(context)
    assert InputNecessity(InputNecessityConfig(unit="nm")).unfit(context) == ""


def test_models_are_left_as_they_were(fold):
    assert isinstance(fold.models["reads"], Model)
    before = {name: value.clone() for name, value in fold.models["reads"].state_dict().items()}
    InputNecessity().examine(fold)
    assert all(torch.equal(value, before[name]) for name, value in fold.models["reads"].state_dict().items())
