"""The signal encoder of GLIM: prompts steer a transformer over time, whose states a few learnt queries read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Signal, Text
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import StudyError
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid_eeg.encoders.glim_blocks import MergingBlock, PromptedBlock, place_table

UNSAID = 0
"""Number of a prompt that says nothing."""


class GlimConfig(EncoderConfig):
    """Settings of :class:`Glim`. The defaults are the published network.

    Parameters
    ----------
    width : int
        Of the states over time. Units beyond the channels are zeros; where there are more channels than units, a layer
        makes fewer of them first, which the published network does not need.
    blocks, merging_blocks : int
        Over time, and of queries that read them.
    heads : int
        Of all attention; a divisor of both widths.
    queries : int
        How many tokens are handed on.
    query_width : int
        Of each.
    prompts : mapping of str to int
        How many numbers each prompt has, 0 (nothing is said) among them; in the order of the input's places.
    silent : mapping of str to float
        Share of training samples in which a prompt says nothing; a prompt that is always silent in training is silent
        afterwards too. None named: as published, ``dataset`` and ``subject`` are always silent.
    """

    width: int = Field(default=128, ge=8)
    blocks: int = Field(default=6, ge=1)
    merging_blocks: int = Field(default=6, ge=1)
    heads: int = Field(default=8, ge=1)
    queries: int = Field(default=96, ge=1)
    query_width: int = Field(default=256, ge=8)
    prompts: Mapping[str, int] = Field(default_factory=lambda: {"task": 3, "dataset": 3, "subject": 31})
    silent: Mapping[str, float] = Field(default_factory=lambda: {"dataset": 1.0, "subject": 1.0})

    @model_validator(mode="after")
    def _fits(self) -> GlimConfig:
        if self.width % (2 * self.heads) or self.query_width % self.heads:
            raise ValueError(
                f"heads = {self.heads} must divide half the width ({self.width}) and query_width ({self.query_width})"
            )
        for name, share in self.silent.items():
            if name not in self.prompts or not 0 <= share <= 1:
                raise ValueError(f"silent: {name!r} = {share} is no prompt with a share between 0 and 1")
        return self


class Glim(Encoder):
    """States over time of a transformer that prompts steer, read by learnt queries; units are the mean of the queries.

    A prompt is the sum of vectors for its numbers, each times a learnt factor. In every block over time it shifts and
    scales each moment, and the states before attention and before the two layers, which it also gates (adaLN); all of these
    start at zero, so that an untrained network says the same whatever the prompt. Moments that are masked are looked at by
    nothing. Queries look at each other in order and at all real moments.

    It reads a signal and, where the dataset has one, a text of prompt numbers. With the head ``aligned-text`` and the text
    model Flan-T5-large it is the published network.

    References
    ----------
    Liu et al., arXiv 2505.17099. Written from a description of the network, not from the authors' code, whose licence forbids
    commercial use. Where that leaves a choice: attention has biases; blocks of queries are normalised first, with learnt
    scales; positions of :func:`~pellucid_eeg.encoders.glim_blocks.place_table`; states of moments are normalised by nothing
    after the last block but by the layer that the description names. A channel that is masked at some moments reads as zero there.
    """

    tags = EncoderTags(accepts=("signal", "text"), several_inputs=True)
    config_type = GlimConfig
    config: GlimConfig
    places: Tensor

    def __init__(self, config: GlimConfig) -> None:
        super().__init__()
        self.config = config
        signals = [name for name, spec in config.inputs.items() if isinstance(spec, Signal)]
        prompts = [name for name, spec in config.inputs.items() if isinstance(spec, Text)]
        if len(signals) != 1 or len(prompts) > 1:
            raise StudyError(
                f"encoder 'glim' reads one signal and at most one text of prompts, not {', '.join(config.inputs)}"
            )
        self.signal, self.prompt = signals[0], (prompts[0] if prompts else "")
        spec = config.inputs[self.signal]
        assert isinstance(spec, Signal)
        if self.prompt and config.inputs[self.prompt].shape != (len(config.prompts),):
            raise StudyError(
                f"encoder 'glim': prompts have {config.inputs[self.prompt].shape[0]} places, and {len(config.prompts)} are named "
                f"({', '.join(config.prompts)}): name as many with prompts = {{ ... }}"
            )
        # A small network has fewer units than there are channels; the published one has more, the last of them zeros.
        self.narrowed = nn.Linear(len(spec.channels), config.width) if len(spec.channels) > config.width else None
        self.tables = nn.ModuleList(nn.Embedding(count, config.width) for count in config.prompts.values())
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.02)  # type: ignore[arg-type]
        counts = torch.tensor([float(count) for count in config.prompts.values()])
        self.strengths = nn.Parameter(counts / counts.sum())
        self.register_buffer("places", place_table(spec.length, config.width), persistent=False)
        self.over_time = nn.ModuleList(
            PromptedBlock(config.width, config.heads, spec.length) for _ in range(config.blocks)
        )
        self.widened = nn.Linear(config.width, config.query_width)
        self.norm = nn.LayerNorm(config.query_width)
        self.queries = nn.Parameter(torch.randn(config.queries, config.query_width))
        self.merging = nn.ModuleList(
            MergingBlock(config.query_width, config.heads) for _ in range(config.merging_blocks)
        )
        self.last_norm = nn.LayerNorm(config.query_width)

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up readings."""
        from pellucid_eeg.zuco.synthetic import ZucoSynthetic, ZucoSyntheticConfig

        return ZucoSynthetic(ZucoSyntheticConfig(sentences=8, recordings=4, channels=12, length=32))

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """A small one."""
        return {
            "width": 16, "blocks": 2, "merging_blocks": 2, "heads": 4, "queries": 4, "query_width": 16,
            "silent": {},
        }  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """``q0``, ``q1`` ...: units of the mean query."""
        return tuple(f"q{unit}" for unit in range(self.config.query_width))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the queries."""
        return {"": TokenShape(count=self.config.queries, width=self.config.query_width)}

    @property
    def prompts(self) -> tuple[str, ...]:
        """The text of prompt numbers."""
        return (self.prompt,) if self.prompt else ()

    def prompted(self, batch: Batch) -> Tensor:
        """The prompt of each sample, shape (sample, width)."""
        count = len(batch.inputs[self.signal])
        numbers = torch.zeros(count, len(self.tables), dtype=torch.long, device=self.strengths.device)
        if self.prompt:
            numbers = batch.inputs[self.prompt]
            known = batch.known(self.prompt)
            numbers = numbers if known is None else torch.where(known, numbers, UNSAID)
        total = torch.zeros(count, self.config.width, device=self.strengths.device)
        for at, (name, table) in enumerate(zip(self.config.prompts, self.tables, strict=True)):
            mine, share = numbers[:, at], self.config.silent.get(name, 0.0)
            if share == 1:
                mine = torch.full_like(mine, UNSAID)
            elif self.training and share > 0:
                mine = torch.where(torch.rand(count, device=mine.device) < share, UNSAID, mine)
            total = total + self.strengths[at] * table(mine)
        return total

    def _states(self, x: Tensor) -> Tensor:
        """Channels as units, shape (sample, moment, width)."""
        if self.narrowed is None:
            return nn.functional.pad(x, (0, self.config.width - x.shape[2]))
        found: Tensor = self.narrowed(x)
        return found

    def forward(self, batch: Batch) -> Representation:
        """The mean query, and all of them; zeros where a signal is missing altogether."""
        x, known = batch.inputs[self.signal], batch.known(self.signal)
        real = torch.ones(len(x), x.shape[2], dtype=torch.bool, device=x.device)
        if known is not None:
            x, real = torch.where(known, x, 0.0), known.any(1)
        states = self._states(x.transpose(1, 2)) + self.places
        prompt = self.prompted(batch)
        there = real.any(1)
        # Attention to nothing at all would be no number; such a sample's tokens are zeros in the end.
        looked_at = real | ~there[:, None]
        for block in self.over_time:
            states = block(states, prompt, looked_at)
        states = self.norm(self.widened(states))
        queries = self.queries.expand(len(x), -1, -1)
        for block in self.merging:
            queries = block(queries, states, looked_at)
        tokens = self.last_norm(queries) * there[:, None, None]
        return Representation(tokens.mean(1), self.names, {"": Tokens(tokens)})
