"""An almost-linear recurrent network: dynamics that fall into few linear pieces, read as a sequence of symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.encoders.alrnn.pieces import Pieces, pattern_names
from pellucid.encoders.alrnn.recurrence import Forcing, Map, states_over
from pellucid.encoders.alrnn.settings import USUAL_LATENT, AlRnnConfig
from pellucid.encoders.base import Encoder, EncoderTags
from pellucid.encoders.free_running import FreeRun, run_on
from pellucid.encoders.signals.timed import OVER_TIME, over_time
from pellucid.errors import DataError, StudyError
from pellucid.moments import Moments, by_channel
from pellucid.regions import Region
from pellucid.representation import Representation, Tokens, TokenShape

if TYPE_CHECKING:
    import pandas as pd


class AlRnn(Encoder):
    """A recurrent model of how channels move, of which only a few units are not linear.

    Its state ``z`` has the standardised channels as its first units and goes on by ``z' = A z + W phi(z) + h``, with ``A`` diagonal
    and ``phi`` rectifying the last units. Their signs part the state space into regions in each of which it is one affine map: the
    region of every step is a symbol, and fixed points and cycles are solved for (:meth:`regions`).

    It trains alone, on forecasts: every ``forcing_steps`` steps the channels' units are replaced by the data, the others never. What it
    hands on comes from a pass over the sample in which they are replaced at each step: the share of steps in each region and the last
    state as values, each step's state and region as token and code. Actions of a trajectory are channels like all others: what is
    modelled is how things go on as they were steered. Unknown values are read as what the model expects, and cost nothing.

    References
    ----------
    Brenner, Hemmer, Monfared and Durstewitz (2024), NeurIPS. Deviations: six rectified units at most; AdamW and the schedule of the
    study for RAdam with exponential decay; noise is drawn anew for each step that is shown; masks; to encode, data are shown at each
    step, as a sequence of symbols of a sample is asked for and not one that goes its own way.
    """

    tags = EncoderTags(accepts=OVER_TIME, trains_alone=True, gives_codes=True)
    config_type = AlRnnConfig
    config: AlRnnConfig
    floor: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: AlRnnConfig) -> None:
        super().__init__()
        self.config = config
        self.spec = over_time(config.inputs)
        self.channels = len(self.spec.channels)
        size = self.size = config.latent or max(USUAL_LATENT, 2 * self.channels)
        if size < max(self.channels, config.rectified):
            raise StudyError(
                f"encoder 'alrnn': latent = {size} is too few for {self.channels} channels and {config.rectified} rectified units; "
                f"set latent = {self.channels + max(config.rectified, 1)} or more"
            )
        # The diagonal of a random positive-definite matrix whose largest eigenvalue is 1: nothing grows at first.
        drawn = torch.randn(size, size)
        positive = drawn.T @ drawn / size + torch.eye(size)
        self.diagonal = nn.Parameter(positive.diagonal() / torch.linalg.eigvalsh(positive)[-1])
        self.weight = nn.Parameter(config.weight_scale * torch.randn(size, size))
        self.bias = nn.Parameter(torch.zeros(size))
        self.begin = nn.Parameter(torch.randn(size - self.channels, self.channels) / self.channels**0.5)
        # What a unit is cut off at: one operation instead of a cut, a rectifier and a join.
        cut = torch.arange(size) >= size - config.rectified
        self.register_buffer("floor", torch.where(cut, 0.0, -torch.inf), persistent=False)
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("deviation", torch.ones(self.channels))

    # --- an encoder ---------------------------------------------------------------------------------------------------

    @property
    def code_names(self) -> tuple[str, ...]:
        """Signs of the rectified units in each region, in the order of their codes."""
        return pattern_names(self.config.rectified)

    @property
    def names(self) -> tuple[str, ...]:
        """Shares of steps in each region, then the last state: channels first."""
        latent = [f"latent {at + 1}" for at in range(self.size - self.channels)]
        last = [f"{name} at the end" for name in (*self.spec.channels, *latent)]
        return (*(f"share of steps in {name}" for name in self.code_names), *last)

    @property
    def token_shapes(self) -> Mapping[str, TokenShape]:
        """One token a step."""
        codes = len(self.code_names)
        return {"": TokenShape(count=self.spec.length, width=self.size, codebook=codes, word=("step", "steps"))}

    @cached_property
    def _places(self) -> tuple[Region, ...]:
        return self.spec.regions([[(at, at + 1) for at in range(self.spec.length)]])

    @torch.no_grad()
    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and standard deviation of each channel.

        Raises
        ------
        DataError
            If a channel is known in no training sample.
        """
        moments = Moments()
        for batch in batches:
            known = self.known(batch)
            moments.add(by_channel(self.read(batch)), None if known is None else by_channel(known))
        if (moments.count == 0).any():
            raise DataError(f"input {self.input_name!r}: a channel is known in no training sample")
        self.mean.copy_(moments.mean)
        self.deviation.copy_(moments.deviation)

    def forward(self, batch: Batch) -> Representation:
        """Shares of steps in each region and the last state; tokens with codes."""
        states = self.states(batch)
        codes = self.region_of(states)
        known = self.known(batch)
        there = torch.ones_like(codes, dtype=torch.bool) if known is None else known.any(1)
        seen = functional.one_hot(codes, len(self.code_names)) * there[..., None]
        shares = seen.sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        anything = there.any(1)[:, None]
        values = torch.cat([shares.to(states.dtype), states[:, -1]], dim=1) * anything
        tokens = Tokens(
            states * anything[..., None], self._places, codes.masked_fill(~there, -1), input=self.input_name
        )
        return Representation(values, self.names, {"": tokens})

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error of forecasts of the channels, in variances of the training samples; over what is known."""
        x, known = self._standardised(batch)
        shown = x + self.config.noise * torch.randn_like(x) if self.training and self.config.noise else x
        forcing = Forcing(self.config.forcing_steps, replaced=False, bounded=False)
        said = self._pass(shown, known, forcing)[:, 1:, : self.channels]
        squares = (said - x[:, 1:]).square()
        if known is None:
            return squares.mean()
        return (squares * known[:, 1:]).sum() / known[:, 1:].sum().clamp(min=1)

    # --- a model of dynamics ------------------------------------------------------------------------------------------

    def step(self, z: Tensor) -> Tensor:
        """The state after another, shape (..., unit) both, in standard deviations of the data."""
        return self._map.step(z)

    def start(self, x: Tensor) -> Tensor:
        """The state that a run begins with, from standardised channels, shape (..., channel) to (..., unit)."""
        if x.shape[-1] != self.channels:
            raise DataError(f"a run starts at {self.channels} channels, got shape {tuple(x.shape)}")
        return torch.cat([x, x @ self.begin.T], dim=-1)

    def region_of(self, z: Tensor) -> Tensor:
        """Number of the region of each state, int64, shape (...,) from (..., unit)."""
        on = z[..., self.size - self.config.rectified :] > 0
        places = torch.arange(self.config.rectified - 1, -1, -1, device=z.device)
        return (on.long() << places).sum(-1)

    def states(self, batch: Batch) -> Tensor:
        """The state at each step of a pass over the samples that is shown the data at each, shape (sample, step, unit)."""
        x, known = self._standardised(batch)
        # A model that has learnt badly may run away between two steps that are known; what it hands on stays a number.
        return self._pass(x, known, Forcing(1, replaced=True, bounded=True))

    @torch.no_grad()
    def free_run(self, start: Tensor, steps: int) -> FreeRun:
        """Go on from some states without data.

        Parameters
        ----------
        start : Tensor, shape (run, unit) or (unit,)
            From :meth:`states` or :meth:`start`.
        steps : int

        Returns
        -------
        FreeRun
            What it says is always finite: a run that diverges stays where it was, and says after how many steps.

        Raises
        ------
        DataError
            If states have another shape, are NaN or infinite, or steps are below 0.
        """
        start = start[None] if start.ndim == 1 else start
        if start.ndim != 2 or start.shape[1] != self.size:
            raise DataError(
                f"a free run starts at states of {self.size} units, got shape {tuple(start.shape)}; see start"
            )
        states, lasted = run_on(self.step, start, steps)
        values = states[..., : self.channels] * self.deviation + self.mean
        return FreeRun(values, states, lasted, self.region_of(states))

    @property
    def pieces(self) -> Pieces:
        """Its affine maps, in double precision."""
        diagonal, weight, bias = (
            one.detach().cpu().double().numpy() for one in (self.diagonal, self.weight, self.bias)
        )
        return Pieces(diagonal, weight, bias, self.config.rectified)

    def jacobians(self, states: Tensor) -> np.ndarray:
        """Of the map at each state, shape (..., unit) to (..., unit, unit), for Lyapunov exponents."""
        pieces = self.pieces
        each = np.stack([pieces.jacobian(number) for number in range(len(self.code_names))])
        return np.asarray(each[self.region_of(states).cpu().numpy()])

    def regions(self, states: Tensor | None = None) -> pd.DataFrame:
        """What the model is in each region.

        Parameters
        ----------
        states : Tensor, shape (..., unit), optional
            By which visits are counted, from :meth:`states` or a free run.

        Returns
        -------
        DataFrame
            One row a region, by its signs: ``code``, ``share`` of the states (NaN if none are given), ``eigenvalues`` of its Jacobian
            (complex, largest first), ``fixed_point`` (state, in standard deviations; NaN where there is none) and ``real``, whether
            that lies in the region itself.
        """
        import pandas as pd

        pieces, names = self.pieces, self.code_names
        share = np.full(len(names), np.nan)
        if states is not None and states.numel():
            codes = self.region_of(states).flatten()
            share = (torch.bincount(codes, minlength=len(names)) / len(codes)).cpu().numpy()
        rows: list[dict[str, Any]] = []
        for code in range(len(names)):
            values, point = np.linalg.eigvals(pieces.jacobian(code)), pieces.fixed_point(code)
            rows.append(
                {
                    "code": code,
                    "share": float(share[code]),
                    "eigenvalues": values[np.argsort(-np.abs(values))].astype(complex),
                    "fixed_point": point.states[0],
                    "real": point.real,
                }
            )
        return pd.DataFrame(rows, index=pd.Index(names, name="signs"))

    # --- between ------------------------------------------------------------------------------------------------------

    def _standardised(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Shape (sample, step, channel) both; 0 where nothing is known."""
        x, known = self.read(batch).transpose(1, 2), self.known(batch)
        x = (x - self.mean) / self.deviation
        if known is None:
            return x, None
        known = known.transpose(1, 2)
        return torch.where(known, x, torch.zeros_like(x)), known

    @property
    def _map(self) -> Map:
        return Map(self.diagonal, self.weight, self.bias, self.floor)

    def _pass(self, x: Tensor, known: Tensor | None, forcing: Forcing) -> Tensor:
        """States over a sample, shape (sample, step, unit)."""
        return states_over(x, known, self.start(x[:, 0]), self._map, forcing)
