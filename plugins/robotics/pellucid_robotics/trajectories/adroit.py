"""The dataset ``adroit-door``: demonstrations of a hand that opens a door, in the arrays of ``demos.npz``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.errors import DataError
from pellucid_robotics.trajectories.episodes import Episode, Episodes
from pellucid_robotics.trajectories.reading import arrays_of
from pellucid_robotics.trajectories.windows import EpisodesConfig, EpisodeWindows

NAME = "adroit-door"
OBSERVATIONS, ACTIONS = 39, 28
HINGE = 28
"""Which observation is the angle of the door's hinge, from 0."""

_KEY = re.compile(r"(demo\d+)_observations")


class AdroitDoorConfig(EpisodesConfig):
    """Options of :class:`AdroitDoor`.

    Parameters
    ----------
    length, stride, padding, one_step
        See :class:`~pellucid_robotics.trajectories.windows.EpisodesConfig`.
    dt_s : float
        From one step to the next. The recordings do not say; the default is that of the environment they were recorded in, which shows
        100 steps a second.
    """

    dt_s: float = Field(default=0.01, gt=0)


class AdroitDoor(EpisodeWindows):
    """Demonstrations by a person with a glove in a simulation: 39 observations and 28 actions a step.

    Observations are named ``obs 0`` to ``obs 38`` but for the angle of the door's hinge, actions ``action 0`` to ``action 27``: joints of
    the arm and the hand, in the order of the environment. The target ``reward`` is the mean over the steps of a sample.

    Parameters
    ----------
    config : AdroitDoorConfig, optional
    data : Path
        ``demos.npz``, or its folder: ``demo00_observations`` of shape (step, 39), ``demo00_actions`` (step, 28),
        ``demo00_rewards`` (step,), and so on.

    Raises
    ------
    DataError
        Names the demonstration and what is wrong with it.

    References
    ----------
    Rajeswaran et al. (2018), Learning complex dexterous manipulation with deep reinforcement learning and demonstrations, RSS.
    """

    config_type = AdroitDoorConfig
    config: AdroitDoorConfig

    def __init__(self, config: AdroitDoorConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or AdroitDoorConfig()
        if data is None:
            raise DataError(f"{NAME} has no usual place: --data names demos.npz, or its folder")
        path = Path(data) / "demos.npz" if Path(data).is_dir() else Path(data)
        held = arrays_of(path)
        demos = sorted(found[1] for key in held if (found := _KEY.fullmatch(key)))
        if not demos:
            raise DataError(f"{path.name}: holds no demonstration; expected arrays such as demo00_observations")
        self._become(path.name, [self._episode(path, held, demo) for demo in demos])

    def _become(self, file: str, episodes: list[Episode]) -> None:
        states = tuple("door hinge" if at == HINGE else f"obs {at}" for at in range(OBSERVATIONS))
        actions = tuple(f"action {at}" for at in range(ACTIONS))
        # The recordings give no unit; angles of MuJoCo's hinges are radians.
        units = tuple("rad" if name == "door hinge" else "1" for name in (*states, *actions))
        try:
            found = Episodes((*states, *actions), actions, units, self.config.dt_s, tuple(episodes))
        except DataError as error:
            raise DataError(f"{file}: {str(error).removeprefix(f'{file}: ')}") from None
        self._take(
            NAME,
            found,
            self.config,
            about="Demonstrations of one person in a simulation: another person, and another door, are not what is asked about.",
            group_word=("demonstration", "demonstrations"),
        )

    def _episode(self, path: Path, held: dict[str, np.ndarray], demo: str) -> Episode:
        parts = []
        for what, width in (("observations", OBSERVATIONS), ("actions", ACTIONS)):
            key = f"{demo}_{what}"
            if key not in held:
                raise DataError(f"{path.name}: has {demo}_observations but no {key}")
            if held[key].ndim != 2 or held[key].shape[1] != width:
                raise DataError(f"{path.name}, {key}: has shape {held[key].shape}, expected (step, {width})")
            parts.append(held[key])
        if len(parts[0]) != len(parts[1]):
            raise DataError(
                f"{path.name}, {demo}: {len(parts[0])} observations but {len(parts[1])} actions; one of each a step"
            )
        return Episode(demo, np.hstack(parts), rewards=held.get(f"{demo}_rewards"), where=f"{path.name}, {demo}")

    @classmethod
    def example_data(cls) -> Dataset:
        """A few made-up demonstrations of this shape."""
        rng = np.random.default_rng(0)
        made = cls.__new__(cls)
        made.config = AdroitDoorConfig(length=12)
        made._become(
            "made up",
            [
                Episode(
                    f"demo{at:02d}",
                    rng.normal(size=(20 + at, OBSERVATIONS + ACTIONS)),
                    rewards=rng.normal(size=20 + at),
                )
                for at in range(4)
            ],
        )
        return made
