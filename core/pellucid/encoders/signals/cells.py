"""Cells of time: which seconds of a signal each position of a network's last layer stands for."""

from __future__ import annotations

from pellucid.data.spec import OverTime
from pellucid.regions import Region


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


def cells(spec: OverTime, halvings: int) -> tuple[Region, ...]:
    """The seconds that each cell stands for: side by side, with no gap.

    Layers that halve time with an odd kernel and even padding put cell ``i`` over sample ``i * 2**halvings``, so its span
    lies around that sample; the first and the last one are cut by the ends of the signal. A cell has seen some of its
    surroundings too.

    Examples
    --------
    >>> from pellucid.data.inputs import Signal
    >>> spec = Signal(channels=("I",), length=1000, rate_hz=100.0, units="mV")
    >>> spans = cells(spec, 5)
    >>> [(span.start_s, span.stop_s) for span in spans[:2]], spans[-1].stop_s
    ([(0.0, 0.16), (0.16, 0.48)], 10.0)
    """
    step, count = 2**halvings, count_of(spec.length, halvings)
    # A last cell whose middle is the last sample of all would be half as wide as the rest; it is kept all the same.
    edges = [0.0, *(step * at - step / 2 for at in range(1, count)), float(spec.length)]
    ends = [min(edge, float(spec.length)) for edge in edges[1:]]
    return spec.regions([list(zip(edges[:-1], ends, strict=True))])


def whole(spec: OverTime) -> Region:
    """All of a signal."""
    return spec.region((slice(None), slice(None)))
