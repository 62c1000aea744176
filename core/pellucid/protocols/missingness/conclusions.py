"""What follows from the scores of a model that has learnt while some lacked an input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pellucid.protocols.audited import AuditedRows
from pellucid.protocols.base import Context
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval, Statistic
from pellucid.statistics.ranking import auroc, over_folds

if TYPE_CHECKING:
    import pandas as pd

GAP = 0.05
"""Loss of AUROC, when missingness turns round, that is called one once it is sure (low end of the interval)."""

ORACLE = "the same model, learnt and tested with nothing made missing"


@dataclass(frozen=True)
class MissingnessRows(AuditedRows):
    """Rows of one part, see :meth:`~pellucid.protocols.missingness.flip.Missingness.examine`."""

    protocol: ClassVar[str] = "missingness"

    @cached_property
    def labels(self) -> list[str]:
        """Input and output that were asked about."""
        return [str(self.rows[column].iloc[0]) for column in ("input", "output")]

    def auroc(self, column: str) -> Statistic:
        """How well a column of probabilities ranks, within folds."""
        yes, said = self.column("label"), self.column(column)
        return lambda w: over_folds(auroc, yes, said, self.folds, w)

    def gap(self, prefix: str = "") -> Statistic:
        """AUROC under the rule of the training less that under the rule turned round."""
        same, flipped = self.auroc(f"{prefix}same"), self.auroc(f"{prefix}flipped")
        return lambda w: same(w) - flipped(w)


def conclusions(
    rows: pd.DataFrame, part: str, context: Context, replicates: int, rates: tuple[float, float]
) -> Iterator[Result]:
    """AUROC under each pattern beside the oracle, and the gap.

    Parameters
    ----------
    rows : DataFrame
        Of one part.
    part : str
    context : Context
    replicates : int
    rates : (float, float)
        Share of those with the output, and of the others, that lacked the input in training.
    """
    own = MissingnessRows(rows, part, context, replicates)
    oracle = own.value(own.auroc("oracle none"))
    if oracle != oracle:
        # A fold's test samples of one class: nothing can be ranked, and a score alone is not a result.
        return
    input_, output = own.labels
    lacked = f"“{input_}” was missing for {100 * rates[0]:.0f} % of the “{output}” samples and {100 * rates[1]:.0f} % of the others"
    told = {
        "none": f"“{part}” has learnt while {lacked}. With nothing made missing it",
        "same": "Where the input is missing by the same rule as in training it",
        "flipped": "Where the rule is turned round, so that the others lack the input, it",
    }
    names = {"none": "nothing", "same": "same", "flipped": "flipped"}
    for pattern, how in told.items():
        found = own.interval(own.auroc(pattern))
        yield own.result(
            f"auroc_{names[pattern]}_missing", found, higher=True, chance=0.5, baseline=oracle, baseline_name=ORACLE,
            sentence=f"{how} reaches AUROC {_ends(found)}; {ORACLE}, reaches {oracle:.3f}.",
        )  # fmt: skip
    found, usual = own.interval(own.gap()), own.value(own.gap("oracle "))
    misled = found.low > GAP
    yield own.result(
        "mnar_gap", found, higher=False, chance=0.0, baseline=usual, passed=not misled,
        baseline_name="the same model, learnt with nothing made missing",
        sentence=_verdict(part, input_, output, found, misled, usual),
    )  # fmt: skip


def _verdict(part: str, input_: str, output: str, found: Interval, misled: bool, usual: float) -> str:
    gap = f"its AUROC falls by {_ends(found)} when the rule by which “{input_}” is missing turns round"
    beside = f"learnt with nothing made missing, the same model has a gap of {usual:+.3f} on the same samples."
    if misled:
        return (
            f"“{part}” goes by who lacks “{input_}”: {gap}. Where the input is missing for other reasons than in training, what it "
            f"says of “{output}” is not to be trusted; {beside}"
        )
    if found.value > GAP:
        return f"Whether “{part}” goes by who lacks “{input_}” is open: {gap}; {beside}"
    return f"“{part}” does not go by who lacks “{input_}”, as far as can be seen: {gap}; {beside}"


def _ends(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
