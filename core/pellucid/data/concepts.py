"""Concepts: what people said of each sample, which a model may use or be audited against."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import Field, model_validator

from pellucid.data.frozen import Frozen
from pellucid.errors import nearest


class Concepts(Frozen):
    """Human ratings that a model may use or be audited against: frame columns ``concept:<name>``.

    Parameters
    ----------
    names : tuple of str
    low, high : tuple of float
        The ends of each rating's scale.
    units : str
    disagreement : bool
        Whether the frame says how far the raters of a sample were apart, in columns ``concept-sd:<name>``: the population
        standard deviation of their ratings, so that its root mean square is how far one of them is from the mean of all;
        ``NaN`` where one person alone rated.
    restates : mapping of str to tuple of str
        Concept to the targets that are made of it, so that predicting them from it would be no prediction. It is left
        out where such a target is asked for: :meth:`~pellucid.data.dataset.Dataset.labelled`.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    units: str = "rating"
    disagreement: bool = False
    restates: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_scale_a_name(self) -> Concepts:
        if not len(self.names) == len(self.low) == len(self.high):
            raise ValueError(f"{len(self.names)} concepts, {len(self.low)} low ends and {len(self.high)} high ends")
        if len(set(self.names)) != len(self.names):
            raise ValueError("concepts must have names that differ from each other")
        for name, low, high in zip(self.names, self.low, self.high, strict=True):
            if not low < high:
                raise ValueError(f"the scale of concept {name!r} runs from {low:g} to {high:g}")
        for name in self.restates:
            if name not in self.names:
                raise ValueError(f"{name!r} is said to restate a target, but is no concept{nearest(name, self.names)}")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Frame columns that hold what people said on average, ``concept:<name>``, in the order of the names."""
        return tuple(f"concept:{name}" for name in self.names)

    @property
    def spread_columns(self) -> tuple[str, ...]:
        """Frame columns that say how far raters were apart, ``concept-sd:<name>``; none where nobody says."""
        return tuple(f"concept-sd:{name}" for name in self.names) if self.disagreement else ()

    def restating(self, target: str) -> tuple[str, ...]:
        """Names of the concepts that a target is made of."""
        return tuple(name for name in self.names if target in self.restates.get(name, ()))

    def without(self, names: Collection[str]) -> Concepts | None:
        """The other concepts; None if none is left."""
        at = [position for position, name in enumerate(self.names) if name not in names]
        if not at:
            return None
        return Concepts(
            names=tuple(self.names[i] for i in at),
            low=tuple(self.low[i] for i in at),
            high=tuple(self.high[i] for i in at),
            units=self.units,
            disagreement=self.disagreement,
            restates={name: targets for name, targets in self.restates.items() if name not in names},
        )
