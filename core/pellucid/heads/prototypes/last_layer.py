"""The last layer, learnt alone: a sparse regression from similarities to outputs, to the end and with no chance in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

STEPS = 1000
"""At most so many steps; most fits end sooner."""

STILL = 1e-5
"""Largest change of a standardised weight in a step at which a fit has ended."""


@dataclass(frozen=True)
class Penalties:
    """What keeps weights small.

    Parameters
    ----------
    l1 : float
        Times the sizes of the weights of other classes' prototypes.
    pull : float
        Times half the squared distance of the weights from where they began.
    """

    l1: float
    pull: float


def came_from(samples: Sequence[str], sources: Sequence[str]) -> Tensor:
    """Which of some samples each prototype is a window of, bool, shape (sample, prototype).

    Parameters
    ----------
    samples, sources : sequence of str
        Ids of the samples, and of the prototypes' samples; an empty source is no sample.

    Examples
    --------
    >>> came_from(["a", "b"], ["b", ""]).tolist()
    [[False, False], [True, False]]
    """
    row = {name: at for at, name in enumerate(samples)}
    came = torch.zeros(len(samples), len(sources), dtype=torch.bool)
    for prototype, name in enumerate(sources):
        if name and name in row:
            came[row[name], prototype] = True
    return came


def without_itself(x: Tensor, own: Tensor, itself: Tensor) -> Tensor:
    """Similarities from which a last layer may learn, shape (sample, prototype).

    A prototype and the sample that it is a window of are a perfect match, as no new sample is; the mean over the other
    samples of its class stands for it, so that nothing is learnt from a sample's likeness to itself. A class of one sample
    has no other, and keeps it.

    Parameters
    ----------
    x : Tensor, shape (sample, prototype)
    own, itself : Tensor of bool, of the same shape
        Whether a sample is of the prototype's class; whether the prototype is a window of it.

    Examples
    --------
    >>> x, itself = torch.tensor([[9.0], [1.0], [3.0]]), torch.tensor([[True], [False], [False]])
    >>> without_itself(x, torch.ones(3, 1, dtype=torch.bool), itself)[:, 0].tolist()
    [2.0, 1.0, 3.0]
    """
    others = own & ~itself
    usual = (x * others).sum(0) / others.sum(0).clamp(min=1)
    return torch.where(itself & others.any(0), usual, x)


@torch.no_grad()
def fit_last_layer(
    x: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, direction: Tensor, usable: Tensor, penalties: Penalties,
    *, one_class: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Weights and biases that make the labels likely, by proximal gradient steps with momentum.

    A prototype never speaks against its own class: the weights of own prototypes keep their sign.

    Parameters
    ----------
    x : Tensor, shape (sample, prototype)
        Similarities, centred.
    labels : Tensor, shape (sample, output)
        0 and 1.
    weight, bias : Tensor, shapes (output, prototype), (output,)
        Where they begin.
    direction : Tensor, shape (output, prototype)
        1 where a prototype is of the output's class, -1 where of the class against it, 0 of another one.
    usable : Tensor of bool, shape (prototype,)
        The others get the weight 0.
    penalties : Penalties
        Of weights per standard deviation of a similarity.
    one_class : bool
        Whether each sample is of one class (softmax) or outputs are independent (sigmoid).
    """
    x = x.double()
    scale = x.square().mean(0).sqrt()
    scale = torch.where((scale > 1e-9) & usable, scale, torch.inf)
    z = torch.cat([x / scale, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    begin = torch.cat([torch.where(scale.isinf(), 0.0, weight.double() * scale), bias.double()[:, None]], dim=1)
    wide = torch.cat([direction.double(), torch.ones(len(direction), 1, dtype=x.dtype)], dim=1)
    penalised = torch.cat([torch.ones_like(direction), torch.zeros(len(direction), 1)], dim=1).double()
    y = labels.double()
    # The second derivative of the likelihood is at most this times the largest eigenvalue of the second moments.
    bend = 0.5 if one_class else 0.25
    step = 1 / (bend * float(torch.linalg.eigvalsh(z.t() @ z / len(z))[-1]) + penalties.pull)
    now, ahead, momentum = begin, begin, 1.0
    for _ in range(STEPS):
        outputs = z @ ahead.t()
        chance = outputs.softmax(1) if one_class else outputs.sigmoid()
        gradient = (chance - y).t() @ z / len(z) + penalties.pull * penalised * (ahead - begin)
        new = _near(ahead - step * gradient, wide, penalised, step * penalties.l1)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        if float(((ahead - new) * (new - now)).sum()) > 0:
            following, momentum = 1.0, 1.0  # momentum points uphill: begin it anew
        ahead = new + (momentum - 1) / following * (new - now)
        moved = float((new - now).abs().max())
        now, momentum = new, following
        if moved < STILL:
            break
    return (now[:, :-1] / scale).to(weight), now[:, -1].to(bias)


def _near(weight: Tensor, direction: Tensor, penalised: Tensor, shrink: float) -> Tensor:
    own = torch.where(weight * direction > 0, weight, 0.0)
    other = weight.sign() * (weight.abs() - shrink).relu()
    return torch.where(penalised == 0, weight, torch.where(direction != 0, own, other))
