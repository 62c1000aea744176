"""Models of dynamics that go on by themselves, beside the episodes they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.spec import OverTime
from pellucid.encoders.abilities import RunsFree
from pellucid.errors import NotMeasurable
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.dynamics.conclusions import FreeRunConclusions
from pellucid.protocols.dynamics.figures import drawn
from pellucid.protocols.dynamics.followed import Followed, followed
from pellucid.protocols.dynamics.linear import LinearMap
from pellucid.protocols.dynamics.portrait import portrait, transitions
from pellucid.protocols.dynamics.strip import strip
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import NotMeasured, Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STARTS = 20
"""Steps of a sample from which forecasts start, at most, evenly spread."""


class FreeRunConfig(Config):
    """Settings of :class:`FreeRunning`.

    Parameters
    ----------
    horizons : tuple of int
        After how many steps forecasts are judged; those that samples are too short for are left out.
    warming : float
        Share of a sample that a model sees before the first forecast.
    bins : int
        Along each channel, of the state-space divergence; of many channels its places are Gaussians instead.
    smoothing_bins : float
        Of the spectral distance; never more than a fiftieth of the bins of frequency that a sample has.
    tolerance : float
        Root mean square error over channels, in standard deviations of the training samples, above which a drawn forecast counts as lost.
    replicates : int
        Resamplings behind each interval.
    """

    horizons: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 5, 20), min_length=1)
    warming: float = Field(0.25, gt=0, lt=1)
    bins: int = Field(30, ge=2)
    smoothing_bins: float = Field(20.0, ge=0)
    tolerance: float = Field(0.4, gt=0)
    replicates: int = Field(REPLICATES, ge=100)


class FreeRunning(Assessment):
    """Forecasts, and free runs of models of dynamics, on episodes that nothing was learnt from.

    - ``error_after_<n>``: mean squared error of forecasts n steps ahead, from states that the model has while it sees the data, in
      variances of the training samples. In chaos any forecast fails sooner or later; a good one fails later.
    - ``state_space_divergence`` and ``spectral_distance``: of each test episode one free run, from the state after the first share of
      its first sample, as long as all its samples together. Whether it visits the same places as often as the episodes, and has the
      same rhythms. Of all test episodes of a fold together, so that there is no interval over episodes; the mean over folds.
    - ``diverged_runs``: share of these runs that leave all bounds; they count in the two others with the state at which they do.

    Each stands beside persistence, an affine map from each step to the next, fitted on the training episodes, and chance: the mean of the
    training samples, or for rhythms their steps in no order. What training episodes themselves have, cut to as many steps, is the
    floor of the two distances; no model can be asked for less. No transition is read across samples.

    References
    ----------
    Brenner et al. (2024), NeurIPS. Deviations: free runs are as long as the episodes that they are compared with, and begin where each
    of them does; spectra are means over pieces as long as a sample, and smoothed less where samples are short.
    """

    name: ClassVar[str] = "free-run"
    about: ClassVar[Any] = "any"
    needs_training: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "state_space_divergence": MetricWords(
            "Places", "whether a free run visits the same places as often; 0 is best"
        ),
        "state_space_divergence_floor": MetricWords("Places, floor", "the same of training episodes in its stead"),
        "spectral_distance": MetricWords("Rhythms", "whether a free run has the same rhythms; 0 is best, 1 worst"),
        "spectral_distance_floor": MetricWords("Rhythms, floor", "the same of training episodes in its stead"),
        "diverged_runs": MetricWords("Diverged", "share of free runs that leave all bounds; 0 is best"),
    }
    section: ClassVar[Section | None] = Section(
        "free-run",
        "Whether the model moves as the data do",
        "A model that forecasts the next step well may still come to rest, or run away, when it is left alone.",
    )
    config_type = FreeRunConfig
    config: FreeRunConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import moving_fold

        return moving_fold()

    def unfit(self, context: Context) -> str:
        """There must be an input over time."""
        moving = [one for one in context.inputs.values() if isinstance(one, OverTime)]
        if not moving:
            return "it is about models of what moves; no encoder of this study reads a signal or a trajectory"
        return self._too_short(max(one.length for one in moving))

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample: squared errors by horizon, of the model and of what it stands beside.

        Returns
        -------
        DataFrame
            ``part``, ``sample``, ``subject``, and for each horizon ``model:<n>``, ``persistence:<n>``, ``linear:<n>``, ``mean:<n>``. Told
            once of a part and fold: ``distances`` (by name, of model, persistence, linear map, chance and floor), ``diverged``, and for
            the figures ``portrait``, ``transitions`` and ``strip``.

        Raises
        ------
        NotMeasurable
            If no part has an encoder that can run freely, no test sample is known throughout, or samples are too short.
        """
        found = []
        for part, model in fold.models.items():
            samples = fold.test(part)
            if (encoder := running_free(model)) is None:
                continue
            found.append(self._rows(part, encoder, samples, fold))
        if not found:
            raise NotMeasurable("no part reads an encoder that can go on by itself", "add one, such as alrnn")
        return joined(found)

    def _asked(self, steps: int) -> tuple[int, list[int]]:
        """How many steps of a sample are seen first, and the horizons that are left in it."""
        warm = max(1, round(self.config.warming * steps))
        return warm, [n for n in dict.fromkeys(self.config.horizons) if n < steps - warm]

    def _too_short(self, steps: int) -> str:
        """Why samples of so many steps have no horizon, or an empty string."""
        warm, horizons = self._asked(steps)
        if horizons:
            return ""
        return (
            f"samples of {steps} steps are too short for forecasts of {min(self.config.horizons)} after {warm} that are seen: "
            "ask for fewer steps, or for longer samples"
        )

    def _rows(self, part: str, encoder: RunsFree, samples: Dataset, fold: FittedFold) -> pd.DataFrame:
        name, config = encoder.input_name, self.config
        test, train = followed(samples, name), followed(fold.train, name)
        warm, horizons = self._asked(test.steps)
        if not horizons:
            raise NotMeasurable(self._too_short(test.steps))
        linear = LinearMap.of(train.values)
        starts = np.unique(np.linspace(warm - 1, test.steps - 1 - max(horizons), STARTS).round().astype(int))
        states = _states(encoder, test)
        columns = _errors(encoder, linear, test, states, starts, horizons)
        seed = seed_of(fold.seed, part, fold.split.fold)
        smoothing = min(config.smoothing_bins, test.steps / 2 / 50)
        told = _free(encoder, linear, test, train, states[:, warm - 1], warm, seed, config.bins, smoothing)
        told["strip"] = strip(encoder, linear, test, states[:1, warm - 1], warm, config.tolerance)
        return told_once(rows_of(part, samples.subset(test.rows), columns), told)

    def conclude(self, rows: pd.DataFrame, context: Context) -> Sequence[Result | NotMeasured]:
        """Errors by horizon with intervals over episodes, distances with their floors, and how many runs diverge."""
        return [
            result
            for part, own in context.own_rows(rows)
            for result in FreeRunConclusions(own, part, context, self.config.replicates).results()
        ]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """For each part, of its first fold: a phase portrait with its regions, how these follow each other, and a forecast along time."""
        return drawn(rows, context)


def running_free(model: Model) -> RunsFree | None:
    """The encoder of a model that can go on by itself; None where there is none."""
    return next((one for _, one in model.named_encoders() if isinstance(one, RunsFree)), None)


@torch.no_grad()
def _states(encoder: Any, test: Followed) -> torch.Tensor:
    """Shape (sample, step, unit)."""
    encoder.eval()
    return torch.cat([encoder.states(batch) for batch in test.batches(encoder.input_name)])


def _errors(
    encoder: RunsFree, linear: LinearMap, test: Followed, states: torch.Tensor, starts: np.ndarray, horizons: Sequence[int]
) -> dict[str, np.ndarray]:  # fmt: skip
    """Mean squared errors of each sample, by who says it and horizon, in variances of the training samples."""
    longest, count = max(horizons), len(test.values)
    runs = encoder.free_run(states[:, starts].flatten(0, 1), longest)
    here = linear.standardised(test.values)
    last = here[:, starts].reshape(count * len(starts), -1)
    said = {
        "model": linear.standardised(_array(runs.values)),
        "persistence": np.repeat(last[:, None], longest, axis=1),
        "linear": linear.standardised(linear.run(linear.raw(last), longest).values),
        "mean": np.zeros((len(last), longest, last.shape[1])),
    }
    found = {}
    for n in horizons:
        real = here[:, starts + n].reshape(len(last), -1)
        for who, values in said.items():
            squares = ((values[:, n - 1] - real) ** 2).mean(1)
            found[f"{who}:{n}"] = squares.reshape(count, len(starts)).mean(1)
    return found


def _free(
    encoder: RunsFree, linear: LinearMap, test: Followed, train: Followed, begins: torch.Tensor, warm: int, seed: int, bins: int,
    smoothing: float,
) -> dict[str, Any]:  # fmt: skip
    """Distances of free runs, one a test episode, with what they stand beside."""
    first = [rows[0] for rows in test.episodes]
    lengths = [len(rows) for rows in test.episodes]
    steps = max(lengths) * test.steps
    run = encoder.free_run(begins[first], steps)
    last = test.values[first, warm - 1]
    alone = linear.run(last, steps)
    rng = np.random.default_rng(seed)

    def cut(values: np.ndarray) -> np.ndarray:
        """Each run as many pieces as its episode has samples, shape (piece, step, channel)."""
        pieces = values.reshape(len(first), max(lengths), test.steps, -1)
        return np.concatenate([one[:n] for one, n in zip(pieces, lengths, strict=True)])

    shuffled = train.values.reshape(-1, train.values.shape[-1])
    shuffled = rng.permutation(shuffled)[: test.values.size // shuffled.shape[1]]
    pieces = shuffled[: len(shuffled) // test.steps * test.steps].reshape(-1, test.steps, shuffled.shape[1])
    still = np.repeat(last[:, None], steps, axis=1)
    made = {
        "model": cut(_array(run.values)),
        "persistence": cut(still),
        "linear": cut(alone.values),
        "mean": np.broadcast_to(linear.mean, test.values.shape),
        "shuffled": pieces,
        "floor": train.values[rng.permutation(len(train.values))[: len(test.values)]],
    }
    distances = {who: measured(test.values, values, bins, smoothing) for who, values in made.items()}
    lasts = np.array(lengths) * test.steps
    return {
        "distances": distances,
        "diverged": float((run.lasted.cpu().numpy() < lasts).mean()),
        "linear_diverged": float((alone.lasted < lasts).mean()),
        "portrait": portrait(run, test, lasts),
        "transitions": transitions(run, encoder.code_names, lasts),
    }


def measured(true: np.ndarray, made: np.ndarray, bins: int, smoothing: float) -> dict[str, float]:
    """Both distances, shape (piece, step, channel) each."""
    from pellucid.measures.dynamics.spectra import spectral_distance
    from pellucid.measures.dynamics.state_space import state_space_divergence

    # A Gaussian of width 1 around points of many channels asks for standardised ones.
    mean, deviation = true.mean((0, 1)), true.std((0, 1))
    deviation = np.where(deviation > 0, deviation, 1.0)
    one, other = ((values - mean) / deviation for values in (true, made))
    return {
        "state_space_divergence": state_space_divergence(one, other, bins=bins),
        "spectral_distance": spectral_distance(one, other, smoothing_bins=smoothing),
    }


def _array(values: torch.Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()
