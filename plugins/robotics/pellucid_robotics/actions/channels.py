"""How one of a robot's own numbers, or one of its rotations, is said: slot, unit, form."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid_robotics.actions.rotations import SIZES, RotationForm, is_order
from pellucid_robotics.actions.slots import SLOTS, place

FACTORS: Mapping[tuple[str, str], float] = {
    ("deg", "rad"): np.pi / 180,
    ("deg/s", "rad/s"): np.pi / 180,
    ("mm", "m"): 1e-3,
    ("cm", "m"): 1e-2,
    ("mm/s", "m/s"): 1e-3,
    ("cm/s", "m/s"): 1e-2,
}
"""Units that are understood beside those of the slots, and by what they are multiplied."""


class Channel(Frozen):
    """One of a robot's own numbers.

    Parameters
    ----------
    slot : str
        Where it stands.
    unit : str
        Its own; converted where it is known (``deg``, ``mm``, ``cm``, and each a second).
    low, high : float, optional
        Of a gripper alone, and needed there: its own number where it is closed (0) and open (1). Velocities of a gripper need them too.
    delta : bool
        Whether it is the change since the step before, which is then summed up from a start that is told.
    """

    slot: str
    unit: str
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    delta: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Channel:
        slot = SLOTS[place(self.slot)]
        of_gripper = "gripper" in slot.group
        if of_gripper and (self.low is None or self.high is None or self.low == self.high):
            raise ValueError(
                f"{self.slot} is of a gripper: say low and high, its own numbers where it is closed and open"
            )
        if not of_gripper and (self.low is not None or self.high is not None):
            raise ValueError(f"{self.slot} is no gripper: low and high are of grippers alone")
        if not of_gripper and self.unit != slot.unit and (self.unit, slot.unit) not in FACTORS:
            known = [one for one, other in FACTORS if other == slot.unit]
            raise ValueError(
                f"{self.slot} is in {slot.unit}, and {self.unit!r} is not understood; known: {', '.join([slot.unit, *known])}"
            )
        if slot.group.endswith("rotation"):
            raise ValueError(f"{self.slot} is one of six numbers: say the whole rotation among rotations")
        if self.delta and slot.unit.endswith("/s"):
            raise ValueError(f"{self.slot} is a velocity; changes of velocities are not summed up")
        return self

    @property
    def line(self) -> tuple[float, float]:
        """Factor and offset from its own number to the slot's."""
        if self.low is not None and self.high is not None:
            span = self.high - self.low
            return 1 / span, 0.0 if self.slot.endswith("_velocity") else -self.low / span
        return FACTORS.get((self.unit, SLOTS[place(self.slot)].unit), 1.0), 0.0


class OwnRotation(Frozen):
    """An end effector's rotation in a form of the robot's own.

    Parameters
    ----------
    names : tuple of str
        The robot's own names of its numbers, in order.
    form : {"quaternion xyzw", "quaternion wxyz", "matrix", "euler"}
        The order of a quaternion has no usual choice, so it is said.
    order : str
        Of Euler angles: ``"xyz"`` about fixed axes, ``"XYZ"`` about those of the body.
    degrees : bool
        Whether Euler angles are in degrees.
    """

    names: tuple[str, ...]
    form: RotationForm
    order: str = ""
    degrees: bool = False

    @model_validator(mode="after")
    def _fits(self) -> OwnRotation:
        if len(self.names) != SIZES[self.form]:
            raise ValueError(
                f"a rotation as {self.form} has {SIZES[self.form]} numbers, and {len(self.names)} names are given"
            )
        if (self.form == "euler") != bool(self.order):
            raise ValueError(
                "Euler angles, and they alone, need an order: xyz about fixed axes, XYZ about those of the body"
            )
        if self.order and not is_order(self.order):
            raise ValueError(
                f"{self.order!r} is no order of Euler angles: three letters of xyz, or of XYZ, and no axis twice in a row"
            )
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"a rotation's numbers are named {', '.join(self.names)}: each needs a name of its own")
        return self


def real_numbers(given: npt.ArrayLike, called: str) -> npt.NDArray[np.floating]:
    """An array of finite numbers.

    Parameters
    ----------
    given : array_like
    called : str
        What it is, for messages.

    Raises
    ------
    DataError
        If it holds text, complex numbers, rows of several lengths, NaN or infinite numbers.
    """
    try:
        found = np.asarray(given)
    except ValueError:
        raise DataError(f"{called} has rows of several lengths, expected an array") from None
    if found.dtype.kind not in "buif":
        raise DataError(f"{called} is an array of {found.dtype}, expected real numbers")
    if not np.isfinite(found).all():
        raise DataError(f"{called} holds NaN or infinite numbers; mask or cut these steps first")
    return found
