"""Sparse equations in place of an environment: next state, reward, the way back to the circle, and the guard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from pellucid.data.spec import Frozen, Regression
from pellucid.errors import StudyError
from pellucid.heads.equations.sindy_ensemble import SindyEnsemble, SindyEnsembleConfig
from pellucid.monomials import Monomials
from pellucid_robotics.rl.tasks import Floats, Task
from pellucid_robotics.rl.transitions import Transitions


class SparseSettings(Frozen):
    """How sparse equations are found.

    Parameters
    ----------
    degree : int
        Of products of states.
    threshold : float
        Smallest coefficient that is kept.
    alpha : float
        Of the ridge, as a share of each term's sum of squares.
    members : int
        Of the ensemble.
    dropout : float
        Share of the terms that each member does without.
    block : int
        Neighbouring steps that are drawn together.
    """

    degree: int = Field(default=3, ge=1, le=8)
    threshold: float = Field(default=1e-3, ge=0)
    alpha: float = Field(default=1e-6, ge=0)
    members: int = Field(default=20, ge=1, le=200)
    dropout: float = Field(default=0.0, ge=0, lt=0.5)
    block: int = Field(default=20, ge=1)


def equations_of(
    columns: Floats, targets: Floats, episodes: np.ndarray, library: Monomials, target: Regression, settings: SparseSettings, seed: int
) -> SindyEnsemble:  # fmt: skip
    """A fitted head whose outputs are sums of a library's products.

    Parameters
    ----------
    columns : ndarray, shape (step, variable)
        What the products are made of.
    targets : ndarray, shape (step, output)
    episodes : ndarray of str, shape (step,)
        Blocks that members draw lie within one.
    """
    config = SindyEnsembleConfig(
        units=library.names, target=target, threshold=settings.threshold, alpha=settings.alpha, members=settings.members,
        dropout=settings.dropout, bagging="blocks", block=settings.block, seed=seed,
    )  # fmt: skip
    head = SindyEnsemble(config)
    head.settle_on(library.of(columns), targets, [str(one) for one in episodes])
    return head


@dataclass(frozen=True)
class Surrogate:
    """Equations of the next state and of the reward, with what keeps a learner in them safe.

    Parameters
    ----------
    task : Task
    library : Monomials
        Of states and actions.
    next_state : ndarray, shape (state, term)
    reward : ndarray, shape (1, term)
    low, high : ndarray, shape (state,)
        Beyond them an episode ends.
    pays : tuple of (float, float)
        Least and most that a step pays; what the equation says beyond is cut off, so that nobody is paid for where it is wrong.
    projected : bool
        Whether cosine and sine are brought back to the circle after each step.
    """

    task: Task
    library: Monomials
    next_state: Floats
    reward: Floats
    low: Floats
    high: Floats
    pays: tuple[float, float] = (-1e6, 1e6)
    projected: bool = True

    def step(self, states: Floats, actions: Floats) -> tuple[Floats, Floats, np.ndarray]:
        """One step of many episodes side by side.

        Parameters
        ----------
        states : ndarray, shape (episode, state)
        actions : ndarray, shape (episode, action)
            Beyond the limit they count as the limit.

        Returns
        -------
        following : ndarray, shape (episode, state)
            Finite always: an episode that leaves its bounds stays at the last state within them.
        rewards : ndarray, shape (episode,)
            0 for one that leaves.
        left : ndarray of bool, shape (episode,)
            Which have left the bounds, or would be no number.
        """
        rows = np.concatenate([states, np.clip(actions, -self.task.limit, self.task.limit)], 1).T
        terms = np.empty((len(self.library.powers), len(states)))
        with np.errstate(all="ignore"):
            self.library.fill(np.ascontiguousarray(rows), terms)
            following = (self.next_state @ terms).T
            rewards = (self.reward @ terms)[0]
            if self.projected:
                project(following, self.task.circles)
            inside = np.isfinite(following).all(1) & np.isfinite(rewards)
            inside &= ((following >= self.low) & (following <= self.high)).all(1)
        left = ~inside
        following = np.where(left[:, None], states, following)
        return following, np.where(left, 0.0, np.clip(rewards, *self.pays)), left

    def squares(self, some: Transitions, steps: int) -> Floats:
        """Mean squared error of runs from each state, in variances of each state; no run goes on into another episode.

        Parameters
        ----------
        some : Transitions
            In the order in which they were gathered.
        steps : int

        Returns
        -------
        ndarray, shape (transition, step)
            Of the run that begins there; NaN where its episode is over.
        """
        scale = np.where((spread := some.following.std(0)) > 0, spread, 1.0)
        same = np.r_[some.episodes[1:] == some.episodes[:-1], False]
        begins = np.arange(len(some))
        states, found = some.states, np.full((len(some), steps), np.nan)
        for at in range(steps):
            if not len(begins):
                break
            states, _, _ = self.step(states, some.actions[begins + at])
            found[begins, at] = np.square((states - some.following[begins + at]) / scale).mean(1)
            goes_on = same[begins + at]
            begins, states = begins[goes_on], states[goes_on]
        return found


def project(states: Floats, circles: tuple[tuple[int, int], ...]) -> None:
    """Bring cosines and sines to length 1, in place; at the origin there is no way back, and they stay."""
    for cosine, sine in circles:
        length = np.hypot(states[:, cosine], states[:, sine])
        length = np.where(length > 0, length, 1.0)
        states[:, cosine] /= length
        states[:, sine] /= length


@dataclass(frozen=True)
class Fitted:
    """A surrogate, and the heads that say its equations.

    Parameters
    ----------
    surrogate : Surrogate
    dynamics, reward : SindyEnsemble
    """

    surrogate: Surrogate
    dynamics: SindyEnsemble
    reward: SindyEnsemble


class SurrogateSettings(Frozen):
    """How an environment is replaced by equations.

    Parameters
    ----------
    dynamics : SparseSettings
        Of the next state: products of states, each alone and times each action.
    reward : SparseSettings
    margin : float
        How far beyond what was seen a step may pay, and where a task names no bounds a state may go, as a share of the range seen.
    """

    dynamics: SparseSettings = SparseSettings()
    reward: SparseSettings = SparseSettings(degree=2)
    margin: float = Field(default=0.5, ge=0)


def library_of(task: Task, degree: int, *, squares: bool = False) -> Monomials:
    """Products of states, each alone and times each action (and, of rewards, the actions' squares)."""
    found = Monomials.up_to(degree, task.names, linear=task.actions, angles=task.angles)
    if not squares:
        return found
    width = len(task.names)
    more = tuple(tuple(2 * (at == one) for at in range(width)) for one in range(len(task.states), width))
    return Monomials(found.variables, (*found.powers, *more))


def fit(
    task: Task, seen: Transitions, settings: SurrogateSettings, seed: int, library: Monomials | None = None
) -> Fitted:
    """Equations of what was seen.

    Parameters
    ----------
    task : Task
    seen : Transitions
    settings : SurrogateSettings
    seed : int
    library : Monomials, optional
        Of states and actions, for the next state; by default what :func:`library_of` offers.

    Raises
    ------
    DataError
        If there are fewer steps than terms, or values that are not finite.
    StudyError
        If a name cannot be part of a product.
    """
    for name in task.names:
        if any(sign in name for sign in "*^") or name == "1":
            raise StudyError(
                f"task {task.name!r}: a number named {name!r} would make products that cannot be read; rename it"
            )
    columns = np.concatenate([seen.states, seen.actions], 1)
    moves = library or library_of(task, settings.dynamics.degree)
    pays = library_of(task, settings.reward.degree, squares=True)
    dynamics = equations_of(
        columns, seen.following, seen.episodes, moves,
        Regression(names=tuple(f"next {one}" for one in task.states), units=task.units, about="one step later"), settings.dynamics, seed,
    )  # fmt: skip
    reward = equations_of(
        columns, seen.rewards[:, None], seen.episodes, pays, Regression(names=("reward",), units=("1",), about="what a step pays"),
        settings.reward, seed,
    )  # fmt: skip
    return Fitted(surrogate_of(task, dynamics, reward, seen, settings.margin), dynamics, reward)


def surrogate_of(
    task: Task, dynamics: SindyEnsemble, reward: SindyEnsemble, seen: Transitions, margin: float
) -> Surrogate:
    """A surrogate of two heads on products of the task's numbers."""
    offered = dict.fromkeys((*dynamics.term_names, *reward.term_names))
    # Terms without a coefficient cost time at every step, and say nothing.
    used = [
        one
        for one in offered
        if any(one in head.terms(output) for head in (dynamics, reward) for output in head.outputs)
    ]
    library = Monomials.read(used or ["1"], task.names)

    def row(head: SindyEnsemble, output: str) -> list[float]:
        terms = head.terms(output)
        return [terms.get(name, 0.0) for name in (used or ["1"])]

    states = np.concatenate([seen.states, seen.following])
    wide = margin * (states.max(0) - states.min(0))
    low = np.where(np.isfinite(task.low), task.low, states.min(0) - wide)
    high = np.where(np.isfinite(task.high), task.high, states.max(0) + wide)
    more = margin * float(np.ptp(seen.rewards))
    pays = (float(seen.rewards.min()) - more, float(seen.rewards.max()) + more)
    next_state = np.array([row(dynamics, one) for one in dynamics.outputs])
    return Surrogate(task, library, next_state, np.array([row(reward, "reward")]), low, high, pays)
