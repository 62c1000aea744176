"""Recordings of other electrodes or another rate than a model has learnt from: what is asked of them, and what was done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid.data.spec import DataSpec, Signal
from pellucid.errors import DataError, abridged
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.electrodes import SCALP, positions

__all__ = ["NEAR_DEGREES", "brought_to", "described_as", "differences", "named", "near", "signal_of"]

NEAR_DEGREES = 30.0
"""Seen from the middle of the head. Each electrode of the 10-10 system is that near to one of the 10-20 system."""

NAMED = 6
"""Electrodes that are named where there are many."""


def brought_to(preparation: Preparation, learnt: Signal) -> Preparation:
    """The preparation that brings recordings to the electrodes and the rate that models have learnt from, slower ones too.

    Parameters
    ----------
    preparation : Preparation
        As the models' study has it.
    learnt : Signal
        What they have learnt from.
    """
    update = {"electrodes": learnt.channels, "rate_hz": learnt.rate_hz, "upsampled": True}
    return preparation.model_copy(update=update)


def signal_of(learnt: DataSpec, input: str) -> Signal:
    """The signals that models have learnt from.

    Parameters
    ----------
    learnt : DataSpec
    input : str
        Which of its inputs.

    Raises
    ------
    DataError
        If they have learnt from none of this name.
    """
    signal = learnt.inputs.get(input)
    if not isinstance(signal, Signal):
        raise DataError(f"the models have learnt from no signals {input!r}, so recordings cannot be made like theirs")
    return signal


def described_as(spec: DataSpec, learnt: DataSpec) -> DataSpec:
    """The description of data that were prepared by :func:`brought_to`: the preparation is called as the models' study has it.

    Parameters
    ----------
    spec : DataSpec
        Of the data that were prepared.
    learnt : DataSpec
        Of those that models have learnt from; inputs that it lacks stay as they are.
    """
    inputs = dict(spec.inputs)
    for name, here in inputs.items():
        there = learnt.inputs.get(name)
        if isinstance(here, Signal) and isinstance(there, Signal):
            inputs[name] = here.model_copy(update={"preparation": there.preparation})
    return spec.model_copy(update={"inputs": inputs})


def near(there: Sequence[str], wanted: Sequence[str]) -> float:
    """Share of the electrodes that are wanted to which one that is there is near, by :data:`NEAR_DEGREES`.

    Electrodes that no place on the head is known of count where they are there.

    Parameters
    ----------
    there, wanted : sequence of str
        Standard names; at least one is wanted.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> near(("F3", "F4"), ("F3", "F5", "O1", "O2"))
    0.5
    """
    known = _placed(tuple(there))
    found = np.array([name in set(there) for name in wanted])
    asked = [at for at, name in enumerate(wanted) if name in _PLACES and not found[at]]
    if asked and known:
        cosines = positions([wanted[at] for at in asked]) @ positions(known).T
        found[asked] = cosines.max(1) >= np.cos(np.deg2rad(NEAR_DEGREES))
    return float(found.mean())


_PLACES = frozenset(SCALP)


def _placed(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in _PLACES]


def differences(
    electrodes: Sequence[str], rate_hz: float, known: npt.NDArray[np.bool_], learnt: Signal, preparation: Preparation
) -> list[tuple[str, str, str]]:
    """What a recording has otherwise than models have learnt from, and what was done about it.

    Parameters
    ----------
    electrodes : sequence of str
        Good ones of the scalp, by their standard names.
    rate_hz : float
    known : ndarray of bool, shape (channel,)
        Which of the models' channels the recording has.
    learnt : Signal
    preparation : Preparation

    Returns
    -------
    list of (str, str, str)
        What, where and what was done, as findings have them; empty where a recording is as those that were learnt from.
    """
    told: list[tuple[str, str, str]] = []
    lacking = [name for name, there in zip(learnt.channels, known, strict=True) if not there]
    if lacking:
        done = "masked" if preparation.absent == "masked" else f"interpolated from {len(electrodes)}"
        told.append((f"lacks electrodes that the models read ({len(lacking)} of {len(known)})", named(lacking), done))
    more = [name for name in electrodes if name not in set(learnt.channels)]
    if more:
        used = "interpolation" if lacking and preparation.absent == "interpolated" else ""
        used = " and ".join(filter(None, ["the average reference" if preparation.reference == "average" else "", used]))
        told.append((f"has electrodes that the models do not read ({len(more)})", named(more),
                     f"used for {used} alone" if used else "not read"))  # fmt: skip
    if rate_hz != learnt.rate_hz:
        told.append(("has another rate", f"{rate_hz:g} Hz", f"resampled to {learnt.rate_hz:g} Hz"))
    return told


def named(electrodes: Sequence[str]) -> str:
    """Electrodes in words, the first ones alone where there are many.

    Parameters
    ----------
    electrodes : sequence of str
        More than :data:`NAMED` of them are abridged.

    Examples
    --------
    >>> named(["Fp1", "Fp2"]), named(list("abcdefgh"))
    ('Fp1, Fp2', 'a, b, c, d, e, f and 2 more')
    """
    return abridged(electrodes, NAMED)
