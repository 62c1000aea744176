"""Tables of nodes and of edges, read into a network: one table a type, one a relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from pellucid.data.samples import Finding
from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable
from pellucid_molecules.networks.network import Triple
from pellucid_molecules.tables.written import numeric_columns, read_table, table_at


class NodeTable(Frozen):
    """A table of the nodes of one type.

    Parameters
    ----------
    table : str
        ``.csv``, ``.tsv`` or ``.parquet``, below the folder that ``--data`` names.
    identity : str
        Column of names; each stands once.
    features : tuple of str, optional
        Columns of numbers. Left out: all that hold numbers, and a column in which most cells are numbers and some are not is refused;
        empty: none.
    """

    table: str
    identity: str = "id"
    features: tuple[str, ...] | None = None


class EdgeTable(Frozen):
    """A table of the edges of one relation, two columns of names.

    Parameters
    ----------
    table : str
    source, name, goal : str
        Type of node that edges come from, what they say, type of node that they go to: ``author``, ``writes``, ``paper``.
    columns : (str, str), optional
        Of the two ends; by default called as their types are.
    self_edges : {"refuse", "drop", "keep"}
        What to do with an edge from a node to itself.
    """

    table: str
    source: str
    name: str
    goal: str
    columns: tuple[str, str] | None = None
    self_edges: Literal["refuse", "drop", "keep"] = "refuse"

    @property
    def triple(self) -> Triple:
        """The relation."""
        return (self.source, self.name, self.goal)

    @property
    def ends(self) -> tuple[str, str]:
        """Columns of the two ends."""
        return self.columns or (self.source, self.goal)


class ReadNodes:
    """Nodes of one type.

    Parameters
    ----------
    folder : Path
    kind : str
    asked : NodeTable
    but : sequence of str
        Columns that are no features, whatever they hold: labels, groups, sides.

    Raises
    ------
    DataError
        If a name is empty or stands twice, a column is missing, a feature is no number or empty, or features are not named and most
        cells of a column, but not all, are numbers.
    """

    def __init__(self, folder: Path, kind: str, asked: NodeTable, but: Sequence[str]) -> None:
        self.kind = kind
        self.table = read_table(table_at(folder, (asked.table,), f"name it in nodes.{kind}"))
        self.table.need([asked.identity], {asked.identity: f"identity in nodes.{kind}"})
        self.names = self.table.full(asked.identity)
        self.number: dict[str, int] = {}
        for row, name in enumerate(self.names):
            if (first := self.number.setdefault(name, row)) != row:
                raise DataError(
                    f"{self.table.where(row, asked.identity)}: the same name stands in line {self.table.lines[first]} already; "
                    f"each {kind} has one row"
                )
        taken = (asked.identity, *but)
        option = f"features in nodes.{kind}"
        self.features: tuple[str, ...] = (
            tuple(numeric_columns(self.table, taken, option)) if asked.features is None else asked.features
        )
        self.table.need(self.features, dict.fromkeys(self.features, option))
        for column in self.features:
            if column in but:
                raise DataError(f"{self.table.path}: {column!r} is named as a feature and as what is asked or split by")

    def values(self) -> npt.NDArray[np.float32]:
        """Features, shape (node, feature)."""
        if not self.features:
            return np.zeros((len(self.names), 0), np.float32)
        found = np.column_stack([self.table.numbers(column, blank=False) for column in self.features])
        if (beyond := np.argwhere(np.abs(found) > np.finfo(np.float32).max)).size:
            row, column = beyond[0]
            raise DataError(
                f"{self.table.where(row, self.features[column])}: is {found[row, column]:g}, which is too large to learn from"
            )
        return found.astype(np.float32)


def read_edges(
    folder: Path, asked: EdgeTable, nodes: Mapping[str, ReadNodes]
) -> tuple[npt.NDArray[np.int64], list[Finding]]:
    """Edges of one relation, each once, and what was found wrong with some.

    Raises
    ------
    DataError
        If an end names no node, or an edge leads from a node to itself where that is refused.
    """
    first, last = asked.ends
    if first == last:
        raise DataError(
            f"relation {'-'.join(asked.triple)} joins {first!r} with its like: say which column is which with columns = [FROM, TO]"
        )
    table = read_table(table_at(folder, (asked.table,), f"name it with relation {'-'.join(asked.triple)}"))
    table.need([first, last], dict.fromkeys((first, last), f"relation {'-'.join(asked.triple)}"))
    pairs = np.column_stack(
        [_numbers(table, first, nodes[asked.source]), _numbers(table, last, nodes[asked.goal])]
    ).astype(np.int64)
    found: list[Finding] = []
    named = f"{asked.table}: {'-'.join(asked.triple)}"
    own = (pairs[:, 0] == pairs[:, 1]) & (asked.source == asked.goal)
    if own.any() and asked.self_edges == "refuse":
        row = int(np.flatnonzero(own)[0])
        raise DataError(
            f"{table.where(row, last)}: an edge from a {asked.source} to itself ({int(own.sum())} in all); "
            'take them out, or say self_edges = "drop" or "keep" with this relation'
        )
    if own.any() and asked.self_edges == "drop":
        pairs = pairs[~own]
        found.append(Finding(named, "edges to themselves", f"{int(own.sum())} rows", "left out"))
    once = np.unique(pairs, axis=0)
    if len(once) < len(pairs):
        found.append(
            Finding(named, "edges that stand more than once", f"{len(pairs) - len(once)} rows", "counted once")
        )
    return once, found


def _numbers(table: CsvTable, column: str, nodes: ReadNodes) -> list[int]:
    found = []
    for row, name in enumerate(table.full(column)):
        number = nodes.number.get(name)
        if number is None:
            # The name itself is not told: nodes may be people.
            raise DataError(
                f"{table.where(row, column)}: there is no such {nodes.kind} in {nodes.table.path.name}; add its row there, or take "
                "the edge out"
            )
        found.append(number)
    return found
