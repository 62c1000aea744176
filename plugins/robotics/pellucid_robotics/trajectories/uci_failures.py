"""The dataset ``uci-robot-failures``: forces and torques of a robot's arm just after something went wrong, or did not."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Finding
from pellucid.data.spec import Frozen
from pellucid.errors import DataError, nearest
from pellucid_robotics.trajectories.episodes import Episode, Episodes
from pellucid_robotics.trajectories.windows import EpisodesConfig, EpisodeWindows

NAME = "uci-robot-failures"
NAMES = ("Fx", "Fy", "Fz", "Tx", "Ty", "Tz")
STEPS = 15
DT_S = 0.315 / STEPS
UNITS = ("force counts",) * 3 + ("torque counts",) * 3
"""The donors give whole numbers and no unit."""

LARGEST_BYTES = 16 << 20
LARGEST = 1 << 20
"""No reading of a sensor of integers; a file with larger ones is another."""

CLASSES = {
    "lp1": ("normal", "collision", "fr_collision", "obstruction"),
    "lp2": ("normal", "front_col", "back_col", "right_col", "left_col"),
    "lp3": ("ok", "slightly_moved", "moved", "lost"),
    "lp4": ("normal", "collision", "obstruction"),
    "lp5": ("normal", "bottom_collision", "bottom_obstruction", "collision_in_part", "collision_in_tool"),
}
ABOUT = {
    "lp1": "failures while a grasp is approached",
    "lp2": "failures while a part is transferred",
    "lp3": "where the part is after a failure of its transfer",
    "lp4": "failures while an ungrasp is approached",
    "lp5": "failures while the arm moves with a part",
}

Problem = Literal["lp1", "lp2", "lp3", "lp4", "lp5"]


class UciRobotFailuresConfig(Frozen):
    """Options of :class:`UciRobotFailures`.

    Parameters
    ----------
    problem : {"lp1", "lp2", "lp3", "lp4", "lp5"}
        Which of the five learning problems: failures in the approach to a grasp, in the transfer of a part, position of the part after
        such a failure, failures in the approach to an ungrasp, and in motion with a part.
    """

    problem: Problem = "lp5"


class UciRobotFailures(EpisodeWindows):
    """Executions of a robot's arm: six readings of force and torque, 15 times in 315 ms.

    An execution has no name in the files. It is called after a digest of its readings, so that it is the same one in whichever file it
    stands: one that stands twice counts as one group, which the report says, and a model refuses to be judged on it if it has
    learnt from it.

    Parameters
    ----------
    config : UciRobotFailuresConfig, optional
    data : Path
        The folder that holds ``lp1.data`` and so on, or one of these files.

    Raises
    ------
    DataError
        Names the file and line of what is no execution.

    References
    ----------
    Seabra Lopes and Camarinha-Matos (1998), Robot Execution Failures, UCI Machine Learning Repository, doi:10.24432/C5M89N.
    """

    config_type = UciRobotFailuresConfig
    config: UciRobotFailuresConfig

    def __init__(self, config: UciRobotFailuresConfig | None = None, data: Path | None = None) -> None:
        self.config = config = config or UciRobotFailuresConfig()
        if data is None:
            raise DataError(f"{NAME} has no usual place: --data names the folder that holds {config.problem}.data")
        path = Path(data) / f"{config.problem}.data" if Path(data).is_dir() else Path(data)
        self._become(read_executions(path, config.problem))

    def _become(self, read: list[tuple[str, npt.NDArray[np.float32], str]]) -> None:
        problem = self.config.problem
        digests = [blake2b(values.tobytes(), digest_size=4).hexdigest() for _, values, _ in read]
        times, of = Counter(digests), dict[str, set[str]]()
        for digest, (label, _, _) in zip(digests, read, strict=True):
            of.setdefault(digest, set()).add(label)
        seen: Counter[str] = Counter()
        episodes, findings = [], []
        for digest, (label, values, where) in zip(digests, read, strict=True):
            seen[digest] += 1
            group = f"execution {digest}"
            name = group if times[digest] == 1 else f"{group} no. {seen[digest]}"
            if times[digest] > 1:
                told = " and ".join(sorted(of[digest]))
                same = "as the same" if len(of[digest]) == 1 else "as"
                findings.append(Finding(name, "an execution that stands more than once", f"{same} {told}", "one group"))
            episodes.append(Episode(name, values, label, where=where, group=group))
        found = Episodes(NAMES, (), UNITS, DT_S, tuple(episodes), tuple(findings))
        self._take(
            NAME,
            found,
            EpisodesConfig(),
            classes=CLASSES[problem],
            target="failure",
            about=(
                f"Learning problem {problem}: {ABOUT[problem]}. Readings are whole numbers of a sensor whose unit the donors do not state. "
                "Executions are of one robot in one laboratory: another arm or sensor is not what is asked about here."
            ),
            group_word=("execution", "executions"),
            view="robotics/readings",
        )

    @classmethod
    def of_objects(cls, objects: Any, config: UciRobotFailuresConfig) -> Dataset:
        """Executions without labels: an array of shape (execution, 15, 6) or (15, 6), or a sequence of such.

        Raises
        ------
        DataError
            If they have another shape.
        """
        try:
            values = np.asarray(objects, np.float32)
        except (TypeError, ValueError):
            raise DataError(f"{NAME} is made from numbers of shape (execution, {STEPS}, 6), Fx to Tz") from None
        values = values[None] if values.ndim == 2 else values
        if values.shape[1:] != (STEPS, len(NAMES)):
            raise DataError(
                f"{NAME} is made from numbers of shape (execution, {STEPS}, 6), Fx to Tz, not {values.shape}"
            )
        made = cls.__new__(cls)
        made.config = config
        made._become([("", one, f"execution {at}") for at, one in enumerate(values)])
        return made

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up executions of three kinds: at rest, pushed once, and pushed for good."""
        rng = np.random.default_rng(0)
        read = []
        for at in range(24):
            label = CLASSES["lp4"][at % 3]
            values = rng.integers(-3, 4, (STEPS, len(NAMES))).astype(np.float32)
            push = {"normal": slice(0, 0), "collision": slice(4, 6), "obstruction": slice(4, STEPS)}[label]
            values[push, 2] -= 60
            read.append((label, values, f"execution {at}"))
        made = cls.__new__(cls)
        made.config = UciRobotFailuresConfig(problem="lp4")
        made._become(read)
        return made


def read_executions(path: Path, problem: Problem) -> list[tuple[str, npt.NDArray[np.float32], str]]:
    """Read one file: a line with the class, 15 lines of six whole numbers, a blank line or more, and so on.

    Parameters
    ----------
    path : Path
    problem : str
        Which classes there may be.

    Returns
    -------
    list of (str, ndarray of float32, str)
        Class, readings of shape (15, 6), and file and line of the class.

    Raises
    ------
    DataError
        Names the file and line.
    """
    if not path.is_file():
        others = sorted(one.name for one in path.parent.glob("lp*.data")) if path.parent.is_dir() else []
        here = f"; here are {', '.join(others)}: say which problem in [options.{NAME}]" if others else ""
        raise DataError(f"{path}: is not there{here}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror or type(error).__name__})") from None
    if len(content) > LARGEST_BYTES:
        raise DataError(f"{path.name}: holds more than {LARGEST_BYTES >> 20} MB; that is no file of this dataset")
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path.name}: is no plain text; fetch it again") from None
    found: list[tuple[str, npt.NDArray[np.float32], str]] = []
    label, begun, rows = "", 0, list[list[int]]()
    for number, line in enumerate([*lines, ""], 1):
        cells = line.split()
        if not cells:
            if label:
                found.append((label, _readings(rows, path, label, begun), f"{path.name}, line {begun}"))
            label, rows = "", []
        elif not label:
            label, begun = _label(cells, path, number, problem), number
        else:
            rows.append(_row(cells, path, number))
    if not found:
        raise DataError(
            f"{path.name}: holds no execution; expected a line with a class and 15 lines of six whole numbers"
        )
    return found


def _label(cells: list[str], path: Path, number: int, problem: Problem) -> str:
    known = CLASSES[problem]
    if len(cells) == 1 and cells[0] in known:
        return cells[0]
    other = next((one for one, names in CLASSES.items() if one != problem and cells[0] in names), "")
    mend = f"; it is a class of {other}: is this another problem's file?" if other else nearest(cells[0], known)
    raise DataError(
        f"{path.name}, line {number}: expected a class of {problem} ({', '.join(known)}), found {line_of(cells)!r}{mend}"
    )


def _row(cells: list[str], path: Path, number: int) -> list[int]:
    if len(cells) != len(NAMES):
        raise DataError(
            f"{path.name}, line {number}: expected six whole numbers, {', '.join(NAMES)}, found {line_of(cells)!r}"
        )
    values = []
    for name, cell in zip(NAMES, cells, strict=True):
        # Python would take 1_0 for ten.
        plain = cell.removeprefix("-")
        if not plain.isdecimal() or len(plain) > 9 or int(plain) > LARGEST:
            raise DataError(f"{path.name}, line {number}: {name} is {line_of([cell])!r}, expected a whole number")
        values.append(int(cell))
    return values


def _readings(rows: list[list[int]], path: Path, label: str, begun: int) -> npt.NDArray[np.float32]:
    if len(rows) != STEPS:
        raise DataError(
            f"{path.name}, line {begun}: the execution ({label}) has {len(rows)} lines of readings, expected {STEPS}; was the file cut off?"
        )
    return np.array(rows, np.float32)


def line_of(cells: list[str]) -> str:
    """Cells for a message, cut short."""
    text = " ".join(cells)
    return text if len(text) <= 60 else text[:60] + "..."
