"""The audit of prototypes: it passes what is as it is shown, and finds out what is not."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from made_tokens import NAMES, TARGETS, events, fitted
from pydantic import ValidationError

from pellucid.batch import Batch
from pellucid.data.spec import Trajectory, Vector
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import LeakageError
from pellucid.heads.base import HeadTags
from pellucid.heads.prototypes.head import Prototypes
from pellucid.model import Model
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Context
from pellucid.protocols.prototypes.audit import PrototypeAudit, PrototypeAuditConfig
from pellucid.protocols.prototypes.places import channel_means, strongest_channel
from pellucid.protocols.prototypes.rows import PrototypeMeasures
from pellucid.protocols.prototypes.sources import check_sources
from pellucid.regions import Box, Steps, Subgraph, TimeSpan, Words, overlap
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.sample_ids import encoded_ids

QUICK = PrototypeAudit(PrototypeAuditConfig(replicates=100, channel_samples=20))


def audited(fold, context, audit=QUICK):
    rows = audit.examine(fold).assign(fold=0)
    return {result.metric: result for result in audit.conclude(rows, context)}


def altered(change):
    """The fitted fold with a copy of its model, changed."""
    fold, context = fitted()
    model = copy.deepcopy(fold.models["prototypes"])
    with torch.no_grad():
        change(model)
    return dataclasses.replace(fold, models={"prototypes": model}), context


@pytest.fixture(scope="module")
def results():
    return audited(*fitted())


def test_a_fitted_model_keeps_every_promise(results):
    assert results["source_cosine"].value >= 1 - 1e-5
    assert results["source_cosine"].chance < 0.99
    failed = [name for name, result in results.items() if result.passed is False and "channel" not in name]
    assert failed == []
    assert results["unique_sources"].value == 1
    assert results["purity"].value > 0.8 > 0.6 > results["purity"].chance


def test_prototypes_point_at_what_was_planted(results):
    for metric in ("localisation", "localisation:bump", "localisation:dip", "localisation:wave"):
        assert results[metric].value >= 0.8
        assert results[metric].chance <= 0.4
        assert results[metric].low > results[metric].chance
    assert results["localisation_and_channel"].value > 2 * results["localisation_and_channel"].chance
    assert results["consistency"].value > 0.6 > results["consistency"].chance


def test_one_changed_weight_of_an_encoder_is_found_out():
    def change(model):
        next(iter(model.encoders["signal"].parameters())).view(-1)[0].add_(0.05)

    found = audited(*altered(change))
    # A cosine hardly sees a small step along long vectors; the distance does.
    assert found["source_distance"].passed is False
    assert found["source_distance"].value > 1e-3 > 1e-4 > fitted_distance()


def fitted_distance():
    return audited(*fitted())["source_distance"].value


def test_an_encoder_that_sees_something_else_is_found_out():
    def change(model):
        for parameter in model.encoders["signal"].parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))

    result = audited(*altered(change))["source_cosine"]
    assert result.passed is False
    assert "not the training sample" in result.sentence


def test_sources_that_are_not_the_prototypes_are_found_out():
    def change(model):
        head = model.head
        head.source_id.copy_(encoded_ids(["sample 400", *head.sources[1:]]))

    found = audited(*altered(change))
    assert found["source_cosine"].passed is False
    assert found["source_in_training"].value == pytest.approx(1 - 1 / 9)


def test_sources_of_another_class_and_ids_that_do_not_exist_are_found_out():
    fold, _ = fitted()
    labels = fold.dataset.target_values("several")
    stranger = f"sample {np.flatnonzero(labels[:300, 0] == 0)[0]}"

    def wrong_class(model):
        model.head.source_id.copy_(encoded_ids([stranger, *model.head.sources[1:]]))

    def unknown(model):
        model.head.source_id.copy_(encoded_ids(["nobody", *model.head.sources[1:]]))

    assert audited(*altered(wrong_class))["source_of_class"].value == pytest.approx(1 - 1 / 9)
    found = audited(*altered(unknown))
    assert found["source_cosine"].value == 0
    assert found["source_distance"].value == 1
    assert found["source_in_training"].value == pytest.approx(1 - 1 / 9)


def test_prototypes_that_are_all_the_same_window_are_counted_once():
    def change(model):
        head = model.head
        head.source_id.copy_(head.source_id[:1].expand_as(head.source_id))
        head.source_window.fill_(int(head.source_window[0]))

    fold, _ = altered(change)
    found = check_sources(fold.models["prototypes"], fold.dataset, "several", fold.split.train, 0)
    assert found.unique == pytest.approx(1 / 9)


def test_what_is_told_of_sources_is_counted_over_those_that_there_are():
    def change(model):
        model.head.projected[3] = False
        model.train()

    fold, _ = altered(change)
    model, labels = fold.models["prototypes"], fold.dataset.target_values("several")
    first = int(fold.dataset.frame.index.get_loc(model.head.sources[0]))
    # A source may be the first sample of all.
    order = np.array([first, *(at for at in range(480) if at != first)])
    train = np.flatnonzero(np.isin(order, fold.split.train))
    found = check_sources(model, fold.dataset.subset(order), "several", train, 0)
    assert not model.training
    assert found.cosine == pytest.approx(1, abs=1e-5)
    assert found.distance < 1e-4
    # Random windows of so many values are in the mean about as far away as a prototype is long.
    assert 0.1 < found.random_distance < 2
    assert found.random_cosine < 0.99
    assert found.in_training == found.of_class == found.unique == 1
    assert found.projected == pytest.approx(8 / 9)
    assert found.prototypes == 9
    assert found.training_share == pytest.approx(300 / 480)
    assert found.class_share == pytest.approx(labels.mean())


def test_prototypes_of_shuffled_classes_are_not_pure_and_point_nowhere():
    def change(model):
        prototypes = model.head.prototypes[0]
        prototypes.copy_(prototypes[torch.arange(len(prototypes)).roll(3)])

    found = audited(*altered(change))
    assert found["purity"].value < 0.6
    assert found["consistency"].value < 0.2


def test_what_was_planted_elsewhere_is_not_pointed_at():
    fold, context = fitted()
    data = copy.copy(fold.dataset)
    data.place = np.where(data.place >= 0, (data.place + 110) % 216, -1)
    found = audited(dataclasses.replace(fold, dataset=data), context)
    assert found["localisation"].value < 0.4
    assert found["localisation"].passed is False


def test_data_that_do_not_know_what_was_planted_are_audited_without_it():
    fold, context = fitted()
    data = copy.copy(fold.dataset)
    data.planted = lambda output: None
    found = audited(dataclasses.replace(fold, dataset=data), context)
    assert not any(name.startswith(("localisation", "channel", "consistency")) for name in found)
    assert found["source_cosine"].passed


def test_purity_counts_the_samples_most_like_each_prototype():
    fold, _ = fitted()
    model, test = fold.models["prototypes"], fold.test("prototypes")
    measures = PrototypeMeasures(model, test, "several", 4, 0.2, fold.usual.scales, {}, 1, 0)
    likeness = torch.rand(len(test), 9, generator=torch.Generator().manual_seed(0))
    found = measures._purity(likeness)
    labels = test.target_values("several")
    near, right, usual = np.zeros((3, len(test)))
    for prototype in range(9):
        best = np.argsort(-likeness[:, prototype].numpy())[:4]
        near[best] += 1
        right[best] += labels[best, prototype // 3]
        usual[best] += labels[:, prototype // 3].mean()
    assert np.array_equal(found["near"], near)
    assert np.array_equal(found["near_of_class"], right)
    assert np.allclose(found["near_usual"], usual)


def test_consistency_is_the_share_of_prototypes_that_point_at_what_was_planted_in_four_of_five_samples():
    fold, _ = fitted()
    model, test = fold.models["prototypes"], fold.test("prototypes").subset(np.arange(10))
    measures = PrototypeMeasures(model, test, "several", 4, 0.2, fold.usual.scales, {}, 1, 0)
    spans = [TimeSpan(("a",), float(at), float(at + 1)) for at in range(model.head.sets[0].windows)]
    vars(measures)["regions"] = (spans,)
    narrow, wide = (TimeSpan(("a",), 2.0, 3.0),), (TimeSpan(("a",), 0.0, 99.0),)
    best = torch.full((10, 9), 2)
    best[:2, 0] = 0  # 8 of 10 samples
    best[:3, 1] = 0  # 7 of 10
    best[:, 4] = 0
    best[5:, 5] = 0  # right in all five that have it
    planted = {"bump": [narrow] * 10, "dip": [narrow] * 5 + [()] * 5, "wave": None}
    found = measures._consistency(best, planted)
    assert found == {"consistent": pytest.approx(4 / 6), "consistent_chance": 0}
    found = measures._consistency(best, {"bump": [wide] * 10, "dip": [narrow] * 10, "wave": None})
    # Where something is planted everywhere whatever points anywhere is right.
    assert found["consistent_chance"] == 0.5
    assert measures._consistency(best, {"bump": None, "dip": [()] * 10, "wave": None}) == {}


class OneChannel(Encoder):
    """Tokens are the means of one channel over eighths of the time."""

    tags = EncoderTags(accepts=("signal", "trajectory", "vector"))
    config_type = EncoderConfig

    def __init__(self, config, channel):
        super().__init__()
        self.config, self.channel = config, channel

    @property
    def names(self):
        return ("mean",)

    @property
    def token_shapes(self):
        return {"": TokenShape(count=8, width=1)}

    def forward(self, batch):
        known = (batch.inputs["signal"] * batch.masks["signal"])[:, self.channel]
        cells = known.unflatten(1, (8, -1)).mean(2, keepdim=True) + batch.inputs["level"][:, None]
        return Representation(cells.mean(1), self.names, {"": Tokens(cells)})


@pytest.mark.parametrize("channel", range(4))
@pytest.mark.parametrize("kind", ["signal", "trajectory"])
def test_the_channel_that_likeness_rests_on_is_found(channel, kind):
    spec = events(1).spec.inputs["signal"]
    if kind == "trajectory":
        spec = Trajectory(names=spec.channels, length=spec.length, dt_s=0.01, units=("m",) * 4)
    encoder = OneChannel(EncoderConfig(inputs={"signal": spec, "level": Vector(names=("level",))}), channel)
    options = {"addon_width": 0, "similarity": "l2", "per_class": 1}
    head = Prototypes(
        Prototypes.config_type(
            units=("signal:mean",), target=TARGETS["several"], tokens={"signal": encoder.token_shapes[""]}, **options
        )
    )
    with torch.no_grad():
        head.prototypes[0].copy_(torch.tensor([[3.0], [-3.0], [6.0]]))
    x = torch.randn(5, 4, 256, generator=torch.Generator().manual_seed(0))
    x[:, :, 64:96] += 3
    # Whatever else a sample has stays with it.
    batch = Batch({"signal": x, "level": torch.zeros(5, 1)}, {"signal": torch.ones(x.shape, dtype=torch.bool)})
    means = {"signal": torch.zeros(4)}
    span = TimeSpan(spec.channels, 0.64, 0.96) if kind == "signal" else Steps(spec.names, 64, 96)
    for row in range(5):
        found = strongest_channel(Model({"signal": encoder}, head), batch, row, 0, span, "signal", spec, means)
        assert found == "abcd"[channel]


def test_channel_means_leave_masked_values_out():
    data = events(50)
    x = data._inputs["signal"]
    data._masks["signal"] = np.ones_like(x, bool)
    data._masks["signal"][:, 1, :200] = False
    found = channel_means(data)["signal"].numpy()
    expected = x.mean((0, 2))
    expected[1] = x[:, 1, 200:].mean()
    assert np.allclose(found, expected, atol=1e-5)


def test_regions_overlap_where_they_have_a_place_in_common():
    assert overlap(TimeSpan(("a",), 0.0, 1.0), TimeSpan(("b",), 0.9, 2.0))
    assert not overlap(TimeSpan(("a",), 0.0, 1.0), TimeSpan(("a",), 1.0, 2.0))
    assert overlap(Box((0, 0), (2, 2)), Box((1, 1), (3, 3)))
    assert not overlap(Box((0, 0), (2, 2)), Box((1, 2), (3, 3)))
    assert not overlap(Steps(("x",), 0, 3), Steps(("x",), 3, 5))
    assert overlap(Words(0, 3), Words(2, 5))
    assert not overlap(Words(3, 5), Words(0, 3))
    assert overlap(Subgraph((0, 1)), Subgraph((1, 2)))
    assert not overlap(Subgraph((0, 1)), Subgraph((2,)))
    assert not overlap(TimeSpan(("a",), 0.0, 2.0), Box((0, 0), (2, 2)))


def measured(**changes) -> pd.DataFrame:
    """What might have been measured of two folds of twelve subjects with two samples each."""
    nan, fold, every = np.nan, np.repeat([0, 1], 24), np.arange(48)
    once = {
        "prototypes": (8, 12), "cosine": (1, 1 - 5e-6), "random_cosine": (0.2, 0.4), "distance": (5e-5, 1e-5),
        "random_distance": (1.0, 2.0), "in_training": (1, 1), "training_share": (0.5, 0.7), "of_class": (1, 1),
        "class_share": (0.3, 0.5), "projected": (1, 0.75), "unique": (0.9, 0.7), "consistent": (0.5, 0.75),
        "consistent_chance": (0.0, 0.25),
    }  # fmt: skip
    columns = {
        "near": every % 2 * 3.0,
        "near_of_class": every % 2 * (2.0 + (every % 8 == 1)),
        "near_usual": every % 2 * 1.2,
        "used": np.where(every % 3 == 0, nan, 2 + fold),
        "steady": np.where(every % 4 == 0, nan, np.where(every % 8 == 1, 0.5, 1.0)),
        "steady_chance": np.where(every % 4 == 0, nan, 0.25),
        "located:bump": np.where(every < 16, nan, every % 8 != 0),
        "located_chance:bump": np.where(every < 16, nan, 0.25),
        "located:dip": np.where(every < 40, nan, every % 2),
        "located_chance:dip": np.where(every < 40, nan, 0.5),
        "channel:bump": np.where(every < 16, nan, 1.0),
        "channel_chance:bump": np.where(every < 16, nan, 0.25),
        "both:bump": np.where(every < 16, nan, 0.5),
        "both_chance:bump": np.where(every < 16, nan, 0.125),
    } | {name: value for name, value in changes.items() if name not in once}  # fmt: skip
    subjects = [f"s{at // 2}" for at in every]
    rows = pd.DataFrame({"part": "prototypes", "subject": subjects, "fold": fold, **columns})
    every_fold = {name: two for name, two in (once | changes).items() if name in once}
    return pd.concat(
        [
            told_once(some, {name: float(two[at]) for name, two in every_fold.items()})
            for at, some in rows.groupby("fold")
        ]
    )


def test_conclusions_are_those_of_the_measurements():
    _, context = fitted()
    other = measured(cosine=(0, 0)).assign(part="another")
    found = {r.metric: r for r in QUICK.conclude(pd.concat([measured(), other]), context)}
    # Value, what chance and the baseline have, whether it is passed, whether more is better.
    expected = {
        "source_cosine": (1 - 5e-6, 0.3, True, True),
        "source_distance": (5e-5, 1.5, True, False),
        "source_in_training": (1, 0.6, True, True),
        "source_of_class": (1, 0.4, True, True),
        "projected": (0.75, 0, None, True),
        "unique_sources": (0.8, 1 / 10, None, True),
        "purity": (2.25 / 3, 0.4, True, True),
        "prototypes_per_decision": (2.5, 10, None, False),
        "stability": (1 - 0.5 / 6, 0.25, True, True),
        "consistency": (0.625, 0.125, None, True),
        "localisation": ((28 + 4) / 40, (32 * 0.25 + 8 * 0.5) / 40, True, True),
        "localisation:bump": (28 / 32, 0.25, True, True),
        "localisation:dip": (0.5, 0.5, False, True),
        "channel": (1, 0.25, True, True),
        "localisation_and_channel": (0.5, 0.125, False, True),
    }
    assert set(found) == set(expected)
    for metric, (value, chance, passed, higher) in expected.items():
        one = found[metric]
        assert one.value == pytest.approx(value, abs=1e-9), metric
        assert one.chance == one.baseline == pytest.approx(chance), metric
        assert (one.passed, one.higher_is_better) == (passed, higher), metric
        assert one.part == "prototypes"
    surely = ("purity", "prototypes_per_decision", "stability", "localisation")
    assert all(found[metric].low < found[metric].value < found[metric].high for metric in surely)
    assert [(found[f"localisation{of}"].n_samples, found[f"localisation{of}"].n_subjects) for of in ("", ":dip")] == [
        (32, 16), (8, 4)
    ]  # fmt: skip
    assert [metric for metric, one in found.items() if "Windows are so wide" in one.sentence] == ["localisation:dip"]
    assert "Of 100 prototypes, 80 are different" in found["unique_sources"].sentence


@pytest.mark.parametrize(
    ("metric", "changes"),
    [
        ("source_cosine", {"cosine": (1, 1 - 2e-5)}),
        ("source_distance", {"distance": (2e-4, 0)}),
        ("source_in_training", {"in_training": (1, 0.9)}),
        ("source_of_class", {"of_class": (0.9, 1)}),
        ("purity", {"near_usual": np.arange(48) % 2 * 2.4}),
        ("stability", {"steady_chance": np.full(48, 0.95)}),
        ("localisation:bump", {"located:bump": np.where(np.arange(48) < 16, np.nan, np.arange(48) % 4 != 0)}),
        ("localisation:bump", {"located_chance:bump": np.where(np.arange(48) < 16, np.nan, 0.9)}),
    ],
)
def test_one_broken_promise_in_one_fold_is_enough_to_fail(metric, changes):
    _, context = fitted()
    found = {r.metric: r for r in QUICK.conclude(measured(**changes), context)}
    assert found[metric].passed is False


def test_noise_moves_places_and_more_noise_moves_more():
    fold, context = fitted()
    little, much = (
        audited(fold, context, PrototypeAudit(PrototypeAuditConfig(replicates=100, channel_samples=1, noise=noise)))
        for noise in (0.05, 3.0)
    )
    assert little["stability"].value > 0.85
    assert much["stability"].value < 0.6


def test_subjects_learnt_from_are_refused():
    fold, _ = fitted()
    leaky = dataclasses.replace(fold, split=dataclasses.replace(fold.split, test=fold.split.train))
    with pytest.raises(LeakageError):
        QUICK.examine(leaky)


def test_a_study_without_prototypes_is_told_so_before_it_is_fitted():
    _, context = fitted()
    assert QUICK.unfit(context) == ""
    # Neither prototypes that are no training samples nor a memory of something else can be audited.
    for tags in (HeadTags(family="prototype"), HeadTags(family="concept", remembers=True)):
        assert "add prototypes" in QUICK.unfit(Context(context.spec, "several", {"one": tags}, "x", 0))
    both = {"linear": HeadTags(family="function"), "prototypes": context.parts["prototypes"]}
    assert QUICK.unfit(Context(context.spec, "several", both, "x", 0)) == ""
    assert QUICK.needs_training


def test_models_of_other_families_are_passed_over():
    fold, context = fitted()
    model = copy.copy(fold.models["prototypes"])
    other = torch.nn.Identity()
    other.tags = HeadTags(family="function")
    model._modules = {**model._modules, "head": other}
    rows = QUICK.examine(dataclasses.replace(fold, kept=fold.usual, models={"plain": model, **fold.models}))
    assert set(rows["part"]) == {"prototypes"}
    none = QUICK.examine(dataclasses.replace(fold, kept=fold.usual, models={"plain": model}))
    assert len(none) == 0
    assert QUICK.conclude(none, context) == []


@pytest.mark.parametrize(
    ("option", "taken", "refused"),
    [("neighbours", 1, 0), ("noise", 0.01, 0), ("channel_samples", 1, 0), ("replicates", 100, 99)],
)
def test_settings_that_measure_nothing_are_refused(option, taken, refused):
    assert getattr(PrototypeAuditConfig(**{option: taken}), option) == taken
    with pytest.raises(ValidationError):
        PrototypeAuditConfig(**{option: refused})


def test_every_result_stands_beside_chance_and_has_a_sentence(results):
    assert {
        "source_cosine",
        "purity",
        "stability",
        "prototypes_per_decision",
        *(f"localisation:{n}" for n in NAMES),
    } <= set(results)
    for result in results.values():
        assert result.sentence
        assert result.sentence[0].isupper() or result.sentence[0].isdigit()
        assert np.isfinite(result.chance)
    assert results["prototypes_per_decision"].value <= 9
