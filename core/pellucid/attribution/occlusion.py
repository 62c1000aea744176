"""Occlusion: how much the output falls when a part of the input is replaced by the baseline."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from pellucid.attribution.memory import Function, rows_at_once, still
from pellucid.attribution.values import Attribution
from pellucid.errors import ContractError

Window = tuple[slice, ...]
"""One slice an axis of the input."""


def windows(shape: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...] | None = None) -> list[Window]:
    """Windows that cover an input; the last ones of an axis are cut short at its end.

    Parameters
    ----------
    shape, window, stride : tuple of int
        One number an axis; the stride is the window by default.

    Examples
    --------
    >>> windows((5,), (2,))
    [(slice(0, 2, None),), (slice(2, 4, None),), (slice(4, 5, None),)]
    """
    stride = stride or window
    if len(window) != len(shape) or len(stride) != len(shape):
        raise ContractError(
            f"window {window} and stride {stride} for an input of shape {shape}; give one number an axis"
        )
    if any(not 0 < step <= size for step, size in zip(stride, window, strict=True)):
        raise ContractError(
            f"stride {stride} leaves parts between windows of {window} unseen; it must be 1 to the window"
        )
    axes = [
        [slice(start, min(start + size, length)) for start in range(0, max(length - (size - step), 1), step)]
        for length, size, step in zip(shape, window, stride, strict=True)
    ]
    return list(itertools.product(*axes))


def drops(
    function: Function,
    x: Tensor,
    baseline: Tensor,
    parts: list[Window],
    *,
    module: nn.Module | None = None,
    rows: int | None = None,
) -> Tensor:
    """How much the output falls without each part, shape (sample, part).

    Parameters
    ----------
    function : Function
    x, baseline : Tensor, shape (sample, *input shape)
    parts : list of Window
    module : nn.Module, optional
        What ``function`` calls: put in evaluation mode for the time being.
    rows : int, optional
        Perturbed samples evaluated at once; chosen from a byte budget by default.
    """
    with still(module), torch.no_grad():
        rows = rows or rows_at_once(function, x)
        found = x.new_empty((len(x), len(parts)), dtype=torch.get_default_dtype())
        for start in range(0, len(x), rows):
            some, base = x[start : start + rows], baseline[start : start + rows]
            of = torch.arange(start, start + len(some), device=x.device)
            whole = function(some, of)
            several = max(1, rows // len(some))
            for first in range(0, len(parts), several):
                chunk = parts[first : first + several]
                perturbed = some.repeat(len(chunk), *[1] * (some.ndim - 1)).unflatten(0, (len(chunk), len(some)))
                for one, part in zip(perturbed, chunk, strict=True):
                    one[(slice(None), *part)] = base[(slice(None), *part)]
                outputs = function(perturbed.flatten(0, 1), of.repeat(len(chunk))).unflatten(0, (len(chunk), len(some)))
                found[start : start + len(some), first : first + len(chunk)] = (whole - outputs).t()
    return found


def occlusion(
    function: Function,
    x: Tensor,
    baseline: Tensor,
    window: tuple[int, ...],
    *,
    stride: tuple[int, ...] | None = None,
    module: nn.Module | None = None,
    rows: int | None = None,
) -> Attribution:
    """Spread the fall of the output evenly over the numbers that were replaced; mean where windows overlap.

    Plain torch and not captum: captum builds a mask of the whole input for every window, which costs more than the
    evaluation of small models, and gives every number of a window the window's whole fall.

    Parameters
    ----------
    window, stride
        See :func:`windows`.
    function, x, baseline, module, rows
        See :func:`drops`.
    """
    shape = tuple(x.shape[1:])
    parts = windows(shape, window, stride)
    rows = rows or rows_at_once(function, x)
    falls = drops(function, x, baseline, parts, module=module, rows=rows)
    values = torch.zeros(x.shape, dtype=falls.dtype, device=x.device)
    cover = torch.zeros(shape, device=x.device)
    for at, part in enumerate(parts):
        size = cover[part].numel()
        values[(slice(None), *part)] += (falls[:, at] / size).reshape(-1, *[1] * len(shape))
        cover[part] += 1
    with still(module), torch.no_grad():
        output, empty = _in_groups(function, x, rows), _in_groups(function, baseline, rows)
    return Attribution(values / cover, output, empty, "occlusion")


def _in_groups(function: Function, x: Tensor, rows: int) -> Tensor:
    of = torch.arange(len(x), device=x.device).split(rows)
    return torch.cat([function(some, at) for some, at in zip(x.split(rows), of, strict=True)])
