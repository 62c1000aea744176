"""How an assessment is asked: what these data cannot carry is said with its reason, and everything else stands.

An assessment raises :class:`~pellucid.errors.NotMeasurable` while it examines a fold, or concludes a
:class:`~pellucid.result.NotMeasured` in the place of a metric. Parts that are measured each for itself
(:meth:`~pellucid.protocols.base.Assessment.apart`) are examined one by one, so that the reason costs that part alone, and in that
fold alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pellucid.errors import NotMeasurable
from pellucid.protocols.base import Assessment, Context, FittedFold
from pellucid.result import NotMeasured, Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Examined:
    """What an assessment found in one fold.

    Parameters
    ----------
    rows : DataFrame, optional
        With a column ``fold``; None if nothing could be measured.
    not_measured : tuple of NotMeasured
        Of this fold alone.
    """

    rows: pd.DataFrame | None
    not_measured: tuple[NotMeasured, ...] = ()


def examined(assessment: Assessment, fold: FittedFold, context: Context) -> Examined:
    """Ask an assessment about a fold, each part that stands apart for itself.

    Parameters
    ----------
    assessment : Assessment
    fold : FittedFold
    context : Context
    """
    import pandas as pd

    apart = [part for part in assessment.apart(context) if part in fold.models]
    frames, lacking = [], []
    for part in apart or [""]:
        asked = replace(fold, models={part: fold.models[part]}) if part else fold
        try:
            rows = assessment.examine(asked)
        except NotMeasurable as why:
            lacking.append(
                NotMeasured(
                    protocol=assessment.name, part=part, because=why.because, helps=why.helps, folds=(fold.split.fold,)
                )
            )
        else:
            frames.append(rows)
    # Empty frames have columns of other kinds than those with rows, which would change what the others are kept as.
    frames = [rows for rows in frames if len(rows)] or frames[:1]
    found = pd.concat(frames, ignore_index=True).assign(fold=fold.split.fold) if frames else None
    return Examined(found, tuple(lacking))


def concluded(
    assessment: Assessment, every: Sequence[Examined], context: Context
) -> tuple[list[Result], list[NotMeasured]]:
    """Results over the folds that could be measured, and what could not be.

    Parameters
    ----------
    assessment : Assessment
    every : sequence of Examined
        One a fold.
    context : Context

    Returns
    -------
    results : list of Result
        Each says who was new to the models where that is not simply people; the first of a part that could not be measured
        in all folds says in how many it was.
    not_measured : list of NotMeasured
    """
    import pandas as pd

    frames = [one.rows for one in every if one.rows is not None]
    found = assessment.conclude(pd.concat(frames, ignore_index=True), context) if frames else ()
    lacking = joined((one for some in every for one in some.not_measured), len(every))
    judged_on = context.spec.judged_on
    results = [one.labelled(judged_on) for one in found if isinstance(one, Result)]
    folds = tuple(range(len(every)))
    beside = [replace(one, folds=folds, of_folds=len(every)) for one in found if isinstance(one, NotMeasured)]
    return _with_folds(results, lacking), [*lacking, *beside]


def joined(entries: Iterable[NotMeasured], of_folds: int) -> list[NotMeasured]:
    """Entries of single folds, those that say the same as one."""
    kept: dict[NotMeasured, set[int]] = {}
    for one in entries:
        kept.setdefault(replace(one, folds=(), of_folds=of_folds), set()).update(one.folds)
    return [replace(one, folds=tuple(sorted(folds))) for one, folds in kept.items()]


def _with_folds(results: list[Result], lacking: Sequence[NotMeasured]) -> list[Result]:
    told = set()
    found = []
    for one in results:
        own = [entry for entry in lacking if entry.part in ("", one.part)]
        if own and one.part not in told:
            told.add(one.part)
            one = replace(one, sentence=f"{one.sentence} {_of_folds(own)}".strip())
        found.append(one)
    return found


def _of_folds(own: Sequence[NotMeasured]) -> str:
    without, every = len({fold for entry in own for fold in entry.folds}), own[0].of_folds
    why = "; ".join(dict.fromkeys(entry.because for entry in own))
    return f"Measured in {every - without} of {every} folds; in the other{'s' if without > 1 else ''} not: {why}."
