"""What is asked about the nodules of LIDC-IDRI, and the ratings that models may go by: one set of words for its datasets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from pellucid.data import Binary, Ordinal, Target
from pellucid.data.concepts import Concepts
from pellucid_ct.lidc.annotations.database import RATING_RANGES
from pellucid_ct.lidc.annotations.nodules import RATING_NAMES

NAMESPACE = "lidc-idri"
"""Where patients' names come from, for :func:`pellucid.data.pseudonym`: a patient is one subject in all of them."""

CONCEPT_NAMES = (*RATING_NAMES, "malignancy")
"""The nine ratings, in the order of :data:`~pellucid_ct.lidc.annotations.database.RATING_RANGES`."""

MALIGNANCY = ("highly unlikely", "moderately unlikely", "indeterminate", "moderately suspicious", "highly suspicious")
"""What the ratings 1 to 5 of malignancy mean."""

TARGETS: dict[str, Target] = {
    "malignant-vs-benign": Binary(
        names=("benign", "malignant"),
        about=(
            "median malignancy rating above 3, against below 3; nodules at exactly 3 have no label. "
            "The readers' opinion, not pathology"
        ),
    ),
    "malignant-vs-rest": Binary(
        names=("not malignant", "malignant"),
        about="median malignancy rating above 3, against all others. The readers' opinion, not pathology",
    ),
    "malignancy": Ordinal(
        names=MALIGNANCY, about="median malignancy rating, halves rounded up. The readers' opinion, not pathology"
    ),
}


def rating_concepts(
    names: Sequence[str] = CONCEPT_NAMES, *, targets: Iterable[str] = (), disagreement: bool = False
) -> Concepts:
    """Ratings as concepts, on their scales.

    Parameters
    ----------
    names : sequence of str
        Some or all of :data:`CONCEPT_NAMES`.
    targets : iterable of str
        Those that are made of the malignancy rating.
    disagreement : bool
        Whether the frame says how far readers were apart.
    """
    scales = dict(zip(CONCEPT_NAMES, RATING_RANGES.values(), strict=True))
    return Concepts(
        names=tuple(names),
        low=tuple(scales[name][0] for name in names),
        high=tuple(scales[name][1] for name in names),
        disagreement=disagreement,
        restates={"malignancy": tuple(targets)} if "malignancy" in names else {},
    )


def lone_readers(table: pd.DataFrame) -> str:
    """How many labels one person alone stands behind, as a sentence to append."""
    readers = table["n_readers"][table["malignant-vs-benign"].notna()]
    alone, labelled = int((readers == 1).sum()), len(readers)
    if not alone:
        return ""
    return (
        f" {alone:,} of the {labelled:,} nodules labelled benign or malignant ({alone / labelled:.0%}) were rated by one "
        "reader only: their ratings, outline and label are one person's opinion."
    )
