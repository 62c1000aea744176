"""Numbers as the mean of those of the training samples that are nearest."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.errors import ContractError
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, labels_of
from pellucid.heads.one_pass import OnePass
from pellucid.heads.remembering import Remembers
from pellucid.moments import Moments
from pellucid.representation import Representation
from pellucid.sample_ids import decoded_ids, encoded_ids

NAME = "neighbour-mean"


class NeighbourMeanConfig(PredictorConfig):
    """Settings of :class:`NeighbourMean`.

    Parameters
    ----------
    neighbours : int
        How many training samples are averaged; fewer where there are fewer.
    """

    neighbours: int = Field(5, ge=1)


class NeighbourMean(OnePass, Remembers):
    """The mean of what the nearest training samples have, in standard deviations of the units: retrieval, and nothing else.

    A contribution is what one of them differs from the training mean by, over their number, and evidence is the sample itself: they add up
    to the output exactly. With one neighbour the output is that of the most similar training sample.
    """

    tags = HeadTags(family="prototype", targets=("regression",), remembers=True)
    never = "this model has seen no training samples to compare with"
    then = "this model compared training samples"
    config_type = NeighbourMeanConfig
    config: NeighbourMeanConfig
    grown = ("rows", "numbers", "ids")
    rows: Tensor
    numbers: Tensor
    ids: Tensor
    usual: Tensor
    unit_scale: Tensor

    def __init__(self, config: NeighbourMeanConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("rows", torch.zeros(0, len(config.units)))
        # A parameter, although no step moves it: it is what an audit draws anew to see whether explanations notice.
        self.numbers = torch.nn.Parameter(torch.zeros(0, len(self.outputs)))
        self.register_buffer("ids", torch.zeros(0, 0, dtype=torch.uint8))
        self.register_buffer("usual", torch.zeros(len(self.outputs)))
        self.register_buffer("unit_scale", torch.ones(len(config.units)))
        self.begin_memory()

    @property
    def remembered(self) -> bool:
        """Whether it has seen training samples."""
        return bool(len(self.rows))

    @property
    def explained_names(self) -> tuple[str, ...]:
        """None: which training samples are named differs between cases."""
        return ()

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Keep all training samples.

        Raises
        ------
        ContractError
            If the samples carry no labels or no ids.
        """
        seen = list(parts)
        numbers = torch.cat([labels_of(batch) for _, batch in seen])
        names = [name for _, batch in seen for name in batch.samples]
        if len(names) != len(numbers):
            raise ContractError(
                f"head {NAME!r} names training samples, and these have no ids; make the batches with collate or batch_of"
            )
        units = Moments()
        rows = torch.cat([z.values for z, _ in seen]).float()
        units.add(rows)
        self.unit_scale.copy_(units.deviation)
        self.grow("rows", rows)
        self.grow("numbers", numbers.float())
        self.grow("ids", encoded_ids(names))
        self.usual.copy_(numbers.mean(0))

    def nearest(self, z: Representation) -> tuple[Tensor, Tensor]:
        """Distances in standard deviations and places among the training samples, the nearest first; both (sample, neighbour)."""
        if not self.remembered:
            raise ContractError(f"head {NAME!r}: {self.never}; fit it first")
        # Differences and not products of norms: two samples that are equal must be 0 apart.
        far = torch.cdist(
            z.values / self.unit_scale, self.rows / self.unit_scale, compute_mode="donot_use_mm_for_euclid_dist"
        )
        found = far.topk(min(self.config.neighbours, far.shape[1]), dim=1, largest=False)
        return found.values, found.indices

    def forward(self, z: Representation) -> Tensor:
        """Numbers, shape (sample, output)."""
        return self.usual + (self.numbers[self.nearest(z)[1]] - self.usual).mean(1)

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each of the nearest training samples adds to one output."""
        at = self.output_index(target)
        far, places = self.nearest(z)
        theirs = self.numbers[places, at]
        contributions = (theirs - self.usual[at]) / places.shape[1]
        names = tuple(f"neighbour {rank + 1}" for rank in range(places.shape[1]))
        ids = decoded_ids(self.ids)
        evidence = tuple(
            tuple(
                Evidence(name, source=ids[source], text=f"has {number:.3g}, distance {distance:.3g}")
                for name, source, number, distance in zip(names, sources, numbers, distances, strict=True)
            )
            for sources, numbers, distances in zip(places.tolist(), theirs.tolist(), far.tolist(), strict=True)
        )
        baseline = self.usual[at].expand(len(places))
        return Explanation("prototype", target, names, contributions, baseline, self(z)[:, at], far, evidence)
