"""Results: a value with its interval, beside what chance and the trivial baseline reach."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pellucid.errors import ContractError, RunError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Result:
    """One score.

    Parameters
    ----------
    protocol, metric, part : str
        What was measured, how, and of which model or baseline.
    value, low, high : float
        The score and its 95 % interval (bootstrap over subjects).
    chance : float
        What no knowledge reaches.
    baseline : float
        What the trivial baseline reaches on the same samples.
    baseline_name : str
    higher_is_better : bool
    n_samples, n_subjects : int
    passed : bool, optional
        For audits: whether the check was passed. ``None`` where there is nothing to pass.
    sentence : str
        What the figure means, for a reader who does not know the metric.
    judged_on : str
        Who was new to the models, where a protocol keeps something else apart than people ("unseen sentences, seen
        subjects"); empty otherwise.
    """

    protocol: str
    metric: str
    part: str
    value: float
    low: float
    high: float
    chance: float
    baseline: float
    baseline_name: str
    higher_is_better: bool
    n_samples: int
    n_subjects: int
    passed: bool | None = None
    sentence: str = ""
    judged_on: str = ""

    def labelled(self, judged_on: str) -> Result:
        """The same, with who was new to the models in its words; one that says so itself stays as it is."""
        if not judged_on or self.judged_on:
            return self
        told = f"{self.sentence} Judged on {judged_on}." if self.sentence else ""
        return replace(self, judged_on=judged_on, sentence=told)

    def __post_init__(self) -> None:
        for name in ("chance", "baseline"):
            if math.isnan(getattr(self, name)):
                raise ContractError(
                    f"{self.protocol}/{self.metric} of {self.part!r} has no {name}: a score alone is not a result"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain values; NaN and infinity become ``None``, as JSON has neither."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Result:
        """Inverse of :meth:`to_json`."""
        numbers = ("value", "low", "high", "chance", "baseline")
        known: dict[str, Any] = {k: math.nan if v is None and k in numbers else v for k, v in data.items()}
        try:
            return cls(**known)
        except TypeError as error:
            raise RunError(
                f"a result was changed or damaged ({error}); restore run.json, or run the study again"
            ) from None


@dataclass(frozen=True, kw_only=True)
class NotMeasured:
    """What a protocol was asked for and could not measure. It is no result: it has no value, and stands beside results.

    Parameters
    ----------
    protocol : str
    part : str
        Of which model; empty where of none.
    metric : str
        Which one; empty where all of them.
    because : str
        What is lacking, with counts; half a sentence.
    helps : str
        What would help, if that is known; half a sentence in the imperative.
    folds : tuple of int
        In which folds, from 0; results of the part are of the others alone.
    of_folds : int
        How many there are.
    """

    protocol: str
    because: str
    part: str = ""
    metric: str = ""
    helps: str = ""
    folds: tuple[int, ...] = (0,)
    of_folds: int = 1

    @property
    def where(self) -> str:
        """In which folds, from 1, where there are several; empty where there is one.

        Examples
        --------
        >>> NotMeasured(protocol="p", because="b", folds=(1,), of_folds=3).where
        'fold 2 of 3'
        """
        if self.of_folds == 1:
            return ""
        if len(self.folds) == self.of_folds:
            return f"all {self.of_folds} folds"
        named = ", ".join(str(fold + 1) for fold in self.folds)
        return f"fold{'s' if len(self.folds) > 1 else ''} {named} of {self.of_folds}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"folds": list(self.folds)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NotMeasured:
        """Inverse of :meth:`to_json`."""
        try:
            return cls(**data | {"folds": tuple(data["folds"])})
        except (KeyError, TypeError) as error:
            raise RunError(
                f"what could not be measured was changed or damaged ({error}); restore run.json, or run the study again"
            ) from None


class Results:
    """All results of a run.

    Parameters
    ----------
    results : iterable of Result
    not_measured : iterable of NotMeasured
        What was asked for beside them, and why it is not among them.
    """

    def __init__(self, results: Iterable[Result] = (), not_measured: Iterable[NotMeasured] = ()) -> None:
        self._results = tuple(results)
        self.not_measured = tuple(not_measured)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        # Shown where a notebook shows results: what is lacking must not look as if it had not been asked for.
        lacking = [f"not measured: {one.protocol} {one.part} {one.metric}".rstrip() for one in self.not_measured]
        return "\n".join([self.frame().to_string(index=False), *lacking])

    def frame(self) -> pd.DataFrame:
        """One row a result."""
        import pandas as pd

        return pd.DataFrame([asdict(r) for r in self._results])

    def get(self, protocol: str, metric: str, part: str) -> Result:
        """The one result of this protocol, metric and part; ``KeyError`` if there is none."""
        for result in self._results:
            if (result.protocol, result.metric, result.part) == (protocol, metric, part):
                return result
        raise KeyError((protocol, metric, part))
