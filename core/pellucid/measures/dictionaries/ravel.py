"""Are two attributes of the same thing apart in the codes? Features of one are taken from another thing (RAVEL).

Any entity with two attributes will do: a city's country and language, a lesion's size and malignancy. Codes of a base
receive, on the features of an attribute, those of a source; a reader of the activations then should see the source's
value of that attribute (cause) and the base's value of the other (isolation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.code_edits import Decode, with_error
from pellucid.measures.dictionaries.exactness import defined, same_rows

Reader = Callable[[Tensor], Tensor]
"""Activations, shape (row, unit), to logits of an attribute's values, shape (row, value)."""

COLDEST = 0.01
"""Temperature of the mask at the end of its training; it starts at 1."""


class Pairs(NamedTuple):
    """Bases and sources, row by row."""

    x: Tensor
    """Activations of the bases, shape (row, unit)."""
    codes: Tensor
    """Codes of the bases, shape (row, feature)."""
    source_codes: Tensor
    """Codes of the sources, shape (row, feature)."""
    labels: Tensor
    """Values of both attributes of the bases, int64, shape (row, 2)."""
    source_labels: Tensor
    """The same of the sources."""


class Disentanglement(NamedTuple):
    """The score and its four parts, each the share of rows in which the reader sees what it should."""

    score: float
    cause: tuple[float, float]
    """Of each attribute: its features bring the source's value. Of rows where that is another value."""
    isolation: tuple[float, float]
    """Of each attribute: its features leave the OTHER attribute at the base's value. Of rows where the source's differs."""


def interchange(x: Tensor, codes: Tensor, source_codes: Tensor, mask: Tensor, decode: Decode) -> Tensor:
    """Activations of bases whose masked features are those of sources, with the error of the dictionary kept.

    ``mask`` has shape (feature,): of bool, or of shares while it is learnt.
    """
    share = mask.to(codes.dtype)
    return with_error(x, codes, (1 - share) * codes + share * source_codes, decode)


def learned_mask(
    pairs: Pairs,
    attribute: int,
    readers: Sequence[Reader],
    decode: Decode,
    *,
    learning_rate: float = 1e-3,
    epochs: int = 2,
    batch_rows: int = 16,
    seed: int = 0,
) -> Tensor:
    """The features of an attribute: a mask by Adam, so that one attribute changes and the other stays.

    Each feature has a share, the sigmoid of its score over a temperature that falls from 1 to 0.01; the loss is the
    cross-entropy of both readers with what they should see. A feature that does not matter to either stays out.

    Parameters
    ----------
    pairs : Pairs
        Training rows.
    attribute : 0 or 1
    readers : sequence of two callables
        Of each attribute; with a gradient.
    decode : callable
        Codes to activations; with a gradient.
    learning_rate, epochs, batch_rows, seed

    Returns
    -------
    Tensor of bool, shape (feature,)
    """
    _checked(pairs, readers)
    generator = torch.Generator().manual_seed(seed)
    device = pairs.codes.device
    scores = torch.zeros(pairs.codes.shape[1], device=device, requires_grad=True)
    optimiser = torch.optim.Adam([scores], lr=learning_rate)
    rows, other = len(pairs.x), 1 - attribute
    steps, step = epochs * -(-rows // batch_rows), 0
    with torch.enable_grad():
        for _ in range(epochs):
            for batch in torch.randperm(rows, generator=generator).to(device).split(batch_rows):
                mask = torch.sigmoid(scores / COLDEST ** (step / max(1, steps - 1)))
                changed = interchange(pairs.x[batch], pairs.codes[batch], pairs.source_codes[batch], mask, decode)
                loss = torch.nn.functional.cross_entropy(
                    readers[attribute](changed), pairs.source_labels[batch, attribute]
                ) + torch.nn.functional.cross_entropy(readers[other](changed), pairs.labels[batch, other])
                (scores.grad,) = torch.autograd.grad(loss, [scores])
                optimiser.step()
                step += 1
    return scores.detach() > 0


def disentanglement(
    pairs: Pairs, masks: Sequence[Tensor], readers: Sequence[Reader], decode: Decode
) -> Disentanglement:
    """``mean(cause of A, cause of B, isolation A -> B, isolation B -> A)`` of test rows.

    The trap: an empty mask isolates perfectly and causes nothing, a full one the other way round, so that both score
    0.5; look at the parts.

    Parameters
    ----------
    pairs : Pairs
        Rows whose subjects the masks were not learnt from.
    masks : sequence of two Tensor of bool, shape (feature,)
        Of each attribute: :func:`learned_mask`.
    readers, decode
        See :func:`learned_mask`.

    Returns
    -------
    Disentanglement
        NaN, with a warning, if base and source never differ in an attribute.

    References
    ----------
    Huang et al. (2024), arXiv:2402.17700; settings of SAEBench.
    """
    _checked(pairs, readers)
    differs = pairs.labels != pairs.source_labels
    cause, isolation = [], []
    with torch.no_grad():
        for attribute in (0, 1):
            other = 1 - attribute
            changed = interchange(pairs.x, pairs.codes, pairs.source_codes, masks[attribute], decode)
            seen = [reader(changed).argmax(1) for reader in readers]
            brought = (seen[attribute] == pairs.source_labels[:, attribute])[differs[:, attribute]]
            left = (seen[other] == pairs.labels[:, other])[differs[:, other]]
            cause.append(float(brought.double().mean()))
            isolation.append(float(left.double().mean()))
    score = defined(sum(cause + isolation) / 4, "disentanglement", "bases and sources never differ in an attribute")
    return Disentanglement(score, (cause[0], cause[1]), (isolation[0], isolation[1]))


def _checked(pairs: Pairs, readers: Sequence[Reader]) -> None:
    same_rows(**pairs._asdict())
    if pairs.labels.shape[1:] != (2,) or pairs.source_labels.shape[1:] != (2,) or len(readers) != 2:
        raise DataError(
            f"labels of shapes {tuple(pairs.labels.shape)} and {tuple(pairs.source_labels.shape)} with {len(readers)} "
            "readers: expected two attributes"
        )
