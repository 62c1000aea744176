"""How a view draws many stretches of a signal as one picture: what is averaged over them, and how the means are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.regions import FrequencyBand, TimeSpan
from pellucid.views.contract import Drawing, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data.spec import Signal

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of signals over time, so that it can be averaged.

    Parameters
    ----------
    values : ndarray, shape (signal, level, column)
        NaN where a signal says nothing.
    levels : ndarray, shape (level,)
        What stands along the other axis (frequencies).
    times_s : ndarray, shape (column,)
        Middle of each column, from the start of the signal; evenly apart.
    """

    values: Floats
    levels: Floats
    times_s: Floats


@dataclass(frozen=True, eq=False)
class MeanStretch:
    """The mean of many stretches, ready to be drawn.

    Parameters
    ----------
    mean : ndarray, shape (level, column)
        NaN where no stretch says anything.
    usual : ndarray, shape (level,)
        The mean over whatever was at hand, at all times.
    levels : ndarray, shape (level,)
    times_s : ndarray, shape (column,)
        From the start of the sample where a stretch is all of its time, else from the start of what is covered.
    covered : TimeSpan or FrequencyBand
        What the stretches have in common, without channels.
    caption : str
    """

    mean: Floats
    usual: Floats
    levels: Floats
    times_s: Floats
    covered: TimeSpan | FrequencyBand
    caption: str = ""


@dataclass(frozen=True)
class DrawsStretches:
    """What a view does with many stretches of an input.

    Parameters
    ----------
    measure : callable
        From signals, shape (signal, time), NaN where a value is not known, and the spec to :class:`Measured`.
    draw : callable
        Draws means into axes, one each, on one scale.
    about : callable
        What is drawn, in a sentence, from the spec.
    """

    measure: Callable[[Floats, Signal], Measured]
    draw: Callable[[Sequence[Axes], Sequence[MeanStretch]], None]
    about: Callable[[Signal], str]


def with_stretches(draws: DrawsStretches) -> Callable[[Drawing], Drawing]:
    """Say how many stretches of what this view draws are drawn as one picture.

    Examples
    --------
    >>> draws = DrawsStretches(lambda x, spec: None, lambda axes, means: None, lambda spec: "Loudness.")
    >>> @with_stretches(draws)
    ... def traces(ax, values, spec, shown): ...
    >>> stretches_of(traces) is draws
    True
    """

    def said(view: Drawing) -> Drawing:
        view.stretches = draws  # type: ignore[attr-defined]
        return view

    return said


def stretches_of(view: View | Any) -> DrawsStretches | None:
    """How a view draws many stretches, if it says so."""
    return getattr(view, "stretches", None)
