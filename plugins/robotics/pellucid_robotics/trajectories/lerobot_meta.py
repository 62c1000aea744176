"""What ``meta/`` of a LeRobot dataset says: its pace, what its features are called, its episodes and tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.errors import DataError, nearest
from pellucid_robotics.trajectories.reading import LARGEST_JSON, json_of

VERSIONS = ("v2.0", "v2.1", "v3.0")
PICTURES = ("video", "image")
WIDEST = 4096


@dataclass(frozen=True)
class Info:
    """What ``meta/info.json`` says.

    Parameters
    ----------
    path : Path
    fps : float
        Steps a second.
    features : mapping of str to mapping
        By name, with ``dtype``, ``shape`` and ``names``.
    """

    path: Path
    fps: float
    features: Mapping[str, Mapping[str, Any]]

    @property
    def pictures(self) -> list[str]:
        """Features that are videos or images."""
        return [name for name, one in self.features.items() if one.get("dtype") in PICTURES]

    def width(self, feature: str) -> int:
        """Numbers of a feature.

        Raises
        ------
        DataError
            If there is no such feature, or it is no list of numbers.
        """
        if feature not in self.features:
            raise DataError(
                f"{self.path}: there is no feature {feature!r}{nearest(feature, self.features)}; {', '.join(self.features)}"
            )
        one = self.features[feature]
        kind, shape = str(one.get("dtype")), one.get("shape")
        if not kind.startswith(("float", "int", "uint")):
            raise DataError(f"{self.path}: feature {feature!r} is of dtype {kind!r}; states and actions are numbers")
        if not (isinstance(shape, list) and len(shape) == 1 and isinstance(shape[0], int) and 0 < shape[0] <= WIDEST):
            raise DataError(f"{self.path}: feature {feature!r} has shape {shape}, expected one number: how wide it is")
        return shape[0]

    def parts(self, feature: str) -> tuple[str, ...]:
        """Names of the numbers of a feature; its own with a number where they have none."""
        width, names = self.width(feature), self.features[feature].get("names")
        if isinstance(names, Mapping):
            # {"motors": [...]}, and the like.
            names = [one for some in names.values() if isinstance(some, list) for one in some]
        if not names or names == [feature]:
            return (feature,) if width == 1 else tuple(f"{feature} {at}" for at in range(width))
        if not isinstance(names, list) or len(names) != width:
            raise DataError(f"{self.path}: feature {feature!r} has {width} numbers but other names: {names!r:.80}")
        plain = tuple(map(str, names))
        if len(set(plain)) < width:
            return tuple(f"{name} ({feature} {at})" for at, name in enumerate(plain))
        return plain


def read_info(root: Path) -> Info:
    """Read ``meta/info.json``.

    Raises
    ------
    DataError
        If it is not there, broken, or of a version that is not read here.
    """
    path = root / "meta/info.json"
    if not path.is_file():
        raise DataError(f"{root}: has no meta/info.json; --data names the folder of one LeRobot dataset")
    held = json_of(path)
    if not isinstance(held, dict) or not isinstance(held.get("features"), dict):
        raise DataError(f"{path}: has no features; is it the description of a LeRobot dataset?")
    version = str(held.get("codebase_version"))
    if version not in VERSIONS:
        raise DataError(
            f"{path}: is of version {version!r}; read here are {', '.join(VERSIONS)}: convert it with LeRobot's own tools"
        )
    fps = held.get("fps")
    if not isinstance(fps, (int, float)) or isinstance(fps, bool) or not 0 < fps < 1e6:
        raise DataError(f"{path}: fps is {fps!r}, expected steps a second")
    return Info(path, float(fps), {name: one for name, one in held["features"].items() if isinstance(one, dict)})


def lengths_of(root: Path) -> dict[int, int]:
    """Steps of each episode, by its number, as ``meta/episodes`` says; empty where it does not.

    Raises
    ------
    DataError
        If a line or a file of it is broken.
    """
    rows = list(_rows(root, "episodes"))
    found = {}
    for where, row in rows:
        try:
            found[int(row["episode_index"])] = int(row["length"])
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{where}: says no episode_index and length, both whole numbers") from None
    return found


def tasks_of(root: Path) -> dict[int, str]:
    """What tasks are, by their number; empty where nobody says."""
    found = {}
    for where, row in _rows(root, "tasks"):
        try:
            found[int(row["task_index"])] = str(row.get("task", row.get("__index_level_0__", "")))
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{where}: says no task_index, a whole number") from None
    return found


def _rows(root: Path, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    lines = root / f"meta/{name}.jsonl"
    if lines.is_file():
        if lines.stat().st_size > LARGEST_JSON:
            raise DataError(f"{lines}: holds more than {LARGEST_JSON >> 20} MB")
        try:
            content = lines.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            raise DataError(f"{lines}: is no text in UTF-8; fetch it again") from None
        for number, line in enumerate(content, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise DataError(f"{lines}, line {number}: is no JSON; fetch the file again") from None
            if not isinstance(row, dict):
                raise DataError(f"{lines}, line {number}: is no JSON object; fetch the file again")
            yield f"{lines}, line {number}", row
        return
    files = sorted((root / f"meta/{name}").glob("**/*.parquet")) or [
        p for p in [root / f"meta/{name}.parquet"] if p.is_file()
    ]
    for file in files:
        try:
            table = pd.read_parquet(file).reset_index()
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: is no parquet table that can be read ({type(error).__name__})") from None
        for number, row in enumerate(table.to_dict("records")):
            yield f"{file}, row {number}", {str(key): value for key, value in row.items()}
