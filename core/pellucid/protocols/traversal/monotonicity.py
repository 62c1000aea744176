"""What changes when a model becomes surer: measured on decoded inputs along the direction in which its output rises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.model import batches
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold
from pellucid.protocols.said import LEARNT_CODE
from pellucid.protocols.traversal.verdict import Verdict
from pellucid.protocols.traversal.walk import Measure, decoders, walk
from pellucid.result import Result
from pellucid.statistics.ranking import spearman

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ANY_INPUT = ("core/mass",)
"""What is measured of an input for which the dataset names no measure."""

WIDEST = "direction of largest variance"

COLUMNS = (
    "part", "sample", "subject", "encoder", "output", "measure",
    "association", "sense", "rising", "widest", "spread",
)  # fmt: skip


def mass(values: np.ndarray, spec: Any) -> np.ndarray:
    """Sum of all values of a sample: how much there is of whatever the input shows.

    Parameters
    ----------
    values : ndarray, shape (sample, *input shape)
    spec : InputSpec
        Not needed here.

    Returns
    -------
    ndarray, shape (sample,), in units of the input
    """
    return np.asarray(values, np.float64).reshape(len(values), -1).sum(1)


class TraversalMonotonicityConfig(Config):
    """Settings of :class:`TraversalMonotonicity`.

    Parameters
    ----------
    reach_sd : float
        How far to walk each way, in standard deviations of the latent over the training samples.
    steps : int
        Points on the way, both ends included.
    random_directions : int
        Directions drawn in each fold, to see what moving anyhow does; too few could not tell a share of one in twenty.
    samples : int
        Test samples of a fold that are walked from, evenly spread over them.
    """

    reach_sd: float = Field(default=2.0, gt=0)
    steps: int = Field(default=9, ge=3)
    random_directions: int = Field(default=50, ge=50)
    samples: int = Field(default=32, ge=1)

    @property
    def steps_sd(self) -> tuple[float, ...]:
        """Where the points lie."""
        return tuple(np.linspace(-self.reach_sd, self.reach_sd, self.steps))


class TraversalMonotonicity(Assessment):
    """Whether a model, walked towards a higher output, steadily changes something that a person can measure.

    The direction is the one in which the output rises fastest on average over training samples, per standard deviation
    of the latent. Test samples are moved along it; every point is decoded and measured. ``monotonicity:<measure>`` is
    the rank correlation (Spearman) of step and measure, averaged over samples. Its sense is that of measure and label
    among the training samples of the fold: 1 where what grows (or shrinks) with the label does so all the way for all
    samples, 0 where it does as it likes, below 0 where it goes against the data. Steps at which the measure is not
    defined, such as empty pictures, are left out and counted.

    Chance is the mean of the same figure over random directions, each in the sense in which it raises the output, and
    the baseline that of the direction of the latent's largest variance. A latent may have hardly any direction that does
    not move a measure; what it does along the model's own then says nothing about the model. Passed means three things:

    - steady: the interval lies above :data:`~pellucid.protocols.traversal.verdict.STEADY`;
    - the model's own: hardly any random direction of the same fold does as well
      (:data:`~pellucid.protocols.traversal.verdict.AS_GOOD`);
    - visible: from end to end the measure changes by :data:`~pellucid.protocols.traversal.verdict.VISIBLE` of its
      standard deviation over the training samples.

    Any head will do whose output has a gradient with respect to the latent. All outputs are followed, of the steps
    between ordered classes the middle one.
    """

    name: ClassVar[str] = "traversal-monotonicity"
    needs_training: ClassVar[bool] = True
    section = LEARNT_CODE
    config_type = TraversalMonotonicityConfig
    config: TraversalMonotonicityConfig

    def unfit(self, context: Context) -> str:
        """An encoder must decode, or there is nothing to look at on the way."""
        if context.encoders is not None and not any(tags.decodes for tags in context.encoders.values()):
            return "no encoder of this study decodes, so a walk through its values cannot be shown; add a VAE"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, sample, decoding encoder, output and measure.

        Returns
        -------
        DataFrame
            ``encoder``, ``output``, ``measure``; of the training samples ``association``, the rank correlation of measure
            and label, its sign ``sense``, and ``spread``, the measure's standard deviation; rank correlations
            ``rising``, ``widest`` and ``random 0``, ``random 1`` ... along each direction, turned so that it raises the
            output; and the measure at each step, ``at -2`` ... ``at 2``.
        """
        import pandas as pd

        tables = []
        train = fold.train
        wanted = fold.dataset.spec.target(fold.target).steps(train.target_values(fold.target))
        seen: dict[tuple[str, str], np.ndarray] = {}
        for part, model in fold.predictors.items():
            test = fold.test(part)
            chosen = np.unique(np.linspace(0, len(test) - 1, min(len(test), self.config.samples)).round().astype(int))
            samples = test.subset(chosen)
            learnt, z = model.representation(train), model.representation(samples)
            for prefix, encoder, _ in decoders(model):
                names = samples.spec.measures.get(encoder.input_name, ANY_INPUT)
                measures = {name: plugins.load("measure", name) for name in names}
                walked = walk(
                    model, prefix, learnt, z, measures,
                    steps_sd=self.config.steps_sd, random_directions=self.config.random_directions, seed=fold.seed,
                )  # fmt: skip
                for (output, name), found in walked.items():
                    of = (encoder.input_name, name)
                    if of not in seen:
                        seen[of] = _measured(measures[name], train, encoder.input_name)
                    association = _association(seen[of], wanted[:, model.head.outputs.index(output)])
                    rows = {
                        "part": part,
                        "sample": samples.frame.index.astype(str),
                        "subject": samples.subjects,
                        "encoder": prefix,
                        "output": output,
                        "measure": name,
                        "association": association,
                        "sense": float(np.sign(association)),
                        "rising": found.rising,
                        "widest": found.widest,
                        "spread": _spread(seen[of]),
                    }
                    steps = {_column(step): found.paths[0, :, at] for at, step in enumerate(self.config.steps_sd)}
                    drawn = {f"random {at}": orders for at, orders in enumerate(found.random)}
                    tables.append(pd.DataFrame(rows | drawn | steps))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Mean rank correlations of each part, encoder and measure, with intervals over subjects."""
        results = []
        steps = [_column(step) for step in self.config.steps_sd]
        for part, encoder, output, measure, mine in _by_kind(rows, context):
            verdict = Verdict.of(mine, steps, seed=context.seed)
            if verdict is None:
                continue
            known = mine["rising"].notna()
            results.append(
                Result(
                    protocol=self.name,
                    metric=_metric(rows, encoder, output, measure.rpartition("/")[2]),
                    part=part,
                    value=verdict.steadiness.value,
                    low=verdict.steadiness.low,
                    high=verdict.steadiness.high,
                    chance=verdict.random,
                    baseline=verdict.widest,
                    baseline_name=WIDEST,
                    higher_is_better=True,
                    n_samples=int(known.sum()),
                    n_subjects=int(mine.loc[known, "subject"].nunique()),
                    passed=verdict.passed,
                    sentence=verdict.sentence(_in_words(measure), output),
                )
            )
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """How each measure changes on the way, by part."""
        from matplotlib.figure import Figure

        kinds = sorted({(encoder, measure) for _, encoder, _, measure, _ in _by_kind(rows, context)})
        if not kinds:
            return {}
        figure = Figure(figsize=(3.2 * len(kinds), 2.8), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(kinds)))
        for panel, kind in zip(panels, kinds, strict=True):
            for part, encoder, output, measure, mine in _by_kind(rows, context):
                if (encoder, measure) != kind:
                    continue
                path = mine[[_column(step) for step in self.config.steps_sd]].to_numpy(np.float64)
                panel.plot(
                    self.config.steps_sd,
                    np.nanmean(path, axis=0),
                    marker="o",
                    markersize=3,
                    label=_line(rows, part, output),
                )
            panel.set_xlabel("step towards a higher output (SD of the latent)", fontsize=7)
            panel.set_ylabel(f"{_in_words(kind[1])} of decoded {kind[0]}", fontsize=7)
            panel.tick_params(labelsize=7)
        panels[0].legend(fontsize=6)
        return {
            "What changes in decoded inputs when a model is walked towards a higher output (means over test samples)": figure
        }


def _measured(measure: Measure, samples: Dataset, input: str) -> np.ndarray:
    spec = samples.spec.input(input)
    return np.concatenate([np.asarray(measure(batch.inputs[input].numpy(), spec)) for batch, _ in batches(samples)])


def _association(measured: np.ndarray, labels: np.ndarray) -> float:
    """Rank correlation of measure and label over samples that have both; 0 where one of them does not vary."""
    known = np.isfinite(measured) & np.isfinite(labels)
    if not known.any():
        return 0.0
    return float(np.nan_to_num(spearman(labels[known], measured[known], np.ones(int(known.sum())))))


def _spread(measured: np.ndarray) -> float:
    return float(np.nanstd(measured)) if np.isfinite(measured).any() else float("nan")


def _in_words(measure: str) -> str:
    return measure.rpartition("/")[2].replace("-", " ")


def _column(step: float) -> str:
    return f"at {step:g}"


def _metric(rows: pd.DataFrame, encoder: str, output: str, measure: str) -> str:
    """``monotonicity:area``, with what tells it apart where several encoders decode or there are several outputs."""
    parts = [encoder] if rows["encoder"].nunique() > 1 else []
    return ":".join(["monotonicity", *parts, measure, *([output] if rows["output"].nunique() > 1 else [])])


def _line(rows: pd.DataFrame, part: str, output: str) -> str:
    return f"{part}: {output}" if rows["output"].nunique() > 1 else part


def _by_kind(rows: pd.DataFrame, context: Context) -> Iterator[tuple[str, str, str, str, pd.DataFrame]]:
    for part in context.predictors:
        of_part = rows[rows["part"] == part]
        for (encoder, output, measure), mine in of_part.groupby(["encoder", "output", "measure"], sort=True):
            yield part, str(encoder), str(output), str(measure), mine
