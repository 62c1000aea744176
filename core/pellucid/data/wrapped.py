"""A dataset that shows another one's samples with something changed: what it does not change comes from the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Place

if TYPE_CHECKING:
    import pandas as pd

Kind = TypeVar("Kind")


class Wrapped(Dataset):
    """All samples of another dataset, in its order; a subclass overrides what differs.

    What is planted, and what was published, is not handed on: whoever changes labels or values knows whether it is still true.

    Parameters
    ----------
    source : Dataset
    """

    def __init__(self, source: Dataset) -> None:
        self.source = source
        self.spec, self.made_by, self.origin, self.findings = (
            source.spec,
            source.made_by,
            source.origin,
            source.findings,
        )

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """The source's."""
        return self.source.frame

    def read(self, indices: np.ndarray) -> Arrays:
        """The source's."""
        return self.source.read(indices)

    def places(self, input: str, index: int) -> Mapping[str, tuple[Place, ...]]:
        """The source's."""
        return self.source.places(input, index)

    def ability(self, kind: type[Kind]) -> Kind | None:
        """This one's, or else the source's."""
        return self if isinstance(self, kind) else self.source.ability(kind)
