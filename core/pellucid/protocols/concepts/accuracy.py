"""How near predicted concepts are to what people said, beside how near people are to each other."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pellucid.protocols.concepts.part import AuditedPart, mean_of
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic, weighted_mean
from pellucid.statistics.ranking import over_folds, spearman

PEOPLE = "one of the people who rated"
"""Stands as a part in results: how far one of them is from the mean of all of them."""

USUAL = "training mean"


def people(audited: AuditedPart) -> Iterator[Result]:
    """How far one of the people who rated is from the mean of all, for each concept where that is known."""
    for name in audited.names:
        apart = audited.column(f"apart:{name}")
        known = np.isfinite(apart)
        if not known.any():
            continue
        found = audited.interval(root_mean_square(apart))
        beside = audited.value(root_mean_square(np.where(known, _usual_error(audited, name), np.nan)))
        yield audited.result(
            f"concept_rmse:{name}", found, higher=False, chance=beside, baseline=beside, baseline_name=USUAL,
            part=PEOPLE, known=known,
            sentence=f"One of the people who rated {_words(name)} is {found.value:.2f} away from the mean of them all.",
        )  # fmt: skip


def accuracy(audited: AuditedPart) -> Iterator[Result]:
    """Rank correlation with people's mean ratings and distance from them, averaged over concepts and of each."""
    yield from _order(audited)
    yield from _distance(audited)


def root_mean_square(values: np.ndarray) -> Statistic:
    """Of those that are not NaN."""
    known = np.isfinite(values)
    squares = np.square(values[known])
    return lambda w: np.sqrt(weighted_mean(squares, w[..., known]))


def _order(audited: AuditedPart) -> Iterator[Result]:
    ranks = {name: _rank(audited, name) for name in audited.names if rated(audited, name).any()}
    values = {name: audited.value(rank) for name, rank in ranks.items()}
    # Of a concept that nobody varies in there is no order to predict.
    values = {name: value for name, value in values.items() if math.isfinite(value)}
    if not values:
        return
    found = audited.interval(mean_of([ranks[name] for name in values]))
    best, worst = max(values, key=lambda name: values[name]), min(values, key=lambda name: values[name])
    yield audited.result(
        "concept_rank_correlation", found, passed=found.low > 0, higher=True, chance=0.0, baseline=0.0,
        baseline_name=USUAL,
        sentence=(
            f"Samples in the order of a predicted concept agree with their order by people's ratings by a rank correlation "
            f"of {found.value:.2f}, averaged over {len(values)} concepts (1 is perfect, 0 is chance): best {_words(best)} "
            f"({values[best]:.2f}), worst {_words(worst)} ({values[worst]:.2f})."
        ),
    )  # fmt: skip
    for name in values:
        yield audited.result(
            f"concept_rank_correlation:{name}", audited.interval(ranks[name]), higher=True, chance=0.0, baseline=0.0,
            baseline_name=USUAL, known=rated(audited, name),
        )  # fmt: skip


def _distance(audited: AuditedPart) -> Iterator[Result]:
    names = [name for name in audited.names if rated(audited, name).any()]
    if not names:
        return
    errors = {n: root_mean_square(audited.column(f"rated:{n}") - audited.column(f"concept:{n}")) for n in names}
    usual = {name: audited.value(root_mean_square(_usual_error(audited, name))) for name in names}
    beside = float(np.mean(list(usual.values())))
    yield audited.result(
        "concept_rmse", audited.interval(mean_of(list(errors.values()))), higher=False, chance=beside, baseline=beside,
        baseline_name=USUAL,
    )  # fmt: skip
    for name in names:
        found = audited.interval(errors[name])
        apart = audited.column(f"apart:{name}")
        person = (
            f", one of the people who rated {audited.value(root_mean_square(apart)):.2f}"
            if np.isfinite(apart).any()
            else ""
        )
        yield audited.result(
            f"concept_rmse:{name}", found, higher=False, chance=usual[name], baseline=usual[name], baseline_name=USUAL,
            known=rated(audited, name),
            sentence=(
                f"The predicted {_words(name)} is {found.value:.2f} away from people's mean rating (root mean square); "
                f"the training mean is {usual[name]:.2f} away{person}."
            ),
        )  # fmt: skip


def rated(audited: AuditedPart, name: str) -> np.ndarray:
    """Which samples somebody rated."""
    return np.isfinite(audited.column(f"rated:{name}"))


def _rank(audited: AuditedPart, name: str) -> Statistic:
    known = rated(audited, name)
    truth, predicted = audited.column(f"rated:{name}")[known], audited.column(f"concept:{name}")[known]
    folds = audited.folds[known]
    return lambda w: over_folds(spearman, truth, predicted, folds, w[..., known])


def _usual_error(audited: AuditedPart, name: str) -> np.ndarray:
    return audited.column(f"rated:{name}") - audited.column(f"usual:{name}")


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")
