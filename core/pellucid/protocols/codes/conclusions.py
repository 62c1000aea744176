"""From what was measured of codes to results with intervals over subjects, each with a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from pellucid.data.spec import Binary, MultiClass, MultiLabel, Target
from pellucid.encoders.quantiser import perplexity
from pellucid.protocols.audited import AuditedRows, told
from pellucid.protocols.codes.selected import Floats, scores, sums
from pellucid.result import Result
from pellucid.statistics.bootstrap import Interval, Statistic, interval

UNTRAINED = "the encoder before it learnt by steps"

SURE = 0.95
"""Quantile of what labels dealt anew reach, above which the low end of an interval must lie to pass."""


def classes_of(target: Target) -> tuple[str, ...]:
    """Names of what a sample may be, both of two; none where nothing is a class."""
    return target.names if isinstance(target, Binary | MultiClass | MultiLabel) else ()


@dataclass(frozen=True)
class CodesConclusions(AuditedRows):
    """Results of one part; see :class:`~pellucid.protocols.audited.AuditedRows`."""

    protocol: ClassVar[str] = "codes-audit"

    def results(self) -> list[Result]:
        """Whatever the rows allow."""
        found = [self._usage(), self._perplexity()]
        for one in classes_of(self.context.spec.target(self.context.target)):
            if f"occurrences:{one}" in self.rows and self.column(f"occurrences:{one}").any():
                found += self._of_class(one)
        return found

    # --- how many are used --------------------------------------------------------------------------------------------

    @cached_property
    def uses(self) -> Floats:
        """How often each code occurs, shape (sample, code)."""
        return np.array(self.rows["uses"].tolist(), float)

    def _over_folds(self, measure: Any, weights: Floats) -> Floats:
        """Mean over folds, whose codes have nothing to do with each other, of something of their counts."""
        found = []
        for fold in np.unique(self.folds):
            own = self.folds == fold
            found.append(measure(weights[..., own] @ self.uses[own]))
        with np.errstate(invalid="ignore"):
            return np.nanmean(found, 0)

    def _of_counts(self, metric: str, measure: Any, most: float, chance: float, sentence: str) -> Result:
        # Subjects drawn twice leave others out, and with them the codes that they alone have: replicates are too small.
        found = interval(lambda weights: self._over_folds(measure, weights), self.weights, centred=True)
        found = found._replace(low=max(found.low, chance), high=min(found.high, most))
        untrained = float(np.mean([measure(np.array(one, float)) for one in told(self.rows, "untrained_uses")]))
        return self.result(
            metric, found, higher=True, chance=chance, baseline=untrained, baseline_name=UNTRAINED,
            sentence=sentence.format(value=found.value, baseline=untrained),
        )  # fmt: skip

    @property
    def codes(self) -> int:
        """Entries of the codebook."""
        return self.uses.shape[1]

    def _usage(self) -> Result:
        return self._of_counts(
            "usage", _usage, 1.0, 1 / self.codes,
            f"{{value:.0%}} of the {self.codes} codes occur among these {self.context.several}; before the encoder learnt it is "
            "{baseline:.0%}.",
        )  # fmt: skip

    def _perplexity(self) -> Result:
        return self._of_counts(
            "perplexity", _perplexity, self.codes, 1.0,
            f"Codes are as spread out as {{value:.1f}} of {self.codes} that are used alike; 1 is one code for everything, and before "
            "the encoder learnt it is {baseline:.1f}.",
        )  # fmt: skip

    # --- which speak for a class, and where ---------------------------------------------------------------------------

    def scores_of(self, one: str, weights: Floats) -> dict[str, Floats]:
        """What the n-grams of a class do, with weights of shape (..., sample)."""
        prefix = [str(name) for name in self.rows.columns if str(name).endswith(f":{one}")]
        columns = {name.removesuffix(f":{one}"): self.column(name) for name in prefix}
        # A fold in which nothing is frequent has no n-grams to speak of: were its samples counted, they would be so many without
        # the class. Where one fold shows fewer n-grams than others, as many are taken of each.
        known = np.isfinite(columns["label"])
        columns = {name: values[known] for name, values in columns.items() if np.isfinite(values[known]).all()}
        found = sums(columns, self.column("grams")[known], columns.pop("label"), weights[..., known])
        return scores(found, self._vocabulary("vocabulary"))

    def _vocabulary(self, name: str) -> float:
        """N-grams that were looked at, mean over the folds that have any."""
        found = self.once_a_fold(name)
        return float(found[found > 0].mean()) if (found > 0).any() else 0.0

    def _added(self, kept: Sequence[dict[str, Any]], one: str, vocabulary: float) -> dict[str, float] | None:
        """Scores of sums that were kept fold by fold."""
        some = [fold[one] for fold in kept if one in fold]
        if not some:
            return None
        shown = min(len(fold["inside"]) for fold in some)
        total = {
            name: np.sum(
                [np.asarray(fold[name])[..., :shown] if name in ("inside", "outside") else fold[name] for fold in some],
                0,
            )
            for name in some[0]
        }
        return {name: float(value) for name, value in scores(total, vocabulary).items()}

    def _of_class(self, one: str) -> Iterator[Result]:
        vocabulary = self._vocabulary("vocabulary")
        untrained = self._added(told(self.rows, "untrained"), one, self._vocabulary("untrained_vocabulary"))
        times = zip(*told(self.rows, "dealt"), strict=True)
        by_chance = [score for kept in times if (score := self._added(kept, one, vocabulary)) is not None]
        said, several = self._said(one), self.context.several
        names = {
            "log_odds": f"The n-grams that speak most for “{one}” among the training {several} ({said}) have mean log odds of {{0:.2f}} "
            f"among these {several}, with labels dealt anew {{1:.2f}}, and before the encoder learnt {{2:.2f}}.",
            "in_lines": f"{{0:.0%}} of their occurrences here are in the channels in which each mostly is among the training {several}; of "
            "n-grams chosen with labels dealt anew it is {1:.0%}, before the encoder learnt {2:.0%}.",
            "in_start": "{0:.0%} of their occurrences here are at the place of a channel at which each mostly is among the training "
            f"{several}; of n-grams chosen with labels dealt anew it is {{1:.0%}}, before the encoder learnt {{2:.0%}}.",
            "in_planted": f"Where it is known in which channels “{one}” was planted, {{0:.0%}} of their occurrences are in one of them; of "
            "n-grams chosen with labels dealt anew it is {1:.0%}, before the encoder learnt {2:.0%}.",
        }
        for metric, sentence in names.items():
            found = self.interval(self._scoring(one, metric))
            chances = np.array([score[metric] for score in by_chance])
            if not np.isfinite(found.value) or not np.isfinite(chances).any():
                continue
            chance = float(np.nanmean(chances))
            baseline = chance if untrained is None or not np.isfinite(untrained[metric]) else untrained[metric]
            yield self.result(
                f"{metric}:{one}", found, higher=True, chance=chance, baseline=baseline, baseline_name=UNTRAINED,
                passed=_passes(found, float(np.nanquantile(chances, SURE))), sentence=sentence.format(found.value, chance, baseline),
            )  # fmt: skip

    def _scoring(self, one: str, metric: str) -> Statistic:
        return lambda weights: self.scores_of(one, weights)[metric]

    def _said(self, one: str) -> str:
        """Names of the n-grams of a class, of the first fold that has any."""
        tables = [
            [entry["name"] for entry in kept["rows"] if entry["class"] == one] for kept in told(self.rows, "table")
        ]
        at = next(number for number, names in enumerate(tables) if names)
        where = "" if len(tables) == 1 else "in one fold " if at else "in the first fold "
        return where + ", ".join(tables[at])


def _usage(counts: Floats) -> Floats:
    return np.where(np.asarray(counts).sum(-1) > 0, (np.asarray(counts) > 0).mean(-1), np.nan)


def _perplexity(counts: Floats) -> Floats:
    found: Floats = perplexity(torch.from_numpy(np.asarray(counts))).numpy()
    return np.where(np.asarray(counts).sum(-1) > 0, found, np.nan)


def _passes(found: Interval, chance: float) -> bool:
    low = found.low if np.isfinite(found.low) else found.value
    return bool(low > chance)
