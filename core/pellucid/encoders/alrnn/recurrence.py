"""The recurrence of an almost-linear network over a whole sample, and its gradient, as one operation.

A step is small (a few hundred numbers) and there are hundreds of them one after the other, so that recording each for automatic
differentiation takes a hundred times as long as computing it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from pellucid.encoders.free_running import LARGEST


class Forcing(NamedTuple):
    """Teacher forcing: when data stand in for what the recurrence says itself.

    Parameters
    ----------
    every : int
        The first units are replaced by the data every so many steps.
    replaced : bool
        Whether what comes back holds the data in their place, or the forecasts that they replaced.
    bounded : bool
        Whether states are cut off at :data:`~pellucid.encoders.free_running.LARGEST`.
    """

    every: int
    replaced: bool
    bounded: bool


class Map(NamedTuple):
    """``z' = A z + W max(z, floor) + h``.

    Parameters
    ----------
    diagonal : Tensor, shape (unit,)
    weight : Tensor, shape (unit, unit)
    bias : Tensor, shape (unit,)
    floor : Tensor, shape (unit,)
        Minus infinity for linear units, 0 for rectified ones; nothing is learnt of it.
    """

    diagonal: Tensor
    weight: Tensor
    bias: Tensor
    floor: Tensor

    def step(self, z: Tensor) -> Tensor:
        """The state after another, shape (..., unit) both."""
        return torch.addcmul(
            torch.nn.functional.linear(z.clamp(min=self.floor), self.weight, self.bias), self.diagonal, z
        )


def states_over(x: Tensor, known: Tensor | None, start: Tensor, of: Map, forcing: Forcing) -> Tensor:
    """States over samples whose first units are replaced by data every so many steps.

    Parameters
    ----------
    x : Tensor, shape (sample, step, channel)
        The data; the first step is not looked at.
    known : Tensor of bool, optional, shape (sample, step, channel)
        What is not known replaces nothing.
    start : Tensor, shape (sample, unit)
        The first state.
    of : Map
    forcing : Forcing

    Returns
    -------
    Tensor, shape (sample, step, unit)
        Differentiable once, except off the CPU or in half precision, where each step is recorded.
    """
    if (
        x.device.type == "cpu"
        and x.dtype == start.dtype == of.weight.dtype
        and x.dtype in (torch.float32, torch.float64)
    ):
        found: Tensor = _Recurrence.apply(x, known, start, of.diagonal, of.weight, of.bias, of.floor, forcing)
        return found
    return step_by_step(x, known, start, of, forcing)


def step_by_step(x: Tensor, known: Tensor | None, start: Tensor, of: Map, forcing: Forcing) -> Tensor:
    """What :func:`states_over` says, with each step recorded for automatic differentiation."""
    z, channels = start, x.shape[2]
    found = [z]
    for at in range(1, x.shape[1]):
        z = of.step(z)
        if forcing.bounded:
            z = z.clamp(-LARGEST, LARGEST)
        forecast = z
        if at % forcing.every == 0:
            here = x[:, at] if known is None else torch.where(known[:, at], x[:, at], z[:, :channels])
            z = torch.cat([here, z[:, channels:]], dim=1)
        found.append(z if forcing.replaced else forecast)
    return torch.stack(found, dim=1)


class _Recurrence(Function):
    """Arrays have any number of axes in front, the same in all: one of networks side by side, when it is mapped over them."""

    @staticmethod
    def forward(
        x: Tensor, known: Tensor | None, start: Tensor, diagonal: Tensor, weight: Tensor, bias: Tensor, floor: Tensor, forcing: Forcing
    ) -> Tensor:  # fmt: skip
        data, there = _steps_first(x), None if known is None else _steps_first(known)
        a, h, cut = (_array(one)[..., None, :] for one in (diagonal, bias, floor))
        w = np.ascontiguousarray(_array(weight).swapaxes(-1, -2))
        channels = data.shape[-1]
        found = np.empty((len(data), *start.shape), data.dtype)
        found[0] = z = _array(start).copy()
        passed, own = np.empty_like(z), np.empty_like(z)
        # What runs away while it learns badly becomes infinite, as it does without numpy, and the loss says so.
        with np.errstate(all="ignore"):
            for at in range(1, len(data)):
                np.maximum(z, cut, out=passed)
                np.multiply(z, a, out=own)
                np.matmul(passed, w, out=z)
                z += own
                z += h
                if forcing.bounded:
                    np.clip(z, -LARGEST, LARGEST, out=z)
                if not forcing.replaced:
                    found[at] = z
                if at % forcing.every == 0:
                    where = True if there is None else there[at]
                    np.copyto(z[..., :channels], data[at], where=where)
                if forcing.replaced:
                    found[at] = z
        return _steps_last(found)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, known, _, diagonal, weight, _, floor, forcing = inputs
        ctx.save_for_backward(x, known, diagonal, weight, floor, output)
        ctx.forcing = forcing

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, known, diagonal, weight, floor, output = ctx.saved_tensors
        forcing: Forcing = ctx.forcing
        g, states = _steps_first(gradient), _steps_first(output)
        there = None if known is None else _steps_first(known)
        a, cut, w = _array(diagonal)[..., None, :], _array(floor)[..., None, :], _array(weight)
        steps, channels = len(g), x.shape[-1]
        inside = np.abs(states) < LARGEST if forcing.bounded else None
        if not forcing.replaced:
            # What came back are forecasts; the map was applied to what they were replaced by.
            states = states.copy()
            turns = slice(forcing.every, None, forcing.every)
            np.copyto(
                states[turns, ..., :channels], _steps_first(x)[turns], where=True if there is None else there[turns]
            )
        with np.errstate(all="ignore"):
            passed = np.maximum(states, cut)
            on = (states >= cut).astype(g.dtype)
            # Of each state before the data replaced part of it; what lies behind the last step is nothing.
            before = np.empty_like(g)
            to_data = np.zeros((steps, *g.shape[1:-1], channels), g.dtype)
            z, own = np.zeros_like(g[0]), np.empty_like(g[0])
            for at in range(steps - 1, -1, -1):
                if at < steps - 1:
                    np.multiply(before[at + 1], a, out=own)
                    np.matmul(before[at + 1], w, out=z)
                    z *= on[at]
                    z += own
                if forcing.replaced:
                    z += g[at]
                if at and at % forcing.every == 0:
                    where = True if there is None else there[at]
                    np.copyto(to_data[at], z[..., :channels], where=where)
                    np.copyto(z[..., :channels], 0, where=where)
                if not forcing.replaced:
                    z += g[at]
                if at and inside is not None:
                    z *= inside[at]
                before[at] = z
            after, first = _together(before[1:]), _together(passed[:-1])
            to_weight = after.swapaxes(-1, -2) @ first
            to_diagonal = (after * _together(states[:-1])).sum(-2)
        return (
            _steps_last(to_data), None, torch.from_numpy(before[0].copy()), torch.from_numpy(to_diagonal), torch.from_numpy(to_weight),
            torch.from_numpy(after.sum(-2)), None, None,
        )  # fmt: skip

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        """All at once, with the axis that is mapped over in front."""
        front = [
            one if not isinstance(one, Tensor)
            else one.expand(info.batch_size, *one.shape) if dim is None
            else one.movedim(dim, 0)
            for one, dim in zip(inputs, in_dims, strict=True)
        ]  # fmt: skip
        return _Recurrence.apply(*front), 0


def _array(one: Tensor) -> np.ndarray:
    return np.asarray(one.detach().numpy())


def _steps_first(one: Tensor) -> np.ndarray:
    """Shape (..., sample, step, unit) to (step, ..., sample, unit)."""
    return np.ascontiguousarray(np.moveaxis(_array(one), -2, 0))


def _steps_last(one: np.ndarray) -> Tensor:
    return torch.from_numpy(np.moveaxis(one, 0, -2))


def _together(one: np.ndarray) -> np.ndarray:
    """Steps and samples as rows, shape (step, ..., sample, unit) to (..., row, unit)."""
    moved = np.moveaxis(one, 0, -3)
    return moved.reshape(*moved.shape[:-3], -1, moved.shape[-1])
