"""What changes when a model becomes surer: measured on decoded inputs along the direction in which its output rises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.encoders.base import Encoder
from pellucid.heads.traversal import rising, traverse
from pellucid.model import Model, batches
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold
from pellucid.representation import Representation
from pellucid.result import Result
from pellucid.statistics.bootstrap import subject_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ANY_INPUT = ("core/mass",)
"""What is measured of an input for which the dataset names no measure."""

WIDEST = "direction of largest variance"


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

    reach_sd: float = Field(2.0, gt=0)
    steps: int = Field(9, ge=3)
    random_directions: int = Field(8, ge=1)
    samples: int = Field(64, ge=1)

    @property
    def steps_sd(self) -> tuple[float, ...]:
        """Where the points lie."""
        return tuple(np.linspace(-self.reach_sd, self.reach_sd, self.steps))


class TraversalMonotonicity(Assessment):
    """Whether a model, walked towards a higher output, changes something that a person can measure, always the same way.

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

        rows: list[dict[str, Any]] = []
        for part, model in fold.models.items():
            test = fold.test(part)
            chosen = np.unique(np.linspace(0, len(test) - 1, min(len(test), self.config.samples)).round().astype(int))
            samples, train = test.subset(chosen), fold.dataset.subset(fold.split.train)
            rows += self._walked(part, model, train, samples, fold.seed)
        return pd.DataFrame(rows, columns=None if rows else ["part", "sample", "subject", "encoder", "measure"])

    def _walked(self, part: str, model: Model, train: Dataset, samples: Dataset, seed: int) -> list[dict[str, Any]]:
        rows = []
        learnt, z = model.representation(train), model.representation(samples)
        for prefix, encoder, columns in decoders(model):
            for name, measured in self._measured(model, encoder, columns, learnt.values, z, samples, seed).items():
                for at, sample in enumerate(samples.frame.index.astype(str)):
                    rows.append(
                        {
                            "part": part,
                            "sample": sample,
                            "subject": str(samples.frame[samples.spec.groups[0]].iloc[at]),
                            "encoder": prefix,
                            "measure": name,
                            **measured.row(at, self.config.steps_sd),
                        }
                    )
        return rows

    def _measured(
        self,
        model: Model,
        encoder: Encoder,
        columns: slice,
        learnt: Tensor,
        z: Representation,
        samples: Dataset,
        seed: int,
    ) -> dict[str, _Measured]:
        # Of training samples: how wide the latent is must not depend on whom is judged.
        scale = torch.zeros(learnt.shape[1])
        scale[columns] = learnt[:, columns].std(0)
        directions = [
            rising(model.head, z, _followed(model, z), scale),
            self._widest(learnt, columns, scale, len(z.values)),
        ]
        generator = torch.Generator().manual_seed(seed)
        for _ in range(self.config.random_directions):
            drawn = torch.randn(z.values.shape, generator=generator) * (scale > 0)
            directions.append(drawn / drawn.norm(dim=1, keepdim=True).clamp(min=1e-12))
        spec = encoder.config.inputs[encoder.input_name]
        names = samples.spec.measures.get(encoder.input_name, ANY_INPUT)
        measures = {name: plugins.load("measure", name) for name in names}
        now = {name: [] for name in names}
        for batch, _ in batches(samples):
            for name, measure in measures.items():
                now[name].append(_numbers(measure, batch.inputs[encoder.input_name], spec))
        paths: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for direction in directions:
            points = traverse(z.values, direction, scale, self.config.steps_sd)[:, :, columns].flatten(0, 1)
            with torch.no_grad():
                decoded = torch.cat([encoder.decode(some) for some in points.split(512)])
            for name, measure in measures.items():
                paths[name].append(_numbers(measure, decoded, spec).reshape(-1, self.config.steps))
        still = directions[0].norm(dim=1).numpy() == 0
        return {name: _Measured(np.stack(paths[name]), np.concatenate(now[name]), still) for name in names}

    @staticmethod
    def _widest(learnt: Tensor, columns: slice, scale: Tensor, count: int) -> Tensor:
        latent = learnt[:, columns]
        # Of the latent as it is: standardised, every direction would count the same.
        _, _, axes = torch.linalg.svd(latent - latent.mean(0), full_matrices=False)
        direction = torch.zeros(learnt.shape[1])
        direction[columns] = axes[0] / scale[columns].clamp(min=1e-12)
        return (direction / direction.norm().clamp(min=1e-12)).expand(count, -1)

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
                    passed=bool(found.low > chance),
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


@dataclass(frozen=True)
class _Measured:
    """One measure along all directions (rising, widest, random ...), shape (direction, sample, step), and without moving."""

    paths: np.ndarray
    now: np.ndarray
    still: np.ndarray

    def row(self, sample: int, steps_sd: tuple[float, ...]) -> dict[str, float]:
        """Rank correlations of step and measure for one sample, and the measure on the rising way."""
        orders = [_order(path) for path in self.paths[:, sample]]
        found = {
            # Where the output does not depend on the latent there is no way to walk, so no number.
            "rising": float("nan") if self.still[sample] else orders[0],
            "widest": orders[1],
            "random": float(np.mean(np.abs(orders[2:]))),
            "spread": float(np.nanstd(self.now)),
        }
        return found | {
            _column(step): float(value) for step, value in zip(steps_sd, self.paths[0, sample], strict=True)
        }


def decoders(model: Model) -> Iterator[tuple[str, Encoder, slice]]:
    """Prefix of each encoder that decodes, the encoder, and where its units stand among all."""
    start = 0
    for prefix, encoder in model.named_encoders():
        columns = slice(start, start + len(encoder.names))
        start = columns.stop
        if encoder.tags.decodes:
            yield prefix, encoder, columns


def _followed(model: Model, z: Representation) -> Tensor:
    kind = model.head.config.target.kind
    with torch.no_grad():
        logits = model.head(z)
    if kind in ("multiclass", "multilabel"):
        return logits.argmax(1)
    at = (logits.shape[1] - 1) // 2 if kind == "ordinal" else 0
    return torch.full((len(logits),), at)


def _order(path: np.ndarray) -> float:
    """Rank correlation of step and measure; 0 where the measure does not change, NaN where it is not defined."""
    from scipy.stats import rankdata

    if np.isnan(path).any():
        return float("nan")
    ranks = rankdata(path)
    return 0.0 if np.ptp(ranks) == 0 else float(np.corrcoef(np.arange(len(ranks)), ranks)[0, 1])


def _numbers(measure: Any, values: Tensor, spec: Any) -> np.ndarray:
    return np.asarray(measure(values.numpy(), spec), np.float64)


def _column(step: float) -> str:
    return f"at {step:g}"


def _by_kind(rows: pd.DataFrame, context: Context) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    for part in context.parts:
        of_part = rows[rows["part"] == part]
        for (encoder, measure), mine in of_part.groupby(["encoder", "measure"], sort=True):
            yield part, str(encoder), str(measure), mine
