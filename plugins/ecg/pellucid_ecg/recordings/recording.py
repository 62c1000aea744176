"""A recording: signals of named leads over time, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError


@dataclass(frozen=True, eq=False)
class EcgRecording:
    """Signals of one electrocardiogram.

    Parameters
    ----------
    signals : ndarray of float32, shape (lead, time)
        In ``units``; 0 where nothing is known.
    leads : tuple of str
        One name a row, as the file gives them.
    rate_hz : float
    units : str
        ``"mV"`` unless the file says otherwise.
    known : ndarray of bool, shape (lead, time), optional
        False where the file marks a sample as missing; None where every sample is there.
    name : str
        Record name, for messages.

    Raises
    ------
    DataError
        If shapes disagree, a known value is not finite, or rate or unit are none.
    """

    signals: npt.NDArray[np.float32]
    leads: tuple[str, ...]
    rate_hz: float
    units: str = "mV"
    known: npt.NDArray[np.bool_] | None = None
    name: str = "recording"

    def __post_init__(self) -> None:
        if not isinstance(self.signals, np.ndarray) or self.signals.dtype.kind not in "iuf":
            raise DataError(f"{self.name}: signals are no array of real numbers; give one of shape (lead, time)")
        if np.ma.isMaskedArray(self.signals):
            raise DataError(
                f"{self.name}: a masked array; give its values as signals and where they are known as known"
            )
        if not isinstance(self.rate_hz, int | float | np.number) or not 0 < self.rate_hz < np.inf:
            raise DataError(f"{self.name}: a rate of {self.rate_hz!r} Hz; give a number above 0")
        if not isinstance(self.units, str) or not self.units:
            raise DataError(f"{self.name}: it does not say in which unit its values are; give mV, or what they are in")
        if self.signals.ndim != 2 or len(self.leads) != len(self.signals):
            raise DataError(
                f"{self.name}: signals of shape {self.signals.shape} for {len(self.leads)} leads; expected (lead, time)"
            )
        if self.known is not None and self.known.shape != self.signals.shape:
            raise DataError(
                f"{self.name}: a mask of shape {self.known.shape} for signals of shape {self.signals.shape}"
            )
        if not np.isfinite(self.signals).all():
            raise DataError(
                f"{self.name}: signals hold NaN or infinity; mark missing samples in the mask and set them to 0"
            )

    @property
    def length(self) -> int:
        """Samples a lead."""
        return int(self.signals.shape[1])

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.length / self.rate_hz
