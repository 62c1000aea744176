"""On which side of a split the samples of a run's rows are, and from which of them statistics may be learnt."""

from __future__ import annotations

import numpy as np

from pellucid.assembly import build_protocols
from pellucid.data.dataset import Dataset
from pellucid.errors import PellucidError, RunError
from pellucid.model import Model
from pellucid.run import Run

__all__ = ["sides_of", "training_samples"]


def sides_of(done: Run, model: Model, dataset: Dataset, fold: int | None) -> np.ndarray:
    """Side of each sample in the split of the fold; of other data, ``train`` for all whom the model has learnt from."""
    side = np.full(len(dataset), "test", dtype=object)
    study = done.study
    if fold is None or dataset.digest() != done.document["dataset"]["digest"]:
        groups = {column: dataset.frame[column].to_numpy(object) for column in dataset.spec.groups}
        side[(model.learned_from | dataset.made_by).knows(groups, dataset.spec.namespace)] = "train"
        return side
    splitting = build_protocols(study)[0]
    for split in splitting.splits(dataset, study.target, study.training.seed):
        if split.fold == fold:
            side[split.train], side[split.validation] = "train", "validation"
    return side


def training_samples(done: Run, model: Model, dataset: Dataset, side: np.ndarray, fold: int | None) -> Dataset:
    """Training samples for the statistics of an untrained copy: of what is collected, else the run's own.

    The trained model's own statistics would not do: some (of normalisation layers) are those of its weights.
    """
    at = np.flatnonzero(side == "train")
    if len(at):
        return dataset.subset(at)
    try:
        own = done.study.open_dataset(None)
        same = own.digest() == done.document["dataset"]["digest"]
    except PellucidError as error:
        raise _without_statistics(done, f"cannot be opened ({error})") from error
    if not same:
        raise _without_statistics(done, "are no longer what they were")
    return own.subset(np.flatnonzero(sides_of(done, model, own, fold) == "train"))


def _without_statistics(done: Run, why: str) -> RunError:
    return RunError(
        "an untrained copy takes its statistics from training samples alone: the model has learnt from nobody in the data that are "
        f"to be collected, and the own data of {done.path} {why}. Put those back where the study has them, or collect without "
        "--untrained (from Python: untrained=False)"
    )
