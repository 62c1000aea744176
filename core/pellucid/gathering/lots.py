"""Which cases the report shows.

Cases are drawn by lot: every test case gets a number from the seed and its own name, and of each kind (rightly or wrongly
called this or that) those with the smallest numbers are shown. The draw is the same whatever the order of folds, and
looks neither at how good nor at how pretty a case is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.heads.base import HeadTags

EACH = 2
"""Cases of each kind that are kept of a model."""


def interpretable(tags: HeadTags) -> bool:
    """Whether a head's explanation is how its output comes about."""
    return tags.stage == "ante_hoc"


def with_cases(parts: Mapping[str, HeadTags]) -> tuple[str, ...]:
    """The parts of which the report shows cases: the interpretable ones, or the first part where there is none."""
    return tuple(part for part, tags in parts.items() if interpretable(tags)) or tuple(parts)[:1]


def lot(seed: int, part: str, sample: str) -> str:
    """The number that decides whether a case is shown: uniform, and of no other meaning.

    Examples
    --------
    >>> lot(0, "additive", "a") == lot(0, "additive", "a") != lot(1, "additive", "a")
    True
    """
    return hashlib.blake2b(f"{seed}\x1f{part}\x1f{sample}".encode(), digest_size=8).hexdigest()


def drawn(cases: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The cases of one group that are shown: those with the smallest lots, of as many outputs as there are.

    The first by lot of each output come before the second of any. What is drawn from all folds is among what is drawn from
    each, so folds can be drawn from one after the other.

    Examples
    --------
    >>> [c["lot"] for c in drawn([{"target": t, "lot": n} for t, n in (("MI", 3), ("MI", 1), ("CD", 5), ("CD", 4), ("MI", 2))])]
    [1, 4]
    """
    each: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for case in sorted(cases, key=lambda c: c["lot"]):
        each[case["target"]].append(case)
    ranked = [(rank, case["lot"], case) for some in each.values() for rank, case in enumerate(some)]
    return [case for _, _, case in sorted(ranked, key=lambda one: one[:2])][:EACH]


def group_of(case: Mapping[str, Any]) -> str:
    """Of which the same number of cases is shown: the kind, without the label's name where there are several labels.

    Folders of earlier versions know the kind alone.
    """
    return str(case.get("group", case["kind"]))


def kind_of(target: Any, label: float, predicted: float, output: str = "") -> str:
    """In words, how a case went; numbers have no right and wrong.

    ``output`` is the label that is spoken of, where there are several.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> kind_of(Binary(names=("benign", "malignant")), label=0, predicted=1)
    'wrongly called malignant'
    """
    if target.numeric:
        return "drawn by lot"
    if not np.isfinite(label):
        return "of unknown label"
    output = output or target.outputs[0]
    names = target.class_names(output)
    how = "rightly" if label == predicted else "wrongly"
    return f"{how} called {names[int(predicted)]}"


def drawn_cases(target: Any, part: str, rows: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    """The cases of a model that are shown, as plain values, from its rows of explanations: of each group those drawn."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    columns = ["fold", "sample", "label", "predicted", "probability", "threshold", "target"]
    for row in rows.drop_duplicates("sample")[columns].to_dict("records"):
        several = target.several_labels
        kind = kind_of(target, row["label"], row["predicted"], row["target"] if several else "")
        # Of seventy labels each would have four kinds of its own.
        group = kind_of(target, row["label"], row["predicted"], "it") if several else kind
        kinds[group].append(
            {
                "part": part,
                "kind": kind,
                "group": group,
                "lot": lot(seed, part, row["sample"]),
                **{str(name): value for name, value in row.items()},
            }
        )
    return [case for some in kinds.values() for case in drawn(some)]
