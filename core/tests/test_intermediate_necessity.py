"""Whether outputs follow an edited intermediate: planted models that do, that do not, that do by half, and that lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data import DataSpec, Regression, Vector
from pellucid.data.arrays import ArrayDataset
from pellucid.data.splits import Split
from pellucid.encoders.identity import Identity, IdentityConfig
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.heads.base import Predictor, PredictorConfig
from pellucid.heads.concepts.bottleneck import ConceptBottleneck
from pellucid.heads.functions.linear import Linear
from pellucid.heads.tags import HeadTags
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.intermediate import OWN, TRUTH, IntermediateNecessity
from pellucid.protocols.measuring import concluded, examined
from pellucid.testing.concepts import planted_concepts
from pellucid.training.fit import Sides, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings

COUNT = 400
STATES, GOALS = ("here",), ("goal",)


class Reaching(ArrayDataset):
    """A place and a goal; what should be done is the way from one to the other. Everything of it is known."""

    def edited_targets(self, target, samples, names, values):
        if tuple(names) != GOALS:
            return None
        here = self.read(self.frame.index.get_indexer(list(samples))).inputs["seen"][:, 0]
        return (values[:, 0] - here)[:, None]


def reaching(kind=Reaching, *, apart=1.0):
    rng = np.random.default_rng(0)
    seen = rng.normal(0, [apart, 1.0], (COUNT, 2)).astype(np.float32)
    spec = DataSpec(
        name="made",
        inputs={"seen": Vector(names=(*STATES, *GOALS), units="m")},
        targets={"way": Regression(names=("way",), units=("m",))},
        namespace="made",
    )
    frame = pd.DataFrame(
        {"subject": np.arange(COUNT) // 2, "way": (seen[:, 1] - seen[:, 0]).astype(float)},
        index=[f"s{at}" for at in range(COUNT)],
    )
    return kind(spec, frame, {"seen": seen})


class Planner(Predictor):
    """Says a goal, then goes there from where it is; ``listens`` is how far it goes by what it said and not by what it saw."""

    tags = HeadTags(family="function", targets=("regression",))
    config_type = PredictorConfig
    listens = 1.0
    uses_state = True

    intermediate_names = GOALS

    def __init__(self, config):
        super().__init__()
        self.config = config

    def intermediate(self, z):
        return z.values[:, 1:]

    def decided(self, z, intermediate):
        goal = self.listens * intermediate[:, 0] + (1 - self.listens) * z.values[:, 1]
        return (goal - (z.values[:, 0] if self.uses_state else 0))[:, None]

    def forward(self, z):
        return self.decided(z, self.intermediate(z))

    def explain(self, z, target):
        raise NotImplementedError


class Deaf(Planner):
    """Says a goal and goes by what it saw."""

    listens = 0.0


class Half(Planner):
    """Goes half by what it said."""

    listens = 0.5


class GoalAlone(Planner):
    """Its sub-goal is all that it goes by."""

    uses_state = False


class Liar(Predictor):
    """Passes for one whose concepts decide; its output is another."""

    tags = HeadTags(family="function", targets=("regression",))
    config_type = PredictorConfig
    concept_names = GOALS

    def __init__(self, config):
        super().__init__()
        self.config = config

    def concepts(self, z):
        return z.values[:, 1:]

    def handed_on(self, ratings):
        return ratings

    def whole_steps(self, ratings):
        return ratings.round()

    def outcome(self, ratings):
        return ratings

    def forward(self, z):
        return z.values[:, 1:] + 2 * z.values[:, :1]

    def explain(self, z, target):
        raise NotImplementedError


def measured(data, **heads):
    """Results by (part, metric), and rows."""
    encoder = Identity(IdentityConfig(inputs={"seen": data.spec.input("seen")}))
    config = PredictorConfig(units=("here", "goal"), target=data.spec.target("way"))
    models = {part: Model({"seen": encoder}, kind(config)) for part, kind in heads.items()}
    split = Split(0, np.arange(100), np.arange(100, 200), np.arange(200, COUNT))
    fold = FittedFold(data, "way", split, models, None, 0)
    context = Context(data.spec, "way", {part: model.head.tags for part, model in models.items()}, "", 0)
    protocol = IntermediateNecessity()
    rows = examined(protocol, fold, context)
    found, missing = concluded(protocol, [rows], context)
    return {(one.part, one.metric): one for one in found}, missing, fold


@pytest.fixture(scope="module")
def known():
    return measured(reaching(), listens=Planner, deaf=Deaf, half=Half, alone=GoalAlone)[0]


def test_a_policy_that_goes_to_its_goal_follows_an_edit_whatever_else_it_reads(known):
    followed, kept = known["listens", "intermediate_followed"], known["listens", "intermediate_kept"]
    assert followed.value == pytest.approx(1, abs=1e-5)
    assert kept.value == pytest.approx(0, abs=1e-5)
    assert followed.passed
    assert TRUTH in followed.sentence
    assert "follows its intermediate." in followed.sentence


def test_a_model_that_ignores_what_it_says_is_found_out(known):
    followed, kept = known["deaf", "intermediate_followed"], known["deaf", "intermediate_kept"]
    assert followed.value == pytest.approx(0, abs=1e-5)
    assert kept.value == pytest.approx(1, abs=1e-5)
    assert followed.passed is False
    assert "takes no notice" in followed.sentence


def test_half_a_side_channel_is_half(known):
    assert known["half", "intermediate_followed"].value == pytest.approx(0.5, abs=1e-5)
    assert known["half", "intermediate_kept"].value == pytest.approx(0.5, abs=1e-5)
    assert known["half", "intermediate_followed"].passed is False


def test_chance_is_what_an_unrelated_edit_brings(known):
    # A third sample's goal: what the other's asks for and what was said share the place alone, a third of each. Measured 0.26.
    assert abs(known["listens", "intermediate_followed"].chance - 1 / 3) < 0.12
    assert known["listens", "intermediate_followed"].baseline == 0
    assert known["listens", "intermediate_kept"].baseline == 1


def test_without_a_rule_what_the_sample_adds_counts_as_kept():
    found, _, _ = measured(reaching(ArrayDataset), listens=Planner, deaf=Deaf, alone=GoalAlone)
    assert found["alone", "intermediate_followed"].value == pytest.approx(1, abs=1e-5)
    assert found["alone", "intermediate_kept"].value == pytest.approx(0, abs=1e-5)
    assert abs(found["alone", "intermediate_followed"].chance) < 0.15
    assert found["deaf", "intermediate_followed"].value == pytest.approx(0, abs=1e-5)
    # Goal and place vary alike: half of what is said goes with each.
    assert found["listens", "intermediate_followed"].value == pytest.approx(0.5, abs=0.1)
    assert found["listens", "intermediate_kept"].value == pytest.approx(0.5, abs=0.1)
    assert OWN in found["alone", "intermediate_followed"].sentence


def test_labels_say_whether_what_is_followed_means_anything():
    found, _, _ = measured(reaching(ArrayDataset, apart=0.1), alone=GoalAlone, deaf=Deaf)
    assert found["alone", "intermediate_truth"].value > 0.95
    assert abs(found["deaf", "intermediate_truth"].value) < 0.05
    assert found["deaf", "intermediate_truth"].baseline > 0.95


def test_an_output_that_is_not_that_of_the_concepts_is_no_follower():
    found, _, _ = measured(reaching(ArrayDataset), liar=Liar)
    # Concepts are a fifth of the variance of what it says.
    assert found["liar", "intermediate_followed"].value == pytest.approx(0.2, abs=0.08)
    assert found["liar", "intermediate_followed"].passed is False


def test_numbers_far_from_zero_lose_nothing():
    data = reaching(ArrayDataset)
    found, _, _ = measured(data, alone=type("Far", (GoalAlone,), {"decided": lambda self, z, m: m + 1e4}))
    assert found["alone", "intermediate_followed"].value == pytest.approx(1, abs=1e-3)


def test_samples_that_all_say_the_same_are_not_measured():
    mute = type("Mute", (GoalAlone,), {"decided": lambda self, z, m: torch.ones(len(m), 1)})
    found, missing, _ = measured(reaching(ArrayDataset), mute=mute)
    assert not found
    assert "same for all samples" in missing[0].because


def test_few_samples_are_refused_and_those_learnt_from_too():
    _, _, fold = measured(reaching(), listens=Planner)
    few = replace(fold, split=replace(fold.split, test=np.arange(300, 310)))
    with pytest.raises(NotMeasurable, match="10 samples"):
        IntermediateNecessity().examine(few)
    fold.models["listens"].head.learned_from = fold.dataset.subset(fold.split.test).learned_from
    with pytest.raises(LeakageError):
        IntermediateNecessity().examine(fold)


def test_a_study_without_such_a_head_is_told_before_anything_is_fitted():
    data = planted_concepts("concepts")
    linear = Linear(Linear.config_type(units=("a",), target=data.spec.target("y")))
    context = Context(data.spec, "y", {"linear": linear.tags}, "", 0)
    assert "add concept-bottleneck" in IntermediateNecessity().unfit_for(data, {"linear": linear}, context)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_fitted_bottleneck_follows_its_concepts_and_a_linear_head_is_left_out(kind):
    data = planted_concepts("concepts", kind, samples=400)
    split = Split(0, np.arange(200), np.arange(200, 260), np.arange(260, 400))
    sides = Sides(data.subset(split.train), data.subset(split.validation), "y")
    encoder = Identity(Identity.config_type(inputs={"x": data.spec.input("x")}))
    prepare_encoder(encoder, sides)
    facts = {
        "units": tuple(f"x:{name}" for name in encoder.names),
        "target": data.spec.target("y"),
        "concepts": data.spec.concepts,
    }
    models = {}
    for part, made in (("bottleneck", ConceptBottleneck), ("linear", Linear)):
        torch.manual_seed(0)
        head = made(made.config_type(**facts))
        settings = TrainingSettings(epochs=10, learning_rate=5e-3)
        models[part], _ = fit_model({"x": encoder}, head, sides, settings, name=part)
    fold = FittedFold(data, "y", split, models, None, 0)
    context = Context(data.spec, "y", {part: model.head.tags for part, model in models.items()}, "", 0)
    protocol = IntermediateNecessity()
    found, missing = concluded(protocol, [examined(protocol, fold, context)], context)
    assert not missing
    assert {one.part for one in found} == {"bottleneck"}
    by = {one.metric: one for one in found}
    assert by["intermediate_followed"].value == pytest.approx(1, abs=1e-4)
    assert by["intermediate_kept"].value == pytest.approx(0, abs=1e-4)
    # The intermediate carries what the whole sample would.
    assert by["intermediate_truth"].value == pytest.approx(by["intermediate_truth"].baseline, abs=1e-4)
    assert by["intermediate_truth"].value > by["intermediate_truth"].chance + 0.1
