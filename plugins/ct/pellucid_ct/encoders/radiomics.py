"""Named features of a lesion: its size and form, and the intensities inside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Image, InputSpec, Volume
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import StudyError, nearest
from pellucid.moments import Moments
from pellucid.representation import Representation
from pellucid_ct.encoders.lesion_boxes import boxes
from pellucid_ct.encoders.lesion_greys import Inside
from pellucid_ct.encoders.lesion_shape import ellipsoid_volume, principal_variances, surface, volume

INSIDE = 0.5
"""Coverage from which a voxel's intensity counts."""

FAINT = 0.1
"""Coverage below which a voxel is outside and above one minus which it is inside: between, coverage is stretched. What
arithmetic or noise leaves in thousands of empty voxels would add up to a surface."""

FORM = {
    2: {
        "log area": "ln {size}2",
        "circularity": "",
        "perimeter to area ratio": "1/{size}",
        "elongation": "",
        "ellipse density": "",
    },
    3: {
        "log volume": "ln {size}3",
        "sphericity": "",
        "surface to volume ratio": "1/{size}",
        "elongation": "",
        "flatness": "",
        "ellipsoid density": "",
    },
}
"""Features of form in the plane and in space, with their units."""

GREYS = {
    "mean": "{grey}",
    "standard deviation": "{grey}",
    "skewness": "",
    "10th percentile": "{grey}",
    "90th percentile": "{grey}",
    "entropy": "bit",
    "GLCM contrast": "",
    "GLCM inverse difference": "",
    "core minus rim": "{grey}",
    "bright fraction": "",
}
"""Features of the intensities inside, with their units."""

BRIGHT = {"HU": 200.0, "grey 0-255": 220.0}
"""From where tissue counts as bright, by the units of the input: soft tissue stays below 200 HU, calcium does not. Grey
levels of ``lidc-crops``, whose window nobody knows, reach 220 in four of ten pixels."""


class RadiomicsConfig(EncoderConfig):
    """Settings of :class:`Radiomics`.

    Parameters
    ----------
    features : tuple of str, optional
        Which to keep, by their names without units, in this order; all by default.
    bin_width : float
        Width of the bins of entropy and co-occurrence, in units of the pixels.
    bright : float, optional
        From where a voxel counts as bright, in units of the pixels; by default 200 HU, or 220 of 255 grey levels.
    """

    features: tuple[str, ...] | None = None
    bin_width: float = Field(default=25.0, gt=0)
    bright: float | None = None


class Radiomics(Encoder):
    """A dozen and some features that radiologists and radiomics have names for, from pixels and a mask.

    Reads two inputs of one grid: pixels, and a mask whose channels are named ``mask...``. Volumes have features of
    space; images have features of the plane, means over the planes where channels hold several.

    - ``log volume`` (``log area``): logarithm of the volume.
    - ``sphericity``: surface of the ball of this volume by the surface; 1 for a ball, less for anything else. A grid rounds
      what is small: a ball 6 voxels across comes out as 1.03, one of 4 as 1.06. In the plane ``circularity``, likewise
      with perimeters.
    - ``surface to volume ratio`` (``perimeter to area ratio``).
    - ``elongation``, ``flatness``: second and third principal axis by the first; 1 for a ball.
    - ``ellipsoid density`` (``ellipse density``): volume by that of the ellipsoid with the same variances; 1 for any
      ellipsoid, less for lobes and spikes.
    - ``mean``, ``standard deviation``, ``skewness``, ``10th percentile``, ``90th percentile``: of the intensities inside.
    - ``entropy``: of the intensities in bins.
    - ``GLCM contrast``, ``GLCM inverse difference``: mean squared distance of the bins of neighbouring voxels, and mean of
      1 / (1 + distance); over all pairs inside that touch by face, edge or corner.
    - ``core minus rim``: mean intensity of voxels that no face shares with the outside, less that of the others. A lesion
      whose margin fades has a darker rim.
    - ``bright fraction``: share of voxels at or above a threshold (calcium).

    Nothing is learnt but the training mean of each feature, which stands in where a sample shows no lesion.

    References
    ----------
    Zwanenburg et al. (2020), The Image Biomarker Standardization Initiative, doi:10.1148/radiol.2020191145: names and
    definitions, with bins of one width (FBS) and co-occurrence pairs of all directions taken together. Deviations:
    surfaces by Crofton's formula and not by a mesh; coverage may be soft, and a voxel's own extent counts in its moments;
    semi-axes are those of the solid ellipsoid, so that its density is 1; percentiles lie between ranks. ``core minus rim``
    and ``bright fraction`` are not among its features.
    """

    tags = EncoderTags(accepts=("image", "volume"), several_inputs=True)
    config_type = RadiomicsConfig
    config: RadiomicsConfig
    usual: Tensor

    def __init__(self, config: RadiomicsConfig) -> None:
        super().__init__()
        self.config = config
        self.pixels, self.mask = _roles(config.inputs)
        spec = config.inputs[self.pixels]
        assert isinstance(spec, Image | Volume)
        self.axes = len(spec.size)
        self.spacing = tuple(float(mm) for mm in spec.spacing_mm or (1.0,) * self.axes)
        bright = BRIGHT.get(spec.units) if config.bright is None else config.bright
        units = {**FORM[self.axes], **GREYS}
        if bright is None:
            del units["bright fraction"]
        self.bright = bright
        chosen = tuple(units) if config.features is None else config.features
        for name in chosen:
            if name not in units:
                raise StudyError(
                    f"encoder 'radiomics' has no feature {name!r}{nearest(name, units)}; features: {', '.join(units)}"
                )
        words = {"size": "mm" if spec.spacing_mm else "px", "grey": spec.units}
        self._names = tuple(f"{n} ({units[n].format(**words)})" if units[n] else n for n in chosen)
        self._at = [list(units).index(name) for name in chosen]
        self.register_buffer("usual", torch.zeros(len(chosen)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, with units where they have some."""
        return self._names

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn the mean of each feature over the training samples that show a lesion."""
        moments = Moments()
        for batch in batches:
            values = self.features(batch)
            known = values.isfinite()
            moments.add(torch.where(known, values, torch.zeros_like(values)), known)
        self.usual.copy_(moments.mean)

    @torch.no_grad()
    def forward(self, batch: Batch) -> Representation:
        """Features; the training mean where a sample shows no lesion."""
        values = self.features(batch)
        return Representation(torch.where(values.isfinite(), values, self.usual), self.names)

    @torch.no_grad()
    def features(self, batch: Batch) -> Tensor:
        """Features of each sample, float32, shape (sample, feature); NaN where there is no lesion to measure."""
        pixels, mask = (batch.inputs[name] for name in (self.pixels, self.mask))
        seen = [batch.known(name) for name in (self.pixels, self.mask)]
        if seen[1] is not None:
            mask = torch.where(seen[1], mask, torch.zeros_like(mask))
        inside = mask >= INSIDE if seen[0] is None else (mask >= INSIDE) & seen[0]
        planes = mask.shape[1]
        pixels, mask, inside = (values.flatten(0, 1) for values in (pixels, mask, inside))
        found = torch.full((len(mask), len(FORM[self.axes]) + len(GREYS)), torch.nan, dtype=torch.float64)
        for rows, (shown, coverage, within) in boxes(mask >= FAINT, (pixels, mask, inside)):
            measured = torch.cat([self._form(coverage), self._greys(shown, within)], 1)
            found[rows, : measured.shape[1]] = measured
        return found[:, self._at].unflatten(0, (-1, planes)).nanmean(1).to(self.usual.dtype)

    def _form(self, coverage: Tensor) -> Tensor:
        coverage = ((coverage - FAINT) / (1 - 2 * FAINT)).clamp(0, 1)
        size = volume(coverage, self.spacing)
        border = surface(coverage, self.spacing)
        variance = principal_variances(coverage, self.spacing)
        ball = 2 * (math.pi * size).sqrt() if self.axes == 2 else (36 * math.pi * size.square()) ** (1 / 3)
        axes = (variance[:, 1:] / variance[:, :1]).sqrt()
        columns = [size.log(), ball / border, border / size, *axes.T, size / ellipsoid_volume(variance)]
        return torch.where(size[:, None] > 0, torch.stack(columns, 1).double(), torch.nan)

    def _greys(self, pixels: Tensor, inside: Tensor) -> Tensor:
        there = Inside(pixels, inside)
        distance, sample = there.bin_distances(self.config.bin_width)
        rim = there.rim
        core = there.mean_of(there.greys[~rim], there.sample[~rim], otherwise=torch.nan)
        columns = [
            there.mean,
            there.deviation,
            there.skewness(),
            there.percentile(0.1),
            there.percentile(0.9),
            there.entropy(self.config.bin_width),
            there.mean_of(distance.square(), sample),
            there.mean_of(1 / (1 + distance), sample, otherwise=1.0),
            # A lesion of a few voxels is all rim.
            (core - there.mean_of(there.greys[rim], there.sample[rim])).nan_to_num(0.0),
        ]
        if self.bright is not None:
            columns.append(there.mean_of(there.greys >= self.bright))
        return torch.where(there.count[:, None] > 0, torch.stack(columns, 1), torch.nan)

    @classmethod
    def example_data(cls) -> Dataset:
        """Made-up lesions with a mask, for contract checks."""
        from pellucid_ct.encoders.example import lesions_with_masks

        return lesions_with_masks()


def _roles(inputs: Mapping[str, InputSpec]) -> tuple[str, str]:
    """Names of the pixels and of the mask."""
    masks = [n for n, s in inputs.items() if all(c.startswith("mask") for c in getattr(s, "channels", ("",)))]
    others = [name for name in inputs if name not in masks]
    if len(masks) != 1 or len(others) != 1:
        raise StudyError(
            "encoder 'radiomics' reads pixels and a mask of them, whose channels are named 'mask': write inputs = "
            f'["pixels", "mask"]; it was given {", ".join(inputs)}'
        )
    pixels, mask = inputs[others[0]], inputs[masks[0]]
    if pixels.shape != mask.shape:
        raise StudyError(
            f"encoder 'radiomics': input {others[0]!r} has shape {pixels.shape} and its mask {mask.shape}; they must be one grid"
        )
    return others[0], masks[0]
