"""Nodes of a network as samples: each is the graph around it, and nothing of another's label is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data import DataSpec, Target
from pellucid.data.dataset import Dataset
from pellucid.data.graphs import Graphs
from pellucid.data.samples import Arrays
from pellucid.data.spec import Frozen
from pellucid_molecules.networks.egos import Egos
from pellucid_molecules.networks.network import Network

INPUT = "network"

SIDES = ("train", "validation", "test")
"""Of a split that was laid down, in the order in which nodes are known: later ones stand in no graph of earlier ones."""

KEPT = 20_000
"""Graphs that are kept in memory once they were taken."""


class NodesConfig(Frozen):
    """Settings of every dataset whose samples are nodes of a network.

    Parameters
    ----------
    neighbours : tuple of int
        Most neighbours that a graph takes of a node by each relation, one number a hop from the centre, each 1 or more.
    inductive : bool
        Whether nodes of a later side of the split that the column ``split`` lays down (train, validation, test) are left out of the
        graphs of earlier ones: nothing of a test node, not even its features, is then seen in training. It takes ``subject-holdout`` with
        ``column = "split"``.
    graph_seed : int
        Of the draw of neighbours.
    """

    neighbours: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(25, 20), min_length=1)
    inductive: bool = False
    graph_seed: int = Field(default=0, ge=0)


class Nodes(Dataset):
    """Nodes of one type, each with the graph around it.

    A class of it makes a network, a frame and targets and calls :meth:`_open`. The first node of each graph is the one that the sample is
    about; the feature ``type:centre`` says so too. Graphs hold features and edges, and no labels.
    """

    config: NodesConfig

    def _open(
        self, name: str, network: Network, centre: str, frame: pd.DataFrame, targets: Mapping[str, Target], *,
        nodes: Sequence[int] | None = None, group: str = "", about: str = "", namespace: str = "",
    ) -> None:  # fmt: skip
        """Make the spec and what takes graphs.

        Parameters
        ----------
        name : str
        network : Network
            In both directions.
        centre : str
            Type of the nodes that are samples.
        frame : DataFrame
            One row a sample.
        targets : mapping of str to Target
        nodes : sequence of int, optional
            Which of the nodes of its type each sample is; all in order by default.
        group : str
            Column of what a split keeps together; by default each node is for itself.
        about, namespace : str
        """
        rank = self._ranks(frame, network.counts[centre], nodes) if self.config.inductive else None
        self.egos = Egos(network, centre, self.config.neighbours, self.config.graph_seed, rank)
        self._nodes = np.arange(len(frame)) if nodes is None else np.asarray(nodes, np.int64)
        self._taken: dict[int, Graphs] = {}
        self.frame = frame
        word = (group or centre).replace("_", " ")
        told = (
            'Nodes of a later side of the split stand in no graph of an earlier one: judge by subject-holdout with column = "split".'
            if self.config.inductive
            else f"A graph may hold other {word}s that are judged, with their features and without their labels."
        )
        self.spec = DataSpec(
            name=name,
            inputs={INPUT: self.egos.spec},
            targets=dict(targets),
            groups=(group or centre,),
            group_word=(word, f"{word}s"),
            # What was seen of those who are judged is said with every result.
            seen=() if self.config.inductive else ("surroundings without labels",),
            namespace=namespace or name,
            about=f"{about} {told}".strip(),
        )
        self.check()

    @staticmethod
    def _ranks(frame: pd.DataFrame, count: int, nodes: Sequence[int] | None) -> np.ndarray:
        # Nodes of no side have no label, and may stand in any graph.
        ranks = np.full(count, -1)
        at = np.arange(len(frame)) if nodes is None else np.asarray(nodes)
        ranks[at] = [SIDES.index(side) for side in frame["split"]]
        return ranks

    def read(self, indices: np.ndarray) -> Arrays:
        """Graphs in the order asked for."""
        return Arrays({INPUT: Graphs.joined([self._graph(int(at)) for at in np.asarray(indices, np.int64)])})

    def _graph(self, at: int) -> Graphs:
        found = self._taken.get(at)
        if found is None:
            found = self.egos.around(int(self._nodes[at]))
            if len(self._taken) < KEPT:
                self._taken[at] = found
        return found
