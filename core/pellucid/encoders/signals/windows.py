"""Windows of a signal that follow each other."""

from __future__ import annotations

from torch import Tensor

from pellucid.data.spec import OverTime
from pellucid.errors import StudyError


class Windows:
    """Windows of one length, rounded to whole samples, from the begin; what is left at the end belongs to none.

    Parameters
    ----------
    spec : Signal or Trajectory
    window_s : float or None
        One window, the whole signal, where there is none.
    encoder : str
        Name of who asks, for the message.

    Raises
    ------
    StudyError
        If a window is longer than the signal.
    """

    def __init__(self, spec: OverTime, window_s: float | None, encoder: str) -> None:
        self.width = spec.length if window_s is None else max(round(window_s * spec.rate_hz), 1)
        self.count = spec.length // self.width
        if not self.count:
            raise StudyError(
                f"encoder {encoder!r}: windows of {self.width / spec.rate_hz:g} s are longer than the signal of "
                f"{spec.length / spec.rate_hz:g} s"
            )
        self.begins_s = tuple(at * self.width / spec.rate_hz for at in range(self.count))

    def of(self, x: Tensor) -> Tensor:
        """Shape (..., time) to (..., window, sample of the window)."""
        return x[..., : self.count * self.width].unflatten(-1, (self.count, self.width))
