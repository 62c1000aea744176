"""Cells of time: which seconds of a signal each position of a network's last layer stands for."""

from __future__ import annotations

from pellucid.data.spec import Signal
from pellucid.regions import TimeSpan


def count_of(length: int, halvings: int) -> int:
    """Cells that are left of so many samples; every halving rounds up.

    Examples
    --------
    >>> count_of(1000, 5)
    32
    """
    for _ in range(halvings):
        length = -(-length // 2)
    return length


def cells(spec: Signal, halvings: int) -> tuple[TimeSpan, ...]:
    """The seconds that each cell stands for: side by side, with no gap.

    Layers that halve time with an odd kernel and even padding put cell ``i`` over sample ``i * 2**halvings``, so its span
    lies around that sample; the first and the last one are cut by the ends of the signal. A cell has seen some of its
    surroundings too.

    Examples
    --------
    >>> spec = Signal(channels=("I",), length=1000, rate_hz=100.0, units="mV")
    >>> spans = cells(spec, 5)
    >>> [(span.start_s, span.stop_s) for span in spans[:2]], spans[-1].stop_s
    ([(0.0, 0.16), (0.16, 0.48)], 10.0)
    """
    step, count = 2**halvings, count_of(spec.length, halvings)
    # A last cell whose middle is the last sample of all would be half as wide as the rest; it is kept all the same.
    edges = [0.0, *(step * at - step / 2 for at in range(1, count)), float(spec.length)]
    return tuple(
        TimeSpan(spec.channels, edges[at] / spec.rate_hz, min(edges[at + 1], spec.length) / spec.rate_hz)
        for at in range(count)
    )


def whole(spec: Signal) -> TimeSpan:
    """All of a signal."""
    return TimeSpan(spec.channels, 0.0, spec.length / spec.rate_hz)
