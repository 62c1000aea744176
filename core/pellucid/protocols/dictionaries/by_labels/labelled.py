"""Whole samples of both sides with their yes-or-no labels: what dictionaries are assessed on by labels.

Representations and codes of a sample are means over its positions; padding has no row. A dictionary's reconstruction is
linear in its codes, so that an edit of mean codes is the mean of edited positions, as long as the edit is linear too; for
clamping, which is not, each sample also says how often each feature is on and what it brings there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.linear_probes import LinearProbes, balanced_rows, fit_linear_probes
from pellucid.model import Model
from pellucid.protocols.base import FittedFold
from pellucid.protocols.dictionaries.codes import LABEL, coded, label_called, labels_and_ratings
from pellucid.protocols.dictionaries.pooled import whole_samples

if TYPE_CHECKING:
    import pandas as pd

STEPS = 5000
"""Of linear probes: as many as SAEBench's 20 epochs of 4000 samples have. Epochs of fewer samples would end before they have learnt."""

BATCH = 16


@dataclass(frozen=True)
class Side:
    """Samples of one side.

    Parameters
    ----------
    samples, subjects : ndarray of str, shape (sample,)
    x : Tensor, shape (sample, unit)
        Mean representation.
    codes : Tensor, shape (sample, feature)
        Mean codes, with their sign.
    on : Tensor, shape (sample, feature)
        Share of the positions at which a code is above zero.
    positive : Tensor, shape (sample, feature)
        Mean of the codes above zero, all others counted as zero: what clamping takes away.
    positions : Tensor, shape (sample,)
        How many.
    labels : mapping of str to ndarray, shape (sample,)
        1, 0, or NaN where nobody said.
    """

    samples: np.ndarray
    subjects: np.ndarray
    x: Tensor
    codes: Tensor
    on: Tensor
    positive: Tensor
    positions: Tensor
    labels: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, model: Model, data: Dataset) -> Side:
        """Read and encode a dataset once."""
        source, names = whole_samples(data)
        sums: list[Tensor] = []
        for at, x, codes in coded(model, data):
            over = torch.from_numpy(source[at])
            for which, values in enumerate((x, codes, codes > 0, codes.clamp(min=0))):
                if len(sums) <= which:
                    sums.append(torch.zeros(len(names), values.shape[1], dtype=torch.float64))
                sums[which].index_add_(0, over, values.double())
        positions = torch.from_numpy(np.bincount(source, minlength=len(names))).double()
        x, codes, on, positive = ((each / positions[:, None]).float() for each in sums)
        first = np.unique(source, return_index=True)[1]
        said = {name: values[first] for name, values in labels_and_ratings(data).items() if name.startswith(LABEL)}
        subjects = data.subjects[first]
        return cls(names, subjects, x, codes, on, positive, positions, said)

    def counts(self, label: str) -> tuple[int, int]:
        """Samples without and with a label."""
        said = self.labels[label]
        return int((said == 0).sum()), int((said == 1).sum())

    def known(self, *labels: str) -> np.ndarray:
        """Positions of the samples of which all these labels are known."""
        return np.flatnonzero(np.all([np.isfinite(self.labels[label]) for label in labels], axis=0))

    def truth(self, label: str) -> Tensor:
        """A label of all samples, float, shape (sample,); NaN where nobody said."""
        return torch.from_numpy(np.asarray(self.labels[label], np.float32))

    def quadrants(self, first: str, second: str) -> np.ndarray:
        """2 for a sample with the first label, 1 for one with the second, 3 for both, 0 for neither; -1 where unknown."""
        both = 2 * self.labels[first] + self.labels[second]
        return np.where(np.isfinite(both), both, -1).astype(int)

    def table(self, at: np.ndarray | None = None, **columns: Any) -> pd.DataFrame:
        """Rows of some samples (all without ``at``) with what was measured of each."""
        import pandas as pd

        at = np.arange(len(self.samples)) if at is None else at
        plain = {name: _plain(values) for name, values in columns.items()}
        return pd.DataFrame({"sample": self.samples[at], "subject": self.subjects[at]} | plain)


@dataclass(frozen=True)
class Labelled:
    """Both sides of a fold as one dictionary sees them. What learns looks at ``train`` alone.

    Parameters
    ----------
    head : Dictionary
    train, test : Side
    least : int
        Samples with and without a label that each side must have.
    seed : int
    spec : DataSpec
    """

    head: Dictionary
    train: Side
    test: Side
    least: int
    seed: int
    spec: DataSpec

    @classmethod
    def of(cls, fold: FittedFold, part: str, model: Model, least: int) -> Labelled:
        """Encode both sides.

        Raises
        ------
        LeakageError
            If the dictionary or the model beneath it has learnt from anybody on the test side.
        """
        test = Side.of(model, fold.test(part))
        assert isinstance(model.head, Dictionary)
        train = Side.of(model, fold.train)
        return cls(model.head, train, test, least, fold.seed, fold.dataset.spec)

    @property
    def sides(self) -> dict[str, Side]:
        """By name."""
        return {"training": self.train, "test": self.test}

    @cached_property
    def atoms(self) -> Tensor:
        """Shape (feature, unit)."""
        return self.head.atoms.detach()

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Labels that cannot be judged, and why."""
        found = {}
        for label in self.train.labels:
            for name, side in self.sides.items():
                no, yes = side.counts(label)
                if min(no, yes) < self.least:
                    found[label] = (
                        f"{label.removeprefix(LABEL)} ({yes} with and {no} without it on the {name} side; "
                        f"{self.least} of each are asked for)"
                    )
                    break
        return found

    def usable(self, names: Sequence[str]) -> list[str]:
        """Of the labels that settings name (all where they name none) those that can be judged."""
        asked = [label_called(name, self.spec) for name in names] or list(self.train.labels)
        return [label for label in dict.fromkeys(asked) if label not in self.left_out]

    def few(self, first: str, second: str) -> str:
        """Why two labels cannot be told apart, or an empty string: each of four combinations needs samples on each side."""
        for name, side in self.sides.items():
            counts = np.bincount(side.quadrants(first, second) + 1, minlength=5)[1:]
            if counts.min() < self.least:
                at = int(counts.argmin())
                told = [
                    f"{'with' if has else 'without'} {label.removeprefix(LABEL)}"
                    for label, has in ((first, at & 2), (second, at & 1))
                ]
                return (
                    f"the {name} side has {counts[at]} samples {' and '.join(told)}; {self.least} of each combination "
                    "are asked for"
                )
        return ""

    def fitted(self, samples: np.ndarray, truth: Tensor, steps: int, rows: Tensor | None = None) -> LinearProbes:
        """Linear probes of the layer from some training samples, by about so many steps however few they are."""
        epochs = max(1, round(steps / -(-len(samples) // BATCH)))
        x = self.train.x[samples]
        return fit_linear_probes(x, truth, rows=rows, epochs=epochs, batch_rows=BATCH, seed=self.seed)

    def probes(self, labels: Sequence[str], steps: int) -> LinearProbes:
        """Linear probes of the layer, each from as many training samples with its label as without it."""
        truth = torch.stack([self.train.truth(label) for label in labels], 1)
        rows = torch.zeros(truth.shape, dtype=torch.bool)
        for column, label in enumerate(labels):
            known = torch.from_numpy(self.train.known(label))
            rows[known, column] = balanced_rows(truth[known, column, None], self.seed)[:, 0]
        return self.fitted(np.arange(len(truth)), truth, steps, rows)

    def drawn(self, count: int, draws: int, salt: int = 0) -> list[Tensor]:
        """Features drawn by lot among those that are on in a training sample: the control of every choice of features."""
        random = np.random.default_rng([self.seed, count, salt])
        alive = torch.nonzero((self.train.codes != 0).any(0))[:, 0].numpy()
        return [torch.from_numpy(random.permutation(alive)[:count].astype(np.int64)) for _ in range(draws)]


def loss_of(codes: Tensor, features: Tensor, atoms: Tensor, weight: Tensor) -> Tensor:
    """What linear probes lose when features are switched off and the error of the dictionary is kept.

    The same as the difference of a probe's logits on ``x`` and on :func:`~pellucid.measures.dictionaries.ablation.ablate`,
    without decoding anything.

    Parameters
    ----------
    codes : Tensor, shape (sample, feature)
    features : Tensor of int
    atoms : Tensor, shape (feature, unit)
    weight : Tensor, shape (probe, unit)

    Returns
    -------
    Tensor, shape (sample, probe)
    """
    return codes[:, features] @ (atoms[features] @ weight.T)


def _plain(values: Any) -> Any:
    return values.numpy() if isinstance(values, Tensor) else values
