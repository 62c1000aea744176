"""Whether prototypes are the training samples that they are shown as: read anew from the data, encoded anew."""

from __future__ import annotations

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


def sources(model: Model, data: Dataset, target: str, train: np.ndarray, seed: int) -> dict[str, float]:
    """What became of the promise that each prototype is a window of a training sample of its class.

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

    Returns
    -------
    dict of str to float
        ``cosine``: the smallest cosine of a prototype and its source as it is now, 0 where there is none of that id;
        ``distance``: the largest distance between them, over the prototype's length; ``random_cosine``, ``random_distance``: means
        with a random window of another training sample; ``in_training``, ``of_class``: shares of
        prototypes whose source is a training sample, and of their class; ``unique``: distinct sources over prototypes;
        ``projected``: share of prototypes that have a source; ``prototypes``: their number.
    """
    head = model.head
    assert isinstance(head, Comparing)
    model.eval()
    known = torch.nonzero(head.projected)[:, 0].tolist()
    names, index = head.sources, data.frame.index.astype(str)
    at = index.get_indexer(pd.Index([names[one] for one in known], dtype=object))
    learnt = set(train.tolist())
    labels = torch.tensor(data.target_values(target), dtype=torch.float32)
    of_class = is_of_class(head.config.target, labels)
    right = [
        position >= 0 and bool(of_class[position, head.class_of[one]]) for one, position in zip(known, at, strict=True)
    ]
    rng = np.random.default_rng(seed)
    cosines, distances = _compared(model, data, known, at, head.source_window[known].numpy())
    drawn = rng.choice(train, len(known))
    count = [head.sets[int(head.set_of[one])].windows for one in known]
    unrelated, apart = _compared(model, data, known, drawn, rng.integers(0, count))
    distinct = {(names[one], int(head.source_window[one]), int(head.set_of[one])) for one in known}
    total = max(1, len(known))
    return {
        "cosine": float(min(cosines, default=0.0)),
        "random_cosine": float(np.mean(unrelated)) if known else 0.0,
        "distance": float(max(distances, default=1.0)),
        "random_distance": float(np.mean(apart)) if known else 1.0,
        "in_training": sum(int(position) in learnt for position in at) / total,
        "of_class": sum(right) / total,
        "unique": len(distinct) / total,
        "projected": len(known) / len(head.class_of),
        "prototypes": float(len(head.class_of)),
        "training_share": len(train) / len(data),
        "class_share": float(of_class.float().mean(0)[head.class_of].mean()),
    }


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
        some = there[start : start + AT_ONCE]
        z = model.encode(collate(data, at[some]))
        patches: dict[int, Tensor] = {}
        for row, one in enumerate(some.tolist()):
            set_index = int(head.set_of[prototypes[one]])
            if set_index not in patches:
                patches[set_index] = head.patches(z, set_index)
            own = head.prototypes[set_index][prototypes[one] - head.span(set_index).start].double()
            patch = patches[set_index][row, int(window[one])].double()
            cosines[one] = float(functional.cosine_similarity(own, patch, dim=0))
            distances[one] = float((own - patch).norm() / own.norm().clamp(min=1e-12))
    return cosines, distances
