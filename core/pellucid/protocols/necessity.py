"""Is what a model is shown necessary to what it says? Scores with inputs as they are, of another sample, and of zeros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable
from pellucid.heads.abilities import AnswersWithout, ByText
from pellucid.heads.base import Head, Predictor, probabilities
from pellucid.model import Model, batches
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.dealing import others
from pellucid.representation import Representation, concatenated
from pellucid.result import Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import Statistic, interval, subject_weights, weighted_mean
from pellucid.text.quantities import quantity

if TYPE_CHECKING:
    import pandas as pd

TRUE, SHUFFLED, ZERO, ALONE = "true", "shuffled", "zero", "text only"

ENDS = {TRUE: "", SHUFFLED: "_shuffled", ZERO: "_zero", ALONE: "_text_only"}
"""What a metric's name says of the condition."""

KINDS = ("regression", "binary", "multiclass")

FEWEST = 8
"""Test samples below which a shuffled score says nothing."""


class InputNecessityConfig(Config):
    """Settings of :class:`InputNecessity`.

    Parameters
    ----------
    unit : str
        In which unit answers in words are compared (``"angstrom"``): needed where a head writes.
    """

    unit: str = ""


class InputNecessity(Assessment):
    """The error of each model with what encoders say of the sample, of another sample, and with zeros in its place.

    For numbers the error is the absolute difference, of several the mean, each divided by its standard deviation on the training side;
    for classes it is 1 where the wrong one is called. A head that writes is judged by the
    first number with a unit in its answer: an answer without one is a miss, left out of the mean, and ``coverage`` says how many are
    left. It is also asked its question alone. ``necessity_gap`` is the error with another sample's less that with its own: what is
    owed to the sample. A gap of 0 says that a model answers from what is common to all samples, whatever its score.

    Each sample gets another test sample's by lot, never its own. Chance is always saying the training side's median, which of all
    constants has the least absolute error there, or its commonest class; it is the baseline too.

    References
    ----------
    What the paper of L2M3OF, arXiv 2510.20976, leaves open: its variant without structures is better at some tasks.
    """

    name: ClassVar[str] = "input-necessity"
    about = "any"
    needs_training: ClassVar[bool] = True
    config_type = InputNecessityConfig
    config: InputNecessityConfig

    def unfit(self, context: Context) -> str:
        """Some model must predict a number or a class, or write."""
        writes = any(tags.learns == "texts" for tags in context.parts.values())
        if context.predictors and context.spec.target(context.target).kind in KINDS:
            return ""
        if not writes:
            return f"none of its heads predicts a target of kind {', '.join(KINDS)}, or writes"
        if not self.config.unit:
            return 'a head writes: say in which unit numbers are compared, with the option unit (unit = "angstrom")'
        try:
            quantity("", self.config.unit)
        except KeyError:
            return f"nothing is known of the unit {self.config.unit!r}"
        return ""

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """Where words are asked for, texts must hold numbers in that unit."""
        for part, head in heads.items():
            if not isinstance(head, ByText) or not head.writes or not self.config.unit:
                continue
            if np.isnan(_numbers([some[0] for some in dataset.text_values(head.text_name)], self.config.unit)).all():
                return f"no {head.text_name} holds a number that can be turned into {self.config.unit}, as {part!r} would write"
        return ""

    @torch.no_grad()
    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, test sample and condition.

        Returns
        -------
        DataFrame
            ``condition``, ``error`` (NaN for a miss) and ``constant``, the error of the training side's median or commonest class.
        """
        import pandas as pd

        frames = []
        for part, model in fold.models.items():
            asked = _Asked.of(fold, part, model, self.config.unit)
            if asked is None:
                continue
            if len(asked.samples) < FEWEST:
                raise NotMeasurable(
                    f"the test side has {len(asked.samples)} samples, and {FEWEST} are needed to deal out others'",
                    "add samples",
                )
            frames += [
                rows_of(part, asked.samples, {"error": error, "constant": asked.constant}).assign(condition=condition)
                for condition, error in asked.errors(seed_of(fold.seed, "inputs dealt anew", fold.split.fold)).items()
            ]
        if not frames:
            raise NotMeasurable("no model here predicts a number or a class, or writes", "choose another head")
        return pd.concat(frames, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Errors by condition, coverage, and the gap."""
        results = []
        for part, mine in rows.groupby("part", sort=False):
            by = {
                str(condition): some.reset_index(drop=True) for condition, some in mine.groupby("condition", sort=False)
            }
            first = by[TRUE]
            weights = subject_weights(first["subject"].to_numpy(str), first["fold"].to_numpy(), seed=context.seed)
            constant = float(first["constant"].mean())
            shared: dict[str, Any] = {"protocol": self.name, "part": str(part), "baseline_name": "always the same", "n_samples": len(first),
                      "n_subjects": int(first["subject"].nunique())}  # fmt: skip
            values = {}
            for condition, some in by.items():
                error = some["error"].to_numpy(float)
                found = interval(_mean(error), weights)
                values[condition] = found.value
                results.append(
                    Result(
                        metric=f"necessity_error{ENDS.get(condition, '_' + condition.replace(' ', '_'))}",
                        value=found.value, low=found.low, high=found.high, chance=constant, baseline=constant,
                        higher_is_better=False, **shared,
                    )
                )  # fmt: skip
                if np.isnan(error).any() or condition == ALONE:
                    share = interval(_mean((~np.isnan(error)).astype(float)), weights)
                    results.append(
                        Result(
                            metric=f"coverage{ENDS.get(condition, '')}", value=share.value, low=share.low, high=share.high,
                            chance=1.0, baseline=1.0, higher_is_better=True, **shared,
                        )
                    )  # fmt: skip
            own, other = (by[one]["error"].to_numpy(float) for one in (TRUE, SHUFFLED))
            gap = interval(_difference(other, own), weights)
            told = (
                f"With another sample's in the place of its own, the error of “{part}” is {values[SHUFFLED]:.3g} instead of "
                f"{values[TRUE]:.3g}; always saying the same has {constant:.3g}."
            )
            results.append(
                Result(
                    metric="necessity_gap", value=gap.value, low=gap.low, high=gap.high, chance=0.0, baseline=0.0,
                    higher_is_better=True, passed=bool(gap.low > 0), sentence=told, **shared,
                )
            )  # fmt: skip
        return results


@dataclass(frozen=True)
class _Asked:
    """A model with the test samples it is asked about, and what is true of them."""

    model: Model
    samples: Dataset
    truth: np.ndarray
    constant: np.ndarray
    kind: str
    unit: str
    scale: np.ndarray = field(default_factory=lambda: np.ones(1))
    """What the difference of each number is divided by."""

    @classmethod
    def of(cls, fold: FittedFold, part: str, model: Model, unit: str) -> _Asked | None:
        """None where this model says nothing that could be compared."""
        head, learnt = model.head, fold.train
        if isinstance(head, ByText) and head.writes and unit:
            samples = fold.test(part)
            truth, known = (
                _numbers([some[0] for some in of.text_values(head.text_name)], unit) for of in (samples, learnt)
            )
            return cls(model, samples, truth, np.abs(truth - np.nanmedian(known)), "written", unit)
        if not isinstance(head, Predictor) or head.config.target.kind not in KINDS:
            return None
        samples, kind = fold.test(part), head.config.target.kind
        truth, known = (of.target_values(fold.target) for of in (samples, learnt))
        if kind == "regression":
            # One number keeps its unit; several have units of their own.
            scale = known.std(0) if known.shape[1] > 1 else np.ones(1)
            return cls(model, samples, truth, _distance(truth, np.median(known, axis=0), scale), kind, "", scale)
        truth, known = truth[:, 0], known[:, 0]
        classes, counts = np.unique(known, return_counts=True)
        return cls(model, samples, truth, (truth != classes[counts.argmax()]).astype(float), kind, "")

    def errors(self, seed: int) -> dict[str, np.ndarray]:
        """Error of each sample under each condition."""
        model = self.model.eval()
        z = concatenated([model.encode(batch) for batch, _ in batches(self.samples)])
        other = torch.from_numpy(others(len(self.samples), seed))
        found = {TRUE: self._error(z), SHUFFLED: self._error(z.rows(other)), ZERO: self._error(_zeros(z))}
        prefixes = [prefix for prefix, _ in model.named_encoders()]
        if len(prefixes) > 1:
            found |= {f"{prefix} {SHUFFLED}": self._error(_mixed(z, z.rows(other), prefix)) for prefix in prefixes}
        if isinstance(model.head, AnswersWithout):
            found[ALONE] = self._of_texts(model.head.write_without(len(self.samples)))
        return found

    def _error(self, z: Representation) -> np.ndarray:
        head = self.model.head
        if self.kind == "written":
            assert isinstance(head, ByText)
            said = [text for at in torch.arange(len(z)).split(64) for text in head.write(z.rows(at))]
            return self._of_texts(said)
        assert isinstance(head, Predictor)
        outputs = probabilities(head.config.target, head(z)).numpy()
        if self.kind == "regression":
            return _distance(outputs, self.truth, self.scale)
        called = outputs.argmax(1) if self.kind == "multiclass" else outputs[:, 0] >= 0.5
        return (called != self.truth).astype(float)

    def _of_texts(self, said: list[str]) -> np.ndarray:
        return np.abs(_numbers(said, self.unit) - self.truth)


def _distance(one: np.ndarray, other: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Mean over the numbers of each sample of how far apart they are, in their scales; a number that never varied counts nowhere."""
    varied = scale > 0
    found: np.ndarray = (np.abs(one - other)[:, varied] / scale[varied]).mean(1)
    return found


def _numbers(texts: list[str], unit: str) -> np.ndarray:
    """The number in each text, NaN where there is none."""
    found = (quantity(text, unit) for text in texts)
    return np.array([np.nan if one is None else one for one in found])


def _zeros(z: Representation) -> Representation:
    """The same with zeros: nothing is said of any sample, in tokens as many as there were."""
    tokens = {name: replace(one, values=torch.zeros_like(one.values)) for name, one in z.tokens.items()}
    return replace(z, values=torch.zeros_like(z.values), tokens=tokens)


def _mixed(z: Representation, other: Representation, prefix: str) -> Representation:
    """The units and tokens of one encoder of other samples, all else of their own."""
    of = torch.tensor([name.startswith(f"{prefix}:") for name in z.names])
    tokens = {
        name: other.tokens[name] if name == prefix or name.startswith(f"{prefix}:") else one
        for name, one in z.tokens.items()
    }
    return replace(z, values=torch.where(of, other.values, z.values), tokens=tokens)


def _difference(one: np.ndarray, other: np.ndarray) -> Statistic:
    return lambda weights: _mean(one)(weights) - _mean(other)(weights)


def _mean(values: np.ndarray) -> Statistic:
    """Mean over what is no miss; NaN where all are."""
    known = ~np.isnan(values)
    return lambda weights: weighted_mean(values[known], weights[..., known])
