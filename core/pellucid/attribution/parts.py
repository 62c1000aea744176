"""Region maps: which parts of a picture, a volume or a signal an output rests on, whatever the encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pellucid.attribution.model import inputs_of, output_of
from pellucid.attribution.occlusion import Window, drops, windows
from pellucid.batch import Batch
from pellucid.errors import ContractError
from pellucid.model import Model
from pellucid.regions import Region

PARTS = 8
"""Windows along an axis by default."""


@dataclass(frozen=True)
class RegionMap:
    """How much an output falls without each part of an input.

    Parameters
    ----------
    falls : Tensor, shape (sample, part)
        In units of the output; positive where the part speaks for it.
    regions : tuple of Region
        One a part.
    windows : list of Window
        Where the parts are in the array.
    shape : tuple of int
        Of one sample.
    input, target : str
    """

    falls: Tensor
    regions: tuple[Region, ...]
    windows: list[Window]
    shape: tuple[int, ...]
    input: str
    target: str

    @property
    def values(self) -> Tensor:
        """The falls drawn over the input, mean where windows overlap; shape (sample, *input shape)."""
        drawn = torch.zeros(len(self.falls), *self.shape)
        cover = torch.zeros(self.shape)
        for fall, window in zip(self.falls.t(), self.windows, strict=True):
            drawn[(slice(None), *window)] += fall.reshape(-1, *[1] * len(self.shape))
            cover[window] += 1
        return drawn / cover

    def of(self, sample: int) -> tuple[tuple[Region, ...], Tensor]:
        """Places of one sample, and its falls, shape (part,)."""
        return self.regions, self.falls[sample]

    def strongest(self, sample: int, top: int = 3) -> list[tuple[Region, float]]:
        """Regions of one sample whose absence changes the output most, with the change."""
        falls = self.falls[sample]
        order = falls.abs().argsort(descending=True, stable=True)[:top]
        return [(self.regions[int(at)], float(falls[at])) for at in order]


def region_map(
    model: Model,
    batch: Batch,
    *,
    input: str | None = None,
    target: str | None = None,
    window: tuple[int, ...] | None = None,
    stride: tuple[int, ...] | None = None,
    baseline: Tensor | None = None,
) -> RegionMap:
    """Replace one part of an input after the other by a baseline and watch an output.

    Parameters
    ----------
    model, batch, input, target, baseline
        See :func:`pellucid.attribution.attribute`.
    window, stride : tuple of int, optional
        One number an axis of the input. By default an eighth of each axis of space or time; channels over time one by one, an
        image's channels together; see :meth:`~pellucid.data.axes.OnAxes.window`.

    Raises
    ------
    ContractError
        If the input has no places (a vector or a graph).
    """
    name, x, start = inputs_of(batch, input, baseline)
    spec = _spec(model, name)
    if not spec.extent:
        raise ContractError(f"input {name!r} is a {spec.kind}, which has no places; use `attribute` for its numbers")
    shape = tuple(x.shape[1:])
    parts = windows(shape, window or spec.window(PARTS), stride)
    at = model.head.output_index(target or model.head.outputs[0])
    falls = drops(output_of(model, batch, name, at), x, start, parts, module=model)
    regions = tuple(spec.region(part) for part in parts)
    return RegionMap(falls, regions, parts, shape, name, model.head.outputs[at])


def _spec(model: Model, name: str) -> Any:
    for _, encoder in model.named_encoders():
        if name in encoder.config.inputs:
            return encoder.config.inputs[name]
    raise ContractError(f"no encoder of this model reads input {name!r}, so no part of it can matter")
