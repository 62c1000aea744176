"""Representations: what an encoder makes of a batch, with a name for every unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from pydantic import model_validator
from torch import Tensor
from torch.nn import functional

from pellucid.data.frozen import Frozen
from pellucid.errors import ContractError, nearest
from pellucid.regions import Region, Subgraph


class TokenShape(Frozen):
    """How many tokens there are, and how wide each is: known before any batch is seen.

    Parameters
    ----------
    count, width : int
    names : tuple of str
        One a token, where tokens are no places: the steps of a calculation. Empty for places, which have regions.
    learning : int, optional
        How many there are while the encoder learns, where it then sees a part of the input alone.
    codebook : int
        How many codes there are, where each token has one; 0: tokens have no codes.
    varying : bool
        Whether their number differs between samples: the atoms of a molecule. ``count`` is then 0, and
        :attr:`Tokens.known` says which there are.
    word : (str, str)
        What one and what several tokens are called where people read.
    line : int, optional
        Tokens of a line, where they stand in lines one after the other: the patches of one channel, then those of the next.
        Order means something within a line alone. None: all are one line.
    """

    count: int
    width: int
    names: tuple[str, ...] = ()
    learning: int | None = None
    codebook: int = 0
    varying: bool = False
    word: tuple[str, str] = ("place", "places")
    line: int | None = None

    @property
    def fewest(self) -> int:
        """As many as there always are."""
        return self.count if self.learning is None else min(self.count, self.learning)

    @model_validator(mode="after")
    def _counted_or_varying(self) -> TokenShape:
        if self.varying != (self.count == 0):
            raise ValueError("tokens have a count, or their number varies and count is 0")
        return self

    @model_validator(mode="after")
    def _one_name_a_token(self) -> TokenShape:
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{self.count} tokens but {len(self.names)} names")
        if self.line is not None and (self.line < 1 or self.count % self.line):
            raise ValueError(f"{self.count} tokens do not stand in whole lines of {self.line}")
        return self


@dataclass(frozen=True)
class Tokens:
    """Units of each place of an input.

    Parameters
    ----------
    values : Tensor, shape (sample, token, width)
    regions : tuple of Region, optional
        The region of the input that each token covers, the same for every sample; none where tokens are no places.
    codes : Tensor of int64, optional, shape (sample, token)
        Which entry of a codebook each token is, from 0; -1 where nothing of its region is known.
    known : Tensor of bool, optional, shape (sample, token)
        Which tokens there are, where samples have different numbers of them; values are 0 where there is none.
    input : str
        Name of the input that the regions lie in; only an encoder knows it. Empty where there are no regions.
    ends : Tensor of int64, optional, shape (sample, token, 2)
        Where tokens are nodes and edges of a graph: the two nodes of an edge, a node twice. It takes the place of ``regions``, as an edge
        of the same number joins other nodes in another sample.
    """

    values: Tensor
    regions: tuple[Region, ...] = ()
    codes: Tensor | None = None
    known: Tensor | None = None
    input: str = ""
    ends: Tensor | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or (self.regions and self.values.shape[1] != len(self.regions)):
            raise ContractError(
                f"tokens of shape {tuple(self.values.shape)} have {len(self.regions)} regions; they need one a token"
            )
        if self.placed and not self.input:
            raise ContractError(
                "tokens have regions, and it is not said which input they lie in: Tokens(..., input=NAME)"
            )
        if self.codes is not None and self.codes.shape != self.values.shape[:2]:
            raise ContractError(
                f"tokens of shape {tuple(self.values.shape)} have codes of shape {tuple(self.codes.shape)}; they need one a token"
            )

        if self.known is not None and self.known.shape != self.values.shape[:2]:
            raise ContractError(
                f"tokens of shape {tuple(self.values.shape)} are known in {tuple(self.known.shape)}; it needs one a token"
            )

        if self.ends is not None and (
            self.ends.shape != (*self.values.shape[:2], 2) or self.known is None or self.regions
        ):
            raise ContractError(
                f"tokens of shape {tuple(self.values.shape)} have ends of shape {tuple(self.ends.shape)}; they need two a token, say which "
                "tokens there are, and have no other regions"
            )

    @property
    def there(self) -> Tensor:
        """Which tokens there are, bool, shape (sample, token)."""
        if self.known is not None:
            return self.known
        return torch.ones(self.values.shape[:2], dtype=torch.bool, device=self.values.device)

    @property
    def placed(self) -> bool:
        """Whether it is known where in the input tokens lie."""
        return bool(self.regions) or self.ends is not None

    def regions_of(self, sample: int) -> tuple[Region, ...]:
        """The region of each token of one sample; those of tokens that are not there mean nothing."""
        if self.ends is None:
            return self.regions
        pairs = self.ends[sample].tolist()
        return tuple(
            Subgraph((one,)) if one == other else Subgraph((one, other), ((one, other),)) for one, other in pairs
        )

    def rows(self, rows: slice | Tensor) -> Tokens:
        """Those of some of the samples."""
        codes, known, ends = (None if one is None else one[rows] for one in (self.codes, self.known, self.ends))
        return replace(self, values=self.values[rows], codes=codes, known=known, ends=ends)

    def padded(self, count: int) -> Tokens:
        """The same tokens with more that are not there, up to a number of them; only where their number varies."""
        more = count - self.values.shape[1]
        if self.known is None or not more:
            return self
        values, known = functional.pad(self.values, (0, 0, 0, more)), functional.pad(self.known, (0, more))
        codes = None if self.codes is None else functional.pad(self.codes, (0, more), value=-1)
        ends = None if self.ends is None else functional.pad(self.ends, (0, 0, 0, more), value=-1)
        return replace(self, values=values, regions=(), codes=codes, known=known, ends=ends)


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

    def of(self, name: str) -> Tokens:
        """A set of tokens.

        Raises
        ------
        ContractError
            If there is none of this name: another encoder's, or values that were changed and are no longer those of places.
        """
        if name not in self.tokens:
            raise ContractError(
                f"asked for tokens {name!r}, which this representation does not have{nearest(name, self.tokens)}; it has: "
                f"{', '.join(self.tokens) or 'none'}"
            )
        return self.tokens[name]

    def with_values(self, values: Tensor) -> Representation:
        """The same units with other values: for perturbations. Tokens would no longer belong to them and are left out."""
        return Representation(values, self.names)

    def rows(self, rows: slice | Tensor) -> Representation:
        """Some of the samples, tokens included."""
        tokens = {name: one.rows(rows) for name, one in self.tokens.items()}
        return replace(self, values=self.values[rows], tokens=tokens)


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
    tokens = {name: _concatenated([part.tokens[name] for part in parts]) for name in first.tokens}
    return replace(first, values=torch.cat([part.values for part in parts]), tokens=tokens)


def _concatenated(parts: Sequence[Tokens]) -> Tokens:
    longest = max(parts, key=lambda part: part.values.shape[1])
    parts = [part.padded(longest.values.shape[1]) for part in parts]
    codes = [part.codes for part in parts if part.codes is not None]
    known = [part.known for part in parts if part.known is not None]
    ends = [part.ends for part in parts if part.ends is not None]
    return replace(
        longest,
        values=torch.cat([part.values for part in parts]),
        codes=torch.cat(codes) if codes else None,
        known=torch.cat(known) if known else None,
        ends=torch.cat(ends) if ends else None,
    )
