"""Evidence of prototypes: places, samples and percentiles, and how samples are compared."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from made_prototypes import drawn, prepared
from made_tokens import places, represented

from pellucid.heads.prototypes.bundled import PrototypesGrouped
from pellucid.heads.prototypes.head import Prototypes
from pellucid.heads.prototypes.sets import PrototypeSet
from pellucid.heads.prototypes.similarity import pooled, similarity, windows
from pellucid.regions import Box, TimeSpan, around
from pellucid.representation import TokenShape

# --- evidence ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["max", "mean", "topk"])
@torch.no_grad()
def test_evidence_points_at_the_best_window_whatever_the_pooling(pool):
    one, z, batch = prepared(Prototypes, pool=pool, window=2)
    similarities = one.window_similarities(z, 0)
    for sample, told in enumerate(one.explain(z, "dip").evidence):
        for evidence in told:
            prototype = one.prototype_names.index(evidence.unit)
            best = int(similarities[sample, :, prototype].argmax())
            assert evidence.region == TimeSpan(("x",), float(best), float(best + 2))
            start = float(one.source_window[prototype])
            assert evidence.source_region == TimeSpan(("x",), start, start + 2)
            assert evidence.source == one.sources[prototype]
            assert evidence.source in batch.samples
            assert evidence.input == "signal"


@torch.no_grad()
def test_evidence_is_given_for_the_strongest_contributions_in_order():
    one, z, _ = prepared(Prototypes)
    found = one.explain(z, "wave")
    for sample, told in enumerate(found.evidence):
        sizes = found.contributions[sample].abs()
        assert [one.prototype_names.index(e.unit) for e in told] == sizes.topk(5).indices.tolist()


@torch.no_grad()
def test_the_strongest_prototype_of_a_label_points_at_its_token():
    one, _, _ = prepared(Prototypes)
    cells, labels, where = drawn(seed=2)
    z = represented(cells)
    for label, name in enumerate(one.outputs):
        told = one.explain(z, name).evidence
        own = [
            (next(e.region.start_s for e in told[at] if e.unit.startswith(name)), int(where[at, label]))
            for at in torch.nonzero(labels[:, label])[:, 0].tolist()
            if any(e.unit.startswith(name) for e in told[at])
        ]
        assert len(own) > 10
        assert np.mean([start == place for start, place in own]) > 0.9


@torch.no_grad()
def test_percentiles_are_those_of_the_training_samples():
    one, z, _ = prepared(Prototypes)
    similarities = one.similarities(z)
    rank = one.percentile(similarities)
    for prototype in range(3):
        column = similarities[:, prototype]
        true = torch.tensor([float((column < value).float().mean() * 100) for value in column])
        assert float((rank[:, prototype] - true).abs().max()) <= 1 + 100 / len(column)
    assert float(one.percentile(similarities + 100).min()) == 100
    assert float(one.percentile(similarities - 100).max()) == 0


@torch.no_grad()
def test_evidence_of_a_bundle_is_the_prototype_that_it_rests_on_most():
    one, _, _ = prepared(PrototypesGrouped, window=2)
    z = represented(drawn(seed=1)[0])
    found, similarities, windows_of = one.explain(z, "dip"), one.similarities(z), one.best_windows(z)
    for sample, told in enumerate(found.evidence):
        order = found.contributions[sample].abs().topk(5).indices.tolist()
        assert [evidence.unit for evidence in told] == [found.names[at] for at in order]
        for bundle, evidence in zip(order, told, strict=True):
            shares = one.mix.flatten(0, 1)[bundle]
            prototype = int((shares * similarities[sample]).argmax())
            assert evidence.text.startswith(
                f"rests by {float(shares[prototype]):.0%} on {one.prototype_names[prototype]}:"
            )
            assert evidence.source == one.sources[prototype]
            start = float(windows_of[sample, prototype])
            assert evidence.region == TimeSpan(("x",), start, start + 2)


def test_what_prototypes_say_in_bundles_is_the_slope_of_the_output_by_their_similarities():
    one, _, _ = prepared(PrototypesGrouped)
    z = represented(drawn(seed=1)[0])
    similarities = one.similarities(z).detach().requires_grad_()
    for at, output in enumerate(one.outputs):
        active = one.bundled(similarities)
        (slope,) = torch.autograd.grad(one.outcome(active)[:, at].sum(), similarities)
        # Where a bundle is fully active its slope is nothing, and what it says still has its prototypes.
        below = (active < 1).all(1)
        assert int(below.sum()) > 20
        assert torch.allclose(
            one.prototype_contributions(z, output)[below], (slope * (similarities - one.centre))[below], atol=1e-4
        )
        assert one.prototype_contributions(z, output)[below].abs().max().item() > 0.1


# --- comparing --------------------------------------------------------------------------------------------------------


def a_set(**options):
    facts = {"tokens": "x", "shape": TokenShape(count=4, width=2), "classes": (0,), "per_class": 1, "window": 2}
    return PrototypeSet(**(facts | {"similarity": "arc", "pool": "max", "top": 2, "addon_width": 0} | options))


def test_similarities_are_those_computed_by_hand():
    cells = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [0.0, -1.0]]])
    prototype = torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    patches = windows(cells, 2)
    assert patches.tolist() == [[[1, 0, 0, 1], [0, 1, 2, 2], [2, 2, 0, -1]]]
    cosine = [1 / math.sqrt(6), 5 / math.sqrt(27), 1 / math.sqrt(27)]
    assert similarity(patches, prototype, a_set(similarity="cosine"))[0, :, 0].tolist() == pytest.approx(cosine)
    assert similarity(patches, prototype, a_set())[0, :, 0].tolist() == pytest.approx([2 / 2 * c for c in cosine])
    l2 = [math.log((d + 1) / (d + 1e-4)) for d in (3.0, 2.0, 10.0)]
    assert similarity(patches, prototype, a_set(similarity="l2"))[0, :, 0].tolist() == pytest.approx(l2)


def test_pooling_takes_the_best_the_mean_or_the_mean_of_the_best():
    similarities = torch.tensor([[[1.0], [5.0], [3.0]]])
    assert [float(pooled(similarities, how, 2)) for how in ("max", "mean", "topk")] == [5.0, 3.0, 4.0]


def test_regions_around_some_are_as_wide_as_all_of_them():
    assert around(places(4)[1:3]) == TimeSpan(("x",), 1.0, 3.0)
    assert around([Box((0, 4), (2, 6)), Box((1, 0), (3, 2))]) == Box((0, 0), (3, 6))
