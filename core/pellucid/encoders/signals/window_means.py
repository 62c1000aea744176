"""Means over short windows: the plainest way to read a signal or a trajectory, with units that anybody can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.signals.timed import OVER_TIME, over_time
from pellucid.encoders.signals.windows import Windows
from pellucid.representation import Representation


class WindowMeansConfig(EncoderConfig):
    """Settings of :class:`WindowMeans`.

    Parameters
    ----------
    window_s : float
        Length of the windows in seconds, rounded to whole samples; what is left at the end belongs to none.
    """

    window_s: float = Field(default=0.032, gt=0)


class WindowMeans(Encoder):
    """Mean of each channel over each window; a unit is called after both (``"Pz 0.288 s"`` begins at 288 ms).

    With a linear head it is the classifier of event-related responses that networks have to beat: its weights are a map over
    channels and time. A mean is taken over the samples that are known, and is 0 where none is.

    References
    ----------
    Blankertz et al. (2011), doi:10.1016/j.neuroimage.2010.06.048, without their choice of intervals and their shrinkage.
    """

    tags = EncoderTags(accepts=OVER_TIME)
    config_type = WindowMeansConfig
    config: WindowMeansConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on a short signal."""
        return {"window_s": 0.1}

    @classmethod
    def unit(cls, options: Mapping[str, Any]) -> str:
        """That of the signal."""
        return "{}"

    def __init__(self, config: WindowMeansConfig) -> None:
        super().__init__()
        self.config = config
        self.spec = over_time(config.inputs)
        self.windows = Windows(self.spec, config.window_s, "window-means")

    @property
    def names(self) -> tuple[str, ...]:
        """Channel, and when the window begins."""
        begins = self.windows.begins_s
        return tuple(f"{channel} {begin:.3f} s" for channel in self.spec.channels for begin in begins)

    def forward(self, batch: Batch) -> Representation:
        """Means, channel after channel."""
        x, known = self.windows.of(self.read(batch)), self.known(batch)
        if known is None:
            return Representation(x.mean(-1).flatten(1), self.names)
        there = self.windows.of(known).to(x.dtype)
        means = (x * there).sum(-1) / there.sum(-1).clamp(min=1)
        return Representation(means.flatten(1), self.names)
