"""Copies that mean the same: images and volumes mirrored or turned, signals as if recorded again."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import Tensor

from pellucid.data.spec import InputSpec
from pellucid.errors import StudyError

Augment = Literal["none", "flips", "turns", "signals"]
"""``"flips"``: each sample is mirrored along each axis or not. ``"turns"``: axes of one length change places too, so that
an image may lie in any of 8 ways, and a cube in any of 48. ``"signals"``: each sample is moved in time, made louder or
softer (as a whole, and each channel by itself), given some noise, and now and then a channel falls silent."""

KINDS: dict[Augment, tuple[str, ...]] = {
    "flips": ("image", "volume"),
    "turns": ("image", "volume"),
    "signals": ("signal",),
}
"""Kinds of input that keep their meaning."""

SHIFT = 0.1
"""Share of a signal's length by which it is moved at most, to either side."""

LOUDER, CHANNEL_LOUDER = 1.3, 1.15
"""Factors by which a sample, and each of its channels beside, is louder or softer at most."""

NOISE = 0.05
"""Size of the noise, in standard deviations of the sample."""

SILENT = 0.1
"""Share of channels that fall silent."""


def refuse_unfit(augment: Augment, spec: InputSpec) -> None:
    """Refuse to mirror time, or to shift a picture.

    Raises
    ------
    StudyError
        If the input is of another kind than this changes.
    """
    if augment == "none" or spec.kind in KINDS[augment]:
        return
    if augment == "signals":
        raise StudyError(f"augment = 'signals' changes signals; this input is of kind {spec.kind!r}")
    raise StudyError(
        f"augment = {augment!r} turns images and volumes; an input of kind {spec.kind!r} has one way to lie"
    )


def moved(x: Tensor, augment: Augment) -> Tensor:
    """Each sample in a way drawn at random, all ways alike.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, *size)
    augment : {"none", "flips", "turns", "signals"}

    Returns
    -------
    Tensor
        Of the same shape. Images and volumes hold the same values in other places; what of a signal moves in from
        outside its time is 0.
    """
    if augment == "none":
        return x
    if augment == "signals":
        return _as_recorded_again(x)
    for axis in range(2, x.ndim):
        chosen = torch.rand(len(x), device=x.device) < 0.5
        x = torch.where(chosen.reshape(-1, *[1] * (x.ndim - 1)), x.flip(axis), x)
    return _turned(x) if augment == "turns" else x


def mirrored(x: Tensor) -> Tensor:
    """All mirror images, shape (sample, channel, *size) to (2^axes, sample, channel, *size), itself first."""
    axes = range(2, x.ndim)
    ways = itertools.chain.from_iterable(itertools.combinations(axes, n) for n in range(x.ndim - 1))
    return torch.stack([x.flip(way) if way else x for way in ways])


def shifted(x: Tensor, steps: Tensor) -> Tensor:
    """Signals moved in time, zeros coming in.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, time)
    steps : Tensor of int64, shape (sample,)
        How far each sample goes to the right.

    Examples
    --------
    >>> shifted(torch.tensor([[[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]]]), torch.tensor([1, -1])).tolist()
    [[[0.0, 1.0, 2.0]], [[2.0, 3.0, 0.0]]]
    """
    length = x.shape[-1]
    came_from = torch.arange(length, device=x.device) - steps[:, None]
    inside = (came_from >= 0) & (came_from < length)
    at = came_from.clamp(0, length - 1)[:, None].expand_as(x)
    return x.gather(-1, at) * inside[:, None]


def _as_recorded_again(x: Tensor) -> Tensor:
    samples, channels, length = x.shape
    size = x.flatten(1).std(1)[:, None, None]
    farthest = int(SHIFT * length)
    x = shifted(x, torch.randint(-farthest, farthest + 1, (samples,), device=x.device))
    louder = LOUDER ** _between(x, samples, 1) * CHANNEL_LOUDER ** _between(x, samples, channels)
    heard = torch.rand(samples, channels, 1, device=x.device) >= SILENT
    # Noise comes last: a silent channel is not perfectly flat either.
    return x * louder * heard + NOISE * size * torch.randn_like(x)


def _between(like: Tensor, samples: int, channels: int) -> Tensor:
    """Numbers between -1 and 1, shape (sample, channel, 1)."""
    return 2 * torch.rand(samples, channels, 1, device=like.device, dtype=like.dtype) - 1


def _turned(x: Tensor) -> Tensor:
    every = itertools.permutations(range(2, x.ndim))
    ways = [way for way in every if all(x.shape[a] == x.shape[b] for a, b in enumerate(way, start=2))]
    drawn = torch.randint(len(ways), (len(x),), device=x.device)
    out = x.clone()
    for number, way in enumerate(ways):
        chosen = drawn == number
        out[chosen] = x[chosen].permute(0, 1, *way)
    return out
