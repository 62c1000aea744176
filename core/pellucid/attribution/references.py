"""Post-hoc methods that a study may name as a reference: they say afterwards which places of an input a model went by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.batch import Batch
from pellucid.model import Model
from pellucid.part import Config
from pellucid.regions import Region


@dataclass(frozen=True, eq=False)
class Placed:
    """How much each place of one sample counts.

    Parameters
    ----------
    regions : tuple of Region
    scores : ndarray of float64, shape (place,)
        In what unit and with which sign is the method's business; places are put in order by them.
    """

    regions: tuple[Region, ...]
    scores: np.ndarray


class Reference(ABC):
    """A method that looks at a finished model from outside, registered under a name (``attributions`` of a plugin).

    It learns nothing that is kept, changes nothing of the model, and says the same twice.
    """

    config_type: ClassVar[type[Config]]

    def __init__(self, config: Config) -> None:
        self.config = config

    @abstractmethod
    def unfit(self, model: Model) -> str:
        """Why it says nothing of this model; empty where it does."""

    @abstractmethod
    def places(self, model: Model, batch: Batch, *, target: str) -> list[Placed]:
        """What it says of each sample of a batch and one output."""

    @classmethod
    @abstractmethod
    def example(cls) -> tuple[Model, Batch]:
        """A model that it fits, not fitted, and a few samples: for the contract checks."""
