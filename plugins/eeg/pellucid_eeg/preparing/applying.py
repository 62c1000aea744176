"""Preparation of one recording, and of the windows that are cut out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError, nearest
from pellucid.signals.filters import check_edges, check_length, filtered, without_line
from pellucid.signals.resampling import resampled
from pellucid_eeg.preparing.montage import named, near
from pellucid_eeg.preparing.record import Preparation


@dataclass(frozen=True, eq=False)
class Prepared:
    """A recording after its preparation.

    Parameters
    ----------
    signals_uv : ndarray, float32, shape (electrode, time)
        0 where nothing is known.
    known : ndarray of bool, shape (electrode,)
    rate_hz : float
    done : tuple of str
        What was done about electrodes, in words; empty where all were there.
    good : tuple of str
        Electrodes that were there and of use.
    there : ndarray of bool, shape (electrode,)
        Which were there themselves, and not made up.
    """

    signals_uv: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    rate_hz: float
    done: tuple[str, ...]
    good: tuple[str, ...]
    there: npt.NDArray[np.bool_]


def prepare(
    signals_uv: npt.NDArray[np.floating],
    electrodes: Sequence[str],
    rate_hz: float,
    preparation: Preparation,
    wanted: Sequence[str],
    bad: Sequence[str] = (),
) -> Prepared:
    """Prepare one recording.

    Parameters
    ----------
    signals_uv : ndarray, shape (electrode, time), uV
    electrodes : sequence of str
        Standard names, one a row; those that are not wanted serve reference and interpolation, and are left out then.
    rate_hz : float
    preparation : Preparation
    wanted : sequence of str
        Which electrodes come out, in this order.
    bad : sequence of str
        Electrodes that are there and of no use.

    Raises
    ------
    DataError
        If an electrode is absent that may not be, a reference is not there, or a filter does not fit the rate or length.
    """
    good = [at for at, name in enumerate(electrodes) if name not in set(bad)]
    names = [electrodes[at] for at in good]
    signals: npt.NDArray[np.floating] = np.asarray(signals_uv, np.float64)[good]
    signals = filtered(signals, rate_hz, high_pass_hz=preparation.high_pass_hz, low_pass_hz=preparation.low_pass_hz)
    if preparation.line_hz is not None:
        signals = without_line(signals, rate_hz, preparation.line_hz)
    signals = signals - _reference(signals, names, preparation)
    if preparation.rate_hz is not None:
        signals = resampled(signals, rate_hz, preparation.rate_hz)[0]
    found = {name: row for row, name in enumerate(names)}
    out = np.zeros((len(wanted), signals.shape[1]), np.float32)
    known = np.array([name in found for name in wanted])
    out[known] = signals[[found[name] for name in wanted if name in found]]
    done: tuple[str, ...] = ()
    there = known.copy()
    if not known.all():
        lacking = [name for name, there in zip(wanted, known, strict=True) if not there]
        done = (_make_up(out, known, lacking, signals, names, wanted, preparation),)
        if preparation.absent == "interpolated":
            known = np.ones(len(wanted), bool)
    return Prepared(out, known, preparation.rate_hz or rate_hz, done, tuple(names), there)


def refuse_unfit(preparation: Preparation, rate_hz: float, samples: int | None = None) -> None:
    """Refuse settings that no recording of a rate can have.

    Parameters
    ----------
    preparation : Preparation
    rate_hz : float
        As it was recorded.
    samples : int, optional
        How many a recording has, where that is known.

    Raises
    ------
    DataError
        Names the setting, and the rate.
    """
    asked = {"high_pass_hz": preparation.high_pass_hz, "low_pass_hz": preparation.low_pass_hz}
    check_edges({name: hz for name, hz in asked.items() if hz is not None}, rate_hz)
    if preparation.line_hz is not None:
        check_edges({"line_hz": preparation.line_hz}, rate_hz)
    if preparation.high_pass_hz is not None and samples is not None:
        check_length(samples, rate_hz, preparation.high_pass_hz)
    wanted = preparation.rate_hz
    if wanted is not None and wanted > rate_hz and not preparation.upsampled:
        raise DataError(
            f"rate_hz = {wanted:g} asks for more than the {rate_hz:g} samples a second that were recorded: nothing faster than "
            f"{rate_hz / 2:g} Hz would be in them. Ask for {rate_hz:g} Hz or less, or say that it is meant: upsampled = true"
        )


def windows_of(
    windows_uv: npt.NDArray[np.float32], rate_hz: float, preparation: Preparation
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Windows less their baselines, and which of them may be used.

    Parameters
    ----------
    windows_uv : ndarray, shape (window, electrode, time)
    rate_hz : float
    preparation : Preparation
    """
    if preparation.baseline_s is not None:
        start, stop = (round(one * rate_hz) for one in preparation.baseline_s)
        if not 0 <= start < stop <= windows_uv.shape[-1]:
            raise DataError(
                f"baseline_s {preparation.baseline_s} is not within a window of {windows_uv.shape[-1] / rate_hz:g} s"
            )
        windows_uv = windows_uv - windows_uv[..., start:stop].mean(-1, keepdims=True)
    if preparation.reject_uv is None:
        return windows_uv, np.ones(len(windows_uv), bool)
    return windows_uv, np.ptp(windows_uv, axis=-1).max(-1) <= preparation.reject_uv


def _reference(
    signals: npt.NDArray[np.floating], names: list[str], preparation: Preparation
) -> npt.NDArray[np.floating]:
    if preparation.reference == "recorded":
        return np.zeros(1)
    if preparation.reference == "average":
        return signals.mean(0)
    for name in preparation.reference:
        if name not in names:
            raise DataError(f"the reference {name!r} is not among its good electrodes{nearest(name, names)}")
    return signals[[names.index(name) for name in preparation.reference]].mean(0)


def _make_up(
    out: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], lacking: list[str], signals: npt.NDArray[np.floating],
    names: list[str], wanted: Sequence[str], preparation: Preparation,
) -> str:  # fmt: skip
    """Fill the rows of electrodes that are not there; what was done, in words."""
    some = named(lacking)
    if preparation.absent == "refused":
        raise DataError(
            f"electrodes {some} are not there, or bad; ask for those that every recording has (option electrodes), or say "
            'what stands for them: absent = "interpolated" or "masked"'
        )
    share = near(names, wanted)
    if share < preparation.least_near:
        raise DataError(
            f"only {share:.0%} of the {len(wanted)} electrodes that are asked for are there or have a neighbour that is, of "
            f"{len(names)} good ones; {preparation.least_near:.0%} are the least (least_near). From so few the others cannot be told"
        )
    if preparation.absent == "masked":
        if not known.any():
            raise DataError(
                f"none of the {len(wanted)} electrodes that are asked for is there, so that all would be masked; let the others tell "
                'what they read: absent = "interpolated"'
            )
        return f"{some} masked"
    from pellucid_eeg.preparing.splines import spline_weights

    out[~known] = spline_weights(tuple(names), tuple(lacking)) @ signals
    return f"{some} interpolated from {len(names)} electrodes"
