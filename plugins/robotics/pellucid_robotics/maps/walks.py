"""Datasets of walks: ``aliased-room`` and ``aliased-cube``, made from seeds, and what all walks in mazes share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data.arrays import ArrayDataset
from pellucid.data.frozen import Frozen
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import DataSpec, MultiClass, Trajectory
from pellucid.errors import DataError
from pellucid.seeds import seed_of
from pellucid_robotics.maps.mazes import Maze, Whole, cube, room

WALK, PLACE, NEXT = "walk", "place", "next"
"""The input that models read, the one that pictures are drawn with, and the target."""


class WalksConfig(Frozen):
    """Options of all walks in mazes.

    Parameters
    ----------
    walks : int
    steps : int
        Of each walk.
    seed : int
        That of the first walk; each following one has the next. A walk is called after its maze and its seed, so that a model refuses to
        be judged on walks it has learnt from.
    """

    walks: int = Field(default=300, ge=2, le=100_000)
    steps: int = Field(default=60, ge=4, le=10_000)
    seed: int = Field(default=0, ge=0)


class Walks(ArrayDataset):
    """Walks in one maze: what was seen and what was done, step by step; of the possible actions each is as likely.

    A sample is a walk. The action at a step leads to the next one, the last action out of the walk; the target ``next`` is what is seen
    there. The input ``place`` holds where each step was and is for pictures: a model that reads it knows what it is to find out.
    """

    registered: ClassVar[str]
    config: Any

    def _take(self, maze: Maze, config: WalksConfig, called: str, about: str) -> None:
        """Walk, and become these walks.

        Parameters
        ----------
        maze : Maze
        config : WalksConfig
        called : str
            Names the maze, other mazes otherwise.
        about : str
        """
        self._maze = maze
        names = [f"{called}, walk {config.seed + at}" for at in range(config.walks)]
        drawn = [maze.walk(np.random.default_rng(seed_of("walk", name)), config.steps + 1) for name in names]
        places, actions = (np.stack(one) for one in zip(*drawn, strict=True))
        self._places = places[:, :-1]
        seen = maze.seen[places]
        ids = [f"walk {config.seed + at}" for at in range(config.walks)]
        self._number = {name: at for at, name in enumerate(ids)}
        frame = pd.DataFrame({"walk": names, NEXT: seen[:, -1].astype(float)}, index=pd.Index(ids, name="sample"))
        spec = DataSpec(
            name=self.registered,
            inputs={
                WALK: Trajectory(
                    names=("observation", "action"),
                    actions=("action",),
                    length=config.steps,
                    dt_s=1.0,
                    units=("1", "1"),
                    levels={"observation": maze.observations, "action": maze.actions},
                ),
                PLACE: Trajectory(names=("column", "row"), length=config.steps, dt_s=1.0, units=("1", "1")),
            },
            targets={NEXT: MultiClass(names=maze.observations, about="what is seen behind the last action of a walk")},
            groups=("walk",),
            group_word=("walk", "walks"),
            namespace=self.registered,
            views={WALK: "robotics/walk"},
            about=f"{about} Walks at random; a step is taken for a second. The input “place” is for pictures, and no model is to read it.",
        )
        walk = np.stack([seen[:, :-1], actions[:, :-1]], axis=1).astype(np.float32)
        where = maze.at[self._places].transpose(0, 2, 1).astype(np.float32)
        super().__init__(spec, frame, {WALK: walk, PLACE: where})

    @property
    def maze(self) -> Maze:
        """The maze; it judges what models say, and none is to read it."""
        return self._maze

    def walked(self, sample: str) -> Whole:
        """The place at each step of a walk, by its name, int64, shape (step,)."""
        return np.asarray(self._places[self._number[sample]])


class AliasedRoomConfig(WalksConfig):
    """Options of :class:`AliasedRoom`.

    Parameters
    ----------
    walks, steps, seed
        See :class:`WalksConfig`.
    rows, columns : int
        Cells of the room.
    observations : int
        How many different things are seen; each cell shows one, drawn by lot.
    patch : (int, int)
        Rows and columns of a patch that stands twice, cell by cell; (0, 0): none.
    room_seed : int
        Of the room; its walks have seeds of their own.
    """

    rows: int = Field(default=5, ge=2, le=100)
    columns: int = Field(default=6, ge=2, le=100)
    observations: int = Field(default=4, ge=2, le=100)
    patch: tuple[int, int] = (2, 2)
    room_seed: int = Field(default=0, ge=0)


class AliasedRoom(Walks):
    """Walks in a room where many cells look alike and one patch stands twice: where one is, only the way there tells.

    Actions lead up, down, left and right; one that would bump into a wall is never done.

    Parameters
    ----------
    config : AliasedRoomConfig, optional
    data : None
        Nothing is read.

    Raises
    ------
    DataError
        If the patch does not fit twice.

    References
    ----------
    Dedieu et al. (2024), arXiv 2401.05946, whose room has 15 x 20 cells, 4 observations and a patch of 4 x 4; smaller by default.
    """

    registered = "aliased-room"
    config_type = AliasedRoomConfig
    config: AliasedRoomConfig

    def __init__(self, config: AliasedRoomConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(self.registered, data)
        self.config = config or AliasedRoomConfig()
        if (0 in self.config.patch and self.config.patch != (0, 0)) or min(self.config.patch) < 0:
            raise DataError(
                f"a patch of {self.config.patch[0]} x {self.config.patch[1]} cells is none; (0, 0) asks for none"
            )
        options = self.config
        size, patch = (f"{one[0]}x{one[1]}" for one in ((options.rows, options.columns), options.patch))
        called = f"room {options.room_seed} of {size}, {options.observations} seen, patch {patch}"
        rng = np.random.default_rng(seed_of(called))
        maze = room(options.rows, options.columns, options.observations, options.patch, rng)
        self._take(maze, options, called, f"A made-up room of {size} cells with {options.observations} observations.")

    @classmethod
    def example_data(cls) -> AliasedRoom:
        """A few short walks."""
        return cls(AliasedRoomConfig(rows=3, columns=4, patch=(1, 2), walks=24, steps=26))


class AliasedCubeConfig(WalksConfig):
    """Options of :class:`AliasedCube`.

    Parameters
    ----------
    walks, steps, seed
        See :class:`WalksConfig`.
    edge : int
        Cells along an edge of the cube.
    observations : int
        How many different things are seen.
    cube_seed : int
        Of what is seen where.
    """

    edge: int = Field(default=6, ge=1, le=30)
    observations: int = Field(default=12, ge=2, le=100)
    cube_seed: int = Field(default=0, ge=0)


class AliasedCube(Walks):
    """Walks on the surface of a cube: ahead, back, left and right of where one faces, over its edges.

    The paper leaves open what the actions mean. Here they go by the walker, who faces one of four ways and never turns by an action; being
    carried around a corner of the cube turns one. A place is a cell and a way to face (:func:`pellucid_robotics.maps.mazes.cube`).

    Parameters
    ----------
    config : AliasedCubeConfig, optional
    data : None
        Nothing is read.

    References
    ----------
    Dedieu et al. (2024), arXiv 2401.05946: 216 cells, 12 observations.
    """

    registered = "aliased-cube"
    config_type = AliasedCubeConfig
    config: AliasedCubeConfig

    def __init__(self, config: AliasedCubeConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(self.registered, data)
        self.config = options = config or AliasedCubeConfig()
        called = f"cube {options.cube_seed} of {options.edge}, {options.observations} seen"
        maze = cube(options.edge, options.observations, np.random.default_rng(seed_of(called)))
        about = (
            f"The made-up surface of a cube of {6 * options.edge**2} cells with {options.observations} observations."
        )
        self._take(maze, options, called, about)

    @classmethod
    def example_data(cls) -> AliasedCube:
        """A few short walks."""
        return cls(AliasedCubeConfig(edge=2, observations=3, walks=24, steps=26))
