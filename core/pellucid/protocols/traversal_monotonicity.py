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
from pellucid.protocols.latent_walk import Measure, decoders, walk
from pellucid.result import Result
from pellucid.statistics.bootstrap import subject_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ANY_INPUT = ("core/mass",)
"""What is measured of an input for which the dataset names no measure."""

WIDEST = "direction of largest variance"

COLUMNS = ("part", "sample", "subject", "encoder", "output", "measure", "rising", "widest", "spread")


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
        Directions drawn in each fold, to see what moving anyhow does.
    samples : int
        Test samples of a fold that are walked from, evenly spread over them.
    """

    reach_sd: float = Field(default=2.0, gt=0)
    steps: int = Field(default=9, ge=3)
    random_directions: int = Field(default=16, ge=1)
    samples: int = Field(default=64, ge=1)

    @property
    def steps_sd(self) -> tuple[float, ...]:
        """Where the points lie."""
        return tuple(np.linspace(-self.reach_sd, self.reach_sd, self.steps))


class TraversalMonotonicity(Assessment):
    """Whether a model, walked towards a higher output, steadily changes something that a person can measure.

    The direction is the one in which the output rises fastest on average over training samples, per standard deviation
    of the latent. Test samples are moved along it; every point is decoded and measured. ``monotonicity:<measure>`` is
    the rank correlation (Spearman) of step and measure, averaged over samples with its sign and given as positive: 1
    where the measure rises (or falls) all the way for all samples, 0 where it does as it likes. Chance is the same
    figure for random directions. It is a strict level: any straight walk changes most things steadily. The baseline is
    the direction of the latent's largest variance. Passed: the interval lies above chance.

    Any head will do whose output has a gradient with respect to the latent. All outputs are followed, of the steps
    between ordered classes the middle one.
    """

    name: ClassVar[str] = "traversal-monotonicity"
    needs_training: ClassVar[bool] = True
    config_type = TraversalMonotonicityConfig
    config: TraversalMonotonicityConfig

    def unfit(self, context: Context) -> str:
        """An encoder must decode, or there is nothing to look at on the way."""
        if context.encoders and not any(tags.decodes for tags in context.encoders.values()):
            return "no encoder of this study decodes, so a walk through its values cannot be shown; add a VAE"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, sample, decoding encoder, output and measure.

        Returns
        -------
        DataFrame
            ``encoder``, ``output``, ``measure``; rank correlations ``rising``, ``widest`` and ``random 0``,
            ``random 1`` ... along each random direction; ``spread``, the measure's standard deviation over the samples; and the measure at
            each step, ``at -2`` ... ``at 2``.
        """
        import pandas as pd

        tables = []
        for part, model in fold.models.items():
            test = fold.test(part)
            chosen = np.unique(np.linspace(0, len(test) - 1, min(len(test), self.config.samples)).round().astype(int))
            samples, train = test.subset(chosen), fold.dataset.subset(fold.split.train)
            learnt, z = model.representation(train), model.representation(samples)
            for prefix, encoder, _ in decoders(model):
                names = samples.spec.measures.get(encoder.input_name, ANY_INPUT)
                measures = {name: plugins.load("measure", name) for name in names}
                walked = walk(
                    model, prefix, learnt, z, measures,
                    steps_sd=self.config.steps_sd, random_directions=self.config.random_directions, seed=fold.seed,
                )  # fmt: skip
                for (output, name), found in walked.items():
                    seen = _measured(measures[name], samples, encoder.input_name)
                    rows = {
                        "part": part,
                        "sample": samples.frame.index.astype(str),
                        "subject": samples.frame[samples.spec.groups[0]].astype(str).to_numpy(),
                        "encoder": prefix,
                        "output": output,
                        "measure": name,
                        "rising": found.rising,
                        "widest": found.widest,
                        "spread": float(np.nanstd(seen)),
                    }
                    steps = {_column(step): found.paths[0, :, at] for at, step in enumerate(self.config.steps_sd)}
                    drawn = {f"random {at}": orders for at, orders in enumerate(found.random)}
                    tables.append(pd.DataFrame(rows | drawn | steps))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Mean rank correlations of each part, encoder and measure, with intervals over subjects."""
        results = []
        for part, encoder, output, measure, mine in _by_kind(rows, context):
            sign = -1.0 if mine["rising"].mean() < 0 else 1.0
            known = mine["rising"].notna()
            if not known.any():
                continue
            subjects, folds = mine["subject"].to_numpy(), mine["fold"].to_numpy()
            found = subject_interval(sign * mine["rising"].to_numpy(), subjects, folds, seed=context.seed)
            chance, baseline = _at_random(mine), abs(float(mine["widest"].mean()))
            if np.isnan(chance) or np.isnan(baseline):
                continue
            short = measure.rpartition("/")[2]
            results.append(
                Result(
                    protocol=self.name,
                    metric=_metric(rows, encoder, output, short),
                    part=part,
                    value=found.value,
                    low=found.low,
                    high=found.high,
                    chance=chance,
                    baseline=baseline,
                    baseline_name=WIDEST,
                    higher_is_better=True,
                    n_samples=int(known.sum()),
                    n_subjects=int(mine.loc[known, "subject"].nunique()),
                    passed=None if np.isnan(found.low) else bool(found.low > chance),
                    sentence=self._sentence(_in_words(measure), output, sign, mine, found.value, chance),
                )
            )
        return results

    def _sentence(self, measure: str, output: str, sign: float, rows: pd.DataFrame, value: float, chance: float) -> str:
        ends = [rows[_column(step)].mean() for step in (self.config.steps_sd[0], self.config.steps_sd[-1])]
        spread = rows["spread"].mean()
        size = f", by {abs(ends[1] - ends[0]) / spread:.1f} times its spread over samples" if spread > 0 else ""
        steady = (
            "steadily"
            if value >= 0.8
            else "as a tendency"
            if value > chance
            else "no more than along a random direction"
        )
        return (
            f"Walked towards “{output}”, decoded samples show {measure} {'falling' if sign < 0 else 'rising'} {steady}: "
            f"rank correlation {value:.2f} (random directions {chance:.2f}){size}."
        )

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


def _in_words(measure: str) -> str:
    return measure.rpartition("/")[2].replace("-", " ")


def _column(step: float) -> str:
    return f"at {step:g}"


def _at_random(rows: pd.DataFrame) -> float:
    """The figure along random directions: mean over a fold's samples, its sign left out, mean over directions."""
    columns = [name for name in rows.columns if str(name).startswith("random ")]
    return float(rows.groupby("fold")[columns].mean().abs().to_numpy().mean())


def _metric(rows: pd.DataFrame, encoder: str, output: str, measure: str) -> str:
    """``monotonicity:area``, with what tells it apart where several encoders decode or there are several outputs."""
    parts = [encoder] if rows["encoder"].nunique() > 1 else []
    return ":".join(["monotonicity", *parts, measure, *([output] if rows["output"].nunique() > 1 else [])])


def _line(rows: pd.DataFrame, part: str, output: str) -> str:
    return f"{part}: {output}" if rows["output"].nunique() > 1 else part


def _by_kind(rows: pd.DataFrame, context: Context) -> Iterator[tuple[str, str, str, str, pd.DataFrame]]:
    for part in context.parts:
        of_part = rows[rows["part"] == part]
        for (encoder, output, measure), mine in of_part.groupby(["encoder", "output", "measure"], sort=True):
            yield part, str(encoder), str(output), str(measure), mine
