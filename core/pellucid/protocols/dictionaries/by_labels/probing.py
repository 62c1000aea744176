"""Sparse probing: can a label be read from one, two or five features, beside as many single units of the layer?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.errors import NotMeasurable
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.probing import KS, Probe, sparse_probing
from pellucid.protocols.dictionaries.by_labels.labelled import Labelled
from pellucid.protocols.dictionaries.by_labels.shared import ByLabels, ByLabelsConfig, Counts, LabelRows
from pellucid.protocols.dictionaries.codes import LABEL
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic
from pellucid.statistics.ranking import auroc, over_folds

if TYPE_CHECKING:
    import pandas as pd

UNITS = "as many single units of the layer"


class SparseProbingConfig(ByLabelsConfig):
    """Settings of :class:`SparseProbing`.

    Parameters
    ----------
    labels : tuple of str
        Yes-or-no labels to read; all without it.
    ks : tuple of int
        Numbers of features that a probe reads; without it those of 1, 2 and 5 that there are features and units.
    """

    labels: tuple[str, ...] = ()
    ks: Counts = Field(KS, min_length=1)


class ProbedRows(LabelRows):
    """Logits of every probe."""

    protocol = "sparse-probing"

    def accuracy(self, name: str) -> Statistic:
        """Share of samples that a probe is right about."""
        right = (self.column(name) > 0) == (self.truth > 0)
        return lambda weights: (weights @ right) / weights.sum(-1)

    def auroc(self, name: str) -> Statistic:
        """How often a sample with the label has the higher logit."""
        truth, logits, folds = self.truth, self.column(name), self.folds
        return lambda weights: over_folds(auroc, truth, logits, folds, weights)

    def usual(self) -> Statistic:
        """Share that is as most training samples are."""
        right = self.column("usual") == self.truth
        return lambda weights: (weights @ right) / weights.sum(-1)

    def results(self) -> Iterator[Result]:
        """Means over labels for each number of features, then the same of each label."""
        several = len(self.by_label) > 1
        whom = f"mean of {len(self.by_label)} labels" if several else self.labels[0]
        yield from self._each("", whom)
        if several:
            for label, own in self.by_label.items():
                yield from own._each(f"_{label.removeprefix(LABEL)}", label.removeprefix(LABEL))

    def _each(self, suffix: str, whom: str) -> Iterator[Result]:
        usual = self.mean(ProbedRows.usual)
        for k in self.numbers(self.config.ks, "codes"):
            few = f"{k} feature{'s' if k > 1 else ''}"
            for name, make, chance in (("accuracy", ProbedRows.accuracy, usual), ("auroc", ProbedRows.auroc, 0.5)):
                found, units, full = (self.over_labels(make, column) for column in (f"codes:{k}", f"units:{k}", "full"))
                what = "has an accuracy of" if name == "accuracy" else "has an AUROC of"
                yield self.told(
                    f"{name}_k{k}{suffix}", found, chance=chance, baseline=units.value, baseline_name=UNITS,
                    sentence=(
                        f"A probe of {few} of “{self.part}” {what} {_number(name, found.value)} ({whom}); one of {UNITS} "
                        f"{_number(name, units.value)}, one of the whole layer {_number(name, full.value)}; without knowing "
                        f"anything {_number(name, chance)}."
                    ),
                )  # fmt: skip


def _number(name: str, value: float) -> str:
    return f"{value:.1%}" if name == "accuracy" else f"{value:.3f}"


class SparseProbing(ByLabels):
    """Each label read by a logistic probe from the 1, 2 and 5 features that differ most between samples with and without it.

    Codes of a sample are means over its positions. Features are chosen and weighed on the training side, accuracy and
    AUROC are of the test side. Chance: what most training samples are, and an AUROC of 0.5. Beside it as many single units
    of the layer, chosen and weighed alike; a probe of all units says what could be reached.

    References
    ----------
    Karvonen et al. (2025), SAEBench, arXiv:2503.09532. Deviations: samples are those of the study's own sides, and a
    label's samples are as many as there are, not balanced.
    """

    name: ClassVar[str] = "sparse-probing"
    rows_type = ProbedRows
    counts: ClassVar[str] = "ks"
    config_type = SparseProbingConfig
    config: SparseProbingConfig

    @property
    def named(self) -> tuple[str, ...]:
        """Labels to read."""
        return self.config.labels

    def most(self, head: Dictionary) -> tuple[int, str]:
        """As many single units stand beside features."""
        units, features = len(head.config.units), head.config.features
        return (units, "units to compare with") if units < features else (features, "features")

    def measured(self, sides: Labelled) -> pd.DataFrame:
        """Columns ``codes:<k>``, ``units:<k>`` and ``full`` with logits, ``usual``, and ``features``, the strongest first."""
        import pandas as pd

        frames, ks = [], self.numbers(sides)
        for label in sides.usable(self.config.labels):
            learn, judge = sides.train.known(label), sides.test.known(label)
            truth = sides.test.truth(label)[judge]
            train, test = sides.train, sides.test
            found = sparse_probing(
                train.codes[learn], train.truth(label)[learn], test.codes[judge], truth,
                raw_train=train.x[learn], raw_test=test.x[judge], ks=ks,
            )  # fmt: skip
            assert found.full is not None
            columns: dict[str, Any] = {"full": _logits(found.full, test.x[judge])}
            for k in ks:
                columns[f"codes:{k}"] = _logits(found.codes[k], test.codes[judge])
                columns[f"units:{k}"] = _logits(found.raw[k], test.x[judge])
            most = found.codes[max(ks)].features
            frames.append(
                test.table(judge, truth=truth, **columns).assign(
                    label=label,
                    usual=float(train.truth(label)[learn].mean() > 0.5),
                    features=", ".join(f"f{int(feature)}" for feature in most),
                )
            )
        if not frames:
            raise NotMeasurable("no label has samples enough")
        return pd.concat(frames, ignore_index=True)


def _logits(probe: Probe, table: Tensor) -> np.ndarray:
    logits = table[:, probe.features].double() @ probe.weight + probe.bias
    found: np.ndarray = logits.to(torch.float64).numpy()
    return found
