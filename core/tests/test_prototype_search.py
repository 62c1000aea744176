"""Search for nearest patches: the same ids whatever the precision, however near a tie, in whatever chunks."""

from __future__ import annotations

import pytest
import torch

from pellucid.errors import ContractError
from pellucid.heads.prototypes import search as module
from pellucid.heads.prototypes.search import Search, nearest


def drawn(patches=3000, prototypes=40, width=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(patches, width, generator=generator)
    return torch.randn(prototypes, width, generator=generator), x


def by_hand(prototypes, patches, keep=1):
    """Ids in float64, the lowest first where distances are equal."""
    apart = (prototypes.double()[:, None] - patches.double()).square().sum(2)
    return apart.sort(dim=1, stable=True).indices[:, :keep], apart.sort(dim=1, stable=True).values[:, :keep]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("keep", [1, 5])
def test_nearest_are_those_of_a_plain_loop_in_float64(precision, keep):
    prototypes, patches = drawn()
    ids, distances = by_hand(prototypes, patches, keep)
    found = nearest(prototypes, patches, keep=keep, precision=precision)
    assert torch.equal(found.ids, ids)
    assert torch.allclose(found.distances, distances, rtol=1e-12)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("spread", [1e-2, 1e-4, 1e-6])
def test_ties_within_rounding_are_told_apart(precision, spread):
    # All patches lie on a sphere around the prototype but for less than either precision can see.
    generator = torch.Generator().manual_seed(1)
    direction = torch.nn.functional.normalize(torch.randn(2000, 32, generator=generator), dim=1)
    prototypes = 3 + torch.randn(6, 32, generator=generator)
    radius = 1 + spread * torch.rand(2000, 1, generator=generator)
    patches = prototypes[0] + radius * direction
    ids, _ = by_hand(prototypes, patches)
    assert torch.equal(nearest(prototypes, patches, precision=precision).ids, ids)


def test_bf16_alone_would_be_wrong_on_these_ties():
    generator = torch.Generator().manual_seed(1)
    direction = torch.nn.functional.normalize(torch.randn(2000, 32, generator=generator), dim=1)
    prototypes = 3 + torch.randn(6, 32, generator=generator)
    patches = prototypes[0] + (1 + 1e-4 * torch.rand(2000, 1, generator=generator)) * direction
    rounded, _ = by_hand(prototypes.bfloat16().float()[:1], patches.bfloat16().float())
    assert int(rounded) != int(by_hand(prototypes[:1], patches)[0])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_far_from_the_origin_nothing_is_lost(precision):
    prototypes, patches = drawn(seed=2)
    prototypes, patches = prototypes * 1e-2 + 50, patches * 1e-2 + 50
    assert torch.equal(nearest(prototypes, patches, precision=precision).ids, by_hand(prototypes, patches)[0])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_scales_that_differ_by_many_orders_are_no_trouble(precision):
    prototypes, patches = drawn(seed=3)
    patches = patches * torch.logspace(-6, 6, len(patches))[:, None]
    assert torch.equal(nearest(prototypes, patches, precision=precision).ids, by_hand(prototypes, patches)[0])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_of_equal_patches_the_first_is_named(precision):
    prototypes, patches = drawn(500)
    again = torch.cat([patches, patches, patches])
    assert int(nearest(prototypes, again, precision=precision).ids.max()) < len(patches)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_chunks_of_any_length_give_what_one_tensor_gives(precision, monkeypatch):
    prototypes, patches = drawn()
    whole = nearest(prototypes, patches, keep=3, precision=precision)
    monkeypatch.setattr(module, "CHUNK", 64)
    parts = (part for part in patches.split([1, 2, 0, 997, 63, 1937]))
    found = nearest(prototypes, parts, keep=3, precision=precision)
    assert torch.equal(found.ids, whole.ids)
    assert torch.equal(found.distances, whole.distances)


def test_many_open_pairs_are_settled_in_float32_and_stay_exact(monkeypatch):
    generator = torch.Generator().manual_seed(4)
    direction = torch.nn.functional.normalize(torch.randn(1000, 16, generator=generator), dim=1)
    prototypes = torch.randn(2, 16, generator=generator)
    patches = prototypes[0] + (1 + 1e-4 * torch.rand(1000, 1, generator=generator)) * direction
    looked = []
    before = module._Look.at
    monkeypatch.setattr(module._Look, "at", lambda self, x, p: looked.append(p) or before(self, x, p))
    ids = nearest(prototypes, patches, precision="bf16").ids
    assert looked == ["bf16", "float32"]
    assert torch.equal(ids, by_hand(prototypes, patches)[0])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_no_pair_is_farther_off_than_its_bound(precision):
    prototypes, patches = drawn(seed=5)
    patches = patches * torch.logspace(-2, 2, len(patches))[:, None]
    look = module._Look(prototypes, patches[:100].mean(0))
    seen = look.at(patches, precision)
    true = (prototypes.double()[:, None] - patches.double()).square().sum(2) - look.squares[:, None]
    unit = module.U16 if precision == "bf16" else module.U32
    room = seen.error[:, None] + unit * (true.abs() + seen.error[:, None])
    assert bool(((seen.apart.double() - true).abs() <= room).all())


def test_where_every_rounding_goes_the_same_way_the_bound_is_reached_and_holds():
    # All numbers lie just below the middle of two that bfloat16 has, so that both factors lose as much as they can.
    signs = torch.randint(0, 2, (50, 64), generator=torch.Generator().manual_seed(6)) * 2.0 - 1
    patches = signs * (1 + 0.999 * module.U16)
    look = module._Look(patches[:5], torch.zeros(64))
    seen = look.at(patches, "bf16")
    true = (patches[:5].double()[:, None] - patches.double()).square().sum(2) - look.squares[:, None]
    off = (seen.apart.double() - true).abs().diagonal()
    assert bool((off <= seen.error + module.U16 * true.diagonal().abs()).all())
    assert bool((off > 0.7 * seen.error).all())


def test_a_search_in_float32_looks_once(monkeypatch):
    looked = []
    before = module._Look.at
    monkeypatch.setattr(module._Look, "at", lambda self, x, p: looked.append(p) or before(self, x, p))
    nearest(torch.zeros(2, 3), torch.ones(100, 3))
    assert looked == ["float32"]


def test_fewer_patches_than_asked_for_leave_gaps_that_are_marked():
    found = nearest(torch.zeros(2, 3), torch.ones(1, 3), keep=2)
    assert found.ids.tolist() == [[0, -1], [0, -1]]
    assert found.distances[0].tolist() == [3.0, float("inf")]


def test_what_belongs_to_a_patch_stays_with_it():
    prototypes, patches = drawn(400)
    search = Search(prototypes, keep=3, hold=2)
    beside = torch.stack([torch.arange(400.0), -torch.arange(400.0)], dim=1)
    for part, own in zip(patches.split(90), beside.split(90), strict=True):
        search.add(part, own)
    assert torch.equal(search.held[:, :, 0].long(), search.ids)
    assert torch.equal(search.held[:, :, 1].long(), -search.ids)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(bad):
    patches = torch.zeros(5, 3)
    patches[2, 1] = bad
    with pytest.raises(ContractError, match="NaN or infinite"):
        nearest(torch.zeros(1, 3), patches)


def test_patches_of_another_width_are_refused():
    with pytest.raises(ContractError, match="prototypes of 3 numbers"):
        nearest(torch.zeros(1, 3), torch.zeros(5, 4))
