"""Whether explanations are true: complete, in the right order, learnt, steady; and for concepts, honest and of use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.explanations.conclusions import Conclusions
from pellucid.protocols.explanations.rows import Measured
from pellucid.protocols.said import MetricWords
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class ExplanationAuditConfig(Config):
    """Settings of :class:`ExplanationAudit`.

    Parameters
    ----------
    random_orders : int
        Orders drawn at random that deletion and insertion are compared with.
    randomised_models : int
        Copies of each head whose parameters are drawn anew.
    noise : float
        Noise on the inputs, as a share of their standard deviation.
    noise_draws : int
        Noisy versions of each sample.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    random_orders: int = Field(5, ge=1)
    randomised_models: int = Field(10, ge=1)
    noise: float = Field(0.05, gt=0)
    noise_draws: int = Field(3, ge=1)
    replicates: int = Field(REPLICATES, ge=100)


class ExplanationAudit(Assessment):
    """Checks of each model's explanations on subjects that it has not learnt from.

    - Completeness: baseline and contributions add up to what the model said, not to what the explanation says it said.
    - Deletion and insertion: units are taken away (set to their training mean), or put back, in the order of what they
      add to the side that the model took. An explanation passes if that order does more than random orders, and more
      than the better of two trivial ones: how unusual a value is, without a side and with the side that the value
      usually speaks for (its correlation with the output among training samples).
    - Randomisation: a head whose parameters are drawn anew must be explained otherwise: rank correlations, without their
      sign, stay below a half. An explanation that copies its input is found out here.
    - Stability: noise on the inputs may move an explanation at most three times as far as it moves the output.
    - For heads that go by concepts: how well ratings are predicted, whether they carry what they do not say (leakage),
      and whether correcting them helps (intervention).

    References
    ----------
    Definitions as collected in the survey of self-interpretable networks, arXiv 2501.15638; sources of each stand in
    :mod:`pellucid.faithfulness`. Deviations: probabilities are those of the side that the model took, so that every
    sample speaks; areas are compared with those of random orders of the same sample and not reported alone.
    """

    name: ClassVar[str] = "explanation-audit"
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "stability": MetricWords(
            "Stability", "how much further noise on the inputs moves the explanation than the output; lower is better"
        )
    }
    config_type = ExplanationAuditConfig
    config: ExplanationAuditConfig

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample; columns that do not apply to a part hold NaN."""
        import pandas as pd

        rows = []
        for part, model in fold.predictors.items():
            samples = fold.test(part)
            measured = Measured(
                model=model,
                test=samples,
                usual=fold.usual.parts.get(part),
                scales=fold.usual.scales,
                target=fold.target,
                orders=self.config.random_orders,
                copies=self.config.randomised_models,
                noise=self.config.noise,
                draws=self.config.noise_draws,
                seed=fold.seed,
            )
            rows.append(rows_of(part, samples, measured.columns()))
        return pd.concat(rows, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Every check of every part."""
        results = []
        for part, tags in context.predictors.items():
            own = rows[rows["part"] == part]
            results += Conclusions(own, part, context, self.config.replicates, tags).results()
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Deletion and insertion curves beside random order, and what correcting concepts gains."""
        from pellucid.protocols.explanations.figures import drawn

        return drawn(rows, context)
