"""The dataset ``ct-series``: lesions of scans of one's own, one sample a lesion."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pellucid.cache import cache_folder
from pellucid.data import Arrays, Binary, Dataset, DataSpec, Regression, Target, Vector, pseudonym
from pellucid.data.spec import Frozen
from pellucid.errors import DataError
from pellucid_ct.cases.table import Case, read_cases
from pellucid_ct.dicom.folders import MOST_FILES, walk_files
from pellucid_ct.scans.crops import Dimensions, isotropic_crop
from pellucid_ct.scans.geometry import Vector3
from pellucid_ct.scans.inputs import crop_inputs, crop_views
from pellucid_ct.scans.kept import Crops, kept, key_of
from pellucid_ct.scans.lesions import find_lesions
from pellucid_ct.scans.opening import open_mask, open_scan
from pellucid_ct.scans.volume import CtVolume, LesionMask

COVARIATES = {
    "log_diameter": "ln mm",
    "log_volume": "ln mm3",
    "attenuation_hu": "HU",
    "attenuation_sd_hu": "HU",
    "slice_spacing_mm": "mm",
    "pixel_spacing_mm": "mm",
}
"""Covariates and their units."""

CENTRE = ("centre_x_mm", "centre_y_mm", "centre_z_mm")
"""Columns of the kept tables that say where a crop was cut: not in the frame, as no model has to know."""


class CtSeriesConfig(Frozen):
    """Options of :class:`CtSeries`.

    Parameters
    ----------
    binary : tuple of str
        Label columns of ``cases.csv`` that hold 0 and 1.
    numbers : tuple of str
        Label columns that hold numbers, to be predicted as such.
    dimensions : {"2", "2.5", "3"}
        The axial plane through the middle of a lesion, three planes, or a cube.
    size : int
        Pixels or voxels along each side.
    spacing_mm : float
        Between them, the same in every direction and scan.
    namespace : str
        Where patients' names come from. Datasets of the same patients share it, so that a model trained on one refuses
        to be scored on the other.
    cache : bool
        Whether to keep the crops in the user's cache folder (``PELLUCID_CACHE`` moves it).
    """

    binary: tuple[str, ...] = ("malignant",)
    numbers: tuple[str, ...] = ()
    dimensions: Dimensions = "3"
    size: int = Field(default=48, ge=8, le=128)
    spacing_mm: float = Field(default=1.0, gt=0, le=5)
    namespace: str = Field(default="ct-series", min_length=1)
    cache: bool = True

    @model_validator(mode="after")
    def _names_something(self) -> CtSeriesConfig:
        if not self.binary and not self.numbers:
            raise ValueError("neither 'binary' nor 'numbers' names a column of labels")
        if twice := set(self.binary) & set(self.numbers):
            raise ValueError(f"{', '.join(sorted(twice))}: named as binary and as numbers")
        return self


class CtSeries(Dataset):
    """Lesions of your own scans: DICOM folders or NIfTI files, with masks as NIfTI or DICOM segmentations.

    The folder holds ``cases.csv``; see :func:`pellucid_ct.cases.table.read_cases`. Input ``pixels`` is a crop around each
    lesion in Hounsfield units, resampled to one spacing; ``mask`` is the share of each pixel that the lesion covers. The
    trivial baseline is the lesion's longest axial diameter. Scans are opened once and one at a time; crops are kept.

    Parameters
    ----------
    config : CtSeriesConfig, optional
    data : Path
        The folder.

    Raises
    ------
    DataError
        For a table, a scan or a mask that cannot be used; names the file, and the line of the table.
    """

    config_type = CtSeriesConfig

    def __init__(self, config: CtSeriesConfig | None = None, data: Path | None = None) -> None:
        self.config = config or CtSeriesConfig()
        if data is None:
            raise DataError("dataset 'ct-series' holds scans of your own: name the folder of cases.csv with --data DIR")
        self._fill(self._from_table(data))

    @classmethod
    def of_objects(cls, objects: Any, config: CtSeriesConfig) -> CtSeries:
        """The lesions of scans that are open already, without labels.

        Parameters
        ----------
        objects : (CtVolume, LesionMask), or a list of such pairs
            As :func:`~pellucid_ct.scans.opening.open_scan` and :func:`~pellucid_ct.scans.opening.open_mask` give them.
        config : CtSeriesConfig
            As the model was trained with.

        Raises
        ------
        DataError
            If it is something else, a mask is empty, or was drawn on another grid.
        """
        pairs = [objects] if _is_pair(objects) else objects
        if not isinstance(pairs, Sequence) or not all(_is_pair(pair) for pair in pairs):
            raise DataError(
                f"ct-series is made from pairs of an open scan and its mask, not from a {type(objects).__name__}: "
                "scan = open_scan(folder, namespace=...), mask = open_mask(file, scan), then (scan, mask)"
            )
        made = cls.__new__(cls)
        made.config = config
        labels = dict.fromkeys((*config.binary, *config.numbers), np.nan)
        crops = [made._crops(volume, mask) for volume, mask in pairs]
        made._fill([(some, some.table.assign(**labels)) for some in crops])
        return made

    def read(self, indices: np.ndarray) -> Arrays:
        """Read crops from the kept files."""
        shape = (len(indices), *self.spec.inputs["pixels"].shape)
        pixels, mask = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for at, index in enumerate(indices):
            part, row = self._places[index]
            pixels[at] = self._parts[part].pixels[row]
            mask[at] = self._parts[part].mask[row]
        mask /= 255
        return Arrays({"pixels": pixels, "mask": mask})

    def centre_mm(self, index: int) -> Vector3:
        """x, y, z of the middle of a crop in the frame of its scan."""
        part, row = self._places[index]
        x, y, z = self._parts[part].table[list(CENTRE)].iloc[row]
        return float(x), float(y), float(z)

    # --- from files to crops ------------------------------------------------------------------------------------------

    def _from_table(self, data: Path) -> list[tuple[Crops, pd.DataFrame]]:
        config = self.config
        labels: dict[str, Sequence[float] | None] = dict.fromkeys(config.binary, (0.0, 1.0))
        labels |= dict.fromkeys(config.numbers)
        cases = read_cases(data, labels)
        scans: dict[tuple[Path, Path], list[Case]] = {}
        for case in cases:
            scans.setdefault((case.image, case.mask), []).append(case)
        parts = []
        for (image, mask), rows in scans.items():
            try:
                crops = self._kept(image, mask, rows[0].subject)
            except DataError as error:
                # Files of one name lie in the folders of many patients.
                raise DataError(f"{data}, cases.csv, line {rows[0].line}: {error}") from None
            parts.append((crops, _labelled(crops.table, rows, data)))
        _refuse_twice(parts, [rows[0].line for rows in scans.values()], data)
        return parts

    def _kept(self, image: Path, mask: Path, subject: str | None) -> Crops:
        config = self.config
        files = islice(walk_files(image), MOST_FILES + 1) if image.is_dir() else [image]
        options = config.model_dump(include={"dimensions", "size", "spacing_mm", "namespace"})
        key = key_of([*files, mask], options | {"subject": subject}, self._pseudonym)

        def make() -> Crops:
            volume = open_scan(image, namespace=config.namespace, subject=subject)
            return self._crops(volume, open_mask(mask, volume))

        return kept(key, make, cache_folder() if config.cache else None)

    def _crops(self, volume: CtVolume, mask: LesionMask) -> Crops:
        config, volume = self.config, volume.canonical()
        mask = mask.on(volume)
        lesions = find_lesions(volume, mask)
        crops = [
            isotropic_crop(
                volume, mask, lesion, dimensions=config.dimensions, size=config.size, spacing_mm=config.spacing_mm
            )
            for lesion in lesions
        ]
        slice_mm, _, pixel_mm = volume.geometry.spacing_mm
        table = pd.DataFrame(
            {
                "subject": volume.subject,
                "series": volume.series,
                "lesion": [lesion.label for lesion in lesions],
                "log_diameter": [np.log(lesion.diameter_mm) for lesion in lesions],
                "log_volume": [np.log(lesion.volume_mm3) for lesion in lesions],
                "attenuation_hu": [lesion.mean_hu for lesion in lesions],
                "attenuation_sd_hu": [lesion.sd_hu for lesion in lesions],
                "slice_spacing_mm": slice_mm,
                "pixel_spacing_mm": pixel_mm,
                **{name: [crop.centre_mm[axis] for crop in crops] for axis, name in enumerate(CENTRE)},
            }
        )
        names = [f"lesion-{self._pseudonym(f'{volume.series} {lesion.label}')}" for lesion in lesions]
        table.index = pd.Index(names, name="lesion_id")
        return Crops.of(np.stack([c.hu for c in crops]), np.stack([c.mask for c in crops]), table)

    def _pseudonym(self, name: str) -> str:
        return pseudonym(name, self.config.namespace)

    def _fill(self, parts: list[tuple[Crops, pd.DataFrame]]) -> None:
        if not parts:
            raise DataError("no scans were given: a dataset needs at least one")
        self._parts = [crops for crops, _ in parts]
        self._places = [
            (part, row)
            for part, (crops, table) in enumerate(parts)
            for row in crops.table.index.get_indexer(table.index)
        ]
        self.frame = pd.concat([table for _, table in parts]).drop(columns=list(CENTRE))
        self.spec = _spec(self.config)
        self.check()


def _is_pair(objects: Any) -> bool:
    kinds = (CtVolume, LesionMask)
    return (
        isinstance(objects, Sequence)
        and len(objects) == 2
        and all(isinstance(one, kind) for one, kind in zip(objects, kinds, strict=True))
    )


def _labelled(table: pd.DataFrame, rows: Sequence[Case], data: Path) -> pd.DataFrame:
    """The lesions that the table of cases names, with their labels."""
    found = []
    for case in rows:
        some = table if case.lesion is None else table[table["lesion"] == case.lesion]
        if some.empty:
            known = ", ".join(map(str, table["lesion"]))
            raise DataError(
                f"{data}, cases.csv, line {case.line}: {case.mask.name} has no lesion {case.lesion}; it has {known}"
            )
        found.append(some.assign(**case.labels))
    return pd.concat(found)


def _refuse_twice(parts: Sequence[tuple[Crops, pd.DataFrame]], lines: Sequence[int], data: Path) -> None:
    """One series under two names of subjects would be learnt from and tested on; two masks may number lesions alike."""
    seen: dict[str, tuple[str, int]] = {}
    drawn: dict[str, int] = {}
    for (_, table), line in zip(parts, lines, strict=True):
        series, subject = str(table["series"].iloc[0]), str(table["subject"].iloc[0])
        whose, first = seen.setdefault(series, (subject, line))
        if whose != subject:
            raise DataError(
                f"{data}, cases.csv, lines {first} and {line}: the same series under two subjects; a split would put one "
                "patient on both sides"
            )
        for name, number in table["lesion"].items():
            if (first := drawn.setdefault(str(name), line)) != line:
                raise DataError(
                    f"{data}, cases.csv, lines {first} and {line}: two masks of one series hold a lesion {number}; name one "
                    "mask a series, or number their lesions apart"
                )


def _spec(config: CtSeriesConfig) -> DataSpec:
    targets: dict[str, Target] = {
        name: Binary(names=(f"not {name}", name), about=f"column {name!r} of cases.csv") for name in config.binary
    }
    targets |= {
        name: Regression(names=(name,), units=("",), about=f"column {name!r} of cases.csv") for name in config.numbers
    }
    return DataSpec(
        name="ct-series",
        inputs=crop_inputs(config.dimensions, config.size, config.spacing_mm),
        targets=targets,
        # The same scan under another name of its patient is still the same scan.
        groups=("subject", "series"),
        group_word=("patient", "patients"),
        namespace=config.namespace,
        covariates=Vector(names=tuple(COVARIATES), units=tuple(COVARIATES.values())),
        trivial=("log_diameter",),
        views=crop_views(config.dimensions),
        about=(
            "Lesions of the user's own scans, with the labels of the user's own table. What a score is worth depends on "
            "how these labels were found."
        ),
    )
