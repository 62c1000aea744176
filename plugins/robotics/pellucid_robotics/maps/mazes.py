"""Mazes: places, moves between them, and what is seen at each; many places look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Maze:
    """What is true of a maze.

    Parameters
    ----------
    moves : ndarray of int64, shape (place, action)
        Where each action leads; -1 where it is not possible.
    seen : ndarray of int64, shape (place,)
        Which observation each place gives.
    actions, observations : tuple of str
        Their names.
    at : ndarray of float64, shape (place, 2)
        Where a place is drawn: to the right, and downwards, in cells.
    cells : ndarray of int64, optional, shape (place,)
        Which cell a place is in, where several places (the ways to face) are in one; the place itself, if left out.
    """

    moves: Whole
    seen: Whole
    actions: tuple[str, ...]
    observations: tuple[str, ...]
    at: npt.NDArray[np.float64]
    cells: Whole | None = None

    def __len__(self) -> int:
        return len(self.moves)

    @property
    def edges(self) -> Whole:
        """All possible moves as (place, action, place), shape (edge, 3)."""
        place, action = np.nonzero(self.moves >= 0)
        return np.column_stack([place, action, self.moves[place, action]])

    @cached_property
    def distances(self) -> npt.NDArray[np.float64]:
        """Fewest moves from each place to each other, shape (place, place); infinite where there is no way."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import shortest_path

        start, _, stop = self.edges.T
        ones = csr_matrix((np.ones(len(start)), (start, stop)), shape=(len(self), len(self)))
        found: npt.NDArray[np.float64] = shortest_path(ones, unweighted=True)
        return found

    def after(self, start: int, actions: Sequence[int]) -> int:
        """The place behind some actions; -1 if one of them is not possible where it is to be done."""
        place = int(start)
        for action in actions:
            place = int(self.moves[place, action])
            if place < 0:
                return -1
        return place

    def walk(self, rng: np.random.Generator, steps: int, start: int | None = None) -> tuple[Whole, Whole]:
        """Places and actions of a walk, shape (step,) each; of the possible actions each is as likely.

        The last action leads out of the walk.
        """
        place = int(rng.integers(len(self)) if start is None else start)
        places, actions = np.empty(steps, np.int64), np.empty(steps, np.int64)
        for step in range(steps):
            possible = self._possible[place]
            places[step], actions[step] = place, possible[rng.integers(len(possible))]
            place = int(self.moves[place, actions[step]])
        return places, actions

    @cached_property
    def _possible(self) -> list[Whole]:
        found = [np.flatnonzero(row >= 0) for row in self.moves]
        if stuck := [at for at, one in enumerate(found) if not len(one)]:
            raise DataError(f"no action is possible at place {stuck[0]} of the maze: a walk would end there")
        return found


@runtime_checkable
class KnowsMaze(Protocol):
    """A dataset of walks that knows the maze they were made in.

    No model is to read it: it judges what models say.
    """

    @property
    def maze(self) -> Maze:
        """The maze, one for all walks."""

    def walked(self, sample: str) -> Whole:
        """The place at each step of a sample, by its name, int64, shape (step,)."""


def room(rows: int, columns: int, observations: int, patch: tuple[int, int], rng: np.random.Generator) -> Maze:
    """A room of cells with drawn observations, in which one patch of cells stands twice.

    Parameters
    ----------
    rows, columns, observations : int
    patch : (int, int)
        Rows and columns of what is repeated; (0, 0): nothing is.
    rng : Generator

    Raises
    ------
    DataError
        If the patch does not fit twice into the room.
    """
    drawn = rng.integers(0, observations, (rows, columns))
    if patch != (0, 0):
        first, second = _two_places(rows, columns, patch, rng)
        height, width = patch
        drawn[second[0] : second[0] + height, second[1] : second[1] + width] = drawn[
            first[0] : first[0] + height, first[1] : first[1] + width
        ]
    row, column = (one.ravel() for one in np.mgrid[:rows, :columns])
    moves = np.full((rows * columns, 4), -1, np.int64)
    for action, (down, right) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        to_row, to_column = row + down, column + right
        inside = (to_row >= 0) & (to_row < rows) & (to_column >= 0) & (to_column < columns)
        moves[inside, action] = to_row[inside] * columns + to_column[inside]
    return Maze(
        moves,
        drawn.ravel().astype(np.int64),
        ("up", "down", "left", "right"),
        _names(observations),
        np.column_stack([column, row]).astype(np.float64),
    )


def _two_places(
    rows: int, columns: int, patch: tuple[int, int], rng: np.random.Generator
) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = patch
    every = [(row, column) for row in range(rows - height + 1) for column in range(columns - width + 1)]
    pairs = [
        (one, other)
        for one in every
        for other in every
        if one < other and (abs(one[0] - other[0]) >= height or abs(one[1] - other[1]) >= width)
    ]
    if not pairs:
        raise DataError(
            f"a patch of {height} x {width} cells does not fit twice into a room of {rows} x {columns}; ask for a smaller one"
        )
    return pairs[int(rng.integers(len(pairs)))]


FACES = ((0, 0, 1), (1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1))
"""Outward directions of a cube's faces, as they are unfolded: top, the four around, bottom."""


def cube(edge: int, observations: int, rng: np.random.Generator) -> Maze:
    """The surface of a cube, on which one walks ahead, back, to the left and to the right of where one faces.

    A place is a cell and a way to face: an action moves to the next cell on that side, across edges where it must, and turns nobody. Since
    the surface is bent at its corners, one may come back facing another way. What is seen belongs to the cell.

    Parameters
    ----------
    edge : int
        Cells along an edge; there are 6 edge^2 cells.
    observations : int
    rng : Generator
    """
    cells = [cell for face in FACES for cell in _cells_of(face, edge)]
    drawn = rng.integers(0, observations, len(cells))
    number = {cell: at for at, cell in enumerate(cells)}
    places = [(cell, way) for cell in cells for way in _ways(cell[1])]
    known = {place: at for at, place in enumerate(places)}
    moves = np.full((len(places), 4), -1, np.int64)
    for at, ((position, face), way) in enumerate(places):
        left = tuple(int(one) for one in np.cross(face, way))
        for action, side in enumerate((way, _minus(way), left, _minus(left))):
            moves[at, action] = known[_stepped(position, face, way, side, edge)]
    flat = np.array([_unfolded(cell, edge) for cell in cells])
    of = np.array([number[cell] for cell, _ in places])
    facing = np.tile(0.2 * np.array([(0, -1), (1, 0), (0, 1), (-1, 0)]), (len(cells), 1))
    return Maze(
        moves, drawn[of].astype(np.int64), ("ahead", "back", "left", "right"), _names(observations), flat[of] + facing, of
    )  # fmt: skip


Direction = tuple[int, ...]
Cell = tuple[Direction, Direction]
"""Where its middle is, the edge of the cube being twice as long as it has cells; and outwards."""


def _cells_of(face: Direction, edge: int) -> list[Cell]:
    one, other = (axis for axis in range(3) if not face[axis])
    found: list[Cell] = []
    for a in range(1 - edge, edge, 2):
        for b in range(1 - edge, edge, 2):
            position = [edge * part for part in face]
            position[one], position[other] = a, b
            found.append((tuple(position), face))
    return found


def _ways(face: Direction) -> list[Direction]:
    return [one for one in FACES if not any(a * b for a, b in zip(one, face, strict=True))]


def _minus(one: Direction) -> Direction:
    return tuple(-part for part in one)


def _stepped(
    position: Direction, face: Direction, way: Direction, side: Direction, edge: int
) -> tuple[Cell, Direction]:
    """The place behind a step to one side: a cell, and where one then faces."""
    p, n, w, d = (np.array(one) for one in (position, face, way, side))
    if p @ d + 2 <= edge - 1:
        return (tuple(map(int, p + 2 * d)), face), way
    # Over an edge: what was outwards is now behind, what was that side is now outwards.
    over = p - (p @ d) * d + edge * d - n
    turned = w + (w @ d) * (-n - d) + (w @ n) * (d - n)
    return (tuple(map(int, over)), side), tuple(map(int, turned))


def _unfolded(cell: Cell, edge: int) -> tuple[float, float]:
    position, face = cell
    number = FACES.index(face)  # type: ignore[arg-type]
    one, other = (axis for axis in range(3) if not face[axis])
    right, down = ((edge - 1 + position[axis]) / 2 for axis in (one, other))
    column, row = ((0, 0), (0, 1), (1, 1), (2, 1), (3, 1), (0, 2))[number]
    return right + column * (edge + 1), down + row * (edge + 1)


def _names(count: int) -> tuple[str, ...]:
    """A, B ... Z, then numbers."""
    return tuple(chr(ord("A") + at) if count <= 26 else str(at + 1) for at in range(count))
