"""Made-up lung nodules as volumes, with the chance of malignancy that each was given: how near a model can come is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import Binary, DataSpec, Frozen, Vector, Volume
from pellucid.data.subjects import pseudonym

NAME = "planted-nodules"

Floats = npt.NDArray[np.float64]

FACTORS = ("size", "spiculation", "margin sharpness", "solidity", "vessel")
"""What each nodule is drawn from, standard normal each. A vessel tells nothing of malignancy."""

SPIKES = 8
READERS = 4


class PlantedNodulesConfig(Frozen):
    """Settings of :class:`PlantedNodules`.

    Parameters
    ----------
    patients : int
    nodules : int, optional
        Of each patient; drawn from 1 to 3 by default.
    size : int
        Voxels along each axis, a millimetre each.
    patient_effect : float
        Standard deviation of a shift of the log odds that all nodules of a patient share.
    signature : float
        Amplitude of a texture that all volumes of a patient share, and nobody else's: by it a model can know a patient
        again.
    seed : int
    """

    patients: int = Field(default=120, ge=2)
    nodules: int | None = Field(default=None, ge=1, le=10)
    size: int = Field(default=32, ge=16, le=64)
    patient_effect: float = Field(default=0.0, ge=0)
    signature: float = Field(default=0.0, ge=0)
    seed: int = Field(default=0, ge=0)


class PlantedNodules(ArrayDataset):
    """Ellipsoid nodules with spikes in textured lung, some on a vessel.

    The label ``malignant`` is drawn with log odds ``1.2 size + 1.6 spiculation - 0.8 margin sharpness + 0.9 solidity
    spiculation``, so that no model can be better than these odds are. Four readers rate each nodule from 1 to 5: 3 plus
    1.2 standardised log odds plus noise of standard deviation 0.7, rounded.

    Beside what the contract asks for, the frame has ``odds`` (the log odds), ``readers`` (mean of the four ratings) and
    ``factor:<name>``. Input ``pixels`` lies in 0..1; the covariate ``log_diameter`` is that of the body without spikes.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.
    """

    config_type = PlantedNodulesConfig

    def __init__(self, config: PlantedNodulesConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        config = config or PlantedNodulesConfig()
        self.config = config
        rows, volumes = [], []
        for patient in range(config.patients):
            # A stream for each patient: more patients leave the others as they are.
            rng = np.random.default_rng([config.seed, patient])
            mine = rng.normal(0, config.patient_effect) if config.patient_effect else 0.0
            texture = config.signature * _smooth(config.size, rng, 1.0) if config.signature else 0.0
            for number in range(config.nodules or int(rng.integers(1, 4))):
                factors = rng.normal(size=len(FACTORS))
                odds = log_odds(factors) + mine
                ratings = 3 + 1.2 * odds / ODDS_SD + 0.7 * rng.normal(size=READERS)
                rows.append(
                    {
                        "nodule": f"nodule-{patient:04d}-{number}",
                        "subject": pseudonym(f"{config.seed}-{patient}", NAME),
                        "malignant": float(rng.random() < 1 / (1 + np.exp(-odds))),
                        "log_diameter": float(np.log(2 * _radius(factors[0]))),
                        "odds": odds,
                        "readers": np.clip(np.rint(ratings), 1, 5).mean(),
                        **{f"factor:{name}": value for name, value in zip(FACTORS, factors, strict=True)},
                    }
                )
                volumes.append(np.clip(drawn(factors, config.size, rng) + texture, 0, 1).astype(np.float32))
        frame = pd.DataFrame(rows).set_index("nodule")
        super().__init__(_spec(config), frame, {"pixels": np.stack(volumes)[:, None]})


def log_odds(factors: Floats) -> Floats:
    """Log odds of malignancy from factors, shape (..., factor) to (...)."""
    size, spiculation, sharpness, solidity, _ = np.moveaxis(factors, -1, 0)
    return 1.2 * size + 1.6 * spiculation - 0.8 * sharpness + 0.9 * solidity * spiculation


ODDS_SD = float(np.sqrt(1.2**2 + 1.6**2 + 0.8**2 + 0.9**2))
"""Standard deviation of the log odds over nodules."""


def drawn(factors: Floats, size: int, rng: np.random.Generator) -> Floats:
    """A volume with a nodule near its middle, shape (size, size, size)."""
    from scipy.special import ndtr

    spiculation, sharpness, solidity, vessel = factors[1:]
    at = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 3, indexing="ij"), -1) - rng.uniform(-1, 1, 3)
    along = at / np.exp(rng.uniform(-0.12, 0.12, 3))
    reach = np.maximum(np.linalg.norm(along, axis=-1), 1e-6)
    towards = _directions(SPIKES, rng)
    # A high power of the cosine is a narrow spike.
    spikes = (np.clip(along @ towards.T / reach[..., None], 0, 1) ** 24).max(-1)
    edge = _radius(factors[0]) * (1 + np.clip(0.5 + 0.35 * spiculation, 0, 1.4) * spikes) - reach
    inside = 1 / (1 + np.exp(-edge / (0.25 + 1.25 * ndtr(-sharpness))))
    lung = 0.15 + 0.03 * _smooth(size, rng, 1.5)
    if vessel > 0:
        (way,) = _directions(1, rng)
        ahead = at @ way
        beside = np.linalg.norm(at - ahead[..., None] * way, axis=-1)
        lung = np.maximum(lung, 0.5 / (1 + np.exp((beside - 1.3) / 0.3)) * (ahead > 0))
    tissue = 0.4 + 0.45 * ndtr(solidity) + 0.03 * _smooth(size, rng, 1.0)
    return lung * (1 - inside) + tissue * inside + rng.normal(0, 0.015, inside.shape)


def _radius(size: float) -> float:
    """In voxels: 5.5 in the middle, from 3 to 10."""
    return float(np.clip(5.5 * np.exp(0.25 * size), 3.0, 10.0))


def _directions(count: int, rng: np.random.Generator) -> Floats:
    towards = rng.normal(size=(count, 3))
    return towards / np.linalg.norm(towards, axis=1, keepdims=True)


def _smooth(size: int, rng: np.random.Generator, width: float) -> Floats:
    """Noise of standard deviation 1 in patches."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.normal(size=(size,) * 3), width, mode="wrap")
    return noise / noise.std()


def _spec(config: PlantedNodulesConfig) -> DataSpec:
    size = (config.size,) * 3
    return DataSpec(
        name=NAME,
        inputs={"pixels": Volume(channels=("brightness",), size=size, spacing_mm=(1.0,) * 3, units="1")},
        targets={"malignant": Binary(names=("benign", "malignant"), about="drawn with planted odds")},
        namespace=NAME,
        group_word=("patient", "patients"),
        covariates=Vector(names=("log_diameter",), units=("ln mm",)),
        trivial=("log_diameter",),
        about="Made up: no patient stands behind it. A score here tells about the method, not about lungs.",
    )
