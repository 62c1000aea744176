"""Losses that encoders add to that of the head with which they learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pellucid.batch import Batch, collate
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.heads.base import Stage
from pellucid.model import Model
from pellucid.representation import Representation
from pellucid.testing.planted import planted
from pellucid.training.fit import learns_with_head
from pellucid.training.objectives import ModelLoss
from pellucid.training.settings import TrainingSettings


class Silent(Encoder):
    """One weight, and a loss of its own."""

    tags = EncoderTags(accepts=("vector",))
    config_type = EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.tensor(2.0))

    @property
    def names(self) -> tuple[str, ...]:
        return ("unit",)

    def forward(self, batch: Batch) -> Representation:
        return Representation(self.weight * self.read(batch)[:, :1], self.names)

    def loss(self, batch: Batch) -> Tensor:
        return self.weight.square()


class Adding(Silent):
    """The same, whose loss is to be added."""

    tags = EncoderTags(accepts=("vector",), adds_loss=True)


def test_a_loss_is_added_where_an_encoder_says_so_and_it_still_learns_with_the_head():
    from pellucid.assembly import facts_of
    from pellucid.heads.functions.linear import Linear

    data = planted(("vector",))
    batch = collate(data, range(16), "binary")
    found = {}
    for kind in (Silent, Adding):
        encoders: dict[str, Encoder] = {"v": kind(EncoderConfig(inputs={"vector": data.spec.input("vector")}))}
        assert learns_with_head(encoders["v"], TrainingSettings())
        head = Linear(Linear.config_type(target=data.spec.target("binary"), **facts_of(encoders)))
        stage = Stage(name="all", loss=lambda z, batch: z.values.mean())
        objective = ModelLoss(Model(encoders, head), stage, {"v"})
        found[kind] = objective(batch).item()
    assert found[Adding] - found[Silent] == 4.0
