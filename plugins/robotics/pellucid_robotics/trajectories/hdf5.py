"""The datasets ``robomimic-hdf5`` and ``aloha-hdf5``: demonstrations in the two common layouts of HDF5 files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Finding
from pellucid.errors import DataError, abridged, nearest
from pellucid_robotics.trajectories.episodes import Episode, Episodes
from pellucid_robotics.trajectories.hdf5_reading import group_of, lists_of, numbers_of, opened
from pellucid_robotics.trajectories.windows import EpisodesConfig, EpisodeWindows

ARM = ("waist", "shoulder", "elbow", "forearm roll", "wrist angle", "wrist rotation", "gripper")
"""Joints of one ALOHA arm, in the order of its files; the left arm stands first."""

ACTION = "action"

MADE_UP = (8, 9, 10, 11)


class RobomimicHdf5Config(EpisodesConfig):
    """Options of :class:`RobomimicHdf5`.

    Parameters
    ----------
    length, stride, padding, one_step
        See :class:`~pellucid_robotics.trajectories.windows.EpisodesConfig`.
    observations : tuple of str
        Which of ``obs/`` to read; all lists of numbers by default.
    dt_s : float, optional
        From one step to the next; by default what the file says of its controller.
    """

    observations: tuple[str, ...] = ()
    dt_s: float | None = Field(default=None, gt=0)


class RobomimicHdf5(EpisodeWindows):
    """Demonstrations of robomimic and of what writes as it does: ``data/demo_0/obs/<name>`` and ``data/demo_0/actions``.

    Images are not read, which the report says. Units are not part of the layout: all are 1.

    Parameters
    ----------
    config : RobomimicHdf5Config, optional
    data : Path
        The file.

    Raises
    ------
    DataError
        Names the demonstration and what is wrong with it.

    References
    ----------
    Mandlekar et al. (2021), What matters in learning from offline human demonstrations for robot manipulation, arXiv 2108.03298.
    """

    config_type = RobomimicHdf5Config
    config: RobomimicHdf5Config

    def __init__(self, config: RobomimicHdf5Config | None = None, data: Path | None = None) -> None:
        self.config = config = config or RobomimicHdf5Config()
        path = _file(data, "robomimic-hdf5")
        with opened(path) as file:
            group = group_of(file, "data", path.name)
            demos = sorted((name for name in group if name.startswith("demo")), key=_numbered)
            if not demos:
                raise DataError(f"{path.name}: data/ holds no demonstration; expected data/demo_0 and so on")
            dt_s = config.dt_s or _controller_dt(group.attrs.get("env_args"), path.name)
            episodes, names, pictures = [], dict[str, int](), set[str]()
            for demo in demos:
                where = f"{path.name}, data/{demo}"
                own = group_of(group, demo, path.name)
                observed = group_of(own, "obs", where)
                lists, others = lists_of(observed, f"{where}/obs")
                pictures |= set(others)
                wanted = config.observations or tuple(name for name in names if name != ACTION) or tuple(lists)
                for name in wanted:
                    if name not in lists:
                        raise DataError(
                            f"{where}/obs: has no list of numbers {name!r}{nearest(name, lists)}; it has {abridged(lists)}"
                        )
                if ACTION in wanted:
                    raise DataError(f"{where}/obs: has a list called {ACTION!r}, as actions are called here; rename it")
                parts = {name: numbers_of(observed, name, f"{where}/obs") for name in wanted}
                parts[ACTION] = numbers_of(own, "actions", where)
                _same_shape(parts, names, where)
                rewards = numbers_of(own, "rewards", where)[:, 0] if "rewards" in own else None
                episodes.append(Episode(demo, np.hstack(list(parts.values())), rewards=rewards, where=where))
        every = [f"{name} {at}" for name, width in names.items() for at in range(width)]
        actions = tuple(name for name in every if name.startswith(f"{ACTION} "))
        findings = (
            (Finding("robomimic-hdf5", "images and other arrays", abridged(sorted(pictures)), "not read"),)
            if pictures
            else ()
        )
        found = Episodes(tuple(every), actions, ("1",) * len(every), dt_s, tuple(episodes), findings)
        self._take(
            "robomimic-hdf5", found, config, group_word=("demonstration", "demonstrations"),
            about="Units are not part of this layout: values are as the file has them.",
        )  # fmt: skip

    @classmethod
    def example_data(cls) -> Dataset:
        """A made-up file, written for a moment."""
        import h5py

        rng = np.random.default_rng(0)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "low_dim.hdf5"
            with h5py.File(path, "w") as file:
                data = file.create_group("data")
                data.attrs["env_args"] = json.dumps({"env_kwargs": {"control_freq": 20}})
                for at, steps in enumerate(MADE_UP):
                    demo = data.create_group(f"demo_{at}")
                    demo["actions"], demo["rewards"] = rng.normal(size=(steps, 2)), rng.normal(size=steps)
                    demo["obs/gripper"], demo["obs/object"] = rng.normal(size=(steps, 2)), rng.normal(size=(steps, 3))
            return cls(None, path)


class AlohaHdf5Config(EpisodesConfig):
    """Options of :class:`AlohaHdf5`.

    Parameters
    ----------
    length, stride, padding, one_step
        See :class:`~pellucid_robotics.trajectories.windows.EpisodesConfig`.
    observations : tuple of str
        Which of ``observations/`` to read.
    dt_s : float
        From one step to the next. The files do not say; ALOHA records 50 steps a second.
    """

    observations: tuple[str, ...] = ("qpos",)
    dt_s: float = Field(default=0.02, gt=0)


class AlohaHdf5(EpisodeWindows):
    """Demonstrations of ALOHA's two arms: one file each, with ``/observations/qpos`` and ``/action``.

    Joints are called by their names where there are 14, and by numbers elsewhere. Images are not read, which the report says.

    Parameters
    ----------
    config : AlohaHdf5Config, optional
    data : Path
        The folder of ``episode_0.hdf5`` and so on.

    Raises
    ------
    DataError
        Names the file and what is wrong with it.

    References
    ----------
    Zhao et al. (2023), Learning fine-grained bimanual manipulation with low-cost hardware, arXiv 2304.13705.
    """

    config_type = AlohaHdf5Config
    config: AlohaHdf5Config

    def __init__(self, config: AlohaHdf5Config | None = None, data: Path | None = None) -> None:
        self.config = config = config or AlohaHdf5Config()
        if data is None:
            raise DataError("aloha-hdf5 has no usual place: --data names the folder of episode_0.hdf5 and so on")
        place = Path(data)
        files = (
            [place]
            if place.is_file()
            else sorted((*place.glob("*.hdf5"), *place.glob("*.h5")), key=lambda p: _numbered(p.stem))
        )
        if not files:
            raise DataError(f"{place}: holds no .hdf5 file; expected episode_0.hdf5 and so on")
        episodes, names, pictures = [], dict[str, int](), set[str]()
        for path in files:
            with opened(path) as file:
                observed = group_of(file, "observations", path.name)
                _lists, others = lists_of(observed, f"{path.name}, observations")
                pictures |= set(others) - set(config.observations)
                parts = {name: numbers_of(observed, name, f"{path.name}, observations") for name in config.observations}
                parts[ACTION] = numbers_of(file, "action", path.name)
            _same_shape(parts, names, path.name)
            episodes.append(Episode(path.stem, np.hstack(list(parts.values())), where=path.name))
        every = [one for name, width in names.items() for one in _joints(name, width)]
        actions = tuple(_joints(ACTION, names[ACTION]))
        findings = (
            (Finding("aloha-hdf5", "images and other arrays", abridged(sorted(pictures)), "not read"),)
            if pictures
            else ()
        )
        units = tuple(unit for name, width in names.items() for unit in _units(name, width))
        found = Episodes(tuple(every), actions, units, config.dt_s, tuple(episodes), findings)
        self._take("aloha-hdf5", found, config, group_word=("demonstration", "demonstrations"))

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up files, written for a moment."""
        import h5py

        rng = np.random.default_rng(0)
        with tempfile.TemporaryDirectory() as folder:
            for at, steps in enumerate(MADE_UP):
                with h5py.File(Path(folder) / f"episode_{at}.hdf5", "w") as file:
                    file["observations/qpos"], file["action"] = (
                        rng.normal(size=(steps, 14)),
                        rng.normal(size=(steps, 14)),
                    )
            return cls(None, Path(folder))


def _joints(name: str, width: int) -> list[str]:
    if width == 2 * len(ARM):
        return [f"{side} {joint}, {name}" for side in ("left", "right") for joint in ARM]
    return [f"{name} {at}" for at in range(width)]


def _units(name: str, width: int) -> list[str]:
    """Angles of joints are radians; how far a gripper is open goes from 0 to 1."""
    if name not in ("qpos", ACTION) or width != 2 * len(ARM):
        return ["1"] * width
    return ["1" if joint == "gripper" else "rad" for _ in range(2) for joint in ARM]


def _file(data: Path | None, name: str) -> Path:
    if data is None:
        raise DataError(f"{name} has no usual place: --data names the file")
    path = Path(data)
    if path.is_dir():
        found: Sequence[Path] = sorted((*path.glob("*.hdf5"), *path.glob("*.h5")))
        if len(found) != 1:
            raise DataError(f"{path}: holds {len(found)} .hdf5 files; --data names one of them")
        return found[0]
    return path


def _numbered(name: str) -> tuple[str, int]:
    plain = name.rstrip("0123456789")
    digits = name[len(plain) :]
    return plain, int(digits[:18]) if digits.isdecimal() else -1


def _same_shape(parts: dict[str, np.ndarray], names: dict[str, int], where: str) -> None:
    """Refuse an episode whose arrays differ in steps, or from those of the episodes before it, which ``names`` keeps."""
    steps = {name: len(values) for name, values in parts.items()}
    if len(set(steps.values())) > 1:
        raise DataError(
            f"{where}: arrays have different numbers of steps: {', '.join(f'{n} {k}' for n, k in steps.items())}"
        )
    widths = {name: values.shape[1] for name, values in parts.items()}
    if not names:
        names.update(widths)
    elif names != widths:
        name = next(n for n in (*names, *widths) if names.get(n) != widths.get(n))
        raise DataError(
            f"{where}: {name!r} has {widths.get(name, 'no')} numbers, and {names.get(name, 'no')} in the first demonstration"
        )


def _controller_dt(said: Any, where: str) -> float:
    try:
        hz = json.loads(said)["env_kwargs"]["control_freq"]
        if isinstance(hz, (int, float)) and 0 < hz < 1e6:
            return 1 / float(hz)
    except (TypeError, ValueError, KeyError, RecursionError):
        pass
    raise DataError(
        f"{where}: env_args does not say how many steps a second there are (env_kwargs, control_freq); say dt_s in [options.robomimic-hdf5]"
    )
