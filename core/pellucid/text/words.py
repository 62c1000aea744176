"""A vocabulary of the training side's own words, kept in a tensor so that it is saved with the weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Sequence

import torch
from torch import Tensor, nn

PAD, END, UNKNOWN = 0, 1, 2
"""Numbers of the three signs that every vocabulary has."""

LONGEST = 32
"""Bytes of a word that are kept; two words that begin alike for so long are one."""

_WORD = re.compile(r"\w+|[^\w\s]")
_SAYS = re.compile(r"\w")


def words_of(text: str) -> list[str]:
    """Words and signs of a text, in lower case.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> words_of("The heron's nest, at dawn.")
    ['the', 'heron', "'", 's', 'nest', ',', 'at', 'dawn', '.']
    """
    return [_cut(word) for word in _WORD.findall(text.lower())]


def lacking(text: str, known: Container[str]) -> tuple[str, ...]:
    """Words of a text if none of them is known, else nothing: of several, one that is known tells it from other texts.

    Examples
    --------
    >>> lacking("a zebra", {"a"}), lacking("zebra, gnu", {"a"})
    ((), ('zebra', 'gnu'))
    """
    words = tuple(word for word in words_of(text) if _SAYS.search(word))
    return () if any(word in known for word in words) else words


def _cut(word: str) -> str:
    return word.encode()[:LONGEST].decode(errors="ignore")


class Vocabulary(nn.Module):
    """The commonest words of some texts, each with a number.

    Parameters
    ----------
    size : int
        Numbers there are, :data:`PAD`, :data:`END` and :data:`UNKNOWN` among them.
    """

    table: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        # Words as bytes: a state dict holds tensors alone, and its shapes must be known before anything is learnt.
        self.register_buffer("table", torch.zeros(size, LONGEST, dtype=torch.uint8))
        self._key, self._numbers = b"", dict[str, int]()

    def learn(self, texts: Iterable[str]) -> None:
        """Take the words of some texts, the commonest first; what was known is forgotten.

        Parameters
        ----------
        texts : iterable of str
        """
        counts = Counter(word for text in texts for word in words_of(text))
        best = sorted(counts, key=lambda word: (-counts[word], word))[: len(self.table) - UNKNOWN - 1]
        self.table.zero_()
        for at, word in enumerate(best, start=UNKNOWN + 1):
            data = word.encode()
            self.table[at, : len(data)] = torch.tensor(list(data), dtype=torch.uint8)

    @property
    def numbers(self) -> dict[str, int]:
        """Number of each word."""
        key = self.table.cpu().numpy().tobytes()
        if key != self._key:
            rows = (key[at : at + LONGEST].rstrip(b"\0").decode() for at in range(0, len(key), LONGEST))
            self._key, self._numbers = key, {word: at for at, word in enumerate(rows) if word}
        return self._numbers

    def encode(self, texts: Sequence[str], length: int) -> Tensor:
        """Numbers of the words of texts with :data:`END` after them, padded; int64, shape (text, position).

        Parameters
        ----------
        texts : sequence of str
        length : int
            Words of a text that are kept, :data:`END` among them.
        """
        numbers = self.numbers
        rows = [[numbers.get(word, UNKNOWN) for word in words_of(text)[: length - 1]] + [END] for text in texts]
        found = torch.full((len(rows), max(map(len, rows))), PAD)
        for row, known in zip(found, rows, strict=True):
            row[: len(known)] = torch.tensor(known)
        return found.to(self.table.device)

    def decode(self, ids: Tensor) -> list[str]:
        """Texts of numbers, up to :data:`END`; what is unknown is written ``?``.

        Parameters
        ----------
        ids : Tensor of int64, shape (text, position)
        """
        words = {at: word for word, at in self.numbers.items()} | {UNKNOWN: "?"}
        texts = []
        for row in ids.tolist():
            said = row[: row.index(END)] if END in row else row
            texts.append(" ".join(words.get(at, "?") for at in said if at != PAD))
        return texts
