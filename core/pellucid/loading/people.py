"""Whom recordings are of: ages and sexes as databases write them, and pseudonyms where nobody says who is who."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.data import pseudonym

OLDEST = 90
"""Years. Ages above 89 are those of so few that they tell who somebody is; all of them count as this one."""

COVARIATES = {"age_years": "years", "female": "0 or 1"}
"""What is known of a person, and its units."""


def ages(years: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Ages in years, at most :data:`OLDEST`; NaN for what is none.

    Examples
    --------
    >>> ages([61, 300, -1, float("inf")]).tolist()
    [61.0, 90.0, nan, nan]
    """
    given = np.asarray(years, np.float64)
    return np.where((given >= 0) & (given < np.inf), np.minimum(given, OLDEST), np.nan)


def female(sex: Any) -> float:
    """1 for a woman and 0 for a man, by the word that stands for it; NaN for every other.

    Examples
    --------
    >>> female("Female"), female("M"), female("Unknown")
    (1.0, 0.0, nan)
    """
    return {"female": 1.0, "f": 1.0, "male": 0.0, "m": 0.0}.get(str(sex).casefold(), math.nan)


def record_pseudonyms(records: Iterable[str], namespace: str) -> tuple[str, ...]:
    """What stands for each record where its name must not, and for its person where each record counts as one."""
    return tuple(pseudonym(f"record {record}", namespace) for record in records)
