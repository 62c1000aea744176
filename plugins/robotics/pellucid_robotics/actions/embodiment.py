"""A robot's own names in the unified space: what stands in which slot, in which unit, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from pellucid.data.spec import Frozen, Trajectory
from pellucid.errors import ContractError, abridged, nearest
from pellucid_robotics.actions.channels import Channel, OwnRotation, real_numbers
from pellucid_robotics.actions.rotations import from_six, six_of
from pellucid_robotics.actions.slots import NAMES, SIDES, SLOTS, WIDTH, place

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Unified:
    """Numbers in the unified space.

    Parameters
    ----------
    values : ndarray, shape (..., 128)
        0 where nothing stands.
    mask : ndarray of bool, shape (128,)
        Which slots the robot has.
    frames : mapping of str to str
        Of each arm whose end effector's pose is here, what it is measured from (``"base"``, ``"world"``).
    """

    values: Floats
    mask: npt.NDArray[np.bool_]
    frames: Mapping[str, str]


class Embodiment(Frozen):
    """How a robot's own numbers lie in the unified space.

    Parameters
    ----------
    name : str
    channels : mapping of str to Channel
        By the robot's own names. A robot with one arm has the right one.
    rotations : mapping of str to OwnRotation
        By side, ``"right"`` or ``"left"``.
    frames : mapping of str to str
        By side, what a pose of the end effector is measured from; needed where there is one, as the space itself does not say.

    Examples
    --------
    >>> arm = Embodiment(name="arm", channels={"elbow": Channel(slot="right_arm_joint_0", unit="deg")})
    >>> packed = arm.pack({"elbow": np.array([180.0])})
    >>> packed.values.shape, round(float(packed.values[0, 0]), 4), int(packed.mask.sum())
    ((1, 128), 3.1416, 1)
    """

    name: str
    channels: Mapping[str, Channel]
    rotations: Mapping[str, OwnRotation] = Field(default_factory=dict)
    frames: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_name_a_slot(self) -> Embodiment:
        taken: dict[str, str] = {}
        for own, channel in self.channels.items():
            if channel.slot in taken:
                raise ValueError(f"{taken[channel.slot]!r} and {own!r} would both stand in {channel.slot}")
            taken[channel.slot] = own
        for side in self.rotations:
            if side not in SIDES:
                raise ValueError(f"a rotation is of the right or left end effector, not of {side!r}")
        if twice := [own for own, count in Counter(self.names).items() if count > 1]:
            raise ValueError(
                f"{', '.join(map(repr, twice))} stands both among channels and rotations, or in two rotations"
            )
        if not self.names:
            raise ValueError(f"{self.name!r} has neither channels nor rotations")
        for side in dict.fromkeys((*SIDES, *self.frames)):
            posed = side in self.rotations or any(f"{side}_eef_{axis}" in taken for axis in "xyz")
            if posed and not self.frames.get(side):
                raise ValueError(
                    f"say in frames what the pose of the {side} end effector is measured from, as base or world"
                )
            if not posed and side in self.frames:
                raise ValueError(
                    f"frames says what the {side} end effector is measured from, and none of its pose is given"
                )
        return self

    @classmethod
    def of_trajectory(cls, name: str, spec: Trajectory, slots: Mapping[str, str], **rest: object) -> Embodiment:
        """Names of a trajectory in slots, with the units that it says; those that are left out stay out.

        Raises
        ------
        ContractError
            If a name is none of the trajectory's; the nearest one is given.
        """
        for own in slots:
            if own not in spec.names:
                raise ContractError(f"embodiment {name!r}: the trajectory has no {own!r}{nearest(own, spec.names)}")
        units = dict(zip(spec.names, spec.units, strict=True))
        limits = rest.pop("grippers", {})
        assert isinstance(limits, Mapping)
        channels = {
            own: Channel(
                slot=slot, unit=units[own], low=limits.get(own, (None, None))[0], high=limits.get(own, (None, None))[1]
            )
            for own, slot in slots.items()
        }
        return cls(name=name, channels=channels, **rest)  # type: ignore[arg-type]

    @property
    def names(self) -> tuple[str, ...]:
        """The robot's own names: channels, then rotations."""
        return (*self.channels, *(own for rotation in self.rotations.values() for own in rotation.names))

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which slots it has, bool, shape (128,)."""
        found = np.zeros(WIDTH, bool)
        found[[place(one.slot) for one in self.channels.values()]] = True
        for side in self.rotations:
            found[_rotation_slots(side)] = True
        return found

    def pack(self, values: Mapping[str, npt.ArrayLike], start: Mapping[str, npt.ArrayLike] | None = None) -> Unified:
        """Own numbers in the unified space.

        Parameters
        ----------
        values : mapping of str to array_like, shape (..., step)
            By own name, all of one shape. Rotations are not summed up: they are told as they are.
        start : mapping of str to array_like, shape (...)
            By own name, where a channel of changes was before the first step, in its own unit.

        Returns
        -------
        Unified
            Values of shape (..., step, 128), float64, or float32 where that is given. What needs no conversion passes bit by bit.

        Raises
        ------
        ContractError
            If a name is unknown (the nearest is given) or missing, shapes do not fit, or a channel of changes has no start.
        DataError
            If a number is NaN or infinite, or a rotation is none.
        """
        self._check_names(values)
        arrays = {own: real_numbers(one, f"embodiment {self.name!r}: {own!r}") for own, one in values.items()}
        kind = np.result_type(np.float32, *arrays.values())
        shapes = {one.shape for one in arrays.values()}
        if len(shapes) != 1:
            raise ContractError(f"embodiment {self.name!r}: arrays of one robot have one shape, got {sorted(shapes)}")
        packed = np.zeros((*shapes.pop(), WIDTH), kind)
        for own, channel in self.channels.items():
            given = arrays[own]
            if channel.delta:
                given = self._start(own, start, given.shape) + np.cumsum(given, axis=-1)
            factor, offset = channel.line
            packed[..., place(channel.slot)] = given if (factor, offset) == (1.0, 0.0) else given * factor + offset
        for side, rotation in self.rotations.items():
            stacked = np.stack([arrays[own] for own in rotation.names], -1)
            packed[..., _rotation_slots(side)] = six_of(
                stacked, rotation.form, rotation.order, degrees=rotation.degrees
            )
        return Unified(packed, self.mask.copy(), dict(self.frames))

    def unpack(self, unified: Unified | Floats, start: Mapping[str, npt.ArrayLike] | None = None) -> dict[str, Floats]:
        """Inverse of :meth:`pack`: own numbers by own name, each of shape (..., step).

        Parameters
        ----------
        unified : Unified or ndarray, shape (..., step, 128)
            An array is taken to be measured from where this robot measures.
        start : mapping of str to array_like
            As in :meth:`pack`.

        Raises
        ------
        ContractError
            If a slot that the robot has is masked, or a pose is measured from elsewhere.
        """
        values = unified.values if isinstance(unified, Unified) else np.asarray(unified)
        if not values.ndim or values.shape[-1] != WIDTH:
            raise ContractError(
                f"embodiment {self.name!r}: the space has {WIDTH} slots, got an array of shape {values.shape}"
            )
        if isinstance(unified, Unified):
            lacking = self.mask & ~unified.mask
            if lacking.any():
                named = ", ".join(SLOTS[at].name for at in np.flatnonzero(lacking)[:3])
                raise ContractError(f"embodiment {self.name!r}: {int(lacking.sum())} of its slots are masked: {named}")
            for side, frame in self.frames.items():
                if unified.frames.get(side) != frame:
                    raise ContractError(
                        f"embodiment {self.name!r}: its {side} end effector is measured from {frame!r}, these numbers from "
                        f"{unified.frames.get(side)!r}; turn them first"
                    )
        found: dict[str, Floats] = {}
        for own, channel in self.channels.items():
            factor, offset = channel.line
            one = values[..., place(channel.slot)]
            one = one.copy() if (factor, offset) == (1.0, 0.0) else (one - offset) / factor
            if channel.delta:
                one = np.diff(one, axis=-1, prepend=self._start(own, start, one.shape))
            found[own] = one
        for side, rotation in self.rotations.items():
            turned = from_six(
                values[..., _rotation_slots(side)].astype(np.float64),
                rotation.form,
                rotation.order,
                degrees=rotation.degrees,
            )
            found |= {own: turned[..., at] for at, own in enumerate(rotation.names)}
        return found

    def coverage(self, spec: Trajectory | None = None) -> pd.DataFrame:
        """Which slots it fills: one row a slot that it has, with group, unit, own name, and whether the number is converted.

        Parameters
        ----------
        spec : Trajectory, optional
            Whose names are looked for; those that have no slot stand at the end, with no slot.

        Raises
        ------
        ContractError
            If the trajectory lacks a name of the robot, or says another unit.
        """
        import pandas as pd

        if spec is not None:
            units = dict(zip(spec.names, spec.units, strict=True))
            for own, channel in self.channels.items():
                if own not in units:
                    raise ContractError(
                        f"embodiment {self.name!r}: the trajectory has no {own!r}{nearest(own, spec.names)}"
                    )
                if units[own] != channel.unit:
                    raise ContractError(
                        f"embodiment {self.name!r}: {own!r} is in {channel.unit}, and the trajectory says {units[own]}"
                    )
        rows = [
            (
                place(one.slot),
                one.slot,
                SLOTS[place(one.slot)].group,
                SLOTS[place(one.slot)].unit,
                own,
                one.line != (1.0, 0.0),
            )
            for own, one in self.channels.items()
        ]
        for side, rotation in self.rotations.items():
            own = ", ".join(rotation.names)
            rows += [(at, SLOTS[at].name, SLOTS[at].group, SLOTS[at].unit, own, True) for at in _rotation_slots(side)]
        rows.sort(key=lambda row: row[0])
        if spec is not None:
            rows += [(-1, "", "", unit, own, False) for own, unit in units.items() if own not in self.names]
        return pd.DataFrame(rows, columns=["place", "slot", "group", "unit", "own", "converted"])

    def _start(self, own: str, start: Mapping[str, npt.ArrayLike] | None, shape: tuple[int, ...]) -> Floats:
        if not shape:
            raise ContractError(f"embodiment {self.name!r}: {own!r} is a change from step to step, and has no steps")
        if start is None or own not in start:
            raise ContractError(
                f"embodiment {self.name!r}: {own!r} is a change from step to step; say in start where it was before"
            )
        found = real_numbers(start[own], f"embodiment {self.name!r}: the start of {own!r}")
        try:
            return np.broadcast_to(found, shape[:-1])[..., None]
        except ValueError:
            raise ContractError(
                f"embodiment {self.name!r}: {own!r} starts at an array of shape {found.shape}, expected one number a series: {shape[:-1]}"
            ) from None

    def _check_names(self, values: Mapping[str, npt.ArrayLike]) -> None:
        for own in values:
            if own not in self.names:
                raise ContractError(
                    f"embodiment {self.name!r} has no {own!r}{nearest(own, [*self.names, *NAMES])}; it has {abridged(self.names)}"
                )
        if lacking := [own for own in self.names if own not in values]:
            raise ContractError(f"embodiment {self.name!r}: {', '.join(map(repr, lacking))} not given")


def _rotation_slots(side: str) -> list[int]:
    return list(range(place(f"{side}_eef_rotation_0"), place(f"{side}_eef_rotation_5") + 1))
