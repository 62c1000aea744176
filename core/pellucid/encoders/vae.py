"""What variational auto-encoders share: convolutions down to a few named units and back, and the loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.convolutions import GRIDS, Downward, Grid, Upward, grid_of
from pellucid.encoders.similarity import structural_similarity
from pellucid.encoders.window import Window, checked_window, windowed
from pellucid.errors import DataError
from pellucid.moments import Moments, by_channel
from pellucid.representation import Representation

LINEAR_RANGE_SD = 6.0
"""Range that structural similarity assumes for standardised values: from -3 to +3 standard deviations."""


class VaeConfig(EncoderConfig):
    """Settings of a variational auto-encoder.

    Parameters
    ----------
    latent : int
        Units, named ``z0``, ``z1`` ...
    width : int
        The first convolution has twice as many channels, all later ones four times as many.
    alpha : float
        Share of the absolute error in the reconstruction loss; the rest is structural dissimilarity.
    ssim_weight : float
        Weight of structural dissimilarity against the absolute error.
    beta : float
        Weight of the divergence from the prior.
    capacity : float
        Divergence in nats that costs nothing: the loss takes its distance from this value.
    output : str
        ``"sigmoid"`` for values with a lower and an upper bound, ``"linear"`` for others, which are standardised by
        channel with statistics of the training samples. ``"auto"``: linear for signals, sigmoid for images and volumes.
    window : pair of float, optional
        For a sigmoid output, the bounds, in units of the input (``(-1000, 400)`` for CT): values are clipped to them
        and mapped to 0..1. Without a window the bounds are 0 and 1, and values outside are refused.
    """

    latent: int = Field(default=16, gt=1)
    width: int = Field(default=8, gt=0)
    alpha: float = Field(default=0.5, ge=0, le=1)
    ssim_weight: float = Field(default=0.2, ge=0)
    beta: float = Field(default=1.0, ge=0)
    capacity: float = Field(default=0.0, ge=0)
    output: Literal["auto", "sigmoid", "linear"] = "auto"
    window: Window | None = None


class Vae(Encoder):
    """A convolutional variational auto-encoder over one, two or three axes.

    The loss of a sample, averaged over samples::

        alpha * mean|x' - x| + (1 - alpha) * ssim_weight * (1 - SSIM(x', x)) + beta * w * |KL - capacity|

    with ``w = latent * width / elements^2``: the published weights, divided through by ``elements / width`` so that the
    size of the loss does not depend on that of the input. The divergence is averaged over samples before its distance
    from the capacity is taken.

    In training mode the decoder sees a draw from the posterior, in evaluation mode its mean, so that a validation loss
    is not a matter of chance. An input that is missing altogether is encoded as the mean of the prior and weighs
    nothing in the loss; single masked values are read as 0 (linear: as the training mean) and their reconstruction is
    free.

    References
    ----------
    Keel et al., lung-lesion VAEs (BMVC 2023). Deviations: GroupNorm for BatchNorm, as a sample must be encoded as if it
    were alone; halving down to 4 elements an axis and one linear layer for a fixed 8 x 8 convolution, so that any size
    and any number of axes will do; no convolution at full resolution; no up-sampling beside the transposed
    convolutions; smaller by default.
    """

    tags = EncoderTags(accepts=GRIDS, trains_alone=True, decodes=True)
    config_type: ClassVar[type[VaeConfig]] = VaeConfig
    config: VaeConfig
    mean: Tensor
    scale: Tensor

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        self.grid: Grid = grid_of(spec)
        kind = "linear" if spec.channels_apart else "sigmoid"
        self.output = kind if config.output == "auto" else config.output
        self.down = Downward(self.grid, config.width)
        last = self.down.last
        self.hidden = 16 * config.width
        shape = (last.channels, *last.size)
        self.inward = nn.Sequential(nn.Flatten(), nn.Linear(last.elements, self.hidden), nn.GELU())
        widen = [nn.Linear(config.latent, self.hidden), nn.GELU(), nn.Linear(self.hidden, last.elements), nn.GELU()]
        self.outward = nn.Sequential(*widen, nn.Unflatten(1, shape))
        self.up = Upward(self.down)
        low, high = self.window = checked_window(config.window or (0.0, 1.0), self.input_name)
        linear = self.output == "linear"
        self.register_buffer("mean", torch.full((self.grid.channels,), 0.0 if linear else low))
        self.register_buffer("scale", torch.full((self.grid.channels,), 1.0 if linear else high - low))

    # --- what a posterior is ------------------------------------------------------------------------------------------

    @abstractmethod
    def posterior(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Parameters of the posterior, shape (sample, latent) each, from (sample, hidden)."""

    @abstractmethod
    def centre(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """Mean of the posterior: the values of the units, shape (sample, latent)."""

    @abstractmethod
    def draw(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """A draw that gradients pass through, shape (sample, latent)."""

    @abstractmethod
    def divergence(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """Kullback-Leibler divergence from the prior in nats, shape (sample,)."""

    @abstractmethod
    def prior_mean(self) -> float:
        """Mean of each unit under the prior."""

    def latent_input(self, values: Tensor) -> Tensor:
        """What the decoder reads; by default the values themselves."""
        return values

    # --- the encoder --------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """``z0``, ``z1`` ..."""
        return tuple(f"z{unit}" for unit in range(self.config.latent))

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and standard deviation of each channel (linear output), or check the bounds (sigmoid output).

        Raises
        ------
        DataError
            If a value lies outside 0..1 and no window is set; if nothing is known in training.
        """
        moments = Moments()
        for batch in batches:
            x, known = self.read(batch), self.known(batch)
            if self.output == "sigmoid":
                self._refuse_out_of_bounds(x if known is None else x[known])
            else:
                moments.add(by_channel(x), None if known is None else by_channel(known))
        if self.output == "linear":
            if (moments.count == 0).any():
                raise DataError(f"input {self.input_name!r}: a channel is known in no training sample")
            self.mean.copy_(moments.mean)
            self.scale.copy_(moments.deviation)

    def forward(self, batch: Batch) -> Representation:
        """Mean of the posterior of each sample."""
        values = self.centre(self._posterior(self._normal(batch)))
        there = self.present(batch)
        if there is not None:
            values = torch.where(there[:, None], values, torch.full_like(values, self.prior_mean()))
        return Representation(values, self.names)

    def loss(self, batch: Batch) -> Tensor:
        """See the class; mean over the samples whose input is there."""
        x, known, there = self._normal(batch), self.known(batch), self.present(batch)
        posterior = self._posterior(x)
        again = self._decode(self.draw(posterior) if self.training else self.centre(posterior))
        # What nobody measured is what the decoder says: it costs nothing in either term.
        x = x if known is None else torch.where(known, x, again)
        config = self.config
        error = (again - x).abs().flatten(1).mean(1)
        likeness = structural_similarity(again, x, 1.0 if self.output == "sigmoid" else LINEAR_RANGE_SD)
        recovery = config.alpha * error + (1 - config.alpha) * config.ssim_weight * (1 - likeness)
        weight = config.latent * config.width / self.grid.elements**2
        divergence = self.divergence(posterior)
        if there is not None:
            share = there.to(error.dtype) / there.sum().clamp(min=1)
            return (recovery * share).sum() + config.beta * weight * (
                (divergence * share).sum() - config.capacity
            ).abs()
        return recovery.mean() + config.beta * weight * (divergence.mean() - config.capacity).abs()

    def decode(self, values: Tensor) -> Tensor:
        """What the values stand for, in units of the input, shape ``(sample, *input shape)``."""
        return self._decode(values) * self._by_channel(self.scale) + self._by_channel(self.mean)

    # --- between ------------------------------------------------------------------------------------------------------

    def _posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.posterior(self.inward(self.down(x)))

    def _decode(self, values: Tensor) -> Tensor:
        raw = self.up(self.outward(self.latent_input(values)))
        return raw.sigmoid() if self.output == "sigmoid" else raw

    def _normal(self, batch: Batch) -> Tensor:
        x, known = self.read(batch), self.known(batch)
        linear = self.output == "linear"
        x = (x - self._by_channel(self.mean)) / self._by_channel(self.scale) if linear else windowed(x, self.window)
        return x if known is None else torch.where(known, x, torch.zeros_like(x))

    def _by_channel(self, numbers: Tensor) -> Tensor:
        return numbers.reshape(-1, *[1] * len(self.grid.size))

    def _refuse_out_of_bounds(self, x: Tensor) -> None:
        if self.config.window is not None or x.numel() == 0:
            return
        low, high = float(x.min()), float(x.max())
        # Resampled masks may overshoot by rounding.
        if low < -1e-4 or high > 1 + 1e-4:
            raise DataError(
                f"input {self.input_name!r} reaches from {low:g} to {high:g}, but a sigmoid output gives 0 to 1: "
                'set `window = [low, high]` in units of the input, or `output = "linear"`'
            )
