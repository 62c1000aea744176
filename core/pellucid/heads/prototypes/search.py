"""The nearest of very many patches to each prototype: exactly, in chunks, with nothing kept but the best.

A fast product of matrices says of every pair how far apart it is, but for an error that cannot exceed a bound. Whatever
could still be among the nearest within that bound is measured anew in float64. So the answer does not depend on how the
fast product rounds: bfloat16 and float32 give the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from pellucid.errors import ContractError

Precision = Literal["float32", "bf16"]

CHUNK = 8192
"""Patches compared at once: with some hundred prototypes a product of a few megabytes, which stays in the cache."""

U32, U16 = 2.0**-24, 2.0**-8
"""Largest relative error of rounding to float32 (24 significant bits) and to bfloat16 (8)."""

PAIRS = 1 << 22
"""Numbers measured anew at once; bounds memory, not results."""

MANY = 0.02
"""Share of pairs left open by bfloat16 from which a product in float32 is cheaper than measuring them all."""


class Nearest(NamedTuple):
    """Ids and squared distances of the nearest patches, the nearest first; shape (prototype, kept).

    Of patches that are equally near, the one that came first. -1 and infinity where there were fewer patches.
    """

    ids: Tensor
    distances: Tensor


@torch.no_grad()
def nearest(
    prototypes: Tensor, patches: Tensor | Iterable[Tensor], *, keep: int = 1, precision: Precision = "float32"
) -> Nearest:
    """The patches nearest to each prototype, by Euclidean distance.

    Parameters
    ----------
    prototypes : Tensor, shape (prototype, value)
    patches : Tensor of shape (patch, value), or an iterable of such
        Chunks are read one after the other and not kept, so that they need not fit in memory together. Ids count through
        all of them.
    keep : int
        How many for each prototype.
    precision : {"float32", "bf16"}
        Of the first look. It changes the time, not the outcome; ``"bf16"`` pays where the processor multiplies bfloat16
        natively.

    Returns
    -------
    Nearest

    Raises
    ------
    ContractError
        If a number is NaN or infinite, or widths differ.

    Examples
    --------
    >>> nearest(torch.zeros(1, 2), [torch.ones(3, 2), torch.full((1, 2), 0.5)]).ids.tolist()
    [[3]]
    """
    search = Search(prototypes, keep=keep, precision=precision)
    for chunk in (patches,) if isinstance(patches, Tensor) else patches:
        search.add(chunk)
    return Nearest(search.ids, search.distances)


class Search:
    """:func:`nearest` for chunks that come one at a time.

    Parameters
    ----------
    prototypes, keep, precision
        See :func:`nearest`.
    hold : int
        How many numbers of what else belongs to a patch to keep with the nearest, in :attr:`held`, shape (prototype, kept,
        hold).
    """

    def __init__(self, prototypes: Tensor, *, keep: int = 1, precision: Precision = "float32", hold: int = 0) -> None:
        _refuse_unfit(prototypes, prototypes.shape[1])
        count = len(prototypes)
        self.prototypes, self.keep, self.precision = prototypes.float(), keep, precision
        self.ids = torch.full((count, keep), -1, dtype=torch.long)
        self.distances = torch.full((count, keep), torch.inf, dtype=torch.float64)
        self.held = torch.zeros(count, keep, hold)
        self.seen = 0
        self._look: _Look | None = None

    @torch.no_grad()
    def add(self, patches: Tensor, held: Tensor | None = None) -> None:
        """Look at more patches, shape (patch, value), with what belongs to them, shape (patch, hold)."""
        _refuse_unfit(patches, self.prototypes.shape[1])
        if not len(patches):
            return
        beside = patches.new_zeros(len(patches), 0) if held is None else held
        for chunk, own in zip(patches.float().split(CHUNK), beside.split(CHUNK), strict=True):
            if self._look is None:
                # Distances do not change if everything is moved; errors of products are smaller around the mean.
                self._look = _Look(self.prototypes, chunk.mean(0))
            for prototype, patch in self._open(chunk):
                self._measure(chunk, own, prototype, patch)
            self.seen += len(chunk)

    def _open(self, chunk: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs that may be among the nearest, as positions of prototypes and patches, some at a time."""
        assert self._look is not None
        seen = self._look.at(chunk, self.precision)
        prototype, patch = self._within(seen)
        if self.precision == "bf16" and len(prototype) > MANY * seen.apart.numel():
            prototype, patch = self._within(self._look.at(chunk, "float32"))
        step = max(1, PAIRS // chunk.shape[1])
        yield from zip(prototype.split(step), patch.split(step), strict=True)

    def _within(self, seen: _Seen) -> tuple[Tensor, Tensor]:
        assert self._look is not None
        lowest = seen.apart.amin(1)
        limit = self.distances[:, -1] - self._look.squares
        if seen.apart.shape[1] >= self.keep:
            # Nothing farther than the chunk's own nearest patches can be among the nearest.
            farthest = lowest if self.keep == 1 else self._kth(seen, lowest, limit)
            limit = torch.minimum(limit, seen.at_most(farthest))
        rows = torch.nonzero(lowest <= seen.looks_like(limit))[:, 0]
        row, patch = torch.nonzero(seen.apart[rows] <= seen.looks_like(limit)[rows, None], as_tuple=True)
        return rows[row], patch

    def _kth(self, seen: _Seen, lowest: Tensor, limit: Tensor) -> Tensor:
        farthest = torch.full_like(lowest, torch.inf)
        rows = torch.nonzero(lowest <= seen.looks_like(limit))[:, 0]
        if len(rows):
            farthest[rows] = seen.apart[rows].float().kthvalue(self.keep, dim=1).values.to(farthest.dtype)
        return farthest

    def _measure(self, chunk: Tensor, beside: Tensor, prototype: Tensor, patch: Tensor) -> None:
        """Merge some pairs, ordered by prototype and patch, into the nearest."""
        if not len(prototype):
            return
        exact = (chunk[patch].double() - self.prototypes[prototype].double()).square().sum(1)
        order = exact.argsort(stable=True)
        order = order[prototype[order].argsort(stable=True)]
        prototype, patch, exact = prototype[order], patch[order], exact[order]
        rows, counts = prototype.unique_consecutive(return_counts=True)
        first = counts.cumsum(0) - counts
        rank = torch.arange(len(prototype)) - first.repeat_interleave(counts)
        chosen = rank < self.keep
        row = torch.arange(len(rows)).repeat_interleave(counts)[chosen]
        distance = torch.full((len(rows), self.keep), torch.inf, dtype=torch.float64)
        at = torch.full((len(rows), self.keep), -1, dtype=torch.long)
        distance[row, rank[chosen]], at[row, rank[chosen]] = exact[chosen], patch[chosen]
        both = torch.cat([self.distances[rows], distance], dim=1)
        # The sort is stable and earlier patches stand first, so ties go to the lowest id.
        best = both.sort(dim=1, stable=True).indices[:, : self.keep]
        ids = torch.cat([self.ids[rows], torch.where(at >= 0, at + self.seen, -1)], dim=1)
        self.distances[rows], self.ids[rows] = both.gather(1, best), ids.gather(1, best)
        if self.held.shape[2]:
            values = torch.cat([self.held[rows], beside[at.clamp(min=0)]], dim=1)
            self.held[rows] = values.gather(1, best[:, :, None].expand(-1, -1, values.shape[2]))


class _Seen(NamedTuple):
    """Squared distances but for the prototypes' own squares, as a fast product says, shape (prototype, patch)."""

    apart: Tensor
    error: Tensor
    """How far a number may be off before it is rounded to the type of ``apart``, float64, shape (prototype,)."""

    def looks_like(self, true: Tensor) -> Tensor:
        """The largest number that something as far away as this can appear as: rounding keeps the order."""
        return _up(true + self.error).to(self.apart.dtype)

    def at_most(self, seen: Tensor) -> Tensor:
        """How far away something that appears like this can be."""
        unit = U16 if self.apart.dtype == torch.bfloat16 else U32
        return seen.double() + 2 * unit * seen.double().abs() + self.error


class _Look:
    """Prototypes ready to be multiplied with chunks."""

    def __init__(self, prototypes: Tensor, centre: Tensor) -> None:
        self.centre = centre
        moved = prototypes - centre
        self.doubled = -2 * moved
        self.squares = moved.double().square().sum(1)
        self.lengths = self.squares.sqrt()
        # A patch's square is added in the product itself, as a sum of three numbers that bfloat16 can hold.
        self.doubled16 = torch.cat([self.doubled, torch.ones(len(moved), 3)], dim=1).bfloat16()
        self.room: dict[tuple[torch.dtype, int], Tensor] = {}

    def at(self, chunk: Tensor, precision: Precision) -> _Seen:
        """Compare a chunk with all prototypes."""
        x = chunk - self.centre
        squares = torch.linalg.vecdot(x, x)
        longest = float(squares.max()) ** 0.5 * (1 + 1e-3)
        # Whatever the order of summation, a sum of n products is off by at most n rounding errors of the sum of their
        # sizes, here at most (|x| + |q|)^2; so are the squares, and moving to the centre adds a few more.
        error = (4 * x.shape[1] + 32) * U32 * (longest + self.lengths).square() + 1e-30
        if precision == "float32":
            room = self._room(torch.float32, len(x))
            return _Seen(torch.addmm(squares, self.doubled, x.t(), out=room), error)
        # Rounding both factors moves a product by at most 2 u + u^2 of the factors' lengths.
        error = error + 2 * (2 * U16 + U16**2) * longest * self.lengths
        room = self._room(torch.bfloat16, len(x))
        return _Seen(torch.mm(self.doubled16, _with_squares(x, squares).t(), out=room), error)

    def _room(self, dtype: torch.dtype, count: int) -> Tensor:
        if (dtype, count) not in self.room:
            self.room = {(dtype, count): torch.empty(len(self.squares), count, dtype=dtype)}
        return self.room[dtype, count]


def _with_squares(x: Tensor, squares: Tensor) -> Tensor:
    wide = torch.empty(len(x), x.shape[1] + 3, dtype=torch.bfloat16)
    wide[:, :-3] = x
    rest = squares
    for column in (-3, -2, -1):
        wide[:, column] = rest
        rest = rest - wide[:, column].float()
    return wide


def _up(value: Tensor) -> Tensor:
    # Far more than is lost on the way to float32, and nothing beside the error itself.
    return value + value.abs() * 2.0**-22


def _refuse_unfit(values: Tensor, width: int) -> None:
    if values.ndim != 2 or values.shape[1] != width:
        raise ContractError(
            f"patches of shape {tuple(values.shape)} cannot be compared with prototypes of {width} numbers"
        )
    # A sum is finite only if all numbers are; one that overflows without need is too large to be compared anyway.
    if not torch.isfinite(values.sum()):
        raise ContractError("prototypes and patches must be finite: some number is NaN or infinite")
