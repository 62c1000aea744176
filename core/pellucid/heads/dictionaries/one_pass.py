"""What dictionaries that are fitted at once share: a bounded number of rows, and everything they learn in buffers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import torch
from pydantic import Field, model_validator
from torch import Tensor

from pellucid.batch import Batch
from pellucid.heads.base import Stage
from pellucid.heads.dictionaries.base import Dictionary, DictionaryConfig
from pellucid.heads.dictionaries.centre import sampled
from pellucid.heads.dictionaries.stepped import check_rows
from pellucid.representation import Representation


class OnePassConfig(DictionaryConfig):
    """Settings of every :class:`OnePassDictionary`.

    Parameters
    ----------
    rows : int
        Most rows that it is fitted on; of more, so many are drawn.
    """

    rows: int = Field(default=20_000, gt=0)

    @model_validator(mode="after")
    def _a_row_for_every_feature(self) -> OnePassConfig:
        if self.rows < self.features:
            raise ValueError(f"rows = {self.rows} for {self.features} features: there must be as many")
        return self


class OnePassDictionary(Dictionary):
    """A dictionary without steps: one pass over the training rows, of which it keeps some, and a fit to those.

    :attr:`rows_seen` and :attr:`rows_used` say how many there were and how many it was fitted on.
    """

    config: OnePassConfig
    directions: Tensor
    centre: Tensor
    seen: Tensor
    used: Tensor
    chance: Tensor

    def __init__(self, config: OnePassConfig) -> None:
        super().__init__()
        self.config = config
        units = len(config.units)
        self.register_buffer("directions", torch.zeros(config.features, units))
        self.register_buffer("centre", torch.zeros(units))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("used", torch.zeros((), dtype=torch.int64))
        # Drawn here, as weights are, so that a fit depends on nothing that was learnt before it.
        self.register_buffer("chance", torch.randint(2**31 - 1, ()))

    @property
    def atoms(self) -> Tensor:
        """Shape (feature, unit)."""
        return self.directions

    @property
    def offset(self) -> Tensor:
        """Shape (unit,)."""
        return self.centre

    @property
    def rows_seen(self) -> int:
        """Training rows that passed by."""
        return int(self.seen)

    @property
    def rows_used(self) -> int:
        """Those of them that it was fitted on."""
        return int(self.used)

    def stages(self) -> tuple[Stage, ...]:
        """Fit."""
        return (Stage(name="fit", finish=self.finish),)

    @torch.no_grad()
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Fit to the training rows.

        Raises
        ------
        DataError
            If a value is NaN or infinite, there are fewer rows than features, or nothing varies.
        """
        seen = sampled((z.values for z, _ in parts), self.config.rows)
        check_rows(seen, self.config.features)
        self.seen.fill_(seen.count)
        self.used.fill_(len(seen.rows))
        self.learn(seen.rows)

    @abstractmethod
    def learn(self, x: Tensor) -> None:
        """Fit to rows, shape (row, unit), and fill the buffers."""
