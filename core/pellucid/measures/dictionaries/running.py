"""Reconstruction and sparsity over batches at once: what an evaluation adds to, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pellucid.errors import DataError, nearest
from pellucid.measures.dictionaries.exactness import same_rows
from pellucid.measures.dictionaries.reconstruction import DEFAULT, MEASURES
from pellucid.measures.dictionaries.running_reconstruction import RunningReconstruction
from pellucid.measures.dictionaries.sparsity import RunningSparsity
from pellucid.statistics.bootstrap import Statistic

STATISTICS = (*MEASURES, "l0", "l1", "hoyer")
"""Measures that can be resampled over subjects."""


class RunningMeasures:
    """All measures of reconstruction and sparsity over batches of an evaluation set that is never in memory at once.

    Parameters
    ----------
    signed : bool
        Negative codes count as on.
    least_rows : int, optional
        Rows needed to call a feature dead; see :func:`~pellucid.measures.dictionaries.sparsity.dead_fraction`.

    Examples
    --------
    >>> import torch
    >>> from pellucid.statistics.bootstrap import interval, subject_weights
    >>> running = RunningMeasures(least_rows=1)
    >>> for subject in range(8):
    ...     codes = torch.rand(5, 4, generator=torch.Generator().manual_seed(subject))
    ...     running.add(codes, 0.9 * codes, codes, subjects=[subject] * 5)
    >>> round(running.result()["cossim"], 6), running.result()["l0"]
    (1.0, 4.0)
    >>> weights = subject_weights(running.subjects)
    >>> interval(running.statistic("l0"), weights)
    Interval(value=4.0, low=4.0, high=4.0)
    """

    def __init__(self, *, signed: bool = False, least_rows: int | None = None) -> None:
        self.reconstruction = RunningReconstruction()
        self.sparsity = RunningSparsity(signed=signed, least_rows=least_rows)

    @property
    def subjects(self) -> np.ndarray:
        """Subjects in the order in which a statistic expects its weights, shape (subject,)."""
        return self.reconstruction.subjects

    def add(
        self, x: Tensor, reconstruction: Tensor, codes: Tensor, subjects: Sequence[object] | np.ndarray | None = None
    ) -> None:
        """Take in a batch: (row, unit) twice, (row, feature), and the subject of each row, shape (row,)."""
        same_rows(x=x, reconstruction=reconstruction, codes=codes)
        self.reconstruction.add(x, reconstruction, subjects)
        self.sparsity.add(codes, subjects)

    def merge(self, other: RunningMeasures) -> None:
        """Take in what another one has seen, subject by subject."""
        self.reconstruction.merge(other.reconstruction)
        self.sparsity.merge(other.sparsity)

    def statistic(self, name: str = DEFAULT) -> Statistic:
        """A measure of :data:`STATISTICS` as a function of weights, shape (..., subject).

        Raises
        ------
        DataError
            If there is no such measure.
        """
        if name not in STATISTICS:
            raise DataError(f"no running measure named {name!r}{nearest(name, STATISTICS)}")
        return (self.reconstruction if name in MEASURES else self.sparsity).statistic(name)

    def result(self) -> dict[str, float]:
        """Every measure over all rows so far; NaN, with a warning, where it is not defined."""
        return {**self.reconstruction.result(), **self.sparsity.result()}
