"""One result of a policy, with what makes it comparable with others and where it comes from."""

from __future__ import annotations

import datetime
import math
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from pellucid.data.frozen import Frozen
from pellucid.statistics.proportions import wilson
from pellucid_robotics.policies.words import AVERAGE, METRICS, Metric

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

SOURCES = ("paper", "reproduced", "recalled")


class ResultRow(Frozen):
    """A value of a metric.

    Parameters
    ----------
    benchmark, suite, split : str
        Rows are comparable where all three and the metric agree.
    metric : str
    value : float
        A share is 0 to 1, no percentage.
    recipe : str
        How this policy was trained for it, as the same policy differs by that.
    n_episodes : int, optional
        Trials behind a share; its interval follows (:attr:`ci95`) and is never typed.
    over : tuple of str
        Of the suite ``"average"``, the suites that it is a mean over.
    source : str
        ``"paper"`` (its authors said so, in a paper or repository), ``"reproduced"`` (run here), ``"recalled"`` (from memory), or
        ``"paper:<policy>"`` (the authors of another policy said so).
    read_in : str, optional
    verified_on : date, optional
        When it was read there.
    note : str, optional
    """

    benchmark: Text
    suite: Text
    split: Text
    metric: Metric
    value: float
    recipe: Text
    n_episodes: int | None = Field(default=None, gt=0)
    over: tuple[Text, ...] = ()
    source: Text
    read_in: Text | None = None
    verified_on: datetime.date | None = None
    note: Text | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from other rows of its policy."""
        return self.benchmark, self.suite, self.split, self.metric, self.recipe, self.source

    @property
    def ci95(self) -> tuple[float, float] | None:
        """Wilson's interval; None where the trials are not known, or the metric is no share of trials."""
        if self.n_episodes is None or not METRICS[self.metric].of_trials:
            return None
        found = wilson(self.value, self.n_episodes)
        return found.low, found.high

    @field_validator("source")
    @classmethod
    def _is_a_source(cls, value: str) -> str:
        if value not in SOURCES and not (value.startswith("paper:") and value.removeprefix("paper:").strip()):
            raise ValueError(
                f"write one of {', '.join(SOURCES)}, or paper:<policy> where others than its authors said it"
            )
        return value

    @model_validator(mode="after")
    def _is_in_range(self) -> ResultRow:
        scale = METRICS[self.metric]
        if not math.isfinite(self.value) or not scale.low <= self.value <= scale.high:
            raise ValueError(
                f"value: {self.metric} lies from {scale.low:g} to {scale.high:g}, and {self.value:g} does not"
            )
        if (self.suite == AVERAGE) != bool(self.over):
            raise ValueError(f"over: the suite {AVERAGE!r}, and no other, names the suites that it is a mean over")
        if self.source != "recalled" and (self.read_in is None or self.verified_on is None):
            raise ValueError("read_in: say what it was read in and when (verified_on), or that it is recalled")
        return self
