"""The record of preparation: which electrodes, filters, reference, rate and limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pellucid.data.spec import Frozen

Reference = Literal["recorded", "average"] | tuple[str, ...]
Absent = Literal["refused", "interpolated", "masked"]


class Preparation(Frozen):
    """What is done to a recording, in this order, before windows are cut out of it.

    It is part of the dataset's options, and of its description (:attr:`~pellucid.data.spec.Signal.preparation`): a run keeps
    it beside the weights, and ``pellucid evaluate`` does the same to other people's recordings.

    Parameters
    ----------
    electrodes : tuple of str
        Which, by their standard names, and in which order. Empty: those of the scalp that the dataset says.
    absent : {"refused", "interpolated", "masked"}
        What becomes of an electrode that a recording lacks, or that is bad: the recording is broken; spherical splines over
        the others (Perrin et al. 1989) stand for it; or it is 0 and masked.
    least_near : float
        Share of these electrodes that must be there, or have a neighbour that is (30 degrees on the head), for absent ones to be
        made up or masked. A recording with fewer is broken.
    high_pass_hz, low_pass_hz : float, optional
        Butterworth of order 4, forward and backward.
    line_hz : float, optional
        Hum of the mains: it and its harmonics are taken out.
    reference : {"recorded", "average"} or tuple of str
        As it was recorded; less the mean over electrodes; less the mean of those named.
    rate_hz : float, optional
        Recordings of another rate are resampled to it; slower ones are broken.
    upsampled : bool
        Whether slower recordings are brought to it too. What is new in them was made up between samples.
    baseline_s : (float, float), optional
        Start and stop, within a window, of what its mean is taken of and subtracted.
    reject_uv : float, optional
        A window in which an electrode goes from one value to another so far apart is left out, and listed.
    """

    electrodes: tuple[str, ...] = ()
    absent: Absent = "refused"
    least_near: float = Field(default=0.6, ge=0, le=1)
    high_pass_hz: float | None = Field(default=None, gt=0)
    low_pass_hz: float | None = Field(default=None, gt=0)
    line_hz: float | None = Field(default=None, gt=0)
    reference: Reference = "recorded"
    rate_hz: float | None = Field(default=None, gt=0, le=20_000)
    upsampled: bool = False
    baseline_s: tuple[float, float] | None = None
    reject_uv: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _agrees(self) -> Preparation:
        if len(set(self.electrodes)) != len(self.electrodes):
            raise ValueError("electrodes names each once")
        if self.high_pass_hz and self.low_pass_hz and self.high_pass_hz >= self.low_pass_hz:
            raise ValueError("high_pass_hz is not below low_pass_hz: nothing would be left")
        if self.baseline_s is not None and not 0 <= self.baseline_s[0] < self.baseline_s[1]:
            raise ValueError("baseline_s is a start and a later stop within the window, in seconds from its begin")
        if isinstance(self.reference, tuple) and not self.reference:
            raise ValueError('reference names electrodes, or is "recorded" or "average"')
        return self
