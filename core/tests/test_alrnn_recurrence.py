"""The recurrence as one operation says what it says step by step, and so do its gradients."""

import itertools

import pytest
import torch

from pellucid.encoders.alrnn.recurrence import Forcing, Map, states_over, step_by_step
from pellucid.encoders.free_running import LARGEST

SAMPLES, STEPS, CHANNELS, UNITS, RECTIFIED = 3, 9, 2, 5, 2
WAYS = [
    Forcing(every, replaced, bounded)
    for every, replaced, bounded in itertools.product((1, 3, 50), *[(False, True)] * 2)
]


def drawn(seed=0, scale=0.4, dtype=torch.float64):
    """Data, the first state, and what a map is made of; all of them learnable."""
    torch.manual_seed(seed)
    parts = (
        torch.randn(SAMPLES, STEPS, CHANNELS),
        torch.randn(SAMPLES, UNITS),
        torch.randn(UNITS),
        torch.randn(UNITS, UNITS) * scale,
        torch.randn(UNITS),
    )
    return [one.to(dtype).requires_grad_() for one in parts]


def floor(dtype=torch.float64):
    return torch.where(torch.arange(UNITS) >= UNITS - RECTIFIED, 0.0, -torch.inf).to(dtype)


def gaps():
    """Which values are known: most of them, and of one step of one sample none."""
    known = torch.rand(SAMPLES, STEPS, CHANNELS, generator=torch.Generator().manual_seed(3)) > 0.3
    known[0, 3] = False
    return known


def said(how, parts, known, forcing):
    x, start, diagonal, weight, bias = parts
    return how(x, known, start, Map(diagonal, weight, bias, floor(x.dtype)), forcing)


@pytest.mark.parametrize("forcing", WAYS, ids=str)
@pytest.mark.parametrize("known", [None, gaps()], ids=["whole", "with gaps"])
def test_states_and_gradients_are_those_of_the_steps(forcing, known):
    torch.manual_seed(1)
    weights = torch.randn(SAMPLES, STEPS, UNITS, dtype=torch.float64)
    found = []
    for how in (states_over, step_by_step):
        parts = drawn()
        states = said(how, parts, known, forcing)
        found.append([states.detach(), *torch.autograd.grad((weights * states).sum(), parts, allow_unused=True)])
    for one, other in zip(*found, strict=True):
        other = torch.zeros_like(one) if other is None else other
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)
    # Rectified units are on and off, else this would say nothing of them.
    on = found[0][0][..., -RECTIFIED:] > 0
    assert on.any() and not on.all()  # noqa: PT018


@pytest.mark.parametrize("forcing", WAYS, ids=str)
@pytest.mark.parametrize("known", [None, gaps()], ids=["whole", "with gaps"])
def test_gradients_are_those_of_small_changes(forcing, known):
    assert torch.autograd.gradcheck(lambda *parts: said(states_over, parts, known, forcing), drawn(seed=4))


@pytest.mark.parametrize("replaced", [False, True])
def test_what_is_cut_off_passes_no_gradient(replaced):
    forcing = Forcing(3, replaced, bounded=True)
    found = []
    for how in (states_over, step_by_step):
        parts = drawn(scale=60.0)
        states = said(how, parts, None, forcing)
        assert states.abs().max() == LARGEST
        found.append(torch.autograd.grad(states.sum(), parts, allow_unused=True))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-9)


def test_networks_side_by_side_are_each_their_own():
    forcing, known = Forcing(3, replaced=False, bounded=False), gaps()
    made = [drawn(seed=seed, dtype=torch.float32) for seed in range(4)]
    alone, gradients = [], []
    for parts in made:
        alone.append(said(states_over, parts, known, forcing))
        gradients.append(torch.autograd.grad(alone[-1].square().sum(), parts))
    stacked = [torch.stack([parts[at] for parts in made]).detach().requires_grad_() for at in range(5)]
    together = torch.vmap(lambda *parts: said(states_over, parts, known, forcing))(*stacked)
    assert torch.allclose(together, torch.stack(alone), atol=1e-6)
    for found, *each in zip(torch.autograd.grad(together.square().sum(), stacked), *gradients, strict=True):
        assert torch.allclose(found, torch.stack(each), rtol=1e-4, atol=1e-4)
    # One network, and samples that are mapped over.
    x, *rest = made[0]
    one = torch.vmap(lambda values: said(states_over, [values, *rest], None, forcing))(torch.stack([x, 2 * x]))
    assert torch.allclose(one[1], said(states_over, [2 * x, *rest], None, forcing), atol=1e-6)


def test_half_precision_goes_step_by_step():
    parts = drawn(dtype=torch.bfloat16)
    states = said(states_over, parts, None, Forcing(3, replaced=False, bounded=False))
    assert states.dtype == torch.bfloat16
    assert torch.equal(states, said(step_by_step, parts, None, Forcing(3, replaced=False, bounded=False)))


def test_an_infinite_state_is_no_error_and_shows_in_the_loss(recwarn):
    x, start, diagonal, weight, bias = drawn(dtype=torch.float32)
    parts = [x, start, diagonal + 1e38, weight, bias]
    assert not torch.isfinite(said(states_over, parts, None, Forcing(50, replaced=False, bounded=False))).all()
    assert not recwarn.list
