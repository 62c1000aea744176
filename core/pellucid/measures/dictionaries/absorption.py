"""Features that stay off because another one speaks for them: "starts with s" is silent where "short" is on.

Upstream warns that the score says nothing for language models below a billion parameters and dictionaries below
16 000 features. Its place here is planted hierarchies, whose answer is known.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.exactness import defined, exact, indices_of_strongest, same_rows, unit_rows
from pellucid.measures.dictionaries.linear_probes import fit_linear_probes
from pellucid.measures.dictionaries.matching import cosines

LEAST_F1 = 0.6
"""A concept whose probe of the activations is worse than this on the test rows is left out."""

MOST_FEATURES = 10
"""Main features of a concept at most."""

RISE = 0.03
"""The main features are those of the last k at which F1 rose by more than this."""

ABSORBING = 3
"""Features besides the main ones that may absorb a row."""

LEAST_COSINE = 0.1
"""Of an atom with the probe, for its feature to absorb at all."""

LEAST_SHARE = 0.4
"""Of a row's projection on the probe that other features must bring before it counts as absorbed."""

FULL_COSINE = 0.025
"""As :data:`LEAST_COSINE`, where the row is to count as absorbed fully."""

OFF = 1e-8
"""Codes below this are off."""


class ConceptAbsorption(NamedTuple):
    """How much of one concept is absorbed."""

    fraction: float
    """Mean absorbed fraction of the rows that count; NaN if there are none."""
    full: float
    """Share of them that is absorbed fully, by the stricter rule."""
    probe_f1: float
    """Of the probe of the activations, on the test rows."""
    main: Tensor
    """Main features of the concept, int64."""
    fractions: Tensor
    """Absorbed fraction of each test row, shape (row,), float64; NaN for rows that do not count."""
    fully: Tensor
    """Whether each test row is absorbed fully, 1 or 0 in the same way."""
    direction: Tensor
    """Of the probe of the activations, shape (unit,), float64; its length does not count."""


class Absorption(NamedTuple):
    """Means over the concepts that count, and all concepts."""

    fraction: float
    full: float
    concepts: list[ConceptAbsorption]
    """One for each column of the labels; those below :data:`LEAST_F1` count in no mean."""


def absorption_fractions(x: Tensor, codes: Tensor, atoms: Tensor, direction: Tensor, main: Tensor) -> Tensor:
    """The share of a concept that features other than its main ones carry, in each row that has it.

    A feature contributes ``code * (atom . direction)``, which for atoms of length 1 is the code times the cosine. With
    ``t = x . direction``, ``M`` the sum of the main features' contributions and ``A`` that of the three greatest
    others (positive, cosine 0.1 at least): 0 if ``M >= t`` or ``A < 0.4 t``; 1 if ``M <= 0``; else
    ``min(A, t - M) / (min(A, t - M) + M)``.

    Parameters
    ----------
    x : Tensor, shape (row, unit)
        Rows that have the concept and that the probe gets right.
    codes : Tensor, shape (row, feature)
    atoms : Tensor, shape (feature, unit)
    direction : Tensor, shape (unit,)
        Of the probe; its length does not count.
    main : Tensor of int
        Features that stand for the concept: :func:`main_features`.

    Returns
    -------
    Tensor, shape (row,), float64
        0 also where the projection ``t`` is not positive.
    """
    contribution, total, cosine = _contributions(x, codes, atoms, direction)
    mains = contribution[:, main].sum(1)
    others = torch.where((cosine >= LEAST_COSINE) & (contribution > 0), contribution, torch.zeros_like(contribution))
    others[:, main] = 0
    absorbing = others.topk(min(ABSORBING, others.shape[1]), dim=1).values.sum(1)
    taken = torch.minimum(absorbing, total - mains)
    partly = torch.where(mains <= 0, torch.ones_like(taken), taken / (taken + mains))
    nothing = (total <= 0) | (mains >= total) | (absorbing < LEAST_SHARE * total)
    return torch.where(nothing, torch.zeros_like(partly), partly)


def fully_absorbed(x: Tensor, codes: Tensor, atoms: Tensor, direction: Tensor, main: Tensor) -> Tensor:
    """Rows in which all main features are off and one other brings 0.4 of the projection; bool, shape (row,).

    Arguments are those of :func:`absorption_fractions`.
    """
    contribution, total, cosine = _contributions(x, codes, atoms, direction)
    off = (exact(codes)[:, main] < OFF).all(1)
    most, which = contribution.max(1)
    return off & (cosine[which] >= FULL_COSINE) & (most >= LEAST_SHARE * total) & (total > 0)


def main_features(codes: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """The features that stand for a concept: those of the last k at which a k-sparse probe became better by 0.03 F1.

    Deviation: F1 is that of the rows given, which are training rows, as nothing is chosen on what is judged.

    Parameters
    ----------
    codes : Tensor, shape (row, feature)
    labels : Tensor, shape (row,)
        Yes above zero.
    weights : Tensor, shape (feature,)
        Signed weights of a probe of all features with a penalty on their size; greatest first.

    Returns
    -------
    Tensor of int, shape (k,)
        1 to 10 features.
    """
    ranked = indices_of_strongest(weights, MOST_FEATURES).to(codes.device)
    truth, columns = (labels > 0).cpu().numpy(), exact(codes)[:, ranked].cpu().numpy()
    kept, before = 1, 0.0
    for k in range(1, len(ranked) + 1):
        probe = LogisticRegression(class_weight="balanced", max_iter=1000).fit(columns[:, :k], truth)
        f1 = float(f1_score(truth, probe.predict(columns[:, :k]), zero_division=0.0))
        if f1 - before > RISE:
            kept = k
        before = f1
    return ranked[:kept].cpu()


def absorption(
    x: Tensor,
    codes: Tensor,
    labels: Tensor,
    test_x: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    atoms: Tensor,
    *,
    seed: int = 0,
) -> Absorption:
    """Absorption score of a dictionary: probes and main features from the training rows, fractions of the test rows.

    Parameters
    ----------
    x, test_x : Tensor, shape (row, unit)
    codes, test_codes : Tensor, shape (row, feature)
    labels, test_labels : Tensor, shape (row, concept)
        Yes above zero. Subjects stand on one side only: keeping them apart is the caller's part.
    atoms : Tensor, shape (feature, unit)
    seed : int
        Of the order in which the probe of the codes sees its rows.

    Returns
    -------
    Absorption
        NaN, with a warning, where no concept has a probe of F1 0.6 and rows that it gets right.

    Raises
    ------
    DataError
        If rows differ in number, or both sides do not have labels of the same concepts.

    References
    ----------
    Chanin et al. (2024), arXiv:2409.14507; constants of SAEBench. Deviation: see :func:`main_features`.
    """
    same_rows(x=x, codes=codes, labels=labels)
    same_rows(test_x=test_x, test_codes=test_codes, test_labels=test_labels)
    if labels.ndim != 2 or test_labels.shape[1:] != labels.shape[1:]:
        raise DataError(
            f"labels have shapes {tuple(labels.shape)} and {tuple(test_labels.shape)}, expected (row, concept) twice"
        )
    settings = {"l1": 0.01, "epochs": 50, "learning_rate": 0.01, "batch_rows": 4096}
    weights = fit_linear_probes(codes, labels, balanced=True, seed=seed, **settings).weight  # type: ignore[arg-type]
    concepts = [
        _concept(x, codes, labels[:, c], test_x, test_codes, test_labels[:, c], atoms, weights[c])
        for c in range(labels.shape[1])
    ]
    counted = [each for each in concepts if each.probe_f1 >= LEAST_F1 and each.fractions.isfinite().any()]
    unless = f"no concept has a probe of F1 {LEAST_F1} on the test rows"
    means = torch.tensor([[each.fraction, each.full] for each in counted], dtype=torch.float64).reshape(-1, 2).mean(0)
    return Absorption(
        defined(means[0], "absorption fraction", unless), defined(means[1], "full absorption", unless), concepts
    )


def _concept(
    x: Tensor,
    codes: Tensor,
    labels: Tensor,
    test_x: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    atoms: Tensor,
    weights: Tensor,
) -> ConceptAbsorption:
    yes, truth = labels > 0, test_labels > 0
    fractions = torch.full((len(test_x),), torch.nan, dtype=torch.float64)
    fully = fractions.clone()
    if yes.all() or not yes.any():
        nowhere = torch.zeros(x.shape[1], dtype=torch.float64)
        return ConceptAbsorption(
            torch.nan, torch.nan, 0.0, torch.zeros(0, dtype=torch.int64), fractions, fully, nowhere
        )
    probe = LogisticRegression(max_iter=1000).fit(exact(x).cpu().numpy(), yes.cpu().numpy())
    said = torch.from_numpy(probe.predict(exact(test_x).cpu().numpy())).to(truth.device)
    f1 = float(f1_score(truth.cpu().numpy(), said.cpu().numpy(), zero_division=0.0))
    main = main_features(codes, labels, weights)
    rows, direction = truth & said, torch.from_numpy(probe.coef_[0])
    if not rows.any():
        return ConceptAbsorption(torch.nan, torch.nan, f1, main, fractions, fully, direction)
    judged = (test_x[rows], test_codes[rows], atoms, direction.to(test_x.device), main.to(test_x.device))
    fractions[rows.cpu()] = absorption_fractions(*judged).cpu()
    fully[rows.cpu()] = fully_absorbed(*judged).double().cpu()
    return ConceptAbsorption(float(fractions.nanmean()), float(fully.nanmean()), f1, main, fractions, fully, direction)


def _contributions(x: Tensor, codes: Tensor, atoms: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    same_rows(x=x, codes=codes)
    unit = unit_rows(direction[None])[0]
    along = exact(atoms) @ unit
    return exact(codes) * along, exact(x) @ unit, cosines(atoms, direction[None])[:, 0]
