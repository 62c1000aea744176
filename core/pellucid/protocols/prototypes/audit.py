"""The prototype audit: are prototypes real training samples of their class, steady, and do they point at what matters?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from pellucid.heads.prototypes.comparing import Comparing
from pellucid.part import Config
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.prototypes.conclusions import PrototypeConclusions
from pellucid.protocols.prototypes.places import channel_means
from pellucid.protocols.prototypes.rows import PrototypeMeasures
from pellucid.protocols.prototypes.sources import check_sources
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd


class PrototypeAuditConfig(Config):
    """Settings of :class:`PrototypeAudit`.

    Parameters
    ----------
    neighbours : int
        New samples most like each prototype, of which it is asked whether they are of its class.
    noise : float
        Noise on the inputs, as a share of their standard deviation.
    channel_samples : int
        Samples of each output whose channels are covered one by one, at most.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    neighbours: int = Field(10, ge=1)
    noise: float = Field(0.2, gt=0)
    channel_samples: int = Field(200, ge=1)
    replicates: int = Field(REPLICATES, ge=100)


class PrototypeAudit(Assessment):
    """Checks of models that compare samples with prototypes, on subjects that they have not learnt from.

    - Sources: each prototype's training sample is read and encoded anew; cosine and distance of the prototype and the window it should be;
      whether the sample stands on the training side and is of the prototype's class; how many sources differ.
    - Purity: of the new samples most like a prototype, how many are of its class, beside the prevalence.
    - Prototypes per decision: the effective number of contributions to each sample's surest output.
    - Stability: how often prototypes of a sample's own classes point at the same place with noise on the input.
    - Where the data know what was planted (:meth:`~pellucid.data.dataset.Dataset.planted`): consistency, the share of
      prototypes that point at it in most samples that have it; localisation, whether the strongest prototype of the output
      does, where the model is right to say it; and whether, of the window's channels, the one whose replacement by its
      training mean lowers the likeness most is one that something was planted in. Beside them windows and channels drawn at
      random. Prototypes of whole samples have one place only and are left out.

    References
    ----------
    Consistency and stability as ScaleProtoSeg (arXiv 2409.09497), after Huang et al. (2023), Evaluation and improvement of
    interpretability for self-explainable part-prototype networks, arXiv 2212.05946. Deviations: a prototype's place is its
    best window and not all that lies above a quantile; planted regions stand for parts.
    """

    name: ClassVar[str] = "prototype-audit"
    needs_training: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "source cosine": MetricWords(
            "Prototypes are the samples they are shown as",
            "cosine of the worst prototype with its training sample, read and encoded anew; 1 is the same",
        ),
        "source in training": MetricWords(
            "Prototypes come from training subjects",
            "share of them; 1 is all",
        ),
        "source of class": MetricWords(
            "Prototypes come from samples of their class",
            "share of them; 1 is all",
        ),
        "projected": MetricWords(
            "Prototypes that are a training sample",
            "share of them; the others weigh nothing",
        ),
        "unique sources": MetricWords(
            "Prototypes that differ from each other",
            "share that are different places of training samples",
        ),
        "purity": MetricWords(
            "Purity",
            "share of what lies closest together that is of one class",
        ),
        "prototypes per decision": MetricWords(
            "Prototypes that a decision rests on",
            "effective number: how many prototypes of equal weight would do the same; fewer are read more easily",
        ),
        "stability": MetricWords(
            "Stays in place under noise",
            "share of cases in which what is pointed at stays where it is",
        ),
        "consistency": MetricWords(
            "Prototypes that always point at the same thing",
            "share of prototypes that point at what was planted in nearly all samples that have it",
        ),
        "localisation": MetricWords(
            "Points at the planted place",
            "share of samples where the model is right; higher is better",
        ),
        "channel": MetricWords(
            "Points at the planted channel",
            "share of samples where the model is right; higher is better",
        ),
        "localisation and channel": MetricWords(
            "Points at the planted place and channel",
            "share of samples where the model is right; higher is better",
        ),
    }
    section = Section(
        "prototypes",
        "Whether prototypes are what they are shown as",
        "A model that goes by prototypes says of a part of a case that it looks like a part of a training sample. That can be read only "
        "if the prototype is that sample still, if what is near it is of its class, and if it points at the same place when little has "
        "changed.",
        order=30,
        measures="Measures of the prototypes",
    )
    config_type = PrototypeAuditConfig
    config: PrototypeAuditConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import prototype_fold

        return prototype_fold()

    def unfit(self, context: Context) -> str:
        """A head must remember training samples."""
        if not any(tags.remembers and tags.family == "prototype" for tags in context.predictors.values()):
            return "no head of this study compares samples with prototypes; add prototypes"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part with prototypes and test sample; what prototypes are is told once a fold."""

        rows = []
        means = channel_means(fold.train)
        for part, model in fold.predictors.items():
            if not isinstance(model.head, Comparing):
                continue
            samples = fold.test(part)
            measures = PrototypeMeasures(
                model=model,
                test=samples,
                target=fold.target,
                neighbours=self.config.neighbours,
                noise=self.config.noise,
                scales=fold.usual.scales,
                means=means,
                channel_samples=self.config.channel_samples,
                seed=fold.seed,
            )
            checked = check_sources(model, fold.dataset, fold.target, np.asarray(fold.split.train), fold.seed)
            columns, facts = measures.measured()
            rows.append(told_once(rows_of(part, samples, columns), checked.facts() | facts))
        return joined(rows)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Every check of every part with prototypes."""
        results: list[Result] = []
        for part, own in context.own_rows(rows):
            results += PrototypeConclusions(own, part, context, self.config.replicates).results()
        return results
