"""Are the equations that a model has found the true ones? Terms and coefficients beside least squares and chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from pellucid.data.abilities import true_equations
from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable
from pellucid.heads.abilities import HasEquations
from pellucid.heads.base import Head
from pellucid.heads.equations.stlsq import stlsq
from pellucid.measures.equations import SupportScores, chance_scores, coefficient_error, support_scores
from pellucid.model import Model, batches
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows, told, told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import REPLICATES, Interval, weighted_mean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAME = "term-recovery"
BASELINE = "least squares, cut at the same level"

Floats = npt.NDArray[np.float64]


class TermRecoveryConfig(Config):
    """Settings of :class:`TermRecovery`.

    Parameters
    ----------
    replicates : int
        Resamplings of groups behind the interval of ``rate_error``.
    """

    replicates: int = Field(REPLICATES, ge=100)


class TermRecovery(Assessment):
    """Terms and coefficients of the equations that a head has found, against the true ones that the dataset knows.

    ``support_precision``, ``support_recall`` and ``support_f1`` ask which terms have a coefficient, all equations of the target together;
    a true term that the encoder never offers is one that was missed. ``coefficient_error`` is the length of the difference of
    coefficients over that of the true ones, mean over equations; chance is finding nothing, which has 1. ``rate_error`` is the root mean
    square difference of what found and true equations say of test samples, in root mean squares of the truth, mean over equations: no
    label enters it, so noise of labels does not.

    The baseline is dense least squares on the same training samples and terms, without coefficients below the level at
    which the head takes one for 0. Chance of the support is as many terms drawn at random.

    A fold has one set of equations, so figures of terms and coefficients are means over folds; low and high are the lowest and highest
    fold, which is no interval over episodes, and with one fold there is none. ``rate_error`` has a 95 % interval over groups.

    References
    ----------
    Brunton, Proctor and Kutz (2016), doi:10.1073/pnas.1517384113; the coefficient error is that of Mojgani et al. (2022), Chaos 32, 061105.
    """

    name: ClassVar[str] = NAME
    needs_training = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "support_precision": MetricWords("Found terms that are true", "share; 1 is best"),
        "support_recall": MetricWords("True terms that were found", "share; 1 is best"),
        "support_f1": MetricWords("Terms, F1", "both of these in one; 1 is best"),
        "coefficient_error": MetricWords("Error of coefficients", "as a share of the true ones; lower is better"),
        "rate_error": MetricWords(
            "Error of the right-hand side", "on test samples, as a share of the truth; lower is better"
        ),
    }
    section = Section(
        "equations",
        "Whether the equations are the true ones",
        "Equations that fit may still be wrong ones. Of these data the true ones are known.",
        order=12,
    )
    config_type = TermRecoveryConfig
    config: TermRecoveryConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.equations import equation_fold

        return equation_fold()

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """The dataset must know its equations, and some head must have some."""
        if not true_equations(dataset, context.target):
            return f"dataset {dataset.spec.name!r} knows no true equations of {context.target!r} to compare with"
        if not any(isinstance(head, HasEquations) for head in heads.values()):
            return "none of its heads has equations (sindy-ensemble and relevance-vector do)"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample, and the equations once.

        Returns
        -------
        DataFrame
            ``square:<output>`` and ``baseline square:<output>``: squared error of the right-hand side over the mean square of the truth;
            NaN where a true term was not offered.

        Raises
        ------
        NotMeasurable
            If the dataset knows no equations of this target, or no model has any.
        """
        if not (truth := true_equations(fold.dataset, fold.target)):
            raise NotMeasurable(
                f"dataset {fold.dataset.spec.name!r} knows no true equations of {fold.target!r}", "use generated data"
            )
        tables = []
        for part, model in fold.predictors.items():
            if isinstance(model.head, HasEquations):
                tables.append(_examined(fold, part, model, model.head, truth))
        if not tables:
            raise NotMeasurable("no model here has equations", "add the head sindy-ensemble or relevance-vector")
        return joined(tables)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Terms, coefficients, right-hand sides."""
        return [one for found in self._by_part(rows, context) for one in found.results()]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """A card of each model's equations in the first fold."""
        from pellucid.protocols.dynamics.equation_card import drawn

        cards = {}
        for found in self._by_part(rows, context):
            first = found.folds_told[0]
            caption = (
                f"Equations of “{found.part}” in the first fold: coefficients with their 5 to 95 % range (dots), the true ones (rings); "
                f"numbers beside them say how sure the term is, bars what it adds in one test sample. {'; '.join(first['text'])}"
            )
            cards[caption] = drawn(first)
        return cards

    def _by_part(self, rows: pd.DataFrame, context: Context) -> Iterator[_Recovered]:
        for part, own in context.own_rows(rows):
            yield _Recovered(own.reset_index(drop=True), part, context, self.config.replicates)


@torch.no_grad()
def _examined(
    fold: FittedFold, part: str, model: Model, head: Any, truth: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    test, offered = fold.test(part), head.term_names
    lacking = [term for terms in truth.values() for term in terms if term not in offered]
    names = (*offered, *dict.fromkeys(lacking))
    true = np.array([[truth.get(output, {}).get(term, 0.0) for term in names] for output in head.outputs])
    wide = [(0, 0), (0, len(names) - len(offered))]
    found, inclusion, low, high = (
        np.pad(one.detach().cpu().double().numpy(), wide)
        for one in (head.coefficients, head.inclusion, head.low, head.high)
    )
    dense = stlsq(_terms(model, fold.train), fold.train.target_values(fold.target), threshold=0.0).T
    base = np.pad(np.where(np.abs(dense) >= head.level.detach().cpu().double().numpy(), dense, 0.0), wide)
    columns = {}
    terms = _terms(model, test)
    for at, output in enumerate(head.outputs):
        says = terms @ true[at, : len(offered)]
        mean = np.square(says).mean()
        for name, other in (("square", found), ("baseline square", base)):
            error = (
                np.square(terms @ other[at, : len(offered)] - says) / mean if mean > 0 else np.full(len(terms), np.nan)
            )
            columns[f"{name}:{output}"] = np.full(len(terms), np.nan) if lacking else error
    facts = {
        "terms": list(names),
        "offered": len(offered),
        "outputs": list(head.outputs),
        "text": list(head.equations().values()),
        "true": true,
        "found": found,
        "base": base,
        "inclusion": inclusion,
        "low": low,
        "high": high,
        "sample": str(test.frame.index[0]),
        # A true term that was not offered was not worked out.
        "values": np.pad(terms[0], wide[1], constant_values=np.nan),
    }
    return told_once(rows_of(part, test, columns), {"equations": facts})


def _terms(model: Model, samples: Dataset) -> Floats:
    """What the head reads of some samples, float64, shape (sample, term)."""
    return np.concatenate([model.encode(batch).values.cpu().double().numpy() for batch, _ in batches(samples)])


@dataclass(frozen=True)
class _Recovered(AuditedRows):
    protocol: ClassVar[str] = NAME

    @cached_property
    def folds_told(self) -> list[dict[str, Any]]:
        """The equations of each fold, with arrays."""
        arrays = ("true", "found", "base", "inclusion", "low", "high", "values")
        return [
            {name: np.array(value, np.float64) if name in arrays else value for name, value in one.items()}
            for one in told(self.rows, "equations")
        ]

    def results(self) -> Iterator[Result | NotMeasured]:
        """All of one part."""
        of = {
            "found": [support_scores(one["found"], one["true"]) for one in self.folds_told],
            "base": [support_scores(one["base"], one["true"]) for one in self.folds_told],
            "chance": [chance_scores(one["found"], one["true"], one["offered"]) for one in self.folds_told],
        }
        first = self.folds_told[0]
        terms, kept = len(first["terms"]), int(np.count_nonzero(first["found"]))
        told_of = f"In the first fold “{self.part}” keeps {kept} of {terms * len(first['outputs'])} coefficients, "
        true = f"and {np.count_nonzero(first['true'])} are in the true equations. "
        for measure in ("precision", "recall", "f1"):
            values = {name: _mean(scores, measure) for name, scores in of.items()}
            yield self._of_folds(
                f"support_{measure}",
                [getattr(one, measure) for one in of["found"]],
                chance=values["chance"],
                baseline=values["base"],
                higher=True,
                sentence=told_of + true + self._range,
            )
        errors, base = (
            [coefficient_error(one[name], one["true"]) for one in self.folds_told] for name in ("found", "base")
        )
        yield self._of_folds(
            "coefficient_error", errors, chance=1.0, baseline=float(np.mean(base)), higher=False, sentence=self._range
        )
        yield self._rate_error()

    @property
    def _range(self) -> str:
        count = len(self.folds_told)
        return (
            f"Low and high are the lowest and highest of {count} folds."
            if count > 1
            else "One fold: there is no interval."
        )

    def _of_folds(
        self, metric: str, values: list[float], *, chance: float, baseline: float, higher: bool, sentence: str
    ) -> Result:
        several = len(values) > 1
        found = Interval(
            float(np.mean(values)), min(values) if several else float("nan"), max(values) if several else float("nan")
        )
        return self.result(
            metric, found, higher=higher, chance=chance, baseline=baseline, baseline_name=BASELINE, sentence=sentence
        )

    def _rate_error(self) -> Result | NotMeasured:
        outputs = self.folds_told[0]["outputs"]
        squares, base = (
            np.stack([self.column(f"{name}:{output}") for output in outputs]) for name in ("square", "baseline square")
        )
        if (known := np.isfinite(squares).all(1)).sum() == 0:
            return NotMeasured(
                protocol=NAME, part=self.part, metric="rate_error",
                because="a true term is none of the units that the head reads, so the true equations cannot be worked out from these",
                helps="raise the degree of the library",
            )  # fmt: skip

        def statistic(values: Floats) -> Any:
            return lambda weights: np.mean([np.sqrt(weighted_mean(one, weights)) for one in values[known]], axis=0)

        return self.result(
            "rate_error", self.interval(statistic(squares)), higher=False, chance=1.0, baseline=self.value(statistic(base)),
            baseline_name=BASELINE,
        )  # fmt: skip


def _mean(scores: list[SupportScores], measure: str) -> float:
    return float(np.mean([getattr(one, measure) for one in scores]))
