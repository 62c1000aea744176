"""Edits by features of a dictionary: taken away or set to a code, with all that the dictionary does not explain left as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import torch
from torch import Tensor

from pellucid.edits.activations import Edit, plain_number
from pellucid.errors import ContractError
from pellucid.fingerprint import hexadecimal
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.code_edits import clamped, without


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
    """Set features of a dictionary to one code where they are on, as :func:`~pellucid.measures.dictionaries.code_edits.clamped` does.

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
        object.__setattr__(self, "value", plain_number("value", self.value))
        if not isinstance(self.everywhere, bool):
            raise ContractError(f"everywhere is True or False, not {self.everywhere!r}")

    def __call__(self, x: Tensor) -> Tensor:
        """With the features at the value."""
        return self.changed(x, lambda codes, at: clamped(codes, at, self.value, everywhere=self.everywhere))

    def describe(self) -> dict[str, Any]:
        """Which features, of which dictionary, the value, and where."""
        return {**self.described("clamp"), "value": self.value, "everywhere": self.everywhere}
