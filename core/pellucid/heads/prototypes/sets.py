"""Sets of prototypes: which tokens they are compared with, which outputs they serve, how many and how long they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import AliasChoices, Field
from torch import Tensor

from pellucid.data.frozen import Frozen
from pellucid.errors import StudyError, nearest
from pellucid.heads.base import PredictorConfig
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.representation import TokenShape

Similarity = Literal["arc", "cosine", "l2"]
Pool = Literal["max", "mean", "topk"]


MOST = 1000
"""Prototypes of a class. Nobody reads as many; an order of magnitude more would not fit in memory."""


class PrototypeSetConfig(Frozen):
    """Prototypes that are compared with one set of tokens. What is left out is as the head's own option says.

    Parameters
    ----------
    tokens_name : str
        Of the set of tokens (``"signal:slow"``); may be left out where there is only one.
    outputs : tuple of str
        Outputs that they serve; empty for all. An output may be served by several sets.
    per_class, window, similarity, pool, top, addon_width
        See :class:`ComparingConfig`.
    """

    # Settings of earlier runs call it tokens.
    tokens_name: str = Field("", validation_alias=AliasChoices("tokens_name", "tokens"))
    outputs: tuple[str, ...] = ()
    per_class: int | None = Field(None, gt=0, le=MOST)
    window: int | None = Field(None, ge=0)
    similarity: Similarity | None = None
    pool: Pool | None = None
    top: int | None = Field(None, gt=0)
    addon_width: int | None = Field(None, ge=0)


class ComparingConfig(PredictorConfig):
    """What every head with prototypes can be told of them.

    Parameters
    ----------
    sets : tuple of PrototypeSetConfig
        Empty: one for each set of tokens, serving all outputs.
    per_class : int
        Prototypes of each class in a set. For a binary target both sides have prototypes.
    window : int
        How many neighbouring tokens a prototype is compared with; 0 for all of them at once. Windows longer than 1 need
        tokens in a line.
    similarity : {"arc", "cosine", "l2"}
        ``"cosine"``; ``"arc"``: cosine times ``floor(sqrt(width * window)) / window``; ``"l2"``:
        ``log((d + 1) / (d + 1e-4))`` of the squared distance ``d``.
    pool : {"max", "mean", "topk"}
        A sample's similarity: of its best window, the mean over windows, or over the ``top`` best.
    top : int
    addon_width : int
        Width of two linear maps, with ReLU between and a sigmoid at the end, that tokens pass first; 0 for none.
    unique : bool
        Whether prototypes of a class are projected onto different windows.
    """

    sets: tuple[PrototypeSetConfig, ...] = ()
    per_class: int = Field(5, gt=0, le=MOST)
    window: int = Field(1, ge=0)
    similarity: Similarity = "arc"
    pool: Pool = "max"
    top: int = Field(3, gt=0)
    addon_width: int = Field(64, ge=0)
    unique: bool = True


@dataclass(frozen=True)
class PrototypeSet:
    """A set with everything decided.

    Parameters
    ----------
    tokens : str
    shape : TokenShape
        Of the tokens as encoders hand them on.
    classes : tuple of int
        Positions of the classes served, among the target's.
    per_class, window, similarity, pool, top, addon_width
        As in :class:`ComparingConfig`, ``window`` at least 1.
    """

    tokens: str
    shape: TokenShape
    classes: tuple[int, ...]
    per_class: int
    window: int
    similarity: Similarity
    pool: Pool
    top: int
    addon_width: int

    @property
    def width(self) -> int:
        """Width of a token where it is compared."""
        return self.addon_width or self.shape.width

    @property
    def windows(self) -> int:
        """Windows of a sample."""
        return self.shape.count - self.window + 1

    @property
    def size(self) -> int:
        """Number of prototypes."""
        return len(self.classes) * self.per_class

    @property
    def class_of(self) -> list[int]:
        """Class of each prototype."""
        return [class_index for class_index in self.classes for _ in range(self.per_class)]


def directions(target: Any) -> Tensor:
    """1 where a class speaks for an output, -1 against it, else 0; shape (output, class)."""
    return torch.tensor([[-1.0, 1.0]]) if target.kind == "binary" else torch.eye(len(target.outputs))


def is_of_class(target: Any, labels: Tensor) -> Tensor:
    """Whether each sample is of each class, bool, shape (sample, class); of several labels any may be true.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> is_of_class(Binary(names=("no", "yes")), torch.tensor([[1.0], [0.0]])).tolist()
    [[False, True], [True, False]]
    """
    if target.kind == "binary":
        return torch.cat([labels < 0.5, labels >= 0.5], dim=1)
    return torch.as_tensor(target.steps(labels)) > 0.5


def resolved_sets(config: ComparingConfig, head: str) -> tuple[PrototypeSet, ...]:
    """The sets of a head, checked against the tokens and outputs that there are.

    Raises
    ------
    StudyError
        If a set names tokens or outputs that do not exist, its window is longer than there are tokens, or an output is
        served by no set.
    """
    asked = config.sets or tuple(PrototypeSetConfig(tokens_name=name) for name in config.tokens)
    sets = tuple(_resolved(config, one, head) for one in asked)
    names = config.target.categories
    unserved = [name for at, name in enumerate(names) if not any(at in prototype_set.classes for prototype_set in sets)]
    if unserved:
        raise StudyError(f"head {head!r}: no set of prototypes serves {', '.join(map(repr, unserved))}")
    return sets


def _resolved(config: ComparingConfig, asked: PrototypeSetConfig, head: str) -> PrototypeSet:
    tokens = chosen_tokens(head, asked.tokens_name, config.tokens, what="tokens for each set of prototypes")
    given = {key: value for key, value in asked.model_dump().items() if value is not None}
    own = {
        k: given.get(k, getattr(config, k))
        for k in PrototypeSetConfig.model_fields
        if k not in ("tokens_name", "outputs")
    }
    shape = config.tokens[tokens]
    own["window"] = own["window"] or shape.count
    if own["window"] > shape.count:
        raise StudyError(
            f"head {head!r}: a window of {own['window']} is longer than the {shape.count} tokens of {tokens!r}"
        )
    if own["window"] > shape.fewest:
        raise StudyError(
            f"head {head!r}: a window of {own['window']} needs as many tokens, but while the encoder of {tokens!r} learns it "
            f"hands on {shape.fewest}: it then sees a part of the input alone. Choose another encoder, or window = 1"
        )
    return PrototypeSet(tokens=tokens, shape=shape, classes=_served(config.target, asked.outputs, head), **own)


def _served(target: Any, outputs: Sequence[str], head: str) -> tuple[int, ...]:
    for name in outputs:
        if name not in target.outputs:
            raise StudyError(
                f"head {head!r}: a set of prototypes serves {name!r}{nearest(name, target.outputs)}, which is no output; "
                f"outputs: {', '.join(target.outputs)}"
            )
    if target.kind == "binary" or not outputs:
        return tuple(range(len(target.categories)))
    return tuple(target.outputs.index(name) for name in outputs)
