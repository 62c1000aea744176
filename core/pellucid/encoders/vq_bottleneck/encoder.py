"""A causal transformer whose states pass through codes: what it knows of where it is, as one symbol a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Trajectory
from pellucid.encoders.base import Encoder, EncoderTags
from pellucid.encoders.quantiser import Quantised, VectorQuantiser
from pellucid.encoders.vq_bottleneck.network import CausalTransformer, Forecast, Symbols
from pellucid.encoders.vq_bottleneck.settings import VqBottleneckConfig
from pellucid.errors import DataError, StudyError
from pellucid.regions import Region
from pellucid.representation import Representation, Tokens, TokenShape


class Walked(NamedTuple):
    """A batch as levels.

    Parameters
    ----------
    seen : Tensor of int64, shape (sample, step, state)
        -1 where unknown.
    done : Tensor of int64, shape (sample, step, action)
        What is done at a step leads to the next; -1 where unknown.
    there : Tensor of bool, optional, shape (sample, step)
        Of which steps any state is known; None where all are known.
    """

    seen: Tensor
    done: Tensor
    there: Tensor | None


class VqBottleneck(Encoder):
    """A causal transformer that forecasts through a few codes a step, so that the codes must say where it is.

    It reads a trajectory of names that are one of several levels. From the states up to a step and the actions before it comes a
    vector, which is replaced by an entry of a codebook (or of several side by side); from these entries and the actions that follow, the
    states of the next steps are forecast. Where one state is seen at many places, forecasts of one step may not need to tell these
    apart, and forecasts of several do.

    It trains alone. Each step is a token with its code, by which other parts read it as a sequence of symbols; with several codebooks
    there is a set of tokens for each (``1``, ``2`` ...). A step of which no state is known has no code and is seen by no other.

    References
    ----------
    Dedieu, Lehrach, Zhou, George and Lazaro-Gredilla (2024), Learning cognitive maps from transformer representations for efficient
    planning in partially observed environments, arXiv 2401.05946, read at second hand. Deviations: AdamW and the schedule of the study;
    codes learn by gradients, begin as latents, and are put elsewhere where they are hardly used; one network for each number of steps
    ahead; while it learns, samples begin up to ``ahead`` steps later, so that all steps are learnt from; no forecast of the next code;
    small by default.
    """

    tags = EncoderTags(accepts=("trajectory",), trains_alone=True, gives_codes=True)
    config_type = VqBottleneckConfig
    config: VqBottleneckConfig

    def __init__(self, config: VqBottleneckConfig) -> None:
        super().__init__()
        self.config = config
        self.spec = _leveled(config)
        self.states, self.actions = self.spec.states, self.spec.actions
        if config.width % config.heads or config.width % config.bottlenecks:
            raise StudyError(
                f"encoder 'vq-bottleneck': a width of {config.width} cannot be shared by {config.heads} heads and {config.bottlenecks} "
                "bottlenecks; give a multiple of both"
            )
        if config.ahead >= self.spec.length:
            raise StudyError(
                f"encoder 'vq-bottleneck': ahead = {config.ahead} needs samples of more than {config.ahead} steps, and they have "
                f"{self.spec.length}"
            )
        seen, done = ([len(self.spec.levels[name]) for name in names] for names in (self.states, self.actions))
        self._levels = seen
        width, share = config.width, config.width // config.bottlenecks
        self.seen, self.before = Symbols(seen, width), Symbols(done, width)
        hidden = config.feed_forward or 4 * width
        self.transformer = CausalTransformer(
            self.spec.length, width, config.depth, config.heads, hidden, config.dropout, spare=config.ahead
        )
        self.inward = nn.Linear(width, width)
        self.quantisers = nn.ModuleList(VectorQuantiser(share, config) for _ in range(config.bottlenecks))
        self.ahead = nn.ModuleList(Forecast(width, done, at + 1, sum(seen)) for at in range(config.ahead))

    @classmethod
    def example_data(cls) -> Dataset:
        """Walks around a ring of rooms, of which two look alike."""
        from pellucid.encoders.vq_bottleneck.example import around

        return around()

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on a few of them."""
        return {"codes": 8, "width": 8, "depth": 1, "heads": 2, "ahead": 2, "restart_share": 0.01}

    @property
    def names(self) -> tuple[str, ...]:
        """Shares of steps in each code, or each level of each state behind the last step."""
        if self.config.hands_on == "forecasts":
            return tuple(f"{name} behind the end: {level}" for name in self.states for level in self.spec.levels[name])
        some = self._sets
        of = {name: f" of bottleneck {name}" if name else "" for name in some}
        return tuple(f"share of steps in code {at}{of[name]}" for name in some for at in range(self.config.codes))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One token a step in each set."""
        shape = TokenShape(
            count=self.spec.length,
            width=self.config.width // self.config.bottlenecks,
            codebook=self.config.codes,
            word=("step", "steps"),
        )
        return dict.fromkeys(self._sets, shape)

    @property
    def _sets(self) -> tuple[str, ...]:
        many = self.config.bottlenecks
        return ("",) if many == 1 else tuple(str(at + 1) for at in range(many))

    @property
    def _bottlenecks(self) -> list[VectorQuantiser]:
        return [one for one in self.quantisers if isinstance(one, VectorQuantiser)]

    @cached_property
    def _places(self) -> tuple[Region, ...]:
        return self.spec.regions([[(at, at + 1) for at in range(self.spec.length)]])

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Let codes begin as latents of training samples.

        Raises
        ------
        DataError
            If a known value is none of its name's levels.
        """
        self.eval()
        found = []
        with torch.no_grad():
            for batch in batches:
                self._refuse_strange(batch)
                walked = self._walked(batch)
                latents = self._latents(walked)
                found.append(latents.flatten(0, 1) if walked.there is None else latents[walked.there])
        for at, one in enumerate(self._bottlenecks):
            one.begin(latents.chunk(len(self.quantisers), -1)[at] for latents in found)

    def settle(self) -> None:
        """Put codes that are hardly used elsewhere."""
        for one in self._bottlenecks:
            one.settle()

    def forward(self, batch: Batch) -> Representation:
        """What ``hands_on`` asks for, and the steps with their codes."""
        walked = self._walked(batch)
        found = self._quantised(walked)
        tokens = {
            name: Tokens(one.values, self._places, one.codes, input=self.input_name)
            for name, one in zip(self._sets, found, strict=True)
        }
        if self.config.hands_on == "shares":
            values = torch.cat([_shares(one.codes, self.config.codes) for one in found], dim=1)
        else:
            values = self._behind(walked, found)
        return Representation(values.to(found[0].values.dtype), self.names, tokens)

    def forecasts(self, batch: Batch) -> Mapping[str, Tensor]:
        """Of each state the logarithm of the chance of each level at the next step, shape (sample, step, level)."""
        walked = self._walked(batch)
        logits = self.ahead[0](_joined(self._quantised(walked)), walked.done).split(self._levels, -1)
        return {name: one.log_softmax(-1) for name, one in zip(self.states, logits, strict=True)}

    def latents(self, batch: Batch) -> Tensor:
        """What codes are found for, shape (sample, step, width): of each step by all that is known up to there."""
        return self._latents(self._walked(batch))

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of all forecasts, summed over steps ahead and states, and the loss of the bottlenecks."""
        walked = self._walked(batch)
        found = self._quantised(walked)
        vectors = _joined(found)
        total = torch.stack([one.loss for one in found]).sum()
        for later, forecast in enumerate(self.ahead, start=1):
            logits = forecast(vectors, walked.done)[:, :-later].split(self._levels, -1)
            for state, one in enumerate(logits):
                truth = walked.seen[:, later:, state]
                if walked.there is not None:
                    truth = truth.masked_fill(~walked.there[:, :-later], -1)
                summed = functional.cross_entropy(one.flatten(0, 1), truth.flatten(), ignore_index=-1, reduction="sum")
                total = total + summed / (truth >= 0).sum().clamp(min=1)
        return total

    # --- between ------------------------------------------------------------------------------------------------------

    def _walked(self, batch: Batch) -> Walked:
        x, known = self.read(batch).transpose(1, 2), self.known(batch)
        levels = x.round().long()
        there = None
        if known is not None:
            known = known.transpose(1, 2)
            levels = levels.masked_fill(~known, -1)
        parts = []
        for names in (self.states, self.actions):
            at = [self.spec.names.index(name) for name in names]
            most = levels.new_tensor([len(self.spec.levels[name]) - 1 for name in names])
            # Data were checked where they were opened; a perturbed value is read as the nearest level.
            parts.append(levels[..., at].clamp(min=-1).minimum(most))
        if known is not None:
            there = (parts[0] >= 0).any(-1)
        return Walked(parts[0], parts[1], there)

    def _latents(self, walked: Walked) -> Tensor:
        """Shape (sample, step, width)."""
        before = torch.full_like(walked.done, -1)
        before[:, 1:] = walked.done[:, :-1]
        told: Tensor = self.inward(self.transformer(self.seen(walked.seen) + self.before(before), walked.there))
        return told

    def _quantised(self, walked: Walked) -> list[Quantised]:
        parts = self._latents(walked).chunk(len(self.quantisers), -1)
        return [layer(one.contiguous(), walked.there) for layer, one in zip(self._bottlenecks, parts, strict=True)]

    def _behind(self, walked: Walked, found: list[Quantised]) -> Tensor:
        """Logarithms of chances behind the last step of which anything is known; 0 where nothing is."""
        logits = self.ahead[0](_joined(found), walked.done).split(self._levels, -1)
        each = torch.cat([one.log_softmax(-1) for one in logits], dim=-1)
        if walked.there is None:
            return each[:, -1]
        places = torch.arange(each.shape[1], device=each.device)
        last = (places * walked.there).max(1).values
        return each[torch.arange(len(each), device=each.device), last] * walked.there.any(1, keepdim=True)

    def _refuse_strange(self, batch: Batch) -> None:
        known = self.known(batch)
        found = self.spec.no_level(
            np.asarray(self.read(batch).cpu()), True if known is None else np.asarray(known.cpu())
        )
        if found is not None:
            sample, name, step = found
            who = f" of sample {batch.samples[sample]!r}" if batch.samples else ""
            raise DataError(
                f"input {self.input_name!r}{who} has {name!r} at step {step} that is none of its levels 0 to "
                f"{len(self.spec.levels[name]) - 1}"
            )


def _leveled(config: VqBottleneckConfig) -> Trajectory:
    if len(config.inputs) != 1:
        raise StudyError(f"encoder 'vq-bottleneck' reads one input, not {', '.join(config.inputs) or 'none'}")
    ((name, spec),) = config.inputs.items()
    if not isinstance(spec, Trajectory):
        raise StudyError(f"encoder 'vq-bottleneck' reads a trajectory, and input {name!r} is of kind {spec.kind!r}")
    if plain := [one for one in spec.names if one not in spec.levels]:
        raise StudyError(
            f"encoder 'vq-bottleneck' reads names that are one of several levels, and {', '.join(map(repr, plain))} of input {name!r} "
            "have none: its spec says which (levels)"
        )
    if not spec.states:
        raise StudyError(
            f"encoder 'vq-bottleneck': input {name!r} has actions alone, so that there is nothing to forecast"
        )
    return spec


def _joined(found: list[Quantised]) -> Tensor:
    return torch.cat([one.values for one in found], dim=-1)


def _shares(codes: Tensor, count: int) -> Tensor:
    """Share of the steps with a code that have each, shape (sample, code)."""
    known = codes >= 0
    shares = torch.zeros(len(codes), count, device=codes.device)
    shares.scatter_add_(1, codes.clamp(min=0), known.to(shares.dtype))
    return shares / known.sum(1, keepdim=True).clamp(min=1)
