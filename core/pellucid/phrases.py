"""Counts and lists in plain words."""

from __future__ import annotations

from collections.abc import Iterable


def plural(count: int, word: str, several: str = "") -> str:
    """``1 case``, ``2 cases``, ``1,018 cases``; ``several`` for a word that takes more than an s."""
    return f"{count:,} {word if count == 1 else several or f'{word}s'}"


def listed(items: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = list(items) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def yes_or_no(value: bool) -> str:
    """``yes`` or ``no``, as fields of files and facts of components are shown."""
    return "yes" if value else "no"
