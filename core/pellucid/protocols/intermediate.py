"""Does the output follow what a model says it decides by? The intermediate of one sample is put in the place of another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.data.abilities import KnowsEdits
from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable
from pellucid.heads.abilities import ByConcepts, ByIntermediate
from pellucid.heads.base import Head, probabilities
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows, told, told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.dealing import others
from pellucid.protocols.said import MetricWords, Section
from pellucid.representation import Representation
from pellucid.result import NotMeasured, Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import REPLICATES, Interval, Statistic

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 20
"""Test samples of a fold below which the weights of two outputs cannot be told apart."""

FOLLOWS, IGNORES = 0.9, 0.1
"""The low end of the interval above which an output follows, and the high end below which it takes no notice."""

OWN = "the model's own outputs"
TRUTH = "what would be true after the edit"


class IntermediateNecessityConfig(Config):
    """Settings of :class:`IntermediateNecessity`.

    Parameters
    ----------
    replicates : int
        Resamplings of subjects behind each interval.
    """

    replicates: int = Field(REPLICATES, ge=100)


class IntermediateNecessity(Assessment):
    """Whether the output follows when the intermediate that a person can read and edit is another sample's.

    Of heads that go by concepts, or offer :class:`~pellucid.heads.abilities.ByIntermediate`. Each test sample gets the intermediate of
    another by lot. The output after that edit is written as a sum of what should be said with the edit and of what was said before, each
    with a weight, by least squares; classes as probabilities. ``intermediate_followed`` is the first weight: 1 where the intermediate
    decides, 0 where something else does, a side channel. ``intermediate_kept`` is the second: what stays with the sample. Where the data
    know the rule (:class:`~pellucid.data.abilities.KnowsEdits`), what should be said is what would be true with the same edit, so that a
    head may use the sample beside its intermediate; elsewhere it is what the model says of the other sample, and whatever of the sample
    it uses beside its intermediate counts as kept.

    Chance is the same weight after an edit by a third sample, which the other one says nothing of. The baseline is the output that was
    not edited: 0 followed, 1 kept. ``intermediate_truth`` is the first weight with labels in the place of outputs, beside the same of
    models that were shown the whole other sample: an intermediate can be followed and mean nothing. Several outputs are averaged.

    References
    ----------
    Deletion and editing of intermediate steps as in Lanham et al. (2023), arXiv 2307.13702, for reasoning in words; weights by least
    squares in their place, as outputs are numbers.
    """

    name: ClassVar[str] = "intermediate-necessity"
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "intermediate followed": MetricWords(
            "Followed", "weight of what the edited intermediate asks for; 1 is all, 0 a model that ignores it"
        ),
        "intermediate kept": MetricWords("Kept", "weight of what was said before the edit; lower is better"),
        "intermediate truth": MetricWords("Followed in truth", "weight of the other sample's label; higher is better"),
    }
    section = Section(
        "intermediates",
        "Whether outputs follow what people can edit",
        "A model that says first what it goes by can be corrected there only if its output follows. So the intermediate of one sample is "
        "put in the place of another's.",
        order=21,
        measures="Measures of the edits",
    )
    config_type = IntermediateNecessityConfig
    config: IntermediateNecessityConfig

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """Some head must have an intermediate."""
        if any(isinstance(head, ByConcepts | ByIntermediate) for head in heads.values()):
            return ""
        return "no head of this study has an intermediate that could be edited; add concept-bottleneck, or one that offers ByIntermediate"

    @torch.no_grad()
    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part with an intermediate and test sample.

        Returns
        -------
        DataFrame
            Of each output: ``own:``, ``edited:`` and ``control:`` what is said, before and after an edit by another sample and by a third;
            ``asked:`` and ``before:`` what the edit asks for and what should have been said; ``other:``, ``label:`` and ``truth:`` what is
            said of the other sample, and both samples' labels.
        """
        frames = []
        for part, model in fold.predictors.items():
            if isinstance(model.head, ByConcepts | ByIntermediate):
                frames.append(_edited(fold, part, model))
        if not frames:
            raise NotMeasurable("no model here has an intermediate", "choose another head")
        return joined(frames)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Weights of every part, with what they mean."""
        return [
            one
            for part, own in context.own_rows(rows)
            for one in _concluded(_Edits(own, part, context, self.config.replicates))
        ]


def _edited(fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
    samples, head = fold.test(part), _Readable(model.head)
    count = len(samples)
    if count < FEWEST:
        raise NotMeasurable(
            f"the test side has {count} samples, and {FEWEST} are needed to deal out others'", "add samples"
        )
    z = model.eval().representation(samples)
    seed = seed_of(fold.seed, "intermediates dealt anew", fold.split.fold)
    other, third = (others(count, seed, further=further) for further in (1, 2))
    target = samples.spec.target(fold.target)
    between = head.intermediate(z)
    own = probabilities(target, head.head(z)).double().numpy()
    edited, control = (probabilities(target, head.decided(z, between[at])).double().numpy() for at in (other, third))
    truth = np.asarray(target.steps(samples.target_values(fold.target)), np.float64)
    asked, before, by = own[other], own, OWN
    if (known := samples.ability(KnowsEdits)) is not None:  # type: ignore[type-abstract]
        names = [str(name) for name in samples.frame.index]
        after = [
            known.edited_targets(fold.target, names, head.names, _numpy(values)) for values in (between[other], between)
        ]
        if after[0] is not None and after[1] is not None:
            asked, before, by = after[0], after[1], TRUTH
    columns = {"own": own, "edited": edited, "control": control, "asked": asked, "before": before, "other": own[other],
               "label": truth[other], "truth": truth}  # fmt: skip
    found = rows_of(
        part,
        samples,
        {f"{name}:{at}": column for name, values in columns.items() for at, column in enumerate(values.T)},
    )
    return told_once(found, {"asked by": by, "numbers": list(head.names)})


@dataclass(frozen=True)
class _Readable:
    """A head with an intermediate, by whichever of both abilities."""

    head: Any

    @property
    def names(self) -> tuple[str, ...]:
        return self.head.intermediate_names if isinstance(self.head, ByIntermediate) else self.head.concept_names

    def intermediate(self, z: Representation) -> Tensor:
        said = self.head.intermediate(z) if isinstance(self.head, ByIntermediate) else self.head.concepts(z)
        return torch.as_tensor(said)

    def decided(self, z: Representation, intermediate: Tensor) -> Tensor:
        if isinstance(self.head, ByIntermediate):
            return self.head.decided(z, intermediate)
        return torch.as_tensor(self.head.outcome(self.head.handed_on(intermediate)))


def _numpy(values: Tensor) -> np.ndarray:
    found: np.ndarray = values.detach().double().numpy()
    return found


class _Edits(AuditedRows):
    """Rows of one part."""

    protocol: ClassVar[str] = "intermediate-necessity"

    def columns(self, name: str) -> list[np.ndarray]:
        """One array an output."""
        return [self.column(str(one)) for one in self.rows.columns if str(one).startswith(f"{name}:")]

    def weight(self, of: str, first: str, second: str, *, which: int) -> Statistic:
        """Weight of the first (0) or second (1) in what is explained by both, mean over outputs."""
        several = list(zip(self.columns(of), self.columns(first), self.columns(second), strict=True))

        def mean(weights: np.ndarray) -> np.ndarray:
            found = [_weights(*one, weights)[which] for one in several]
            known = np.isfinite(found)
            with np.errstate(invalid="ignore"):
                return np.asarray(np.where(known, found, 0.0).sum(0) / known.sum(0))

        return mean


def _weights(
    explained: np.ndarray, first: np.ndarray, second: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of two columns in least squares with a constant, shape (...,) each; NaN where they cannot be told apart."""
    mass = weights.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):

        def together(one: np.ndarray, other: np.ndarray) -> np.ndarray:
            return np.asarray(weights @ (one * other) / mass - (weights @ one / mass) * (weights @ other / mass))

        # Centred first: of numbers far from 0 the difference of two large means would be lost.
        a, b, y = (one - one.mean() for one in (first, second, explained))
        aa, bb, ab, ay, by = together(a, a), together(b, b), together(a, b), together(a, y), together(b, y)
        room = aa * bb - ab**2
        flat = ~(room > 1e-9 * aa * bb) | ~(aa > 0) | ~(bb > 0)
        return np.where(flat, np.nan, (bb * ay - ab * by) / room), np.where(flat, np.nan, (aa * by - ab * ay) / room)


def _concluded(edits: _Edits) -> Iterator[Result | NotMeasured]:
    followed = edits.interval(edits.weight("edited", "asked", "before", which=0))
    kept = edits.interval(edits.weight("edited", "asked", "before", which=1))
    if not np.isfinite(followed.value):
        yield NotMeasured(
            protocol=edits.protocol,
            part=edits.part,
            because="what an edit asks for is the same for all samples, or goes with what was said before",
            helps="choose samples that differ",
        )
        return
    chance = edits.value(edits.weight("control", "asked", "before", which=0))
    shared: dict[str, Any] = {"baseline_name": "output that was not edited"}
    yield edits.result(
        "intermediate_followed", followed, higher=True, chance=chance, baseline=0.0, passed=followed.low >= FOLLOWS,
        sentence=_told(edits, followed, kept), **shared,
    )  # fmt: skip
    yield edits.result(
        "intermediate_kept", kept, higher=False, chance=edits.value(edits.weight("control", "asked", "before", which=1)), baseline=1.0,
        **shared,
    )  # fmt: skip
    truth = edits.interval(edits.weight("edited", "label", "truth", which=0))
    if np.isfinite(truth.value):
        yield edits.result(
            "intermediate_truth", truth, higher=True, chance=edits.value(edits.weight("control", "label", "truth", which=0)),
            baseline=edits.value(edits.weight("other", "label", "truth", which=0)), baseline_name="shown the whole other sample",
        )  # fmt: skip


def _told(edits: _Edits, followed: Interval, kept: Interval) -> str:
    if followed.low >= FOLLOWS:
        verdict = "follows its intermediate"
    elif followed.high <= IGNORES:
        verdict = "takes no notice of its intermediate: something else decides"
    else:
        verdict = "follows its intermediate in part, or not surely"
    by = next(iter(told(edits.rows, "asked by")), OWN)
    return (
        f"“{edits.part}” {verdict}. With another sample's in its place, {followed.value:.2f} ({followed.low:.2f} to "
        f"{followed.high:.2f}) of what that asks for is said, and {kept.value:.2f} of what was said before; measured by {by}."
    )
