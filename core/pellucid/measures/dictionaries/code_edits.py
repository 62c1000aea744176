"""Edits of codes, handed back as activations with what the dictionary does not reconstruct left as it was."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Decode = Callable[[Tensor], Tensor]
"""Codes, shape (..., feature), to activations, shape (..., unit)."""


def with_error(x: Tensor, codes: Tensor, edited: Tensor, decode: Decode) -> Tensor:
    """``decode(edited) + (x - decode(codes))``: the edit alone changes, the error of the dictionary is kept.

    Parameters
    ----------
    x : Tensor, shape (..., unit)
    codes, edited : Tensor, shape (..., feature)
    decode : callable

    Returns
    -------
    Tensor, shape (..., unit)
        ``x`` itself where nothing was edited.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 0.5]]); codes = torch.tensor([[1.0]])
    >>> with_error(x, codes, 0 * codes, lambda f: f @ torch.tensor([[1.0, 0.0]]))      # the 0.5 is not in the codes
    tensor([[0.0000, 0.5000]])
    """
    return decode(edited) + (x - decode(codes))


def without(codes: Tensor, features: Tensor) -> Tensor:
    """Codes, shape (..., feature), with some features off; ``features`` are positions or a mask."""
    kept = torch.ones(codes.shape[-1], dtype=codes.dtype, device=codes.device)
    kept[features] = 0
    return codes * kept


def clamped(codes: Tensor, features: Tensor, value: float, *, everywhere: bool = False) -> Tensor:
    """Codes with some features set to a value, only where they are on (above zero), or ``everywhere``.

    Parameters
    ----------
    codes : Tensor, shape (..., feature)
    features : Tensor of int or bool
        Positions of features, or a mask.
    value : float
        In units of the codes.
    everywhere : bool
    """
    chosen = torch.zeros(codes.shape[-1], dtype=torch.bool, device=codes.device)
    chosen[features] = True
    return torch.where(chosen & ((codes > 0) | everywhere), torch.full_like(codes, value), codes)
