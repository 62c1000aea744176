"""Places of an input and how much an output falls without each, whatever kind of input it is."""

from __future__ import annotations

from torch import Tensor

from pellucid.attribution.graphs import GraphMap, graph_map
from pellucid.attribution.parts import RegionMap, region_map
from pellucid.batch import Batch
from pellucid.graph_batch import GraphBatch
from pellucid.model import Model


def place_map(
    model: Model, batch: Batch, *, input: str, target: str | None = None, usual: Tensor | None = None
) -> RegionMap | GraphMap:
    """Nodes of a graph left out one by one; windows of any other input filled one by one.

    Parameters
    ----------
    model, batch, input, target
        See :func:`pellucid.attribution.region_map`.
    usual : Tensor, optional
        What windows are filled with, of the input's shape; zeros by default. A graph has no such thing.
    """
    if isinstance(batch.inputs.get(input), GraphBatch):
        return graph_map(model, batch, input=input, target=target)
    return region_map(model, batch, input=input, target=target, baseline=usual)
