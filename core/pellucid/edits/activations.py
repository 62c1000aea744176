"""Edits of activations: along a direction, or by features of a dictionary with all that it does not explain left as it was."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from operator import index
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.activations.layers import Channels, Layout, channels_of, find_layer
from pellucid.errors import ContractError
from pellucid.fingerprint import hexadecimal, layer_fingerprint, origin
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.edits import clamped, without
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
        object.__setattr__(self, "strength", _number("strength", self.strength))

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


@dataclass(frozen=True, eq=False)
class _OfFeatures(Edit):
    dictionary: Dictionary
    features: Sequence[int]

    def __post_init__(self) -> None:
        if not isinstance(self.dictionary, Dictionary):
            raise ContractError(
                f"features are of a dictionary, but this is a {type(self.dictionary).__name__}: of a model take its head (model.head)"
            )
        try:
            # Numbers of a tensor are never equal to one another for a set: each must be known as the number it is.
            features = tuple(index(feature) for feature in self.features)
        except TypeError:
            raise ContractError(f"features are whole numbers in a list, not {self.features!r}") from None
        object.__setattr__(self, "features", features)
        many = self.dictionary.config.features
        for feature in features:
            if not 0 <= feature < many:
                raise ContractError(f"no feature {feature}: this dictionary has {many}, from 0 to {many - 1}")
        if len(set(features)) < len(features):
            raise ContractError(f"features {list(features)}: name each once, or it would be taken away more than once")

    @property
    def units(self) -> int:
        """Of the dictionary."""
        return len(self.dictionary.config.units)

    @property
    def origin(self) -> str:
        """What the dictionary has learnt from."""
        return self.dictionary.origin

    def changed(self, x: Tensor, edit: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Rows in which an edit has changed the codes of these features; what the dictionary does not explain stays.

        Parameters
        ----------
        x : Tensor, shape (row, unit)
        edit : callable
            From codes, shape (row, feature), and positions of features to codes.
        """
        at = torch.tensor(list(self.features), dtype=torch.int64, device=x.device)
        codes = self.dictionary.encode(x)
        # Only what changes is decoded: rows in which nothing does stay the same to the last bit.
        return x + (edit(codes, at) - codes)[:, at] @ self.dictionary.atoms[at].to(x)

    def described(self, edit: str) -> dict[str, Any]:
        """What edits of features have in common; the dictionary by its class and the digest of all its numbers."""
        digest = hexadecimal([("", self.dictionary)])
        of = {"class": type(self.dictionary).__name__, "fingerprint": digest}
        return {"edit": edit, "features": [int(one) for one in self.features], "dictionary": of}


@dataclass(frozen=True, eq=False)
class Remove(_OfFeatures):
    """Take features of a dictionary away: ``x - sum_j code_j * atom_j`` over these features.

    The same as decoding the other codes and adding the error that the dictionary makes on the row itself.

    Parameters
    ----------
    dictionary : Dictionary
    features : sequence of int
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Without the features."""
        return self.changed(x, without)

    def describe(self) -> dict[str, Any]:
        """Which features, and of which dictionary."""
        return self.described("remove")


@dataclass(frozen=True, eq=False)
class Clamp(_OfFeatures):
    """Set features of a dictionary to one code where they are on, as :func:`~pellucid.measures.dictionaries.edits.clamped` does.

    Parameters
    ----------
    dictionary : Dictionary
    features : sequence of int
    value : float
        In units of the codes.
    everywhere : bool
        Whether they are set where they are off too.
    """

    value: float = 0.0
    everywhere: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "value", _number("value", self.value))
        if not isinstance(self.everywhere, bool):
            raise ContractError(f"everywhere is True or False, not {self.everywhere!r}")

    def __call__(self, x: Tensor) -> Tensor:
        """With the features at the value."""
        return self.changed(x, lambda codes, at: clamped(codes, at, self.value, everywhere=self.everywhere))

    def describe(self) -> dict[str, Any]:
        """Which features, of which dictionary, the value, and where."""
        return {**self.described("clamp"), "value": self.value, "everywhere": self.everywhere}


def _number(name: str, given: Any) -> float:
    """A plain number, from one or from a tensor or array of one; the record of an edit is JSON.

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
    if isinstance(model, Model) and edit.origin:
        here = origin(path, layer_fingerprint(model, path))
        if edit.origin != here:
            raise ContractError(
                f"the dictionary of this edit has learnt from {edit.origin}, but it would be applied to {here}: its features mean "
                "nothing there. Edit the layer and the model that its rows were collected from"
            )

    calls: list[None] = []

    def change(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        calls.append(None)
        if not isinstance(output, Tensor):
            raise ContractError(
                f"module {path!r} returns a {type(output).__name__}, not one tensor; edit one inside it"
            )
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
