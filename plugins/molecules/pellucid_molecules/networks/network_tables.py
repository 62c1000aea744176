"""The dataset ``networks-tables``: nodes of one type of a network that tables hold."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data import Binary, MultiClass, Target
from pellucid.data.dataset import Dataset
from pellucid.data.spec import MultiLabel
from pellucid.data.subjects import pseudonym
from pellucid.errors import DataError, nearest
from pellucid.loading.csv_tables import CsvTable
from pellucid_molecules.networks.network import Network
from pellucid_molecules.networks.nodes import SIDES, Nodes, NodesConfig
from pellucid_molecules.networks.tables import EdgeTable, NodeTable, ReadNodes, read_edges

NAME = "networks-tables"

MOST_CLASSES = 100

LABELS = "labels"
"""The target that columns of yes and no are together."""


class NetworksTablesConfig(NodesConfig):
    """Options of :class:`NetworksTables`.

    Parameters
    ----------
    nodes : mapping of str to NodeTable
        By type: ``paper = { table = "papers.csv", identity = "id" }``. Features are all columns of numbers, unless named.
    relations : tuple of EdgeTable
        ``{ table = "writes.csv", source = "author", name = "writes", goal = "paper" }``. Reverses that are missing are made.
    classify : str
        Type of the nodes that are samples.
    target : str
        Column of their table with the class of each, in words or whole numbers; empty where it is not known.
    labels : tuple of str
        Columns of yes and no, 1 and 0, of which a node may have any: together a target ``labels``. Nodes that lack one are part of
        those that they have.
    group : str
        Column of what a split keeps together. Empty: each node is for itself.
    split : str
        Column with ``train``, ``validation`` or ``test``; empty for nodes that are no samples. What ``inductive`` goes by.
    people : bool
        Whether the nodes classified are people: their names are replaced by pseudonyms, and so are those of groups.
    about : str
        What a reader of a score must know of these labels.
    """

    nodes: Mapping[str, NodeTable] = Field(min_length=1)
    relations: tuple[EdgeTable, ...] = Field(min_length=1)
    classify: str
    target: str = ""
    labels: tuple[str, ...] = ()
    group: str = ""
    split: str = ""
    people: bool = False
    about: str = ""

    @model_validator(mode="after")
    def _names_fit(self) -> NetworksTablesConfig:
        for kind in self.nodes:
            if ":" in kind:
                raise ValueError(f"a type of node cannot be called {kind!r}: its features are called 'type:feature'")
        for one in self.relations:
            for end in (one.source, one.goal):
                if end not in self.nodes:
                    raise ValueError(
                        f"relation {'-'.join(one.triple)} joins {end!r}, which nodes does not name{nearest(end, self.nodes)}"
                    )
        triples = [one.triple for one in self.relations]
        if len(set(triples)) != len(triples):
            raise ValueError("two tables hold relations of one name between the same types; put them into one table")
        if self.classify not in self.nodes:
            raise ValueError(
                f"classify names {self.classify!r}, which nodes does not name{nearest(self.classify, self.nodes)}"
            )
        if not self.target and not self.labels:
            raise ValueError(
                "say what is asked: a column of classes with target, columns of yes and no with labels, or both"
            )
        asked = [one for one in (self.target, *self.labels, self.group) if one]
        taken = [one for one in asked if one in (self.classify, "split", LABELS) or asked.count(one) > 1]
        if taken:
            raise ValueError(f"{taken[0]!r} stands for something else here, or twice; rename the column in the table")
        if self.inductive and not self.split:
            raise ValueError(
                "inductive leaves nodes of later sides out of graphs of earlier ones: name the column of sides with split"
            )
        return self


class NetworksTables(Nodes):
    """Nodes of one type of a network of your own, each with the graph around it.

    Parameters
    ----------
    config : NetworksTablesConfig
    data : Path
        The folder with the tables.

    Raises
    ------
    DataError
        If a table, a column or a name is missing, a name stands twice, an edge names a node that is in no table, or a cell holds
        something else than it should; the file and the line are named.
    """

    config_type = NetworksTablesConfig
    config: NetworksTablesConfig

    def __init__(self, config: NetworksTablesConfig, data: Path | None = None) -> None:
        if data is None:
            raise DataError(f"dataset {NAME!r} reads files of yours: name their folder with --data")
        self.config = config
        read = {
            kind: ReadNodes(data, kind, asked, self._no_features() if kind == config.classify else ())
            for kind, asked in config.nodes.items()
        }
        edges = {}
        findings = []
        for one in config.relations:
            edges[one.triple], found = read_edges(data, one, read)
            findings += found
        network = Network(
            {kind: len(one.names) for kind, one in read.items()},
            {kind: one.features for kind, one in read.items()},
            {kind: one.values() for kind, one in read.items()},
            edges,
        ).both_ways()
        frame, nodes, targets = self._labels(read[config.classify])
        self.findings = tuple(findings)
        self._open(
            NAME, network, config.classify, frame, targets, nodes=nodes, group=config.group,
            about=config.about or "Labels of the user's own. What a score is worth depends on how these labels were found.",
        )  # fmt: skip

    def _no_features(self) -> tuple[str, ...]:
        config = self.config
        return tuple(dict.fromkeys(one for one in (config.target, *config.labels, config.group, config.split) if one))

    def _labels(self, nodes: ReadNodes) -> tuple[pd.DataFrame, list[int], dict[str, Target]]:
        """The frame of nodes that are samples, which these are, and what is asked."""
        config, table = self.config, nodes.table
        by = {config.target: "target", config.group: "group", config.split: "split"} | dict.fromkeys(
            config.labels, "labels"
        )
        table.need(self._no_features(), {column: f"the option {option}" for column, option in by.items()})
        sides = [one.strip().lower() for one in table[config.split]] if config.split else ["train"] * len(table)
        for row, side in enumerate(sides):
            if side and side not in SIDES:
                raise DataError(f"{table.where(row, config.split)}: is none of {', '.join(SIDES)}, nor empty")
        chosen = [row for row, side in enumerate(sides) if side]
        ids = [self._named(nodes.names[row]) for row in chosen]
        columns: dict[str, Any] = {config.classify: ids}
        targets: dict[str, Target] = {}
        if config.target:
            targets[config.target], columns[config.target] = self._classes(table, chosen)
        if config.labels:
            targets[LABELS] = MultiLabel(names=config.labels, partial=True)
            for name in config.labels:
                columns[f"{LABELS}:{name}"] = table.numbers(name, (0.0, 1.0))[chosen]
        if config.group:
            groups = table.full(config.group)
            columns[config.group] = [self._named(groups[row]) for row in chosen]
        if config.split:
            columns["split"] = [sides[row] for row in chosen]
        return pd.DataFrame(columns, index=pd.Index(ids, name="sample")), chosen, targets

    def _classes(self, table: CsvTable, chosen: list[int]) -> tuple[Target, list[float]]:
        """The classes of the column of classes, and which each chosen row is of."""
        column = self.config.target
        cells = [table[column][row] for row in chosen]
        names = tuple(sorted({cell for cell in cells if cell}, key=_in_order))
        if not 2 <= len(names) <= MOST_CLASSES:
            raise DataError(
                f"{table.path}, column {column!r}: {len(names)} classes; a classification has 2 to {MOST_CLASSES}"
            )
        target: Target = Binary(names=(names[0], names[1])) if len(names) == 2 else MultiClass(names=names)
        return target, [float(names.index(cell)) if cell else np.nan for cell in cells]

    def _named(self, name: str) -> str:
        return pseudonym(name, NAME) if self.config.people else name

    @classmethod
    def example_data(cls) -> Dataset:
        """Nine papers, six authors and three subjects, written as tables."""
        with example() as folder:
            return cls(NetworksTablesConfig(**EXAMPLE), folder)


def _in_order(name: str) -> tuple[bool, float, str]:
    """Whole numbers by size, words by letters behind them."""
    return (not name.isdigit(), float(name) if name.isdigit() else 0.0, name)


EXAMPLE: Mapping[str, object] = {
    "nodes": {
        "paper": {"table": "papers.csv"},
        "author": {"table": "authors.csv"},
        "subject": {"table": "subjects.csv", "features": ()},
    },
    "relations": (
        {"table": "writes.csv", "source": "author", "name": "writes", "goal": "paper"},
        {"table": "about.csv", "source": "paper", "name": "is about", "goal": "subject"},
        {"table": "cites.csv", "source": "paper", "name": "cites", "goal": "paper", "columns": ("citing", "cited")},
    ),
    "classify": "paper",
    "target": "field",
    "labels": ("long", "cited"),
    "split": "side",
}
"""Options that open :func:`example`."""


@contextmanager
def example() -> Iterator[Path]:
    """A folder with six small tables."""
    papers = range(9)
    tables: dict[str, list[tuple[object, ...]]] = {
        "papers.csv": [
            ("id", "field", "long", "cited", "pages", "year", "side"),
            *(
                (
                    f"p{at}",
                    ("biology", "physics")[at % 2],
                    int(at > 3),
                    at % 3 % 2,
                    4 + at,
                    2000 + at % 5,
                    (*SIDES, "")[at % 4],
                )
                for at in papers
            ),
        ],
        "authors.csv": [("id", "age"), *((f"a{at}", 30 + 3 * at) for at in range(6))],
        "subjects.csv": [("id",), ("s0",), ("s1",), ("s2",)],
        "writes.csv": [("author", "paper"), *((f"a{(at + k) % 6}", f"p{at}") for at in papers for k in (0, 2))],
        "about.csv": [("paper", "subject"), *((f"p{at}", f"s{at % 3}") for at in papers)],
        "cites.csv": [("citing", "cited"), *((f"p{at}", f"p{at // 2}") for at in papers if at)],
    }
    with tempfile.TemporaryDirectory(prefix="pellucid-") as name:
        for file, rows in tables.items():
            with (Path(name) / file).open("w", encoding="utf-8", newline="") as table:
                csv.writer(table).writerows(rows)
        yield Path(name)
