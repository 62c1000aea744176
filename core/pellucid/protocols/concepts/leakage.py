"""What predicted concepts tell of the target beyond what people's ratings tell, in bits and in order."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pellucid.faithfulness.probes import bits
from pellucid.protocols.concepts.part import AuditedPart, mean_of
from pellucid.protocols.concepts.rows import PROBES
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic, weighted_mean
from pellucid.statistics.ranking import auroc, over_folds

LEAK = 0.01
"""Bits beyond people's ratings that predicted concepts may know, at the low end of the interval."""

RATINGS = "people's ratings alone"


def leakage(audited: AuditedPart) -> Iterator[Result]:
    """Of concepts as they are handed on and of their whole steps, each beyond what its controls find."""
    cost = {probe: _cost(audited, probe) for probe in PROBES}
    soft, whole = (audited.interval(_mean(cost[f"{probe}_control"] - cost[probe])) for probe in ("soft", "whole"))
    leaks = soft.low > LEAK
    if leaks:
        verdict = "Predicted concepts tell more of the answer than people's ratings do"
    elif soft.value > LEAK:
        verdict = "Whether predicted concepts tell more of the answer than people's ratings do is open"
    else:
        verdict = "Predicted concepts tell no more of the answer than people's ratings do"
    unknown = _unknown(audited)
    yield audited.result(
        "leakage_bits", soft, passed=not leaks, higher=False, chance=0.0, baseline=whole.value,
        baseline_name="whole steps of the same concepts",
        sentence=(
            f"{verdict}: {soft.value:+.3f} bits ({soft.low:+.3f} to {soft.high:+.3f}) beyond what "
            f"chance finds, where the ratings tell {max(unknown - cost['ratings'].mean(), 0.0):.3f} of {unknown:.3f} bits. "
            f"Rounded to whole steps, they add {whole.value:+.3f}."
        ),
    )  # fmt: skip
    yield audited.result(
        "leakage_bits_whole_steps", whole, higher=False, chance=0.0, baseline=0.0, baseline_name=RATINGS
    )
    for metric, probe in (("leakage_auroc", "soft"), ("leakage_auroc_whole_steps", "whole")):
        found = audited.interval(_gain(_ranked(audited, probe), _ranked(audited, f"{probe}_control")))
        if math.isfinite(found.value):
            yield audited.result(metric, found, higher=False, chance=0.0, baseline=0.0, baseline_name=RATINGS)


def _mean(values: np.ndarray) -> Statistic:
    return lambda w: weighted_mean(values, w)


def _gain(own: Statistic, control: Statistic) -> Statistic:
    return lambda w: own(w) - control(w)


def _answers(audited: AuditedPart, probe: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Truth and log odds of every question and repeat."""
    for column in map(str, audited.rows.columns):
        if column.startswith(f"told:{probe}:"):
            yield audited.column(f"asked:{column.rpartition(':')[2]}"), audited.column(column)


def _cost(audited: AuditedPart, probe: str) -> np.ndarray:
    """Bits that an answer costs each sample, mean over questions and repeats."""
    return np.mean([bits(odds, yes) for yes, odds in _answers(audited, probe)], axis=0)


def _ranked(audited: AuditedPart, probe: str) -> Statistic:
    def one(yes: np.ndarray, odds: np.ndarray) -> Statistic:
        return lambda w: over_folds(auroc, yes, odds, audited.folds, w)

    return mean_of([one(yes, odds) for yes, odds in _answers(audited, probe)])


def _unknown(audited: AuditedPart) -> float:
    """Bits that an answer costs who knows how often it is yes, mean over questions."""
    columns = [column for column in map(str, audited.rows.columns) if column.startswith("asked:")]
    rates = np.clip([audited.column(column).mean() for column in columns], 1e-12, 1 - 1e-12)
    return float(np.mean([-(p * np.log2(p) + (1 - p) * np.log2(1 - p)) for p in rates]))
