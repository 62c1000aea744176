"""Targets that are numbers with units."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pellucid.data.targets.base import BaseTarget, listed


class Regression(BaseTarget):
    """Numbers with units; one frame column ``target`` or, for several names, ``target:name`` each."""

    numeric: ClassVar[bool] = True
    one_class_each: ClassVar[bool] = False
    kind: Literal["regression"] = "regression"
    names: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the predicted numbers."""
        return self.names

    @property
    def classes(self) -> None:
        """None."""
        return

    def columns(self, name: str) -> list[str]:
        """One a number."""
        return [f"{name}:{number}" for number in self.names] if len(self.names) > 1 else [name]

    def decide(self, outputs: np.ndarray, threshold: float | np.ndarray = 0.5) -> np.ndarray:
        """The first number, as it is."""
        return outputs[:, 0]

    def class_names(self, output: str = "") -> tuple[str, ...]:
        """None."""
        return ()

    def said(self, values: np.ndarray) -> str:
        """The numbers with their units."""
        from pellucid.unit_names import with_unit
        from pellucid.wording import number

        return ", ".join(with_unit(number(float(v)), u) for v, u in zip(values, self.units, strict=True))

    def question(self) -> str:
        """How much?"""
        return f"How much: {listed(self.names)}?"

    def output_columns(self) -> list[str]:
        """One a number."""
        return [f"number:{name}" for name in self.outputs]

    def labels(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """None."""
        return {}

    def halves(self, values: np.ndarray) -> np.ndarray:
        """Whether the first number lies above its median."""
        return np.asarray(values[:, 0] > np.median(values[:, 0]))

    def strata(self, values: np.ndarray) -> np.ndarray:
        """Quintiles of the first number."""
        first = values[:, 0]
        return np.asarray(np.searchsorted(np.quantile(first, [0.2, 0.4, 0.6, 0.8]), first))

    def balance(self, values: np.ndarray) -> dict[str, Any]:
        """The mean of each."""
        means = [round(float(values[:, i].mean()), 4) if len(values) else None for i in range(len(self.names))]
        return {f"mean {name}": mean for name, mean in zip(self.names, means, strict=True)}
