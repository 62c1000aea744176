"""Graph2MDA: a variational graph auto-encoder on the links of training samples."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.encoders.base import EncoderConfig, EncoderTags
from pellucid.encoders.links import LinkEncoder
from pellucid.representation import Representation


class Graph2MdaConfig(EncoderConfig):
    """Settings of :class:`Graph2Mda`.

    Parameters
    ----------
    latent : int
        Dimensions of an embedding. The released code takes as many as there are microbes.
    widths : (int, int)
        Of the two layers below it.
    dropout : float
        Of nodes' features and of the first layer, while learning.
    kernels : bool
        Whether nodes have their interaction-profile similarities to the others of their kind as features, computed from training
        links; without attributes they are all that tells nodes apart.
    gamma : float
        Width of that kernel.
    entries : {"all", "between types"}
        Which entries of the adjacency are reconstructed: all, as published, or those between the two types alone.
    positive_weight : float, optional
        Of links in the loss; by default as many as there are entries without a link for each with one. Released: 1.
    """

    latent: int = Field(64, ge=1)
    widths: tuple[int, int] = (800, 400)
    dropout: float = Field(0.5, ge=0, lt=1)
    kernels: bool = True
    gamma: float = Field(1.0, gt=0)
    entries: Literal["all", "between types"] = "all"
    positive_weight: float | None = Field(None, gt=0)


class Graph2Mda(LinkEncoder):
    """Embeddings of both nodes of a pair by a variational graph auto-encoder; the pair is their product, dimension by dimension.

    A node's features are its attributes and its similarities to nodes of its kind, row by row normalised; two graph convolutions
    and a third for mean and spread of the embedding run over the links of the training samples, normalised with self-loops. The
    decoder is the inner product. A pair is encoded by the products of the two mean embeddings, one unit a dimension, so that a
    linear head's logit is a sum over dimensions.

    The graph is whole in every step of training: an epoch of one batch (``batch_size`` as large as the training side) is as
    published, with smaller batches there are more steps. On the validation side its loss is that of the validation pairs.

    Links of pairs that are no training samples are no part of the graph, of the kernels or of the loss: they count as no links.
    A node that stands in no training sample is encoded from the attributes that come with it, without neighbours.

    References
    ----------
    Deng et al. (2022), Graph2MDA, doi:10.1093/bioinformatics/btab792; Kipf and Welling (2016), arXiv 1611.07308. The released code
    trains on the test links too, and binarises scores before it ranks them. Ours: training links alone; links weighted in the loss
    (of a sparse graph it learns nothing else); embedding size free; any head on the product of the embeddings in the place of a
    network from a drug's embedding to all microbes.
    """

    tags = EncoderTags(accepts=("nodes", "vector"), several_inputs=True, trains_alone=True)
    config_type = Graph2MdaConfig
    config: Graph2MdaConfig

    def __init__(self, config: Graph2MdaConfig) -> None:
        super().__init__()
        self.config = config
        self.remember_at_most()
        width = sum(self.remembered(at).shape[1] for at in range(2)) + (sum(self.counts) if config.kernels else 0)
        if not width:
            # Nothing is known of a node but which it is.
            width = sum(self.counts)
        first, second = config.widths
        self.layers = nn.ModuleList([nn.Linear(width, first, bias=False), nn.Linear(first, second, bias=False)])
        self.mean = nn.Linear(second, config.latent, bias=False)
        self.spread = nn.Linear(second, config.latent, bias=False)
        for layer in (*self.layers, self.mean, self.spread):
            nn.init.xavier_uniform_(layer.weight)  # type: ignore[arg-type]
        self._kept: tuple[tuple[int, ...], Tensor] | None = None

    @classmethod
    def example_data(cls) -> Dataset:
        """A small planted network, its pairs shuffled."""
        import numpy as np

        from pellucid_datasets.links import LinksSynthetic, LinksSyntheticConfig

        data = LinksSynthetic(LinksSyntheticConfig(drugs=12, microbes=9, inside=0.6))
        return data.subset(np.random.default_rng(0).permutation(len(data)))

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """A small network."""
        return {"latent": 6, "widths": (16, 12)}

    @property
    def names(self) -> tuple[str, ...]:
        """``"dimension 1"`` and so on."""
        return tuple(f"dimension {at + 1}" for at in range(self.config.latent))

    def forward(self, batch: Batch) -> Representation:
        """Products of mean embeddings; zeros where a node is hidden."""
        nodes, known = self.nodes(batch)
        every = self.means()
        found = []
        for at in range(2):
            z = every[nodes[:, at] + at * self.counts[0]]
            new = ~self.met(at)[nodes[:, at]]
            if new.any() and at in self._attributes:
                alone = self._alone(
                    self._features(at, self.told(batch, at), self._kernel(at)[nodes[:, at]], nodes[:, at])
                )
                z = torch.where(new[:, None], alone, z)
            found.append(z * known[:, at : at + 1])
        return Representation(found[0] * found[1], self.names)

    def loss(self, batch: Batch) -> Tensor:
        """Of the whole training graph while learning; of the batch's pairs, with mean embeddings, otherwise."""
        if not self.training:
            assert batch.targets is not None
            logits = self(batch).values.sum(1)
            return functional.binary_cross_entropy_with_logits(
                logits, batch.targets[:, 0], pos_weight=self._weight_of_links()
            )
        mean, log_spread = self._encoded()
        z = mean + torch.randn_like(mean) * log_spread.exp()
        n = self.counts[0]
        if self.config.entries == "all":
            truth, logits = self._adjacency(), z @ z.T
        else:
            truth, logits = self.links, z[:n] @ z[n:].T
        fit = functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=self._weight_of_links())
        divergence = (1 + 2 * log_spread - mean.square() - (2 * log_spread).exp()).sum(1).mean()
        return fit - 0.5 / len(z) * divergence

    def means(self) -> Tensor:
        """Mean embeddings of all nodes, those of the first role first, shape (node, dimension)."""
        if self.training or torch.is_grad_enabled():
            return self._encoded()[0]
        # The whole graph is encoded for every batch; once is enough as long as nothing has changed.
        state = tuple(one._version for one in (*self.parameters(), *self.buffers()))
        if self._kept is None or self._kept[0] != state or self._kept[1].device != self.links.device:
            self._kept = state, self._encoded()[0]
        return self._kept[1]

    def _encoded(self) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of all embeddings."""
        adjacency = self._adjacency() + torch.eye(sum(self.counts), device=self.links.device)
        scale = adjacency.sum(1).rsqrt()
        adjacency = scale[:, None] * adjacency * scale
        h = torch.cat([
            self._features(at, self.remembered(at), self._kernel(at), torch.arange(self.counts[at], device=self.links.device))
            for at in range(2)
        ])  # fmt: skip
        for layer in self.layers:
            h = torch.relu(adjacency @ layer(functional.dropout(h, self.config.dropout, self.training)))
        h = adjacency @ h
        return self.mean(h), self.spread(h)

    def _alone(self, features: Tensor) -> Tensor:
        """Mean embeddings of nodes without neighbours: their self-loop is all there is."""
        h = features
        for layer in self.layers:
            h = torch.relu(layer(h))
        found: Tensor = self.mean(h)
        return found

    def _features(self, at: int, attributes: Tensor, kernel: Tensor, nodes: Tensor) -> Tensor:
        """Attributes and similarities of nodes of a role, each row summing to 1, in the columns of their role."""
        blocks = []
        for other in range(2):
            width = self.remembered(other).shape[1]
            blocks.append(_summing_to_one(attributes) if other == at else attributes.new_zeros(len(attributes), width))
        for other in range(2):
            if self.config.kernels:
                width = self.counts[other]
                blocks.append(_summing_to_one(kernel) if other == at else kernel.new_zeros(len(kernel), width))
        found = torch.cat(blocks, 1)
        if found.shape[1]:
            return found
        return functional.one_hot(nodes + at * self.counts[0], sum(self.counts)).to(self.links.dtype)

    def _kernel(self, at: int) -> Tensor:
        """Gaussian interaction-profile kernel of the training links, shape (node, node)."""
        profiles = self.links if at == 0 else self.links.T
        squares = profiles.square().sum(1)
        distances = (squares[:, None] + squares - 2 * profiles @ profiles.T).clamp(min=0)
        return torch.exp(-self.config.gamma * distances / squares.mean().clamp(min=1e-12))

    def _adjacency(self) -> Tensor:
        n, m = self.counts
        top = torch.cat([self.links.new_zeros(n, n), self.links], 1)
        return torch.cat([top, torch.cat([self.links.T, self.links.new_zeros(m, m)], 1)])

    def _weight_of_links(self) -> Tensor:
        if self.config.positive_weight is not None:
            return self.links.new_tensor(self.config.positive_weight)
        entries = sum(self.counts) ** 2 if self.config.entries == "all" else self.links.numel()
        count = self.links.sum() * (2 if self.config.entries == "all" else 1)
        return (entries - count) / count.clamp(min=1)


def _summing_to_one(rows: Tensor) -> Tensor:
    return rows / rows.abs().sum(1, keepdim=True).clamp(min=1e-12)
