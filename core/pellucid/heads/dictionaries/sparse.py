"""Sparse codes and the products that they need: only what is active costs anything, forwards and backwards.

A dense training step of a dictionary is five products of (row, unit) with (unit, feature). Where few features of a row are
active, only the first of them, which finds out which, needs all features; decoding and all gradients need the active ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

Choice = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Which features of each row are active: from (row, feature) to the two first fields of :class:`SparseCodes`."""


@dataclass(frozen=True)
class SparseCodes:
    """Active features of some rows, row after row (the compressed sparse row layout).

    Parameters
    ----------
    starts : Tensor of int64, shape (row + 1,)
        Where each row's features begin in the other two.
    features : Tensor of int64, shape (active,)
    values : Tensor, shape (active,)
    width : int
        How many features there are.
    """

    starts: Tensor
    features: Tensor
    values: Tensor
    width: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def rows(self) -> Tensor:
        """Row of each active feature, int64, shape (active,)."""
        return torch.repeat_interleave(self.starts.diff())

    def with_values(self, values: Tensor) -> SparseCodes:
        """The same features with other values."""
        return SparseCodes(self.starts, self.features, values, self.width)

    def dense(self) -> Tensor:
        """All features of all rows, shape (row, feature)."""
        full = self.values.new_zeros(len(self), self.width)
        return full.index_put((self.rows, self.features), self.values)

    def decoded(self, atoms: Tensor) -> Tensor:
        """Weighted sums of atoms, shape (row, unit); gradients reach values and atoms."""
        found: Tensor = _Decode.apply(self.values, atoms, self.starts, self.features)
        return found


def strongest_of_row(k: int) -> Choice:
    """The ``k`` strongest features of each row."""

    def choose(found: Tensor) -> tuple[Tensor, Tensor]:
        features = found.topk(k, dim=1, sorted=False).indices
        return torch.arange(0, len(found) * k + 1, k, device=found.device), features.reshape(-1)

    return choose


def strongest_of_batch(k: int) -> Choice:
    """The strongest features of the whole batch, ``k`` a row on average."""

    def choose(found: Tensor) -> tuple[Tensor, Tensor]:
        at = found.reshape(-1).topk(k * len(found), sorted=False).indices.sort().values
        rows = torch.div(at, found.shape[1], rounding_mode="floor")
        starts = torch.searchsorted(rows, torch.arange(len(found) + 1, device=found.device))
        return starts, at - rows * found.shape[1]

    return choose


def above(threshold: Tensor) -> Choice:
    """Features above a threshold, one for all or one for each feature."""

    def choose(found: Tensor) -> tuple[Tensor, Tensor]:
        rows, features = torch.nonzero(found > threshold, as_tuple=True)
        return torch.searchsorted(rows, torch.arange(len(found) + 1, device=found.device)), features

    return choose


def encoded(x: Tensor, weight: Tensor, bias: Tensor, choose: Choice) -> SparseCodes:
    """``x @ weight.T + bias`` at the features that are chosen from all of it.

    The choice is a constant to the gradients, as it is where a dense code is masked.

    Parameters
    ----------
    x : Tensor, shape (row, unit)
    weight : Tensor, shape (feature, unit)
    bias : Tensor, shape (feature,)
    choose : callable
    """
    with torch.no_grad():
        found = torch.addmm(bias, x, weight.T)
        starts, features = choose(found)
        values = found.gather(1, features.view(len(x), -1)).reshape(-1) if _even(starts) else None
        if values is None:
            values = found[torch.repeat_interleave(starts.diff()), features]
    values = _Encode.apply(x, weight, bias, values, starts, features)
    return SparseCodes(starts, features, values, len(weight))


def without_radial_gradient(atoms: Tensor) -> Tensor:
    """The atoms as they are; a gradient that would only lengthen them is left out.

    Atoms are put back to unit length after each step; what lies along them would be lost there, but not in the optimizer's
    running means.
    """
    found: Tensor = _UnitRows.apply(atoms)
    return found


def _even(starts: Tensor) -> bool:
    counts = starts.diff()
    return bool(len(counts)) and bool((counts == counts[0]).all()) and bool(counts[0] > 0)


def _matrix(starts: Tensor, features: Tensor, values: Tensor, width: int) -> Tensor:
    with warnings.catch_warnings():
        # torch says once a process that the layout is new, and that it does not check what it is given.
        warnings.filterwarnings("ignore", message=".*(Sparse CSR tensor support|Sparse invariant checks).*")
        return torch.sparse_csr_tensor(
            starts, features, values, (len(starts) - 1, width), dtype=values.dtype, check_invariants=False
        )


def _transposed_product(starts: Tensor, features: Tensor, values: Tensor, width: int, dense: Tensor) -> Tensor:
    """Shape (feature, unit)."""
    return _matrix(starts, features, values, width).to_sparse_csc().transpose(0, 1) @ dense


def _products_at(starts: Tensor, features: Tensor, left: Tensor, atoms: Tensor) -> Tensor:
    """``left @ atoms.T`` at the active features alone, shape (active,)."""
    if _samples_products(left.device):
        empty = _matrix(starts, features, left.new_zeros(len(features)), len(atoms))
        return torch.sparse.sampled_addmm(empty, left, atoms.T, beta=0.0).values()
    rows = torch.repeat_interleave(starts.diff())
    some = 1 << 15  # rows of both factors side by side are large; in pieces they stay in the processor's cache
    return torch.cat(
        [
            torch.linalg.vecdot(left[rows[at : at + some]], atoms[features[at : at + some]])
            for at in range(0, max(1, len(features)), some)
        ]
    )


@cache
def _samples_products(device: torch.device) -> bool:
    """Whether this build of torch can on a device; on a processor those without MKL cannot."""
    try:
        one, starts = torch.ones(1, 1, device=device), torch.arange(2, device=device)
        torch.sparse.sampled_addmm(_matrix(starts, starts[:1], one[0], 1), one, one)
    except RuntimeError:
        return False
    return True


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, values: Tensor, starts: Tensor, features: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, weight, starts, features)
        return values.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, starts, features = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_x = _matrix(starts, features, gradient, len(weight)) @ weight if ctx.needs_input_grad[0] else None
        of_weight = _transposed_product(starts, features, gradient, len(weight), x)
        of_bias = gradient.new_zeros(len(weight)).index_add_(0, features, gradient)
        return of_x, of_weight, of_bias, None, None, None


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, atoms: Tensor, starts: Tensor, features: Tensor) -> Tensor:
        ctx.save_for_backward(values, atoms, starts, features)
        return functional.embedding_bag(features, atoms, starts[:-1], per_sample_weights=values, mode="sum")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        values, atoms, starts, features = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_values = _products_at(starts, features, gradient, atoms) if ctx.needs_input_grad[0] else None
        of_atoms = None
        if ctx.needs_input_grad[1]:
            of_atoms = _transposed_product(starts, features, values, len(atoms), gradient)
        return of_values, of_atoms, None, None


class _UnitRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, atoms: Tensor) -> Tensor:
        ctx.save_for_backward(atoms)
        return atoms.view_as(atoms)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (atoms,) = ctx.saved_tensors
        along = torch.linalg.vecdot(gradient, atoms)[:, None]
        return torch.addcmul(gradient, along, atoms, value=-1)
