"""Edits of activations: what one is, how it is applied to a layer and taken back, and the plainest, along a direction."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.activations.layers import Channels, Layout, channels_of, find_layer
from pellucid.errors import ContractError
from pellucid.fingerprint import layer_fingerprint, origin
from pellucid.model import Model


class Edit(ABC):
    """A change of rows, shape (row, unit)."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """The rows, changed."""

    @property
    @abstractmethod
    def units(self) -> int:
        """How many units a row must have."""

    @property
    def origin(self) -> str:
        """Which layer of which model it is made for; empty where it does not say."""
        return ""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Plain values that say what it does, for the record."""


@dataclass(frozen=True, eq=False)
class Steer(Edit):
    """Add a direction to every row.

    Parameters
    ----------
    direction : Tensor, shape (unit,)
    strength : float
        In units of the direction's own length.
    name : str
        What the direction stands for.
    """

    direction: Tensor
    strength: float
    name: str = "direction"

    def __post_init__(self) -> None:
        direction = self.direction
        if not isinstance(direction, Tensor) or direction.ndim != 1 or not direction.is_floating_point():
            told = (
                f"a tensor of {direction.dtype} and shape {tuple(direction.shape)}"
                if isinstance(direction, Tensor)
                else f"a {type(direction).__name__}"
            )
            raise ContractError(f"a direction is a tensor of real numbers, one a unit, not {told}")
        if not bool(torch.isfinite(direction).all()):
            raise ContractError(
                f"{int((~torch.isfinite(direction)).sum())} of {len(direction)} numbers of the direction {self.name!r} are NaN or "
                "infinite: every row would become so"
            )
        object.__setattr__(self, "strength", plain_number("strength", self.strength))

    def __call__(self, x: Tensor) -> Tensor:
        """``x + strength * direction``."""
        return x + self.strength * self.direction.to(x)

    @property
    def units(self) -> int:
        """Of the direction."""
        return len(self.direction)

    def describe(self) -> dict[str, Any]:
        """Name, strength and length."""
        length = float(torch.linalg.vector_norm(self.direction))
        return {"edit": "steer", "name": self.name, "strength": self.strength, "length": length}


Where = Callable[[tuple[int, ...]], Tensor | None]
"""From the shape of a layer's positions to those that are edited, bool, shape (sample, position); None: all."""


@contextmanager
def applied(
    model: nn.Module, layer: str, edit: Edit, *, channels: Channels | None = None, where: Where | None = None
) -> Iterator[str]:
    """Change what a layer says for the length of a block; afterwards the model is as it was.

    A layer that is called several times in the block, be it for several batches or by a model that uses it twice for one, is
    edited each time.

    Parameters
    ----------
    model : nn.Module
    layer : str
        Path of a module, or the end of it; see :func:`~pellucid.activations.layers.find_layer`.
    edit : Edit
    channels : {"first", "last"}, optional
        Where units stand in outputs of three axes, if the layer does not tell.
    where : callable, optional
        Which positions are edited, asked at each call; all by default. See
        :func:`~pellucid.activations.collecting.kept_positions`.

    Yields
    ------
    str
        The full path of the layer.

    Raises
    ------
    ContractError
        If there is no such layer, it does not say one tensor, its rows have another number of units than the edit, the edit is
        by a dictionary of another model or layer, or the layer was not called in the block, so that nothing was edited.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Identity())
    >>> x, push = torch.zeros(1, 2), Steer(torch.tensor([1.0, 0.0]), 2.0)
    >>> with torch.no_grad(), applied(model, "0", push):
    ...     model(x).tolist()
    [[2.0, 0.0]]
    >>> with torch.no_grad():
    ...     model(x).tolist()
    [[0.0, 0.0]]
    """
    path = find_layer(model, layer)
    module = dict(model.named_modules())[path]
    layout = Layout(channels or channels_of(module))
    _check_origin(model, path, edit)
    calls: list[None] = []

    def change(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        calls.append(None)
        return _edited(output, path, layout, edit, where)

    handle = module.register_forward_hook(change)
    try:
        yield path
        if not calls:
            raise ContractError(
                f"module {path!r} was not called while the edit was applied, so nothing was edited: call the model inside the "
                "block, or edit a layer that it uses"
            )
    finally:
        handle.remove()


def _check_origin(model: nn.Module, path: str, edit: Edit) -> None:
    """Refuse an edit by a dictionary of another model or layer."""
    if not isinstance(model, Model) or not edit.origin:
        return
    here = origin(path, layer_fingerprint(model, path))
    if edit.origin != here:
        raise ContractError(
            f"the dictionary of this edit has learnt from {edit.origin}, but it would be applied to {here}: its features mean "
            "nothing there. Edit the layer and the model that its rows were collected from"
        )


def _edited(output: object, path: str, layout: Layout, edit: Edit, where: Where | None) -> Tensor:
    """What a layer says, its rows changed, in the shape that it had."""
    if not isinstance(output, Tensor):
        raise ContractError(f"module {path!r} returns a {type(output).__name__}, not one tensor; edit one inside it")
    rows, shape = layout.positions(output)
    if rows.shape[2] != edit.units:
        raise ContractError(
            f"module {path!r} says {rows.shape[2]} units, but the edit is of {edit.units}: was it made for another model or "
            "another layer?"
        )
    kept = None if where is None else where(shape)
    if kept is None:
        found = edit(rows.reshape(-1, rows.shape[2])).reshape(rows.shape)
    elif kept.shape != rows.shape[:2]:
        raise ContractError(
            f"positions to edit have shape {tuple(kept.shape)}, but module {path!r} has {rows.shape[1]} positions of "
            f"{rows.shape[0]} samples"
        )
    else:
        found = rows.clone()
        found[kept] = edit(rows[kept]).to(rows)
    if output.ndim <= 2 or (output.ndim == 3 and layout.channels == "last"):
        return found.reshape(output.shape)
    return found.transpose(1, 2).reshape(*output.shape[:2], *shape)


def plain_number(name: str, given: Any) -> float:
    """A plain number, from one or from a tensor or array of one; the record of an edit is JSON.

    Parameters
    ----------
    name : str
        Of the setting, for messages.
    given : float, or Tensor or ndarray of one number

    Raises
    ------
    ContractError
        If it is none, or NaN or infinite.
    """
    known = isinstance(given, Real) or (getattr(given, "shape", None) == () and hasattr(given, "item"))
    number = given.item() if known and hasattr(given, "item") else given
    if not known or isinstance(number, bool | complex) or not isinstance(number, Real):
        raise ContractError(f"{name} is a number, not {given!r}")
    if not math.isfinite(number):
        raise ContractError(f"{name} is {float(number)}: expected a number that every row can bear")
    return float(number)
