"""Demonstrations of arms in a plane that reach for a place: two bodies and two rates in one space of named slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from pellucid.data.abilities import Act
from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import DataSpec, Frozen, Regression, Vector

NAME = "reaching-synthetic"

LENGTHS_M: Mapping[int, tuple[float, ...]] = {2: (0.5, 0.4), 3: (0.4, 0.3, 0.3)}
"""Links of the arm with so many joints."""

JOINTS = 3
SPEED_RAD_S = 0.6
"""Of the joint that has the longest way; the others arrive with it."""

LIMITS_RAD = (-np.pi, np.pi)
LASTS_S, NEAR_M = 4.0, 0.05

Floats = npt.NDArray[np.float64]


class ReachingConfig(Frozen):
    """Settings of :class:`ReachingSynthetic`.

    Parameters
    ----------
    arms : tuple of int
        Joints of the arms, 2 or 3; episodes are dealt to them in turn.
    rates_hz : tuple of float
        Steps a second; dealt in turn.
    episodes : int
    moments : int
        Samples of an episode, from its begin on.
    chunk : int
        Steps that are to be said.
    slots : {"joints", "all"}
        What is said of each step: angles of the joints, or also how fast they turn and where the end is.
    first_seed : int
        Seed of the first episode; the others follow. Demonstrations to learn from and those to be judged on must not share one.
    """

    arms: tuple[Literal[2, 3], ...] = (2, 3)
    rates_hz: tuple[float, ...] = (10.0,)
    episodes: int = Field(default=300, ge=2)
    moments: int = Field(default=4, ge=1)
    chunk: int = Field(default=8, ge=3)
    slots: Literal["joints", "all"] = "joints"
    first_seed: int = Field(default=0, ge=0)


class ReachingSynthetic(ArrayDataset):
    """An arm of two or three joints moves at an even pace to where its end is at a goal, the elbow to one side.

    Inputs are the angles (``state``), which slots of the unified space it has (``mask``), the goal and the rate. The target ``chunk`` is
    the next steps; slots that an arm does not have are 0. The group is the episode, named by its seed.

    Raises
    ------
    DataError
        If a folder is given: nothing is read.

    Examples
    --------
    >>> data = ReachingSynthetic(ReachingConfig(episodes=2, moments=1, chunk=3))
    >>> data.spec.targets["chunk"].names[:2], data.bodies(np.array([0]))[0]["lengths_m"]
    (('right_arm_joint_0 at step 1', 'right_arm_joint_1 at step 1'), (0.5, 0.4))
    """

    config_type = ReachingConfig

    def __init__(self, config: ReachingConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        self.config = config = config or ReachingConfig()
        each = config.moments
        seeds = config.first_seed + np.arange(config.episodes)
        self._arm = np.repeat(np.array(config.arms)[np.arange(config.episodes) % len(config.arms)], each)
        turn = np.arange(config.episodes) // len(config.arms)
        self._rate = np.repeat(np.array(config.rates_hz)[turn % len(config.rates_hz)], each)
        drawn = [_moments(int(seed), int(arm), each) for seed, arm in zip(seeds, self._arm[::each], strict=True)]
        self._angles = np.concatenate([angles for angles, _ in drawn])
        wanted = np.repeat(np.stack([goal for _, goal in drawn]), each, 0)
        self._goal = reach(wanted, self._arm)
        chunk = self._chunk(self._angles, wanted)
        joints = [f"right_arm_joint_{at}" for at in range(JOINTS)]
        slots = [(name, "rad") for name in joints]
        if config.slots == "all":
            slots += [(f"{name}_velocity", "rad/s") for name in joints] + [("right_eef_x", "m"), ("right_eef_y", "m")]
        self._slots = tuple(name for name, _ in slots)
        names = tuple(f"{name} at step {at + 1}" for at in range(config.chunk) for name in self._slots)
        units = tuple(unit for _ in range(config.chunk) for _, unit in slots)
        ids = [f"{arm}-joint arm, seed-{seed}" for seed, arm in zip(seeds, self._arm[::each], strict=True)]
        frame = pd.DataFrame(
            {"episode": np.repeat([f"seed-{seed}" for seed in seeds], each)}
            | {f"chunk:{name}": column for name, column in zip(names, chunk.reshape(len(chunk), -1).T, strict=True)},
            index=pd.Index([f"{name}@{at}" for name in ids for at in range(each)], name="sample"),
        )
        spec = DataSpec(
            name=NAME,
            inputs={
                "state": Vector(names=tuple(joints), units=("rad",) * JOINTS),
                "mask": Vector(names=self._slots, units=("1",) * len(slots)),
                "goal": Vector(names=("x", "y"), units=("m", "m")),
                "rate": Vector(names=("rate_hz",), units=("Hz",)),
            },
            targets={"chunk": Regression(names=names, units=units, about=f"the next {config.chunk} steps")},
            groups=("episode",),
            group_word=("episode", "episodes"),
            namespace=NAME,
            views={"state": "robotics/action-table"},
            about="Made up: arms in a plane that follow exactly. A score here tells about the method, not about a robot.",
        )
        super().__init__(spec, frame, self._inputs_at(self._angles, np.arange(len(frame))))

    def bodies(self, rows: npt.NDArray[np.integer]) -> Sequence[Mapping[str, Any]]:
        """Of each sample what its body is: ``dt_s``, ``lengths_m`` of the links, ``limits_rad`` of the joints, ``slots`` that it has."""
        mask = self._mask(rows)
        return [
            {
                "dt_s": 1 / float(self._rate[row]),
                "lengths_m": LENGTHS_M[int(self._arm[row])],
                "limits_rad": (LIMITS_RAD,) * int(self._arm[row]),
                "slots": tuple(name for name, there in zip(self._slots, has, strict=True) if there),
            }
            for row, has in zip(rows, mask, strict=True)
        ]

    def attempted(self, target: str, rows: npt.NDArray[np.integer], act: Act) -> Mapping[str, np.ndarray]:
        """Let arms move for four seconds, a chunk at a time; see :class:`pellucid.data.abilities.HasTask`.

        ``score`` is the share of the way to the goal that the end has made, ``success`` an end nearer than 5 cm to it. Joints follow
        what is said at once and to the end of a chunk, before another one is asked for.
        """
        rows = np.asarray(rows)
        angles, time = self._angles[rows].copy(), np.zeros(len(rows))
        before = np.linalg.norm(reach(angles, self._arm[rows]) - self._goal[rows], axis=1)
        last = [self._slots.index(f"right_arm_joint_{at}") for at in range(JOINTS)]
        there = self._mask(rows)[:, last]
        while (moving := time < LASTS_S - 1e-9).any():
            said = act(self._inputs_at(angles, rows)).reshape(len(rows), self.config.chunk, len(self._slots))
            angles = np.where(moving[:, None] & there, said[:, -1, last], angles)
            time = time + self.config.chunk / self._rate[rows]
        after = np.linalg.norm(reach(angles, self._arm[rows]) - self._goal[rows], axis=1)
        return {
            "score": np.clip(1 - after / np.maximum(before, NEAR_M), 0, 1),
            "success": (after < NEAR_M).astype(float),
        }

    def _inputs_at(self, angles: Floats, rows: npt.NDArray[np.integer]) -> dict[str, np.ndarray]:
        found = {"state": angles, "mask": self._mask(rows), "goal": self._goal[rows], "rate": self._rate[rows, None]}
        return {name: values.astype(np.float32) for name, values in found.items()}

    def _mask(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        joint = [int(name.split("_")[3]) if "joint" in name else 0 for name in self._slots]
        return np.array(joint) < self._arm[rows][:, None]

    def _chunk(self, angles: Floats, wanted: Floats) -> Floats:
        """The next steps, shape (sample, step, slot)."""
        ahead = (np.arange(self.config.chunk) + 1)[None, :] / self._rate[:, None]
        way = wanted - angles
        longest = np.abs(way).max(1, keepdims=True)
        arrives = np.maximum(longest / SPEED_RAD_S, 1e-9)
        share = np.minimum(ahead / arrives, 1.0)[..., None]
        along = angles[:, None] + share * way[:, None]
        if self.config.slots == "joints":
            return along
        # At the step of its arrival an arm has half its speed, as the difference around that step has.
        dt = 1 / self._rate[:, None]
        later, before = (np.clip((ahead + sign * dt) / arrives, 0, 1)[..., None] * way[:, None] for sign in (1, -1))
        speeds = (later - before) / (2 * dt[..., None])
        ends = reach(along.reshape(-1, JOINTS), np.repeat(self._arm, self.config.chunk)).reshape(*along.shape[:2], 2)
        return np.concatenate([along, speeds, ends], -1)


def reach(angles: Floats, arms: npt.NDArray[np.integer]) -> Floats:
    """Where ends are, shape (sample, 2), m; angles of joints that an arm does not have are 0."""
    lengths = np.array([[*LENGTHS_M[int(arm)], *[0.0] * (JOINTS - int(arm))] for arm in arms]).reshape(-1, JOINTS)
    turned = np.cumsum(angles, axis=1)
    return np.stack([(lengths * np.cos(turned)).sum(1), (lengths * np.sin(turned)).sum(1)], 1)


def _moments(seed: int, arm: int, count: int) -> tuple[Floats, Floats]:
    """Angles at moments of a motion, the first one its begin, shape (moment, 3), and the angles at its goal."""
    rng = np.random.default_rng([seed, 78])
    start, goal = np.zeros(JOINTS), np.zeros(JOINTS)
    start[:arm] = [rng.uniform(-1, 1), rng.uniform(0.3, 2), rng.uniform(0.15, 1)][:arm]
    # The wrist turns half as far as the elbow, so that of the ways to reach a goal there is one.
    elbow = rng.uniform(0.3, 2)
    goal[:arm] = [rng.uniform(-1, 1), elbow, elbow / 2][:arm]
    share = np.concatenate([[0.0], np.sort(rng.uniform(0, 1, count - 1))])[:, None]
    return start + share * (goal - start), goal
