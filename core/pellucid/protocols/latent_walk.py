"""Walks through a latent, decoded and measured: along the way in which an output rises, and along others to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.encoders.base import Encoder
from pellucid.heads.traversal import rising, traverse
from pellucid.model import Model
from pellucid.representation import Representation

Measure = Callable[[np.ndarray, Any], np.ndarray]
"""Values, shape (sample, *input shape), and the input's spec to one number a sample, shape (sample,)."""

AT_ONCE = 512
"""Points decoded at once; bounds memory, not results."""


@dataclass(frozen=True)
class Walked:
    """One measure along the directions of a walk.

    Parameters
    ----------
    paths : ndarray, shape (direction, sample, step)
        Of the direction in which the output rises, of the widest direction, and of the random ones.
    still : ndarray of bool, shape (sample,)
        Where the output does not depend on the latent, so that there is no way to walk.
    """

    paths: np.ndarray
    still: np.ndarray

    @property
    def rising(self) -> np.ndarray:
        """Rank correlation of step and measure where the output rises, shape (sample,); NaN where there is no way."""
        return np.where(self.still, np.nan, rank_correlation(self.paths[0]))

    @property
    def widest(self) -> np.ndarray:
        """Rank correlation along the direction of largest variance, shape (sample,)."""
        return rank_correlation(self.paths[1])

    @property
    def random(self) -> np.ndarray:
        """Mean rank correlation without sign along random directions, shape (sample,)."""
        return np.abs(rank_correlation(self.paths[2:])).mean(0)


def walk(
    model: Model,
    prefix: str,
    learnt: Tensor,
    z: Representation,
    measures: Mapping[str, Measure],
    *,
    steps_sd: tuple[float, ...],
    random_directions: int,
    seed: int,
) -> dict[str, Walked]:
    """Move the latent of one encoder from each sample, decode every point, and measure it.

    Parameters
    ----------
    model : Model
        In evaluation mode.
    prefix : str
        Of an encoder that decodes; the units of others stay.
    learnt : Tensor, shape (training sample, unit)
        Says how wide the latent is: that must not depend on whom is judged.
    z : Representation
        Of the samples to start from.
    measures : mapping of str to Measure
    steps_sd : tuple of float
        In standard deviations of ``learnt``.
    random_directions, seed : int
    """
    encoder, columns = {name: (encoder, at) for name, encoder, at in decoders(model)}[prefix]
    scale = torch.zeros(learnt.shape[1])
    scale[columns] = learnt[:, columns].std(0)
    directions = [rising(model.head, z, _followed(model, z), scale), _widest(learnt, scale).expand_as(z.values)]
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(z.values.shape, generator=generator) for _ in range(random_directions)]
    directions += [_unit(one * (scale > 0)) for one in drawn]
    spec = encoder.config.inputs[encoder.input_name]
    paths: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for direction in directions:
        points = traverse(z.values, direction, scale, steps_sd)[:, :, columns].flatten(0, 1)
        with torch.no_grad():
            decoded = torch.cat([encoder.decode(some) for some in points.split(AT_ONCE)]).numpy()
        for name, measure in measures.items():
            paths[name].append(np.asarray(measure(decoded, spec), np.float64).reshape(-1, len(steps_sd)))
    still = (directions[0] == 0).all(1).numpy()
    return {name: Walked(np.stack(some), still) for name, some in paths.items()}


def decoders(model: Model) -> Iterator[tuple[str, Encoder, slice]]:
    """Prefix of each encoder that decodes, the encoder, and where its units stand among all."""
    start = 0
    for prefix, encoder in model.named_encoders():
        columns = slice(start, start + len(encoder.names))
        start = columns.stop
        if encoder.tags.decodes:
            yield prefix, encoder, columns


def rank_correlation(paths: np.ndarray) -> np.ndarray:
    """Spearman's correlation of step and measure along the last axis.

    It is 0 where the measure does not change and NaN where it is not defined at some step.

    Examples
    --------
    >>> rank_correlation(np.array([[1.0, 5.0, 9.0], [2.0, 1.0, 0.0], [4.0, 4.0, 4.0]])).tolist()
    [1.0, -1.0, 0.0]
    """
    from scipy.stats import rankdata

    ranks = rankdata(paths, axis=-1)
    ranks = ranks - ranks.mean(-1, keepdims=True)
    steps = np.arange(paths.shape[-1]) - (paths.shape[-1] - 1) / 2
    length = np.sqrt((ranks**2).sum(-1) * (steps**2).sum())
    found = np.divide((ranks * steps).sum(-1), length, out=np.zeros_like(length), where=length > 0)
    return np.where(np.isnan(paths).any(-1), np.nan, found)


def _followed(model: Model, z: Representation) -> Tensor:
    """Which output to follow from each sample."""
    kind = model.head.config.target.kind
    with torch.no_grad():
        logits = model.head(z)
    if kind in ("multiclass", "multilabel"):
        return logits.argmax(1)
    return torch.full((len(logits),), (logits.shape[1] - 1) // 2 if kind == "ordinal" else 0)


def _widest(learnt: Tensor, scale: Tensor) -> Tensor:
    """Direction of largest variance, in standard deviations of the units that move, shape (unit,)."""
    moving = scale > 0
    latent = learnt[:, moving]
    # Of the latent as it is: standardised, a unit that says nothing would count as much as any.
    _, _, axes = torch.linalg.svd(latent - latent.mean(0), full_matrices=False)
    direction = torch.zeros_like(scale)
    direction[moving] = axes[0] / scale[moving]
    return _unit(direction)


def _unit(direction: Tensor) -> Tensor:
    return direction / direction.norm(dim=-1, keepdim=True).clamp(min=1e-12)
