"""Pictures of what a model has learnt: where in the input its answer sits, and what its hidden code stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from pellucid.batch import collate
from pellucid.protocols.latent_walk import decoders

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset
    from pellucid.model import Model
    from pellucid.protocols.base import FittedFold

STEPS_SD = (-2.0, -1.0, 0.0, 1.0, 2.0)
MOST = 512
"""Samples that a mean is taken over; more would not change a picture."""

PATCHES = {1: 32, 2: 8, 3: 4}
"""Patches along an axis of an occlusion map, by the number of axes."""


def occluded(model: Model, samples: Dataset, input: str, targets: Sequence[str]) -> np.ndarray:
    """How much an output falls when a patch of an input is set to zero, spread evenly over the patch.

    Parameters
    ----------
    model : Model
    samples : Dataset
    input : str
        Name of an image, volume or signal.
    targets : sequence of str, one a sample
        Which output is watched.

    Returns
    -------
    ndarray of float32, shape (sample, *input shape)
        Above 0 where the patch raises the output.
    """
    from pellucid.attribution import attribute

    channels, *sides = samples.spec.input(input).shape
    window = (channels, *(-(-side // PATCHES[len(sides)]) for side in sides))
    found = np.zeros((len(samples), channels, *sides), np.float32)
    for target in dict.fromkeys(targets):
        at = np.flatnonzero(np.asarray(targets) == target)
        batch = collate(samples, at)
        found[at] = attribute(
            model, batch, input=input, target=target, method="occlusion", window=window
        ).values.numpy()
    return found


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


def latent_map(model: Model, samples: Dataset, target: str) -> dict[str, np.ndarray]:
    """The two widest directions of each learnt code over test cases, with their labels."""
    found = {}
    z = model.representation(samples)
    for _, encoder, columns in decoders(model):
        code = z.values[:, columns].numpy()
        if code.shape[1] > 1:
            centred = code - code.mean(0)
            _, _, axes = np.linalg.svd(centred, full_matrices=False)
            found[f"map/{encoder.input_name}"] = centred @ axes[:2].T
            found[f"map-labels/{encoder.input_name}"] = samples.target_values(target)[:, 0]
    return found
