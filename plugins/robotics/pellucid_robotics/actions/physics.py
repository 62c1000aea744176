"""Whether trajectories in the unified space can be those of a body: velocities, rotations, limits, forward kinematics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import ContractError
from pellucid_robotics.actions.rotations import not_orthonormal
from pellucid_robotics.actions.slots import SIDES, SLOTS, place, velocity_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Body:
    """What is known of the body that makes a motion.

    Parameters
    ----------
    dt_s : float
        From one step to the next.
    lengths_m : tuple of float
        Links of an arm in a plane, whose joints are those of the right arm from 0, angles from the link before; empty where the arm is
        not known or is another.
    limits_rad : tuple of (float, float)
        Lowest and highest angle of each joint of the right arm from 0; empty where they are not known.
    """

    dt_s: float
    lengths_m: tuple[float, ...] = ()
    limits_rad: tuple[tuple[float, float], ...] = ()


def planar_reach(angles_rad: Floats, lengths_m: npt.ArrayLike) -> Floats:
    """Where the end of an arm in a plane is; shape (..., joint) to (..., 2), m.

    Examples
    --------
    >>> planar_reach(np.array([np.pi / 2, -np.pi / 2]), (1.0, 0.5)).round(6).tolist()
    [0.5, 1.0]
    """
    turned = np.cumsum(angles_rad, axis=-1)
    lengths = np.asarray(lengths_m, np.float64)
    return np.stack([(lengths * np.cos(turned)).sum(-1), (lengths * np.sin(turned)).sum(-1)], axis=-1)


def velocity_residual(values: Floats, mask: Bools, dt_s: float) -> dict[str, Floats]:
    """How far velocity slots are from finite differences of position slots.

    Parameters
    ----------
    values : ndarray, shape (..., step, 128)
        Three steps at least.
    mask : ndarray of bool, shape (128,)
    dt_s : float

    Returns
    -------
    dict of str to ndarray, shape (..., step - 2)
        By name of the position, in the unit of its velocity: the velocity less the central difference around the same step. A motion
        whose velocity changes by ``j`` a second squared is off by ``j * dt_s**2 / 6`` although it is right.
    """
    if values.ndim < 2 or values.shape[-2] < 3:
        raise ContractError(f"differences need three steps at least, got an array of shape {values.shape}")
    if not dt_s > 0:
        raise ContractError(f"dt_s is {dt_s:g}, expected seconds above 0")
    found = {}
    for at, slot in enumerate(SLOTS):
        speed = velocity_of(at)
        if speed is not None and mask[at] and mask[speed]:
            moved = (values[..., 2:, at] - values[..., :-2, at]) / (2 * dt_s)
            found[slot.name] = values[..., 1:-1, speed] - moved
    return found


def rotation_residual(values: Floats, mask: Bools) -> dict[str, Floats]:
    """By side, how far the six numbers of an end effector's rotation are from two orthonormal columns; shape (..., step) each."""
    found = {}
    for side in SIDES:
        start = place(f"{side}_eef_rotation_0")
        if mask[start : start + 6].all():
            found[side] = not_orthonormal(values[..., start : start + 6])
    return found


def beyond_limits(values: Floats, mask: Bools, body: Body) -> dict[str, Floats]:
    """By name of a joint of the right arm, how far it is beyond its limits; rad, shape (..., step)."""
    found = {}
    for joint, (low, high) in enumerate(body.limits_rad):
        at = place(f"right_arm_joint_{joint}")
        if mask[at]:
            angle = values[..., at]
            found[SLOTS[at].name] = np.maximum(np.maximum(low - angle, angle - high), 0.0)
    return found


def kinematic_residual(values: Floats, mask: Bools, body: Body) -> Floats | None:
    """Distance from where the joints put the right end effector to where its slots say it is; m, shape (..., step); None if unknown."""
    joints = [place(f"right_arm_joint_{at}") for at in range(len(body.lengths_m))]
    ends = [place("right_eef_x"), place("right_eef_y")]
    if not joints or not mask[joints].all() or not mask[ends].all():
        return None
    off = planar_reach(values[..., joints], body.lengths_m) - values[..., ends]
    return np.asarray(np.linalg.norm(off, axis=-1))
