"""Cards for tests, of files that a test makes."""

from __future__ import annotations

import hashlib
from typing import Any

from pellucid.cards import Card

PLAIN: dict[str, Any] = {
    "title": "Made for a test",
    "name": "made",
    "namespace": "made",
    "about": "One sample is one thing.",
    "licence": "CC0-1.0",
    "citations": ("Somebody (2020)",),
    "access": "open",
    "how": "Ask them.",
    "subject_key": "id",
    "label_caveat": "not the truth",
    "units": {"length": "mm"},
}


def vouched(content: bytes) -> dict[str, Any]:
    """Size and digest of some content."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def made_card(files: dict[str, tuple[bytes, str]], **changes: Any) -> Card:
    """A card of files: path to content and address."""
    listed = [{"path": path, "url": url, **vouched(content)} for path, (content, url) in files.items()]
    return Card.model_validate({**PLAIN, "files": listed, **changes})


def packed_card(archive: bytes, name: str, url: str, files: dict[str, bytes], **changes: Any) -> Card:
    """A card of files inside an archive."""
    listed = [{"path": path, "archive": name, **vouched(content)} for path, content in files.items()]
    archives = [{"name": name, "url": url, **vouched(archive)}]
    return Card.model_validate({**PLAIN, "files": listed, "archives": archives, **changes})
