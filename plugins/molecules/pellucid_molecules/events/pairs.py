"""Pairs of nodes as samples, with sums over their events in each bin of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays
from pellucid.data.spec import DataSpec, Nodes, Regression, Signal
from pellucid.errors import DataError

PAIR = "pair"
"""Name of the input that says which two nodes a sample is about, and of the group column with one group a pair."""

EVENTS = "events"
"""Name of the input that holds a pair's events, and of the target: how many there are where they may be seen."""

CHANNELS = ("events", "time", "squared time")
"""In each bin: how many events, the sum of their times after its beginning, in bins, and the sum of the squares."""

MOST_PAIRS = 5_000_000
"""All pairs of about 3160 nodes."""

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0, "year": 31557600.0, "1": 1.0}
"""Of a unit of time; of ``"1"``, steps without a length, so many that one of them counts as a second."""


@dataclass(frozen=True)
class Clock:
    """How times in [0, 1] are those of the data.

    Parameters
    ----------
    start, stop : float
        In the data's own unit.
    unit : str
        A key of :data:`SECONDS`.
    """

    start: float = 0.0
    stop: float = 1.0
    unit: str = "1"

    @property
    def seconds(self) -> float:
        """From start to stop."""
        return (self.stop - self.start) * SECONDS[self.unit]

    def scaled(self, times: np.ndarray) -> np.ndarray:
        """Times of the data as shares of the whole."""
        return np.asarray((times - self.start) / (self.stop - self.start))


def bin_of(times: np.ndarray, bins: int) -> np.ndarray:
    """In which of so many equal bins times in [0, 1] lie: on an edge in the right one, at the very end in the last.

    Examples
    --------
    >>> bin_of(np.array([0.0, 0.25, 0.4999, 0.3, 1.0]), 4).tolist()
    [0, 1, 1, 1, 3]
    >>> bin_of(np.arange(11) / 10, 10).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    """
    # Against the edges as they are written: a product may fall short of a whole number by a rounding.
    edges = np.arange(bins + 1) / bins
    return np.clip(np.searchsorted(edges, times, side="right") - 1, 0, bins - 1)


class EventPairs(Dataset):
    """All pairs of some nodes, each with its events: how many in each bin, and the sums of their times and squared times.

    These sums are all that a rate which is Gaussian in time within a bin can be learnt from; single times are not kept. Pairs are without
    order, and a pair without events is a sample like any other. The end of time may be hidden from learning: it is masked in the
    input, and what lies under the mask is for protocols that judge a prediction.

    Parameters
    ----------
    name, namespace, about : str
        See :class:`~pellucid.data.spec.DataSpec`.
    nodes : sequence of str
        Different names.
    ends : ndarray of int, shape (event, 2)
        Numbers of the two nodes of each event.
    times : ndarray, shape (event,)
        From 0 to 1.
    clock : Clock
    bins : int
    hidden : float
        Share of the time, at its end, that is hidden from learning: whole bins, as many as come nearest.
    view : str
        Which draws the events of a pair.

    Raises
    ------
    DataError
        If there are fewer than three nodes, too many, or nothing is left to learn from.
    """

    def __init__(
        self, *, name: str, namespace: str, about: str, nodes: Sequence[str], ends: np.ndarray, times: np.ndarray,
        clock: Clock, bins: int, hidden: float = 0.0, view: str = "molecules/event-counts",
    ) -> None:  # fmt: skip
        count = len(nodes)
        if count < 3 or count * (count - 1) // 2 > MOST_PAIRS:
            raise DataError(
                f"dataset {name!r}: {count} nodes have {count * (count - 1) // 2:,} pairs; 3 nodes at least and {MOST_PAIRS:,} pairs "
                "at most can be read: leave out nodes with few events"
            )
        self.bins, self.clock = bins, clock
        self.hidden_bins = np.arange(bins) >= bins - round(hidden * bins)
        if self.hidden_bins.all():
            raise DataError(f"dataset {name!r}: all of {bins} bins are hidden; hide a smaller share of the time")
        one, other = np.triu_indices(count, 1)
        self.pairs = np.column_stack([one, other])
        self._sum(np.sort(np.asarray(ends, np.int64), axis=1), np.asarray(times, np.float64), count)
        visible = ~self.hidden_bins[self._cell_bin]
        seen = np.bincount(self._cell_pair[visible], self._sums[visible, 0], minlength=len(self.pairs))
        if not seen.any():
            raise DataError(f"dataset {name!r}: there is no event in the time that may be learnt from")
        names = np.array(list(map(str, nodes)), object)
        ids = [f"{a} + {b}" for a, b in zip(names[one], names[other], strict=True)]
        self.frame: pd.DataFrame = pd.DataFrame(
            {PAIR: ids, "one": names[one], "other": names[other], EVENTS: np.log1p(seen)}, index=pd.Index(ids, name="sample")
        )  # fmt: skip
        told = {
            "start": clock.start,
            "stop": clock.stop,
            "unit": clock.unit,
            "hidden_bins": int(self.hidden_bins.sum()),
        }
        signal = Signal(channels=CHANNELS, length=bins, rate_hz=bins / clock.seconds, units="1", preparation=told)
        self.spec = DataSpec(
            name=name,
            inputs={PAIR: Nodes(roles=("one", "other"), types=("node", "node"), names={"node": tuple(names)}), EVENTS: signal},
            targets={
                EVENTS: Regression(names=("events",), units=("ln(1 + n)",), about="how many events a pair has in time that is not hidden")
            },
            groups=(PAIR,),
            group_word=("pair", "pairs"),
            seen=("nodes",),
            namespace=namespace,
            views={PAIR: "molecules/node-paths", EVENTS: view},
            about=about,
        )  # fmt: skip

    def _sum(self, ends: np.ndarray, times: np.ndarray, count: int) -> None:
        """Sums over events, one row for each pair and bin that has any, sorted by pair."""
        at = bin_of(times, self.bins)
        # Of all pairs in the order of triu_indices.
        pair = ends[:, 0] * (2 * count - ends[:, 0] - 1) // 2 + ends[:, 1] - ends[:, 0] - 1
        cells, of = np.unique(pair * self.bins + at, return_inverse=True)
        after = np.clip(times * self.bins - at, 0.0, 1.0)
        self._cell_pair, self._cell_bin = cells // self.bins, cells % self.bins
        sums = [np.bincount(of, weights, minlength=len(cells)) for weights in (np.ones_like(after), after, after**2)]
        self._sums = np.stack(sums, axis=1)

    def read(self, indices: np.ndarray) -> Arrays:
        """The two nodes of each pair, and its events; those of hidden bins are masked."""
        at = np.asarray(indices, np.int64)
        events = np.zeros((len(at), len(CHANNELS), self.bins), np.float32)
        first, last = (np.searchsorted(self._cell_pair, at, side=side) for side in ("left", "right"))
        rows = np.repeat(np.arange(len(at)), last - first)
        cells = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]) if len(rows) else rows
        events[rows, :, self._cell_bin[cells]] = self._sums[cells]
        mask = np.broadcast_to(~self.hidden_bins, events.shape).copy()
        return Arrays({PAIR: self.pairs[at], EVENTS: events}, {EVENTS: mask})
