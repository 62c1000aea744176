"""Installed components that would fit, for messages that refuse one that does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pellucid import plugins

if TYPE_CHECKING:
    from pellucid.encoders.base import EncoderTags
    from pellucid.heads.tags import HeadTags


def encoders_with(wanted: Callable[[EncoderTags], bool]) -> list[str]:
    """Names of installed encoders of some tags."""
    return _with("encoder", wanted)


def heads_with(wanted: Callable[[HeadTags], bool]) -> list[str]:
    """Names of installed heads of some tags."""
    return _with("head", wanted)


def _with(kind: str, wanted: Callable[[Any], bool]) -> list[str]:
    fit = []
    for name in plugins.components(kind):
        try:
            if wanted(plugins.load(kind, name).tags):
                fit.append(name)
        except Exception:  # noqa: BLE001 - another plugin's trouble must not hide the message being written
            continue
    return fit
