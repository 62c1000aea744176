"""Walks through a latent, decoded and measured: along the way in which an output rises, and along others to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.encoders.base import Encoder
from pellucid.heads.traversal import mean_rising, traverse
from pellucid.model import Model
from pellucid.representation import Representation
from pellucid.statistics.ranking import rank_correlation

Measure = Callable[[np.ndarray, Any], np.ndarray]
"""Values, shape (sample, *input shape), and the input's spec to one number a sample, shape (sample,)."""

AT_ONCE = 512
"""Points decoded at once; bounds memory, not results."""


@dataclass(frozen=True)
class Walked:
    """One measure along the directions of a walk, each in the sense in which the output rises on average.

    Parameters
    ----------
    paths : ndarray, shape (direction, sample, step)
        Of the direction in which the output rises fastest, of the widest direction, and of the random ones; NaN where
        the measure is not defined.
    still : bool
        Whether the output does not depend on the latent, so that there is no way to walk.
    """

    paths: np.ndarray
    still: bool

    @property
    def rising(self) -> np.ndarray:
        """Rank correlation of step and measure where the output rises, shape (sample,); NaN where there is no way."""
        return order_of_steps(self.paths[0]) + (np.nan if self.still else 0.0)

    @property
    def widest(self) -> np.ndarray:
        """Rank correlation along the direction of largest variance, shape (sample,)."""
        return order_of_steps(self.paths[1])

    @property
    def random(self) -> np.ndarray:
        """Rank correlation along random directions, shape (direction, sample)."""
        return order_of_steps(self.paths[2:])


def walk(
    model: Model,
    prefix: str,
    learnt: Representation,
    z: Representation,
    measures: Mapping[str, Measure],
    *,
    steps_sd: tuple[float, ...],
    random_directions: int,
    seed: int,
) -> dict[tuple[str, str], Walked]:
    """Move the latent of one encoder from each sample, decode every point, and measure it.

    All samples walk in the same directions, so that a mean over them says whether a direction means the same for all.
    An axis has two ends and a random direction may as well be drawn the other way round, so each is walked in the sense
    in which the output rises on average: else their means over folds would cancel.

    Parameters
    ----------
    model : Model
        In evaluation mode.
    prefix : str
        Of an encoder that decodes; the units of others stay.
    learnt : Representation
        Of training samples: how wide the latent is and where an output rises must not depend on whom is judged.
    z : Representation
        Of the samples to start from.
    measures : mapping of str to Measure
    steps_sd : tuple of float
        In standard deviations of ``learnt``; the same both ways.
    random_directions, seed : int

    Returns
    -------
    dict
        By output (see :func:`followed`) and measure.
    """
    encoder, columns = {name: (encoder, at) for name, encoder, at in decoders(model)}[prefix]
    scale = torch.zeros(learnt.values.shape[1])
    scale[columns] = learnt.values[:, columns].std(0)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(random_directions, len(scale), generator=generator) * (scale > 0)
    others = torch.cat([_widest(learnt.values, scale)[None], _unit(drawn)])

    def paths(directions: Tensor) -> dict[str, np.ndarray]:
        walks = [traverse(z.values, d.expand_as(z.values), scale, steps_sd)[:, :, columns] for d in directions]
        found = _measured(encoder, torch.stack(walks).flatten(0, 2), measures)
        return {name: some.reshape(len(directions), len(z.values), len(steps_sd)) for name, some in found.items()}

    beside = paths(others)
    walked = {}
    for output in followed(model):
        direction = mean_rising(model.head, learnt, model.head.outputs.index(output), scale)
        falls = (others @ direction < 0).numpy()[:, None, None]
        for name, path in paths(direction[None]).items():
            # The steps lie evenly about the start, so the other sense is the same path read backwards.
            oriented = np.where(falls, beside[name][:, :, ::-1], beside[name])
            walked[output, name] = Walked(np.concatenate([path, oriented]), bool((direction == 0).all()))
    return walked


def _measured(encoder: Encoder, points: Tensor, measures: Mapping[str, Measure]) -> dict[str, np.ndarray]:
    """Every measure of every decoded point, shape (point,) each; only :data:`AT_ONCE` pictures exist at a time."""
    spec = encoder.config.inputs[encoder.input_name]
    found: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for some in points.split(AT_ONCE):
        with torch.no_grad():
            decoded = encoder.decode(some).numpy()
        for name, measure in measures.items():
            found[name].append(np.asarray(measure(decoded, spec), np.float64))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def followed(model: Model) -> tuple[str, ...]:
    """Outputs to follow: all that a head has, of the steps between ordered classes the middle one."""
    return model.predictor.config.target.followed


def decoders(model: Model) -> Iterator[tuple[str, Encoder, slice]]:
    """Prefix of each encoder that decodes, the encoder, and where its units stand among all."""
    start = 0
    for prefix, encoder in model.named_encoders():
        columns = slice(start, start + len(encoder.names))
        start = columns.stop
        if encoder.tags.decodes:
            yield prefix, encoder, columns


def order_of_steps(paths: np.ndarray) -> np.ndarray:
    """Spearman's correlation of step and measure along the last axis, over the steps at which the measure is defined.

    It is 0 where the measure does not change and NaN where it is defined at less than three steps: two are always in
    order.

    Examples
    --------
    >>> order_of_steps(np.array([[1.0, 5.0, 9.0], [2.0, 1.0, 0.0], [4.0, 4.0, 4.0]])).tolist()
    [1.0, -1.0, 0.0]
    """
    known = np.isfinite(paths)
    found = np.nan_to_num(rank_correlation(paths, np.arange(paths.shape[-1]), known))
    return np.where(known.sum(-1) < 3, np.nan, found)


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
