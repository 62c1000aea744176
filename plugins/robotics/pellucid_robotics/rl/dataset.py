"""The dataset ``swingup``: random steps of a swing-up as points, and the environment behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.samples import Finding
from pellucid.data.spec import DataSpec, Frozen, Regression, Vector
from pellucid.errors import DataError
from pellucid_robotics.rl.systems import SYSTEMS, SwingUpSystem
from pellucid_robotics.rl.tasks import Task
from pellucid_robotics.rl.transitions import HOLD, Policy, Transitions, gather

NAME = "swingup"


class RandomStepsConfig(Frozen):
    """Options of :class:`RandomSteps`.

    Parameters
    ----------
    episodes : int
    steps : int
        At most so many of an episode.
    hold : int
        Steps for which an action is held: what changes at every step moves nothing heavy.
    seed : int
        That of the first episode; each following one has the next. All stay below those with which loops begin episodes by themselves.
    """

    episodes: int = Field(default=30, ge=2, le=10_000)
    steps: int = Field(default=100, ge=2, le=100_000)
    hold: int = Field(default=HOLD, ge=1)
    seed: int = Field(default=0, ge=0, le=990_000)


class RandomSteps(ArrayDataset):
    """Steps of an environment with actions drawn at random, grouped by episode, and the environment itself.

    The input ``state`` holds what was seen and what was done, the target ``next`` what was seen then. The last step of an episode leads to
    a state of that episode: no step reaches across a reset. :class:`~pellucid_robotics.rl.tasks.HasEnvironment` hands on the rest.

    Parameters
    ----------
    make : callable
        Makes a ``gymnasium.Env``.
    task : Task
    config : RandomStepsConfig
    policy : callable, optional
        From states, shape (row, state), to actions; at random without one.
    name : str, optional
        Of the dataset.

    Raises
    ------
    DataError
        If nothing was gathered.
    """

    config_type: ClassVar[type[Any]] = RandomStepsConfig
    config: RandomStepsConfig

    def __init__(
        self,
        make: Callable[[], Any],
        task: Task,
        config: RandomStepsConfig,
        policy: Policy | None = None,
        name: str = "",
    ) -> None:
        self.task, self.config, self.environment = task, config, make
        environment = make()
        some: list[Transitions] = []
        findings: list[Finding] = []
        for seed in range(config.seed, config.seed + config.episodes):
            rng = np.random.default_rng([seed, 11])
            try:
                found = gather(
                    environment, task, policy, min(config.steps, task.steps), seeds=[seed], rng=rng, hold=config.hold, name=task.name
                )  # fmt: skip
            except DataError as error:
                findings.append(Finding(f"{task.name} {seed}", "the environment broke off", str(error), "left out"))
                continue
            some.append(found.transitions)
            findings += [
                Finding(f"{task.name} {seed}", "the environment broke off", one, "kept up to there")
                for one in found.findings
            ]
        environment.close()
        if not some:
            raise DataError(f"{task.name}: no episode could be gathered; {findings[0].where}")
        self.seen = Transitions.joined(some)
        self.findings = tuple(findings)
        called = name or task.name
        target = Regression(names=tuple(f"next {one}" for one in task.states), units=task.units, about="one step later")
        following = dict(zip(target.columns("next"), self.seen.following.T, strict=True))
        ids = [f"{one}@{at}" for some_one in some for at, one in enumerate(some_one.episodes)]
        frame = pd.DataFrame(
            {"episode": self.seen.episodes, "reward": self.seen.rewards} | following, index=pd.Index(ids, name="sample")
        )
        spec = DataSpec(
            name=called,
            inputs={"state": Vector(names=task.names, units=(*task.units, *task.action_units))},
            targets={"next": target},
            groups=("episode",),
            namespace=called,
            group_word=("episode", "episodes"),
            about=f"Steps of {task.name}, {task.dt_s} s each: what random actions do not reach is not seen.",
        )
        values = np.concatenate([self.seen.states, self.seen.actions], 1)
        super().__init__(spec, frame, {"state": values.astype(np.float32)})

    def seed_of_episode(self, episode: str) -> int:
        """The seed with which an episode was begun."""
        return int(episode.rpartition(" ")[2])

    def transitions_of(self, samples: Sequence[str]) -> Transitions:
        """What was seen, done and paid at some samples, in double precision."""
        rows, seen = self.frame.index.get_indexer(pd.Index(list(samples))), self.seen
        if (rows < 0).any():
            raise DataError(f"{self.spec.name}: no sample {list(samples)[int(np.argmax(rows < 0))]!r}")
        return Transitions(
            seen.states[rows], seen.actions[rows], seen.following[rows], seen.rewards[rows], seen.episodes[rows]
        )

    def true_model(self) -> SwingUpSystem | None:
        """Of anybody's environment nobody knows one."""
        return None


class SwingUpConfig(RandomStepsConfig):
    """Options of :class:`SwingUpSteps`.

    Parameters
    ----------
    system : {"pendulum", "cartpole"}
    episodes, steps, hold, seed
        See :class:`RandomStepsConfig`.
    """

    system: Literal["pendulum", "cartpole"] = "pendulum"


class SwingUpSteps(RandomSteps):
    """Random steps of a pendulum or of a pole on a cart that hangs and is to be swung up; what their equations are is known.

    Parameters
    ----------
    config : SwingUpConfig, optional
    data : None
        Nothing is read.
    """

    config_type = SwingUpConfig
    config: SwingUpConfig

    def __init__(self, config: SwingUpConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        from pellucid_robotics.rl.environments import ENVIRONMENTS

        config = config or SwingUpConfig()
        self.system = SYSTEMS[config.system]()
        super().__init__(ENVIRONMENTS[config.system], self.system.task, config, name=NAME)

    def true_model(self) -> SwingUpSystem:
        """The equations."""
        return self.system

    @classmethod
    def example_data(cls) -> Dataset:
        """A few short swings."""
        return cls(SwingUpConfig(episodes=12, steps=20))
