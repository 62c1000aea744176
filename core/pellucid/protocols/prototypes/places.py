"""Where prototypes point: regions that overlap, and the channel of a window that a likeness rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import OverTime
from pellucid.heads.prototypes.comparing import Comparing
from pellucid.model import Model, batches
from pellucid.regions import Region, Steps, TimeSpan, around


def window_regions(head: Comparing, regions: Sequence[Region], set_index: int) -> list[Region]:
    """The region of every window of a set."""
    length = head.sets[set_index].window
    return [around(regions[start : start + length]) for start in range(len(regions) - length + 1)]


def channel_means(train: Dataset) -> dict[str, Tensor]:
    """Mean of each channel of every signal and trajectory over training samples and time, shape (channel,); masked values left out."""
    total: dict[str, Tensor] = {}
    count: dict[str, Tensor] = {}
    for batch, _ in batches(train):
        for name, spec in train.spec.inputs.items():
            if not isinstance(spec, OverTime):
                continue
            x, known = batch.inputs[name].double(), batch.known(name)
            there = torch.ones_like(x) if known is None else known.double()
            total[name] = total.get(name, torch.zeros(())) + (x * there).sum((0, 2))
            count[name] = count.get(name, torch.zeros(())) + there.sum((0, 2))
    return {name: (total[name] / count[name].clamp(min=1)).float() for name in total}


@torch.no_grad()
def strongest_channel(
    model: Model,
    batch: Batch,
    row: int,
    prototype: int,
    span: TimeSpan | Steps,
    name: str,
    spec: OverTime,
    means: Mapping[str, Tensor],
) -> str:
    """The channel of a window without which the window's own likeness to a prototype falls most.

    Parameters
    ----------
    model : Model
    batch : Batch
    row : int
        Of the sample.
    prototype : int
    span : TimeSpan or Steps
        Of the window; a channel is filled with its training mean there.
    name : str
        Of the input.
    spec : Signal or Trajectory
    means : mapping of str to Tensor
        From :func:`channel_means`.
    """
    head = model.head
    assert isinstance(head, Comparing)
    set_index = int(head.set_of[prototype])
    own = prototype - head.span(set_index).start
    channels = len(spec.channels)
    x = batch.inputs[name][row].expand(channels, -1, -1).clone()
    each = torch.arange(channels)
    x[each, each, spec.steps(span)] = means[name][:, None]
    # One more row, as it is: the window that the likeness is of is found in it.
    many = batch.rows(torch.full((channels + 1,), row))
    many = many.with_input(name, torch.cat([x, batch.inputs[name][row : row + 1]]))
    similarities = head.window_similarities(model.encode(many), set_index)[:, :, own]
    window = int(similarities[-1].argmax())
    return spec.channels[int(similarities[:-1, window].argmin())]
