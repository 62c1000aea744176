"""Demonstrations that pass an obstacle above or below: two answers are right, and their mean is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from pellucid.data.abilities import Act
from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import DataSpec, Frozen, Regression, Vector

NAME = "obstacle-synthetic"
POINTS, REACH_M, RADIUS_M, SHIFT_M = 16, 5.0, 1.0, 0.3

Floats = npt.NDArray[np.float64]


class ObstacleConfig(Frozen):
    """Settings of :class:`ObstacleSynthetic`.

    Parameters
    ----------
    episodes : int
        Demonstrations, each of a seed of its own.
    first_seed : int
        Seed of the first one; the others follow. Demonstrations to learn from and those to be judged on must not share one.
    """

    episodes: int = Field(default=400, ge=2)
    first_seed: int = Field(default=0, ge=0)


class ObstacleSynthetic(ArrayDataset):
    """A path of 16 points from x = -5 m to 5 m past a disc of radius 1 m at (0, c): above it or below, as a coin falls.

    The input is ``c``, between -0.3 and 0.3 m; the target is the height at each of the points. The group is the episode, named by its seed.

    Raises
    ------
    DataError
        If a folder is given: nothing is read.

    Examples
    --------
    >>> data = ObstacleSynthetic(ObstacleConfig(episodes=4))
    >>> data.attempted("path", np.arange(4), lambda inputs: data.target_values("path"))["success"].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    config_type = ObstacleConfig

    def __init__(self, config: ObstacleConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        self.config = config = config or ObstacleConfig()
        drawn = [_demonstration(config.first_seed + at) for at in range(config.episodes)]
        self.centres = np.array([centre for centre, _ in drawn])
        heights = np.stack([path for _, path in drawn])
        names = tuple(f"y at step {at + 1}" for at in range(POINTS))
        seeds = [f"seed-{config.first_seed + at}" for at in range(config.episodes)]
        frame = pd.DataFrame(
            {"episode": seeds} | {f"path:{name}": heights[:, at] for at, name in enumerate(names)},
            index=pd.Index([f"obstacle {seed}" for seed in seeds], name="sample"),
        )
        spec = DataSpec(
            name=NAME,
            inputs={"obstacle": Vector(names=("c",), units=("m",))},
            targets={"path": Regression(names=names, units=("m",) * POINTS, about="height of each point of the path")},
            groups=("episode",),
            group_word=("episode", "episodes"),
            namespace=NAME,
            about="Made up: a path past an obstacle. A score here tells about the method, not about a robot.",
        )
        super().__init__(spec, frame, {"obstacle": self.centres[:, None].astype(np.float32)})

    def attempted(self, target: str, rows: npt.NDArray[np.integer], act: Act) -> Mapping[str, np.ndarray]:
        """What becomes of paths; see :class:`pellucid.data.abilities.HasTask`.

        ``score`` is the least distance from the disc's centre in radii, at most 1; ``success`` is a path that keeps out of it;
        ``above`` whether a path that does passes above.
        """
        heights = act({"obstacle": self.centres[rows, None].astype(np.float32)})
        near = clearance(heights, self.centres[rows])
        clear = near >= RADIUS_M
        middle = heights[:, POINTS // 2 - 1 : POINTS // 2 + 1].mean(1)
        return {
            "score": np.minimum(near / RADIUS_M, 1.0),
            "success": clear.astype(float),
            "above": np.where(clear, middle > self.centres[rows], np.nan),
        }


def _demonstration(seed: int) -> tuple[float, Floats]:
    """Centre of the obstacle, and heights of a path that clears it by 0.2 to 0.6 m where it is nearest."""
    rng = np.random.default_rng([seed, 77])
    centre, side = rng.uniform(-SHIFT_M, SHIFT_M), rng.choice([-1.0, 1.0])
    top = centre + side * (RADIUS_M + rng.uniform(0.3, 0.6))
    x = np.linspace(-REACH_M, REACH_M, POINTS)
    return float(centre), top * np.exp(-np.square(x / 2.2)) + rng.normal(0, 0.02, POINTS)


def clearance(heights: Floats, centres: Floats) -> Floats:
    """Least distance from the obstacle's centre along straight lines between the points; m, shape (sample,)."""
    x = np.linspace(-REACH_M, REACH_M, POINTS)
    points = np.stack([np.broadcast_to(x, heights.shape), heights - centres[:, None]], -1)
    start, way = points[:, :-1], np.diff(points, axis=1)
    share = np.clip(-(start * way).sum(-1) / np.square(way).sum(-1), 0, 1)
    return np.asarray(np.linalg.norm(start + share[..., None] * way, axis=-1).min(1))
