"""What descriptions are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A description that cannot change and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
