"""Whether what is here is what a model has learnt from: one comparison for whole datasets and for loose objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.data.frozen import Frozen

WORDS: Mapping[str, frozenset[str]] = {
    "graph": frozenset({"node_word", "edge_word"}),
    "nodes": frozenset({"node_word", "edge_word"}),
}
"""By kind, what is said for people alone; all other fields, of every kind, must agree."""

PROSE = frozenset({"kind", "about"})

SHORT = 80
"""Values longer than this are not written out."""


def differing(here: Frozen, learnt: Frozen) -> tuple[str, ...]:
    """Names of the fields in which two descriptions differ; what one of them does not know is not different.

    Unknown are ``None``, an empty text, and an empty record.

    Examples
    --------
    >>> from pellucid.data.inputs import Image
    >>> one = Image(channels=("ink",), size=(8, 8), spacing_mm=(1, 1), units="")
    >>> other = Image(channels=("ink",), size=(8, 8), spacing_mm=(2, 2), units="1")
    >>> differing(one, other)
    ('spacing_mm',)
    """
    if _kind(here) != _kind(learnt):
        return ("kind",)
    prose = PROSE | WORDS.get(_kind(here), frozenset())
    names = [name for name in type(learnt).model_fields if name not in prose]
    return tuple(name for name in names if _differ(getattr(here, name, None), getattr(learnt, name)))


def differs_from(here: Frozen, learnt: Frozen) -> str:
    """In what a description differs from the one that was learnt from, in a few words; an empty string where it does not."""
    if (fields := differing(here, learnt)) == ("kind",):
        return f"kind {_kind(here)} here and {_kind(learnt)} there"
    told = []
    for name in fields:
        mine, theirs = (_said(getattr(one, name)) for one in (here, learnt))
        long = len(mine) + len(theirs) > SHORT
        told.append(f"other {name}" if long else f"other {name} ({mine} here and {theirs} there)")
    return " and ".join(told)


def _kind(one: Frozen) -> str:
    return str(getattr(one, "kind", type(one).__name__))


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _differ(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return any(_differ(a, b) for a, b in zip(one, other, strict=True))
    # One unit for all says the same as one for each.
    if isinstance(one, tuple) and isinstance(other, str):
        return any(_differ(each, other) for each in one)
    if isinstance(one, str) and isinstance(other, tuple):
        return _differ(other, one)
    return bool(one != other) and not (_unknown(one) or _unknown(other))


def _unknown(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, Mapping) and not value)
