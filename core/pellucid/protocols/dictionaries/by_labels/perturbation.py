"""Targeted probe perturbation: switching off the features of a label should hurt its probe and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from pellucid.errors import NotMeasurable
from pellucid.measures.dictionaries.ablation import feature_effects, own_and_others
from pellucid.measures.dictionaries.exactness import indices_of_strongest
from pellucid.protocols.base import Context
from pellucid.protocols.dictionaries.by_labels.labelled import STEPS, Labelled, loss_of
from pellucid.protocols.dictionaries.by_labels.shared import DRAWS, RANDOM, ByLabels, ByLabelsConfig, Counts, LabelRows
from pellucid.protocols.dictionaries.codes import label_called
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic

if TYPE_CHECKING:
    import pandas as pd

NS = (2, 5, 10, 20)
"""The smaller ones of SAEBench's numbers of features: its dictionaries have thousands."""


class TargetedPerturbationConfig(ByLabelsConfig):
    """Settings of :class:`TargetedPerturbation`.

    Parameters
    ----------
    labels : tuple of str
        Yes-or-no labels, two at least; all without it.
    ns : tuple of int
        Numbers of features that are switched off; without it those of the usual ones that a dictionary has.
    steps : int
        Of the probes.
    """

    labels: tuple[str, ...] = ()
    ns: Counts = Field(NS, min_length=1)
    steps: int = Field(STEPS, ge=1)


class PerturbedRows(LabelRows):
    """Whether each label's probe is right, with everything on, without its own features, and without those of others."""

    protocol = "tpp"

    def apart(self, n: int, which: str = "") -> Statistic:
        """What a probe loses by its own features less what it loses by those of others.

        Summed over labels this is the published score: there a label's features are compared, here its probe.
        """
        own, others = self.balanced(f"{which}own:{n}"), self.balanced(f"{which}others:{n}")
        return lambda weights: others(weights) - own(weights)

    def results(self) -> Iterator[Result]:
        """The score for each number of features."""
        right = self.mean(PerturbedRows.balanced, "right")
        for n in self.numbers(self.config.ns, "own"):
            found, random = self.over_labels(PerturbedRows.apart, n), self.mean(PerturbedRows.apart, n, "random_")
            own, others = (self.mean(PerturbedRows.balanced, f"{name}:{n}") for name in ("own", "others"))
            yield self.told(
                f"tpp_{n}", found, chance=0.0, baseline=random, baseline_name=RANDOM,
                sentence=(
                    f"With the {n} feature{'s' if n > 1 else ''} of a label switched off in “{self.part}”, "
                    f"its probe is right about {own:.1%} of samples, "
                    f"with those of another label about {others:.1%}; with all on about {right:.1%} (mean of {len(self.by_label)} "
                    f"labels, samples with and without each counted alike). The difference is {found.value:.3f}, with features drawn "
                    f"by lot {random:.3f}; {right - 0.5:.3f} at most."
                ),
            )  # fmt: skip


class TargetedPerturbation(ByLabels):
    """Accuracy that a label's linear probe loses when its own features are off, less what it loses by those of other labels.

    0 where all labels lose alike, at most what probes are above a coin (0.5). Probes and features are of the training side
    (effect of a feature: difference of its mean code between samples with and without the label, where positive, times how
    far its atom goes along the probe); the error of the dictionary is kept. Accuracy is of the test side, where samples with
    and without a label count alike: the published score draws as many of both.

    References
    ----------
    Karvonen et al. (2024), arXiv:2411.18895; settings of SAEBench (AdamW, 1e-3, batches of 16, L1 1e-3; as many steps).
    """

    name: ClassVar[str] = "tpp"
    rows_type = PerturbedRows
    counts: ClassVar[str] = "ns"
    config_type = TargetedPerturbationConfig
    config: TargetedPerturbationConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on planted data."""
        return {"labels": ("binary", "fast"), "steps": 300}

    @property
    def named(self) -> tuple[str, ...]:
        """Labels whose features are switched off."""
        return self.config.labels

    def lacking(self, context: Context) -> str:
        """Where labels are named they must be two."""
        named = {label_called(name, context.spec) for name in self.config.labels}
        if len(named) == 1:
            return f"it compares labels with each other, and one is named, {self.config.labels[0]!r}: name another beside it"
        return ""

    def measured(self, sides: Labelled) -> pd.DataFrame:
        """Columns ``right``, ``own:<n>``, ``others:<n>``, and the last two with features drawn by lot."""
        import pandas as pd

        labels = sides.usable(self.config.labels)
        if len(labels) < 2:
            raise NotMeasurable(f"it takes two labels with samples enough, there {'is one' if labels else 'is none'}")
        test, atoms = sides.test, sides.atoms
        probes = sides.probes(labels, self.config.steps)
        effects = [effects_of(sides, label, probes.weight[at]) for at, label in enumerate(labels)]
        truth = torch.stack([test.truth(label) for label in labels], 1)
        logits = probes.logits(test.x)

        def right(features: Tensor) -> Tensor:
            return ((logits - loss_of(test.codes, features, atoms, probes.weight) > 0) == (truth > 0)).double()

        columns: dict[str, Tensor] = {"right": ((logits > 0) == (truth > 0)).double()}
        for n in self.numbers(sides):
            chosen = [[indices_of_strongest(each, n)] for each in effects]
            drawn = [sides.drawn(n, DRAWS, salt) for salt in range(len(labels))]
            for which, sets in (("", chosen), ("random_", drawn)):
                # Label whose features are off first, label whose probe is asked last.
                off = torch.stack([torch.stack([right(features) for features in some]).mean(0) for some in sets])
                columns[f"{which}own:{n}"], columns[f"{which}others:{n}"] = own_and_others(off)
        frames = []
        for at, label in enumerate(labels):
            judge = test.known(label)
            mine: dict[str, Any] = {name: values[judge, at] for name, values in columns.items()}
            frames.append(test.table(judge, truth=truth[judge, at], **mine).assign(label=label))
        return pd.concat(frames, ignore_index=True)


def effects_of(sides: Labelled, label: str, weight: Tensor, absolute: bool = False) -> Tensor:
    """Effects of features on a probe of a label, from the training samples of which it is known."""
    known = sides.train.known(label)
    return feature_effects(
        sides.train.codes[known], sides.train.truth(label)[known], weight, sides.atoms, absolute=absolute
    )
