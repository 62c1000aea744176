"""Made-up readings of sentences: eight numbers choose the words of a sentence, and each shows in the signal while its word is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WORDS: tuple[tuple[str, ...], ...] = (
    ("small", "young", "tall", "old"),
    ("heron", "painter", "engine", "lantern"),
    ("slowly", "quietly", "gladly", "suddenly"),
    ("follows", "carries", "paints", "breaks"),
    ("red", "broken", "silver", "heavy"),
    ("kite", "letter", "wheel", "basket"),
    ("harbour", "forest", "market", "tower"),
    ("dawn", "noon", "dusk", "midnight"),
)
"""A place of the sentence each; which word stands there says in which quarter of a standard normal its number lies."""

PLACE = 6
"""Position of the word that says where it happens."""

TEMPLATES = (
    "The {0} {1} {2} {3} a {4} {5} near the {6} at {7}.",
    "Near the {6} at {7} a {4} {5} is what the {0} {1} {3} {2}.",
    "At {7}, near the {6}: the {0} {1} {2} {3} a {5}, and it is {4}.",
)
"""The sentence, and two other ways to say it."""

QUARTERS = (-0.6745, 0.0, 0.6745)

SIGNAL_UV, SHORTEST = 5.0, 0.75
"""Root of the mean square of what is planted, over channels, at the height of a word; shortest reading, as a share of the longest."""


@dataclass(frozen=True, eq=False)
class Sentences:
    """Sentences and the numbers behind them.

    Parameters
    ----------
    latent : ndarray, shape (sentence, 8)
        Standard normal.
    words : ndarray of int, shape (sentence, 8)
        Which of the four words stands at each place.
    texts : tuple of tuple of str
        Of each sentence the three ways to say it.
    """

    latent: Floats
    words: npt.NDArray[np.int64]
    texts: tuple[tuple[str, ...], ...]


def drawn_sentences(count: int, rng: np.random.Generator) -> Sentences:
    """Draw sentences that differ from each other.

    Examples
    --------
    >>> drawn_sentences(2, np.random.default_rng(0)).texts[0][0]
    'The tall painter gladly paints a broken wheel near the tower at midnight.'
    """
    rows: list[Floats] = []
    known: set[tuple[int, ...]] = set()
    while len(rows) < count:
        latent = rng.standard_normal(len(WORDS))
        words = tuple(np.searchsorted(QUARTERS, latent).tolist())
        if words not in known:
            known.add(words)
            rows.append(latent)
    latent = np.array(rows)
    chosen = np.searchsorted(QUARTERS, latent)
    texts = tuple(
        tuple(template.format(*(WORDS[at][word] for at, word in enumerate(row))) for template in TEMPLATES)
        for row in chosen
    )
    return Sentences(latent, chosen.astype(np.int64), texts)


def drawn_mixing(channels: int, rng: np.random.Generator) -> Floats:
    """What channels see of each number, shape (channel, 8)."""
    return rng.standard_normal((channels, len(WORDS))) / np.sqrt(len(WORDS))


def reading(
    latent: Floats, mixing: Floats, length: int, noise: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], int]:
    """One reading of a sentence.

    Parameters
    ----------
    latent : ndarray, shape (8,)
    mixing : ndarray, shape (channel, 8)
        Of the reader.
    length : int
        Samples of the longest reading.
    noise : float
        Standard deviation of white noise, as a factor of :data:`SIGNAL_UV`.
    rng : Generator

    Returns
    -------
    signal : ndarray of float32, shape (channel, time), uV
        Zeros after the end.
    steps : int
        How long the reading was.
    """
    steps = int(rng.integers(round(SHORTEST * length), length + 1))
    # Each word is looked at for a while: its number rises and falls in the signal, and neighbours overlap.
    centre = (np.arange(len(WORDS)) + 0.5) / len(WORDS)
    moment = (np.arange(steps) + 0.5) / steps
    course = np.exp(-0.5 * ((moment[None] - centre[:, None]) * len(WORDS)) ** 2)
    x = np.zeros((len(mixing), length), np.float32)
    planted = SIGNAL_UV * np.sqrt(len(WORDS)) * mixing @ (latent[:, None] * course)
    x[:, :steps] = planted + noise * SIGNAL_UV * rng.standard_normal((len(mixing), steps))
    return x, steps
