"""A few made-up lesions with masks: what the checks of a component need that reads both."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pellucid.data import ArrayDataset, Binary, DataSpec, Vector, Volume, pseudonym


def lesions_with_masks(samples: int = 24, size: int = 12, seed: int = 0) -> ArrayDataset:
    """Ellipsoids of several sizes and intensities, one a sample, with noise inside."""
    rng = np.random.default_rng(seed)
    axes = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 3, indexing="ij"))
    half = rng.uniform(2, size / 2 - 1, (samples, 3))
    reach = np.sqrt(((axes / half[:, :, None, None, None]) ** 2).sum(1))
    mask = np.clip((1 - reach) * half.mean(1)[:, None, None, None] + 0.5, 0, 1)[:, None].astype(np.float32)
    bright = rng.uniform(-100, 200, samples)[:, None, None, None, None]
    pixels = (bright + rng.normal(0, 40, mask.shape)).astype(np.float32)
    large = (half.prod(1) > np.median(half.prod(1))).astype(float)
    frame = pd.DataFrame(
        {"subject": [pseudonym(at, "example") for at in range(samples)], "large": large, "axis": half[:, 0]},
        index=pd.Index([f"example-{at}" for at in range(samples)], name="sample"),
    )
    spacing = (1.0, 1.0, 1.0)
    spec = DataSpec(
        name="example",
        inputs={
            "pixels": Volume(channels=("pixels",), size=(size,) * 3, spacing_mm=spacing, units="HU"),
            "mask": Volume(channels=("mask",), size=(size,) * 3, spacing_mm=spacing, units="share covered"),
        },
        targets={"large": Binary(names=("small", "large"))},
        namespace="example",
        covariates=Vector(names=("axis",), units=("mm",)),
        trivial=("axis",),
        about="Made up: no subject stands behind it.",
    )
    return ArrayDataset(spec, frame, {"pixels": pixels, "mask": mask})
