"""What every step of a run needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.data.dataset import Dataset
from pellucid.protocols.base import Assessment, Context, Splitting
from pellucid.studies import Study
from pellucid.training.loop import Watcher

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Task:
    """A study with its data, its protocols and its place."""

    study: Study
    dataset: Dataset
    splitting: Splitting
    assessments: Mapping[str, Assessment]
    context: Context
    folder: Path
    watcher: Watcher
    accelerator: Accelerator
    data: str | Path | None = None
    """Where the data are, if the study does not say."""

    @property
    def writes(self) -> bool:
        """Of several processes one writes."""
        return bool(self.accelerator.is_main_process)

    def together(self) -> None:
        """Wait until every process is here: what one writes the others must not read half."""
        self.accelerator.wait_for_everyone()
