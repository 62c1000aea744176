"""What any model of links must beat: the numbers of links of the two nodes, and what nodes like this one are linked with."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.encoders.base import EncoderConfig, EncoderTags
from pellucid.encoders.links import LinkEncoder
from pellucid.errors import StudyError
from pellucid.representation import Representation

_TAGS = EncoderTags(accepts=("nodes", "vector"), several_inputs=True)


def _example(cls: Any) -> Dataset:
    from pellucid_molecules.links.graph2mda import Graph2Mda

    return Graph2Mda.example_data()


class PairDegreesConfig(EncoderConfig):
    """No settings beside the inputs."""


class PairDegrees(LinkEncoder):
    """How many training links one node of a pair has, times how many the other has: who is studied much is found linked much.

    A node that stands in no training sample counts with the mean of those that do.
    """

    tags = _TAGS
    config_type = PairDegreesConfig
    config: PairDegreesConfig
    example_data = classmethod(_example)

    def __init__(self, config: PairDegreesConfig) -> None:
        super().__init__()
        self.config = config
        self.remember_at_most()

    @property
    def names(self) -> tuple[str, ...]:
        """``"degree product"``."""
        return ("degree product",)

    def forward(self, batch: Batch) -> Representation:
        """The product; 0 where a node is hidden."""
        nodes, known = self.nodes(batch)
        found = [self._degrees(at)[nodes[:, at]] * known[:, at] for at in range(2)]
        return Representation((found[0] * found[1])[:, None], self.names)

    def _degrees(self, at: int) -> Tensor:
        degrees, met = self.links.sum(1 - at), self.met(at)
        return torch.where(met, degrees, degrees.sum() / met.sum().clamp(min=1))


class NeighbourLinksConfig(EncoderConfig):
    """Settings of :class:`NeighbourLinks`.

    Parameters
    ----------
    role : str
        Whose neighbours are asked; the first role by default.
    similarity : {"links", "attributes"}
        By what nodes are neighbours: by the other nodes they are linked with in training (Jaccard), or by their attributes
        (Tanimoto, with counts as min over max). Nodes without training links have no neighbours by links.
    neighbours : int
        The most similar ones that count. Those as similar as the last of them share its place.
    """

    role: str = ""
    similarity: Literal["links", "attributes"] = "links"
    neighbours: int = Field(5, ge=1)


class NeighbourLinks(LinkEncoder):
    """Whether the nearest neighbours of one node are linked with the other: the mean over neighbours, weighted by similarity.

    A pair's own link takes no part, neither in who is a neighbour nor in what neighbours say, so that training pairs are not read
    off. Where no neighbour is similar at all, it is the share of nodes met in training with which the other node is linked.

    References
    ----------
    Tanimoto of counts: Willett, Barnard and Downs (1998), doi:10.1021/ci9800211.
    """

    tags = _TAGS
    config_type = NeighbourLinksConfig
    config: NeighbourLinksConfig
    example_data = classmethod(_example)

    def __init__(self, config: NeighbourLinksConfig) -> None:
        super().__init__()
        self.config = config
        self.remember_at_most()
        role = config.role or self.roles[0]
        if role not in self.roles:
            raise StudyError(f"neighbour-links: role {role!r} is none of {', '.join(self.roles)}")
        self._at = self.roles.index(role)
        if config.similarity == "attributes" and not self.remembered(self._at).shape[1]:
            raise StudyError(
                f"neighbour-links compares the attributes of each {role}, but reads none: add the input '{role} attributes', or "
                'write similarity = "links"'
            )

    @property
    def names(self) -> tuple[str, ...]:
        """``"linked neighbours"``."""
        return ("linked neighbours",)

    def forward(self, batch: Batch) -> Representation:
        """The weighted share; zeros where a node is hidden."""
        nodes, known = self.nodes(batch)
        links = self.links if self._at == 0 else self.links.T
        own, other = nodes[:, self._at], nodes[:, 1 - self._at]
        column = links[:, other].T
        alike = (
            self._by_links(links, own, column) if self.config.similarity == "links" else self._by_attributes(batch, own)
        )
        alike = torch.where(self.met(self._at), alike, torch.zeros_like(alike))
        alike = alike.scatter(1, own[:, None], 0.0)
        weights = _of_nearest(alike, min(self.config.neighbours, alike.shape[1]))
        total = weights.sum(1)
        said = (weights * column).sum(1) / total.clamp(min=1e-12)
        # Nodes that training has not met can have no link in it; counted, they would make those of a cold split look rarer.
        met = self.met(self._at)
        rest = column.scatter(1, own[:, None], 0.0).sum(1) / (met.sum() - met[own].long()).clamp(min=1)
        found = torch.where(total > 0, said, rest) * known.all(1)
        return Representation(found[:, None], self.names)

    @staticmethod
    def _by_links(links: Tensor, own: Tensor, column: Tensor) -> Tensor:
        """Jaccard of link profiles without the pair's other node, shape (sample, node)."""
        mine = links[own]
        itself = column.gather(1, own[:, None])
        both = mine @ links.T - itself * column
        either = mine.sum(1, keepdim=True) - itself + links.sum(1) - column - both
        return both / either.clamp(min=1)

    def _by_attributes(self, batch: Batch, own: Tensor) -> Tensor:
        """Tanimoto of attributes, shape (sample, node); of nodes that training has met they are as remembered."""
        every = self.remembered(self._at)
        mine = torch.where(self.met(self._at)[own, None], every[own], self.told(batch, self._at))
        lower = torch.stack([torch.minimum(row, every).sum(1) for row in mine])
        upper = torch.stack([torch.maximum(row, every).sum(1) for row in mine])
        return torch.where(upper > 0, lower / upper.clamp(min=1e-12), torch.zeros_like(lower)).clamp(min=0)


def _of_nearest(alike: Tensor, count: int) -> Tensor:
    """Similarities of the most similar nodes, zeros for all others; shape (sample, node) both.

    With few links half of all nodes have a like as near as their last one that counts. Whichever of these came first would count,
    in an order that nothing decides; so they share what places are left.
    """
    last = alike.topk(count, 1).values[:, -1:]
    nearer, tied = alike > last, alike == last
    share = (count - nearer.sum(1, keepdim=True)) / tied.sum(1, keepdim=True)
    return torch.where(nearer, alike, torch.where(tied, alike * share, torch.zeros_like(alike)))
