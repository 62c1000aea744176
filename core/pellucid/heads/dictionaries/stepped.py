"""What dictionaries that learn by steps share: atoms of unit length, an offset, a scale to learn in, and how far they are."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.heads.base import Stage
from pellucid.heads.dictionaries.base import Dictionary, DictionaryConfig
from pellucid.heads.dictionaries.centre import Sampled, geometric_median, sampled
from pellucid.representation import Representation


class SteppedConfig(DictionaryConfig):
    """Settings of every :class:`SteppedDictionary`.

    Parameters
    ----------
    start : {"geometric-median", "mean", "zero"}
        Where the offset starts.
    normalise : bool
        Whether it learns in a scale of its own, see :class:`SteppedDictionary`. In the representation's own scale penalties,
        noise and first thresholds mean something else for every layer; that is for repeating what others did.
    """

    start: Literal["geometric-median", "mean", "zero"] = "geometric-median"
    normalise: bool = True


class SteppedDictionary(Dictionary):
    """A dictionary that learns by steps, in a scale in which a row's squared distance from the offset is on average as large
    as there are units.

    Once it has learnt, the scale is folded into offset, biases and thresholds, so that nothing of it is left: all rules
    scale with what they read.
    """

    config: SteppedConfig
    scale: Tensor
    rows: Tensor
    seen: Tensor

    def __init__(self, config: SteppedConfig) -> None:
        super().__init__()
        self.config = config
        units = len(config.units)
        self.directions = nn.Parameter(functional.normalize(torch.randn(config.features, units), dim=1))
        self.centre = nn.Parameter(torch.zeros(units))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("rows", torch.ones((), dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    # --- what a dictionary is -----------------------------------------------------------------------------------------

    @property
    def atoms(self) -> Tensor:
        """Directions of unit length, shape (feature, unit)."""
        return self.directions.detach()

    @property
    def offset(self) -> Tensor:
        """In the representation's own units, shape (unit,)."""
        return self.centre.detach() * self.scale

    # --- learning -----------------------------------------------------------------------------------------------------

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn scale and offset from the training rows.

        Raises
        ------
        DataError
            If a value is NaN or infinite, there are fewer rows than features, or nothing varies.
        """
        seen = sampled(z.values for z, _ in parts)
        check_rows(seen, self.config.features)
        centre = {"geometric-median": geometric_median, "mean": lambda _: seen.mean}.get(
            self.config.start, torch.zeros_like
        )
        offset = centre(seen.rows) if self.config.start != "zero" else torch.zeros_like(seen.mean)
        self.scale.copy_(seen.size_about(offset) if self.config.normalise else torch.ones(()))
        self.rows.fill_(seen.count)
        self.seen.zero_()
        with torch.no_grad():
            self.centre.copy_(offset / self.scale)

    @property
    def passes(self) -> float:
        """How often it has learnt from all training rows so far."""
        return float(self.seen) / float(self.rows)

    def warmth(self, passes: float) -> float:
        """Share of its weight that a penalty has when it grows for so many passes; all of it outside of training.

        Epochs are compared by a loss that must mean the same in all of them.
        """
        return min(1.0, self.passes / passes) if self.training and passes else 1.0

    @abstractmethod
    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Squared error in scaled units, summed over them, and what is asked for beside it."""

    @torch.no_grad()
    def settle(self) -> None:
        """Atoms back to unit length."""
        self.directions.div_(torch.linalg.vector_norm(self.directions, dim=1, keepdim=True).clamp(min=1e-12))

    def stages(self) -> tuple[Stage, ...]:
        """Learn by steps; then fold the scale in."""
        return (Stage(name="fit", loss=self.loss, finish=self.fold),)

    @torch.no_grad()
    def fold(self, parts: Iterable[tuple[Representation, Batch]] = ()) -> None:
        """Let offset, biases and thresholds be in the representation's own units."""
        for one in (self.centre, *self.thresholds()):
            one.mul_(self.scale)
        self.scale.fill_(1.0)

    def thresholds(self) -> tuple[Tensor, ...]:
        """What else is in units of the codes, changed in place by :meth:`fold`. Default: nothing."""
        return ()


def check_rows(rows: Sampled, features: int) -> None:
    """Refuse rows that no dictionary can be learnt from; say aloud which units do not vary.

    Raises
    ------
    DataError
    """
    if rows.count < features:
        raise DataError(
            f"{rows.count} rows for {features} features: every row could have an atom of its own. Collect more rows, or set "
            f"`features` to at most {rows.count}"
        )
    constant = rows.deviation <= 1e-6 * rows.mean.abs().clamp(min=1e-30)
    if bool(constant.all()):
        raise DataError(f"all {rows.count} rows are the same: there is nothing to learn. Is this the layer you meant?")
    if bool(constant.any()):
        at = torch.nonzero(constant).flatten().tolist()
        some = ", ".join(map(str, at[:5])) + (" ..." if len(at) > 5 else "")
        warnings.warn(
            f"{len(at)} of {len(constant)} units never vary (units {some}): no atom will use them", stacklevel=2
        )
