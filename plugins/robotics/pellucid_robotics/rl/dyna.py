"""The loop: true steps, equations of them, a policy learnt in the equations, true steps of that policy, and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from pellucid.data.spec import Frozen
from pellucid.errors import StudyError
from pellucid.monomials import Monomials
from pellucid.seeds import seed_of
from pellucid_robotics.rl.learner import LearnerSettings, NetworkPolicy, learner
from pellucid_robotics.rl.surrogate import Fitted, SurrogateSettings, fit
from pellucid_robotics.rl.tasks import Floats, Task, TransitionModel
from pellucid_robotics.rl.transitions import HOLD, Gathered, Policy, Transitions, gather

SEEDS = 1_000_000
"""Seeds of episodes that a loop begins by itself are above it: none is one of a dataset's."""


class DynaSettings(Frozen):
    """How a policy is learnt in equations.

    Parameters
    ----------
    surrogate : SurrogateSettings
    learner : LearnerSettings
    rounds : int
        Times that the equations are fitted.
    iterations : int
        Of the learner in each round.
    on_policy : int
        True steps after each round but the last.
    kept : int
        Latest true steps of the policy that are fitted to, beside all random ones.
    noise : float
        Standard deviation of what is added to the policy's actions in the true environment, so that they tell more.
    anywhere : float
        Share of a surrogate's episodes that begin at any state that was visited; others begin where true ones did.
    """

    surrogate: SurrogateSettings = SurrogateSettings()
    learner: LearnerSettings = LearnerSettings()
    rounds: int = Field(default=5, ge=1)
    iterations: int = Field(default=10, ge=1)
    on_policy: int = Field(default=200, ge=0)
    kept: int = Field(default=2000, ge=0)
    noise: float = Field(default=0.2, ge=0)
    anywhere: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True)
class Round:
    """Where the loop stood after a round.

    Parameters
    ----------
    true_steps : int
        Of the true environment, all that the policy has learnt from.
    surrogate_steps : int
    policy : NetworkPolicy
    fitted : Fitted
        The equations that it was learnt in.
    """

    true_steps: int
    surrogate_steps: int
    policy: NetworkPolicy
    fitted: Fitted


@dataclass(frozen=True)
class Learnt:
    """What came of a loop.

    Parameters
    ----------
    rounds : tuple of Round
    seen : Transitions
        All true steps.
    findings : tuple of str
        Episodes that broke off.
    """

    rounds: tuple[Round, ...]
    seen: Transitions
    findings: tuple[str, ...]

    @property
    def policy(self) -> NetworkPolicy:
        """That of the last round."""
        return self.rounds[-1].policy

    @property
    def begins(self) -> Floats:
        """States at the start of true episodes, shape (episode, state)."""
        return _begins(self.seen)

    @property
    def fitted(self) -> Fitted:
        """The equations of the last round."""
        return self.rounds[-1].fitted


def at_random(make: Callable[[], Any], task: Task, steps: int, seed: int, hold: int = HOLD) -> Gathered:
    """Steps with actions drawn at random, to begin with.

    Parameters
    ----------
    make : callable
        Makes a ``gymnasium.Env``.
    task : Task
    steps : int
    seed : int
    hold : int
        Steps for which an action is held.

    Raises
    ------
    StudyError
        If one of these numbers is too small.
    """
    if steps < 1 or hold < 1 or seed < 0:
        raise StudyError(f"steps = {steps}, hold = {hold}, seed = {seed}: expected 1 or more, 1 or more, 0 or more")
    seeds = SEEDS + np.random.default_rng([seed, 1]).integers(SEEDS, size=steps)
    rng = np.random.default_rng([seed, 2])
    with closing(make()) as environment:
        return gather(environment, task, None, steps, seeds=seeds.tolist(), rng=rng, hold=hold, name="random")


def learn(
    make: Callable[[], Any], task: Task, begun: Gathered, settings: DynaSettings, seed: int,
    watch: Callable[[Round], bool] | None = None, library: Monomials | None = None,
) -> Learnt:  # fmt: skip
    """Learn a policy in equations of an environment, and count the true steps.

    Parameters
    ----------
    make : callable
        Makes a ``gymnasium.Env``.
    task : Task
    begun : Gathered
        Random steps, of :func:`at_random` or of a dataset; they count.
    settings : DynaSettings
    seed : int
    watch : callable, optional
        Told of each round; the loop ends where it says true.
    library : Monomials, optional
        Of states and actions, for the next state; see :func:`~pellucid_robotics.rl.surrogate.fit`.

    Returns
    -------
    Learnt

    References
    ----------
    Zolman et al. (2025), SINDy-RL, Nature Communications. Deviations: the learner is that of stable-baselines3; observations are brought
    to standard deviations of the random steps, rewards too where they are large; a share of a surrogate's episodes begins at any state
    that was visited.
    """
    from pellucid_robotics.rl.vector import ModelEpisodes, Scale, mixed_starts

    environment = make()
    random, own, findings, steps = begun.transitions, None, list(begun.findings), begun.steps
    scale = Scale.of(random)
    seeds = (2 * SEEDS + np.random.default_rng([seed, 3]).integers(SEEDS, size=(settings.rounds, 1000))).tolist()
    rng = np.random.default_rng([seed, 4])
    ppo: Any = None
    rounds: list[Round] = []
    everything = [random]
    for at in range(settings.rounds):
        seen = random if own is None else Transitions.joined([random, own])
        fitted = fit(task, seen, settings.surrogate, seed_of(seed, "equations", at) % 2**31, library)
        starts = mixed_starts(_begins(Transitions.joined(everything)), seen.states, settings.anywhere)
        count = settings.learner.episodes
        episodes = ModelEpisodes(fitted.surrogate, task, starts, scale, count, seed_of(seed, "episodes", at))
        if ppo is None:
            ppo = learner(episodes, settings.learner, seed_of(seed, "learner"))
        else:
            ppo.set_env(episodes)
        ppo.learn(settings.iterations * settings.learner.iteration, reset_num_timesteps=not rounds)
        rounds.append(Round(steps, int(ppo.num_timesteps), NetworkPolicy.of(ppo, scale, task), fitted))
        if (watch is not None and watch(rounds[-1])) or at == settings.rounds - 1:
            break
        if settings.on_policy:
            found = _of_policy(environment, task, rounds[-1].policy, settings, seeds[at], rng)
            steps += found.steps
            findings += found.findings
            everything.append(found.transitions)
            own = (found.transitions if own is None else Transitions.joined([own, found.transitions])).last(
                settings.kept
            )
    environment.close()
    return Learnt(tuple(rounds), Transitions.joined(everything), tuple(findings))


def learn_in_model(
    model: TransitionModel, task: Task, seen: Transitions, settings: DynaSettings, iterations: int, seed: int
) -> NetworkPolicy:
    """The same learner in a model that does not change, such as equations that are known: what it can reach at all.

    Parameters
    ----------
    model : TransitionModel
    task : Task
    seen : Transitions
        Where its episodes begin; see ``anywhere`` of the settings.
    settings : DynaSettings
    iterations : int
    seed : int
    """
    from pellucid_robotics.rl.vector import ModelEpisodes, Scale, mixed_starts

    scale = Scale.of(seen)
    starts = mixed_starts(_begins(seen), seen.states, settings.anywhere)
    episodes = ModelEpisodes(model, task, starts, scale, settings.learner.episodes, seed_of(seed, "known episodes"))
    ppo = learner(episodes, settings.learner, seed_of(seed, "learner"))
    ppo.learn(iterations * settings.learner.iteration)
    return NetworkPolicy.of(ppo, scale, task)


def _of_policy(
    environment: Any, task: Task, policy: Policy, settings: DynaSettings, seeds: Sequence[int], rng: np.random.Generator
) -> Gathered:
    return gather(environment, task, policy, settings.on_policy, seeds=seeds, rng=rng, noise=settings.noise, name="own")


def _begins(seen: Transitions) -> np.ndarray:
    """First states of episodes, shape (episode, state)."""
    first = np.r_[True, seen.episodes[1:] != seen.episodes[:-1]]
    return seen.states[first]
