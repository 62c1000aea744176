"""What windows are of: stretches of time with a class, and the rule by which a window gets one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError

__all__ = ["contradictions", "labelled_events", "labels_of"]


def labelled_events(events: pd.DataFrame, classes: Mapping[str, int]) -> pd.DataFrame:
    """The events that somebody named, each once; columns ``onset_s``, ``duration_s``, ``label``.

    Descriptions are free words and end here: of what is not named nothing is kept.

    Parameters
    ----------
    events : DataFrame
        See :data:`~pellucid_eeg.recordings.recording.EVENT_COLUMNS`.
    classes : mapping of str to int
        By description, the number of its class.
    """
    named = events[events["description"].isin(list(classes))]
    found = pd.DataFrame(
        {
            "onset_s": named["onset_s"].to_numpy(np.float64),
            "duration_s": named["duration_s"].to_numpy(np.float64),
            "label": np.array([classes[one] for one in named["description"]], np.int64),
        }
    )
    return found.drop_duplicates(ignore_index=True)


def contradictions(events: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Onsets, in seconds, at which events of two classes begin; such windows would have two labels.

    Parameters
    ----------
    events : DataFrame
        ``onset_s`` and ``label``, one row an event.

    Returns
    -------
    ndarray of float64, shape (time,), s
        Empty where there is none.
    """
    several = events.groupby("onset_s")["label"].nunique()
    return several[several > 1].index.to_numpy(np.float64)


def labels_of(
    starts_s: npt.NDArray[np.float64],
    window_s: float,
    events: pd.DataFrame,
    classes: int,
    *,
    otherwise: int | None = None,
    covered: float = 0.5,
) -> npt.NDArray[np.float64]:
    """The class of each window, NaN where it has none.

    A window is of the class that covers most of it, if that is at least the share ``covered``. Stretches of one class that
    overlap count once; where two classes cover equally much, the first counts. Time that no event covers is of the class
    ``otherwise``, where there is one, and that class comes last in a draw.

    Parameters
    ----------
    starts_s : ndarray, shape (window,)
    window_s : float
    events : DataFrame
        From :func:`labelled_events`.
    classes : int
    otherwise : int, optional
        Number of a class.
    covered : float
        Above 0, at most 1.

    Raises
    ------
    DataError
        If there are events and none of them lasts: they are moments, and windows are to be cut around them.

    Examples
    --------
    >>> seizure = pd.DataFrame({"onset_s": [3.0], "duration_s": [2.0], "label": [1]})
    >>> labels_of(np.arange(0.0, 8, 2), 2.0, seizure, 2, otherwise=0).tolist()
    [0.0, 1.0, 1.0, 0.0]
    >>> labels_of(np.arange(0.0, 8, 2), 2.0, seizure, 2, otherwise=0, covered=1).tolist()
    [0.0, nan, nan, 0.0]
    """
    if len(events) and not (events["duration_s"] > 0).any():
        raise DataError(
            'the events that are named last 0 s, so that they cover nothing; cut windows around them: cut = "events"'
        )
    shares = np.zeros((classes, len(starts_s)))
    for label in events["label"].unique().tolist():
        mine = events[events["label"] == label]
        spans = _joined(mine["onset_s"].to_numpy(), (mine["onset_s"] + mine["duration_s"]).to_numpy())
        shares[label] += _inside(starts_s, window_s, spans)
    order = [label for label in range(classes) if label != otherwise]
    if otherwise is not None:
        every = _joined(events["onset_s"].to_numpy(), (events["onset_s"] + events["duration_s"]).to_numpy())
        shares[otherwise] += window_s - _inside(starts_s, window_s, every)
        order.append(otherwise)
    shares = (shares / window_s).round(9)
    best = np.array(order)[shares[order].argmax(0)] if classes else np.zeros(0, int)
    return np.where(shares[best, np.arange(len(starts_s))] >= max(covered - 1e-9, 1e-9), best, np.nan)


def _joined(starts: npt.NDArray[np.float64], stops: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Stretches without overlaps, in order."""
    out: list[tuple[float, float]] = []
    for start, stop in sorted(zip(starts.tolist(), stops.tolist(), strict=True)):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], stop))
        elif stop > start:
            out.append((start, stop))
    return out


def _inside(
    starts_s: npt.NDArray[np.float64], window_s: float, spans: Sequence[tuple[float, float]]
) -> npt.NDArray[np.float64]:
    """Seconds of each window that lie in stretches which do not overlap."""
    if not spans:
        return np.zeros(len(starts_s))
    begun, ended = (np.array(ends) for ends in zip(*spans, strict=True))
    before = np.concatenate([[0.0], np.cumsum(ended - begun)])

    def until(time_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Seconds in stretches up to a time."""
        at = np.searchsorted(begun, time_s, "right")
        last = np.maximum(at - 1, 0)
        return np.where(at > 0, before[last] + np.clip(time_s - begun[last], 0, ended[last] - begun[last]), 0.0)

    return until(starts_s + window_s) - until(starts_s)
