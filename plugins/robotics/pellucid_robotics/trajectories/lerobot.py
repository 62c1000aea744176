"""The dataset ``lerobot-tree``: states and actions of a LeRobot dataset, version 2.0, 2.1 or 3.0."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Finding
from pellucid.errors import DataError, abridged
from pellucid_robotics.trajectories.episodes import Episode, Episodes, common_dt, steady_dt
from pellucid_robotics.trajectories.lerobot_meta import Info, lengths_of, read_info, tasks_of
from pellucid_robotics.trajectories.lerobot_tables import read_tables
from pellucid_robotics.trajectories.windows import EpisodesConfig, EpisodeWindows

NAME = "lerobot-tree"


class LeRobotTreeConfig(EpisodesConfig):
    """Options of :class:`LeRobotTree`.

    Parameters
    ----------
    length, stride, padding, one_step
        See :class:`~pellucid_robotics.trajectories.windows.EpisodesConfig`.
    states, actions : tuple of str
        Features to read, by the names that ``meta/info.json`` gives them.
    dt_tolerance : float
        How far a step may be from the usual one, as a share of it.
    """

    states: tuple[str, ...] = ("observation.state",)
    actions: tuple[str, ...] = ("action",)
    dt_tolerance: float = 0.05


class LeRobotTree(EpisodeWindows):
    """States and actions of a LeRobot dataset; videos and images are not read, which the report says.

    The target ``task`` is what was to be done, where there are several tasks. Units are not part of the format: all are 1.

    Parameters
    ----------
    config : LeRobotTreeConfig, optional
    data : Path
        The folder that holds ``meta/info.json``.

    Raises
    ------
    DataError
        Names the file, the episode and the step of what cannot be used.

    References
    ----------
    Cadene et al. (2024), LeRobot: state-of-the-art machine learning for real-world robotics in PyTorch; its dataset formats.
    """

    config_type = LeRobotTreeConfig
    config: LeRobotTreeConfig

    def __init__(self, config: LeRobotTreeConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or LeRobotTreeConfig()
        if data is None:
            raise DataError(f"{NAME} has no usual place: --data names the folder that holds meta/info.json")
        root = Path(data)
        info = read_info(root)
        states = [part for feature in config.states for part in info.parts(feature)]
        # An action is often called as the joint that it moves.
        actions = [f"{part}, action" if part in states else part for f in config.actions for part in info.parts(f)]
        features = (*config.states, *config.actions)
        table = read_tables(root, info, features)
        lengths, tasks = lengths_of(root), tasks_of(root)
        episodes, paces = [], list[tuple[str, float]]()
        for number, rows in table.by_episode():
            where = table.where(rows, number)
            if number in lengths and lengths[number] != len(rows):
                raise DataError(
                    f"{where}: has {len(rows)} steps, and meta says {lengths[number]}; the files are not of one state, fetch them again"
                )
            if len(rows) > 1:
                paces.append((where, steady_dt(table.timestamp[rows], where, config.dt_tolerance)))
            values = np.hstack([table.values[feature][rows] for feature in features])
            label = tasks.get(int(table.task[rows[0]]), "")
            rewards = None if table.reward is None else table.reward[rows]
            episodes.append(Episode(f"episode {number:06d}", values, label, rewards, where))
        there = {number for number, _ in table.by_episode()}
        if absent := sorted(set(lengths) - there):
            raise DataError(
                f"{root / 'data'}: {len(absent)} of {len(lengths)} episodes of meta are not there (first: {absent[0]}); fetch the rest"
            )
        dt_s = common_dt(paces, config.dt_tolerance) if paces else 1 / info.fps
        if abs(dt_s * info.fps - 1) > config.dt_tolerance:
            raise DataError(
                f"{root / 'meta/info.json'}: says {info.fps:g} steps a second, but times are {dt_s:g} s apart"
            )
        found = Episodes(
            (*states, *actions),
            tuple(actions),
            ("1",) * (len(states) + len(actions)),
            1 / info.fps,
            tuple(episodes),
            _unread(info),
        )
        self._take(
            NAME,
            found,
            config,
            target="task",
            about="Units are not part of this format: values are as the files have them.",
        )

    @classmethod
    def example_data(cls) -> Dataset:
        """A made-up tree of version 2.1, written for a moment."""
        with tempfile.TemporaryDirectory() as folder:
            write_example(Path(folder))
            return cls(LeRobotTreeConfig(), Path(folder))


def _unread(info: Info) -> tuple[Finding, ...]:
    pictures = info.pictures
    return (Finding(NAME, "videos and images", abridged(pictures), "not read"),) if pictures else ()


def write_example(root: Path, episodes: int = 4, version: str = "v2.1") -> None:
    """Write a small made-up tree of a robot with two joints; in version 3.0 all episodes stand in one file.

    Parameters
    ----------
    root : Path
    episodes : int
    version : {"v2.0", "v2.1", "v3.0"}
    """
    rng = np.random.default_rng(0)
    joints = {"dtype": "float32", "shape": [2], "names": ["shoulder", "elbow"]}
    whole = {"dtype": "int64", "shape": [1], "names": None}
    info: dict[str, Any] = {
        "codebase_version": version,
        "fps": 10,
        "features": {
            "observation.state": joints,
            "action": joints,
            "observation.images.top": {"dtype": "video", "shape": [4, 4, 3], "names": ["height", "width", "channel"]},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            **dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), whole),
        },
    }
    frames, listed = [], []
    for number in range(episodes):
        steps = np.arange(8 + number)
        frames.append(
            pd.DataFrame(
                {
                    "observation.state": list(rng.normal(size=(len(steps), 2)).astype(np.float32)),
                    "action": list(rng.normal(size=(len(steps), 2)).astype(np.float32)),
                    "timestamp": (steps / 10).astype(np.float32),
                    "frame_index": steps,
                    "episode_index": number,
                    "index": steps,
                    "task_index": number % 2,
                }
            )
        )
        listed.append({"episode_index": number, "tasks": [f"task {number % 2}"], "length": len(steps)})
    tasks = [{"task_index": at, "task": ("lift", "push")[at]} for at in range(2)]
    (root / "meta").mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info))
    data = root / "data/chunk-000"
    data.mkdir(parents=True)
    if version == "v3.0":
        pd.concat(frames).to_parquet(data / "file-000.parquet", index=False)
        place = root / "meta/episodes/chunk-000"
        place.mkdir(parents=True)
        pd.DataFrame(listed).to_parquet(place / "file-000.parquet", index=False)
        pd.DataFrame(tasks).set_index("task").to_parquet(root / "meta/tasks.parquet")
        return
    for number, frame in enumerate(frames):
        frame.to_parquet(data / f"episode_{number:06d}.parquet", index=False)
    for name, rows in (("episodes", listed), ("tasks", tasks)):
        (root / f"meta/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
