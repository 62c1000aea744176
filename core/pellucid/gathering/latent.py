"""Pictures of what a learnt code stands for: decoded again, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pellucid.protocols.traversal.walk import decoders

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.protocols.base import FittedFold

STEPS_SD = (-2.0, -1.0, 0.0, 1.0, 2.0)
MOST = 512
"""Samples that a mean is taken over; more would not change a picture."""


def traversals(part: str, model: Model, fold: FittedFold) -> dict[str, np.ndarray]:
    """Decode the code of an average training case, moved along the direction in which the head's output grows.

    Steps are in standard deviations of the code over training cases. Nothing is made for encoders that cannot decode, nor
    where the output does not depend on the code.
    """
    found = {}
    train = fold.dataset.subset(fold.split.train[:MOST])
    z = model.representation(train)
    for _, encoder, columns in decoders(model):
        direction = _rising(model, z, columns)
        if direction is None:
            continue
        code = z.values[:, columns]
        steps = torch.tensor(STEPS_SD)[:, None] * direction * code.std(0)
        with torch.no_grad():
            decoded = encoder.decode(code.mean(0) + steps)
        shape = encoder.config.inputs[encoder.input_name].shape
        found[f"traversal/{part}/{encoder.input_name}"] = decoded.reshape(len(STEPS_SD), *shape).numpy()
        found[f"traversal-sd/{part}/{encoder.input_name}"] = np.asarray(STEPS_SD)
    return found


def _rising(model: Model, z: object, columns: slice) -> torch.Tensor | None:
    """Unit direction, in standard deviations, in which the middle output grows on average; None where it does not change."""
    from pellucid.representation import Representation

    assert isinstance(z, Representation)
    with torch.enable_grad():
        values = z.values.detach().clone().requires_grad_(True)
        output = model.head(z.with_values(values))
        if not output.requires_grad:
            return None
        (slope,) = torch.autograd.grad(output[:, (output.shape[1] - 1) // 2].mean(), values, allow_unused=True)
    if slope is None:
        return None
    scaled = slope[:, columns].sum(0) * z.values[:, columns].std(0)
    length = scaled.norm()
    return scaled / length if length > 0 else None
