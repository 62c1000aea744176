"""How near generated texts are to several true ones: BLEU by sacrebleu, ROUGE-1 recall by rouge_score.

A corpus's BLEU is no mean over texts, so each text keeps the counts that it is made of; any weighting of texts then has its
BLEU, resampled subjects among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.errors import StudyError

ORDERS = 2
"""Longest n-gram of the BLEU here."""

COUNTS = (*(f"right{n + 1}" for n in range(ORDERS)), *(f"written{n + 1}" for n in range(ORDERS)), "length", "reference")
"""What :func:`bleu_counts` gives of each text."""


def bleu_counts(written: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Counts of each text from which BLEU is had, float64, shape (text, 6), columns :data:`COUNTS`.

    Parameters
    ----------
    written : sequence of str
        Generated texts.
    references : sequence of sequence of str
        True texts of each; an n-gram counts where any of them has it. Lower case, tokens as sacrebleu's ``13a``.

    Examples
    --------
    >>> bleu_counts(["the cat sat"], [["The cat stood.", "a cat sat there"]]).tolist()
    [[3.0, 2.0, 3.0, 2.0, 3.0, 4.0]]
    """
    try:
        from sacrebleu.metrics import BLEU
    except ImportError:
        raise StudyError("BLEU needs the library sacrebleu: pip install 'pellucid[text]'") from None
    metric = BLEU(lowercase=True, max_ngram_order=ORDERS, smooth_method="none", effective_order=True)
    rows = []
    for text, known in zip(written, references, strict=True):
        found = metric.sentence_score(text, list(known))
        rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    return np.array(rows, np.float64).reshape(len(rows), len(COUNTS))


def bleu(counts: np.ndarray, weights: np.ndarray, order: int) -> np.ndarray:
    """BLEU of a corpus, 0 to 1.

    Parameters
    ----------
    counts : ndarray, shape (text, 6)
        Of :func:`bleu_counts`.
    weights : ndarray, shape (..., text)
        How often each text stands in the corpus.
    order : int
        Longest n-gram: 1 or 2.

    Returns
    -------
    ndarray, shape (...,)
        The geometric mean of the shares of n-grams that are right, times the penalty of what is shorter than its
        references, as in Papineni et al. (2002), doi:10.3115/1073083.1073135; 0 where no n-gram is right.
    """
    total = weights @ counts
    right, there = total[..., :order], total[..., ORDERS : ORDERS + order]
    length, reference = total[..., -2], total[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(there > 0, right / there, 0.0)
        penalty = np.where(length < reference, np.exp(1 - reference / length), 1.0)
        mean = np.exp(np.log(shares).mean(-1))
    return np.where(length > 0, penalty * mean, 0.0)


def rouge1_recall(written: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Share of a true text's words that a generated one has, of the best of several true ones; shape (text,).

    Parameters
    ----------
    written : sequence of str
    references : sequence of sequence of str
        True texts of each, at least one.

    Returns
    -------
    ndarray of float64, shape (text,)
        From 0 to 1.

    Raises
    ------
    StudyError
        If the library that counts is not installed.

    Examples
    --------
    >>> rouge1_recall(["the cat sat"], [["The cat stood there.", "a cat sat"]]).round(3).tolist()
    [0.667]
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise StudyError("ROUGE needs the library rouge-score: pip install 'pellucid[text]'") from None
    scorer = RougeScorer(["rouge1"], use_stemmer=False)
    return np.array(
        [
            max(scorer.score(known, text)["rouge1"].recall for known in some)
            for text, some in zip(written, references, strict=True)
        ],
        np.float64,
    )
