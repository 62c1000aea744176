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

COLUMNS = ("part", "sample", "subject", "encoder", "measure", "rising", "widest", "random", "spread")


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
        Directions drawn for each sample, to see what moving anyhow does.
    samples : int
        Test samples of a fold that are walked from, evenly spread over them.
    """

    reach_sd: float = Field(default=2.0, gt=0)
    steps: int = Field(default=9, ge=3)
    random_directions: int = Field(default=8, ge=1)
    samples: int = Field(default=64, ge=1)

    @property
    def steps_sd(self) -> tuple[float, ...]:
        """Where the points lie."""
        return tuple(np.linspace(-self.reach_sd, self.reach_sd, self.steps))


class TraversalMonotonicity(Assessment):
    """Whether a model, walked towards a higher output, steadily changes something that a person can measure.

    From test samples the latent of each encoder that decodes is moved along the direction in which the head's output
    rises fastest; every point is decoded and measured. ``monotonicity:<measure>`` is the rank correlation (Spearman)
    of step and measure, averaged over samples with its sign, and given as positive: 1 where the measure always rises,
    or always falls, 0 where it does as it likes. Chance is the mean correlation, without sign, along random
    directions. It is a strict level: a straight walk often changes a measure steadily, though in any direction. The
    baseline is the direction of largest variance of the latent, the same for all samples. Passed: the interval lies
    above chance.

    Any head will do whose output has a gradient with respect to the latent. The output followed is the only one, for
    ordered classes the middle step, for several classes or labels the one that the model thinks likeliest.
    """

    name: ClassVar[str] = "traversal-monotonicity"
    config_type = TraversalMonotonicityConfig
    config: TraversalMonotonicityConfig

    def unfit(self, context: Context) -> str:
        """An encoder must decode, or there is nothing to look at on the way."""
        if context.encoders and not any(tags.decodes for tags in context.encoders.values()):
            return "no encoder of this study decodes, so a walk through its values cannot be shown; add a VAE"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, sample, decoding encoder and measure.

        Returns
        -------
        DataFrame
            ``encoder``, ``measure``; rank correlations ``rising`` (with sign), ``random`` (mean without sign) and
            ``widest`` (with sign); ``spread``, the measure's standard deviation over the samples; and the measure at
            each step, ``at -2`` ... ``at 2``.
        """
        import pandas as pd

        tables = []
        for part, model in fold.models.items():
            test = fold.test(part)
            chosen = np.unique(np.linspace(0, len(test) - 1, min(len(test), self.config.samples)).round().astype(int))
            samples, train = test.subset(chosen), fold.dataset.subset(fold.split.train)
            learnt, z = model.representation(train).values, model.representation(samples)
            for prefix, encoder, _ in decoders(model):
                names = samples.spec.measures.get(encoder.input_name, ANY_INPUT)
                measures = {name: plugins.load("measure", name) for name in names}
                walked = walk(
                    model, prefix, learnt, z, measures,
                    steps_sd=self.config.steps_sd, random_directions=self.config.random_directions, seed=fold.seed,
                )  # fmt: skip
                for name, found in walked.items():
                    seen = _measured(measures[name], samples, encoder.input_name)
                    rows = {
                        "part": part,
                        "sample": samples.frame.index.astype(str),
                        "subject": samples.frame[samples.spec.groups[0]].astype(str).to_numpy(),
                        "encoder": prefix,
                        "measure": name,
                        "rising": found.rising,
                        "widest": found.widest,
                        "random": found.random,
                        "spread": float(np.nanstd(seen)),
                    }
                    steps = {_column(step): found.paths[0, :, at] for at, step in enumerate(self.config.steps_sd)}
                    tables.append(pd.DataFrame(rows | steps))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Mean rank correlations of each part, encoder and measure, with intervals over subjects."""
        results = []
        several = rows["encoder"].nunique() > 1
        for part, encoder, measure, mine in _by_kind(rows, context):
            sign = -1.0 if mine["rising"].mean() < 0 else 1.0
            subjects, folds = mine["subject"].to_numpy(), mine["fold"].to_numpy()
            found = subject_interval(sign * mine["rising"].to_numpy(), subjects, folds, seed=context.seed)
            chance, baseline = float(mine["random"].mean()), abs(float(mine["widest"].mean()))
            known = mine["rising"].notna()
            if not known.any() or np.isnan(chance):
                continue
            short = measure.rpartition("/")[2]
            results.append(
                Result(
                    protocol=self.name,
                    metric=f"monotonicity:{encoder}:{short}" if several else f"monotonicity:{short}",
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
                    sentence=self._sentence(short, sign, mine, found.value, chance),
                )
            )
        return results

    def _sentence(self, measure: str, sign: float, rows: pd.DataFrame, value: float, chance: float) -> str:
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
            f"Walked towards a higher output, decoded samples show {measure} {'falling' if sign < 0 else 'rising'} {steady}: "
            f"rank correlation {value:.2f} (random directions {chance:.2f}){size}."
        )

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """How each measure changes on the way, by part."""
        from matplotlib.figure import Figure

        kinds = sorted({(encoder, measure) for _, encoder, measure, _ in _by_kind(rows, context)})
        if not kinds:
            return {}
        figure = Figure(figsize=(3.2 * len(kinds), 2.8), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(kinds)))
        for panel, kind in zip(panels, kinds, strict=True):
            for part, encoder, measure, mine in _by_kind(rows, context):
                if (encoder, measure) != kind:
                    continue
                path = mine[[_column(step) for step in self.config.steps_sd]].to_numpy(np.float64)
                panel.plot(self.config.steps_sd, np.nanmean(path, axis=0), marker="o", markersize=3, label=part)
            panel.set_xlabel("step towards a higher output (SD of the latent)", fontsize=7)
            panel.set_ylabel(f"{kind[1].rpartition('/')[2]} of decoded {kind[0]}", fontsize=7)
            panel.tick_params(labelsize=7)
        panels[0].legend(fontsize=6)
        return {
            "What changes in decoded inputs when a model is walked towards a higher output (means over test samples)": figure
        }


def _measured(measure: Measure, samples: Dataset, input: str) -> np.ndarray:
    spec = samples.spec.input(input)
    return np.concatenate([np.asarray(measure(batch.inputs[input].numpy(), spec)) for batch, _ in batches(samples)])


def _column(step: float) -> str:
    return f"at {step:g}"


def _by_kind(rows: pd.DataFrame, context: Context) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    for part in context.parts:
        of_part = rows[rows["part"] == part]
        for (encoder, measure), mine in of_part.groupby(["encoder", "measure"], sort=True):
            yield part, str(encoder), str(measure), mine
