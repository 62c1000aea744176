"""Encoders of pairs of nodes: what they must remember of the links of training samples, and say of what they remember."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.inputs import Nodes
from pellucid.encoders.base import Encoder
from pellucid.errors import DataError, StudyError

Links = TypeVar("Links", bound="LinkEncoder")


class LinkEncoder(Encoder):
    """An encoder that reads pairs of nodes of two types and remembers the links of the training samples, in buffers.

    Node attributes are inputs of kind ``vector`` that are named after the role with ``attributes`` after it. Those of nodes that
    stand in no training sample are not remembered; they come with the samples.
    """

    links: Tensor
    met_0: Tensor
    met_1: Tensor

    def remember_at_most(self) -> None:
        """Make room for the links and attributes of all nodes; call it in the constructor.

        Raises
        ------
        StudyError
            If the inputs are not one of pairs of two types, with or without the attributes of their nodes.
        """
        pairs = {name: one for name, one in self.config.inputs.items() if isinstance(one, Nodes)}
        if len(pairs) != 1 or len(next(iter(pairs.values())).roles) != 2:
            raise StudyError(f"{type(self).__name__} reads one input of pairs of nodes, besides their attributes")
        ((self._pair_name, spec),) = pairs.items()
        if spec.types[0] == spec.types[1]:
            raise StudyError(
                f"{type(self).__name__} reads links between two types; both ends are of type {spec.types[0]!r}"
            )
        self.roles, self.counts = spec.roles, spec.counts
        self._attributes: dict[int, str] = {}
        for name in self.config.inputs:
            if name == self._pair_name:
                continue
            role = name.removesuffix(" attributes")
            if role == name or role not in self.roles:
                named = " or ".join(f"'{role} attributes'" for role in self.roles)
                raise StudyError(f"{type(self).__name__} does not know whose attributes {name!r} are: name it {named}")
            self._attributes[self.roles.index(role)] = name
        self.register_buffer("links", torch.zeros(self.counts))
        for at, count in enumerate(self.counts):
            self.register_buffer(f"met_{at}", torch.zeros(count, dtype=torch.bool))
            if at in self._attributes:
                width = self.config.inputs[self._attributes[at]].shape[0]
                self.register_buffer(f"attributes_{at}", torch.zeros(count, width))

    @property
    def pair_name(self) -> str:
        """Name of the input that says which two nodes a sample is about."""
        return self._pair_name

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Remember the links of the training samples, the nodes that were met, and what is known of them.

        Raises
        ------
        DataError
            If samples come without labels, or none of them is a link.
        """
        self.links.zero_()
        for at in range(2):
            self.met(at).zero_()
        for batch in batches:
            if batch.targets is None:
                raise DataError(f"{type(self).__name__} learns from links, but the training samples have no labels")
            pairs = batch.inputs[self.pair_name]
            self.links[pairs[:, 0], pairs[:, 1]] = (batch.targets[:, 0] > 0).to(self.links.dtype)
            for at in range(2):
                self.met(at)[pairs[:, at]] = True
                if at in self._attributes:
                    self.remembered(at)[pairs[:, at]] = self.told(batch, at)
        if not self.links.any():
            raise DataError(f"{type(self).__name__} learns from links, but no training sample is one")

    def met(self, at: int) -> Tensor:
        """Which nodes of a role stand in a training sample, bool, shape (node,)."""
        found: Tensor = getattr(self, f"met_{at}")
        return found

    def remembered(self, at: int) -> Tensor:
        """Attributes of the nodes of a role, shape (node, name), zeros where nothing is known; of width 0 where there are none."""
        if at not in self._attributes:
            return self.links.new_zeros(self.counts[at], 0)
        found: Tensor = getattr(self, f"attributes_{at}")
        return found

    def told(self, batch: Batch, at: int) -> Tensor:
        """Attributes of the nodes of a role as they come with samples, shape (sample, name), zeros where nothing is known."""
        if at not in self._attributes:
            return self.links.new_zeros(len(batch), 0)
        values: Tensor = batch.inputs[self._attributes[at]]
        known = batch.known(self._attributes[at])
        return values if known is None else torch.where(known, values, torch.zeros_like(values))

    def nodes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Numbers of both nodes and whether they are known, shape (sample, 2) each; a hidden node has the number 0."""
        pairs = batch.inputs[self.pair_name]
        known = batch.known(self.pair_name)
        if known is None:
            return pairs, torch.ones_like(pairs, dtype=torch.bool)
        return torch.where(known, pairs, torch.zeros_like(pairs)), known

    def known_links(self) -> np.ndarray:
        """Numbers of the nodes of each link it knows, int64, shape (link, 2)."""
        found: np.ndarray = torch.argwhere(self.links > 0).cpu().numpy()
        return found

    def without_links(self: Links, links: np.ndarray) -> Links:
        """A copy that does not know these links, shape (link, 2); what it has learnt by steps stays."""
        found = copy.deepcopy(self)
        at = torch.from_numpy(np.asarray(links, np.int64).reshape(-1, 2))
        found.links[at[:, 0], at[:, 1]] = 0.0
        return found
