"""Many episodes of a model side by side, as stable-baselines3 wants them, and an environment that cannot break a learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from pellucid.errors import DataError
from pellucid_robotics.rl.tasks import Floats, Task, TransitionModel
from pellucid_robotics.rl.transitions import Transitions, numbers

FARTHEST = 10.0
"""Standard deviations beyond which an observation is cut off for the learner."""


class Scale:
    """Observations in standard deviations, and large rewards too, as a learner wants them.

    Parameters
    ----------
    mean, deviation : ndarray, shape (state,)
    reward : float
        What rewards are divided by: their standard deviation where that is above 1.
    """

    def __init__(self, mean: Floats, deviation: Floats, reward: float = 1.0) -> None:
        self.mean, self.deviation, self.reward = mean, np.where(deviation > 1e-6, deviation, 1.0), reward

    @classmethod
    def of(cls, seen: Transitions) -> Scale:
        """That of some steps."""
        return cls(seen.states.mean(0), seen.states.std(0), max(1.0, float(seen.rewards.std())))

    def __call__(self, states: Floats) -> Floats:
        """Shape (..., state)."""
        return np.clip((states - self.mean) / self.deviation, -FARTHEST, FARTHEST)


class ModelEpisodes(VecEnv):
    """Episodes of a model of an environment, stepped together.

    An episode that leaves the bounds is over and pays nothing; one that has lasted as long as the task's is cut off, so that what would
    have come counts. A new one begins at once from ``starts``.

    Parameters
    ----------
    model : TransitionModel
    task : Task
    starts : callable
        From a generator and a count to states, shape (count, state).
    scale : Scale
    count : int
    seed : int
    """

    def __init__(
        self, model: TransitionModel, task: Task, starts: Callable[[np.random.Generator, int], Floats], scale: Scale, count: int, seed: int
    ) -> None:  # fmt: skip
        wide = spaces.Box(-FARTHEST, FARTHEST, (len(task.states),), np.float32)
        super().__init__(count, wide, spaces.Box(-1.0, 1.0, (len(task.actions),), np.float32))
        self.model, self.task, self.starts, self.scale = model, task, starts, scale
        self.rng = np.random.default_rng(seed)
        self.states = self.starts(self.rng, count)
        # Episodes begin at different times, so that not all end together.
        self.at = self.rng.integers(task.steps, size=count)
        self.done_actions = np.zeros((count, len(task.actions)))

    def reset(self) -> np.ndarray:
        """Begin all anew."""
        self.states = self.starts(self.rng, self.num_envs)
        return self._seen(self.states)

    def step_async(self, actions: np.ndarray) -> None:
        """Take note of what is done, in limits of the action."""
        self.done_actions = self.task.limit * np.asarray(actions, np.float64)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Do it."""
        self.states, rewards, left = self.model.step(self.states, self.done_actions)
        self.at = self.at + 1
        late = (self.at >= self.task.steps) & ~left
        over = left | late
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if over.any():
            last = self._seen(self.states)
            for one in np.flatnonzero(over):
                infos[one] = {"terminal_observation": last[one], "TimeLimit.truncated": bool(late[one])}
            self.states = self.states.copy()
            self.states[over] = self.starts(self.rng, int(over.sum()))
            self.at[over] = 0
        return self._seen(self.states), (rewards / self.scale.reward).astype(np.float32), over, infos

    def _seen(self, states: Floats) -> np.ndarray:
        return self.scale(states).astype(np.float32)

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same for all."""
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Of all together."""
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """There are none."""
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """None is."""
        return [False] * self.num_envs


def mixed_starts(begun: Floats, visited: Floats, share: float) -> Callable[[np.random.Generator, int], Floats]:
    """Where episodes of a model begin: where true ones began, and for a share of them at any state that was visited."""

    def starts(rng: np.random.Generator, count: int) -> Floats:
        anywhere = rng.random(count) < share
        return np.where(
            anywhere[:, None],
            visited[rng.integers(len(visited), size=count)],
            begun[rng.integers(len(begun), size=count)],
        )

    return starts


class SafeEnvironment(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A true environment for a learner: scaled observations and actions, and errors that end an episode.

    Parameters
    ----------
    env : gymnasium.Env
    task : Task
    scale : Scale
    seeds : sequence of int
        With which episodes begin, one after the other, and from the first again.
    """

    def __init__(self, env: Any, task: Task, scale: Scale, seeds: Sequence[int]) -> None:
        super().__init__(env)
        self.task, self.scale, self.seeds, self.begun, self.at = task, scale, seeds, 0, 0
        self.observation_space = spaces.Box(-FARTHEST, FARTHEST, (len(task.states),), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (len(task.actions),), np.float32)
        self.last = np.zeros(len(task.states), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the next episode; a start that breaks is left out."""
        broken = "there is no seed"
        for _ in self.seeds:
            self.begun, self.at = self.begun + 1, 0
            try:
                seed = int(self.seeds[(self.begun - 1) % len(self.seeds)])
                state = numbers(self.env.reset(seed=seed)[0], len(self.task.states))
                break
            except Exception as error:  # noqa: BLE001 - environments are anybody's code
                broken = f"{type(error).__name__}: {error}"
        else:
            raise DataError(f"{self.task.name}: no episode can be begun; {broken}")
        self.last = self.scale(state).astype(np.float32)
        return self.last, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """An error, or what is no number, ends the episode and pays nothing."""
        self.at += 1
        try:
            state, reward, terminated, truncated, _ = self.env.step(self.task.limit * np.asarray(action, np.float64))
            state = numbers(state, len(self.task.states))
            good = bool(np.isfinite(float(reward)))
        except Exception:  # noqa: BLE001 - see reset
            good = False
        if not good:
            return self.last, 0.0, True, False, {}
        self.last = self.scale(state).astype(np.float32)
        return (
            self.last,
            float(reward) / self.scale.reward,
            bool(terminated),
            bool(truncated or self.at >= self.task.steps),
            {},
        )
