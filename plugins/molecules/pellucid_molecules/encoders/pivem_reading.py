"""What encoders of rates read: pairs of nodes of one type, and sums over their events in each bin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.inputs import Nodes, Signal
from pellucid.encoders.base import Encoder
from pellucid.errors import StudyError
from pellucid_molecules.events.pairs import CHANNELS


@dataclass(frozen=True)
class Told:
    """Events of some pairs, in units of the whole of time.

    Parameters
    ----------
    count, time, squares : Tensor of float64, shape (pair, bin)
        Number, sum of times after the beginning of the bin, sum of their squares; 0 where a bin is hidden.
    known : Tensor of bool, shape (pair, bin)
    """

    count: Tensor
    time: Tensor
    squares: Tensor
    known: Tensor


class RateEncoder(Encoder):
    """An encoder that reads pairs of nodes and learns from their events."""

    def read_two_inputs(self) -> None:
        """Find out which input is which; call it in the constructor.

        Raises
        ------
        StudyError
            If the inputs are not one of pairs of one type and one of events.
        """
        pairs = {name: one for name, one in self.config.inputs.items() if isinstance(one, Nodes)}
        events = {name: one for name, one in self.config.inputs.items() if isinstance(one, Signal)}
        called = type(self).__name__
        if len(pairs) != 1 or len(events) != 1:
            raise StudyError(
                f"{called} reads one input of pairs of nodes and one of their events, not {', '.join(self.config.inputs)}: write "
                'inputs = ["pair", "events"]'
            )
        ((self._pair_name, nodes),), ((self._events_name, signal),) = pairs.items(), events.items()
        if len(nodes.roles) != 2 or nodes.types[0] != nodes.types[1]:
            raise StudyError(
                f"{called} reads pairs of nodes of one type; {self._pair_name!r} is of {' and '.join(nodes.types)}"
            )
        if signal.channels != CHANNELS:
            raise StudyError(
                f"{called} reads channels {', '.join(CHANNELS)}; {self._events_name!r} has {', '.join(signal.channels[:5])}"
            )
        self.nodes, self.bins = nodes.names[nodes.types[0]], signal.length

    @property
    def pair_name(self) -> str:
        """Name of the input that says which two nodes a sample is about."""
        return self._pair_name

    @property
    def events_name(self) -> str:
        """Name of the input that holds events; read in learning alone."""
        return self._events_name

    def ends(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Numbers of both nodes and whether they are known, shape (sample, 2) each; a hidden node has the number 0."""
        pairs = batch.inputs[self.pair_name]
        known = batch.known(self.pair_name)
        if known is None:
            return pairs, torch.ones_like(pairs, dtype=torch.bool)
        return torch.where(known, pairs, torch.zeros_like(pairs)), known

    def told(self, batch: Batch) -> Told:
        """Events of a batch, those of hidden bins left out."""
        values = batch.inputs[self.events_name].double()
        mask = batch.known(self.events_name)
        known = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
        seen = known.all(1)
        count, time, squares = torch.where(seen[:, None], values, torch.zeros_like(values)).unbind(1)
        return Told(count, time / self.bins, squares / self.bins**2, seen)
