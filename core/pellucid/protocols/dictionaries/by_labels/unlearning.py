"""Unlearning: can a label be taken out of the layer by clamping its features, without harm to other labels?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.errors import NotMeasurable
from pellucid.measures.dictionaries.linear_probes import LinearProbes
from pellucid.measures.dictionaries.unlearning import LEAST_RETAINED, Clamping, Setting, tried
from pellucid.protocols.base import Context
from pellucid.protocols.dictionaries.by_labels.labelled import STEPS, Labelled, Side, loss_of
from pellucid.protocols.dictionaries.by_labels.shared import DRAWS, ByLabels, ByLabelsConfig, Counts, LabelRows
from pellucid.protocols.dictionaries.codes import label_called
from pellucid.result import Result

if TYPE_CHECKING:
    import pandas as pd

RANDOM = "as many features drawn by lot, clamped alike"

STRENGTHS = (1.0, 5.0, 25.0, 50.0, 100.0, 200.0)
"""The last four are SAEBench's, for the activations of language models; those of other layers are often much smaller."""

UNTOUCHED = "nothing"
"""Features that were clamped, where no setting forgets anything and keeps what is to be kept."""


class UnlearnedConfig(ByLabelsConfig):
    """Settings of :class:`Unlearned`.

    Parameters
    ----------
    forget : str
        Yes-or-no label to take out.
    keep : tuple of str
        Labels that must not be harmed; all others without it.
    retain_densities : tuple of float
        Features that are on more often than this in positions of samples without the label are left alone.
    tops : tuple of int
        Features that are clamped, at most.
    strengths : tuple of float
        They are set to minus this where they are on, in the units of the codes.
    steps : int
        Of the probes.
    """

    forget: str = ""
    keep: tuple[str, ...] = ()
    retain_densities: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field((0.001, 0.01), min_length=1)
    tops: Counts = Field((10, 20), min_length=1)
    strengths: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(STRENGTHS, min_length=1)
    steps: int = Field(STEPS, ge=1)


class UnlearnedRows(LabelRows):
    """Whether probes are right before and after; ``forgets`` marks the label that was to go."""

    protocol = "unlearning"

    def of(self, forgets: bool) -> UnlearnedRows:
        """Rows of the label to go, or of those to stay."""
        chosen = (self.column("forgets") > 0) == forgets
        return UnlearnedRows(
            self.rows[chosen].reset_index(drop=True), self.part, self.context, self.replicates, config=self.config
        )

    def results(self) -> Iterator[Result]:
        """What is forgotten, and what is kept."""
        gone, kept = self.of(True), self.of(False)
        (label,), every = gone.labels, self.rows.drop_duplicates("fold")["features"].astype(str)
        features = " | ".join(every.drop_duplicates())
        missed = gone.over_labels(UnlearnedRows.averaged, "missed_after")
        before, random = (gone.mean(UnlearnedRows.averaged, name) for name in ("missed_before", "missed_random"))
        after = kept.over_labels(UnlearnedRows.balanced, "after")
        plain, harmed = (kept.mean(UnlearnedRows.balanced, name) for name in ("before", "random"))
        how = (
            f"No setting makes the probe miss more training samples with {label} and keeps {LEAST_RETAINED:.0%} of what probes of "
            "other labels say there, so that nothing is clamped: "
            if features == UNTOUCHED
            else f"With {features}{' (by fold)' if every.nunique() > 1 else ''} of “{self.part}” clamped, "
        )
        yield gone.told(
            "unlearning", missed, chance=before, baseline=random, baseline_name=RANDOM,
            sentence=(
                f"{how}{missed.value:.1%} of samples with {label} are no longer told by the layer's probe, {before:.1%} without any "
                f"change, {random:.1%} with {RANDOM}. A probe that is learnt anew may find it still."
            ),
        )  # fmt: skip
        yield kept.told(
            "retained", after, chance=0.5, baseline=harmed, baseline_name=RANDOM,
            sentence=(
                f"Probes of {len(kept.by_label)} other label{'s' if len(kept.by_label) > 1 else ''} are right about {after.value:.1%} "
                f"then, {plain:.1%} before."
            ),
        )  # fmt: skip


class Unlearned(ByLabels):
    """Share of samples with a label that the layer's linear probe misses once the label's features are clamped.

    Features that are rarely on in positions of samples without the label, those first that are most often on in samples with it,
    are set to a number below zero wherever they are on. Of all settings the one with the least accuracy on the label is taken
    that keeps 0.99 of the accuracy of probes of other labels. Densities, probes and the choice are of the training side; the test
    side is judged once. Where no setting forgets and keeps enough nothing is clamped. Beside it as many features drawn by lot.

    References
    ----------
    Farrell et al. (2024), arXiv:2410.19278; settings of SAEBench and smaller strengths. Deviations: probes of labels stand for answers to
    questions on a topic; the published score takes the best setting on what it is judged by.
    """

    name: ClassVar[str] = "unlearning"
    rows_type = UnlearnedRows
    config_type = UnlearnedConfig
    config: UnlearnedConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on planted data."""
        return {"forget": "binary", "keep": ("fast",), "steps": 300}

    @property
    def named(self) -> tuple[str, ...]:
        """Labels to forget and to keep."""
        return tuple(name for name in (self.config.forget, *self.config.keep) if name)

    def lacking(self, context: Context) -> str:
        """A label to forget must be named, and be none of those to keep."""
        if not self.config.forget:
            return f'name its label in the study: [options.{self.name}] forget = "..."'
        forget = label_called(self.config.forget, context.spec)
        if forget in [label_called(name, context.spec) for name in self.config.keep]:
            return f"{self.config.forget!r} is to be forgotten and kept"
        return ""

    def measured(self, sides: Labelled) -> pd.DataFrame:
        """``before``, ``after``, ``random``: whether a label's probe is right; of the label to forget ``missed_...``."""
        import pandas as pd

        forget = label_called(self.config.forget, sides.spec)
        if forget in sides.left_out:
            raise NotMeasurable(f"the label to forget cannot be judged: {sides.left_out[forget]}")
        keep = [label for label in sides.usable(self.config.keep) if label != forget]
        if not keep:
            raise NotMeasurable("there is no other label with samples enough, which must not be harmed")
        probes = sides.probes([forget, *keep], self.config.steps)
        setting, features = self._chosen(sides, probes, [forget, *keep])
        test = sides.test
        before = probes.logits(test.x)
        after = before + _change(test, features, setting.strength, sides.atoms, probes.weight)
        random = [
            before + _change(test, drawn, setting.strength, sides.atoms, probes.weight)
            for drawn in sides.drawn(len(features), DRAWS)
        ]
        named = ", ".join(f"f{int(feature)}" for feature in features) or UNTOUCHED
        frames = []
        for at, label in enumerate([forget, *keep]):
            judge = test.known(label)
            truth = test.truth(label)[judge]
            found: dict[str, Any] = {
                "before": _right(before[judge, at], truth),
                "after": _right(after[judge, at], truth),
            }
            found["random"] = torch.stack([_right(each[judge, at], truth) for each in random]).mean(0)
            if label == forget:
                has = truth > 0
                judge, truth = judge[has.numpy()], truth[has]
                found = {f"missed_{name}": 1 - values[has] for name, values in found.items()}
            rows = test.table(judge, truth=truth, **found)
            frames.append(rows.assign(label=label, features=named, forgets=float(label == forget)))
        return pd.concat(frames, ignore_index=True)

    def _chosen(self, sides: Labelled, probes: LinearProbes, labels: list[str]) -> tuple[Setting, Tensor]:
        """The setting that forgets most on the training side without harm there, and its features; none if all harm."""
        train, forget = sides.train, labels[0]
        said, positions = train.labels[forget], train.positions
        forget_density, retain_density = (
            (train.on[said == side].double() * positions[said == side, None]).sum(0) / positions[said == side].sum()
            for side in (1, 0)
        )
        before = probes.logits(train.x)

        def accuracies(edit: Clamping) -> tuple[float, float]:
            logits = before + _change(train, edit.features, -edit.value, sides.atoms, probes.weight)
            has = torch.from_numpy(np.flatnonzero(said == 1))
            others = []
            for at, label in enumerate(labels[1:], start=1):
                truth = train.truth(label)
                right = _right(logits[:, at], truth)
                others.append(float(right[truth == 1].mean() + right[truth == 0].mean()) / 2)
            return float((logits[has, 0] > 0).double().mean()), float(np.mean(others))

        settings = [
            Setting(*each) for each in product(self.config.retain_densities, self.config.tops, self.config.strengths)
        ]
        trial = tried(forget_density, retain_density, accuracies, settings)
        if trial.best is None or trial.best.forget >= trial.forget:
            return settings[0], torch.zeros(0, dtype=torch.int64)
        return trial.best.setting, trial.best.features


def _change(side: Side, features: Tensor, strength: float, atoms: Tensor, weight: Tensor) -> Tensor:
    """What clamping to minus a strength adds to logits: what codes above zero brought goes, the strength comes."""
    return -loss_of(side.positive + strength * side.on, features, atoms, weight)


def _right(logits: Tensor, truth: Tensor) -> Tensor:
    return ((logits > 0) == (truth > 0)).double()
