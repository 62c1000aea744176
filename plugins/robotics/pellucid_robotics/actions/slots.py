"""The unified space of actions: 128 slots, each with a name and a unit, in which every robot has its place."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.errors import ContractError, nearest

WIDTH = 128

JOINTS, FINGERS = 10, 5

SIDES = ("right", "left")
"""The arms; a robot with one arm has the right one."""


@dataclass(frozen=True)
class Slot:
    """One number of the space.

    Parameters
    ----------
    name : str
    unit : str
        ``"rad"``, ``"m"``, ``"rad/s"``, ``"m/s"``, ``"1/s"``; ``"1"`` for how far a gripper is open, 0 to 1, and numbers of a rotation.
    group : str
        What it is of: ``"right arm joints"``; empty where it is reserved.
    """

    name: str
    unit: str
    group: str

    @property
    def reserved(self) -> bool:
        """Whether nothing may stand there."""
        return not self.group

    @property
    def of_gripper(self) -> bool:
        """Whether it says how far a gripper is open."""
        return self.group.endswith("gripper")


def _reserved(start: int, count: int) -> list[Slot]:
    return [Slot(f"reserved_{start + at}", "1", "") for at in range(count)]


def _arm(side: str, start: int) -> list[Slot]:
    joints = [f"{side}_arm_joint_{at}" for at in range(JOINTS)]
    fingers = [f"{side}_gripper_{at}" for at in range(FINGERS)]
    eef = f"{side}_eef"
    return [
        *(Slot(name, "rad", f"{side} arm joints") for name in joints),
        *(Slot(name, "1", f"{side} gripper") for name in fingers),
        *(Slot(f"{name}_velocity", "rad/s", f"{side} arm joint velocities") for name in joints),
        *(Slot(f"{name}_velocity", "1/s", f"{side} gripper velocities") for name in fingers),
        *(Slot(f"{eef}_{axis}", "m", f"{side} end effector position") for axis in "xyz"),
        *(Slot(f"{eef}_rotation_{at}", "1", f"{side} end effector rotation") for at in range(6)),
        *(Slot(f"{eef}_{axis}_velocity", "m/s", f"{side} end effector velocity") for axis in "xyz"),
        *(Slot(f"{eef}_{axis}_rate", "rad/s", f"{side} end effector rates") for axis in ("roll", "pitch", "yaw")),
        *_reserved(start + 45, 5),
    ]


SLOTS: tuple[Slot, ...] = (
    *_arm("right", 0),
    *_arm("left", 50),
    Slot("base_x_velocity", "m/s", "base"),
    Slot("base_y_velocity", "m/s", "base"),
    Slot("base_yaw_rate", "rad/s", "base"),
    *_reserved(103, 25),
)
"""All slots in their order, as in RDT-1B (Liu et al. 2024, arXiv 2410.07864): right arm from 0, left arm from 50, base from 100."""

NAMES: tuple[str, ...] = tuple(one.name for one in SLOTS)

_AT = {name: at for at, name in enumerate(NAMES)}

GROUPS: dict[str, tuple[int, ...]] = {
    group: tuple(at for at, one in enumerate(SLOTS) if one.group == group)
    for group in dict.fromkeys(one.group for one in SLOTS if one.group)
}
"""Of each group its slots."""


def place(name: str, of: str = "") -> int:
    """Where a slot stands.

    Parameters
    ----------
    name : str
    of : str
        What is to be put there, for the message.

    Raises
    ------
    ContractError
        If there is no such slot, or it is reserved; the nearest name is given.

    Examples
    --------
    >>> place("left_eef_rotation_0"), place("base_yaw_rate")
    (83, 102)
    """
    found = _AT.get(name)
    where = f"{of}: " if of else ""
    if found is None:
        open_names = [one.name for one in SLOTS if not one.reserved]
        raise ContractError(f"{where}no slot named {name!r}{nearest(name, open_names)}; groups: {', '.join(GROUPS)}")
    if SLOTS[found].reserved:
        raise ContractError(f"{where}slot {name!r} is reserved; nothing stands there")
    return found


def velocity_of(at: int) -> int | None:
    """Slot of the velocity of a position, or None where it has none.

    Examples
    --------
    >>> NAMES[velocity_of(place("right_arm_joint_2"))], NAMES[velocity_of(place("left_eef_z"))], velocity_of(place("base_yaw_rate"))
    ('right_arm_joint_2_velocity', 'left_eef_z_velocity', None)
    """
    return _AT.get(f"{NAMES[at]}_velocity")
