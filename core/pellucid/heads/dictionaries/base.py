"""The contract of dictionaries: a representation as a sum of few atoms, each with a code that says how strongly."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.explanation import Explanation
from pellucid.heads.base import Head, HeadConfig, HeadTags
from pellucid.representation import Representation

if TYPE_CHECKING:
    from pellucid.heads.dictionaries.fitting import Rows
    from pellucid.training.settings import TrainingSettings

ACTIVATION = "activation"
"""What a dictionary explains: how far a representation is from the offset."""


class DictionaryConfig(HeadConfig):
    """Facts and settings that every dictionary has.

    Parameters
    ----------
    features : int
        Atoms, each with its code.
    """

    features: int = Field(default=64, gt=0)


class Dictionary(Head):
    """``x = sum_j code_j * atom_j + offset + error``, learnt without labels.

    Its explanation of a representation ``x``: the squared distance of ``x`` from the offset, taken apart by features::

        |x - offset|^2 = sum_j code_j * <atom_j, x - offset> + <error, x - offset>

    The last term, what the features leave over, is the gap.
    """

    tags = HeadTags(family="dictionary", faithful_by_construction=False, learns="rows")
    config: DictionaryConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings to try it with on a few rows."""
        return {"features": 12}

    @property
    @abstractmethod
    def atoms(self) -> Tensor:
        """Directions in the representation's own units, shape (feature, unit)."""

    @property
    @abstractmethod
    def offset(self) -> Tensor:
        """Where all codes are zero, shape (unit,)."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Codes of representations, shape (row, unit) to (row, feature); each row as if it were alone."""

    def decode(self, codes: Tensor) -> Tensor:
        """Representations from codes, shape (row, feature) to (row, unit)."""
        return codes @ self.atoms + self.offset

    def reconstruct(self, x: Tensor) -> Tensor:
        """What codes keep of representations, shape (row, unit)."""
        return self.decode(self.encode(x))

    def forward(self, z: Representation) -> Tensor:
        """Codes, shape (row, feature)."""
        return self.encode(z.values)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The one thing that it explains, :data:`ACTIVATION`."""
        return (ACTIVATION,)

    @property
    def explained_names(self) -> tuple[str, ...]:
        """Names of the features, ``f0``, ``f1`` ..."""
        return tuple(f"f{at}" for at in range(self.config.features))

    def fit(self, rows: Rows, settings: TrainingSettings | None = None) -> Self:
        """Learn from rows that are there already: an array, a tensor, or any dataset of one vector (activations).

        Parameters
        ----------
        rows : ndarray, Tensor or Dataset
            Shape (row, unit). Of a dataset it remembers whom it has learnt from.
        settings : TrainingSettings, optional
            About 4000 steps of 512 rows by default; dictionaries without steps need none.

        Raises
        ------
        DataError
            If rows are of another shape than the units, hold NaN, are fewer than features, or do not vary.
        """
        from pellucid.heads.dictionaries.fitting import fit

        fit(self, rows, settings)
        return self

    def explain(self, z: Representation, target: str = ACTIVATION) -> Explanation:
        """How much of each representation's distance from the offset every feature accounts for."""
        self.output_index(target)
        codes, apart = self.encode(z.values), z.values - self.offset
        output = apart.square().sum(1)
        contributions = codes * (apart @ self.atoms.T)
        return Explanation(
            "dictionary", target, self.explained_names, contributions, torch.zeros_like(output), output, codes
        )

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Mean squared error of the reconstruction, summed over units; for dictionaries that learn by steps."""
        return (z.values - self.reconstruct(z.values)).square().sum(1).mean()
