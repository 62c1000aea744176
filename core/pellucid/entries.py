"""Entries of a study: its encoders and heads, each a component's name with what is said beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from pellucid.data.spec import Frozen


class Entry(Frozen):
    """One component of a study: its name, and options of its own beside."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    label: str = ""
    training: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """What is said beside the keys that every entry has."""
        return dict(self.model_extra or {})


class EncoderEntry(Entry):
    """``[[encoder]]``: reads one input, or several at once."""

    input: str = ""
    inputs: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return self.inputs or (self.input,)

    @property
    def prefix(self) -> str:
        """What its units' names begin with."""
        return self.label or "+".join(self.reads)


class HeadEntry(Entry):
    """``[[head]]``: reads all encoders, or those named in ``reads``."""

    reads: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """Name of the model in results."""
        return self.label or self.name
