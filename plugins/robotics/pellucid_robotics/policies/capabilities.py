"""Whether a policy does what its card claims of its intermediate: tried, not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pellucid.errors import DataError
from pellucid_robotics.policies.cards import PolicyCard

TOLERANCE = 1e-6
"""Change of an action, in its own units, that is none."""


@runtime_checkable
class ReadablePolicy(Protocol):
    """A policy that says what it decides by, and takes another in its place."""

    def intermediate(self, observation: Any) -> Any:
        """What stands between this observation and the action."""

    def act(self, observation: Any, intermediate: Any = None) -> Any:
        """The action; by a given intermediate where there is one."""


@dataclass(frozen=True)
class Capabilities:
    """What was tried of a policy; true where its card claims nothing that it does not do.

    Parameters
    ----------
    returns_intermediate, editable : bool
    tried : int
        Edits: the intermediate of one observation at another.
    followed : float
        Share of them that changed the action.
    reason : str
        What is not as claimed; empty where all is.
    """

    returns_intermediate: bool
    editable: bool
    tried: int
    followed: float
    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason


def capabilities(
    policy: Any, card: PolicyCard, observations: Sequence[Any], *, tolerance: float = TOLERANCE
) -> Capabilities:
    """Try whether a policy returns the intermediate that its card claims, and follows it when it is edited.

    Each observation gets the intermediate of the next one, where the two differ. An edit of which the action takes no notice was none.

    Parameters
    ----------
    policy : object
        With the methods of :class:`ReadablePolicy`; one without them is no error but a claim that is not kept.
    card : PolicyCard
    observations : sequence
        At least two with different intermediates.
    tolerance : float

    Raises
    ------
    DataError
        If there is nothing to edit with, or the policy acts differently on the same observation, so that no change could be told.
    """
    claimed = card.intermediate
    if not isinstance(policy, ReadablePolicy):
        lacking = "" if claimed is None else f"{card.name} claims an intermediate, and this object offers none"
        return Capabilities(False, False, 0, 0.0, lacking)
    between = [policy.intermediate(one) for one in observations]
    actions = [_array(policy.act(one)) for one in observations]
    if any(
        _apart(action, _array(policy.act(one)), tolerance) for one, action in zip(observations, actions, strict=True)
    ):
        raise DataError("the policy acts differently on the same observation: fix its seed before it is tried")
    returns = all(one is not None for one in between)
    pairs = [(at, (at + 1) % len(between)) for at in range(len(between))]
    pairs = [(at, other) for at, other in pairs if not _same(between[at], between[other])] if returns else []
    if returns and not pairs:
        raise DataError(
            f"all {len(between)} observations have the same intermediate: give at least two that differ, to edit one by the other"
        )
    followed = [
        _apart(_array(policy.act(observations[at], between[other])), actions[at], tolerance) for at, other in pairs
    ]
    share = float(np.mean(followed)) if followed else 0.0
    reason = ""
    if claimed is not None and not returns:
        reason = f"{card.name} claims an intermediate, and some observations have none"
    elif claimed is not None and claimed.editable and not any(followed):
        reason = f"{card.name} claims an editable intermediate, and none of {len(followed)} edits changed the action"
    return Capabilities(returns, any(followed), len(followed), share, reason)


def _array(action: Any) -> np.ndarray:
    return np.asarray(action, np.float64)


def _apart(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    return one.shape != other.shape or bool(np.abs(one - other).max(initial=0.0) > tolerance)


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(np.array_equal(np.asarray(one), np.asarray(other)))
    except ValueError:
        return bool(one == other)
