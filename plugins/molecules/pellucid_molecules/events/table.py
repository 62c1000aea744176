"""The dataset ``event-table``: events of your own, a row for each, with two nodes and a time."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Finding
from pellucid.data.spec import Frozen
from pellucid.data.subjects import pseudonym
from pellucid.errors import DataError, nearest
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid_molecules.events.pairs import Clock, EventPairs

NAME = "event-table"

MOST_TIME = 1e20
"""How far from zero a time may be: nanoseconds of a century are 3e18, and spans of far larger numbers overflow."""

FORMATS = {".csv": ",", ".tsv": "\t", ".parquet": ""}


class EventTableConfig(Frozen):
    """Options of :class:`EventTable`.

    Parameters
    ----------
    table : str
        The table, where ``--data`` names a folder: ``.csv``, ``.tsv`` or ``.parquet``.
    one, other : str
        Columns that name the two nodes of an event; which of them stands where makes no difference.
    time : str
        Column of times, numbers.
    unit : {"s", "min", "h", "day", "year", "1"}
        Of times; ``"1"`` for steps.
    people : bool
        Whether nodes are people. Their names are replaced by digests then, and leave the table nowhere. Say ``false`` for proteins,
        airports, papers.
    bins : int
        Of time: nodes move straight within one.
    hidden : float
        Share of the time, at its end, that is hidden from learning.
    self_events : {"refuse", "leave out"}
        What to do with an event of a node with itself.
    least_events : int
        Nodes with fewer are left out, which the report says.
    about : str
        What a reader of a score must know of these events.
    """

    table: str = "events.csv"
    one: str = "source"
    other: str = "target"
    time: str = "time"
    unit: Literal["s", "min", "h", "day", "year", "1"] = "s"
    people: bool = True
    bins: int = Field(default=100, ge=2, le=10_000)
    hidden: float = Field(default=0.1, ge=0, lt=1)
    self_events: Literal["refuse", "leave out"] = "refuse"
    least_events: int = Field(default=1, ge=1)
    about: str = ""

    @model_validator(mode="after")
    def _columns_differ(self) -> EventTableConfig:
        if len({self.one, self.other, self.time}) < 3:
            raise ValueError("one, other and time name three different columns")
        return self


class EventTable(EventPairs):
    """Events of your own: a table with a row for each, two columns that name nodes, and one of times.

    Time runs from the first event to the last; both are kept in the data's own unit. Rows in no order are put in order, and the report
    says how many were not. An event that stands twice counts twice.

    Raises
    ------
    DataError
        Names the row of a node that is empty, a time that is no number, or an event of a node with itself.
    """

    config_type = EventTableConfig

    def __init__(self, config: EventTableConfig | None = None, data: Path | None = None) -> None:
        config = config or EventTableConfig()
        path = _place(data, config)
        table = _read(path, config)
        ends, times = table[["one", "other"]].to_numpy(str), table["time"].to_numpy(np.float64)
        findings = []
        alone = ends[:, 0] == ends[:, 1]
        if alone.any():
            first = int(table["row"][alone].iloc[0])
            if config.self_events == "refuse":
                raise DataError(
                    f"{path.name}, row {first}: both ends are the same node ({int(alone.sum())} rows in all); take them out, or say "
                    f'self_events = "leave out" in [options.{NAME}]'
                )
            findings.append(
                Finding(
                    path.name, f"{int(alone.sum())} events of a node with itself", f"first in row {first}", "left out"
                )
            )
            ends, times = ends[~alone], times[~alone]
        late = int((times[1:] < times[:-1]).sum())
        if late:
            findings.append(Finding(path.name, f"{late} events are earlier than the row before", "", "put in order"))
            order = np.argsort(times, kind="stable")
            ends, times = ends[order], times[order]
        names, of, count = np.unique(ends, return_inverse=True, return_counts=True)
        of = of.reshape(-1, 2)
        few = count < config.least_events
        if few.any():
            findings.append(
                Finding(
                    path.name, f"{int(few.sum())} nodes with fewer than {config.least_events} events", "", "left out"
                )
            )
            kept = ~few[of].any(1)
            ends, times = ends[kept], times[kept]
            names, of = np.unique(ends, return_inverse=True)
            of = of.reshape(-1, 2)
        if not len(times):
            raise DataError(f"{path.name}: no event is left; take more of them, or let least_events be lower")
        if np.abs(times).max() > MOST_TIME:
            raise DataError(
                f"{path.name}: a time is {times[np.abs(times).argmax()]:g}; times are {MOST_TIME:g} at most"
            )
        if times[0] == times[-1]:
            raise DataError(
                f"{path.name}: all {len(times)} events are at one time; events at two times at least are needed"
            )
        clock = Clock(float(times[0]), float(times[-1]), config.unit)
        if config.people:
            names = np.array([pseudonym(name, NAME) for name in names], object)
        self.config = config
        super().__init__(
            name=NAME,
            namespace=NAME,
            about=config.about
            or "Events of the user's own. A pair without an event may be one that nobody has looked at.",
            nodes=list(names),
            ends=of,
            times=np.clip(clock.scaled(times), 0.0, 1.0),
            clock=clock,
            bins=config.bins,
            hidden=config.hidden,
        )
        self.findings = tuple(findings)

    @classmethod
    def example_data(cls) -> Dataset:
        """A table of made-up events, written for a moment."""
        import tempfile

        from pellucid_datasets.meetings import Plan, meet

        drawn = meet(0, Plan(events=400))
        table = pd.DataFrame(
            {"source": drawn.ends[:, 0], "target": drawn.ends[:, 1], "time": np.round(86400 * drawn.times, 3)}
        )
        with tempfile.TemporaryDirectory() as folder:
            table.to_csv(Path(folder) / "events.csv", index=False)
            return cls(EventTableConfig(bins=8, hidden=0.25), Path(folder))


def _place(data: Path | None, config: EventTableConfig) -> Path:
    if data is None:
        raise DataError(f"{NAME!r} has no usual place: name the table, or its folder, with --data")
    path = data / config.table if data.is_dir() else data
    if not path.is_file():
        raise DataError(
            f"{path}: is not there; name the table with --data, or with the option table of [options.{NAME}]"
        )
    if path.suffix.lower() not in FORMATS:
        raise DataError(f"{path.name}: is none of {', '.join(FORMATS)}")
    return path


def _read(path: Path, config: EventTableConfig) -> pd.DataFrame:
    """Columns ``one``, ``other`` (as text), ``time`` and ``row`` (from 1, without the header)."""
    asked = {config.one: "the option one", config.other: "the option other", config.time: "the option time"}
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, config, asked)
    table: CsvTable = read_csv(path, delimiter=FORMATS[path.suffix.lower()])
    table.need(asked, asked)
    ends = {to: list(table.full(column)) for to, column in (("one", config.one), ("other", config.other))}
    return pd.DataFrame({**ends, "time": table.numbers(config.time, blank=False), "row": np.arange(len(table)) + 1})


def _read_parquet(path: Path, config: EventTableConfig, asked: dict[str, str]) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name}: is no parquet table that can be read ({type(error).__name__})") from None
    for column, option in asked.items():
        if column not in table.columns:
            raise DataError(
                f"{path.name}: there is no column {column!r}{nearest(column, map(str, table.columns))}; {option} names it"
            )
        empty = np.flatnonzero(table[column].isna().to_numpy())
        if len(empty):
            raise DataError(f"{path.name}, row {int(empty[0]) + 1}, column {column!r}: is empty")
    if not pd.api.types.is_numeric_dtype(table[config.time]):
        raise DataError(
            f"{path.name}, column {config.time!r}: holds no numbers; write times as numbers, and say their unit"
        )
    times = table[config.time].to_numpy(np.float64)
    if not np.isfinite(times).all():
        raise DataError(
            f"{path.name}, row {int(np.flatnonzero(~np.isfinite(times))[0]) + 1}, column {config.time!r}: is no number"
        )
    return pd.DataFrame(
        {
            "one": table[config.one].astype(str),
            "other": table[config.other].astype(str),
            "time": times,
            "row": np.arange(len(table)) + 1,
        }
    )
