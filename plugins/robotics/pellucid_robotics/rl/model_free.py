"""The learner in the true environment, without any model: what equations are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from pellucid.data.spec import Frozen
from pellucid.seeds import seed_of
from pellucid_robotics.rl.dyna import SEEDS
from pellucid_robotics.rl.learner import LearnerSettings, learner
from pellucid_robotics.rl.tasks import Floats, Task
from pellucid_robotics.rl.transitions import Policy


class ModelFreeSettings(Frozen):
    """How long a learner without a model may learn.

    Parameters
    ----------
    algorithm : {"ppo", "sac"}
        Proximal policy optimisation, which learns from what it does now; or soft actor-critic, which learns from all that it has done, an
        update a step.
    limit : int
        True steps at most.
    every : int
        True steps between two looks.
    episodes : int
        Environments side by side; soft actor-critic has one.
    rollout_steps : int
        Steps of each between two updates.
    batch_size : int
    """

    algorithm: Literal["ppo", "sac"] = "ppo"
    limit: int = Field(default=100_000, ge=1)
    every: int = Field(default=2_000, ge=1)
    episodes: int = Field(default=4, ge=1)
    rollout_steps: int = Field(default=128, ge=2)
    batch_size: int = Field(default=64, ge=2)


def learn_without_model(
    make: Callable[[], Any], task: Task, settings: ModelFreeSettings, same: LearnerSettings, seed: int,
    watch: Callable[[int, Policy], bool], at: Sequence[int] = (),
) -> int:  # fmt: skip
    """Learn in the true environment, and be looked at now and then.

    Parameters
    ----------
    make : callable
        Makes a ``gymnasium.Env``.
    task : Task
    settings : ModelFreeSettings
    same : LearnerSettings
        Of the learner that learns in equations; what is not in ``settings`` is as there.
    seed : int
    watch : callable
        Told of true steps and policy; learning ends where it says true.
    at : sequence of int
        Numbers of true steps at which to look besides.

    Returns
    -------
    int
        True steps that were made.
    """
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv

    from pellucid_robotics.rl.vector import SafeEnvironment

    scale = _scale(make, task, seed)
    count = settings.episodes if settings.algorithm == "ppo" else 1
    drawn = 3 * SEEDS + np.random.default_rng([seed, 5]).integers(SEEDS, size=(count, 1000))
    # A name of its own for each: what is made in a loop would otherwise have the seeds of the last.
    episodes = DummyVecEnv([lambda own=own: SafeEnvironment(make(), task, scale, own) for own in drawn.tolist()])  # type: ignore[misc]
    chosen = seed_of(seed, "model-free") % 2**31
    if settings.algorithm == "ppo":
        model = learner(episodes, same, chosen, rollout_steps=settings.rollout_steps, batch_size=settings.batch_size)
    else:
        from stable_baselines3 import SAC

        model = SAC(
            "MlpPolicy",
            episodes,
            learning_rate=same.learning_rate,
            gamma=same.discount,
            seed=chosen,
            device="cpu",
            learning_starts=200,
        )

    def policy(states: Floats) -> Floats:
        return task.limit * np.asarray(
            model.predict(scale(states).astype(np.float32), deterministic=True)[0], np.float64
        )

    class Looks(BaseCallback):
        looked = 0

        def _on_step(self) -> bool:
            before, self.looked = self.looked, self.num_timesteps
            due = before // settings.every < self.looked // settings.every or any(
                before < one <= self.looked for one in at
            )
            return not (due and watch(self.looked, policy))

    model.learn(settings.limit, callback=Looks())
    episodes.close()
    return int(model.num_timesteps)


def _scale(make: Callable[[], Any], task: Task, seed: int) -> Any:
    """That of random steps, which are not counted: the comparison gives them to the learner without a model."""
    from pellucid_robotics.rl.dyna import at_random
    from pellucid_robotics.rl.vector import Scale

    return Scale.of(at_random(make, task, 5 * task.steps, seed).transitions)
