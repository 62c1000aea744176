"""What is to be learnt in which environment: names and units of what is seen and done, and what holds of it everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pellucid.errors import StudyError, nearest

if TYPE_CHECKING:
    from pellucid_robotics.rl.transitions import Transitions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """An environment in words.

    Parameters
    ----------
    name : str
    states, units : tuple of str
        What is observed, in the order of the observation.
    actions, action_units : tuple of str
    dt_s : float
        Seconds of a step.
    steps : int
        Of an episode, at most.
    angles : tuple of (str, str)
        Pairs of states that are cosine and sine of one angle: a model's step is brought back to the circle.
    bounds : tuple of (float, float)
        Lowest and highest value of each state; beyond them an episode of a model ends. Infinite by default.
    limit : float
        Actions lie between this and its negative.

    Raises
    ------
    StudyError
        If names and units differ in number, a name stands twice, a bound or limit is none, or a pair names no state.
    """

    name: str
    states: tuple[str, ...]
    units: tuple[str, ...]
    actions: tuple[str, ...]
    action_units: tuple[str, ...]
    dt_s: float
    steps: int
    angles: tuple[tuple[str, str], ...] = ()
    bounds: tuple[tuple[float, float], ...] = field(default=())
    limit: float = 1.0

    def __post_init__(self) -> None:
        if len(self.units) != len(self.states) or len(self.action_units) != len(self.actions):
            raise StudyError(f"task {self.name!r}: each state and action has one unit")
        if self.bounds and len(self.bounds) != len(self.states):
            raise StudyError(f"task {self.name!r}: {len(self.bounds)} bounds for {len(self.states)} states")
        if not self.states or not self.actions:
            raise StudyError(f"task {self.name!r}: needs a state and an action at least")
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise StudyError(f"task {self.name!r}: {', '.join(map(repr, twice))} stands twice among states and actions")
        if not 0 < self.dt_s < np.inf or self.steps < 1:
            raise StudyError(f"task {self.name!r}: steps of {self.dt_s} s and episodes of {self.steps} steps are none")
        if not 0 < self.limit < np.inf:
            raise StudyError(f"task {self.name!r}: limit is {self.limit}, expected a finite number above 0")
        for name, (low, high) in zip(self.states, self.bounds, strict=False):
            if not low < high:
                raise StudyError(
                    f"task {self.name!r}: {name!r} is bounded from {low} to {high}, expected the lower one first"
                )
        if any(len(pair) != 2 or pair[0] == pair[-1] for pair in self.angles):
            raise StudyError(f"task {self.name!r}: angles are pairs of two states, cosine and sine")
        for name in (name for pair in self.angles for name in pair):
            if name not in self.states:
                raise StudyError(
                    f"task {self.name!r}: angles name {name!r}, which is no state{nearest(name, self.states)}"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """States, then actions."""
        return (*self.states, *self.actions)

    @property
    def circles(self) -> tuple[tuple[int, int], ...]:
        """Positions of :attr:`angles`."""
        return tuple((self.states.index(cosine), self.states.index(sine)) for cosine, sine in self.angles)

    @property
    def low(self) -> Floats:
        """Lowest value of each state, shape (state,)."""
        return np.array([low for low, _ in self.bounds] or [-np.inf] * len(self.states), np.float64)

    @property
    def high(self) -> Floats:
        """Highest value of each state, shape (state,)."""
        return np.array([high for _, high in self.bounds] or [np.inf] * len(self.states), np.float64)


class TransitionModel(Protocol):
    """What can stand for an environment: equations that were fitted to it, or that it is known to have."""

    def step(self, states: Floats, actions: Floats) -> tuple[Floats, Floats, np.ndarray]:
        """States that follow, rewards, and which have left their bounds, of many episodes side by side."""


@runtime_checkable
class HasEnvironment(Protocol):
    """A dataset that knows the environment behind its samples, reached by :meth:`pellucid.data.dataset.Dataset.ability`."""

    task: Task

    def environment(self) -> Any:
        """A new ``gymnasium.Env``."""

    def seed_of_episode(self, episode: str) -> int:
        """The seed with which an episode of this dataset was begun."""

    def transitions_of(self, samples: Sequence[str]) -> Transitions:
        """What was seen, done and paid at some samples, by name."""

    def true_model(self) -> TransitionModel | None:
        """Equations that the environment is known to have; None where nobody knows them."""
