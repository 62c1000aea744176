"""The contract of frozen text models: they read a text as a state for each token, and some write one from such states."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import StudyError
from pellucid.text.settings import Pretrained, SmallT5, Tables, TextSettings
from pellucid.text.words import PAD, Vocabulary, lacking, words_of

POSITION = 0.1
"""Length of what a place adds to a word of length one in :class:`RandomTables`: order is told, and words stay what they are."""


@dataclass(frozen=True)
class TextStates:
    """What a text model says of some texts.

    Parameters
    ----------
    values : Tensor, shape (text, position, width)
    known : Tensor of bool, shape (text, position)
        Where a text has a token; all else is padding.
    """

    values: Tensor
    known: Tensor


class TextModel(nn.Module):
    """A text model that learns nothing but which words there are, and those from the training side alone."""

    settings: TextSettings
    writes: bool = False
    """Whether it writes, so that :meth:`cross_entropy` and :meth:`write` mean something."""

    @property
    def width(self) -> int:
        """Of the state of a token."""
        raise NotImplementedError

    def learn(self, texts: Iterable[str]) -> None:
        """Learn which words there are. A published model knows its own, and remembers here which weights it has."""
        raise NotImplementedError

    def lacking(self, text: str, taught: Iterable[str] = ()) -> tuple[str, ...]:
        """Words of a text of which it knows none, so that it reads nothing in it; empty where it knows one.

        Parameters
        ----------
        text : str
        taught : iterable of str
            Texts that it may learn from, where it has not learnt yet.
        """
        raise NotImplementedError

    def read(self, texts: Sequence[str]) -> TextStates:
        """States of the tokens of texts, the prefix of the settings before each of them; without gradients.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        TextStates
            Shape (text, token, width), and which tokens are real.
        """
        raise NotImplementedError

    def cross_entropy(self, states: Tensor, texts: Sequence[str], known: Tensor | None = None) -> Tensor:
        """Mean over tokens of minus the log-probability of writing ``texts`` from states, shape (sample, token, width).

        Parameters
        ----------
        states : Tensor, shape (sample, token, width)
        texts : sequence of str
            One a sample.
        known : Tensor of bool, optional, shape (sample, token)
            Which states there are; by default all.

        Returns
        -------
        Tensor, shape ()
            In nats.
        """
        raise NotImplementedError

    def log_probability(self, states: Tensor, known: Tensor | None, texts: Sequence[str]) -> Tensor:
        """Log-probability of writing each text from its states, in nats.

        Parameters
        ----------
        states, known, texts
            See :meth:`cross_entropy`.

        Returns
        -------
        Tensor, shape (sample,)
        """
        raise NotImplementedError

    def write(self, states: Tensor, known: Tensor | None = None) -> list[str]:
        """Texts written from states, shape (sample, token, width), without looking at any other text.

        Parameters
        ----------
        states : Tensor, shape (sample, token, width)
        known : Tensor of bool, optional, shape (sample, token)
            Which states there are; by default all.

        Returns
        -------
        list of str
            One a sample.
        """
        raise NotImplementedError


class OfItsWords(TextModel):
    """What models have in common that know the words of the training side alone."""

    vocabulary: Vocabulary

    def lacking(self, text: str, taught: Iterable[str] = ()) -> tuple[str, ...]:
        """By the vocabulary; before it is learnt, by the words that could come into it."""
        known: Container[str] = self.vocabulary.numbers
        if not self.vocabulary.numbers:
            known = {word for one in (self.settings.prefix, *taught) for word in words_of(one)}
        return lacking(text, known)


class RandomTables(OfItsWords):
    """A random unit vector for each word, and a short one for each place.

    Parameters
    ----------
    settings : Tables
    """

    settings: Tables
    words: Tensor
    places: Tensor

    def __init__(self, settings: Tables) -> None:
        super().__init__()
        self.settings = settings
        self.vocabulary = Vocabulary(settings.vocabulary)
        chance = torch.Generator().manual_seed(settings.seed)
        scale = settings.width**-0.5
        words = torch.randn(settings.vocabulary, settings.width, generator=chance) * scale
        places = torch.randn(settings.length, settings.width, generator=chance) * scale * POSITION
        self.register_buffer("words", words)
        self.register_buffer("places", places)

    @property
    def width(self) -> int:
        """As set."""
        return self.settings.width

    def learn(self, texts: Iterable[str]) -> None:
        """The commonest words, with those of the prefix."""
        self.vocabulary.learn(self.settings.prefix + text for text in texts)

    def read(self, texts: Sequence[str]) -> TextStates:
        """The vectors of words and places, added."""
        ids = self.vocabulary.encode([self.settings.prefix + text for text in texts], self.settings.length)
        return TextStates(self.words[ids] + self.places[: ids.shape[1]], ids != PAD)


def text_model(settings: TextSettings) -> TextModel:
    """The text model of some settings.

    Parameters
    ----------
    settings : TextSettings
        Nothing is learnt yet.

    Raises
    ------
    StudyError
        If a published model is not there, is no encoder-decoder, or its weights are no safetensors; if the library it needs
        is not installed.
    """
    if isinstance(settings, Tables):
        return RandomTables(settings)
    needed: Any
    try:
        from pellucid.text import t5 as needed
    except ImportError as error:
        raise StudyError(
            f"text models of kind {getattr(settings, 'kind', '?')!r} need the library transformers ({error}): "
            "pip install 'pellucid[text]', or choose kind = \"tables\""
        ) from None
    if isinstance(settings, SmallT5):
        made: TextModel = needed.RandomT5(settings)
        return made
    assert isinstance(settings, Pretrained)
    published: TextModel = needed.PublishedModel(settings)
    return published
