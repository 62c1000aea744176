"""Can a topic be taken out of a model by its features, without harm to the rest? Clamping, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.code_edits import clamped
from pellucid.measures.dictionaries.exactness import defined, indices_of_strongest

LEAST_RETAINED = 0.99
"""Share of its accuracy on everything else that a model must keep for a setting to count."""


class Setting(NamedTuple):
    """One way to choose features and to clamp them."""

    retain_density: float
    """Features that are on more often than this in rows of other topics are left alone."""
    top: int
    """Features to clamp, at most."""
    strength: float
    """They are set to minus this where they are on."""


SETTINGS = tuple(Setting(*each) for each in product((0.001, 0.01), (10, 20), (25.0, 50.0, 100.0, 200.0)))
"""The sixteen settings of SAEBench."""


@dataclass(frozen=True)
class Clamping:
    """An edit of codes: features set to a value where they are on; with no features it changes nothing.

    Parameters
    ----------
    features : Tensor of int
    value : float
    """

    features: Tensor
    value: float

    def __call__(self, codes: Tensor) -> Tensor:
        """Edited codes, shape (..., feature)."""
        return clamped(codes, self.features, self.value)


UNTOUCHED = Clamping(torch.zeros(0, dtype=torch.int64), 0.0)
"""The edit that changes nothing."""

Judge = Callable[[Clamping], tuple[float, float]]
"""Accuracy on the topic to forget and on everything else under an edit of codes."""


class Outcome(NamedTuple):
    """What one setting did."""

    setting: Setting
    features: Tensor
    forget: float
    """Accuracy on the topic to forget."""
    retain: float
    """Accuracy on everything else."""


class Trial(NamedTuple):
    """What all settings did, and what is without any change."""

    forget: float
    retain: float
    outcomes: list[Outcome]

    @property
    def best(self) -> Outcome | None:
        """Of the settings that keep 0.99 of the accuracy elsewhere the first that forgets most; None if there is none."""
        kept = [each for each in self.outcomes if each.retain >= LEAST_RETAINED * self.retain]
        return min(kept, key=lambda each: each.forget, default=None)


class Unlearning(NamedTuple):
    """The score, and every setting it was chosen from."""

    score: float
    best: Outcome | None
    outcomes: list[Outcome]


def unlearning_features(forget_density: Tensor, retain_density: Tensor, setting: Setting) -> Tensor:
    """Features that are rarely on elsewhere, those first that are most often on in the topic; int64.

    Parameters
    ----------
    forget_density, retain_density : Tensor, shape (feature,)
        Share of rows in which each feature is on: :func:`~pellucid.measures.dictionaries.sparsity.density`.
    setting : Setting

    Returns
    -------
    Tensor of int
        At most ``setting.top``, fewer where fewer are rare elsewhere. A feature that is on in neither is none.
    """
    allowed = (retain_density < setting.retain_density) & (forget_density > 0)
    ranked = indices_of_strongest(torch.where(allowed, forget_density, -torch.inf), setting.top)
    return ranked[allowed[ranked]]


def unlearning(
    forget_density: Tensor,
    retain_density: Tensor,
    judge: Judge,
    *,
    settings: Sequence[Setting] = SETTINGS,
) -> Unlearning:
    """One minus the lowest accuracy on a topic that a setting reaches while keeping 0.99 of the accuracy elsewhere.

    The trap: the best of many settings is chosen on what it is judged by, so the score is flattered, more so with more
    settings. For an honest figure choose ``best`` on some subjects and judge its ``setting`` alone on others.

    Parameters
    ----------
    forget_density, retain_density : Tensor, shape (feature,)
        Of the topic and of everything else, from rows that nothing is judged on.
    judge : callable
        Takes an edit of codes; gives the accuracy on the topic and on everything else of a model whose activations
        are edited so (:func:`~pellucid.measures.dictionaries.code_edits.with_error` keeps the error of the dictionary).
        It is called with the edit that changes nothing first.
    settings : sequence of Setting

    Returns
    -------
    Unlearning
        NaN, with a warning, if no setting keeps enough accuracy.

    Raises
    ------
    DataError
        If both densities are not of the same features.

    References
    ----------
    Farrell et al. (2024), arXiv:2410.19278; settings of SAEBench.
    """
    trial = tried(forget_density, retain_density, judge, settings)
    score = torch.nan if trial.best is None else 1 - trial.best.forget
    return Unlearning(
        defined(score, "unlearning", "no setting keeps the accuracy elsewhere"), trial.best, trial.outcomes
    )


def tried(forget_density: Tensor, retain_density: Tensor, judge: Judge, settings: Sequence[Setting]) -> Trial:
    """Every setting judged, after no change at all: see :func:`unlearning`, which scores the best."""
    if forget_density.ndim != 1 or forget_density.shape != retain_density.shape:
        raise DataError(
            f"densities have shapes {tuple(forget_density.shape)} and {tuple(retain_density.shape)}, expected "
            "(feature,) twice"
        )
    before = judge(UNTOUCHED)
    outcomes = []
    for setting in settings:
        features = unlearning_features(forget_density, retain_density, setting)
        outcomes.append(Outcome(setting, features, *judge(Clamping(features, -setting.strength))))
    return Trial(*before, outcomes)
