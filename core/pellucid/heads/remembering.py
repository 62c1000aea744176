"""Heads that remember training samples as encoders saw them: they are out of date as soon as an encoder changes."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from pellucid.fingerprint import BYTES
from pellucid.heads.base import Predictor

MEND = "project it again with model.project(dataset, target), where dataset holds the training samples"


class Remembers(Predictor):
    """A head with ``tags.remembers``: it keeps the fingerprint of the encoders whose samples it remembers."""

    never: ClassVar[str]
    """That nothing was remembered yet, as a clause (``"this model has seen no training samples"``)."""

    then: ClassVar[str]
    """When something was, as a clause."""

    encoders_then: Tensor

    def begin_memory(self) -> None:
        """Make room for the fingerprint; called once where other buffers are made."""
        self.register_buffer("encoders_then", torch.zeros(BYTES, dtype=torch.uint8))

    @property
    @abstractmethod
    def remembered(self) -> bool:
        """Whether there is anything yet."""

    def remember(self, encoders: Tensor) -> None:
        """Keep the fingerprint of the encoders."""
        self.encoders_then.copy_(encoders)

    def stale(self, encoders: Tensor) -> str:
        """Why training samples are no longer as the encoders see them, or an empty string."""
        if not self.remembered:
            return f"{self.never}: fit it, or {MEND}"
        if not torch.equal(self.encoders_then, encoders.to(self.encoders_then.device)):
            return f"an encoder has changed since {self.then}: {MEND}"
        return ""
