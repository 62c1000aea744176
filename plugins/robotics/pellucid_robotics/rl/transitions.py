"""What was seen, done, paid, and seen next, in the true environment; no transition reaches across a reset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import ContractError, DataError, abridged
from pellucid_robotics.rl.tasks import Floats, Task

Policy = Callable[[Floats], Floats]
"""From states, shape (row, state), to actions, shape (row, action)."""

HOLD = 8
"""Steps for which an action drawn at random is held: what changes at every step moves nothing heavy."""


@dataclass(frozen=True)
class Transitions:
    """Steps of episodes.

    Parameters
    ----------
    states, actions, following : ndarray of float64, shape (step, state or action)
    rewards : ndarray, shape (step,)
    episodes : ndarray of str, shape (step,)
    """

    states: Floats
    actions: Floats
    following: Floats
    rewards: Floats
    episodes: np.ndarray

    def __len__(self) -> int:
        return len(self.rewards)

    @classmethod
    def joined(cls, some: Sequence[Transitions]) -> Transitions:
        """One after the other."""
        fields = ("states", "actions", "following", "rewards", "episodes")
        return cls(*(np.concatenate([getattr(one, name) for one in some]) for name in fields))

    def last(self, steps: int) -> Transitions:
        """The latest steps; those of an episode that begins before stay whole steps of it."""
        rows = slice(max(0, len(self) - steps), None)
        return Transitions(
            self.states[rows], self.actions[rows], self.following[rows], self.rewards[rows], self.episodes[rows]
        )


@dataclass(frozen=True)
class Gathered:
    """Transitions, how many true steps they took, and what broke off.

    Parameters
    ----------
    transitions : Transitions
    steps : int
        Steps that the environment was asked for, those that failed among them.
    findings : tuple of str
        Where an episode broke off, and why.
    """

    transitions: Transitions
    steps: int
    findings: tuple[str, ...] = ()


def gather(
    environment: Any, task: Task, policy: Policy | None, steps: int, *, seeds: Sequence[int], rng: np.random.Generator, hold: int = 1,
    noise: float = 0.0, name: str = "episode",
) -> Gathered:  # fmt: skip
    """Steps of an environment, episode after episode, until there are enough.

    An episode that raises an error, or says something that is no number, ends there; what it has gathered before is kept.

    Parameters
    ----------
    environment : gymnasium.Env
    task : Task
    policy : callable, optional
        Actions at random without one.
    steps : int
    seeds : sequence of int
        With which episodes are begun; as many episodes as there are seeds, at most.
    rng : Generator
        Of random actions, and of noise.
    hold : int
        Steps for which a random action is held: what changes at every step moves nothing heavy.
    noise : float
        Standard deviation of what is added to a policy's actions.
    name : str
        Episodes are called after it and their seed.

    Raises
    ------
    DataError
        If nothing was gathered.
    ContractError
        If what the policy says is no array of numbers, one a state and action.
    """
    rows: list[tuple[Floats, Floats, Floats, float, str]] = []
    findings: list[str] = []
    asked = 0
    for seed in seeds:
        if asked >= steps:
            break
        called = f"{name} {seed}"
        try:
            state = numbers(environment.reset(seed=int(seed))[0], len(task.states))
            action = np.zeros(len(task.actions))
            for at in range(min(task.steps, steps - asked)):
                if policy is None:
                    if at % hold == 0:
                        action = rng.uniform(-task.limit, task.limit, len(task.actions))
                else:
                    action = _said(policy, state[None], task)[0] + rng.normal(0, noise, len(task.actions))
                    action = np.clip(action, -task.limit, task.limit)
                asked += 1
                after, reward, terminated, truncated, _ = environment.step(action)
                after = numbers(after, len(task.states))
                rows.append((state, action.copy(), after, _paid(reward), called))
                state = after
                if terminated or truncated:
                    break
        except ContractError:
            raise
        except Exception as error:  # noqa: BLE001 - environments are anybody's code; what they gathered before is worth keeping
            findings.append(
                f"{called} broke off after {sum(row[4] == called for row in rows)} steps: {type(error).__name__}: {error}"
            )
            asked += not rows or rows[-1][4] != called
    if not rows:
        told = abridged(findings, 1, between="; ")
        raise DataError(f"{task.name}: nothing was gathered; {told or 'no steps were asked for'}")
    columns = [np.array(one) for one in zip(*rows, strict=True)]
    return Gathered(Transitions(*columns), asked, tuple(findings))


def returns(
    make: Callable[[], Any], task: Task, policy: Policy | None, seeds: Sequence[int], hold: int = HOLD
) -> Floats:
    """Sum of rewards of an episode from each seed, shape (seed,): actions at random without a policy.

    Parameters
    ----------
    make : callable
        Makes an environment: those of all seeds go side by side, so that a policy is asked once a step.
    task : Task
    policy : callable, optional
    seeds : sequence of int
    hold : int
        Steps for which an action at random is held, as where steps are gathered to learn from.

    Notes
    -----
    An episode that raises an error, or says something that is no number, ends with what it has. Where none can even be begun there is
    no sum to tell.

    Raises
    ------
    DataError
        If no episode can be begun.
    ContractError
        As in :func:`gather`.
    """
    with ExitStack() as opened:
        several = [opened.enter_context(closing(make())) for _ in seeds]
        total, running = np.zeros(len(seeds)), np.ones(len(seeds), bool)
        states = np.zeros((len(seeds), len(task.states)))
        draws = [np.random.default_rng([int(seed), 7]) for seed in seeds]
        broken = ""
        for at, seed in enumerate(seeds):
            try:
                states[at] = numbers(several[at].reset(seed=int(seed))[0], len(task.states))
            except Exception as error:  # noqa: BLE001 - see gather
                running[at], broken = False, f"{type(error).__name__}: {error}"
        if len(seeds) and not running.any():
            raise DataError(f"{task.name}: no episode can be begun; {broken}")
        actions = np.zeros((len(seeds), len(task.actions)))
        for step in range(task.steps):
            if not running.any():
                break
            if policy is not None:
                actions = np.clip(_said(policy, states, task), -task.limit, task.limit)
            elif step % hold == 0:
                actions = np.stack([draw.uniform(-task.limit, task.limit, len(task.actions)) for draw in draws])
            for at in np.flatnonzero(running).tolist():
                try:
                    after, reward, terminated, truncated, _ = several[at].step(actions[at])
                    states[at] = numbers(after, len(task.states))
                    total[at] += _paid(reward)
                    running[at] = not (terminated or truncated)
                except Exception:  # noqa: BLE001 - see gather
                    running[at] = False
    return total


def _paid(reward: Any) -> float:
    if not np.isfinite(reward):
        raise ValueError("the reward is no number")
    return float(reward)


def target_of(best: float, reached: float) -> float:
    """A share of a return; of one below 0, of which a share would be a better one, as far beneath it instead.

    Examples
    --------
    >>> target_of(160.0, 0.75), target_of(-160.0, 0.75)
    (120.0, -200.0)
    """
    return best - (1 - reached) * abs(best)


def _said(policy: Policy, states: Floats, task: Task) -> Floats:
    said = np.asarray(policy(states), np.float64)
    if said.shape != (len(states), len(task.actions)):
        raise ContractError(
            f"{task.name}: the policy says an array of shape {said.shape} of {len(states)} states, "
            f"expected {(len(states), len(task.actions))}"
        )
    if not np.isfinite(said).all():
        raise ContractError(f"{task.name}: the policy says NaN or infinite actions")
    return said


def numbers(observation: Any, width: int) -> Floats:
    """An observation as float64, shape (state,).

    Raises
    ------
    ValueError
        If it has another number of numbers, or one that is none.
    """
    found = np.asarray(observation, np.float64).ravel()
    if found.shape != (width,):
        raise ValueError(f"an observation has {found.size} numbers, and the task names {width} states")
    if not np.isfinite(found).all():
        raise ValueError("an observation is no number")
    return found.copy()
