"""N-grams that speak for a class, chosen on training samples, and what they do in other samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pellucid.ngrams import NONE, NGrams, counts_of

Floats = npt.NDArray[np.floating]
Sums = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Coded:
    """Codes of some samples.

    Parameters
    ----------
    keys : Tensor of int64, shape (sample, occurrence)
        N-grams at every place; see :meth:`~pellucid.ngrams.NGrams.keys`.
    grams : NGrams
    """

    keys: Tensor
    grams: NGrams

    @cached_property
    def known(self) -> Floats:
        """N-grams of each sample."""
        return (self.keys != NONE).sum(1).double().numpy()

    @cached_property
    def lines(self) -> npt.NDArray[np.int64]:
        """Line of every place."""
        return np.array([place.line for place in self.grams.occurrences])

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """First token of every place, within its line."""
        return np.array([place.start for place in self.grams.occurrences])

    def where(self, key: int) -> Floats:
        """Where an n-gram is, shape (sample, occurrence), 0 or 1."""
        return (self.keys == key).double().numpy()


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The n-grams of training samples that occur often enough, whatever the class.

    Parameters
    ----------
    keys : Tensor of int64, shape (n-gram,)
        Increasing.
    counts : ndarray, shape (sample, n-gram)
        In each training sample.
    train : Coded
    """

    keys: Tensor
    counts: Floats
    train: Coded

    @classmethod
    def of(cls, train: Coded, fewest: int, most: int) -> Vocabulary:
        """Count them."""
        every, times = torch.unique(train.keys[train.keys != NONE], return_counts=True)
        often = torch.nonzero(times >= fewest)[:, 0]
        kept = often[times[often].argsort(descending=True, stable=True)[:most]].sort().values
        return cls(every[kept], counts_of(train.keys, every[kept]).double().numpy(), train)

    def odds(self, member: npt.NDArray[np.bool_]) -> Floats:
        """Log odds of each n-gram for samples that belong to a class against those that do not, shape (n-gram,)."""
        size = max(1, len(self.keys))
        sides = []
        for inside in (member, ~member):
            times, grams = self.counts[inside].sum(0), self.train.known[inside].sum()
            sides.append(np.log((times + 1) / (grams + size)))
        return np.asarray(sides[0] - sides[1])

    def chosen(self, member: npt.NDArray[np.bool_], shown: int, lines: int) -> Selected:
        """The n-grams of the highest odds, each with where it stands most often among the training samples."""
        odds = self.odds(member)
        best = np.argsort(-odds, kind="stable")[:shown]
        keys = tuple(int(self.keys[at]) for at in best)
        usual_lines, usual_start = [], []
        for key in keys:
            at = self.train.where(key).sum(0)
            by_line = np.bincount(self.train.lines, at)
            usual_lines.append(tuple(np.sort(np.argsort(-by_line, kind="stable")[:lines]).tolist()))
            usual_start.append(int(np.bincount(self.train.starts, at).argmax()))
        return Selected(keys, tuple(odds[best].tolist()), tuple(usual_lines), tuple(usual_start), len(self.keys))


@dataclass(frozen=True)
class Selected:
    """N-grams of one class, the highest odds first.

    Parameters
    ----------
    keys : tuple of int
    odds : tuple of float
        Among the training samples.
    lines : tuple of tuple of int
        Those in which each stands most often there.
    starts : tuple of int
        The token of a line at which each begins most often there.
    vocabulary : int
        N-grams that they were chosen from.
    """

    keys: tuple[int, ...]
    odds: tuple[float, ...]
    lines: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    vocabulary: int

    def columns(self, samples: Coded, planted: Floats | None = None) -> Sums:
        """What they do in other samples.

        Parameters
        ----------
        samples : Coded
        planted : ndarray, optional, shape (sample, line)
            1 where something that makes the class true was planted in a line.

        Returns
        -------
        dict of ndarray, shape (sample,) each
            ``times:0`` ...: how often each occurs; ``occurrences``: all together, and of them those ``in_lines`` and
            ``in_start``, where they usually are, and ``in_planted`` of ``could_be_planted``.
        """
        zero = np.zeros(len(samples.keys))
        found: Sums = {
            name: zero.copy() for name in ("occurrences", "in_lines", "in_start", "in_planted", "could_be_planted")
        }
        for rank, (key, lines, start) in enumerate(zip(self.keys, self.lines, self.starts, strict=True)):
            at = samples.where(key)
            found[f"times:{rank}"] = at.sum(1)
            found["occurrences"] += at.sum(1)
            found["in_lines"] += at @ np.isin(samples.lines, lines)
            found["in_start"] += at @ (samples.starts == start)
            if planted is not None:
                there = planted.any(1)
                found["in_planted"] += np.where(there, (at * planted[:, samples.lines]).sum(1), 0)
                found["could_be_planted"] += np.where(there, at.sum(1), 0)
        return found


def sums(columns: Mapping[str, Floats], grams: Floats, member: Floats, weights: Floats) -> Sums:
    """Totals over samples, from which :func:`scores` follow; those of several folds may be added up.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (sample,)
        As :meth:`Selected.columns` gives them.
    grams : ndarray, shape (sample,)
        N-grams of each sample.
    member : ndarray, shape (sample,)
        1 where a sample belongs to the class.
    weights : ndarray, shape (..., sample)

    Returns
    -------
    dict of ndarray
        ``inside`` and ``outside``, shape (..., n-gram); all others of shape (...).
    """
    times = np.stack([columns[name] for name in ranks(columns)], 1)
    found: Sums = {"inside": (weights * member) @ times, "outside": (weights * (1 - member)) @ times}
    found |= {"grams_inside": weights @ (grams * member), "grams_outside": weights @ (grams * (1 - member))}
    totals = ("occurrences", "in_lines", "in_start", "in_planted", "could_be_planted")
    return found | {name: weights @ columns[name] for name in totals}


def ranks(columns: Mapping[str, Floats]) -> list[str]:
    """Names of the columns that count one n-gram each, in their order."""
    return sorted((name for name in columns if name.startswith("times:")), key=lambda name: int(name.partition(":")[2]))


def scores(found: Sums, vocabulary: float) -> Sums:
    """From totals to what is reported, of the shape of the totals.

    ``log_odds``: mean over the n-grams; shares of occurrences ``in_lines``, ``in_start`` and ``in_planted``. NaN where they do
    not occur.
    """
    inside = np.log((found["inside"] + 1) / (found["grams_inside"] + vocabulary)[..., None])
    outside = np.log((found["outside"] + 1) / (found["grams_outside"] + vocabulary)[..., None])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Sums = {name: found[name] / found["occurrences"] for name in ("in_lines", "in_start")}
        shares["in_planted"] = found["in_planted"] / found["could_be_planted"]
    return {"log_odds": (inside - outside).mean(-1), **shares}


def dealt(member: npt.NDArray[np.bool_], subjects: Sequence[str], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Labels dealt anew: among subjects where each has one label alone, within each where each has several.

    Where some subjects have one and some have several (healthy people, and patients with attacks), all are laid in a row, subject
    after subject in an order by lot, and given out to another such row: dealt within each they would say nearly what they said.
    A subject's samples stay as alike as they are, or nearly, and labels say nothing of them.

    Parameters
    ----------
    member : ndarray of bool, shape (sample, class)
    subjects : sequence of str, one a sample
    """
    _, first, of = np.unique(np.asarray(subjects).astype(str), return_index=True, return_inverse=True)
    several = np.isin(np.arange(len(first)), of[(member != member[first][of]).any(1)])
    if not several.any():
        return np.asarray(member[first][rng.permutation(len(first))][of])
    # A stable sort by subject of samples in random order deals them within each.
    order, turned = np.argsort(of, kind="stable"), rng.permutation(len(member))
    giving = of if several.all() else rng.permutation(len(first))[of]
    given = turned[np.argsort(giving[turned], kind="stable")]
    found = np.empty_like(member)
    found[order] = member[given]
    return found
