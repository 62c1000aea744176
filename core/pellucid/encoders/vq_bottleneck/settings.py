"""Settings of the causal transformer with discrete bottlenecks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pellucid.encoders.base import EncoderConfig
from pellucid.encoders.quantiser import QuantiserSettings


class VqBottleneckConfig(EncoderConfig, QuantiserSettings):
    """Settings of :class:`~pellucid.encoders.vq_bottleneck.encoder.VqBottleneck`.

    Parameters
    ----------
    codes, start, codebook_weight, commitment, restart_share, restart_steps
        Of each bottleneck; see :class:`~pellucid.encoders.quantiser.QuantiserSettings`.
    bottlenecks : int
        Codebooks side by side: each step has a code in every one of them, and all that is forecast goes through these.
    ahead : int
        How many steps are forecast from each code. One step may let places that look alike share a code; the steps behind it tell
        them apart.
    width : int
        Of each step in the transformer, and of all code vectors of a step together.
    depth, heads : int
    feed_forward : int, optional
        Width of its hidden layers; by default four times ``width``.
    dropout : float
    hands_on : {"shares", "forecasts"}
        What a sample's values are: the share of steps in each code, or what is forecast behind its last step.
    """

    codes: int = Field(default=128, ge=2)
    restart_steps: int = Field(default=100, ge=0)
    bottlenecks: int = Field(default=1, ge=1, le=16)
    ahead: int = Field(default=3, ge=1, le=32)
    width: int = Field(default=64, ge=1)
    depth: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    feed_forward: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    hands_on: Literal["shares", "forecasts"] = "shares"
