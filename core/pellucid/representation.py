"""Representations: what an encoder makes of a batch, with a name for every unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from pydantic import model_validator
from torch import Tensor

from pellucid.data.frozen import Frozen
from pellucid.errors import ContractError
from pellucid.regions import Region


class TokenShape(Frozen):
    """How many tokens there are, and how wide each is: known before any batch is seen.

    Parameters
    ----------
    count, width : int
    names : tuple of str
        One a token, where tokens are no places: the steps of a calculation. Empty for places, which have regions.
    learning : int, optional
        How many there are while the encoder learns, where it then sees a part of the input alone.
    """

    count: int
    width: int
    names: tuple[str, ...] = ()
    learning: int | None = None

    @property
    def fewest(self) -> int:
        """As many as there always are."""
        return self.count if self.learning is None else min(self.count, self.learning)

    @model_validator(mode="after")
    def _one_name_a_token(self) -> TokenShape:
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{self.count} tokens but {len(self.names)} names")
        return self


@dataclass(frozen=True)
class Tokens:
    """Units of each place of an input.

    Parameters
    ----------
    values : Tensor, shape (sample, token, width)
    regions : tuple of Region, optional
        The region of the input that each token covers, the same for every sample; none where tokens are no places.
    """

    values: Tensor
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or (self.regions and self.values.shape[1] != len(self.regions)):
            raise ContractError(
                f"tokens of shape {tuple(self.values.shape)} have {len(self.regions)} regions; they need one a token"
            )


@dataclass(frozen=True)
class Representation:
    """Values with names, and optionally tokens with the regions they cover.

    Parameters
    ----------
    values : Tensor, shape (sample, unit)
    names : tuple of str
        One a unit.
    tokens : mapping of str to Tokens, optional
        Sets of tokens by name. An encoder that has one set calls it ``""``, one with several (branches, scales) by their
        names; side by side with others they are called ``prefix`` and ``prefix:name``.
    """

    values: Tensor
    names: tuple[str, ...]
    tokens: Mapping[str, Tokens] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ContractError(
                f"a representation of shape {tuple(self.values.shape)} has {len(self.names)} names; it needs one a unit"
            )

    def __len__(self) -> int:
        return len(self.values)

    def with_values(self, values: Tensor) -> Representation:
        """The same units with other values: for perturbations. Tokens would no longer belong to them and are left out."""
        return Representation(values, self.names)

    def rows(self, rows: slice | Tensor) -> Representation:
        """Some of the samples, tokens included."""
        tokens = {name: Tokens(one.values[rows], one.regions) for name, one in self.tokens.items()}
        return Representation(self.values[rows], self.names, tokens)


def joined(parts: Sequence[tuple[str, Representation]]) -> Representation:
    """Representations side by side; names become ``input:unit`` so that each says where it comes from."""
    names = tuple(f"{prefix}:{name}" for prefix, part in parts for name in part.names)
    tokens = {tokens_name(prefix, name): one for prefix, part in parts for name, one in part.tokens.items()}
    values = parts[0][1].values if len(parts) == 1 else torch.cat([part.values for _, part in parts], dim=1)
    return Representation(values, names, tokens)


def tokens_name(prefix: str, name: str) -> str:
    """What a set of tokens of an encoder is called in a model.

    Examples
    --------
    >>> tokens_name("signal", ""), tokens_name("signal", "slow")
    ('signal', 'signal:slow')
    """
    return f"{prefix}:{name}" if name else prefix


def concatenated(parts: Sequence[Representation]) -> Representation:
    """Representations of several batches by the same encoders as one."""
    first = parts[0]
    tokens = {
        name: Tokens(torch.cat([part.tokens[name].values for part in parts]), one.regions)
        for name, one in first.tokens.items()
    }
    return Representation(torch.cat([part.values for part in parts]), first.names, tokens)
