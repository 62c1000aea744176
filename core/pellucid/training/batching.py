"""Which samples make a batch: cut from a shuffled list, or so that no two of a batch share a text, a molecule, a picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.batch import Batch
from pellucid.data.blocks import index_blocks
from pellucid.errors import DataError
from pellucid.training.settings import TrainingSettings

Reader = Callable[[np.ndarray], Batch]
"""Gives the batch of some sample positions."""

WATCHED = 256
"""Samples looked at together where nothing is learnt; bounds memory, not results."""


@dataclass(frozen=True)
class Samples:
    """Samples to learn from or to watch, and how to read them.

    Parameters
    ----------
    read : callable
    count : int
    column : callable, optional
        Gives a column of their frame, by which batches can be made; none where samples have no frame.
    """

    read: Reader
    count: int
    column: Callable[[str], np.ndarray] | None = None


def batches_of(samples: Samples, settings: TrainingSettings, seed: int) -> list[np.ndarray]:
    """The batches of one epoch: every sample once, or with ``settings.distinct`` full batches without repeats.

    Raises
    ------
    DataError
        If samples have no such column, or fewer different values than a batch has places.
    """
    order = np.random.default_rng(seed).permutation(samples.count)
    if settings.distinct:
        return distinct_batches(order, _column(samples, settings.distinct), settings.batch_size, settings.distinct)
    return [order[at : at + settings.batch_size] for at in range(0, samples.count, settings.batch_size)]


def watched_batches(samples: Samples, settings: TrainingSettings) -> list[np.ndarray]:
    """The batches in which validation samples are looked at, the same in every epoch."""
    if not settings.distinct:
        step = max(WATCHED, settings.batch_size)
        return list(index_blocks(samples.count, step))
    values = _column(samples, settings.distinct)
    # The validation side may have fewer different values than a training batch has places.
    size = min(settings.batch_size, len(np.unique(values)))
    return distinct_batches(np.random.default_rng(0).permutation(samples.count), values, size, settings.distinct)


def distinct_batches(order: Sequence[int] | np.ndarray, values: np.ndarray, size: int, named: str) -> list[np.ndarray]:
    """Cut a list into batches in which no value stands twice.

    A contrastive loss takes everything else in a batch for a mismatch: a second recording of the same sentence would be
    called wrong. The list is walked; what would repeat a value waits for the next batch, and is first there. What does
    not fill a last batch is left out, another remainder in every epoch.

    Parameters
    ----------
    order : sequence of int
        Positions, shuffled.
    values : ndarray, shape (sample,)
    size : int
        Of each batch.
    named : str
        What the values are, for the message.

    Raises
    ------
    DataError
        If there are fewer different values than places.

    Examples
    --------
    >>> [b.tolist() for b in distinct_batches([0, 1, 2, 3, 4], np.array(["a", "a", "b", "b", "c"]), 2, "sentence")]
    [[0, 2], [1, 3]]
    """
    codes = np.unique(values, return_inverse=True)[1]
    here = len(np.unique(codes[np.asarray(order)])) if len(order) else 0
    if here < size:
        raise DataError(
            f"batches of {size} samples with different values in column {named!r} cannot be made of {here}: lower [training] "
            "batch_size, or learn from more"
        )
    waiting = deque(int(at) for at in order)
    batches: list[np.ndarray] = []
    while True:
        batch: list[int] = []
        used: set[int] = set()
        deferred: list[int] = []
        while waiting and len(batch) < size:
            at = waiting.popleft()
            code = int(codes[at])
            if code in used:
                deferred.append(at)
            else:
                used.add(code)
                batch.append(at)
        if len(batch) < size:
            return batches
        batches.append(np.array(batch, np.int64))
        waiting.extendleft(reversed(deferred))


def _column(samples: Samples, name: str) -> np.ndarray:
    if samples.column is None:
        raise DataError(f"these samples have no frame, so batches with different values in {name!r} cannot be made")
    return samples.column(name)
