"""What follows from the scores of models that have learnt from noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.targets import Target
from pellucid.protocols.base import Context
from pellucid.protocols.controls import at_chance
from pellucid.protocols.prediction.metrics import Metric, metrics_of
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.result import Result
from pellucid.statistics.bootstrap import LEVEL, Interval, interval, subject_weights
from pellucid.views.drawing import COLOURS, MARKS, NEUTRAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAME = "noise-control"

ON_DATA = "the same model, learnt from the data"


def ranking(target: Target) -> tuple[Metric, ...]:
    """The metrics of a target that say how well samples are put in order, which is what chance is known of exactly."""
    return tuple(one for one in metrics_of(target) if one.name.partition(":")[0] in ("auroc", "spearman"))


def conclusions(rows: pd.DataFrame, part: str, context: Context, replicates: int, controls: int) -> Iterator[Result]:
    """How well a part puts samples of noise in order, beside chance and what it reaches on the data.

    Parameters
    ----------
    rows : DataFrame
        Of one part, see :meth:`~pellucid.protocols.noise.control.NoiseControl.examine`.
    part : str
    context : Context
    replicates : int
    controls : int
        Models of the study: intervals are of 95 % for all of them together (Bonferroni), or a study of many would fail often.
    """
    target = context.spec.target(context.target)
    noise, data = (_predictions(rows, target, what) for what in ("noise", "data"))
    weights = subject_weights(noise.subjects, noise.folds, replicates=replicates, seed=context.seed)
    level = 1 - (1 - LEVEL) / (controls * len(ranking(target)))
    for metric in ranking(target):
        found = interval(metric.statistic(noise), weights, level=level)
        usual = float(metric.statistic(data)(np.ones(len(rows))))
        if np.isnan(found.value) or np.isnan(usual):
            # One class alone in the folds that were examined: nothing can be put in order.
            continue
        chance = metric.chance(noise)
        passed = at_chance(found, chance)
        name, _, of = metric.name.partition(":")
        word = f"{name.upper() if name == 'auroc' else 'rank correlation'}{f' of {of}' if of else ''}"
        yield Result(
            protocol=NAME,
            metric=f"{name}_on_noise{f':{of}' if of else ''}",
            part=part,
            value=found.value,
            low=found.low,
            high=found.high,
            chance=chance,
            baseline=usual,
            baseline_name=ON_DATA,
            higher_is_better=True,
            n_samples=len(rows),
            n_subjects=len(np.unique(noise.subjects)),
            passed=passed,
            sentence=_verdict(part, word, found, chance, usual, passed, context.several),
        )


def drawn(results: Sequence[Result], several: str) -> dict[str, Figure]:
    """What each part reaches on noise and on the data, beside chance."""
    from matplotlib.figure import Figure

    if not results:
        return {}
    figure = Figure(figsize=(7.2, 0.45 * len(results) + 1.3), layout="constrained")
    ax, height = figure.subplots(), np.arange(len(results))
    values = np.array([r.value for r in results])
    ends = np.array([[r.value - r.low, r.high - r.value] for r in results]).T
    ax.errorbar(values, height, xerr=np.nan_to_num(ends).clip(min=0), fmt=MARKS[0], color=COLOURS[0], capsize=2,
                label="on noise")  # fmt: skip
    ax.plot([r.baseline for r in results], height, MARKS[1], color=COLOURS[1], label="on the data")
    ax.vlines([r.chance for r in results], height - 0.4, height + 0.4, colors=NEUTRAL, linestyles=":", label="chance")
    of = [r.metric.partition(":")[2] for r in results]
    ax.set_yticks(height, [f"{r.part}{f', {one}' if one else ''}" for r, one in zip(results, of, strict=True)])
    ax.set_ylim(len(results) - 0.4, -0.6)
    ax.set_xlim(min(0.0, *(r.value for r in results), *(r.low for r in results if r.low == r.low)), 1)
    ax.set_xlabel("AUROC" if results[0].metric.startswith("auroc") else "rank correlation")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    caption = (
        "A control: the same models, learnt and judged on noise in place of the data. On noise a model must be at chance (dotted). "
        f"Bars: intervals over {several}, of 95 % for all together."
    )
    return {caption: figure}


def _predictions(rows: pd.DataFrame, target: Target, what: str) -> Predictions:
    return Predictions.of(rows, target, [f"{what}:{at}" for at in range(len(target.outputs))])


def _verdict(
    part: str, word: str, found: Interval, chance: float, usual: float, passed: bool | None, several: str
) -> str:
    told = f"A control: “{part}” has learnt from noise in place of the data, and been judged on noise. Its {word} there is "
    if passed is None:
        return f"{told}{found.value:.3f}; there are too few {several} for an interval, so the control says nothing."
    told += f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
    on_data = f"on the data it is {usual:.3f}"
    if passed:
        return f"{told}, which is chance ({chance:g}), as it must be where there is nothing to find; {on_data}."
    luck = f"By chance alone about one study in fifteen has such a control, of few {several} more: another seed tells."
    if found.value < chance:
        return (
            f"{told}, worse than chance ({chance:g}), though there is nothing to find; {on_data}. Something makes labels of the test "
            f"side go against those of the training side: look at how the split was made. {luck}"
        )
    return (
        f"{told}, better than chance ({chance:g}), though there is nothing to find; {on_data}, and not to be relied upon until this is "
        "explained. The label comes through another way than the values: look for the same measurement or person on both sides of "
        f"the split, masks or absent covariates that go by the label, and names or an order of samples that a part reads. {luck}"
    )
