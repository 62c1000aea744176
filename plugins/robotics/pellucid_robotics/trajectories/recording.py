"""Recordings as files hold them, each with what it says of itself, and episodes that are made of several that agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pellucid.errors import DataError, abridged, nearest
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid_robotics.trajectories.episodes import Episode, Episodes, common_dt, steady_dt
from pellucid_robotics.trajectories.reading import arrays_of, texts_of
from pellucid_robotics.trajectories.windows import EpisodesConfig

KNOWN = ("states", "actions", "state_names", "action_names", "units", "dt_s", "rewards")
"""Arrays of a ``.npz`` file, beside those that options name."""


class TrajectoryArraysConfig(EpisodesConfig):
    """Options of :class:`TrajectoryArrays`.

    Parameters
    ----------
    length, stride, padding, one_step
        See :class:`~pellucid_robotics.trajectories.windows.EpisodesConfig`.
    names : tuple of str
        States and actions to read, in this order; what the files say by default. They must be said for arrays that have no names.
    actions : tuple of str
        Those of the names that were done and not observed, beside what the files say.
    units : mapping of str to str
        By name. A name of which neither this nor a file says anything has the unit 1.
    dt_s : float, optional
        From one step to the next, for files without times.
    times : str
        Column or array of times in seconds.
    dt_tolerance : float
        How far a step may be from the usual one, as a share of it.
    episode_column : str
        Column of a CSV table that says which episode a row is of; without one a file is an episode.
    label : str
        Column, or entry of a ``.npz`` file, that says what an episode is of.
    people : bool
        Whether names of episodes may say who moved: digests stand for them then.
    about : str
        What a reader of a score must know of these episodes.
    """

    names: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    units: Mapping[str, str] = Field(default_factory=dict)
    dt_s: float | None = Field(default=None, gt=0)
    times: str = "time_s"
    dt_tolerance: float = Field(default=0.05, ge=0, lt=1)
    episode_column: str = ""
    label: str = "label"
    people: bool = False
    about: str = ""


@dataclass(frozen=True)
class Recording:
    """An episode with what its file says of it.

    Parameters
    ----------
    episode : Episode
    names : tuple of str
        Empty where the file does not say.
    actions : tuple of str
    units : mapping of str to str
    dt_s : float, optional
    times_s : ndarray, optional
    """

    episode: Episode
    names: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    dt_s: float | None = None
    times_s: npt.NDArray[np.floating] | None = None


def recordings_in(path: Path, asked: TrajectoryArraysConfig) -> list[Recording]:
    """The episodes of one file.

    Raises
    ------
    DataError
        Names the file and what is wrong with it.
    """
    if path.suffix == ".csv":
        return _of_table(read_csv(path), path, asked)
    held = arrays_of(path)
    if path.suffix == ".npz":
        return [_of_arrays(held, path.stem, path.name, asked)]
    values = held[""]
    if values.ndim == 3:
        return [
            Recording(Episode(f"{path.stem} {at}", one, where=f"{path.name}, episode {at}"))
            for at, one in enumerate(values)
        ]
    return [Recording(Episode(path.stem, values, where=path.name))]


def joined(recordings: Sequence[Recording], asked: TrajectoryArraysConfig, dataset: str) -> Episodes:
    """Episodes of recordings that agree on names, units and pace.

    Raises
    ------
    DataError
        Names the first recording that disagrees, and on what.
    """
    if not recordings:
        raise DataError(f"{dataset}: there is no episode")
    option = f"[options.{dataset}]"
    own = next((one for one in recordings if one.names), None)
    names = asked.names or (own.names if own else ())
    if not names:
        raise DataError(f"{recordings[0].episode.shown}: does not say what its columns are; say names in {option}")
    units, first = dict[str, str](), dict[str, Recording]()
    actions = dict.fromkeys(asked.actions)
    episodes, paces = [], list[tuple[str, float]]()
    for one in recordings:
        episodes.append(_in_order(one, names))
        actions |= dict.fromkeys(name for name in one.actions if name in names)
        for name, unit in one.units.items():
            if name in units and units[name] != unit:
                raise DataError(
                    f"{one.episode.shown}: {name!r} is in {unit!r}, but in {units[name]!r} in {first[name].episode.shown}; bring all files "
                    "to one unit"
                )
            units.setdefault(name, unit)
            first.setdefault(name, one)
        if one.times_s is not None and len(one.times_s) > 1:
            paces.append((one.episode.shown, steady_dt(one.times_s, one.episode.shown, asked.dt_tolerance)))
        elif one.dt_s is not None:
            paces.append((one.episode.shown, one.dt_s))
    for name, unit in asked.units.items():
        if name not in names:
            raise DataError(f"units names {name!r}{nearest(name, names)}; names here: {abridged(names, 20)}")
        if units.get(name, unit) != unit:
            raise DataError(
                f"{first[name].episode.shown}: {name!r} is in {units[name]!r}, and {option} says {unit!r}; change the one that is wrong"
            )
    dt_s = common_dt(paces, asked.dt_tolerance) if paces else asked.dt_s
    if dt_s is None:
        raise DataError(f"{recordings[0].episode.shown}: does not say how far apart steps are; say dt_s in {option}")
    if asked.dt_s is not None and abs(asked.dt_s - dt_s) > asked.dt_tolerance * dt_s:
        raise DataError(
            f"{paces[0][0]}: steps are {dt_s:g} s apart, and {option} says {asked.dt_s:g} s; leave dt_s out, or mend the times"
        )
    every = tuple({**units, **asked.units}.get(name, "1") for name in names)
    return Episodes(names, tuple(actions), every, dt_s, tuple(episodes))


def _in_order(one: Recording, names: tuple[str, ...]) -> Episode:
    episode = one.episode
    if not one.names or one.names == names:
        return episode
    for name in names:
        if name not in one.names:
            raise DataError(
                f"{episode.shown}: has no {name!r}{nearest(name, one.names)}; it has {abridged(one.names, 20)}"
            )
    columns = [one.names.index(name) for name in names]
    return Episode(
        episode.name, episode.values[:, columns], episode.label, episode.rewards, episode.where, episode.group
    )


def _of_arrays(held: dict[str, np.ndarray], name: str, where: str, asked: TrajectoryArraysConfig) -> Recording:
    if "states" not in held:
        raise DataError(
            f"{where}: has no array 'states'{nearest('states', held)}; it has {abridged(list(held)) or 'none'}"
        )
    parts, names = [], []
    for what, said in (("states", "state_names"), ("actions", "action_names")):
        if what not in held:
            continue
        values = held[what]
        if values.ndim != 2 or values.dtype.kind not in "fiu":
            raise DataError(
                f"{where}, {what}: is {values.dtype} of shape {values.shape}, expected numbers of shape (step, name)"
            )
        if len(values) != len(held["states"]):
            raise DataError(f"{where}: {len(held['states'])} states but {len(values)} actions; one of each a step")
        given = texts_of(held[said], f"{where}, {said}") if said in held else ()
        if given and len(given) != values.shape[1]:
            raise DataError(f"{where}: {len(given)} {said} for {what} of shape {values.shape}")
        parts.append(values)
        names.append(given or (() if asked.names else tuple(f"{what[:-1]} {at}" for at in range(values.shape[1]))))
    every = tuple(one for some in names for one in some)
    actions = (names[1] or asked.names[parts[0].shape[1] :]) if len(parts) > 1 else ()
    units: dict[str, str] = {}
    if "units" in held:
        given = texts_of(held["units"], f"{where}, units")
        called = every or asked.names
        if len(given) != len(called):
            raise DataError(
                f"{where}: {len(given)} units for {len(called)} names; there must be one for each, states first"
            )
        units = dict(zip(called, given, strict=True))
    label = texts_of(held[asked.label], f"{where}, {asked.label}")[0] if asked.label in held else ""
    dt_s = _number(held["dt_s"], f"{where}, dt_s") if "dt_s" in held else None
    times = _times(held[asked.times], len(parts[0]), f"{where}, {asked.times}") if asked.times in held else None
    rewards = held.get("rewards")
    if rewards is not None and (rewards.shape != (len(parts[0]),) or rewards.dtype.kind not in "fiu"):
        raise DataError(f"{where}, rewards: is {rewards.dtype} of shape {rewards.shape}, expected one number a step")
    return Recording(Episode(name, np.hstack(parts), label, rewards, where), every, tuple(actions), units, dt_s, times)


def _of_table(table: CsvTable, path: Path, asked: TrajectoryArraysConfig) -> list[Recording]:
    besides = {asked.times, asked.label, asked.episode_column}
    names = asked.names or tuple(name for name in table.columns if name not in besides)
    table.need([*names, *([asked.episode_column] if asked.episode_column else [])])
    values = np.stack([table.numbers(name) for name in names], 1)
    times = table.numbers(asked.times, blank=False) if table.has(asked.times) else None
    of = np.array(table.full(asked.episode_column) if asked.episode_column else [path.stem] * len(table))
    found = []
    for episode in dict.fromkeys(of.tolist()):
        rows = np.flatnonzero(of == episode)
        if (np.diff(rows) > 1).any():
            line = table.lines[rows[int((np.diff(rows) > 1).argmax()) + 1]]
            raise DataError(
                f"{path.name}, line {line}: episode {episode!r} goes on after another one; put its rows together, in order"
            )
        where = f"{path.name}, line {table.lines[rows[0]]} (episode {episode!r})" if asked.episode_column else path.name
        label = table[asked.label][rows[0]] if table.has(asked.label) else ""
        if label and len({table[asked.label][row] for row in rows}) > 1:
            raise DataError(f"{where}: has more than one {asked.label!r}; an episode has one")
        own = times[rows] if times is not None else None
        found.append(Recording(Episode(str(episode), values[rows], label, where=where), tuple(names), times_s=own))
    return found


def _number(value: np.ndarray, where: str) -> float:
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise DataError(f"{where}: is {value.dtype} of shape {value.shape}, expected one number")
    return float(value.reshape(-1)[0])


def _times(values: np.ndarray, steps: int, where: str) -> npt.NDArray[np.float64]:
    if values.shape != (steps,) or values.dtype.kind not in "fiu":
        raise DataError(f"{where}: is {values.dtype} of shape {values.shape}, expected {steps} times, one a step")
    return values.astype(np.float64)
