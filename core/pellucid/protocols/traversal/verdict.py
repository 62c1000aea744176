"""What a walk amounts to: is the change steady, the model's own, and large enough to see? Said in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.statistics.bootstrap import Interval, subject_interval

if TYPE_CHECKING:
    import pandas as pd

STEADY = 0.8
"""Rank correlation above which a change counts as steady; asked of the low end of the interval."""

AS_GOOD = 0.05
"""Largest share of random directions that may do at least as well."""

VISIBLE = 0.5
"""Least change from end to end, in standard deviations of the measure over the training samples."""


@dataclass(frozen=True)
class Verdict:
    """The figures of one part, encoder, output and measure, all folds together.

    Parameters
    ----------
    steadiness : Interval
        Mean rank correlation of step and measure, positive where the measure moves as it does with the label among the
        training samples.
    random, widest : float
        The same along random directions, mean over them, and along the direction of largest variance.
    as_good : float
        Share of random directions whose mean over a fold's samples is at least that of the model's own direction.
    p : float
        The same share with the model's own direction counted among the random ones: a rank test's p-value.
    change : float
        From end to end, in standard deviations over the training samples; positive as above.
    moved : float
        Mean rank correlation with its own sign: which way the measure went.
    association : float
        Mean rank correlation of measure and label among the training samples of each fold.
    empty : float
        Share of decoded points at which the measure is not defined.
    """

    steadiness: Interval
    random: float
    widest: float
    as_good: float
    p: float
    change: float
    moved: float
    association: float
    empty: float

    @classmethod
    def of(cls, rows: pd.DataFrame, steps: list[str], *, seed: int) -> Verdict | None:
        """Judge the rows of one kind; None where there is no direction, or none to compare it with.

        Parameters
        ----------
        rows : DataFrame
            As :meth:`~pellucid.protocols.traversal.monotonicity.TraversalMonotonicity.examine` gives, with ``fold``.
        steps : list of str
            Columns of the measure on the way, from the first step to the last.
        seed : int
            For the interval.
        """
        drawn = [name for name in rows.columns if str(name).startswith("random ")]
        sense = rows["sense"]
        signed = rows[["rising", "widest", *drawn]].mul(sense, axis=0)
        by_fold = signed.groupby(rows["fold"]).mean()
        others = by_fold[drawn].to_numpy()
        own = np.broadcast_to(by_fold[["rising"]].to_numpy(), others.shape)
        known = ~np.isnan(others) & ~np.isnan(own)
        widest = float(signed["widest"].mean())
        if not known.any() or np.isnan(widest):
            return None
        # Equal but for rounding is equal: along many directions a measure rises all the way, as along the model's own.
        better = int((others[known] >= own[known] - 1e-9).sum())
        path = rows[steps].to_numpy(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            change = sense.to_numpy() * (path[:, -1] - path[:, 0]) / rows["spread"].to_numpy()
        change = change[np.isfinite(change)]
        subjects, folds = rows["subject"].to_numpy(), rows["fold"].to_numpy()
        return cls(
            steadiness=subject_interval(signed["rising"].to_numpy(), subjects, folds, seed=seed),
            random=float(others[known].mean()),
            widest=widest,
            as_good=better / int(known.sum()),
            p=(better + 1) / (int(known.sum()) + 1),
            change=float(change.mean()) if len(change) else float("nan"),
            moved=float(rows["rising"].mean()),
            association=float(rows.groupby("fold")["association"].first().mean()),
            empty=float(np.isnan(path).mean()),
        )

    @property
    def steady(self) -> bool:
        """Whether the measure moves steadily, and as it does with the label."""
        return bool(self.steadiness.low > STEADY)

    @property
    def own(self) -> bool:
        """Whether hardly any random direction does as well."""
        return self.p <= AS_GOOD

    @property
    def visible(self) -> bool:
        """Whether the change is large enough to see among what samples are like."""
        return bool(self.change >= VISIBLE)

    @property
    def passed(self) -> bool | None:
        """All three; None where there is no interval to judge by."""
        return None if np.isnan(self.steadiness.low) else self.steady and self.own and self.visible

    def sentence(self, measure: str, output: str) -> str:
        """What was found, which condition failed if any, and the figures."""
        how = self._manner()
        if how and self.steadiness.value < 0:
            usual = "higher" if self.association > 0 else "lower"
            how += f", against the data: among training samples it is {usual} the more they are “{output}”"
        elif how:
            how += self._reservations()
        else:
            how = " neither rises nor falls in any order"
        found, change = self.steadiness, round(self.change, 2) + 0.0
        figures = [
            f"rank correlation {found.value:.2f} [{found.low:.2f}, {found.high:.2f}], positive where it goes as with the label "
            f"among training samples ({self.association:+.2f} there)",
            f"random directions {self.random:.2f}, of which {_share(self.as_good)} do as well (p = {self.p:.3f})",
            f"change from end to end {change:.2f} times the spread",
        ]
        if self.empty > 0:
            figures.append(
                f"at {_share(self.empty)} of steps nothing was decoded that could be measured; they are left out"
            )
        return f"Walked towards “{output}”, {measure} of decoded samples{how}. ({'; '.join(figures)}.)"

    def _manner(self) -> str:
        """Which way it goes and how surely; empty where it goes no way."""
        verb = " falls" if self.moved < 0 else " rises"
        if self.steady or self.steadiness.high < -STEADY:
            return f"{verb} steadily"
        return f"{verb} as a tendency only, not steadily" if abs(self.steadiness.value) >= 0.2 else ""

    def _reservations(self) -> str:
        found = []
        if not self.own:
            found.append(
                f"so it does along {_share(self.as_good)} of random directions: nothing particular to the model"
            )
        if not self.visible:
            found.append(
                f"from end to end by {self.change:.2f} times its spread over training samples only, less than {VISIBLE:.2f}"
            )
        return f", but {'; and '.join(found)}" if found else ""


def _share(value: float) -> str:
    """A share in words: one that is not nothing must not read as nothing."""
    return "less than 1 %" if 0 < value < 0.01 else f"{100 * value:.0f} %"
