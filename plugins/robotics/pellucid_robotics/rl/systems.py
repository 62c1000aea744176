"""Swing-ups in closed form: a pendulum, and a pole on a cart, many at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from pellucid_robotics.rl.tasks import Floats, Task

GRAVITY = 9.81
"""m s-2."""

SUBSTEPS = 4
"""Of a Runge-Kutta step of the fourth order in one step of the environment."""


class SwingUpSystem(ABC):
    """Something that moves by equations that are known; the angle is 0 upright."""

    task: ClassVar[Task]

    @abstractmethod
    def rates(self, inner: Floats, action: Floats) -> Floats:
        """Rates of change of inner states, shape (row, inner), under actions, shape (row, action)."""

    @abstractmethod
    def begin(self, rng: np.random.Generator, count: int) -> Floats:
        """Inner states at the start: near hanging, shape (row, inner)."""

    @abstractmethod
    def seen(self, inner: Floats) -> Floats:
        """Observations, shape (row, state)."""

    @abstractmethod
    def inner_of(self, states: Floats) -> Floats:
        """Inverse of :meth:`seen`."""

    @abstractmethod
    def reward(self, states: Floats, actions: Floats) -> Floats:
        """What is paid for an action on a state, shape (row,): a sum of products of both."""

    def advance(self, inner: Floats, action: Floats) -> Floats:
        """Inner states one step later, the action held."""
        h = self.task.dt_s / SUBSTEPS
        for _ in range(SUBSTEPS):
            first = self.rates(inner, action)
            second = self.rates(inner + h / 2 * first, action)
            third = self.rates(inner + h / 2 * second, action)
            fourth = self.rates(inner + h * third, action)
            inner = inner + h / 6 * (first + 2 * second + 2 * third + fourth)
        return inner

    def step(self, states: Floats, actions: Floats) -> tuple[Floats, Floats, np.ndarray]:
        """One step of many, as a surrogate's: states that follow, rewards, and which have left the bounds.

        Parameters
        ----------
        states : ndarray, shape (row, state)
        actions : ndarray, shape (row, action)
            Beyond the limit they count as the limit.
        """
        actions = np.clip(actions, -self.task.limit, self.task.limit)
        following = self.seen(self.advance(self.inner_of(states), actions))
        left = np.asarray(((following < self.task.low) | (following > self.task.high)).any(1))
        return following, self.reward(states, actions), left

    def starts(self, rng: np.random.Generator, count: int) -> Floats:
        """States at the start of episodes, shape (row, state)."""
        return self.seen(self.begin(rng, count))


class Pendulum(SwingUpSystem):
    """A rod of 1 m and 1 kg on a hinge, whose motor (2 N m) cannot lift it in one go.

    Seen: cosine and sine of the angle, angular speed. Paid is ``(1 + cos) / 2 - 0.005 omega^2 - 0.005 u^2`` a step of 0.05 s.
    """

    task = Task(
        name="pendulum-swingup", states=("cos", "sin", "omega"), units=("1", "1", "rad s-1"), actions=("u",), action_units=("2 N m",),
        dt_s=0.05, steps=200, angles=(("cos", "sin"),), bounds=((-1.5, 1.5), (-1.5, 1.5), (-15.0, 15.0)),
    )  # fmt: skip

    def rates(self, inner: Floats, action: Floats) -> Floats:
        """Of angle and angular speed."""
        return np.stack([inner[:, 1], 1.5 * GRAVITY * np.sin(inner[:, 0]) + 6 * action[:, 0]], 1)

    def begin(self, rng: np.random.Generator, count: int) -> Floats:
        """Hanging, off by 0.3 rad and 0.3 rad/s at most."""
        return np.array([np.pi, 0.0]) + rng.uniform(-0.3, 0.3, (count, 2))

    def seen(self, inner: Floats) -> Floats:
        """Cosine, sine, angular speed."""
        return np.stack([np.cos(inner[:, 0]), np.sin(inner[:, 0]), inner[:, 1]], 1)

    def inner_of(self, states: Floats) -> Floats:
        """Angle and angular speed."""
        return np.stack([np.arctan2(states[:, 1], states[:, 0]), states[:, 2]], 1)

    def reward(self, states: Floats, actions: Floats) -> Floats:
        """Uprightness, less speed and effort."""
        return (1 + states[:, 0]) / 2 - 0.005 * states[:, 2] ** 2 - 0.005 * actions[:, 0] ** 2


class CartPole(SwingUpSystem):
    """A cart of 1 kg on rails without friction, and a pole of 0.1 kg and 1 m that hangs from it; the motor pushes with up to 10 N.

    Seen: position, cosine and sine of the pole's angle, speed, angular speed. Paid is ``(1 + cos) / 2 - 0.02 x^2 - 0.005 u^2`` a step of
    0.04 s; beyond 3 m the rails end, and the episode with them.
    """

    task = Task(
        name="cartpole-swingup", states=("x", "cos", "sin", "v", "omega"), units=("m", "1", "1", "m s-1", "rad s-1"), actions=("u",),
        action_units=("10 N",), dt_s=0.04, steps=200, angles=(("cos", "sin"),),
        bounds=((-3.0, 3.0), (-1.5, 1.5), (-1.5, 1.5), (-12.0, 12.0), (-25.0, 25.0)),
    )  # fmt: skip

    def rates(self, inner: Floats, action: Floats) -> Floats:
        """Of position, angle and their speeds."""
        cart, pole, half = 1.0, 0.1, 0.5
        _, angle, speed, turning = inner.T
        sine, cosine = np.sin(angle), np.cos(angle)
        pushed = (10 * action[:, 0] + pole * half * turning**2 * sine) / (cart + pole)
        turns = (GRAVITY * sine - cosine * pushed) / (half * (4 / 3 - pole * cosine**2 / (cart + pole)))
        return np.stack([speed, turning, pushed - pole * half * turns * cosine / (cart + pole), turns], 1)

    def begin(self, rng: np.random.Generator, count: int) -> Floats:
        """In the middle and hanging, off by 0.1 at most."""
        return np.array([0.0, np.pi, 0.0, 0.0]) + rng.uniform(-0.1, 0.1, (count, 4))

    def seen(self, inner: Floats) -> Floats:
        """Position, cosine, sine, speed, angular speed."""
        return np.stack([inner[:, 0], np.cos(inner[:, 1]), np.sin(inner[:, 1]), inner[:, 2], inner[:, 3]], 1)

    def inner_of(self, states: Floats) -> Floats:
        """Position, angle, speed, angular speed."""
        return np.stack([states[:, 0], np.arctan2(states[:, 2], states[:, 1]), states[:, 3], states[:, 4]], 1)

    def reward(self, states: Floats, actions: Floats) -> Floats:
        """Uprightness, less distance and effort."""
        return (1 + states[:, 1]) / 2 - 0.02 * states[:, 0] ** 2 - 0.005 * actions[:, 0] ** 2


SYSTEMS: dict[str, type[SwingUpSystem]] = {"pendulum": Pendulum, "cartpole": CartPole}
