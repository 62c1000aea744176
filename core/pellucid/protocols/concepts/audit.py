"""The concept audit: are predicted concepts what people said, does correcting them help, and do they say more than that?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pellucid.heads.abilities import ByConcepts
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.concepts.accuracy import accuracy, people
from pellucid.protocols.concepts.interventions import interventions
from pellucid.protocols.concepts.leakage import leakage
from pellucid.protocols.concepts.part import AuditedPart
from pellucid.protocols.concepts.rows import ConceptMeasures
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class ConceptAuditConfig(Config):
    """Settings of :class:`ConceptAudit`.

    Parameters
    ----------
    random_orders : int
        Random orders of correction that curves are averaged over, beside the learnt one. Where there are no more orders
        than that, each is taken once.
    probe_folds, probe_repeats : int
        Cross-validation of the probes that look for leakage among the test subjects of a fold.
    controls : int
        How often what predicted concepts hold beside the ratings is dealt anew, to see what chance would find.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    random_orders: int = Field(10, ge=1)
    probe_folds: int = Field(5, ge=2)
    probe_repeats: int = Field(4, ge=1)
    controls: int = Field(12, ge=1)
    replicates: int = Field(REPLICATES, ge=100)


class ConceptAudit(Assessment):
    """Measures models that go by concepts, on subjects that they have not learnt from.

    - Accuracy, of each concept and averaged: rank correlation with people's mean ratings, and the root mean squared distance
      from them in the ratings' units, beside that of the training mean and, where the data say how far people disagreed,
      of one of the people who rated. (Root mean squares, as people's standard deviation compares with no other mean.)
    - Intervention curve: AUROC (for numbers R2) after 0, 1 ... all predicted concepts were replaced by people's ratings,
      averaged over random orders, and in one learnt order
      (:class:`~pellucid.protocols.usual.UsualConcepts`); beside it the ceiling, a model that reads people's ratings alone.
      A rating that nobody gave keeps its prediction. Passed means that correcting everything does not make it worse.
    - Leakage: what predicted concepts tell of the target beyond what people's ratings tell, in bits and in AUROC
      (:func:`~pellucid.faithfulness.leakage.beyond_ratings`), as they are handed on and in whole steps. Of several outputs
      it is the mean, and of numbers it is asked whether they lie above the median. Passed means that no more than
      :data:`~pellucid.protocols.concepts.leakage.LEAK` bits are sure.

    Leakage says that a predicted concept knows more than the ratings do, not how it came to: people's ratings are noisy,
    and a prediction nearer to what all people would say knows more of a target that goes by that, too. A model whose
    concepts were trained without the target (sequentially) is the one to compare with.

    References
    ----------
    Koh et al. (2020), Concept bottleneck models, arXiv 2007.04612, for interventions; Shin et al. (2023), A closer look at
    the intervention procedure of concept bottleneck models, arXiv 2302.14260, for orders. Deviations: one learnt order for
    all samples and not one for each, people's mean ratings as they are; AUROC within folds.
    """

    name: ClassVar[str] = "concept-audit"
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "concept rank correlation": MetricWords(
            "Rank correlation with people's rating",
            "how well the order by a predicted concept follows that by people's mean rating; without a name, the mean over concepts",
        ),
        "concept rmse": MetricWords(
            "Distance from people's rating",
            "root mean square, in the rating's unit; without a name, the mean over concepts; lower is better",
        ),
        "intervention gain": MetricWords(
            "Gain from correcting all concepts",
            "how AUROC (for numbers R²) changes when people's ratings replace the predicted ones; higher is better",
        ),
        "intervention area": MetricWords(
            "Gain from correcting some concepts",
            "the same, averaged over 1, 2 ... all in random order",
        ),
        "intervention area learnt order": MetricWords(
            "Gain from correcting some concepts, most useful first",
            "the same in the order that helped most among training samples",
        ),
        "ratings alone": MetricWords(
            "People's ratings alone",
            "AUROC (for numbers R²) of a model that reads nothing else",
        ),
        "leakage bits": MetricWords(
            "Leakage in bits",
            "what predicted concepts tell of the answer beyond people's ratings and beyond chance; 0 is none",
        ),
        "leakage bits whole steps": MetricWords(
            "Leakage of whole steps in bits",
            "the same of predicted concepts without their decimals",
        ),
        "leakage auroc": MetricWords(
            "Leakage in AUROC",
            "the same, as a gain in AUROC over ratings alone",
        ),
        "leakage auroc whole steps": MetricWords(
            "Leakage of whole steps in AUROC",
            "the same without decimals",
        ),
    }
    section = Section(
        "concepts",
        "Whether concepts are what they are called",
        "A model that goes by concepts first says how people would rate a case and then decides from these ratings alone. It can be "
        "corrected only if its ratings mean what people's mean, and if nothing else travels in them.",
        order=20,
        measures="Measures of the concepts",
    )
    config_type = ConceptAuditConfig
    config: ConceptAuditConfig

    def unfit(self, context: Context) -> str:
        """A head must go by concepts."""
        if context.spec.concepts is None:
            return f"dataset {context.spec.name!r} has no concepts that people rated beside target {context.target!r}"
        if not any(tags.needs_concepts for tags in context.predictors.values()):
            return "no head of this study goes by concepts; add concept-bottleneck"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part that goes by concepts and test sample; see :class:`ConceptMeasures` for the columns."""

        rows = []
        for part, model in fold.predictors.items():
            if not isinstance(model.head, ByConcepts):
                continue
            samples = fold.test(part)
            measures = ConceptMeasures(
                model=model,
                test=samples,
                usual=fold.usual.concepts[part],
                target=fold.target,
                random_orders=self.config.random_orders,
                folds=self.config.probe_folds,
                repeats=self.config.probe_repeats,
                controls=self.config.controls,
                seed=fold.seed,
            )
            rows.append(rows_of(part, samples, measures.columns()))
        return joined(rows)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Accuracy, interventions and leakage of every part that goes by concepts, and how far people disagree."""
        results: list[Result] = []
        for part, own in context.own_rows(rows):
            audited = AuditedPart(own, part, context, self.config.replicates)
            # People stand once beside all models: they rated the same samples.
            results += [] if results else people(audited)
            results += [*accuracy(audited), *interventions(audited), *leakage(audited)]
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Intervention curves beside the ceiling, and errors of concepts beside people's disagreement."""
        from pellucid.protocols.concepts.figures import drawn

        return drawn(rows, context)
