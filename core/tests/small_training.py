"""A small training that several test modules share: five numbers, of which one decides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from pellucid.data import ArrayDataset, Binary, DataSpec, Vector
from pellucid.encoders.identity import Identity
from pellucid.heads.mlp import Mlp
from pellucid.training.fit import Session, Sides, fit_encoder, fit_model
from pellucid.training.settings import TrainingSettings


def planted(subjects: int = 60, seed: int = 0) -> ArrayDataset:
    """Two samples a subject; the label follows the first of five numbers."""
    random = np.random.default_rng(seed)
    count = 2 * subjects
    x = random.normal(size=(count, 5)).astype(np.float32)
    y = (x[:, 0] + 0.3 * random.normal(size=count) > 0).astype(float)
    frame = pd.DataFrame(
        {"subject": np.repeat(np.arange(subjects), 2).astype(str), "y": y}, index=[f"s{i}" for i in range(count)]
    )
    spec = DataSpec(
        name="planted",
        namespace="planted",
        inputs={"x": Vector(names=tuple("abcde"))},
        targets={"y": Binary(names=("no", "yes"))},
    )
    return ArrayDataset(spec, frame, {"x": x})


def sides(dataset: ArrayDataset) -> Sides:
    return Sides(dataset.subset(range(0, 80)), dataset.subset(range(80, 100)), "y")


def parts(dataset: ArrayDataset, head: type = Mlp, seed: int = 0):
    torch.manual_seed(seed)
    encoder = Identity(Identity.config_type(inputs={"x": dataset.spec.input("x")}))
    units = tuple(f"x:{name}" for name in encoder.names)
    return {"x": encoder}, head(head.config_type(units=units, target=dataset.spec.target("y")))


def fitted(settings: TrainingSettings, session: Session | None = None, head: type = Mlp):
    dataset = planted()
    encoders, made = parts(dataset, head)
    fit_encoder(encoders["x"], sides(dataset), settings, session=session)
    return fit_model(encoders, made, sides(dataset), settings, session=session)
