"""Whether prototypes are the training samples that they are shown as: read anew from the data, encoded anew."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from pellucid.batch import collate
from pellucid.data.dataset import Dataset
from pellucid.heads.prototypes.comparing import Comparing
from pellucid.heads.prototypes.sets import is_of_class
from pellucid.model import Model

AT_ONCE = 64
"""Sources read at once; bounds memory, not results."""


@dataclass(frozen=True, kw_only=True)
class SourceCheck:
    """What became of the promise that each prototype is a window of a training sample of its class.

    Parameters
    ----------
    cosine, distance : float
        Of the worst prototype and its source as it is now: the smallest cosine, 0 where there is no sample of that id, and
        the largest distance over the prototype's length, 1 where there is none.
    random_cosine, random_distance : float
        Means of prototypes and a random window of another training sample.
    in_training, of_class : float
        Shares of prototypes whose source is a training sample, and is of their class.
    training_share, class_share : float
        The same of samples drawn from everybody.
    unique : float
        Distinct sources over prototypes.
    projected : float
        Share of prototypes that have a source; all other shares are of these.
    prototypes : float
        Their number.
    """

    cosine: float
    random_cosine: float
    distance: float
    random_distance: float
    in_training: float
    training_share: float
    of_class: float
    class_share: float
    unique: float
    projected: float
    prototypes: float

    def facts(self) -> dict[str, float]:
        """By name."""
        return {name: float(value) for name, value in asdict(self).items()}


def check_sources(model: Model, data: Dataset, target: str, train: np.ndarray, seed: int) -> SourceCheck:
    """Read the source of each prototype anew from the data, encode it anew, and compare.

    Parameters
    ----------
    model : Model
        With a head of the family of :class:`~pellucid.heads.prototypes.comparing.Comparing`.
    data : Dataset
        All samples of the fold; sources are looked up by their ids.
    target : str
    train : ndarray of int
        Positions of the training samples.
    seed : int
        Of the random windows that sources are compared with.
    """
    head = model.head
    assert isinstance(head, Comparing)
    model.eval()
    known = torch.nonzero(head.projected)[:, 0].tolist()
    names, index = head.sources, data.frame.index.astype(str)
    at = index.get_indexer(pd.Index([names[prototype] for prototype in known], dtype=object))
    learnt = set(train.tolist())
    labels = torch.tensor(data.target_values(target), dtype=torch.float32)
    of_class = is_of_class(head.config.target, labels)
    right = [
        position >= 0 and bool(of_class[position, head.class_of[prototype]])
        for prototype, position in zip(known, at, strict=True)
    ]
    rng = np.random.default_rng(seed)
    cosines, distances = _compared(model, data, known, at, head.source_window[known].numpy())
    drawn = rng.choice(train, len(known))
    count = [head.sets[int(head.set_of[prototype])].windows for prototype in known]
    random_cosines, random_distances = _compared(model, data, known, drawn, rng.integers(0, count))
    distinct = {
        (names[prototype], int(head.source_window[prototype]), int(head.set_of[prototype])) for prototype in known
    }
    total = max(1, len(known))
    return SourceCheck(
        cosine=float(min(cosines, default=0.0)),
        random_cosine=float(np.mean(random_cosines)) if known else 0.0,
        distance=float(max(distances, default=1.0)),
        random_distance=float(np.mean(random_distances)) if known else 1.0,
        in_training=sum(int(position) in learnt for position in at) / total,
        training_share=len(train) / len(data),
        of_class=sum(right) / total,
        class_share=float(of_class.float().mean(0)[head.class_of].mean()),
        unique=len(distinct) / total,
        projected=len(known) / len(head.class_of),
        prototypes=float(len(head.class_of)),
    )


@torch.no_grad()
def _compared(
    model: Model, data: Dataset, prototypes: list[int], at: np.ndarray, window: np.ndarray
) -> tuple[list[float], list[float]]:
    """Cosine and relative distance of each prototype and a window of a sample; 0 and 1 where there is no such sample."""
    cosines, distances = [0.0] * len(prototypes), [1.0] * len(prototypes)
    there = np.flatnonzero(at >= 0)
    head = model.head
    assert isinstance(head, Comparing)
    for start in range(0, len(there), AT_ONCE):
        chosen = there[start : start + AT_ONCE]
        z = model.encode(collate(data, at[chosen]))
        patches: dict[int, Tensor] = {}
        for row, place in enumerate(chosen.tolist()):
            set_index = int(head.set_of[prototypes[place]])
            if set_index not in patches:
                patches[set_index] = head.patches(z, set_index)
            own = head.prototypes[set_index][prototypes[place] - head.span(set_index).start].double()
            patch = patches[set_index][row, int(window[place])].double()
            cosines[place] = float(functional.cosine_similarity(own, patch, dim=0))
            distances[place] = float((own - patch).norm() / own.norm().clamp(min=1e-12))
    return cosines, distances
