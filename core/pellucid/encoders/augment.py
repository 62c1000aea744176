"""Mirrored and turned copies: for inputs whose meaning does not depend on which way they lie."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import Tensor

from pellucid.data.spec import InputSpec
from pellucid.errors import StudyError

Augment = Literal["none", "flips", "turns"]
"""``"flips"``: each sample is mirrored along each axis or not. ``"turns"``: axes of one length change places too, so that
an image may lie in any of 8 ways, and a cube in any of 48."""


def refuse_unfit(augment: Augment, spec: InputSpec) -> None:
    """Refuse to mirror time.

    Raises
    ------
    StudyError
        If the input is no image and no volume.
    """
    if augment != "none" and spec.kind not in ("image", "volume"):
        raise StudyError(
            f"augment = {augment!r} turns images and volumes; an input of kind {spec.kind!r} has one way to lie"
        )


def moved(x: Tensor, augment: Augment) -> Tensor:
    """Each sample in a way drawn at random, all ways alike.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, *size)
    augment : {"none", "flips", "turns"}

    Returns
    -------
    Tensor
        Of the same shape, with the same values in other places.
    """
    if augment == "none":
        return x
    for axis in range(2, x.ndim):
        chosen = torch.rand(len(x), device=x.device) < 0.5
        x = torch.where(chosen.reshape(-1, *[1] * (x.ndim - 1)), x.flip(axis), x)
    return _turned(x) if augment == "turns" else x


def mirrored(x: Tensor) -> Tensor:
    """All mirror images, shape (sample, channel, *size) to (2^axes, sample, channel, *size), itself first."""
    axes = range(2, x.ndim)
    ways = itertools.chain.from_iterable(itertools.combinations(axes, n) for n in range(x.ndim - 1))
    return torch.stack([x.flip(way) if way else x for way in ways])


def _turned(x: Tensor) -> Tensor:
    every = itertools.permutations(range(2, x.ndim))
    ways = [way for way in every if all(x.shape[a] == x.shape[b] for a, b in enumerate(way, start=2))]
    drawn = torch.randint(len(ways), (len(x),), device=x.device)
    out = x.clone()
    for number, way in enumerate(ways):
        chosen = drawn == number
        out[chosen] = x[chosen].permute(0, 1, *way)
    return out
