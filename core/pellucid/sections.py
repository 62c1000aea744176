"""Sections of a run's document that must stay what the run wrote, each with the SHA-256 of its canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.errors import RunError

DIGESTS = "sections_sha256"
"""Key of the document under which the digests stand."""

KEPT = ("results", "not_measured", "cohort", "subjects")
"""What a reader takes for found by the run: its figures, and on whom they were had."""


def with_digests(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document with the digests of its sections, as they are now."""
    return {**document, DIGESTS: {name: digest(document[name]) for name in KEPT if name in document}}


def digest(section: Any) -> str:
    """SHA-256 of a section's JSON with sorted keys and no spaces: it changes with a value, not with how a file is laid out.

    Examples
    --------
    >>> digest({"a": 1, "b": [0.5]}) == digest({"b": [0.5], "a": 1}) != digest({"a": 1, "b": [0.6]})
    True
    """
    # Through text once, so that what is written and what is read back are one: tuples come back as lists.
    plain = json.loads(json.dumps(section, allow_nan=False))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def refuse_changed(document: Mapping[str, Any], path: Path) -> None:
    """Refuse a document whose sections are not those that were written; one of an earlier version has no digests.

    Raises
    ------
    RunError
        Names every changed section.
    """
    recorded = document.get(DIGESTS, {})
    if not isinstance(recorded, Mapping):
        raise RunError(
            f"{path} lacks a proper {DIGESTS!r}: it was changed or damaged; restore it, or run the study again"
        )
    # A number that JSON does not know (NaN) was never written by a run.
    changed = [name for name, one in recorded.items() if name not in document or _digest_or_none(document[name]) != one]
    if changed:
        raise RunError(
            f"{path}: {', '.join(map(repr, changed))} {'is' if len(changed) == 1 else 'are'} not what the run wrote (another "
            "SHA-256): it was changed or damaged afterwards; restore it, or run the study again into another folder"
        )


def _digest_or_none(section: Any) -> str | None:
    try:
        return digest(section)
    except ValueError:
        return None
