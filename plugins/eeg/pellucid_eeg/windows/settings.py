"""Options that every dataset of windows has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pellucid.data.spec import Frozen
from pellucid_eeg.preparing.record import Preparation

__all__ = ["WindowsConfig"]


class WindowsConfig(Frozen):
    """Options of every dataset of windows.

    A fixed window is of the class that covers most of it, if that is at least the share ``covered``; else it is left out, and
    how many were is listed. No window crosses an interruption of its recording, or a missing sample.

    Parameters
    ----------
    preparation : Preparation
        What is done to each recording before windows are cut. Without ``electrodes`` in it those of the scalp are taken that
        all recordings have.
    window_s : float
    cut : {"fixed", "events"}
        Windows one after the other, or one for each named event.
    step_s : float, optional
        From the beginning of a fixed window to that of the next; the length of a window by default.
    onset_s : float
        Where a window begins, in seconds from its event.
    covered : float
        Share of a fixed window that its class covers at least.
    precision : {"float32", "float16"}
        Of what is kept: float16 takes half the room, has steps of a 2,000th of a value, and ends at 65,504 uV.
    unit_where_unknown : {"", "uV", "mV", "V"}
        What channels are in whose file does not say it.
    doubtful_units : {"refused", "kept"}
        What becomes of a recording whose amplitudes cannot be microvolts.
    skip_broken : bool
        Leave out recordings that cannot be used and list them, instead of refusing all.
    cache : bool
        Whether what was prepared is kept between runs.
    namespace : str
        Where names of people come from; give the data of one hospital one name.
    """

    preparation: Preparation = Preparation()
    window_s: float = Field(default=2.0, gt=0, le=3600)
    cut: Literal["fixed", "events"] = "fixed"
    step_s: float | None = Field(default=None, gt=0)
    onset_s: float = 0.0
    covered: float = Field(default=0.5, gt=0, le=1)
    precision: Literal["float32", "float16"] = "float32"
    unit_where_unknown: Literal["", "uV", "mV", "V"] = ""
    doubtful_units: Literal["refused", "kept"] = "refused"
    skip_broken: bool = False
    cache: bool = True
    namespace: str = Field(default="eeg", min_length=1)

    @model_validator(mode="after")
    def _windows_agree(self) -> WindowsConfig:
        if self.cut == "events" and self.step_s is not None:
            raise ValueError('step_s is for cut = "fixed"; around events there is one window for each')
        if self.cut == "fixed" and self.onset_s:
            raise ValueError('onset_s is for cut = "events"; fixed windows begin where the recording does')
        return self
