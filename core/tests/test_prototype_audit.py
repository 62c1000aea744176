"""The audit of prototypes: it passes what is as it is shown, and finds out what is not."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from made_tokens import NAMES, TARGETS, events, fitted

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import LeakageError
from pellucid.heads.base import HeadTags
from pellucid.heads.prototypes.head import Prototypes
from pellucid.heads.prototypes.projection import encoded_ids
from pellucid.model import Model
from pellucid.protocols.base import Context
from pellucid.protocols.prototypes.audit import PrototypeAudit, PrototypeAuditConfig
from pellucid.protocols.prototypes.places import channel_means, overlap, strongest_channel
from pellucid.protocols.prototypes.rows import PrototypeMeasures
from pellucid.protocols.prototypes.sources import sources
from pellucid.regions import Box, Steps, TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape

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
    assert found["source_in_training"].value == pytest.approx(1 - 1 / 9)


def test_prototypes_that_are_all_the_same_window_are_counted_once():
    def change(model):
        head = model.head
        head.source_id.copy_(head.source_id[:1].expand_as(head.source_id))
        head.source_window.fill_(int(head.source_window[0]))

    fold, _ = altered(change)
    found = sources(fold.models["prototypes"], fold.dataset, "several", fold.split.train, 0)
    assert found["unique"] == pytest.approx(1 / 9)


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
    near = right = 0
    for prototype in range(9):
        best = np.argsort(-likeness[:, prototype].numpy())[:4]
        near, right = near + 4, right + labels[best, prototype // 3].sum()
    assert found["near"].sum() == near
    assert found["near_of_class"].sum() == right


class OneChannel(Encoder):
    """Tokens are the means of one channel over eighths of the time."""

    tags = EncoderTags(accepts=("signal",))
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
        cells = batch.inputs["signal"][:, self.channel].unflatten(1, (8, -1)).mean(2, keepdim=True)
        return Representation(cells.mean(1), self.names, {"": Tokens(cells)})


@pytest.mark.parametrize("channel", range(4))
def test_the_channel_that_likeness_rests_on_is_found(channel):
    spec = events(1).spec.inputs["signal"]
    encoder = OneChannel(EncoderConfig(inputs={"signal": spec}), channel)
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
    batch = Batch({"signal": x})
    means = {"signal": torch.zeros(4)}
    span = TimeSpan(spec.channels, 0.64, 0.96)
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
    plain = Context(context.spec, "several", {"linear": HeadTags(family="function")}, "x", 0)
    assert "add prototypes" in QUICK.unfit(plain)


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
