"""Made-up lesions in made-up lung, drawn from known factors: methods that explain must find the factors again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import Binary, Concepts, DataSpec, Frozen, Image, Vector
from pellucid.data.subjects import pseudonym

NAME = "planted-lesions"

RADIUS = (0.15, 0.28)
"""Smallest and largest radius, as a share of the image's side."""

SPICULATION = (0.0, 0.6)
"""Smallest and largest amplitude of the spikes, as a share of the radius."""

DENSITY = (0.55, 0.95)
"""Smallest and largest brightness, where lung is about 0.2."""

SPIKES = 6
"""Spikes around a lesion."""

FACTORS = ("radius", "spiculation", "density")
"""The planted factors, which are the concepts of the dataset."""


class PlantedLesionsConfig(Frozen):
    """Settings of :class:`PlantedLesions`.

    Parameters
    ----------
    patients, slices : int
        Each patient has one lesion, cut into parallel slices.
    size : int
        Pixels a side.
    label_noise : float
        Share of patients whose label is turned round.
    random_labels : bool
        Whether labels are drawn by lot, half of the patients each, so that nothing can be learnt from the images.
    seed : int
    """

    patients: int = Field(default=120, ge=2)
    slices: int = Field(default=8, ge=1)
    size: int = Field(default=32, ge=16)
    label_noise: float = Field(default=0.15, ge=0, le=0.5)
    random_labels: bool = False
    seed: int = Field(default=0, ge=0)


class PlantedLesions(ArrayDataset):
    """Slices through ellipsoid lesions with planted radius, spiculation and density, in textured lung.

    A patient's lesion is an ellipsoid whose outline carries spikes. The label ``spiculated`` is 1 where ``spiculation
    * radius`` lies above its median over patients, then turned round in a share of the patients. All slices of a
    patient share label and factors. Input ``image`` lies in 0..1; the covariate ``area_px`` is the drawn area.

    Beside what the contract asks for, the frame has ``clean`` (the label before noise) and ``slice``.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.
    """

    config_type = PlantedLesionsConfig

    def __init__(self, config: PlantedLesionsConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        config = config or PlantedLesionsConfig()
        self.config = config
        # Each patient has a stream of its own: more patients, slices or another kind of label leave the others as
        # they are.
        streams = [np.random.default_rng([config.seed, patient]) for patient in range(config.patients)]
        factors = np.array([[rng.uniform(*bounds) for bounds in (RADIUS, SPICULATION, DENSITY)] for rng in streams])
        factors[:, 0] *= config.size
        clean, label = _labels(factors, config)
        drawn = [_slices(row, config, rng) for row, rng in zip(factors, streams, strict=True)]
        images = np.concatenate([image for image, _ in drawn])
        of = np.repeat(np.arange(config.patients), config.slices)
        frame = pd.DataFrame(
            {
                "subject": [pseudonym(f"{config.seed}-{patient}", NAME) for patient in of],
                "slice": np.tile(np.arange(config.slices), config.patients),
                "spiculated": label[of],
                "clean": clean[of],
                "area_px": np.concatenate([pixels for _, pixels in drawn]),
                **{f"concept:{name}": factors[of, at] for at, name in enumerate(FACTORS)},
            }
        )
        frame.index = pd.Index([f"lesion-{p:04d}-{s}" for p, s in zip(of, frame["slice"], strict=True)], name="sample")
        super().__init__(_spec(config), frame, {"image": images[:, None]})


def _spec(config: PlantedLesionsConfig) -> DataSpec:
    low, high = zip(RADIUS, SPICULATION, DENSITY, strict=True)
    return DataSpec(
        name=NAME,
        inputs={"image": Image(channels=("brightness",), size=(config.size, config.size), units="1")},
        targets={
            "spiculated": Binary(names=("round or small", "spiculated and large"), about="spiculation times radius")
        },
        namespace=NAME,
        group_word=("patient", "patients"),
        covariates=Vector(names=("area_px",), units=("px",)),
        trivial=("area_px",),
        concepts=Concepts(
            names=FACTORS,
            low=(low[0] * config.size, *low[1:]),
            high=(high[0] * config.size, *high[1:]),
            units="radius in pixels, others as shares",
        ),
        measures={"image": ("core/outline-spiculation", "core/outline-area")},
        about="Made up: no patient stands behind it. A score here tells about the method, not about lungs.",
    )


def _labels(factors: np.ndarray, config: PlantedLesionsConfig) -> tuple[np.ndarray, np.ndarray]:
    """Label before and after noise, shape (patient,) each."""
    rng = np.random.default_rng([config.seed, config.patients, 1])
    if config.random_labels:
        by_lot = rng.permutation(np.arange(config.patients) % 2).astype(float)
        return by_lot, by_lot
    product = factors[:, 0] * factors[:, 1]
    clean = (product > np.median(product)).astype(float)
    turned = rng.permutation(config.patients) < round(config.label_noise * config.patients)
    return clean, np.where(turned, 1 - clean, clean)


def _slices(
    factors: np.ndarray, config: PlantedLesionsConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images, shape (slice, row, column), and drawn areas in pixels, shape (slice,), of one patient."""
    radius, spikes, density = factors
    side = config.size
    stretch = np.exp(rng.uniform(-0.12, 0.12))
    turn = rng.uniform(-0.15, 0.15)
    # Slices stay within 60 % of the half-axis: near the pole a lesion would be a dot whose outline says nothing.
    heights = np.linspace(-0.6, 0.6, config.slices) if config.slices > 1 else np.zeros(1)
    row, column = np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2, indexing="ij")
    images, areas = [], []
    for height in heights:
        down, across = (row - rng.uniform(-1, 1)) / stretch, (column - rng.uniform(-1, 1)) * stretch
        angle = np.arctan2(down, across) + turn
        # Peaked outwards, flat between: a cosine cubed looks more like a spike than a cosine does.
        outline = 1 + spikes * (0.5 + 0.5 * np.cos(SPIKES * angle)) ** 3
        edge = radius * np.sqrt(1 - height**2) * outline - np.hypot(down, across)
        inside = np.clip(edge + 0.5, 0, 1)
        lung = 0.2 + _texture(side, rng)
        images.append(lung * (1 - inside) + (density + 0.3 * _texture(side, rng)) * inside)
        areas.append(inside.sum())
    return np.clip(images, 0, 1).astype(np.float32), np.array(areas)


def _texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Vessels and noise: patches of about five pixels beside grain, standard deviation about 0.03."""
    from scipy.ndimage import gaussian_filter

    patches = gaussian_filter(rng.normal(size=(side, side)), 2.0, mode="wrap")
    return 0.025 * patches / patches.std() + rng.normal(0, 0.015, (side, side))
