"""Which pairs have an event in which stretch of time: described, completed and predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.encoders.abilities import KnowsRates
from pellucid.encoders.rates import NodePaths
from pellucid.errors import NotMeasurable
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.temporal.conclusions import TaskConclusions
from pellucid.protocols.temporal.figure import drawn
from pellucid.result import NotMeasured, Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TASKS = ("reconstruction", "completion", "prediction")


class TemporalLinksConfig(Config):
    """Settings of :class:`TemporalLinks`.

    Parameters
    ----------
    against : tuple of str
        Parts that the others are compared with: a model whose nodes do not move, and one that knows degrees alone.
    cells : int
        Stretches of time, each of one pair and one bin, that are drawn by lot for each task where there are more.
    replicates : int
        Resamplings behind each interval.
    """

    against: tuple[str, ...] = ()
    cells: int = Field(10_000, ge=100)
    replicates: int = Field(REPLICATES, ge=100)


class TemporalLinks(Assessment):
    """How well models of events tell the bins in which a pair has events from those in which it has none.

    What is ordered are stretches of one bin of one pair, by the events that a model expects there:

    - ``completion``: of test pairs, in bins that training pairs were learnt from; the pairs are new, time is not.
    - ``prediction``: of training pairs, in the bins at the end of time that are hidden from learning; time is new, the pairs are not.
      Not measured where the data hide nothing.
    - ``reconstruction``: of training pairs in the bins that were learnt from. It says how well a model describes what it has seen and
      nothing of what it has not; a model with more freedom is better at it.

    Areas under both curves, with intervals over pairs, and differences to the parts named in ``against``; for ``prediction`` to
    persistence too: that pairs go on as they were in as many bins before those that are hidden. A model is asked what to expect by
    naming the two nodes alone; it is shown no event.

    References
    ----------
    The three tasks: Celikkanat, Nakis and Morup (2022), PMLR 198:36. Deviations: stretches are whole bins; none with and without
    events are drawn to be equally many (an area under the precision-recall curve stands beside the share with events).
    """

    name: ClassVar[str] = "temporal-links"
    needs_training: ClassVar[bool] = True
    of_training: ClassVar[str] = "bins of training pairs are hidden from learning, and those are judged"
    config_type = TemporalLinksConfig
    config: TemporalLinksConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import meeting_fold

        return meeting_fold()

    def unfit(self, context: Context) -> str:
        """There must be pairs of nodes and their events, and the parts to compare with."""
        kinds = {one.kind for one in context.spec.inputs.values()}
        if not {"nodes", "signal"} <= kinds:
            return "it is about events of pairs of nodes over time; the dataset has no inputs of the kinds nodes and signal"
        for part in self.config.against:
            if part not in context.predictors:
                return f"it compares with {part!r}, which is no part here; there are {', '.join(context.predictors)}"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, task and stretch.

        Returns
        -------
        DataFrame
            ``part``, ``sample``, ``subject``, ``task``, ``bin``, ``label`` (whether there is an event), ``score`` (expected events) and
            ``before`` (for predictions, the pair's events in as many bins before the hidden ones; else NaN). Told once of a part, in
            the first fold, are the ``paths`` of all nodes.

        Raises
        ------
        NotMeasurable
            If no part has an encoder that knows rates.
        """
        import pandas as pd

        found = []
        for part, model in fold.predictors.items():
            test = fold.test(part)
            encoder = knowing_rates(model)
            if encoder is None:
                continue
            train = fold.train
            for task, samples in (("completion", test), ("prediction", train), ("reconstruction", train)):
                rng = np.random.default_rng(seed_of(fold.seed, task, fold.split.fold))
                rows = self._stretches(part, task, samples, encoder, rng)
                found.append(rows)
            if fold.split.fold == 0 and (paths := encoder.paths()) is not None:
                found[-3] = told_once(found[-3], {"paths": told_of(paths, train, encoder)})
        if not found:
            raise NotMeasurable(
                "no part reads an encoder that says how many events to expect",
                "add one, such as pivem, and a head that reads it",
            )
        return pd.concat(found, ignore_index=True)

    def _stretches(
        self, part: str, task: str, samples: Dataset, encoder: KnowsRates, rng: np.random.Generator
    ) -> pd.DataFrame:
        arrays = samples.read(np.arange(len(samples)))
        count = arrays.inputs[encoder.events_name][:, 0]
        mask = arrays.masks.get(encoder.events_name, np.ones(len(samples), bool))
        known = np.broadcast_to(mask[:, 0] if mask.ndim > 1 else mask[:, None], count.shape)
        pair, at = np.nonzero(known != (task == "prediction"))
        if len(pair) > self.config.cells:
            chosen = np.sort(rng.choice(len(pair), self.config.cells, replace=False))
            pair, at = pair[chosen], at[chosen]
        expected = encoder.expected(torch.from_numpy(arrays.inputs[encoder.pair_name])).numpy()
        columns = {"task": np.full(len(pair), task, object), "bin": at, "label": (count[pair, at] > 0).astype(float)}
        columns["before"] = _before(count, known)[pair] if task == "prediction" else np.full(len(pair), np.nan)
        return rows_of(
            part,
            samples.subset(pair),
            {**columns, "score": expected[pair, at]},
        )

    def conclude(self, rows: pd.DataFrame, context: Context) -> Sequence[Result | NotMeasured]:
        """Both areas of each task and part, and differences to the parts in ``against``."""
        against, replicates = self.config.against, self.config.replicates
        tasks = {task: rows[rows["task"] == task] for task in TASKS}
        return [
            result
            for task, some in tasks.items()
            for result in TaskConclusions(self.name, task, some, context, against, replicates).results()
        ]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """For each part whose nodes have paths: the paths, distances over time, what a rate is made of, and when nodes turn."""
        return drawn(rows)


def knowing_rates(model: Model) -> KnowsRates | None:
    """The encoder of a model that knows rates of events; None where there is none."""
    return next((one for _, one in model.named_encoders() if isinstance(one, KnowsRates)), None)


def _before(count: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Events of each pair in its last known bins, as many of them as are hidden; shape (pair, bin) both."""
    hidden = (~known).sum(1, keepdims=True)
    from_end = np.cumsum(known[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.where(known & (from_end <= hidden), count, 0.0).sum(1))


def told_of(paths: NodePaths, train: Dataset, encoder: KnowsRates) -> dict[str, Any]:
    """Paths as plain values, with events of the training pair that comes nearer or goes away the most.

    No test pair's events and no hidden bin's are among them.
    """
    arrays = train.read(np.arange(len(train)))
    pairs = arrays.inputs[encoder.pair_name]
    spread = [np.ptp(paths.distance(int(a), int(b), paths.times)) for a, b in pairs]
    # Of equals the first: events decide, so that a pair that never met is not the example.
    count = arrays.inputs[encoder.events_name][:, 0].astype(float)
    mask = arrays.masks.get(encoder.events_name)
    seen = np.where(mask[:, 0], count, 0.0) if mask is not None and mask.ndim > 1 else count
    most = int(np.argmax(np.where(seen.sum(1) >= np.median(seen.sum(1)), spread, -1.0)))
    return {
        "times": paths.times.tolist(),
        "places": paths.places.tolist(),
        "levels": paths.levels.tolist(),
        "names": list(paths.names),
        "pair": [int(one) for one in pairs[most]],
        "events": seen[most].tolist(),
    }
