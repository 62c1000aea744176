"""The dataset ``trajectory-arrays``: episodes of one's own, in arrays or in a folder of ``.npz``, ``.npy`` and ``.csv`` files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Trajectory
from pellucid.errors import DataError
from pellucid_robotics.trajectories.given import recordings_of
from pellucid_robotics.trajectories.recording import Recording, TrajectoryArraysConfig, joined, recordings_in
from pellucid_robotics.trajectories.windows import INPUT, EpisodeWindows

NAME = "trajectory-arrays"
ENDINGS = (".npz", ".npy", ".csv")


class TrajectoryArrays(EpisodeWindows):
    """Episodes of your own: a folder of ``.npz``, ``.npy`` or ``.csv`` files, or arrays in memory.

    A ``.npz`` file is an episode: ``states`` of shape (step, state), perhaps ``actions`` (step, action), ``state_names``, ``action_names``,
    ``units`` (one for each name, states first), ``time_s`` or ``dt_s``, ``rewards`` (step,), ``label``. A ``.npy`` file is an array of
    shape (step, name), or (episode, step, name). A ``.csv`` file has a column for each name.

    Parameters
    ----------
    config : TrajectoryArraysConfig, optional
    data : Path
        The folder, or one file.

    Raises
    ------
    DataError
        Names the file, the episode, the step and the name of what cannot be used.
    """

    config_type = TrajectoryArraysConfig
    config: TrajectoryArraysConfig

    def __init__(self, config: TrajectoryArraysConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or TrajectoryArraysConfig()
        if data is None:
            raise DataError(
                f"{NAME} has no usual place: --data names the folder of {', '.join(ENDINGS)} files, or one file"
            )
        place = Path(data)
        files = [place] if place.is_file() else sorted(one for one in place.glob("*") if one.suffix in ENDINGS)
        if not files:
            raise DataError(f"{place}: holds no {', '.join(ENDINGS)} file")
        self._become([one for file in files for one in recordings_in(file, config)])

    def _become(self, recordings: list[Recording]) -> None:
        self._take(
            NAME,
            joined(recordings, self.config, NAME),
            self.config,
            about=self.config.about or "Episodes of the user's own.",
            people=self.config.people,
        )

    @classmethod
    def of_objects(cls, objects: Any, config: TrajectoryArraysConfig) -> Dataset:
        """Episodes that are in memory; see :func:`pellucid_robotics.trajectories.given.recordings_of`."""
        made = cls.__new__(cls)
        made.config = config
        made._become(recordings_of(objects, config))
        return made

    @classmethod
    def of_objects_like(cls, objects: Any, config: Any, learnt: DataSpec) -> Dataset:
        """Episodes in memory for models that have learnt from others: names, units and pace are theirs where nothing else is said."""
        known = learnt.inputs[INPUT]
        assert isinstance(known, Trajectory)
        said = {"names": known.names, "actions": known.actions, "dt_s": config.dt_s or known.dt_s}
        units = dict(zip(known.names, known.units, strict=True))
        return super().of_objects_like(objects, config.model_copy(update={**said, "units": units}), learnt)

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up swings that are pushed now and then, written for a moment."""
        rng = np.random.default_rng(0)
        with tempfile.TemporaryDirectory() as folder:
            for at in range(4):
                steps = np.arange(20 + 5 * at)
                np.savez(
                    Path(folder) / f"swing {at}.npz",
                    states=np.stack([np.sin(0.3 * steps + at), np.cos(0.3 * steps + at)], 1),
                    actions=rng.normal(size=(len(steps), 1)),
                    state_names=["angle", "speed"],
                    action_names=["push"],
                    units=["rad", "rad/s", "N"],
                    dt_s=0.1,
                    rewards=rng.normal(size=len(steps)),
                    label="slow" if at % 2 else "fast",
                )
            return cls(TrajectoryArraysConfig(length=10), Path(folder))
