"""Series of CT images in a folder, and the volume of one of them."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ct.dicom.elements import unreadable
from pellucid_ct.dicom.folders import MOST_FILES, walk_files
from pellucid_ct.dicom.headers import SliceHeader, identify
from pellucid_ct.dicom.pixels import SliceReader
from pellucid_ct.dicom.stacking import stacked
from pellucid_ct.scans.volume import CtVolume

DENSEST = 500
"""Bytes of pixels for one byte of compressed files at most; real slices shrink to a half or a tenth."""

_BARE = re.compile(rb"[\x02\x08]\0.\0([A-Z]{2}|.\0)", re.DOTALL)
"""How a data set begins that stands at byte 0: an element of group 2 or 8, with its type or with a length."""

_DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")
_NAMED = 8


@dataclass(frozen=True)
class SeriesRecord:
    """A series that lies in a folder.

    Parameters
    ----------
    series : str
        Pseudonym; what :func:`read_series` takes as ``series``.
    subject : str
        Pseudonym of the patient, or "" where the files name none.
    kind : str
        "CT" for slices; else "CT localizer", "enhanced CT", another modality, or "other".
    folder : Path
        The innermost folder that holds all its files: where :func:`read_series` finds it quickest.
    files : tuple of Path
        In no order.
    """

    series: str
    subject: str
    kind: str
    folder: Path
    files: tuple[Path, ...]


def find_series(folder: Path, *, namespace: str, problems: list[DataError] | None = None) -> list[SeriesRecord]:
    """Which series lie in a folder and the folders in it, by folder.

    Files that are not DICOM, and tables of contents (DICOMDIR), are passed over.

    Parameters
    ----------
    folder : Path
    namespace : str
        Where the names come from; see :func:`pellucid.data.pseudonym`.
    problems : list, optional
        Takes what is wrong with single files, in the place of an error: to tell of all of them at once.

    Raises
    ------
    DataError
        If the folder or a file cannot be read, or a file is broken DICOM: names it.
    """
    found: dict[tuple[str, str, str], list[Path]] = {}
    for path in walk_files(Path(folder)):
        try:
            candidate = identify(path, namespace=namespace)
            if candidate is None:
                _refuse_broken(path)
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
            continue
        if candidate is None:
            continue
        if candidate.series:
            found.setdefault((candidate.series, candidate.subject, candidate.kind), []).append(path)
    records = [
        SeriesRecord(series, subject, kind, Path(os.path.commonpath([path.parent for path in paths])), tuple(paths))
        for (series, subject, kind), paths in found.items()
    ]
    return sorted(records, key=lambda record: (record.folder, record.series, record.kind))


def read_series(folder: Path, *, namespace: str, series: str | None = None, subject: str | None = None) -> CtVolume:
    """Read a series of CT images.

    The images are those of one series, ordered by their place in the patient. Left out are localizers, other kinds of
    DICOM files and files that are not DICOM: what an export holds beside the scan. Pixels need not be square: the spacing
    of rows and columns is kept apart. What becomes of padding is said at
    :class:`pellucid_ct.dicom.pixels.SliceReader`.

    Parameters
    ----------
    folder : Path
        With all files of the series, itself or in folders below.
    namespace : str
        Where the patient's name comes from; see :func:`pellucid.data.pseudonym`.
    series : str, optional
        Pseudonym of a series, where the folder holds several; see :func:`find_series`.
    subject : str, optional
        Pseudonym of the patient. Of the name in the files if left out, and then there has to be one.

    Returns
    -------
    CtVolume
        HU, float32, shape (slice, row, column); slices grow along (direction of columns) x (direction of rows), which is
        from feet to head for axial images.

    Raises
    ------
    DataError
        If the folder holds no series, several of them, or one that cannot be read rightly; says why, names the file and
        the tag, and quotes no text of the files.
    """
    folder = Path(folder)
    headers = _headers(folder, namespace, series, subject)
    ordered, geometry = stacked(headers, str(folder))
    del headers
    hu = _room(ordered, geometry.shape, folder)
    reader = SliceReader(geometry.shape[1], geometry.shape[2])
    lowest = min(reader.read(header, out) for header, out in zip(ordered, hu, strict=True))
    if lowest >= 0:
        raise DataError(
            f"{folder}: no pixel of the series lies below 0 HU, which is water: air is -1000, fat -100; see RescaleIntercept "
            "(0028,1052) and PixelRepresentation (0028,0103), and export the series again from the archive"
        )
    return CtVolume(
        hu=hu,
        geometry=geometry,
        subject=ordered[0].subject,
        series=ordered[0].series,
        sources=tuple(header.path for header in ordered),
        where=str(folder),
    )


def _headers(folder: Path, namespace: str, series: str | None, subject: str | None) -> list[SliceHeader]:
    """Of the series asked for, or of the only one."""
    headers: dict[str, list[SliceHeader]] = {}
    files, problems = Counter[str](), dict[str, DataError]()
    others, first_other, not_dicom = Counter[str](), None, list[Path]()
    for seen, path in enumerate(walk_files(folder), 1):
        if seen > MOST_FILES:
            raise DataError(
                f"{folder}: holds more than {MOST_FILES} files; give the folder of one series or study (find_series lists "
                "which series lie where)"
            )
        candidate = identify(path, namespace=namespace)
        if candidate is None:
            _refuse_broken(path)
            not_dicom.append(path)
        elif candidate.kind != "CT":
            others[candidate.kind] += 1
            first_other = first_other or candidate
        else:
            files[candidate.series] += 1
            # A bad image of another series is no hindrance.
            if candidate.series not in problems and series in (None, candidate.series):
                try:
                    headers.setdefault(candidate.series, []).append(candidate.header(subject))
                except DataError as error:
                    problems[candidate.series] = error
    if not files:
        if first_other is not None and len(others) == 1 and not not_dicom:
            first_other.header(subject)  # says what is wrong with it
        told = [f"{len(not_dicom)} file{'s' if len(not_dicom) > 1 else ''} not DICOM"] if not_dicom else []
        told += [f"{count} of kind {kind}" for kind, count in others.most_common()]
        raise DataError(
            f"{folder}: no CT images in it by Modality (0008,0060) ({', '.join(told) or 'it is empty'}); give the folder of a CT series"
        )
    if series is None and len(files) > 1:
        listed = ", ".join(f"series={name!r} ({count} images)" for name, count in files.most_common(_NAMED))
        raise DataError(
            f"{folder}: holds images of {len(files)} CT series (SeriesInstanceUID (0020,000E)); name one of them: {listed}"
            + (" and more" if len(files) > _NAMED else "")
        )
    chosen = next(iter(files)) if series is None else series
    if chosen not in files:
        listed = ", ".join(map(repr, list(files)[:_NAMED]))
        raise DataError(f"{folder}: no CT series {chosen!r} in it with this namespace and salt; there is {listed}")
    if chosen in problems:
        raise problems[chosen]
    _refuse_named_alike(not_dicom, headers[chosen])
    return headers[chosen]


def _refuse_broken(path: Path) -> None:
    """A file that should be an image must not be passed over in silence: at an end of the stack it would not be missed."""
    empty = not path.suffix and path.stat().st_size == 0
    if empty or path.suffix.lower() in _DICOM_SUFFIXES:
        raise DataError(
            f"{path}: {'is empty' if empty else 'is named like DICOM, but is not (no DICM at byte 128)'}: truncated, or "
            "another kind of file; copy it again or remove it"
        )
    try:
        with open(path, "rb", buffering=0) as file:
            begins = file.read(6)
    except OSError as error:
        raise DataError(unreadable(path, error)) from None
    if _BARE.match(begins):
        raise DataError(
            f"{path}: is DICOM without the 128 bytes and the DICM that begin a file (PS3.10), as old archives wrote it; "
            "export it again, or convert it, with dcmconv of DCMTK for instance"
        )


def _refuse_named_alike(not_dicom: list[Path], headers: list[SliceHeader]) -> None:
    """A file that is no DICOM but is named like the images beside it was one: truncated or overwritten."""
    if not not_dicom:
        return
    names = {(header.path.parent, _pattern(header.path.name)) for header in headers}
    for path in not_dicom:
        if (path.parent, _pattern(path.name)) in names:
            raise DataError(
                f"{path}: is named like the images of the series beside it, but is not DICOM (no DICM at byte 128): "
                "truncated or overwritten; copy it again or remove it"
            )


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "0", name)


def _room(ordered: list[SliceHeader], shape: tuple[int, int, int], folder: Path) -> npt.NDArray[np.float32]:
    """An empty volume, of a size that the files can fill."""
    compressed = sum(header.size for header in ordered if header.syntax.coded or header.syntax.deflated)
    plain = sum(header.pixels_bytes for header in ordered if not (header.syntax.coded or header.syntax.deflated))
    needed = int(np.prod(shape, dtype=np.int64)) * 2
    if needed > plain + DENSEST * compressed:
        raise DataError(
            f"{folder}: {shape[0]} slices of {shape[1]} x {shape[2]} pixels cannot come from {compressed} bytes of "
            "compressed files; export the series again"
        )
    try:
        return np.empty(shape, np.float32)
    except MemoryError:
        raise DataError(
            f"{folder}: {shape[0]} slices of {shape[1]} x {shape[2]} pixels need {needed / 2**29:.1f} GiB of memory, more "
            "than there is"
        ) from None
