"""The swing-ups as environments of gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from pellucid_robotics.rl.systems import CartPole, Pendulum, SwingUpSystem
from pellucid_robotics.rl.tasks import Floats


class SwingUp(gymnasium.Env[Floats, Floats]):
    """A swing-up that begins near hanging, from a seed.

    Observations are float64 of shape (state,), actions float of shape (1,), held for a step. An episode is cut off after as many steps as
    its task says, and ends where a state leaves its bounds.

    Parameters
    ----------
    system : SwingUpSystem

    Examples
    --------
    >>> environment = PendulumSwingUp()
    >>> state, _ = environment.reset(seed=0)
    >>> bool(state[0] < -0.9), environment.dt
    (True, 0.05)
    """

    def __init__(self, system: SwingUpSystem) -> None:
        self.system, self.task = system, system.task
        self.dt = self.task.dt_s
        wide = np.array([low for low, _ in self.task.bounds]), np.array([high for _, high in self.task.bounds])
        self.observation_space = spaces.Box(*wide, dtype=np.float64)
        size = (len(self.task.actions),)
        self.action_space = spaces.Box(-self.task.limit, self.task.limit, size, np.float64)
        self.inner, self.at = np.zeros((1, 1)), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        self.inner, self.at = self.system.begin(self.np_random, 1), 0
        return self.system.seen(self.inner)[0], {}

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Hold an action for a step; what it pays is of the state that it was done on."""
        held = np.clip(np.asarray(action, np.float64).reshape(1, -1), -self.task.limit, self.task.limit)
        reward = self.system.reward(self.system.seen(self.inner), held)
        self.inner = self.system.advance(self.inner, held)
        self.at += 1
        state = self.system.seen(self.inner)
        left = bool(((state < self.task.low) | (state > self.task.high)).any())
        return state[0], float(reward[0]), left, self.at >= self.task.steps, {}


class PendulumSwingUp(SwingUp):
    """See :class:`~pellucid_robotics.rl.systems.Pendulum`."""

    def __init__(self) -> None:
        super().__init__(Pendulum())


class CartPoleSwingUp(SwingUp):
    """See :class:`~pellucid_robotics.rl.systems.CartPole`."""

    def __init__(self) -> None:
        super().__init__(CartPole())


ENVIRONMENTS: dict[str, type[SwingUp]] = {"pendulum": PendulumSwingUp, "cartpole": CartPoleSwingUp}
