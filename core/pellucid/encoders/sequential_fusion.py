"""Several inputs, read one after the other into one state; an input that a sample lacks is passed over."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.data.spec import InputSpec
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.convolutions import GRIDS, Downward, grid_of
from pellucid.errors import DataError, StudyError, nearest
from pellucid.moments import Moments, by_channel
from pellucid.representation import Representation, Tokens, TokenShape

START = "start"
"""Name of the state before anything was read."""

MOMENTUM = 0.1
"""Weight of a training batch in the running mean of changes, as in BatchNorm."""

AT_ONCE = 1 << 22
"""Numbers of a grid whose statistics are summed at once, in float64: bounds memory, not results."""


class SequentialFusionConfig(EncoderConfig):
    """Settings of :class:`SequentialFusion`.

    Parameters
    ----------
    state : int
        Units, named ``s0``, ``s1`` ...
    hidden : tuple of int
        Widths of the hidden layers of each input's module.
    dropout : float
        Share of hidden cells that are silent in a training step.
    width : int
        Signals, images and volumes go through :class:`~pellucid.encoders.convolutions.Downward` of this width first.
    order : tuple of str, optional
        All inputs in the order in which they are read; as the study names them by default.
    missing : {"sample_skip", "batch_skip", "mean_state"}
        What happens to the state of a sample that lacks an input:

        - ``"sample_skip"``: it stays as it is.
        - ``"batch_skip"``: the states of all samples of the batch stay as they are, as in the released code. What is said
          of a sample then depends on who else is in its batch, in evaluation too: this rule is here to be compared with,
          and breaks the contract that a sample is encoded as if it were alone.
        - ``"mean_state"``: it changes as those of the samples that have the input do on average over training (a running
          mean, saved with the weights), so that it ends near theirs.
    modality_dropout : float
        Chance that an input is passed over in a training step although it is there, drawn for each sample and input
        without regard to the label (with ``"batch_skip"`` for the whole batch). A sample may lose all inputs: it then
        teaches the start.
    """

    state: int = Field(16, gt=0)
    hidden: tuple[int, ...] = (32, 32)
    dropout: float = Field(0.2, ge=0, lt=1)
    width: int = Field(8, gt=0)
    order: tuple[str, ...] | None = None
    missing: Literal["sample_skip", "batch_skip", "mean_state"] = "sample_skip"
    modality_dropout: float = Field(0.3, ge=0, lt=1)


class SequentialFusion(Encoder):
    """A state with a learnt start, which one module an input changes in turn: ``Linear([MLP(input); state])``.

    Its values are the last state. Its tokens are all states, from the start to the last, named after the inputs, so that
    a head can read what each input changed (:class:`~pellucid.heads.cumulative.Cumulative`). Numbers are read in standard
    deviations from their training mean (of a grid: of each channel); a number that is missing in an input that is there
    is read as the mean. An input that the batch does not hold at all is missing for all of its samples.

    None of the rules keeps a model from learning who lacks what: a state that was passed over differs from one that was
    not. Dropout of modalities weakens this and does not cure it; :class:`~pellucid.protocols.missingness.Missingness`
    measures it.

    References
    ----------
    Swamy et al. (2023), MultiModN, arXiv 2309.14118. Deviations: missing inputs are told by masks and not by NaN; the rule
    for them is chosen; inputs are standardised; convolutions for grids.
    """

    tags = EncoderTags(accepts=("vector", *GRIDS), several_inputs=True)
    config_type = SequentialFusionConfig
    config: SequentialFusionConfig

    def __init__(self, config: SequentialFusionConfig) -> None:
        super().__init__()
        self.config = config
        self.order = _checked_order(config)
        self.start = nn.Parameter(torch.randn(config.state))
        # By position: an input's name may hold a dot, which names of modules may not.
        self.updates = nn.ModuleList(Update(config.inputs[name], config) for name in self.order)

    @property
    def names(self) -> tuple[str, ...]:
        """``s0``, ``s1`` ..."""
        return tuple(f"s{unit}" for unit in range(self.config.state))

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One set: the state at the start and after each input."""
        names = (START, *self.order)
        return {"": TokenShape(count=len(names), width=self.config.state, names=names)}

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and standard deviation of each number, or of each channel, over the training samples that have it.

        Raises
        ------
        DataError
            If something is known in no training sample.
        """
        moments = [Moments() for _ in self.order]
        for batch in batches:
            for name, found in zip(self.order, moments, strict=True):
                if name not in batch.inputs:
                    raise DataError(f"input {name!r} is not in the training samples; leave it out of the encoder")
                x, known = batch.inputs[name], batch.known(name)
                rows = max(1, AT_ONCE // max(1, x[0].numel()))
                for at in range(0, len(x), rows):
                    real = None if known is None else by_channel(known[at : at + rows])
                    found.add(by_channel(x[at : at + rows]), real)
        for name, update, found in zip(self.order, self.updates, moments, strict=True):
            assert isinstance(update, Update)
            if bool((found.count == 0).any()):
                raise DataError(
                    f"input {name!r}: {int((found.count == 0).sum())} of its {len(found.count)} numbers or channels are known in "
                    "no training sample; leave the input out of the encoder, or these numbers out of the input"
                )
            update.mean.copy_(found.mean)
            update.scale.copy_(found.deviation)

    def forward(self, batch: Batch) -> Representation:
        """The last state, and as tokens all of them."""
        states = [self.start.expand(len(batch), -1)]
        for name, update in zip(self.order, self.updates, strict=True):
            states.append(self._after(name, update, batch, states[-1]))
        return Representation(states[-1], self.names, {"": Tokens(torch.stack(states, dim=1))})

    def _after(self, name: str, update: nn.Module, batch: Batch, state: Tensor) -> Tensor:
        """The state after one input."""
        assert isinstance(update, Update)
        passed_over = state + update.usual_change if self.config.missing == "mean_state" else state
        if name not in batch.inputs:
            return passed_over
        there = self._read(name, batch)
        changed: Tensor = update(batch.inputs[name], batch.known(name), state)
        if self.training and self.config.missing == "mean_state":
            update.follow(changed - state, there)
        return torch.where(there[:, None], changed, passed_over)

    def _read(self, name: str, batch: Batch) -> Tensor:
        """Whose state an input changes, bool, shape (sample,)."""
        there, together = batch.present(name), self.config.missing == "batch_skip"
        if there is None:
            there = torch.ones(len(batch), dtype=torch.bool, device=batch.inputs[name].device)
        if self.training and self.config.modality_dropout:
            draws = torch.rand(1 if together else len(there), device=there.device)
            there = there & (draws >= self.config.modality_dropout)
        return there.all().expand_as(there) if together else there


class Update(nn.Module):
    """One input's module: from what was measured and the state to the next state.

    Parameters
    ----------
    spec : InputSpec
    config : SequentialFusionConfig
    """

    mean: Tensor
    scale: Tensor
    usual_change: Tensor
    seen: Tensor

    def __init__(self, spec: InputSpec, config: SequentialFusionConfig) -> None:
        super().__init__()
        channels = spec.shape[0]
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        self.register_buffer("usual_change", torch.zeros(config.state))
        self.register_buffer("seen", torch.zeros(()))
        self.down = None if spec.kind == "vector" else Downward(grid_of(spec), config.width)
        widths = (channels if self.down is None else self.down.last.channels, *config.hidden)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(config.dropout)]
        self.hidden = nn.Sequential(*layers)
        self.last = nn.Linear(widths[-1] + config.state, config.state)

    def forward(self, x: Tensor, known: Tensor | None, state: Tensor) -> Tensor:
        """The next state of every sample, whether it has the input or not; shape (sample, unit)."""
        column = (-1, *[1] * (x.ndim - 2))
        units = (x - self.mean.reshape(column)) / self.scale.reshape(column)
        if known is not None:
            # Chosen and not multiplied: a masked value may be anything, and NaN times zero stays NaN.
            units = torch.where(known, units, torch.zeros_like(units))
        if self.down is not None:
            units = self.down(units).flatten(2).mean(2)
        return self.last(torch.cat([self.hidden(units), state], dim=1))

    @torch.no_grad()
    def follow(self, change: Tensor, there: Tensor) -> None:
        """Take the changes of a training batch into the running mean, of the samples that have the input."""
        count = there.sum()
        mean = (change * there[:, None]).sum(0) / count.clamp(min=1)
        self.seen += (count > 0).to(self.seen.dtype)
        # The first batches are averaged evenly, so that the start of the mean at zero leaves no trace.
        rate = (1 / self.seen.clamp(min=1)).clamp(min=MOMENTUM) * (count > 0)
        self.usual_change += rate * (mean - self.usual_change)


def _checked_order(config: SequentialFusionConfig) -> tuple[str, ...]:
    if config.order is None:
        return tuple(config.inputs)
    for name in config.order:
        if name not in config.inputs:
            raise StudyError(
                f"order names {name!r}, which is no input of this encoder{nearest(name, config.inputs)}; it reads: "
                f"{', '.join(config.inputs)}"
            )
    if sorted(config.order) != sorted(config.inputs):
        raise StudyError(
            f"order = {list(config.order)} must name each input of the encoder once: {', '.join(config.inputs)}"
        )
    return config.order
