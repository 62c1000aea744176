"""EEGFormer: the spectrum of each channel as codes of a learnt codebook, learnt without labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Signal
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.quantiser import Quantised, QuantiserSettings, VectorQuantiser
from pellucid.errors import StudyError
from pellucid.regions import FrequencyBand
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid_eeg.encoders.spectra import amplitudes, bands, count_of, patches, standardised
from pellucid_eeg.examples import example


class EegFormerConfig(EncoderConfig, QuantiserSettings):
    """Settings of :class:`EegFormer`.

    Parameters
    ----------
    patch, stride : int
        Bins of a patch, and from one patch to the next. A bin is as wide as one over the length of the window: 0.25 Hz for four
        seconds.
    log : bool
        Whether ``log(1 + amplitude)`` is encoded and reconstructed, so that peaks do not outweigh all else.
    width, depth, heads, feed_forward : int
        Of the encoder: values of a latent, layers, heads of each, and hidden units of each layer.
    decoder_depth : int
        Layers of the decoder.
    dropout : float
        Share of values that are silent in a training step.
    amplitude : bool
        Whether the logarithm of each channel's size is among the units, which the codes do not know.
    """

    patch: int = Field(default=64, ge=1)
    stride: int = Field(default=64, ge=1)
    log: bool = False
    width: int = Field(default=128, ge=1)
    depth: int = Field(default=6, ge=1)
    heads: int = Field(default=8, ge=1)
    feed_forward: int = Field(default=512, ge=1)
    decoder_depth: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    amplitude: bool = False


class EegFormer(Encoder):
    """Patches of each channel's amplitude spectrum, encoded by a transformer and replaced by codes.

    Each channel is taken to mean 0 and variance 1 and encoded by itself, so the order and the number of channels do not matter,
    and how large a signal is does not either (``amplitude`` adds it). Units are the mean over channels and patches of the
    vectors of the codes: a linear head on them is the published linear probe. Tokens are the patches, channel by channel, each
    with its code; a token covers a band of frequency and the whole of the time. Phases are lost: a wave and the same wave later
    look alike, and nothing can be turned back into a signal.

    It learns alone, by reconstructing the spectrum from codes. A channel of which nothing is known has no codes and no part in
    units and loss; single unknown values are read as the channel's mean.

    References
    ----------
    Chen et al. (2024), EEGFormer, arXiv 2401.10278. Deviations: one-sided spectra, whose other half says the same; spectra
    scaled so that white noise has mean square 1; codes begin as latents, and are put elsewhere where they are hardly used.
    Not published, so ours: patches of 64 bins without overlap, the width of layers, 8 heads, GELU, no dropout, commitment 0.25.
    """

    tags = EncoderTags(accepts=("signal",), trains_alone=True, gives_codes=True)
    patch_axis = "frequency (Hz)"
    patch_values = "amplitude (white noise: 1)"
    config_type = EegFormerConfig
    config: EegFormerConfig

    def __init__(self, config: EegFormerConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Signal)
        self.spec = spec
        if config.width % config.heads:
            raise StudyError(
                f"encoder 'eegformer': a width of {config.width} cannot be shared by {config.heads} heads; give a multiple"
            )
        if config.stride > config.patch:
            raise StudyError(
                f"encoder 'eegformer': with a stride of {config.stride} and patches of {config.patch} bins, frequencies between "
                "patches would be seen by none; give a stride of at most a patch"
            )
        self.bins = spec.length // 2 + 1
        self.count = count_of(self.bins, config.patch, config.stride)
        self.inward = nn.Linear(config.patch, config.width)
        self.places = nn.Parameter(0.02 * torch.randn(self.count, config.width))
        self.encoder = self._layers(config.depth)
        self.quantiser = VectorQuantiser(config.width, config)
        self.decoder = self._layers(config.decoder_depth)
        self.outward = nn.Linear(config.width, config.patch)

    def _layers(self, depth: int) -> nn.Sequential:
        config = self.config
        return nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    config.width, config.heads, config.feed_forward, config.dropout, "gelu", batch_first=True
                )
                for _ in range(depth)
            )
        )

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up trials."""
        return example()

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on a few of them."""
        return {
            "width": 16,
            "depth": 1,
            "heads": 2,
            "feed_forward": 32,
            "codes": 16,
            "decoder_depth": 1,
            "patch": 16,
            "stride": 16,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """``q0``, ``q1`` ..., and with ``amplitude`` ``log rms F3`` ..., the logarithm of one plus the size in units of the signal."""
        sizes = tuple(f"log rms {channel}" for channel in self.spec.channels) if self.config.amplitude else ()
        return tuple(f"q{unit}" for unit in range(self.config.width)) + sizes

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the patches of the first channel from low to high frequencies, then those of the second ..."""
        count = self.count * len(self.spec.channels)
        shape = TokenShape(count=count, width=self.config.width, codebook=self.config.codes, line=self.count)
        return {"": shape}

    def regions(self) -> tuple[FrequencyBand, ...]:
        """The band of each token."""
        return bands(self.spec, self.config.patch, self.config.stride)

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Let codes begin as latents of training samples."""
        self.eval()
        self.quantiser.begin(self._latents(batches))

    @torch.no_grad()
    def _latents(self, batches: Iterable[Batch]) -> Iterator[Tensor]:
        for batch in batches:
            x, _, there = standardised(self.read(batch), self.known(batch))
            yield self.latents(self.spectrum(x))[there].flatten(0, 1)

    def settle(self) -> None:
        """Put codes that are hardly used elsewhere."""
        self.quantiser.settle()

    def spectrum(self, x: Tensor) -> Tensor:
        """What is encoded of standardised signals, shape (sample, channel, bin)."""
        found = amplitudes(x)
        return found.log1p() if self.config.log else found

    def patches(self, batch: Batch) -> Tensor:
        """What is encoded of each token, shape (sample, token, bin of its band)."""
        x, _, _ = standardised(self.read(batch), self.known(batch))
        return patches(self.spectrum(x), self.config.patch, self.config.stride).flatten(1, 2)

    def patch_positions(self) -> Tensor:
        """Frequency of each value of :meth:`patches`, Hz; NaN behind the end of the spectrum."""
        bins = torch.arange(self.config.patch) + self.config.stride * torch.arange(self.count)[:, None]
        hz = (bins * self.spec.rate_hz / self.spec.length).masked_fill(bins >= self.bins, torch.nan)
        return hz.repeat(len(self.spec.channels), 1)

    def latents(self, spectrum: Tensor) -> Tensor:
        """Latents of patches, shape (sample, channel, patch, width)."""
        cut = patches(spectrum, self.config.patch, self.config.stride)
        rows = self.inward(cut.flatten(0, 1)) + self.places
        found: Tensor = self.encoder(rows).unflatten(0, cut.shape[:2])
        return found

    def quantised(self, batch: Batch) -> tuple[Quantised, Tensor, Tensor]:
        """Codes of the patches, shape (sample, channel, patch, width); the spectrum; and which channels have any known value."""
        x, _, there = standardised(self.read(batch), self.known(batch))
        spectrum = self.spectrum(x)
        return self.quantiser(self.latents(spectrum), there[:, :, None].expand(-1, -1, self.count)), spectrum, there

    def forward(self, batch: Batch) -> Representation:
        """Mean vector of the codes of each sample, and the patches with their codes."""
        found, _, there = self.quantised(batch)
        values = found.values.sum((1, 2)) / (there.sum(1, keepdim=True) * self.count).clamp(min=1)
        if self.config.amplitude:
            _, deviation, _ = standardised(self.read(batch), self.known(batch))
            values = torch.cat([values, deviation.log1p()], dim=1)
        codes = found.codes.flatten(1, 2)
        tokens = Tokens(found.values.flatten(1, 2), self.regions(), codes, input=self.input_name)
        return Representation(values, self.names, {"": tokens})

    def reconstructed(self, values: Tensor) -> Tensor:
        """Spectra from vectors of codes, shape (sample, channel, bin); where patches overlap, their mean."""
        config = self.config
        rows = self.decoder(values.flatten(0, 1) + self.places)
        cut = self.outward(rows)
        whole = (self.count - 1) * config.stride + config.patch
        total = torch.zeros(len(cut), whole, dtype=cut.dtype, device=cut.device)
        often = torch.zeros(whole, dtype=cut.dtype, device=cut.device)
        for at in range(self.count):
            start = at * config.stride
            total[:, start : start + config.patch] += cut[:, at]
            often[start : start + config.patch] += 1
        return (total / often)[:, : self.bins].unflatten(0, values.shape[:2])

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error of the reconstructed spectrum and what the codebook costs, over the known channels."""
        found, spectrum, there = self.quantised(batch)
        error = (self.reconstructed(found.values) - spectrum).square().mean(-1)
        return (error * there).sum() / there.sum().clamp(min=1) + found.loss
