"""Recordings that are open already, for models of trials that were not cut out of recordings: one epoch, one trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data.spec import DataSpec
from pellucid_eeg.preparing.montage import signal_of
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.windows.dataset import INPUT, Windows
from pellucid_eeg.windows.like import brought
from pellucid_eeg.windows.settings import WindowsConfig

__all__ = ["OpenTrials"]

Covariates = Callable[[npt.NDArray[np.float32]], dict[str, npt.NDArray[np.float64]]]
"""Windows, shape (window, electrode, time), uV, to columns of the frame, shape (window,) each."""


class OpenTrials(Windows):
    """Trials out of open recordings, for models of a dataset that has no recordings to cut."""

    @classmethod
    def like(
        cls, objects: Any, preparation: Preparation, learnt: DataSpec, covariates: Covariates | None = None
    ) -> OpenTrials:
        """Windows without labels, brought to the electrodes, the rate and the length that models have learnt from.

        Epochs give one each, from their time 0 on, or as they are where they are as long; other recordings give window after
        window. Findings say what was done.

        Parameters
        ----------
        objects : EegRecording, mne.io.Raw, mne.Epochs, ndarray, Path, or a list of these
            See :func:`~pellucid_eeg.windows.given.given_recordings`.
        preparation : Preparation
            As the models' study has it.
        learnt : DataSpec
            With signals called ``eeg``.
        covariates : callable, optional
            Makes the dataset's covariates; NaN without it.

        Raises
        ------
        DataError
            If no recording can be made from an object, electrodes are too few, its values cannot be microvolts, or no window is
            left.
        """
        signal = signal_of(learnt, INPUT)
        config = brought(
            WindowsConfig(preparation=preparation, window_s=signal.length / signal.rate_hz, namespace=learnt.namespace),
            signal,
        )
        made: OpenTrials = cls._told(cls._of_objects(learnt.name, objects, config, None), config, learnt)
        columns: dict[str, Any] = {group: made.frame["subject"] for group in learnt.groups}
        columns |= dict.fromkeys(learnt.covariates.names if learnt.covariates else (), np.nan)
        if covariates is not None:
            columns |= covariates(made.read(np.arange(len(made))).inputs[INPUT])
        made.frame = made.frame.assign(**columns)
        made.spec = learnt.model_copy(update={"inputs": made.spec.inputs, "targets": {}, "concepts": None})
        made.check()
        return made
