"""Chunks of actions as outputs of a head: which output is which slot at which step, and as a table to read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pellucid.errors import ContractError
from pellucid_robotics.actions.physics import Body
from pellucid_robotics.actions.slots import NAMES, SLOTS, WIDTH, place

if TYPE_CHECKING:
    import pandas as pd

OUTPUT = re.compile(r"(.+) at step (\d+)")


@runtime_checkable
class KnowsBodies(Protocol):
    """A dataset that knows whose motion a sample is, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    def bodies(self, rows: npt.NDArray[np.integer]) -> Sequence[Mapping[str, Any]]:
        """Of each sample ``dt_s``, ``slots`` that the robot has, and where they are known ``lengths_m`` and ``limits_rad``.

        See :class:`~pellucid_robotics.actions.physics.Body`.
        """


def chunk_places(outputs: Sequence[str], of: str) -> list[tuple[int, int]]:
    """Of each output its step, from 0, and its slot.

    Parameters
    ----------
    outputs : sequence of str
        ``"right_arm_joint_0 at step 1"`` and so on.
    of : str
        Who asks, for the message.

    Raises
    ------
    ContractError
        If an output is no slot at a step, or two are the same, or a step is left out.

    Examples
    --------
    >>> chunk_places(["right_arm_joint_0 at step 1", "base_yaw_rate at step 2"], "it")
    [(0, 0), (1, 102)]
    """
    found = []
    for name in outputs:
        parts = OUTPUT.fullmatch(name)
        if parts is None or parts[2].startswith("0"):
            raise ContractError(
                f"{of}: output {name!r} is no slot at a step; a chunk's are called 'right_arm_joint_0 at step 1' and so on"
            )
        found.append((int(parts[2]) - 1, place(parts[1], f"{of}, output {name!r}")))
    if not found:
        raise ContractError(f"{of}: there are no outputs")
    if len(set(found)) != len(found):
        raise ContractError(f"{of}: several outputs are one slot at one step")
    steps = {step for step, _ in found}
    if len(steps) <= max(steps):
        raise ContractError(f"{of}: steps of a chunk are counted from 1 without gaps")
    return found


def in_slots(values: npt.NDArray[np.float64], places: Sequence[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """Outputs in their slots: shape (sample, output) to (sample, step, 128)."""
    steps = np.array([step for step, _ in places])
    whole = np.zeros((len(values), steps.max() + 1, WIDTH))
    whole[:, steps, [slot for _, slot in places]] = values
    return whole


def chunk_table(outputs: Sequence[str], values: npt.ArrayLike, mask: Sequence[str] | None = None) -> pd.DataFrame:
    """One chunk as a table: a row a slot, with group and unit, a column a step.

    Parameters
    ----------
    outputs : sequence of str
        Names of what a head says.
    values : array_like, shape (output,)
    mask : sequence of str, optional
        Slots that the robot has; others are left out.

    Examples
    --------
    >>> chunk_table(["base_x_velocity at step 1", "base_x_velocity at step 2"], [0.1, 0.2]).to_dict("records")
    [{'slot': 'base_x_velocity', 'group': 'base', 'unit': 'm/s', 'step 1': 0.1, 'step 2': 0.2}]
    """
    import pandas as pd

    places = chunk_places(outputs, "a chunk")
    if np.shape(values) != (len(places),):
        raise ContractError(f"a chunk of {len(places)} outputs has values of shape {np.shape(values)}")
    for name in mask or ():
        place(name, "a chunk's mask")
    whole = in_slots(np.asarray(values, np.float64)[None], places)[0]
    shown = sorted({slot for _, slot in places if mask is None or NAMES[slot] in mask})
    rows = [
        {"slot": SLOTS[at].name, "group": SLOTS[at].group, "unit": SLOTS[at].unit}
        | {f"step {step + 1}": float(whole[step, at]) for step in range(len(whole))}
        for at in shown
    ]
    return pd.DataFrame(rows)


def body_of(facts: Mapping[str, Any]) -> tuple[Body, npt.NDArray[np.bool_]]:
    """A body and the mask of its slots, from what :class:`KnowsBodies` says."""
    mask = np.zeros(WIDTH, bool)
    mask[[place(name) for name in facts["slots"]]] = True
    return Body(float(facts["dt_s"]), tuple(facts.get("lengths_m", ())), tuple(facts.get("limits_rad", ()))), mask
