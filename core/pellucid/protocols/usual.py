"""What is usual among training samples: what stands for knowing nothing, and how large a small disturbance is.

Learnt from the training side of a fold like everything else, and kept with the weights of a finished run, so that its
explanations can be audited on other subjects when the training samples are not at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.subjects import LearnedFrom
from pellucid.heads.abilities import ByConcepts
from pellucid.heads.base import target_loss
from pellucid.model import Model, batches
from pellucid.protocols.explained import explained_space
from pellucid.representation import Representation

ENOUGH = 2048
"""Samples from which the spread of an input is learnt."""


@dataclass(frozen=True)
class UsualValues:
    """The values that one model's explanations speak of, over the training samples.

    Parameters
    ----------
    centre, deviation : Tensor, shape (value,)
        Mean and standard deviation.
    rises : Tensor, shape (output, value)
        1 where an output tends to be higher with a higher value, -1 where lower: all that a rule without a model of a
        sample's own could say of it.
    """

    centre: Tensor
    deviation: Tensor
    rises: Tensor


@dataclass(frozen=True)
class UsualConcepts:
    """What people said of the training samples, and which of it a model needed most.

    Parameters
    ----------
    mean : Tensor, shape (concept,)
        Mean rating of each concept, over the samples that have one.
    order : tuple of int
        All concepts, most useful first: each is the one that lowers the model's training loss most when its prediction is
        replaced by people's ratings, those before it replaced already.
    """

    mean: Tensor
    order: tuple[int, ...]


@dataclass(frozen=True)
class Usual:
    """What is usual, of every model and every input.

    Parameters
    ----------
    parts : mapping of str to UsualValues
        By part; those are missing whose outputs cannot be computed from what their explanations speak of.
    scales : mapping of str to Tensor
        Standard deviation of each input: of each number of a vector, else of the whole.
    learned_from : LearnedFrom
    concepts : mapping of str to UsualConcepts
        By part, of models that go by concepts.
    """

    parts: Mapping[str, UsualValues]
    scales: Mapping[str, Tensor]
    learned_from: LearnedFrom
    concepts: Mapping[str, UsualConcepts] = field(default_factory=dict)

    @classmethod
    def of(cls, models: Mapping[str, Model], train: Dataset, target: str) -> Usual:
        """Learn it from training samples, labelled with ``target``."""
        parts, concepts = {}, {}
        for part, model in models.items():
            if (found := _values(model, train)) is not None:
                parts[part] = found
            if isinstance(model.predictor, ByConcepts):
                concepts[part] = _concepts(model.predictor, model.representation(train), train, target)
        return cls(parts, _scales(train), train.learned_from | train.made_by, concepts)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for a weights file's header."""
        names = [one.name for one in fields(UsualValues)]
        return {
            "parts": {part: {n: getattr(own, n).tolist() for n in names} for part, own in self.parts.items()},
            "scales": {name: scale.tolist() for name, scale in self.scales.items()},
            "learned_from": self.learned_from.to_json(),
            "concepts": {
                part: {"mean": own.mean.tolist(), "order": list(own.order)} for part, own in self.concepts.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usual:
        """Inverse of :meth:`to_json`."""
        return cls(
            {part: UsualValues(**{n: torch.tensor(v) for n, v in own.items()}) for part, own in data["parts"].items()},
            {name: torch.tensor(scale) for name, scale in data["scales"].items()},
            LearnedFrom.from_json(data["learned_from"]),
            {
                part: UsualConcepts(torch.tensor(own["mean"]), tuple(own["order"]))
                for part, own in data.get("concepts", {}).items()
            },
        )


@torch.no_grad()
def _values(model: Model, train: Dataset) -> UsualValues | None:
    some = []
    for batch, _ in batches(train):
        z = model.eval().encode(batch)
        space = explained_space(model.predictor, z)
        if space is None:
            return None
        # Batch by batch: the tokens of all training samples would not fit in memory.
        some.append((space.values(z), space.outputs(space.values(z))))
    values, outputs = (torch.cat(column) for column in zip(*some, strict=True))
    rises = (outputs - outputs.mean(0)).t() @ (values - values.mean(0))
    return UsualValues(values.mean(0), values.std(0, correction=0), rises.sign())


@torch.no_grad()
def _concepts(head: Any, training: Representation, train: Dataset, target: str) -> UsualConcepts:
    ratings = torch.tensor(train.concept_values(), dtype=torch.float32)
    batch = Batch({}, targets=torch.tensor(train.target_values(target), dtype=torch.float32))
    known = ~ratings.isnan()
    mended = head.handed_on(head.concepts(training))
    order: list[int] = []
    while len(order) < ratings.shape[1]:
        tried = {}
        for at in set(range(ratings.shape[1])) - set(order):
            one = mended.clone()
            one[:, at] = torch.where(known[:, at], ratings[:, at], one[:, at])
            tried[at] = (float(target_loss(head.config.target, head.outcome(one), batch)), at, one)
        _, best, mended = min(tried.values(), key=lambda found: found[:2])
        order.append(best)
    return UsualConcepts(ratings.nanmean(0).nan_to_num(0.0), tuple(order))


def _scales(train: Dataset) -> dict[str, Tensor]:
    found = {}
    for name, x, known in _inputs(train):
        several = x.ndim == 2
        there = known.sum(0).clamp(min=1) if several else known.sum().clamp(min=1)
        axes = (0,) if several else tuple(range(x.ndim))
        mean = (x * known).sum(axes) / there
        found[name] = (((x - mean) * known).square().sum(axes) / there).sqrt().float()
    return found


def _inputs(dataset: Dataset) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, numbers (float64) and what is known of each input that holds numbers."""
    some: list[Batch] = []
    for batch, _ in batches(dataset):
        some.append(batch)
        if sum(map(len, some)) >= ENOUGH:
            break
    for name, first in some[0].inputs.items():
        if not isinstance(first, Tensor) or not first.is_floating_point():
            continue
        x = torch.cat([b.inputs[name] for b in some]).double()
        known = torch.ones_like(x)
        if name in some[0].masks:
            mask = torch.cat([b.masks[name] for b in some])
            known = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)).expand_as(x).double()
        yield name, x, known
