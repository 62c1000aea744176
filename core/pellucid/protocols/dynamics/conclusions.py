"""What free runs and forecasts say of a model, with intervals over episodes where there can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.protocols.audited import AuditedRows, told
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval

PERSISTENCE, LINEAR = "the last step again and again", "an affine map from step to step"

CHANCE = {"state_space_divergence": "mean", "spectral_distance": "shuffled"}
"""Who knows nothing, for each distance."""


@dataclass(frozen=True)
class FreeRunConclusions(AuditedRows):
    """Results of one part from the rows of :class:`~pellucid.protocols.dynamics.free_run.FreeRunning`."""

    protocol: ClassVar[str] = "free-run"

    def results(self) -> Iterator[Result]:
        """Errors by horizon, then distances and their floors, then how many runs diverge."""
        for column in self.rows.columns:
            who, _, ahead = str(column).partition(":")
            if who == "model" and self.has(column):
                yield self._error(int(ahead))
        for metric in CHANCE:
            yield from self._distance(metric)
        share, linear = (float(self.once_a_fold(name).mean()) for name in ("diverged", "linear_diverged"))
        yield self.result(
            "diverged_runs", Interval.fixed(share), higher=False, chance=0.0, baseline=linear, baseline_name=LINEAR,
            sentence=f"{share:.0%} of the free runs leave all bounds before they are as long as their {self.context.one}.",
        )  # fmt: skip

    def _error(self, ahead: int) -> Result:
        found, rest = self.interval(self.mean_of(f"model:{ahead}")), {}
        for who in ("persistence", "linear", "mean"):
            rest[who] = self.value(self.mean_of(f"{who}:{ahead}"))
        name, best = min(((PERSISTENCE, rest["persistence"]), (LINEAR, rest["linear"])), key=lambda one: one[1])
        return self.result(
            f"error_after_{ahead}", found, higher=False, chance=rest["mean"], baseline=best, baseline_name=name,
            sentence=(
                f"Forecasts of {ahead} step{'s' if ahead > 1 else ''} ahead are off by {found.value:.3g} (mean square, in variances of "
                f"the training samples), the last step again by {rest['persistence']:.3g}, an affine map by {rest['linear']:.3g}."
            ),
        )  # fmt: skip

    def _distance(self, metric: str) -> Iterator[Result]:
        of = {
            who: float(np.mean([fold[who][metric] for fold in told(self.rows, "distances")]))
            for who in ("model", "persistence", "linear", "floor", CHANCE[metric])
        }
        name, best = min(((PERSISTENCE, of["persistence"]), (LINEAR, of["linear"])), key=lambda one: one[1])
        beside = {"higher": False, "chance": of[CHANCE[metric]], "baseline": best, "baseline_name": name}
        what = "Places visited" if metric == "state_space_divergence" else "Rhythms"
        yield self.result(
            metric, Interval.fixed(of["model"]), **beside,  # type: ignore[arg-type]
            sentence=f"{what} in free runs are {of['model']:.3g} away from those of unseen {self.context.several}; those of the "
            f"{self.context.several} learnt from are {of['floor']:.3g} away, which is the floor.",
        )  # fmt: skip
        yield self.result(f"{metric}_floor", Interval.fixed(of["floor"]), **beside)  # type: ignore[arg-type]
