"""The dataset ``gym-episodes``: episodes collected here from an environment of gymnasium, from seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Finding
from pellucid.errors import ContractError, DataError, nearest
from pellucid_robotics.trajectories.episodes import Episode, Episodes
from pellucid_robotics.trajectories.windows import EpisodesConfig, EpisodeWindows

NAME = "gym-episodes"

Policy = Callable[[np.ndarray], Any]
"""From an observation to an action of the environment."""


class Named(NamedTuple):
    """What the numbers of an environment are."""

    states: tuple[tuple[str, str], ...]
    actions: tuple[tuple[str, str], ...]
    dt_s: float | None = None


_ANGLES = tuple((f"{way} of joint {at}", "1") for at in (1, 2) for way in ("cosine", "sine"))
CLASSIC = {
    "CartPole": Named((("position", "m"), ("speed", "m/s"), ("angle", "rad"), ("angular speed", "rad/s")), (("push right", "1"),)),
    "Pendulum": Named((("cosine", "1"), ("sine", "1"), ("angular speed", "rad/s")), (("torque", "N m"),)),
    "Acrobot": Named((*_ANGLES, ("angular speed 1", "rad/s"), ("angular speed 2", "rad/s")), (("torque", "1"),)),
    "MountainCar": Named((("position", "1"), ("speed", "1"),), (("push", "1"),), 1.0),
    "MountainCarContinuous": Named((("position", "1"), ("speed", "1")), (("force", "1"),), 1.0),
}  # fmt: skip
"""Environments of classic control, without their versions, as gymnasium documents them; a mountain car knows steps and no seconds."""


class GymEpisodesConfig(EpisodesConfig):
    """Options of :class:`GymEpisodes`.

    Parameters
    ----------
    length, stride, padding, one_step
        See :class:`~pellucid_robotics.trajectories.windows.EpisodesConfig`.
    environment : str
        Its id (``"Pendulum-v1"``), among those that are registered.
    episodes : int
    steps : int
        At most so many of an episode.
    seed : int
        That of the first episode; each following one has the next. An episode is called after its seed, so that a model refuses to be
        judged on seeds it has learnt from.
    dt_s : float, optional
        From one step to the next; by default what the environment says.
    """

    environment: str = "Pendulum-v1"
    episodes: int = Field(default=20, ge=1, le=100_000)
    steps: int = Field(default=200, ge=2, le=1_000_000)
    seed: int = Field(default=0, ge=0)
    dt_s: float | None = Field(default=None, gt=0)


class GymEpisodes(EpisodeWindows):
    """Episodes of an environment with actions drawn at random, or of a policy of one's own (:meth:`collected`).

    A step is an observation and the action that was done on it. What an episode has gathered before the environment raises an error,
    or says something that is no number, is kept, and the report says where it ended.

    Parameters
    ----------
    config : GymEpisodesConfig, optional
    data : None
        Nothing is read.

    Raises
    ------
    DataError
        If there is no such environment, its observations are no list of numbers, or nothing was gathered.

    References
    ----------
    Towers et al. (2024), Gymnasium: a standard interface for reinforcement learning environments, arXiv 2407.17032.
    """

    config_type = GymEpisodesConfig
    config: GymEpisodesConfig

    def __init__(self, config: GymEpisodesConfig | None = None, data: Path | None = None) -> None:
        if data is not None:
            raise DataError(f"{NAME} collects episodes and reads none; leave --data out")
        self.config = config or GymEpisodesConfig()
        environment = _made(self.config.environment)
        try:
            self._collect(environment, None)
        finally:
            environment.close()

    @classmethod
    def collected(
        cls, environment: Any, config: GymEpisodesConfig | None = None, policy: Policy | None = None
    ) -> GymEpisodes:
        """Episodes of an environment that is open, with actions of a policy; at random without one.

        Parameters
        ----------
        environment : gymnasium.Env
        config : GymEpisodesConfig, optional
            Its ``environment`` says what it is called.
        policy : callable, optional
            From an observation, float64 of shape (state,), to an action.
        """
        if not hasattr(environment, "observation_space"):
            raise ContractError(
                f"{NAME}: expected an environment of gymnasium that is open, got {type(environment).__name__}"
            )
        made = cls.__new__(cls)
        made.config = config or GymEpisodesConfig()
        made._collect(environment, policy)
        return made

    def _collect(self, environment: Any, policy: Policy | None) -> None:
        config = self.config
        states, actions, said = _names(environment, config.environment)
        dt_s = config.dt_s or said
        if dt_s is None:
            raise DataError(f"{config.environment}: does not say how far apart steps are; say dt_s in [options.{NAME}]")
        episodes, findings = [], []
        for seed in range(config.seed, config.seed + config.episodes):
            name = f"seed {seed}"
            rows, rewards, ended = _episode(environment, seed, config.steps, policy, len(states) + len(actions))
            if ended:
                findings.append(
                    Finding(
                        name, "the environment broke off", ended, "kept up to there" if len(rows) > 1 else "left out"
                    )
                )
            if len(rows) > 1 or (rows and not ended):
                where, group = f"{config.environment}, {name}", f"{config.environment} {name}"
                episodes.append(Episode(name, np.array(rows), "", np.array(rewards), where, group))
        if not episodes:
            raise DataError(f"{config.environment}: gathered nothing; {findings[0].where}")
        names = tuple(name for name, _ in (*states, *actions))
        units = tuple(unit for _, unit in (*states, *actions))
        found = Episodes(names, tuple(name for name, _ in actions), units, dt_s, tuple(episodes), tuple(findings))
        by = "a policy of the user's own" if policy else "actions drawn at random"
        self._take(
            NAME,
            found,
            config,
            about=f"Collected from {config.environment} with {by}: what such actions do not reach is not seen.",
        )

    @classmethod
    def example_data(cls) -> Dataset:
        """A few short swings of a pendulum."""
        return cls(GymEpisodesConfig(episodes=4, steps=12))


def _made(name: str) -> Any:
    import gymnasium

    # An id may name a module to import first: a study is data, and runs no code of others.
    if ":" in name:
        raise DataError(
            f"environment {name!r} names a module to import; register it in Python and give the open environment to GymEpisodes.collected"
        )
    if name not in gymnasium.registry:
        raise DataError(
            f"there is no environment {name!r}{nearest(name, gymnasium.registry)}; gymnasium.pprint_registry() lists all"
        )
    try:
        return gymnasium.make(name)
    except Exception as error:  # noqa: BLE001 - what an environment lacks (a package, a display) it says in errors of its own
        raise DataError(f"environment {name!r} cannot be made: {type(error).__name__}: {error}") from None


def _names(environment: Any, called: str) -> tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]], float | None]:
    """States and actions with units, and seconds of a step."""
    states = _numbers(environment.observation_space, "observation", called)
    actions = _numbers(environment.action_space, "action", called)
    inner = environment.unwrapped
    said = next(
        (float(getattr(inner, one)) for one in ("tau", "dt") if isinstance(getattr(inner, one, None), (int, float))),
        None,
    )
    known = CLASSIC.get(called.rpartition("-v")[0])
    if known is None or (len(known.states), len(known.actions)) != (len(states), len(actions)):
        return states, actions, said
    return known.states, known.actions, said or known.dt_s


def _numbers(space: Any, what: str, called: str) -> Sequence[tuple[str, str]]:
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return [(what, "1")]
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return [(f"{what} {at}", "1") for at in range(space.shape[0])]
    raise DataError(
        f"{called}: {what}s are {space}, expected a list of numbers or one of several; wrap the environment (gymnasium.wrappers, "
        "FlattenObservation) and give it to GymEpisodes.collected"
    )


def _episode(
    environment: Any, seed: int, steps: int, policy: Policy | None, width: int
) -> tuple[list[np.ndarray], list[float], str]:
    """Rows of observation and action, rewards, and why it broke off, or an empty string."""
    rows: list[np.ndarray] = []
    rewards: list[float] = []
    try:
        observation, _ = environment.reset(seed=seed)
        environment.action_space.seed(seed)
        for _ in range(steps):
            seen = np.atleast_1d(np.asarray(observation, np.float64))
            action = environment.action_space.sample() if policy is None else policy(seen)
            row = np.concatenate([seen, np.atleast_1d(np.asarray(action, np.float64))])
            if row.shape != (width,) or not np.isfinite(row).all():
                said = (
                    f"are {row.size} numbers, expected {width}" if row.size != width else "hold NaN or infinite numbers"
                )
                return rows, rewards, f"at step {len(rows)}: observation and action {said}"
            observation, reward, terminated, truncated, _ = environment.step(action)
            if not np.isfinite(reward):
                return rows, rewards, f"at step {len(rows)}: the reward is no number"
            rows.append(row)
            rewards.append(float(reward))
            if terminated or truncated:
                break
    except Exception as error:  # noqa: BLE001 - environments are anybody's code; what they gathered before is worth keeping
        return rows, rewards, f"at step {len(rows)}: {type(error).__name__}: {error}"
    return rows, rewards, ""
