"""A policy as a sparse polynomial: few terms that do what a network does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from pellucid.data.spec import Frozen, Regression
from pellucid.heads.equations.sindy_ensemble import SindyEnsemble
from pellucid.monomials import Monomials
from pellucid_robotics.rl.learner import NetworkPolicy
from pellucid_robotics.rl.surrogate import SparseSettings, Surrogate, equations_of, project
from pellucid_robotics.rl.tasks import Floats, Task

STRAYS = 5.0
"""In limits of the action, where a teacher's mean is cut off: beyond them it says no more than that it wants the most."""


class DistilSettings(Frozen):
    """How a policy is written as a polynomial.

    Parameters
    ----------
    degree : int
        Of products of states; there is no constant.
    members : int
        Of the ensemble.
    again : int
        Times that each state is drawn anew, with noise.
    noise : float
        Standard deviation of that, in standard deviations of each state.
    levels : tuple of float
        Thresholds and ridges that are tried, each with each.
    held_out : float
        Share of the episodes by which they are chosen.
    slack : float
        How much larger than the smallest error that of a sparser polynomial may be, as a share of it.
    """

    degree: int = Field(default=3, ge=1, le=8)
    members: int = Field(default=20, ge=1, le=200)
    again: int = Field(default=2, ge=0)
    noise: float = Field(default=0.1, ge=0)
    levels: tuple[float, ...] = Field(default=(1e-6, 1e-5, 1e-4, 1e-3, 1e-2), min_length=1)
    held_out: float = Field(default=0.25, gt=0, lt=1)
    slack: float = Field(default=0.0, ge=0)


@dataclass(frozen=True)
class Tried:
    """One setting of a sweep.

    Parameters
    ----------
    threshold, alpha : float
    error : float
        Mean squared difference of clipped actions on held-out episodes.
    terms : int
    """

    threshold: float
    alpha: float
    error: float
    terms: int


@dataclass(frozen=True)
class SparsePolicy:
    """A policy that is an equation, cut off at the limit of the action.

    Parameters
    ----------
    task : Task
    library : Monomials
    head : SindyEnsemble
        Its equation, with the ensemble's range of each coefficient.
    swept : tuple of Tried
    """

    task: Task
    library: Monomials
    head: SindyEnsemble
    swept: tuple[Tried, ...]

    @property
    def terms(self) -> int:
        """How many have a coefficient."""
        return sum(len(self.head.terms(output)) for output in self.head.outputs)

    def __call__(self, states: Floats) -> Floats:
        """Shape (row, state) to (row, action)."""
        coefficients = self.head.coefficients.detach().numpy()
        return np.clip(self.library.of(states) @ coefficients.T, -self.task.limit, self.task.limit)

    def equations(self) -> dict[str, str]:
        """By action; what is beyond the limit is cut off."""
        return self.head.equations()


def visited(
    make: Callable[[], Any], task: Task, policy: NetworkPolicy, seeds: Sequence[int]
) -> tuple[Floats, np.ndarray]:
    """States of whole episodes of a policy, shape (step, state), and whose episode each is of."""
    from pellucid_robotics.rl.transitions import gather

    steps, rng = len(seeds) * task.steps, np.random.default_rng(0)
    with closing(make()) as environment:
        found = gather(environment, task, policy, steps, seeds=seeds, rng=rng, name="taught")
    return found.transitions.states, found.transitions.episodes


def visited_in_model(model: Surrogate, task: Task, policy: NetworkPolicy, begins: Floats) -> tuple[Floats, np.ndarray]:
    """The same in equations, which costs no true step: an episode from each of some states, shape (episode, state)."""
    states, found = begins, []
    inside = np.ones(len(begins), bool)
    for _ in range(task.steps):
        found.append((states, inside))
        states, _, left = model.step(states, policy(states))
        inside = inside & ~left
    names = np.array([f"modelled {at}" for at in range(len(begins))])
    return np.concatenate([one[kept] for one, kept in found]), np.concatenate([names[kept] for _, kept in found])


def distil(
    task: Task, teacher: NetworkPolicy, states: Floats, episodes: np.ndarray, settings: DistilSettings, seed: int
) -> SparsePolicy:
    """Write a policy as a sparse polynomial of states.

    Parameters
    ----------
    task : Task
    teacher : NetworkPolicy
    states : ndarray, shape (step, state)
        That it visits, whole episodes of it: those of the final rest alone would say nothing of the start.
    episodes : ndarray of str, shape (step,)
    settings : DistilSettings
    seed : int

    References
    ----------
    Zolman et al. (2025), SINDy-RL. Deviations: noise is in standard deviations of each state, and noisy angles are brought back to the
    circle; ridge and threshold are chosen on held-out episodes.
    """
    rng = np.random.default_rng([seed, 6])
    names = np.unique(episodes)
    chosen = rng.permutation(names)[: max(1, round(settings.held_out * len(names)))]
    out = np.isin(episodes, chosen)
    if out.all():
        out = np.arange(len(states)) >= len(states) * (1 - settings.held_out)
    shaken = [states[~out]]
    for _ in range(settings.again):
        noisy = states[~out] + rng.normal(0, settings.noise, states[~out].shape) * states[~out].std(0)
        project(noisy, task.circles)
        shaken.append(noisy)
    rows = np.concatenate(shaken)
    whose = np.tile(episodes[~out], len(shaken))
    targets = np.clip(teacher.raw(rows), -STRAYS * task.limit, STRAYS * task.limit)
    asked = teacher(states[out])
    library = Monomials.up_to(settings.degree, task.states, constant=False, angles=task.angles)
    target = Regression(names=task.actions, units=task.action_units, about="what the policy does")
    swept: list[tuple[Tried, SindyEnsemble]] = []
    for alpha in settings.levels:
        for threshold in settings.levels:
            sparse = SparseSettings(degree=settings.degree, threshold=threshold, alpha=alpha, members=settings.members)
            head = equations_of(rows, targets, whose, library, target, sparse, seed % 2**31)
            said = np.clip(library.of(states[out]) @ head.coefficients.detach().numpy().T, -task.limit, task.limit)
            terms = sum(len(head.terms(output)) for output in head.outputs)
            swept.append((Tried(threshold, alpha, float(np.square(said - asked).mean()), terms), head))
    least = min(tried.error for tried, _ in swept)
    able = [one for one in swept if one[0].error <= least * (1 + settings.slack)]
    best = min(able, key=lambda one: (one[0].terms, one[0].error))
    return SparsePolicy(task, library, best[1], tuple(tried for tried, _ in swept))
