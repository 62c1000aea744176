"""Settings of the almost-linear recurrent network."""

from __future__ import annotations

from pydantic import Field

from pellucid.encoders.base import EncoderConfig

MOST_RECTIFIED = 6
"""Rectified units, of which every further one doubles the regions: 64 are more than anybody reads."""

USUAL_LATENT = 20
"""States where nobody says how many, or twice as many as channels where these are more than half of it."""


class AlRnnConfig(EncoderConfig):
    """Settings of :class:`~pellucid.encoders.alrnn.encoder.AlRnn`.

    Parameters
    ----------
    latent : int, optional
        Units of the state, at least as many as channels, which are the first of them. With no more than channels, what is rectified can
        not be seen by the others: give one more for each rectified unit at least. By default 20, or twice as many as channels.
    rectified : int
        Of these, the last ones that are rectified: the state space falls into two to the power of it linear pieces at most. 0 for a
        linear model.
    forcing_steps : int
        While it learns, the channels' units are replaced by the data every so many steps; in between it must go on by itself.
    weight_scale : float
        Standard deviation of the weights before anything is learnt. Small states rarely find what is not linear from 0.01; one over the
        root of their number does better.
    noise : float
        Standard deviation of the noise on what it is shown while it learns, in standard deviations of the data.
    """

    latent: int | None = Field(default=None, ge=1)
    rectified: int = Field(default=2, ge=0, le=MOST_RECTIFIED)
    forcing_steps: int = Field(default=16, ge=1)
    weight_scale: float = Field(default=0.01, gt=0)
    noise: float = Field(default=0.05, ge=0)
