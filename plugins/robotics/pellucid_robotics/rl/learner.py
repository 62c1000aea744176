"""Proximal policy optimisation by stable-baselines3, and the policy that it has learnt, without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from pellucid.data.spec import Frozen
from pellucid_robotics.rl.tasks import Floats, Task

if TYPE_CHECKING:
    from pellucid_robotics.rl.vector import Scale


class LearnerSettings(Frozen):
    """Of proximal policy optimisation.

    Parameters
    ----------
    width : int
        Units of each of the two layers.
    learning_rate : float
    discount : float
    gae_lambda : float
        Lambda of the generalised advantage.
    clip : float
    entropy : float
        Weight of the policy's entropy.
    epochs : int
    batch_size : int
    episodes : int
        Of a model, side by side.
    rollout_steps : int
        Steps of each between two updates; an iteration is as many steps as both make together.
    """

    width: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    discount: float = Field(default=0.99, gt=0, le=1)
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    clip: float = Field(default=0.2, gt=0)
    entropy: float = Field(default=0.0, ge=0)
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=256, ge=2)
    episodes: int = Field(default=64, ge=1)
    rollout_steps: int = Field(default=64, ge=1)

    @property
    def iteration(self) -> int:
        """Steps of a model in an iteration."""
        return self.episodes * self.rollout_steps


def learner(episodes: Any, settings: LearnerSettings, seed: int, *, rollout_steps: int = 0, batch_size: int = 0) -> Any:
    """An untrained ``stable_baselines3.PPO`` on some episodes.

    Parameters
    ----------
    episodes : VecEnv
    settings : LearnerSettings
    seed : int
    rollout_steps, batch_size : int
        In place of those of the settings.
    """
    from stable_baselines3 import PPO
    from torch import nn

    return PPO(
        "MlpPolicy", episodes, learning_rate=settings.learning_rate, n_steps=rollout_steps or settings.rollout_steps,
        batch_size=batch_size or settings.batch_size, n_epochs=settings.epochs, gamma=settings.discount, gae_lambda=settings.gae_lambda,
        clip_range=settings.clip, ent_coef=settings.entropy,
        vf_coef=0.5, max_grad_norm=0.5, seed=seed % 2**31, device="cpu",
        policy_kwargs={"net_arch": [settings.width, settings.width], "activation_fn": nn.Tanh},
    )  # fmt: skip


@dataclass(frozen=True)
class NetworkPolicy:
    """The mean action of a network, as numbers.

    Parameters
    ----------
    scale : Scale
    layers : tuple of (ndarray, ndarray)
        Weights, shape (out, in), and biases; hyperbolic tangents between them.
    limit : float
    """

    scale: Scale
    layers: tuple[tuple[Floats, Floats], ...]
    limit: float

    @classmethod
    def of(cls, model: Any, scale: Scale, task: Task) -> NetworkPolicy:
        """What a ``PPO`` does on average."""
        from torch import nn

        inner = [one for one in model.policy.mlp_extractor.policy_net if isinstance(one, nn.Linear)]
        layers = [
            (one.weight.detach().cpu().double().numpy().copy(), one.bias.detach().cpu().double().numpy().copy())
            for one in (*inner, model.policy.action_net)
        ]
        # A learner's actions are in limits.
        layers[-1] = (task.limit * layers[-1][0], task.limit * layers[-1][1])
        return cls(scale, tuple(layers), task.limit)

    @property
    def size(self) -> int:
        """How many numbers it is made of."""
        return sum(weights.size + biases.size for weights, biases in self.layers)

    def raw(self, states: Floats) -> Floats:
        """Before it is cut off, shape (row, action)."""
        values = self.scale(states)
        for weights, biases in self.layers[:-1]:
            values = np.tanh(values @ weights.T + biases)
        weights, biases = self.layers[-1]
        return np.asarray(values @ weights.T + biases)

    def __call__(self, states: Floats) -> Floats:
        """Shape (row, action)."""
        return np.clip(self.raw(states), -self.limit, self.limit)
