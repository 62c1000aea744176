"""The parquet tables of a LeRobot dataset: a row for each step, with lists of numbers in cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError, nearest
from pellucid_robotics.trajectories.lerobot_meta import Info

REWARD = "next.reward"
INDICES = ("episode_index", "frame_index", "timestamp")


@dataclass(frozen=True)
class Steps:
    """All steps of a dataset, in the order of the files.

    Parameters
    ----------
    files : tuple of Path
    of_file : ndarray of int, shape (step,)
    values : mapping of str to ndarray, shape (step, part)
        By feature.
    episode, frame : ndarray of int, shape (step,)
    timestamp : ndarray of float, shape (step,)
    task : ndarray of int, shape (step,)
        -1 where nobody says.
    reward : ndarray of float, shape (step,), optional
    """

    files: tuple[Path, ...]
    of_file: npt.NDArray[np.int64]
    values: Mapping[str, npt.NDArray[np.floating]]
    episode: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int64]
    timestamp: npt.NDArray[np.float64]
    task: npt.NDArray[np.int64]
    reward: npt.NDArray[np.float64] | None

    def by_episode(self) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """Number of each episode, and its rows by frame."""
        order = np.lexsort((self.frame, self.episode))
        numbers, starts = np.unique(self.episode[order], return_index=True)
        yield from zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)

    def where(self, rows: npt.NDArray[np.int64], number: int) -> str:
        """``"episode_000003.parquet, episode 3"``, for messages."""
        return f"{self.files[int(self.of_file[rows[0]])].name}, episode {number}"


def read_tables(root: Path, info: Info, features: Sequence[str]) -> Steps:
    """Read some columns of all files below ``data/``.

    Raises
    ------
    DataError
        Names the file, the column and the row.
    """
    files = tuple(sorted((root / "data").glob("**/*.parquet")))
    if not files:
        raise DataError(f"{root / 'data'}: holds no parquet file; fetch the dataset's data folder too")
    held: dict[str, list[np.ndarray]] = {}
    sizes = []
    for file in files:
        for name, column in _columns(file, info, features).items():
            held.setdefault(name, []).append(column)
        sizes.append(len(held["episode_index"][-1]))
    if any(len(some) != len(files) for some in held.values()):
        lacking = next(name for name, some in held.items() if len(some) != len(files))
        raise DataError(f"{root / 'data'}: some files have a column {lacking!r} and others have not")
    joined = {name: np.concatenate(some) for name, some in held.items()}
    episode, frame = joined["episode_index"], joined["frame_index"]
    twice = np.stack([episode, frame], 1)
    if len(np.unique(twice, axis=0)) < len(twice):
        raise DataError(
            f"{root / 'data'}: a frame of an episode stands twice; are files of two versions in this folder?"
        )
    return Steps(
        files,
        np.repeat(np.arange(len(files)), sizes),
        {name: joined[name] for name in features},
        episode,
        frame,
        joined["timestamp"],
        joined.get("task_index", np.full(len(episode), -1)),
        joined.get(REWARD),
    )


def _columns(file: Path, info: Info, features: Sequence[str]) -> dict[str, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        there = pq.read_schema(file).names
        wanted = [*features, *INDICES]
        for name in wanted:
            if name not in there:
                raise DataError(f"{file.name}: there is no column {name!r}{nearest(name, there)}")
        wanted += [name for name in ("task_index", REWARD) if name in there]
        table = pq.read_table(file, columns=list(dict.fromkeys(wanted)))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{file.name}: is no parquet table that can be read ({type(error).__name__}); fetch it again"
        ) from None
    found: dict[str, np.ndarray] = {}
    for name in table.column_names:
        found[name] = _numbers(table[name].combine_chunks(), info.width(name) if name in features else 0, file, name)
    for name in ("episode_index", "frame_index", "task_index"):
        if name in found:
            found[name] = _whole(found[name], file, name)
    return found


def _numbers(column: Any, width: int, file: Path, name: str) -> np.ndarray:
    """One number a row, or ``width`` of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    where = f"{file.name}, column {name!r}"
    if column.null_count:
        row = int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0])
        raise DataError(f"{where}, row {row}: is empty")
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        expected = width or 1
        if (lengths != expected).any():
            row = int((lengths != expected).argmax())
            raise DataError(f"{where}, row {row}: has {lengths[row]} numbers, and meta/info.json says {expected}")
        column = column.flatten()
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise DataError(f"{where}: is {kind}, expected numbers")
    # A number that is missing becomes NaN, which is refused with its step and name.
    values = column.to_numpy(zero_copy_only=False)
    if not width:
        return values if values.dtype.kind in "iu" else values.astype(np.float64)
    if len(values) % width:
        raise DataError(f"{where}: has one number a row, and meta/info.json says {width}")
    return values.reshape(-1, width)


def _whole(values: np.ndarray, file: Path, name: str) -> npt.NDArray[np.int64]:
    if values.dtype.kind not in "iu":
        raise DataError(f"{file.name}, column {name!r}: is {values.dtype}, expected whole numbers")
    return values.astype(np.int64)
