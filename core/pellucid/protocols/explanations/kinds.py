"""What is known of a place without any model: how often places of its kind make an output true."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.regions import Region, Subgraph, overlap

KIND = "kind of place alone"
"""The part that ranks places so."""


class PlaceKinds:
    """Places put in order by how often those of their kind make an output true among the training samples.

    A node of a graph is of the kind that its type and its features say: all features where they mark one of several (one-hot),
    else the first, which is a code of what the node is (the element of an atom), else none. A place of any other input is of the
    kind of its position: windows at one time, boxes at one corner. A kind that no training sample has counts as all together do.

    Parameters
    ----------
    learnt : Dataset
        Training samples in which something is planted.
    truth : sequence of tuple of Region
        Where, in each of them.
    """

    def __init__(self, learnt: Dataset, truth: Sequence[tuple[Region, ...]]) -> None:
        self.truth = list(truth)
        self.graph = next((name for name, spec in learnt.spec.inputs.items() if spec.kind == "graph"), "")
        self._marked = False
        counts: dict[Hashable, list[int]] = {}
        if self.graph:
            graphs = learnt.read(np.arange(len(learnt))).inputs[self.graph]
            self._marked = bool(np.isin(graphs.nodes, (0, 1)).all() and (graphs.nodes.sum(1) == 1).all())
            for kinds, where in zip(self._kinds(graphs), self.truth, strict=True):
                true = {node for region in where if isinstance(region, Subgraph) for node in region.nodes}
                for at, kind in enumerate(kinds):
                    seen = counts.setdefault(kind, [0, 0])
                    seen[0] += at in true
                    seen[1] += 1
        trues, total = (sum(column) for column in zip(*counts.values(), strict=True)) if counts else (0, 0)
        self.overall = trues / total if total else 0.0
        self.rates: dict[Hashable, float] = {kind: true / every for kind, (true, every) in counts.items()}
        self._positions: dict[Region, float] = {}

    def scores(self, samples: Dataset, regions: Sequence[Sequence[Region]]) -> list[np.ndarray]:
        """The rate of each place, one array a sample.

        Parameters
        ----------
        samples : Dataset
        regions : sequence of sequence of Region
            The places of each.
        """
        kinds: list[list[Hashable]] = [[]] * len(samples)
        if self.graph and any(isinstance(one, Subgraph) for some in regions for one in some):
            kinds = self._kinds(samples.read(np.arange(len(samples))).inputs[self.graph])
        return [
            np.array([self._rate(one, own) for one in some], float) for some, own in zip(regions, kinds, strict=True)
        ]

    def _rate(self, region: Region, kinds: Sequence[Hashable]) -> float:
        if isinstance(region, Subgraph) and self.graph:
            return float(np.mean([self.rates.get(kinds[node], self.overall) for node in region.nodes]))
        if region not in self._positions:
            self._positions[region] = float(np.mean([any(overlap(region, one) for one in some) for some in self.truth]))
        return self._positions[region]

    def _kinds(self, graphs: Any) -> list[list[Hashable]]:
        nodes = graphs.nodes
        codes = nodes if self._marked else nodes[:, :1]
        if not self._marked and not np.array_equal(codes, np.round(codes)):
            codes = nodes[:, :0]
        types = np.zeros(len(nodes), np.int64) if graphs.node_types is None else graphs.node_types
        rows: list[Hashable] = [(kind, *values) for kind, values in zip(types.tolist(), codes.tolist(), strict=True)]
        ends = np.cumsum(graphs.node_counts).tolist()
        return [rows[end - count : end] for end, count in zip(ends, graphs.node_counts.tolist(), strict=True)]
