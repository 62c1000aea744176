"""Projection of prototypes: they become windows of training samples of their class."""

from __future__ import annotations

import pytest
import torch
from made_prototypes import HEADS, drawn, prepared

from pellucid.errors import ContractError
from pellucid.heads.prototypes.head import Prototypes
from pellucid.heads.prototypes.sets import is_of_class
from pellucid.heads.prototypes.similarity import windows
from pellucid.representation import Representation
from pellucid.sample_ids import decoded_ids, encoded_ids


@pytest.mark.parametrize("similarity", ["arc", "cosine", "l2"])
@pytest.mark.parametrize("window", [1, 3, 0])
@torch.no_grad()
def test_every_prototype_is_a_window_of_a_sample_of_its_class(similarity, window):
    one, z, batch = prepared(Prototypes, similarity=similarity, window=window)
    every = windows(z.tokens["x"].values, one.sets[0].window)
    present = is_of_class(one.config.target, batch.targets)
    for prototype, name in enumerate(one.sources):
        sample = batch.samples.index(name)
        assert torch.equal(one.prototypes[0][prototype], every[sample, one.source_window[prototype]])
        assert present[sample, one.class_of[prototype]]


@torch.no_grad()
def test_a_prototype_becomes_the_window_that_is_most_like_it():
    one, z, batch = prepared(Prototypes, projected=False, unique=False)
    before, every = one.prototypes[0].clone(), z.tokens["x"].values
    one.project([(z, batch)])
    present = is_of_class(one.config.target, batch.targets)
    for prototype in range(len(before)):
        own = torch.nonzero(present[:, one.class_of[prototype]])[:, 0]
        cosine = torch.cosine_similarity(every[own].double(), before[prototype].double(), dim=2)
        best = int(cosine.flatten().argmax())
        assert one.sources[prototype] == batch.samples[int(own[best // 7])]
        assert int(one.source_window[prototype]) == best % 7


@torch.no_grad()
def test_prototypes_of_a_class_become_different_windows_unless_told_otherwise():
    for told, different in (({}, 15), ({"unique": False}, 3)):
        one, z, batch = prepared(Prototypes, projected=False, **told)
        one.prototypes[0].copy_(one.prototypes[0][:1].expand_as(one.prototypes[0]))
        one.project([(z, batch)])
        places = set(zip(one.class_of.tolist(), one.sources, one.source_window.tolist(), strict=True))
        assert len(places) == different


@torch.no_grad()
def test_the_surest_prototype_has_the_first_choice_and_the_first_window_of_all_can_be_chosen():
    cells, labels, _ = drawn()
    labels[:, 0] = 1  # so that the first sample is of the first class
    one, z, batch = prepared(Prototypes, projected=False, cells=cells, labels=labels, per_class=2, similarity="l2")
    aim = cells[0, 0]
    for nearest in (0, 1):
        one.prototypes[0][nearest], one.prototypes[0][1 - nearest] = aim + 0.01, aim + 0.1
        one.project([(z, batch)])
        assert bool(one.projected.all())
        assert (one.sources[nearest], int(one.source_window[nearest])) == ("sample 0", 0)
        assert (one.sources[1 - nearest], int(one.source_window[1 - nearest])) != ("sample 0", 0)


@torch.no_grad()
def test_a_class_that_no_sample_has_weighs_nothing_and_has_no_source():
    cells, labels, _ = drawn()
    labels[:, 2] = 0
    for head in HEADS:
        one, z, _ = prepared(head, cells=cells, labels=labels)
        absent = one.class_of == 2
        assert one.projected.tolist() == (~absent).tolist()
        assert one.source_window[absent].tolist() == [0] * 5
        assert all((name == "") == bool(gone) for name, gone in zip(one.sources, absent, strict=True))
        assert float(one.prototype_contributions(z, "bump")[:, absent].abs().max()) == 0
        assert all(e.source for told in one.explain(z, "bump").evidence for e in told if e.unit.startswith("bump"))
        assert bool(torch.isfinite(one(z)).all())


def test_ids_survive_as_bytes_and_too_long_ones_are_refused():
    assert decoded_ids(encoded_ids(["ä/7", "", "x" * 128])) == ("ä/7", "", "x" * 128)
    with pytest.raises(ContractError, match="longer than the 128 bytes"):
        encoded_ids(["x" * 129])


def test_batches_without_ids_are_refused():
    one, z, batch = prepared(Prototypes, projected=False)
    with pytest.raises(ContractError, match="samples that have ids"):
        one.project([(z, type(batch)(batch.inputs, {}, batch.targets))])
    with pytest.raises(ContractError, match="carries no labels"):
        one.project([(z, type(batch)(batch.inputs, {}, samples=batch.samples))])
    with pytest.raises(ContractError, match="tokens 'x', which this representation does not have"):
        one(Representation(z.values, z.names))
