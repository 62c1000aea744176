"""Scans and masks in NIfTI files, read with nothing but their values and their place in the patient.

Of the header only shape, kind of number, scaling and affine are ever looked at: free texts (``descrip``, ``db_name``,
``intent_name``, extensions) may name a patient, and are neither kept nor quoted.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.dicom.checks import FARTHEST_MM
from pellucid_ct.dicom.pixels import PLAUSIBLE_HU
from pellucid_ct.scans.geometry import Geometry
from pellucid_ct.scans.volume import CtVolume, LesionMask

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

_SUFFIXES = (".nii", ".nii.gz")
_MOST_DEFLATED = 1032
"""How many bytes one byte of a gzip file can stand for at most, by the design of the format (RFC 1951)."""

DENSEST = 300
"""How many bytes of a scan one byte of a gzip file stands for at most: noise shrinks to a half, padding to nothing."""

_SPACING_MM = (0.01, 50.0)
"""As for DICOM: smallest distance of pixels, largest of slices."""

_MILLIMETRES, _UNKNOWN = 2, 0
_LEAST_RANGE_HU = 10
"""A picture scaled to 0..1 spans 1; air and tissue are 1000 HU apart."""


def read_nifti(path: Path, *, subject: str, namespace: str) -> CtVolume:
    """Read a CT scan from a NIfTI file.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``, with Hounsfield units as values after the header's scaling.
    subject : str
        What the caller calls the patient: the file itself does not say, or should not. Replaced by its pseudonym here, as
        at the door of every reader; the same name under the same namespace is the same subject in DICOM.
    namespace : str
        Where subjects' names come from; see :func:`pellucid.data.pseudonym`.

    Returns
    -------
    CtVolume
        Slices along the file's third axis, rows along the second, columns along the first: nothing is turned. The place
        in the patient is that of the sform where it has a code, else that of the qform, changed from NIfTI's axes
        (right, front, head) to DICOM's (left, back, head).

    Raises
    ------
    DataError
        If the file is missing, truncated or not NIfTI, has another suffix, no code that says where it lies, a spacing
        that is zero or contradicts its affine, more than one volume, values that are no numbers (NaN) or no Hounsfield
        units, or if its grid is oblique. Names the file and the field.
    """
    raw = _read(path, densest=DENSEST)
    hu = raw.scaled()
    if not np.isfinite(hu).all():
        count = int((~np.isfinite(hu)).sum())
        raise DataError(
            f"{path.name}: {count} voxels hold no number (NaN or infinite); fill them, with -1024 HU where nothing was scanned"
        )
    if float(hu.max()) - float(hu.min()) < _LEAST_RANGE_HU:
        raise DataError(
            f"{path.name}: values lie between {hu.min():g} and {hu.max():g}, these are no Hounsfield units (air is -1000); "
            "convert the scan without scaling its values, and check 'scl_slope' and 'scl_inter'"
        )
    if float(hu.min()) < PLAUSIBLE_HU[0] or float(hu.max()) > PLAUSIBLE_HU[1] or float(hu.min()) >= 0:
        raise DataError(
            f"{path.name}: values run from {hu.min():g} to {hu.max():g}, these are no Hounsfield units (air is -1000, fat "
            "-100, water 0); convert the scan with its rescale, and check 'scl_slope' and 'scl_inter'"
        )
    who = pseudonym(subject, namespace)
    # By what it holds: files of one name lie in the folders of many patients, and twice in those of one.
    content = hashlib.blake2b(np.ascontiguousarray(raw.stored).data, digest_size=16).hexdigest()
    return CtVolume(hu, raw.geometry, who, pseudonym(f"nifti {content}", namespace), where=path.name)


def read_nifti_mask(path: Path, *, most_voxels: int | None = None) -> LesionMask:
    """Read a mask of lesions from a NIfTI file: 0 outside, a whole number for each lesion.

    Parameters
    ----------
    path : Path
    most_voxels : int, optional
        Those of its scan: a larger mask is refused before it is unpacked, as an empty one shrinks to a thousandth.

    Raises
    ------
    DataError
        As :func:`read_nifti`; and if a value is negative, is not whole, or is above 65535.
    """
    raw = _read(path, most_voxels=most_voxels)
    values = raw.stored if raw.scaling is None else raw.scaled(np.float64)
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.rint(values))
        if not whole.all():
            raise DataError(
                f"{path.name}: {int((~whole).sum())} voxels are not whole numbers, the first is {values[~whole][0]:g}; a mask "
                "numbers its lesions 1, 2, ..., so give it before smoothing or resampling, or cut it at 0.5"
            )
    low, high = values.min(), values.max()
    if low < 0 or high > np.iinfo(np.uint16).max:
        told = f"the value {low:g}" if low < 0 else f"the value {high:g}"
        raise DataError(f"{path.name}: this mask holds {told}; expected 0 outside and lesions numbered 1 to 65535")
    return LesionMask(values.astype(np.uint16), raw.geometry, path.name)


# --- one file ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Raw:
    stored: npt.NDArray[np.generic]
    """As they stand in the file, shape (slice, row, column)."""
    scaling: tuple[float, float] | None
    geometry: Geometry

    def scaled(self, kind: type[np.floating] = np.float32) -> npt.NDArray[np.floating]:
        # What overflows becomes infinite, and that is refused.
        with np.errstate(over="ignore", invalid="ignore"):
            values = self.stored.astype(kind)
            if self.scaling is not None:
                values *= kind(self.scaling[0])
                values += kind(self.scaling[1])
        return values


def _read(path: Path, *, densest: int = _MOST_DEFLATED, most_voxels: int | None = None) -> _Raw:
    packed = path.name.lower().endswith(".gz")
    if not path.name.lower().endswith(_SUFFIXES):
        raise DataError(f"{path.name}: expected a file ending in {' or '.join(_SUFFIXES)}")
    try:
        room = path.stat().st_size * (densest if packed else 1)
        with gzip.open(path) if packed else path.open("rb") as file:
            header = _header(file.read(540), path.name)
            shape, kind = _shape(header, path.name), _kind(header, path.name)
            start, count = _start(header, path.name), math.prod(shape) * kind.itemsize
            # Checked before anything of that size is asked for: a header can promise terabytes.
            if start + count > room:
                raise DataError(
                    f"{path.name}: the header ('dim', 'datatype') promises {count} bytes of voxels, the file is too short for "
                    "them; it is truncated or broken, copy it again"
                )
            if most_voxels is not None and math.prod(shape) > most_voxels:
                raise DataError(
                    f"{path.name}: has {' x '.join(map(str, shape))} voxels (columns, rows, slices), more than its scan; give "
                    "the mask that was drawn on this scan"
                )
            file.seek(start)
            content = file.read(count)
    except (OSError, EOFError, zlib.error) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else "its compressed part is broken"
        raise DataError(f"{path.name}: cannot be read: {told}; check the path, or copy it again") from None
    if len(content) < count:
        raise DataError(f"{path.name}: truncated, {len(content)} of {count} bytes of voxels are there; copy it again")
    # The first axis of NIfTI is the one that runs fastest: our columns.
    stored = np.frombuffer(content, kind).reshape(shape[::-1])
    geometry = _geometry(header, shape, path.name)
    geometry.patient_axes(path.name)
    return _Raw(stored, _scaling(header, path.name), geometry)


def _header(block: bytes, where: str) -> Nifti1Header:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    for kind, length, magic in ((Nifti1Header, 348, slice(344, 348)), (Nifti2Header, 540, slice(4, 8))):
        sizes = {int.from_bytes(block[:4], order) for order in ("little", "big")}  # type: ignore[arg-type]
        if length in sizes and len(block) >= length and block[magic] in (b"n+1\0", b"n+2\0"):
            return kind(block[:length], check=False)
    raise DataError(
        f"{where}: not a NIfTI file, 'sizeof_hdr' and 'magic' are not those of NIfTI-1 or NIfTI-2 in one file"
    )


def _shape(header: Nifti1Header, where: str) -> tuple[int, int, int]:
    dims = [int(n) for n in header["dim"]]
    sizes = dims[1 : dims[0] + 1]
    if not 3 <= dims[0] <= 7 or min(sizes) < 1:
        raise DataError(f"{where}: field 'dim' is {dims}, expected a volume with three sides")
    if any(n > 1 for n in sizes[3:]):
        raise DataError(
            f"{where}: holds {np.prod(sizes[3:])} volumes (field 'dim'), expected one; write out the one meant"
        )
    return tuple(sizes[:3])  # type: ignore[return-value]


def _kind(header: Nifti1Header, where: str) -> np.dtype[np.generic]:
    from nibabel.spatialimages import HeaderDataError

    try:
        kind = header.get_data_dtype()
    except (HeaderDataError, KeyError):
        kind = np.dtype("V1")
    if kind.kind not in "iuf" or kind.itemsize not in (1, 2, 4, 8):
        raise DataError(f"{where}: field 'datatype' is {int(header['datatype'])}, expected whole or real numbers")
    return kind


def _start(header: Nifti1Header, where: str) -> int:
    start = float(header["vox_offset"])
    if not (0 <= start < 2**53 and start.is_integer()):
        raise DataError(f"{where}: field 'vox_offset' is {start:g}, expected where in the file the voxels begin")
    return int(start)


def _scaling(header: Nifti1Header, where: str) -> tuple[float, float] | None:
    slope, shift = float(header["scl_slope"]), float(header["scl_inter"])
    # The format's way to say "not scaled" is a slope of 0; some writers leave NaN.
    if slope == 0 or np.isnan(slope) or (slope, shift) == (1, 0):
        return None
    if not np.isfinite([slope, shift]).all():
        raise DataError(f"{where}: fields 'scl_slope' and 'scl_inter' are {slope:g} and {shift:g}, expected numbers")
    return slope, shift


def _geometry(header: Nifti1Header, shape: tuple[int, int, int], where: str) -> Geometry:
    from nibabel.spatialimages import HeaderDataError

    if int(header["xyzt_units"]) % 8 not in (_MILLIMETRES, _UNKNOWN):
        raise DataError(
            f"{where}: field 'xyzt_units' says that lengths are not in millimetres; write it in millimetres"
        )
    told = np.asarray(header["pixdim"][1:4], np.float64)
    if not (np.isfinite(told).all() and (told > 0).all()):
        raise DataError(
            f"{where}: field 'pixdim' gives spacings of {', '.join(f'{v:g}' for v in told)} mm, expected three above 0; "
            "convert the scan from its source again"
        )
    if int(header["sform_code"]) > 0:
        affine = np.asarray(header.get_sform(), np.float64)
    elif int(header["qform_code"]) > 0:
        try:
            affine = np.asarray(header.get_qform(), np.float64)
        except (HeaderDataError, ValueError):
            raise DataError(f"{where}: the qform ('quatern_b', ...) is no rotation; convert the scan again") from None
    else:
        raise DataError(
            f"{where}: fields 'sform_code' and 'qform_code' are both 0, so the file does not say which side is left; convert "
            "the scan from its source with a tool that keeps its orientation"
        )
    step = affine[:3, :3] * [[-1.0], [-1.0], [1.0]]
    spacing = np.sqrt(np.square(step).sum(0))
    if not np.isfinite(affine).all() or (np.abs(spacing - told) > 0.01 * told).any():
        raise DataError(
            f"{where}: the affine has spacings of {', '.join(f'{v:g}' for v in spacing)} mm and field 'pixdim' "
            f"{', '.join(f'{v:g}' for v in told)} mm; convert the scan from its source again"
        )
    if spacing.min() < _SPACING_MM[0] or spacing.max() > _SPACING_MM[1]:
        raise DataError(
            f"{where}: the affine has spacings of {', '.join(f'{v:g}' for v in spacing)} mm, expected {_SPACING_MM[0]:g} to "
            f"{_SPACING_MM[1]:g} mm; are they in another unit?"
        )
    if np.abs(affine[:3, 3]).max() > FARTHEST_MM:
        raise DataError(f"{where}: the affine puts the scan more than {FARTHEST_MM / 1000:g} m away")
    x, y, z = affine[:3, 3]
    return Geometry(
        shape[::-1],
        tuple(spacing[::-1].tolist()),
        (float(-x), float(-y), float(z)),
        tuple(tuple((step[:, i] / spacing[i] + 0.0).tolist()) for i in (2, 1, 0)),  # type: ignore[arg-type]
    )
