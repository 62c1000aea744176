"""A small diffusion transformer on the unified space: chunks of actions of different robots by one model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Regression, Vector
from pellucid.errors import ContractError, StudyError
from pellucid.heads.base import HeadTags, labels_of
from pellucid.heads.drawing.base import Denoising, DenoisingConfig
from pellucid.heads.drawing.schedule import step_waves
from pellucid.representation import Representation
from pellucid_robotics.actions.chunks import chunk_places
from pellucid_robotics.actions.slots import WIDTH, place

NAME = "rdt-small"


class RdtSmallConfig(DenoisingConfig):
    """Settings of :class:`RdtSmall`, beside those of :class:`~pellucid.heads.drawing.base.DenoisingConfig`.

    Parameters
    ----------
    state, mask, rate : str
        Encoders whose units are slots of the state, which slots there are (0 or 1), and how many steps a second. Hand them on as they are
        (``identity`` with ``standardised = false``). Units of other encoders are conditions, one token an encoder.
    width, depth, attention_heads : int
    mask_loss : bool
        Whether the loss leaves out slots that a robot does not have. The published model learns that they are 0.
    noise_steps, sampler, sampler_steps, among, seed, steps
        See there.
    """

    state: str = "state"
    mask: str = "mask"
    rate: str = "rate"
    width: int = Field(64, ge=8)
    depth: int = Field(2, ge=1)
    attention_heads: int = Field(4, ge=1)
    mask_loss: bool = False
    sampler_steps: int = Field(5, ge=1)
    among: int = Field(1, ge=1)


class RdtSmall(Denoising):
    """A diffusion transformer over chunks in the unified space, for robots of different bodies.

    Outputs are named ``<slot> at step <n>`` and carry the units of the slots. State and noisy actions are 128 numbers each, with a mask of
    as many beside; tokens are the diffusion step, the rate, the state and each step of the chunk; conditions are attended to. The network
    is asked for the actions without noise. Nothing is standardised: the space has its units. What the mask leaves out is exactly 0.

    References
    ----------
    Liu et al. (2024), RDT-1B, a diffusion foundation model for bimanual manipulation, arXiv 2410.07864. Deviations: small; conditions are
    numbers and no language or images; their attention is in every layer; no noise on states and no dropout of conditions.
    """

    tags = HeadTags(family="attribution", stage="post_hoc", faithful_by_construction=False, targets=("regression",))
    config_type = RdtSmallConfig
    config: RdtSmallConfig

    def __init__(self, config: RdtSmallConfig) -> None:
        super().__init__(config)
        try:
            where = chunk_places(self.outputs, f"head {NAME!r}")
        except ContractError as error:
            raise StudyError(str(error)) from None
        self.length = 1 + max(step for step, _ in where)
        self._out = torch.tensor([step * WIDTH + slot for step, slot in where])
        prefixes = [unit.partition(":")[0] for unit in config.units]
        self._own = {
            prefix: torch.tensor([at for at, one in enumerate(prefixes) if one == prefix])
            for prefix in dict.fromkeys(prefixes)
        }
        for needed in (config.state, config.mask, config.rate):
            if needed not in self._own:
                raise StudyError(
                    f"head {NAME!r} reads units of an encoder {needed!r}, and there is none; its options state, mask and rate name them"
                )
        self._slots = {
            prefix: torch.tensor(
                [
                    place(config.units[at].partition(":")[2], f"head {NAME!r}, encoder {prefix!r}")
                    for at in self._own[prefix]
                ]
            )
            for prefix in (config.state, config.mask)
        }
        width = config.width
        self.conditions = nn.ModuleDict(
            {
                str(at): nn.Sequential(nn.Linear(len(self._own[prefix]), width), nn.GELU(), nn.Linear(width, width))
                for at, prefix in enumerate(self._conditioning)
            }
        )
        self.of_step, self.of_rate = nn.Linear(width, width), nn.Linear(width, width)
        self.of_state, self.of_action = _adaptor(width), _adaptor(width)
        # Begun as waves: numbers near 0 leave the steps of a chunk alike for hundreds of updates.
        self.places = nn.Parameter(step_waves(100 * torch.arange(3.0 + self.length), width))
        self.layers = nn.ModuleList(_Layer(width, config.attention_heads) for _ in range(config.depth))
        self.last = nn.Sequential(nn.RMSNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, WIDTH))

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on few samples."""
        return {"width": 8, "depth": 1, "attention_heads": 2, "noise_steps": 10, "steps": 4}

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up states and chunks in which each slot is there or not."""
        rng, count = np.random.default_rng(0), 48
        slots = ("right_arm_joint_0", "left_eef_x")
        mask, state = rng.integers(0, 2, (count, 2)), rng.normal(size=(count, 2))
        names = tuple(f"{slot} at step {at + 1}" for at in range(3) for slot in slots)
        chunk = np.concatenate([mask * (state + 0.1 * at) for at in range(3)], 1)
        frame = pd.DataFrame(
            {"episode": [f"episode {at}" for at in range(count)]}
            | {f"chunk:{name}": chunk[:, at] for at, name in enumerate(names)},
            index=[f"moment {at}" for at in range(count)],
        )
        spec = DataSpec(
            name="planted-chunks",
            inputs={
                "state": Vector(names=slots, units=("rad", "m")),
                "mask": Vector(names=slots),
                "rate": Vector(names=("rate_hz",), units=("Hz",)),
            },
            targets={"chunk": Regression(names=names, units=("rad", "m") * 3)},
            groups=("episode",),
            namespace="planted-chunks",
        )
        inputs = {"state": state, "mask": mask, "rate": rng.choice([10, 50], (count, 1))}
        return ArrayDataset(spec, frame, {name: values.astype(np.float32) for name, values in inputs.items()})

    @property
    def _conditioning(self) -> list[str]:
        return [one for one in self._own if one not in (self.config.state, self.config.mask, self.config.rate)]

    def prepare(self, parts: Any) -> None:
        """Learn the training mean of units, where explanations begin."""
        super().prepare(parts)
        self.prior.zero_()
        self.scale.fill_(1.0)

    def standardised(self, z: Representation) -> Tensor:
        """Units as they are."""
        return self.measured(z)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Mean squared error of the actions over all slots, or over those that a robot has."""
        x, wanted = self.standardised(z), labels_of(batch)
        step, _, noisy = self.noised(self._chunk(wanted))
        said, mask = self._said(x, noisy, step)
        missed = (said - self._chunk(wanted).unflatten(1, (self.length, WIDTH))).square()
        if not self.config.mask_loss:
            return missed.mean()
        there = mask[:, None].expand_as(missed)
        return (missed * there).sum() / there.sum().clamp(min=1)

    def clean(self, x: Tensor, noisy: Tensor, step: int) -> Tensor:
        """What the network takes noisy actions for, without slots that the robot does not have."""
        steps = torch.full((len(x),), step, device=x.device)
        said, mask = self._said(x, self._chunk(noisy), steps)
        return (said * mask[:, None]).flatten(1)[:, self._out.to(x.device)]

    def _chunk(self, outputs: Tensor) -> Tensor:
        """Outputs in their slots, shape (sample, step * 128)."""
        whole = outputs.new_zeros(len(outputs), self.length * WIDTH)
        return whole.index_copy(1, self._out.to(outputs.device), outputs)

    def _in_slots(self, x: Tensor, prefix: str) -> Tensor:
        own, slots = self._own[prefix].to(x.device), self._slots[prefix].to(x.device)
        return x.new_zeros(len(x), WIDTH).index_copy(1, slots, x[:, own])

    def _said(self, x: Tensor, noisy: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Actions of all slots, shape (sample, step, 128), and the mask, shape (sample, 128)."""
        config, width = self.config, self.config.width
        mask = self._in_slots(x, config.mask)
        rate = x[:, self._own[config.rate].to(x.device)][:, 0].clamp(min=1e-3).log()
        actions = noisy.unflatten(1, (self.length, WIDTH))
        tokens = torch.cat(
            [
                self.of_step(step_waves(step, width).to(x))[:, None],
                self.of_rate(step_waves(100 * rate, width).to(x))[:, None],
                self.of_state(torch.cat([self._in_slots(x, config.state), mask], 1))[:, None],
                self.of_action(torch.cat([actions, mask[:, None].expand_as(actions)], 2)),
            ],
            1,
        )
        told = [
            net(x[:, self._own[prefix].to(x.device)])
            for prefix, net in zip(self._conditioning, self.conditions.values(), strict=True)
        ]
        tokens = tokens + self.places
        for layer in self.layers:
            tokens = layer(tokens, torch.stack(told, 1) if told else None)
        return self.last(tokens[:, 3:]), mask


def _adaptor(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2 * WIDTH, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
    )


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.asks, self.offers, self.gives = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        self.asked, self.offered = nn.RMSNorm(width // heads), nn.RMSNorm(width // heads)

    def forward(self, x: Tensor, others: Tensor) -> Tensor:
        def apart(values: Tensor) -> Tensor:
            return values.unflatten(2, (self.heads, -1)).transpose(1, 2)

        keys, values = self.offers(others).chunk(2, dim=2)
        found = functional.scaled_dot_product_attention(
            self.asked(apart(self.asks(x))), self.offered(apart(keys)), apart(values)
        )
        return self.gives(found.transpose(1, 2).flatten(2))


class _Layer(nn.Module):
    """Attention among tokens, to conditions, and a network on each token."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.within, self.across = _Attention(width, heads), _Attention(width, heads)
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in range(3))
        self.each = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, told: Tensor | None) -> Tensor:
        own = self.norms[0](x)
        x = x + self.within(own, own)
        if told is not None:
            x = x + self.across(self.norms[1](x), told)
        return x + self.each(self.norms[2](x))
