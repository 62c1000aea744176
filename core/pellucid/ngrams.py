"""N-grams of codes: codes that stand beside each other in a line of tokens, as one number each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import StudyError
from pellucid.regions import Region, around, merged
from pellucid.representation import TokenShape

NONE = -1
"""The number of an n-gram of which a code is not known."""


@dataclass(frozen=True)
class Occurrence:
    """A place that an n-gram can stand in.

    Parameters
    ----------
    line, start, length : int
        Of the tokens: in which line, from which token of it, how many.
    """

    line: int
    start: int
    length: int


@dataclass(frozen=True)
class NGrams:
    """How n-grams of a set of tokens are counted: within lines, never from one into the next.

    Parameters
    ----------
    shape : TokenShape
        With a codebook.
    longest : int
        Codes of the longest n-grams; a line of fewer tokens has none of these.

    Raises
    ------
    StudyError
        If there are more n-grams than numbers for them.

    Examples
    --------
    >>> grams = NGrams(TokenShape(count=4, width=1, codebook=9, line=2), longest=2)
    >>> [grams.codes_of(key) for key in grams.keys(torch.tensor([[3, 0, 8, -1]]))[0].tolist()]
    [(3,), (0,), (8,), (), (3, 0), ()]
    """

    shape: TokenShape
    longest: int

    def __post_init__(self) -> None:
        if (self.shape.codebook + 1) ** self.longest >= 2**63:
            raise StudyError(
                f"n-grams of {self.longest} of {self.shape.codebook} codes are too many to be told apart; count shorter ones"
            )

    @property
    def line(self) -> int:
        """Tokens of a line."""
        return self.shape.line or self.shape.count

    @cached_property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """Every place that an n-gram can stand in: the shortest ones first, line by line."""
        lines = self.shape.count // self.line
        return tuple(
            Occurrence(line, start, length)
            for length in range(1, min(self.longest, self.line) + 1)
            for line in range(lines)
            for start in range(self.line - length + 1)
        )

    def keys(self, codes: Tensor) -> Tensor:
        """The n-gram at every place, int64, shape (sample, occurrence) from codes of shape (sample, token)."""
        base = self.shape.codebook + 1
        lines = codes.unflatten(1, (-1, self.line)) + 1
        found = []
        for length in range(1, min(self.longest, self.line) + 1):
            windows = lines.unfold(2, length, 1)
            key = torch.zeros_like(windows[..., 0])
            for at in range(length):
                key = key * base + windows[..., at]
            found.append(key.masked_fill((windows == 0).any(-1), NONE).flatten(1))
        return torch.cat(found, 1)

    def codes_of(self, key: int) -> tuple[int, ...]:
        """The codes of an n-gram; none for :data:`NONE`."""
        codes: list[int] = []
        while key > 0:
            key, digit = divmod(key, self.shape.codebook + 1)
            codes.append(digit - 1)
        return tuple(reversed(codes))

    def name(self, key: int) -> str:
        """``code 12``, or ``codes 12-5`` for two that stand side by side."""
        codes = self.codes_of(key)
        return f"code{'s' if len(codes) > 1 else ''} {'-'.join(map(str, codes))}"

    def regions(self, at: Sequence[int], regions: Sequence[Region]) -> list[Region]:
        """Where some occurrences are, those that differ in their channels alone as one.

        Parameters
        ----------
        at : sequence of int
            Positions in :attr:`occurrences`.
        regions : sequence of Region
            Of each token; none where tokens are no places.
        """
        if not regions:
            return []
        places = (self.occurrences[one] for one in at)
        starts = ((one.line * self.line + one.start, one.length) for one in places)
        return merged(around(regions[start : start + length]) for start, length in starts)


def counts_of(keys: Tensor, vocabulary: Tensor) -> Tensor:
    """How often each n-gram of a vocabulary occurs in each sample, float32, shape (sample, n-gram).

    Parameters
    ----------
    keys : Tensor of int64, shape (sample, occurrence)
    vocabulary : Tensor of int64, shape (n-gram,)
        Increasing.
    """
    counts = torch.zeros(len(keys), len(vocabulary) + 1, device=keys.device)
    at = torch.searchsorted(vocabulary, keys)
    known = torch.cat([vocabulary, vocabulary.new_full((1,), NONE - 1)])[at] == keys
    # The last column takes what is not in the vocabulary.
    at = torch.where(known, at, len(vocabulary))
    counts.scatter_add_(1, at, torch.ones_like(at, dtype=counts.dtype))
    return counts[:, :-1]


class Tally:
    """How often each n-gram occurs on each side (classes), over batches.

    Parameters
    ----------
    sides : int
    """

    def __init__(self, sides: int) -> None:
        self.keys = np.zeros(0, np.int64)
        self.counts = np.zeros((0, sides), np.int64)

    def add(self, keys: Tensor, member: Tensor) -> None:
        """Count some samples.

        Parameters
        ----------
        keys : Tensor of int64, shape (sample, occurrence)
        member : Tensor of bool, shape (sample, side)
            Which sides each sample belongs to.
        """
        some, at = np.unique(keys.cpu().numpy().ravel(), return_inverse=True)
        counts = np.zeros((len(some), member.shape[1]), np.int64)
        belongs = np.repeat(member.cpu().numpy(), keys.shape[1], axis=0).astype(np.int64)
        np.add.at(counts, at.ravel(), belongs)
        keep = some != NONE
        every = np.concatenate([self.keys, some[keep]])
        self.keys, at = np.unique(every, return_inverse=True)
        total = np.zeros((len(self.keys), member.shape[1]), np.int64)
        np.add.at(total, at.ravel(), np.concatenate([self.counts, counts[keep]]))
        self.counts = total

    def frequent(self, fewest: int, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The most frequent n-grams that occur often enough, in the order of their numbers: keys, and counts by side."""
        total = self.counts.sum(1)
        often = np.flatnonzero(total >= fewest)
        kept = np.sort(often[np.argsort(-total[often], kind="stable")][:most])
        return self.keys[kept], self.counts[kept]
