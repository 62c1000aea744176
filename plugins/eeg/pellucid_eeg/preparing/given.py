"""Recordings that somebody has open, as samples that a model can read: windows of its length, electrodes and rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.data.arrays import ArrayDataset
from pellucid.data.samples import Finding
from pellucid.data.spec import DataSpec, Signal
from pellucid.data.subjects import pseudonym
from pellucid.errors import DataError
from pellucid_eeg.preparing.applying import Prepared, prepare, windows_of
from pellucid_eeg.preparing.montage import asked_of, described_as, differences, scalp_of
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.foreign import is_epochs
from pellucid_eeg.recordings.objects import recording_of
from pellucid_eeg.recordings.recording import EegRecording
from pellucid_eeg.recordings.units import unit_doubt

__all__ = ["samples_of"]

Covariates = Callable[[npt.NDArray[np.float32]], dict[str, npt.NDArray[np.float64]]]
"""Windows, shape (window, electrode, time), to columns of the frame, shape (window,) each."""


def samples_of(
    objects: Any, learnt: DataSpec, input: str, preparation: Preparation, covariates: Covariates | None = None
) -> ArrayDataset:
    """Samples without labels, brought to what models have learnt from.

    Epochs give one sample each, from their time 0 on (from their first sample, where they begin later); other recordings give
    window after window, and what is left at the end of a stretch is in none.

    Parameters
    ----------
    objects : EegRecording, mne.io.Raw, mne.Epochs or path of a file; or a list of these
        For an array see :func:`~pellucid_eeg.recordings.objects.recording_of`.
    learnt : DataSpec
    input : str
        Which of its inputs they are.
    preparation : Preparation
        As the models' study has it.
    covariates : callable, optional
        Makes the dataset's covariates; NaN without it.

    Raises
    ------
    DataError
        If no recording can be made from an object, electrodes are too few, samples are missing, its values cannot be microvolts, or
        it is shorter than a window.
    """
    signal = learnt.inputs[input]
    assert isinstance(signal, Signal)
    several = list(objects) if isinstance(objects, list | tuple) else [objects]
    if not several:
        raise DataError("nothing to read: no recordings were given")
    asked, windows, known, rows, findings = asked_of(preparation, signal), [], [], [], []
    for number, one in enumerate(several, 1):
        recording = recording_of(one, name=f"given-{number}")
        called = f"given-{number}"
        told: dict[tuple[str, str, str], None] = {}
        for sample, found, prepared in _windows(recording, is_epochs(one), signal, asked, called):
            told |= dict.fromkeys(differences(prepared.good, recording.rate_hz, prepared.there, signal, preparation))
            window, usable = windows_of(found[None], signal.rate_hz, asked)
            if not usable[0]:
                findings.append(Finding(sample, f"swings by more than {preparation.reject_uv:g} uV", "", "left out"))
                continue
            windows.append(window[0])
            known.append(prepared.known)
            rows.append((sample, recording.subject or pseudonym(called, learnt.namespace)))
        findings += [Finding(called, *one_told) for one_told in told]
    if not windows:
        raise DataError("no window is left; raise reject_uv")
    return _dataset(np.stack(windows), np.stack(known), rows, findings, described_as(learnt, learnt), input, covariates)


def _dataset(
    windows: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], rows: list[tuple[str, str]], findings: list[Finding],
    learnt: DataSpec, input: str, covariates: Covariates | None,
) -> ArrayDataset:  # fmt: skip
    columns: dict[str, Any] = {column: [who for _, who in rows] for column in learnt.groups}
    columns |= dict.fromkeys(learnt.covariates.names if learnt.covariates else (), np.nan)
    frame = pd.DataFrame(columns, index=pd.Index([sample for sample, _ in rows], name="sample"))
    if covariates is not None:
        frame = frame.assign(**covariates(windows))
    masks = {} if known.all() else {input: np.repeat(known[:, :, None], windows.shape[-1], axis=2)}
    spec = learnt.model_copy(update={"inputs": {input: learnt.inputs[input]}, "targets": {}, "concepts": None})
    made = ArrayDataset(spec, frame, {input: windows}, masks)
    made.findings = tuple(findings)
    return made


def _windows(
    recording: EegRecording, epochs: bool, signal: Signal, preparation: Preparation, called: str
) -> Iterator[tuple[str, npt.NDArray[np.float32], Prepared]]:
    """Windows of one recording, by name; each stretch is prepared as a whole."""
    references = preparation.reference if isinstance(preparation.reference, tuple) else ()
    rows = scalp_of(recording.channels, called, references=references)
    bad = [name for name, row in rows.items() if recording.channels[row] in recording.bad_channels]
    zeros = recording.events["onset_s"].to_numpy()
    none = True
    for number, stretch in enumerate(recording.segments):
        values = recording.samples_uv(stretch.start, stretch.stop)[list(rows.values())]
        if np.isnan(values).any():
            raise DataError(f"{called}: samples are missing in it; fill or cut out the gaps first")
        flat = [name for name, one in zip(rows, values, strict=True) if np.ptp(one) == 0]
        low, high = np.percentile(values, [25, 75], axis=1)
        if doubt := unit_doubt(high - low, tuple(rows)):
            raise DataError(
                f"{called}: amplitudes cannot be microvolts: {doubt}. Give its values in the unit that it says, which is V in mne"
            )
        done = prepare(values, tuple(rows), recording.rate_hz, preparation, signal.channels, tuple({*bad, *flat}))
        length, begin = signal.length, 0
        if epochs:
            begin = max(round((float(zeros[number]) - stretch.onset_s) * signal.rate_hz), 0)
        count = (done.signals_uv.shape[1] - begin) // length
        for at in range(min(count, 1) if epochs else count):
            start = begin + at * length
            name = f"{called}-{number + 1:04d}" if epochs else f"{called}-{start / signal.rate_hz + stretch.onset_s:g}s"
            none = False
            yield name, done.signals_uv[:, start : start + length], done
    if none:
        raise DataError(
            f"{called}: is shorter than the {signal.length / signal.rate_hz:g} s that the models read"
            f"{' from time 0 on' if epochs else ' without interruption'}"
        )
