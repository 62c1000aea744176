"""Which parts of a network serve a task, from codes: no part is taken out, and ten examples of each kind are enough to look.

The output of each head on each example is one whole number (:mod:`pellucid.measures.output_codes`). Heads whose numbers
differ between examples that pose the task (positive) and that look alike without posing it (negative) serve it.

Codes differ by accident too: of 20 noisy outputs most have a code of their own. So scores stand beside what labels dealt anew
give (:func:`permutation_null`), and beside a baseline that needs no codes (:func:`mean_difference`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import entr

from pellucid.errors import DataError

Kind = Literal["js", "jaccard", "count"]

PAIRS = 1 << 22
"""Code counts held at once."""


def node_scores(codes: np.ndarray, positive: np.ndarray, kind: Kind = "js") -> np.ndarray:
    """How far the codes of each head tell positive from negative examples.

    Parameters
    ----------
    codes : ndarray of int, shape (example, head)
    positive : ndarray of bool, shape (example,)
    kind : {"js", "jaccard", "count"}
        Jensen-Shannon divergence of both histograms in bits, 0 to 1; codes that only positive examples have, as a share of
        all codes of the head; or their number, as in the paper.

    Returns
    -------
    ndarray, shape (head,)

    Examples
    --------
    >>> codes = np.array([[4, 1], [4, 2], [7, 1], [7, 2]])
    >>> node_scores(codes, np.array([True, True, False, False])).tolist()
    [1.0, 0.0]
    """
    codes, positive = _checked(codes, positive)
    return _scores(_one_hot(codes), positive[None].astype(np.float64), kind)[0]


def edge_scores(codes: np.ndarray, positive: np.ndarray, kind: Kind = "js") -> np.ndarray:
    """How far the codes of two heads together tell positive from negative examples: as :func:`node_scores`, of pairs of codes.

    Parameters
    ----------
    codes, positive, kind
        See :func:`node_scores`.

    Returns
    -------
    ndarray, shape (head, head)
        Symmetric; NaN on the diagonal. A pair holds what its heads hold alone: an edge is of interest where it exceeds both.
    """
    codes, positive = _checked(codes, positive)
    return _edges(codes, positive[None].astype(np.float64), kind)[0]


def mean_difference(outputs: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Length of the difference between a head's mean outputs on positive and negative examples: the baseline without codes.

    Parameters
    ----------
    outputs : ndarray, shape (example, head, width)
    positive : ndarray of bool, shape (example,)

    Returns
    -------
    ndarray, shape (head,)
    """
    outputs = np.asarray(outputs, np.float64)
    _, positive = _checked(outputs[..., 0], positive)
    return np.linalg.norm(outputs[positive].mean(0) - outputs[~positive].mean(0), axis=1)


@dataclass(frozen=True)
class PermutationNull:
    """Scores beside those of labels dealt anew: the null distribution of a permutation test.

    Parameters
    ----------
    scores, mean, spread, z, p : ndarray, shape (head,) or (head, head)
        ``z`` is 0 where labels dealt anew always give the same. ``p`` is the share of dealings that reach the score.
    dealt_z : ndarray, shape (dealing, head) or (dealing, head, head)
        z of each dealing; of pairs each one once, the other half is NaN.
    """

    scores: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    z: np.ndarray
    p: np.ndarray
    dealt_z: np.ndarray

    @property
    def largest(self) -> np.ndarray:
        """The largest z of all heads (or pairs) in each dealing: what any may reach by chance. Shape (dealing,)."""
        return np.nanmax(self.dealt_z.reshape(len(self.dealt_z), -1), axis=1)


def permutation_null(
    codes: np.ndarray,
    positive: np.ndarray,
    kind: Kind = "js",
    *,
    edges: bool = False,
    permutations: int = 200,
    seed: int = 0,
) -> PermutationNull:
    """Scores of nodes or edges, and how far they exceed what the same codes give with labels dealt anew.

    Heads differ in how many codes they use, and so in what they score by accident; ``z`` is free of that and ranks heads
    better than the score itself where examples are few.

    Parameters
    ----------
    codes, positive, kind
        See :func:`node_scores`.
    edges : bool
        Whether pairs of heads are scored.
    permutations, seed : int
    """
    codes, positive = _checked(codes, positive)
    dealt = _dealt(positive, permutations, seed)
    found = _edges(codes, dealt, kind) if edges else _scores(_one_hot(codes), dealt, kind)
    return _null(found)


def difference_null(
    outputs: np.ndarray, positive: np.ndarray, *, permutations: int = 200, seed: int = 0
) -> PermutationNull:
    """:func:`mean_difference`, and how far it exceeds what labels dealt anew give: the baseline of :func:`permutation_null`.

    Parameters
    ----------
    outputs, positive
        See :func:`mean_difference`.
    permutations, seed : int
    """
    outputs = np.asarray(outputs, np.float64)
    _, positive = _checked(outputs[..., 0], positive)
    return _null(np.stack([mean_difference(outputs, one > 0) for one in _dealt(positive, permutations, seed)]))


def _dealt(positive: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """The labels, and labels dealt anew, shape (1 + dealing, example)."""
    rng = np.random.default_rng(seed)
    return np.stack([positive] + [rng.permutation(positive) for _ in range(permutations)]).astype(np.float64)


def _null(found: np.ndarray) -> PermutationNull:
    """Of scores with the labels as they are, and then with labels dealt anew, shape (1 + dealing, ...)."""
    scores, others = found[0], found[1:]
    mean, spread = others.mean(0), others.std(0)
    varies = spread > 1e-9

    def standard(some: np.ndarray) -> np.ndarray:
        z = np.where(varies, (some - mean) / np.where(varies, spread, 1.0), 0.0)
        return np.where(np.isnan(scores), np.nan, z)

    p = ((others >= scores - 1e-12).sum(0) + 1) / (len(others) + 1)
    dealt = standard(others)
    if dealt.ndim == 3:
        dealt = np.where(np.triu(np.ones(dealt.shape[1:], bool), 1), dealt, np.nan)
    return PermutationNull(scores, mean, spread, standard(scores), np.where(np.isnan(scores), np.nan, p), dealt)


def elbow(scores: np.ndarray) -> float:
    """Threshold at the bend of the sorted scores: the score of the last one kept.

    The bend is the place farthest below the line from the first to the last of the sorted scores; those before it are kept.

    Parameters
    ----------
    scores : ndarray, any shape
        NaN is left out.

    Returns
    -------
    float
        NaN where there is no score.

    Examples
    --------
    >>> elbow(np.array([0.1, 0.9, 0.12, 1.0, 0.11, 0.13]))
    0.9
    """
    ranked = np.sort(np.asarray(scores, np.float64)[~np.isnan(scores)])[::-1]
    if len(ranked) < 3 or ranked[0] == ranked[-1]:
        return float(ranked[0]) if len(ranked) else float("nan")
    line = np.linspace(ranked[0], ranked[-1], len(ranked))
    bend = int((line - ranked).argmax())
    return float(ranked[max(bend - 1, 0)])


def _checked(codes: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, positive = np.asarray(codes), np.asarray(positive).astype(bool)
    if codes.ndim != 2 or positive.shape != (len(codes),):
        raise DataError(
            f"codes of shape {codes.shape} and labels of shape {positive.shape} are not of the same examples"
        )
    if positive.all() or not positive.any():
        raise DataError("scores compare positive with negative examples, but all are of one kind")
    return codes, positive


def _ranked(columns: np.ndarray) -> np.ndarray:
    """Numbers of each column as 0, 1, 2, ... in their order."""
    order = np.argsort(columns, axis=0, kind="stable")
    ordered = np.take_along_axis(columns, order, axis=0)
    rank = np.zeros(columns.shape, np.int64)
    rank[1:] = np.cumsum(np.diff(ordered, axis=0) != 0, axis=0)
    found = np.empty_like(rank)
    np.put_along_axis(found, order, rank, axis=0)
    return found


def _one_hot(codes: np.ndarray) -> np.ndarray:
    """Shape (example, column, code)."""
    ranks = _ranked(codes)
    return np.eye(int(ranks.max()) + 1)[ranks]


def _scores(one_hot: np.ndarray, labels: np.ndarray, kind: Kind) -> np.ndarray:
    """Shape (dealing, column), of one-hot codes (example, column, code) and labels (dealing, example)."""
    examples, columns, codes = one_hot.shape
    parts = []
    at_once = max(1, PAIRS // (columns * codes))
    for start in range(0, len(labels), at_once):
        some = labels[start : start + at_once]
        yes = (some @ one_hot.reshape(examples, -1)).reshape(len(some), columns, codes)
        no = one_hot.sum(0) - yes
        parts.append(_compared(yes, no, kind))
    return np.concatenate(parts)


def _compared(yes: np.ndarray, no: np.ndarray, kind: Kind) -> np.ndarray:
    """Scores of counts of shape (..., code)."""
    only = ((yes > 0) & (no == 0)).sum(-1).astype(np.float64)
    if kind == "count":
        return only
    if kind == "jaccard":
        return only / ((yes > 0) | (no > 0)).sum(-1)
    if kind == "js":
        p, q = yes / yes.sum(-1, keepdims=True), no / no.sum(-1, keepdims=True)
        return _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    raise DataError(f"no score {kind!r} of codes; there are 'js', 'jaccard' and 'count'")


def _entropy(p: np.ndarray) -> np.ndarray:
    """In bits, over the last axis."""
    return np.asarray(entr(p).sum(-1) / np.log(2))


def _edges(codes: np.ndarray, labels: np.ndarray, kind: Kind) -> np.ndarray:
    ranks = _ranked(codes)
    heads, most = ranks.shape[1], int(ranks.max()) + 1
    found = np.full((len(labels), heads, heads), np.nan)
    for one in range(heads - 1):
        others = slice(one + 1, heads)
        joint = _one_hot(ranks[:, one, None] * most + ranks[:, others])
        found[:, one, others] = _scores(joint, labels, kind)
        found[:, others, one] = found[:, one, others]
    return found
