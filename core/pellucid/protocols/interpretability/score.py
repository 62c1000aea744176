"""The inherent interpretability score of representations: what a task keeps if only few concepts of a library may speak."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from pellucid.data.splits import inner_split
from pellucid.measures.classifier_training import LEARNING_RATES, LabelledRows
from pellucid.measures.concept_libraries import cluster_concepts, prototype_concepts, unit_concepts
from pellucid.measures.interpretability_score import RATIOS, RetentionCurve, retention_curve
from pellucid.part import Config
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, Splitting, joined, rows_of
from pellucid.protocols.interpretability.retained import Retained, drawn
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

KINDS = ("binary", "multiclass", "ordinal")
"""Targets of which each sample has one class."""


class IisConfig(Config):
    """Settings of :class:`Iis`.

    Parameters
    ----------
    library : {"cluster", "prototype"}
        Centres of clusters of the training representations, or training representations by lot.
    concepts : int
        Concepts in the library; half as many as there are samples to learn from, where that is less.
    ratios : tuple of float
        Shares of concepts that are set to zero in each sample.
    learning_rates : tuple of float
    epochs, batch_size : int
        Of each classifier; the best epoch and rate are chosen on subjects of the training side that it does not learn from.
    choosing : float
        Share of the training side's subjects that choose.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    library: Literal["cluster", "prototype"] = "cluster"
    concepts: int = Field(200, ge=2)
    ratios: tuple[float, ...] = RATIOS
    learning_rates: tuple[float, ...] = Field(LEARNING_RATES, min_length=1)
    epochs: int = Field(30, ge=1)
    batch_size: int = Field(1024, ge=1)
    choosing: float = Field(0.2, gt=0, lt=1)
    replicates: int = Field(REPLICATES, ge=100)

    @field_validator("ratios")
    @classmethod
    def _an_area(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(ratios)) < max(2, len(ratios)) or not all(0 <= one < 1 for one in ratios):
            raise ValueError("an area needs two or more different shares, from 0 and below 1")
        return tuple(sorted(ratios))


class Iis(Assessment):
    """How much of what a linear classifier can do with a representation it can still do if few concepts may speak.

    For the representation of each model that predicts (once, where several heads read the same): units are standardised, a library of
    concepts is made of the training side, and for each share of concepts set to zero a linear classifier learns from the
    similarities that are left in each sample; another one learns from the units themselves. All learn from the same
    subjects of the training side; others of the training side choose learning rate and epoch. On the test side:

    - ``iis``: area under retention, the accuracy over that of the classifier on the units, over the shares, as published: at
      most the width of the grid (0.98), but where concepts help.
    - ``iis_norm``: the same over the width of the grid.
    - ``standard_accuracy``: what is retained. If it is trivial, not above twice the share of the most frequent class and not
      half-way from there to 1, how much of it is retained says little, and the sentence says so.

    Beside the scores stand those of a library of as many random directions; chance is always saying the most frequent
    class; where that is right more often than the classifier on the units, chance is more than retaining everything would give, and
    the sentence says so. A score depends on the library: those of different representations can be compared only as far as their libraries
    are made alike.

    References
    ----------
    Shen et al. (2025), ICLR, Enhancing pre-trained representation classifiability can boost its interpretability. Deviations:
    nothing is chosen on test samples; units are standardised; one concept stays at least; segments are whole samples.
    """

    name: ClassVar[str] = "iis"
    needs_training: ClassVar[bool] = True
    config_type = IisConfig
    config: IisConfig

    def unfit(self, context: Context) -> str:
        """A sample must have one class."""
        kind = context.spec.target(context.target).kind if context.target else "none"
        if kind not in KINDS:
            return f"it compares accuracies, so a sample must be of one class; target {context.target!r} is of kind {kind!r}"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a representation and test sample.

        Returns
        -------
        DataFrame
            ``standard``, ``kept:<share>``, ``random:<share>``: 1 where the classifier is right. Columns ``fold:...`` are the
            same for all rows of a part and fold: ``concepts``, ``usual`` (share of the most frequent training class among
            the test samples).
        """

        train = fold.train
        y = torch.tensor(train.target_values(fold.target)[:, 0]).long()
        sets, strata = Splitting.sets(train), Splitting.strata(train, fold.target)
        several = train.spec.group_word[1]
        learn, choose = inner_split(sets, strata, validation=self.config.choosing, seed=fold.seed, several=several)
        frames = []
        for part, here, test, there in self._representations(fold):
            truth = torch.tensor(test.target_values(fold.target)[:, 0]).long()
            mean, scale = here[learn].mean(0), here[learn].std(0, unbiased=False)
            scale = torch.where(scale > 1e-6 * mean.abs().clamp(min=1e-30), scale, torch.ones_like(scale))
            here, there = (here - mean) / scale, (there - mean) / scale
            sides = [LabelledRows(here[at], y[at]) for at in (learn, choose)]
            tested = LabelledRows(there, truth)
            library, random = self._libraries(here[learn], fold.seed)
            columns: dict[str, Any] = {}
            for name, concepts in (("kept", library), ("random", random)):
                curve = self._curve(sides, tested, concepts, fold.seed)
                for ratio, one in zip(curve.ratios, curve.chosen, strict=False):
                    columns[f"{name}:{ratio:g}"] = _right(one.model, tested)
                columns["standard"] = _right(curve.chosen[-1].model, tested)
            usual = int(torch.bincount(y[learn]).argmax())
            fixed = {"usual": float((truth == usual).double().mean()), "concepts": len(library)}
            frames.append(told_once(rows_of(part, test, columns), fixed))
        return joined(frames)

    @staticmethod
    def _representations(fold: FittedFold) -> Iterator[tuple[str, Tensor, Any, Tensor]]:
        """Part, training representations, test samples and their representations; what heads share counts once."""
        known: list[Tensor] = []
        train = fold.train
        for part, model in fold.predictors.items():
            test = fold.test(part)
            here = model.representation(train).values
            if any(here.shape == one.shape and torch.equal(here, one) for one in known):
                continue
            known.append(here)
            yield part, here, test, model.representation(test).values

    def _libraries(self, x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Concepts of training representations, shape (concept, unit), and as many random directions."""
        generator = torch.Generator().manual_seed(seed)
        rows = x[torch.randperm(len(x), generator=generator)]
        rows = rows[torch.linalg.vector_norm(rows, dim=1) > 0]
        # Few different samples make few different concepts.
        count = max(2, min(self.config.concepts, len(torch.unique(rows, dim=0)) // 2))
        library = (
            cluster_concepts(rows, count, seed=seed)
            if self.config.library == "cluster"
            else prototype_concepts(rows, count)
        )
        return library, unit_concepts(torch.randn(library.shape, generator=generator))

    def _curve(self, sides: list[LabelledRows], test: LabelledRows, concepts: Tensor, seed: int) -> RetentionCurve:
        with warnings.catch_warnings():
            # That there is little to retain is said with the result.
            warnings.simplefilter("ignore", UserWarning)
            return retention_curve(
                sides[0], sides[1], test, concepts, ratios=self.config.ratios, learning_rates=self.config.learning_rates,
                epochs=self.config.epochs, batch_size=self.config.batch_size, seed=seed,
            )  # fmt: skip

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Scores of each representation."""
        results: list[Result | NotMeasured] = []
        for part, own in context.own_rows(rows):
            results += Retained(own, part, context, self.config.replicates).results()
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Retention over the share of concepts set to zero, of each representation."""
        parts = [part for part in context.predictors if (rows["part"] == part).any()]
        if not parts:
            return {}
        curves = [Retained(rows[rows["part"] == part], part, context, self.config.replicates) for part in parts]
        return {
            f"What is left of the accuracy if few concepts may speak (bars: 95 % over {context.several})": drawn(curves)
        }


@torch.no_grad()
def _right(model: torch.nn.Module, rows: LabelledRows) -> np.ndarray:
    """1 where a classifier is right, else 0; shape (sample,)."""
    return (model(rows.x).argmax(1) == rows.y).double().numpy()
