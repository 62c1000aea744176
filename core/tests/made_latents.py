"""Encoders and folds whose latent is known, for tests of what is said about latents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import nn

from pellucid.batch import Batch
from pellucid.data import ArrayDataset, Binary, DataSpec, Image, MultiClass, Vector
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.representation import Representation


class Known(Encoder):
    """Its units are the first numbers of the picture; decoded, unit 0 is brightness and unit 1 waves back and forth."""

    tags = EncoderTags(accepts=("image",), trains_alone=True, decodes=True)
    config_type = EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.nothing = nn.Parameter(torch.zeros(1))

    @property
    def names(self) -> tuple[str, ...]:
        return ("bright", "wave", "idle")

    def forward(self, batch: Batch) -> Representation:
        return Representation(self.read(batch)[:, 0, 0, :3], self.names)

    def decode(self, values: torch.Tensor) -> torch.Tensor:
        level = values[:, 0] + 15 * torch.cos(4 * values[:, 1])
        return level[:, None, None, None].expand(-1, 1, 4, 4)


def dataset(
    units: np.ndarray, labels: np.ndarray, subjects: np.ndarray, trivial: np.ndarray | None = None
) -> ArrayDataset:
    """Pictures that carry the units; the trivial covariate is given or noise."""
    random = np.random.default_rng(1)
    pictures = np.zeros((len(units), 1, 4, 4), np.float32)
    pictures[:, 0, 0, :3] = units
    spec = DataSpec(
        name="known",
        inputs={"image": Image(channels=("a",), size=(4, 4), units="1")},
        targets={"y": Binary(names=("no", "yes")), "kinds": MultiClass(names=("a", "b"))},
        namespace="known",
        covariates=Vector(names=("rough",)),
        trivial=("rough",),
    )
    frame = pd.DataFrame(
        {
            "subject": subjects.astype(str),
            "y": labels.astype(float),
            "kinds": labels.astype(float),
            "rough": random.normal(size=len(units)) if trivial is None else trivial,
        },
        index=[f"s{at}" for at in range(len(units))],
    )
    return ArrayDataset(spec, frame, {"image": pictures})


def model(data: ArrayDataset, weights: list[list[float]], target: str = "y") -> Model:
    """A model whose linear head has these weights per standard deviation of each unit."""
    encoder = Known(EncoderConfig(inputs={"image": data.spec.input("image")}))
    units = tuple(f"image:{name}" for name in encoder.names)
    made = Linear(Linear.config_type(units=units, target=data.spec.target(target)))
    with torch.no_grad():
        made.weight.copy_(torch.tensor(weights))
    return Model({"image": encoder}, made).eval()


def fold(data: ArrayDataset, models: dict[str, Model], target: str = "y") -> tuple[FittedFold, Context]:
    """The first two thirds of the samples are training samples, the last third is judged."""
    third = len(data) // 3
    split = Split(0, np.arange(2 * third), np.arange(0), np.arange(2 * third, len(data)))
    train = data.subset(split.train)
    for one in models.values():
        one.head.learned_from = train.learned_from
    baseline = TrivialBaseline(data.spec, target).fit(train)
    tags = {part: one.head.tags for part, one in models.items()}
    encoders = {"image": Known.tags}
    return (
        FittedFold(data, target, split, models, baseline, 0),
        Context(data.spec, target, tags, baseline.name, 0, encoders),
    )
