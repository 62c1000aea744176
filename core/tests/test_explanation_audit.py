"""The explanation audit: true explanations pass, planted untrue ones fail, each at the check made for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data import ArrayDataset, Binary, DataSpec, MultiClass, Ordinal, Regression, Split, Vector
from pellucid.data.spec import Concepts
from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags
from pellucid.heads.concepts.bottleneck import ConceptBottleneck
from pellucid.heads.functions.additive import Additive
from pellucid.heads.functions.linear import Linear
from pellucid.heads.mlp import Mlp
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.explanations.audit import ExplanationAudit, ExplanationAuditConfig
from pellucid.training.fit import Sides, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings

UNITS, COUNT = 8, 600
WEIGHTS = np.array([2.0, -1.5, 1.0, -0.7, 0.4, 0.0, 0.0, 0.0])


class RandomNumbers(Linear):
    """Explains with random numbers, and bends the baseline until they add up."""

    def explain(self, z, target):
        found = super().explain(z, target)
        noise = torch.randn_like(found.contributions)
        return Explanation("function", target, z.names, noise, found.output - noise.sum(1), found.output, z.values)


class InputCopy(Linear):
    """Explains each unit by its own value, whatever the weights."""

    def explain(self, z, target):
        found = super().explain(z, target)
        copy = self.standardised(z)
        return Explanation("function", target, z.names, copy, found.output - copy.sum(1), found.output, z.values)


class TurningCopy(Linear):
    """Copies its input, turned round or not by chance: signed correlations with its copies cancel in the mean."""

    def explain(self, z, target):
        found = super().explain(z, target)
        turn = 1.0 if float(self.weight.detach().sum() * 1e4) % 2 < 1 else -1.0
        copy = turn * self.standardised(z)
        return Explanation("function", target, z.names, copy, found.output - copy.sum(1), found.output, z.values)


class Tendency(Linear):
    """Knows only which side each unit usually speaks for, and nothing of how much."""

    def explain(self, z, target):
        found = super().explain(z, target)
        side = self.standardised(z) * self.weight.detach()[0].sign()
        return Explanation("function", target, z.names, side, found.output - side.sum(1), found.output, z.values)


class Flatterer(Linear):
    """Explains half of the output and reports an output of its own, so that its explanation has no gap."""

    def explain(self, z, target):
        found = super().explain(z, target)
        half = found.contributions / 2
        return Explanation("function", target, z.names, half, found.baseline, found.baseline + half.sum(1), z.values)


class Weightless(Linear):
    """A true explanation whose tags promise less than it keeps."""

    tags = HeadTags(family="attribution", stage="post_hoc", faithful_by_construction=False)


def planted(kind="binary", seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(COUNT, UNITS)).astype(np.float32)
    score = x @ WEIGHTS
    noisy = score + 0.3 * random.normal(size=COUNT)
    # The numbers tell of the ratings with error.
    rated = np.clip(3 + x[:, :2] + 0.7 * random.normal(size=(COUNT, 2)), 1, 5)
    target, y = {
        "binary": (Binary(names=("no", "yes")), noisy > 0),
        "multiclass": (MultiClass(names=("a", "b", "c")), np.digitize(noisy, [-1.5, 1.5])),
        "ordinal": (Ordinal(names=("a", "b", "c")), np.digitize(noisy, [-1.5, 1.5])),
        # Of unequal weight: with equal ones the order by how unusual a rating is would be the explanation's own.
        "rated": (Binary(names=("no", "yes")), 3 * (rated[:, 0] - 3) - (rated[:, 1] - 3) > 0),
        "regression": (Regression(names=("y",), units=("kg",)), 50 + 10 * noisy),
    }[kind]
    names = tuple(f"n{at}" for at in range(UNITS))
    concepts = Concepts(names=("first", "second"), low=(1.0, 1.0), high=(5.0, 5.0))
    frame = pd.DataFrame(
        {
            "subject": [f"p{at // 2}" for at in range(COUNT)],
            "y": y.astype(float),
            "concept:first": rated[:, 0],
            "concept:second": rated[:, 1],
        },
        index=[f"s{at}" for at in range(COUNT)],
    )
    spec = DataSpec(
        name="planted", namespace="planted", inputs={"x": Vector(names=names)}, targets={"y": target}, concepts=concepts
    )
    return ArrayDataset(spec, frame, {"x": x})


def audited(heads, kind="binary", epochs=15, config=None, options=None):
    """Fit heads on one fold, audit them, and give results by (part, metric) with rows and context."""
    dataset = planted(kind)
    train, validation, test = np.arange(0, 360), np.arange(360, 420), np.arange(420, COUNT)
    split = Split(0, train, validation, test)
    sides = Sides(dataset.subset(train), dataset.subset(validation), "y")
    encoder = Identity(Identity.config_type(inputs={"x": dataset.spec.input("x")}))
    prepare_encoder(encoder, sides)
    models, spec = {}, dataset.spec
    units = tuple(f"x:{n}" for n in encoder.names)
    for name, head in heads.items():
        torch.manual_seed(0)
        made = head(head.config_type(units=units, target=spec.target("y"), concepts=spec.concepts, **(options or {})))
        settings = TrainingSettings(epochs=epochs, learning_rate=5e-3)
        models[name], _ = fit_model({"x": encoder}, made, sides, settings, name=name)
    baseline = TrivialBaseline(spec, "y").fit(sides.train)
    fold = FittedFold(dataset, "y", split, models, baseline, seed=0)
    audit = ExplanationAudit(config or ExplanationAuditConfig(randomised_models=6, replicates=200))
    rows = audit.examine(fold).assign(fold=0)
    tags = {name: model.head.tags for name, model in models.items()}
    context = Context(spec, "y", tags, baseline.name, seed=0)
    results = audit.conclude(rows, context)
    return {(r.part, r.metric): r for r in results}, rows, context, audit


@pytest.fixture(scope="module")
def binary():
    heads = {
        "linear": Linear, "additive": Additive, "mlp": Mlp,
        "random": RandomNumbers, "copy": InputCopy, "flatterer": Flatterer,
        "turning": TurningCopy, "tendency": Tendency,
    }  # fmt: skip
    return audited(heads)


CHECKS = ("completeness_gap", "deletion", "insertion", "randomisation", "stability")


@pytest.mark.parametrize("part", ["linear", "additive", "mlp"])
def test_true_explanations_pass_every_check(binary, part):
    results = binary[0]
    assert {check: results[part, check].passed for check in CHECKS} == dict.fromkeys(CHECKS, True)


def test_random_numbers_that_add_up_are_found_out(binary):
    results = binary[0]
    assert results["random", "completeness_gap"].passed  # they do add up; that is why one check is not enough
    assert not results["random", "deletion"].passed
    assert not results["random", "insertion"].passed
    assert not results["random", "stability"].passed
    assert abs(results["random", "deletion"].value) < 0.3 * results["linear", "deletion"].value


def test_a_copy_of_the_input_is_found_out(binary):
    results = binary[0]
    assert results["copy", "randomisation"].value == pytest.approx(1.0)
    assert not results["copy", "randomisation"].passed
    assert "hardly depends" in results["copy", "randomisation"].sentence
    assert abs(results["linear", "randomisation"].value) < 0.3


def test_a_copy_that_turns_round_by_chance_is_found_out(binary):
    assert not binary[0]["turning", "randomisation"].passed


def test_an_order_that_needs_no_explanation_does_not_pass_for_one(binary):
    results = binary[0]
    for check in ("deletion", "insertion"):
        assert results["tendency", check].low > 0  # better than random order, and by far
        assert not results["tendency", check].passed
        assert "no more than the order" in results["tendency", check].sentence


def test_an_output_that_the_model_never_gave_is_found_out(binary):
    results = binary[0]
    assert not results["flatterer", "completeness_gap"].passed
    # Half of what there is to explain is left out.
    assert results["flatterer", "completeness_gap"].value == pytest.approx(
        results["flatterer", "completeness_gap"].chance / 2, rel=1e-4
    )


def test_curves_begin_and_end_where_they_must(binary):
    rows = binary[1]
    own = rows[rows["part"] == "linear"]
    assert own["sample"].tolist() == [f"s{at}" for at in range(420, COUNT)]
    # Deleting everything leaves the probability of the training mean, the same for all on one side of one half.
    last = own["deletion_step10"].to_numpy()
    assert np.unique(np.maximum(last, 1 - last).round(5)).size == 1
    np.testing.assert_allclose(own["deletion_step0"], 1 / (1 + np.exp(-own["output"].abs())), atol=1e-6)
    np.testing.assert_allclose(own["insertion_step10"], own["deletion_step0"], atol=1e-6)
    np.testing.assert_allclose(own["insertion_step0"], last, atol=1e-6)
    # What speaks most for the side taken is removed first, so the next steps cannot raise it before any has turned.
    assert (own["deletion_step1"] <= own["deletion_step0"] + 1e-6).all()
    assert (own["deletion_area"] < own["deletion_random_area"]).mean() > 0.95


def test_every_result_stands_beside_chance_and_baseline_and_says_so(binary):
    for result in binary[0].values():
        assert np.isfinite([result.value, result.chance, result.baseline]).all()
        assert result.low <= result.value <= result.high
        assert result.n_samples == 180
        assert result.n_subjects == 90
        assert result.sentence.endswith(".")
        assert "nan" not in result.sentence


def test_rows_survive_a_parquet_file(binary, tmp_path):
    _, rows, context, audit = binary
    rows.to_parquet(tmp_path / "rows.parquet")
    back = pd.read_parquet(tmp_path / "rows.parquet")
    assert audit.conclude(back, context) == audit.conclude(rows, context)


def test_an_audit_measured_twice_is_the_same(binary):
    config = ExplanationAuditConfig(randomised_models=2, replicates=100)
    first, second = (audited({"linear": Linear}, epochs=2, config=config)[1] for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("kind", ["multiclass", "ordinal", "regression"])
def test_other_kinds_of_target_are_audited_alike(kind):
    results, _, context, audit = audited({"linear": Linear, "random": RandomNumbers}, kind)
    for check in CHECKS:
        assert results["linear", check].passed, check
    assert not results["random", "deletion"].passed
    assert audit.figures(audited({"linear": Linear}, kind, epochs=2)[1], context)


def test_promising_less_is_judged_less_strictly():
    results = audited({"modest": Weightless}, epochs=3)[0]
    assert "may stay unexplained" in results["modest", "completeness_gap"].sentence


def test_figures_show_curves_and_interventions():
    _, rows, context, audit = audited({"linear": Linear, "concepts": ConceptBottleneck})
    figures = audit.figures(rows, context)
    assert len(figures) == 2
    curves = next(iter(figures.values())).axes
    assert [ax.get_title(loc="left") for ax in curves] == [
        "linear: deletion", "linear: insertion", "concepts: deletion", "concepts: insertion",
    ]  # fmt: skip
    own = rows[rows["part"] == "linear"]
    lines = {line.get_label(): line.get_ydata() for line in curves[0].lines}
    np.testing.assert_allclose(
        lines["explanation's order"], [own[f"deletion_step{at}"].mean() for at in range(11)], atol=1e-6
    )


def test_concepts_are_audited_for_accuracy_and_use():
    results = audited({"concepts": ConceptBottleneck}, "rated", epochs=40)[0]
    for check in CHECKS:
        # Two concepts are always in the same order or the opposite one: there is nothing to tell a copy by.
        assert (check == "randomisation") == (("concepts", check) not in results), check
        assert check == "randomisation" or results["concepts", check].passed, check
    assert results["concepts", "intervention"].low > 0
    assert "helps" in results["concepts", "intervention"].sentence
    error = results["concepts", "concept_error:first"]
    assert error.value < 0.85 * error.chance
    assert error.value > 0.3  # people's error of 0.7 cannot be foreseen


class Leaky(ConceptBottleneck):
    """Writes the answer into the second decimal of a rating."""

    def _soft(self, x):
        whole = self.whole_steps(super()._soft(x))
        answer = (x @ torch.tensor(WEIGHTS, dtype=x.dtype) > 0).to(x)
        return whole + 0.02 * answer[:, None] * torch.tensor([1.0, 0.0])


def test_a_planted_leak_is_found_and_hard_concepts_have_none():
    heads = {"leaky": Leaky, "honest": ConceptBottleneck}
    results = audited(heads, epochs=5)[0]
    hard = audited({"hard": ConceptBottleneck}, epochs=5, options={"kind": "hard"})[0]
    assert hard["hard", "concept_leakage"].value == 0
    assert hard["hard", "concept_leakage"].passed
    assert not results["leaky", "concept_leakage"].passed
    assert results["leaky", "concept_leakage"].value > results["honest", "concept_leakage"].value


def test_a_subject_learnt_from_is_refused():
    dataset = planted()
    encoder = Identity(Identity.config_type(inputs={"x": dataset.spec.input("x")}))
    sides = Sides(dataset.subset(range(0, 500)), dataset.subset(range(500, 520)), "y")
    prepare_encoder(encoder, sides)
    head = Linear(Linear.config_type(units=tuple(f"x:{n}" for n in encoder.names), target=dataset.spec.target("y")))
    model, _ = fit_model({"x": encoder}, head, sides, TrainingSettings(epochs=1))
    split = Split(0, np.arange(0, 400), np.arange(400, 420), np.arange(420, COUNT))
    fold = FittedFold(dataset, "y", split, {"linear": model}, TrivialBaseline(dataset.spec, "y").fit(sides.train), 0)
    with pytest.raises(LeakageError, match="'linear'"):
        ExplanationAudit().examine(fold)
