"""Does a model learn from who lacks an input? Missingness that goes by the label, in training and turned round in the test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.spec import COVARIATES
from pellucid.errors import nearest
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.fit_again import fit_again
from pellucid.protocols.missingness.conclusions import conclusions
from pellucid.protocols.missingness.figure import drawn
from pellucid.protocols.missingness.imposed import WithMissing, chosen
from pellucid.protocols.said import MetricWords
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES
from pellucid.training.fit import Sides

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PATTERNS = ("none", "same", "flipped")
"""Who lacks the input among the test samples: nobody more than before, as in training, or the other way round."""


class MissingnessConfig(Config):
    """Settings of :class:`Missingness`.

    Parameters
    ----------
    input : str
        Which input is made to be missing; by default the last that a model reads.
    output : str
        Of which output the label decides; the first by default.
    rate, other_rate : float
        Share of the samples for which the output is true, and of the others, that lack the input in training.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    input: str = ""
    output: str = ""
    rate: float = Field(0.8, ge=0, lt=1)
    other_rate: float = Field(0.0, ge=0, lt=1)
    replicates: int = Field(REPLICATES, ge=100)


class Missingness(Assessment):
    """Measures whether a model that reads several inputs takes the absence of one for a sign of the label.

    Each such model is fitted once more on the training subjects of the fold, with the same settings, of whom some now lack
    one input: 80 % of those for whom an output is true and nobody else, unless told otherwise (missing not at random,
    MNAR). It is scored on the test subjects with nothing made missing, with the input missing by the same rule, and by
    the rule turned round:

    - ``auroc_nothing_missing``, ``auroc_same_missing``, ``auroc_flipped_missing``: AUROC of the output, within folds. Their
      baseline is the oracle: the study's own model, which has learnt from the data as they are, scored on them.
    - ``mnar_gap``: same less flipped; 0 for a model that does not care who lacks what. Its baseline is the gap of the
      study's own model on the same test samples. Passed means that no gap above
      :data:`~pellucid.protocols.missingness.conclusions.GAP` is sure.

    A model with a high AUROC under the same rule and a low one under the other has learnt the habits of whoever took the
    measurements. It fits models: a study takes about twice as long with it.

    References
    ----------
    The question is that of Swamy et al. (2023), MultiModN, arXiv 2309.14118. Deviations: it is asked of any model; samples
    are drawn by the seed and their names.
    """

    name: ClassVar[str] = "missingness"
    needs_training: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "auroc nothing missing": MetricWords(
            "AUROC with nothing made missing",
            "after learning where an input was missing by a rule",
        ),
        "auroc same missing": MetricWords(
            "AUROC, missing by the same rule",
            "as in training",
        ),
        "auroc flipped missing": MetricWords(
            "AUROC, missing by the rule turned round",
            "those who lacked the input now have it",
        ),
        "mnar gap": MetricWords(
            "Fall of AUROC when the rule turns round",
            "a model that goes by who lacks an input falls; 0 is best",
        ),
    }
    config_type = MissingnessConfig
    config: MissingnessConfig

    def unfit(self, context: Context) -> str:
        """Several inputs, and an output that is true or not."""
        spec, target = context.spec, context.spec.target(context.target)
        known = [*spec.inputs, *([COVARIATES] if spec.covariates else [])]
        outputs = target.outputs
        if reason := reads_one(context):
            return reason
        if target.kind in ("regression", "links"):
            return f"it asks whether an output is true, and target {context.target!r} is of kind {target.kind}"
        if self.config.input and self.config.input not in known:
            return f"dataset {spec.name!r} has no input {self.config.input!r}{nearest(self.config.input, known)}"
        if self.config.output and self.config.output not in outputs:
            return (
                f"target {context.target!r} has no output {self.config.output!r}{nearest(self.config.output, outputs)}"
            )
        if self.config.rate == self.config.other_rate:
            return f"rate and other_rate are both {self.config.rate:g}, so that missing would not depend on the label"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part that reads several inputs, and test sample.

        Returns
        -------
        DataFrame
            ``input``, ``output``, ``label``; ``none``, ``same``, ``flipped``: the probability that the model fitted with
            missingness gives; ``oracle none`` ...: that of the study's own model; ``lacks same``, ``lacks flipped``.
        """

        tables = []
        for part, model in fold.predictors.items():
            if (name := self._input(model)) is None:
                continue
            test = fold.test(part)
            at = model.head.output_index(self.config.output or model.head.outputs[0])
            train, validation = (
                WithMissing(side, name, self._lack(side, fold, at, flipped=False))
                for side in (fold.train, fold.validation)
            )
            learnt = fit_again(
                model, part, Sides(train, validation, fold.target), fold.training, seed=f"{fold.seed}/missingness"
            )
            learnt.learned_from.refuse(test.learned_from, part=f"{part!r} fitted with missingness")
            columns: dict[str, np.ndarray] = {"label": _true(test, fold.target, at)}
            for pattern in PATTERNS:
                samples: Dataset = test
                if pattern != "none":
                    lack = self._lack(test, fold, at, flipped=pattern == "flipped")
                    samples, columns[f"lacks {pattern}"] = WithMissing(test, name, lack), lack
                columns[pattern] = _probability(learnt, samples, at)
                columns[f"oracle {pattern}"] = _probability(model, samples, at)
            tables.append(rows_of(part, test, columns).assign(input=name, output=model.head.outputs[at]))
        return joined(tables)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """AUROC under the three patterns, and the gap, of every part that reads several inputs."""
        rates = (self.config.rate, self.config.other_rate)
        return [
            result
            for part, own in context.own_rows(rows)
            for result in conclusions(own, part, context, self.config.replicates, rates)
        ]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """AUROC of every part under the three patterns, beside its oracle."""
        return drawn(rows, self.conclude(rows, context), context.bars)

    def _input(self, model: Model) -> str | None:
        read = list(inputs_of(model))
        if len(read) < 2 or (self.config.input and self.config.input not in read):
            return None
        return self.config.input or read[-1]

    def _lack(self, samples: Dataset, fold: FittedFold, at: int, *, flipped: bool) -> np.ndarray:
        """Who lacks the input: one draw a sample for all models of a study, so that they are compared on the same data."""
        rates = (self.config.rate, self.config.other_rate)
        yes, no = rates[::-1] if flipped else rates
        wanted = np.where(_true(samples, fold.target, at) > 0, yes, no)
        return chosen(samples, wanted, f"{fold.seed}/missingness")


def inputs_of(model: Model) -> Iterator[str]:
    """The inputs that a model reads, each once, in its order."""
    yield from dict.fromkeys(name for _, encoder in model.named_encoders() for name in encoder.config.inputs)


def reads_one(context: Context) -> str:
    """Why nothing can be asked of inputs that are missing in a study, or an empty string."""
    if len(context.spec.inputs) + bool(context.spec.covariates) < 2:
        return f"dataset {context.spec.name!r} has one input only; without it nothing is left to read"
    if context.encoders and len(context.encoders) == 1 and not next(iter(context.encoders.values())).several_inputs:
        return "the study's encoder reads one input only; without it nothing is left to read"
    return ""


def _true(samples: Dataset, target: str, at: int) -> np.ndarray:
    """Whether an output is true of each sample, 0 or 1."""
    steps = samples.spec.target(target).steps(samples.target_values(target))
    return np.asarray(steps, np.float64)[:, at]


def _probability(model: Model, samples: Dataset, at: int) -> np.ndarray:
    return np.asarray(model.chances(samples)[:, at], np.float64)
