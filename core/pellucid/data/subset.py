"""Some samples of a dataset: what every split, fold and selection is made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.published import Published
from pellucid.data.samples import Arrays, Place
from pellucid.regions import Region

if TYPE_CHECKING:
    import pandas as pd

Kind = TypeVar("Kind")


class Subset(Dataset):
    """Some samples of another dataset, in an order of their own."""

    def __init__(self, source: Dataset, indices: np.ndarray) -> None:
        if len(indices) and (indices.min() < 0 or indices.max() >= len(source)):
            raise IndexError(f"subset asks for samples {indices.min()}..{indices.max()} of {len(source)}")
        # A subset of a subset reads from the root, so that a chain of splits costs one look-up.
        self.source: Dataset = source.source if isinstance(source, Subset) else source
        self.indices: np.ndarray = source.indices[indices] if isinstance(source, Subset) else indices
        self.spec = source.spec
        self.made_by, self.origin = source.made_by, source.origin
        self.findings = source.findings

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """Rows of the samples in this subset."""
        return self.source.frame.iloc[self.indices]

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Of these samples."""
        found = self.source.planted(output)
        return None if found is None else [found[index] for index in self.indices]

    def places(self, input: str, index: int) -> Mapping[str, tuple[Place, ...]]:
        """Of this sample."""
        return self.source.places(input, int(self.indices[index]))

    def ability(self, kind: type[Kind]) -> Kind | None:
        """The source's."""
        return self if isinstance(self, kind) else self.source.ability(kind)

    def published(self, target: str) -> tuple[Published, ...]:
        """Those of the source, where no sample that is labelled for the target is left out."""
        scores = self.source.published(target)
        if not scores:
            return ()
        labelled = ~np.isnan(self.source.target_values(target)).any(axis=1)
        return scores if set(np.flatnonzero(labelled)) <= set(self.indices.tolist()) else ()

    def read(self, indices: np.ndarray) -> Arrays:
        """Read from the source."""
        return self.source.read(self.indices[indices])
