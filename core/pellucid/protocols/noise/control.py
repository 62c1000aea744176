"""Does a study find something where there is nothing? The same models, learnt and judged on a noise copy of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.fit_again import fit_again
from pellucid.protocols.noise.conclusions import NAME, conclusions, drawn
from pellucid.protocols.noise.copy import KINDS, Marginals, NoiseCopy
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES
from pellucid.training.fit import Sides
from pellucid.training.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class NoiseControlConfig(Config):
    """Settings of :class:`NoiseControl`.

    Parameters
    ----------
    folds : int
        So many folds alone, the first ones: each fits every model once more.
    epochs : int, optional
        At most so many; as many as the study itself by default.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    folds: int = Field(3, ge=1)
    epochs: int | None = Field(None, ge=1)
    replicates: int = Field(REPLICATES, ge=100)


class NoiseControl(Assessment):
    """A control: each model again, learnt and judged on noise in place of the data, must be no better than chance.

    Split, labels, subjects, names and order of samples, masks and absent covariates stay as they are, and the same call path
    is run; values are white normal noise with the mean, the deviation and the range that each channel has among the training
    samples, the same for all. Equal samples stay equal. Noise of the same spectrum (random phases), or with each sample's own mean and
    deviation, would be no control: power, size and spectrum are what many classes differ by.

    - ``auroc_on_noise`` (of numbers ``spearman_on_noise``): passed if chance lies in its interval, which is of 95 % for all models
      of the study together. Its baseline is the study's own model on the data themselves, the same test samples.

    Not passed means that the label comes through another way than what was measured: the same measurement or person on both
    sides of the split, masks or gaps that go by the label, names or an order that somebody reads; or that this is one of the
    studies in which one fails by chance alone: one in fifteen from 16 subjects on, one in eight of eight. Passed does not mean that
    there is no leak: values that carry more than they should (an amplifier, a hospital) are noise here like all others.

    It fits models: a study takes about twice as long with all of its folds.
    """

    name: ClassVar[str] = NAME
    needs_training: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "auroc on noise": MetricWords(
            "AUROC on a noise copy of the data",
            "a control: only chance is right here",
        ),
        "spearman on noise": MetricWords(
            "Rank correlation on a noise copy of the data",
            "a control: only chance is right here",
        ),
    }
    section = Section(
        "control",
        "A control: noise in place of the data",
        "The same models were fitted once more and judged, with the same people, labels, masks and gaps, on noise in which nothing can "
        "be found. Chance is the only right answer here. A model that does better has seen the label some other way, and its score on "
        "the data says nothing.",
        order=10,
        measures="Measures on noise",
    )
    config_type = NoiseControlConfig
    config: NoiseControlConfig

    def unfit(self, context: Context) -> str:
        """Inputs that noise can stand for."""
        strange = {name: one.kind for name, one in context.spec.inputs.items() if one.kind not in KINDS}
        if strange:
            told = ", ".join(f"{name!r} ({kind})" for name, kind in strange.items())
            return f"noise can stand for inputs of kind {', '.join(KINDS)}, not for {told}"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample; none of later folds than are asked for.

        Returns
        -------
        DataFrame
            ``label:...`` and ``noise:...``, ``data:...``: what is true, what the model fitted on noise says of noise, and what
            the study's own model says of the data, by output.
        """
        import pandas as pd

        if fold.split.fold >= self.config.folds:
            return joined(())
        sides = (fold.train, fold.validation)
        marginals, seed = Marginals.of(sides[0]), f"{fold.seed}/noise control/fold {fold.split.fold}"
        train, validation = (NoiseCopy(side, marginals, seed) for side in sides)
        tables = []
        for part, model in fold.predictors.items():
            test = fold.test(part)
            learnt = fit_again(model, part, Sides(train, validation, fold.target), self._training(fold), seed=seed)
            learnt.learned_from.refuse(test.learned_from, part=f"{part!r} fitted on noise")
            said = {"noise": _said(learnt, NoiseCopy(test, marginals, seed)), "data": _said(model, test)}
            labels = fold.dataset.spec.target(fold.target).columns("label")
            columns = dict(zip(labels, test.target_values(fold.target).T, strict=True))
            for what, outputs in said.items():
                columns |= {f"{what}:{at}": outputs[:, at] for at in range(outputs.shape[1])}
            tables.append(rows_of(part, test, columns))
        return pd.concat(tables, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """One result a part."""
        return [
            result
            for part, own in context.own_rows(rows)
            for result in conclusions(own, part, context, self.config.replicates, len(context.predictors))
        ]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """What each part reaches on noise, beside chance and what it reaches on the data."""
        return drawn(self.conclude(rows, context), context.several)

    def _training(self, fold: FittedFold) -> dict[str, TrainingSettings]:
        most = self.config.epochs
        return {
            name: one if most is None else one.model_copy(update={"epochs": min(most, one.epochs)})
            for name, one in fold.training.items()
        }


def _said(model: Model, samples: Dataset) -> np.ndarray:
    return model.chances(samples).astype(np.float64)
