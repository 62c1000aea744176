"""The dataset ``minigrid-walks``: walks in a maze of MiniGrid, with what the agent sees before it as one symbol."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pellucid.data.made_up import refuse_folder
from pellucid.errors import DataError, nearest
from pellucid_robotics.maps.mazes import Maze
from pellucid_robotics.maps.walks import Walks, WalksConfig

ACTIONS = ("turn left", "turn right", "ahead")
"""The first three of MiniGrid's actions, which change nothing but where the agent is."""

AHEAD = ((0.3, 0.0), (0.0, 0.3), (-0.3, 0.0), (0.0, -0.3))
"""Where in its cell a way to face is drawn: east, south, west, north."""

MOST = 20_000
"""Places of a maze; a larger one is refused before it is walked through."""


class MinigridWalksConfig(WalksConfig):
    """Options of :class:`MinigridWalks`.

    Parameters
    ----------
    walks, steps, seed
        See :class:`~pellucid_robotics.maps.walks.WalksConfig`.
    environment : str
        Its id, among those of MiniGrid that stay as they are: rooms and crossings.
    layout_seed : int
        Of its layout, which is one for all walks.
    view : int
        Cells along a side of what the agent sees, an odd number; the smaller, the more places look alike.
    """

    environment: str = "MiniGrid-FourRooms-v0"
    layout_seed: int = Field(default=0, ge=0)
    view: int = Field(default=3, ge=3, le=31)


class MinigridWalks(Walks):
    """Walks in an environment of MiniGrid: turn left, turn right, go ahead.

    A place is a cell and a way to face. What the agent sees of the cells before it is one symbol, the same wherever the same is seen.
    Actions without effect, and those that end the episode (onto the goal, into lava), are not possible.

    Parameters
    ----------
    config : MinigridWalksConfig, optional
    data : None
        Nothing is read.

    Raises
    ------
    DataError
        If there is no such environment, it is changed by turning and going ahead, or all of its places look alike.

    References
    ----------
    Chevalier-Boisvert et al. (2023), Minigrid and Miniworld, arXiv 2306.13831.
    """

    registered = "minigrid-walks"
    config_type = MinigridWalksConfig
    config: MinigridWalksConfig

    def __init__(self, config: MinigridWalksConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(self.registered, data)
        self.config = options = config or MinigridWalksConfig()
        if options.view % 2 == 0:
            raise DataError(
                f"view = {options.view}: the agent stands in the middle of what it sees; give an odd number"
            )
        maze = explored(options.environment, options.layout_seed, options.view)
        called = f"{options.environment}, layout {options.layout_seed}, view {options.view}"
        self._take(
            maze, options, called, f"Walks in {options.environment} of MiniGrid, which sees {options.view} cells wide."
        )

    @classmethod
    def example_data(cls) -> MinigridWalks:
        """A few short walks in a small room."""
        return cls(MinigridWalksConfig(environment="MiniGrid-Empty-5x5-v0", walks=24, steps=26))


def explored(environment: str, layout_seed: int, view: int) -> Maze:
    """All places of an environment that can be reached by turning and going ahead.

    Parameters
    ----------
    environment : str
        Its id.
    layout_seed, view : int
        See :class:`MinigridWalksConfig`.

    Raises
    ------
    DataError
        See :class:`MinigridWalks`.
    """
    inner = _opened(environment)
    try:
        inner.agent_view_size = view
        inner.reset(seed=layout_seed)
        layout = inner.grid.encode()
        places = [(*map(int, inner.agent_pos), int(inner.agent_dir))]
        number, moves, sights = {places[0]: 0}, list[list[int]](), list[bytes]()
        # The list grows while it is gone through.
        for place in places:
            _put(inner, place)
            sights.append(blake2b(inner.gen_obs()["image"].tobytes(), digest_size=16).digest())
            row = []
            for action in range(len(ACTIONS)):
                _put(inner, place)
                _, _, ended, _, _ = inner.step(action)
                there = (*map(int, inner.agent_pos), int(inner.agent_dir))
                if not np.array_equal(inner.grid.encode(), layout):
                    raise DataError(
                        f"{environment}: it changes while one walks, so that a place has no fixed sight; name one of rooms or crossings"
                    )
                if ended or there == place:
                    row.append(-1)
                    continue
                if there not in number:
                    number[there] = len(places)
                    places.append(there)
                row.append(number[there])
            moves.append(row)
            if len(places) > MOST:
                raise DataError(f"{environment}: has more than {MOST:,} places; name a smaller one")
    finally:
        inner.close()
    known = {sight: at for at, sight in enumerate(dict.fromkeys(sights))}
    if len(known) < 2:
        raise DataError(f"{environment}: all places look alike with view = {view}; give a larger view")
    at = np.array([(x + AHEAD[way][0], y + AHEAD[way][1]) for x, y, way in places])
    cells = np.unique([place[:2] for place in places], axis=0, return_inverse=True)[1].ravel()
    seen = np.array([known[one] for one in sights], np.int64)
    names = tuple(f"sight {one + 1}" for one in range(len(known)))
    return Maze(np.array(moves, np.int64), seen, ACTIONS, names, at, cells)


def _put(inner: Any, place: tuple[int, ...]) -> None:
    inner.agent_pos, inner.agent_dir, inner.step_count = place[:2], place[2], 0


def _opened(name: str) -> Any:
    import gymnasium
    import minigrid  # noqa: F401 - it registers its environments

    known = [one for one in gymnasium.registry if one.startswith("MiniGrid-")]
    if name not in known:
        raise DataError(f"MiniGrid has no environment {name!r}{nearest(name, known)}; it has {len(known)}")
    return gymnasium.make(name).unwrapped
