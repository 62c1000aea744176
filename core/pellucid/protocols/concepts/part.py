"""Rows of one model in the concept audit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from pellucid.protocols.audited import AuditedRows
from pellucid.statistics.bootstrap import Statistic


@dataclass(frozen=True)
class AuditedPart(AuditedRows):
    """What was measured of one model that goes by concepts: rows of
    :class:`~pellucid.protocols.concepts.rows.ConceptMeasures`."""

    protocol: ClassVar[str] = "concept-audit"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the concepts."""
        return tuple(str(c).removeprefix("usual:") for c in self.rows.columns if str(c).startswith("usual:"))


def mean_of(statistics: list[Statistic]) -> Statistic:
    """The mean of several statistics, for each set of weights."""
    return lambda w: np.mean([one(w) for one in statistics], axis=0)
