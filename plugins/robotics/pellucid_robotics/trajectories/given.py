"""Episodes that are in memory: arrays, or arrays by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid_robotics.trajectories.episodes import Episode
from pellucid_robotics.trajectories.recording import Recording, TrajectoryArraysConfig

TAKES = (
    "an array of shape (step, name) or (episode, step, name), a mapping of names to arrays (step,), or a list of these"
)


def recordings_of(objects: Any, asked: TrajectoryArraysConfig) -> list[Recording]:
    """Recordings of what is in memory.

    Parameters
    ----------
    objects : array, mapping of str to array, or a sequence of these
        A mapping is an episode: by name an array of shape (step,), or (step, part), whose parts are called ``"name 0"`` and so on. What
        the option ``times`` names are times.
    asked : TrajectoryArraysConfig

    Raises
    ------
    DataError
        If it is something else.

    Examples
    --------
    >>> from pellucid_robotics.trajectories.recording import TrajectoryArraysConfig
    >>> (one,) = recordings_of({"x": [0.0, 1.0], "hand": [[1, 2], [3, 4]]}, TrajectoryArraysConfig())
    >>> one.names, one.episode.values.shape
    (('x', 'hand 0', 'hand 1'), (2, 3))
    """
    if isinstance(objects, Mapping):
        return [_of_mapping(objects, "episode 0", asked)]
    if isinstance(objects, (str, bytes)) or not isinstance(objects, (np.ndarray, Sequence)):
        raise DataError(f"episodes are made from {TAKES}, not from a {type(objects).__name__}")
    if len(objects) and isinstance(objects[0], Mapping):
        return [_of_mapping(one, f"episode {at}", asked) for at, one in enumerate(objects)]
    if isinstance(objects, np.ndarray) and objects.ndim == 2:
        objects = [objects]
    return [Recording(Episode(f"episode {at}", _numbers(one, f"episode {at}"))) for at, one in enumerate(objects)]


def _of_mapping(given: Any, name: str, asked: TrajectoryArraysConfig) -> Recording:
    if not isinstance(given, Mapping):
        raise DataError(f"{name}: is a {type(given).__name__} among mappings; episodes are made from {TAKES}")
    columns, names, times = [], list[str](), None
    for key, one in given.items():
        values = _numbers(one, f"{name}, {key!r}")
        if key == asked.times:
            times = values.reshape(-1).astype(np.float64)
            continue
        if values.ndim not in (1, 2):
            raise DataError(f"{name}, {key!r}: has shape {values.shape}, expected (step,) or (step, part)")
        wide = values.ndim == 2
        parts = values if wide else values[:, None]
        names += [f"{key} {part}" for part in range(parts.shape[1])] if wide else [str(key)]
        columns.append(parts)
    if len({len(one) for one in columns}) != 1:
        told = ", ".join(f"{key!r} {len(np.asarray(one))}" for key, one in given.items())
        raise DataError(f"{name}: arrays have different numbers of steps: {told}")
    if times is not None and len(times) != len(columns[0]):
        raise DataError(f"{name}: {len(times)} times for {len(columns[0])} steps")
    return Recording(Episode(name, np.hstack(columns)), tuple(names), times_s=times)


def _numbers(given: Any, where: str) -> np.ndarray:
    try:
        values = np.asarray(given)
    except (TypeError, ValueError):
        values = np.empty(0, object)
    if values.dtype.kind not in "fiu":
        raise DataError(f"{where}: holds no numbers of one shape; episodes are made from {TAKES}")
    return values
