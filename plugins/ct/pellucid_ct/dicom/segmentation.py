"""DICOM segmentations: masks drawn elsewhere read in, masks and evidence written back beside their scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid.files import writing
from pellucid_ct.dicom.frames import read_frames
from pellucid_ct.dicom.library import refusing
from pellucid_ct.dicom.outgoing import LONGEST, MadeBy, equipment, new_uid, refuse_place, refuse_text, source_headers
from pellucid_ct.scans.geometry import rearranged
from pellucid_ct.scans.volume import CtVolume, LesionMask

if TYPE_CHECKING:
    from pydicom import Dataset

SERIES_NUMBER = 9001
"""Of segmentations that are written: high, so that viewers list them after the scans."""


def read_segmentation(
    path: Path, volume: CtVolume, *, segments: tuple[int, ...] | None = None, at_least: float = 0.5
) -> LesionMask:
    """Read a DICOM segmentation (SEG) drawn on a scan.

    Frames are put in place by their position and orientation in the patient, whatever their order; slices without a
    frame are empty. Binary, fractional and label-map segmentations are read.

    Parameters
    ----------
    path : Path
    volume : CtVolume
        The scan it was drawn on. Where its files are known, the segmentation must refer to their series and share their
        frame of reference.
    segments : tuple of int, optional
        Numbers of the segments that are lesions; all, if left out. A file may also hold lungs, or several readers.
    at_least : float
        Share from which on a voxel of a fractional segmentation is inside, above 0 and at most 1.

    Returns
    -------
    LesionMask
        On the scan's grid; a segment's number is its lesion's.

    Raises
    ------
    DataError
        If the file is not a segmentation or broken, was drawn on another series or grid, lacks a segment asked for, or two
        segments overlap: a voxel belongs to one lesion, so ``segments`` must say which are meant.
    """
    if not 0 < at_least <= 1:
        raise DataError(f"at_least is {at_least}, expected above 0 and at most 1")
    labels = np.zeros(volume.geometry.shape, np.uint16)
    shared: dict[tuple[int, int], int] = {}
    for frame in read_frames(path, volume, segments):
        segment, target = frame.segment, frame.place.of(labels)
        inside = frame.share() >= at_least
        taken = inside & (target != 0) & (target != segment)
        for other in np.unique(target[taken]).tolist():
            shared[other, segment] = shared.get((other, segment), 0) + int((target[taken] == other).sum())
        target[inside] = segment
    if shared:
        (one, other), count = next(iter(sorted(shared.items())))
        raise DataError(
            f"{path.name}: segments {one} and {other} share {count} voxels, and a voxel belongs to one lesion; name the "
            "segments that are meant, those of one reader for example (segments = [...])"
        )
    return LesionMask(labels, volume.geometry, path.name)


def write_segmentation(
    path: Path,
    volume: CtVolume,
    mask: LesionMask,
    *,
    names: Mapping[int, str] | None = None,
    made_by: MadeBy | None = None,
    description: str = "Lesions",
) -> dict[int, int]:
    """Write a mask as a binary DICOM segmentation of the series that a scan was read from.

    **The file carries the patient's identity**: name, id, dates and study are those of the scan's own files, without
    which no viewer opens it beside them. It is written only where and when a user asks for it, never by a run, and is
    refused inside a run folder.

    Parameters
    ----------
    path : Path
        A file that is replaced as a whole.
    volume : CtVolume
        As :func:`~pellucid_ct.dicom.series.read_series` returns it; turned (canonical) too, as long as its slices are its
        files.
    mask : LesionMask
        On this scan, in any orientation.
    names : mapping of int to str, optional
        What to call each lesion; "Lesion 1" and so on if left out. At most 64 characters.
    made_by : MadeBy, optional
        The model that drew it. Drawn by hand, if left out.
    description : str
        At most 64 characters.

    Returns
    -------
    dict of int to int
        The segment that each lesion became: segments are numbered from 1 without gaps, whatever the lesions' numbers.

    Raises
    ------
    DataError
        If the path is refused, the mask is empty or of another grid, or the series' files are missing or broken.
    """
    refuse_place(path, volume)
    stored, headers = _as_stored(volume, mask)
    lesions = np.flatnonzero(np.bincount(stored.ravel()))
    lesions = lesions[lesions > 0]
    if not len(lesions):
        raise DataError(f"{mask.where}: this mask is empty, there is nothing to write")
    segments = {int(lesion): number for number, lesion in enumerate(lesions, 1)}
    numbered = np.zeros(int(lesions[-1]) + 1, np.uint8 if len(lesions) < 256 else np.uint16)
    numbered[lesions] = np.arange(1, len(lesions) + 1)
    titles = {number: (names or {}).get(lesion, f"Lesion {lesion}") for lesion, number in segments.items()}
    for what, text in (*((f"name of segment {n}", title) for n, title in titles.items()), ("description", description)):
        refuse_text(what, text)
    with refusing(f"{path.name}: this mask cannot be written as a DICOM segmentation; check the series' headers"):
        from pydicom.sr.codedict import codes

        described = [_described(n, title, codes.SCT.Lesion, made_by) for n, title in titles.items()]
        _save(path, headers, numbered[stored], described, description, kind="BINARY")
    return segments


def write_evidence(
    path: Path, volume: CtVolume, evidence: npt.NDArray[np.floating], *, made_by: MadeBy, target: str
) -> float:
    """Write what speaks for and against a prediction, voxel by voxel, as a fractional DICOM segmentation of two segments.

    Segment 1 holds what raises the output, segment 2 what lowers it, both as shares of the strongest evidence in 255
    steps. **The file carries the patient's identity**, as :func:`write_segmentation` says.

    Parameters
    ----------
    path : Path
    volume : CtVolume
        As for :func:`write_segmentation`.
    evidence : ndarray, shape (slice, row, column)
        On the scan's grid, signed; 0 where there is none.
    made_by : MadeBy
    target : str
        What is predicted, in the words of the data: it stands in the file.

    Returns
    -------
    float
        The strongest evidence: shares times this are the evidence again, to 1/510 of it.

    Raises
    ------
    DataError
        As :func:`write_segmentation`; and if a value is not finite, or all are 0.
    """
    refuse_place(path, volume)
    if evidence.shape != volume.geometry.shape or not np.isfinite(evidence).all():
        raise DataError(
            f"{volume.where}: evidence of shape {evidence.shape}, expected finite numbers of shape {volume.geometry.shape}"
        )
    refuse_text("target", target)
    stored, headers = _as_stored(volume, LesionMask(evidence, volume.geometry, "evidence"))  # type: ignore[arg-type]
    strongest = float(np.abs(stored).max())
    if not strongest:
        raise DataError("evidence: it is 0 everywhere, there is nothing to write")
    # Two segments of floating-point shares are eight times the scan's bytes, so only slices with evidence are sent on.
    some = np.flatnonzero(stored.any((1, 2)))
    share = stored[some].astype(np.float32) / np.float32(strongest)
    both = np.stack([np.maximum(share, 0), np.maximum(-share, 0)], axis=-1)
    said = f"Share of the strongest evidence, which is {strongest:.6g}, for: {target}"
    with refusing(f"{path.name}: this evidence cannot be written; check the series' headers"):
        from pydicom.sr.codedict import codes

        kind = codes.cid7469.Saliency
        described = [_described(n, f"{word} the output", kind, made_by) for n, word in ((1, "Raises"), (2, "Lowers"))]
        for item in described:
            item.SegmentDescription = said
        _save(path, [headers[i] for i in some], both, described, f"Evidence: {target}"[:LONGEST], kind="FRACTIONAL")
    return strongest


# --- writing ----------------------------------------------------------------------------------------------------------


def _as_stored(volume: CtVolume, mask: LesionMask) -> tuple[npt.NDArray[Any], list[Dataset]]:
    """Values on the grid of the files behind a scan, and the files' headers."""
    mask = mask.on(volume)
    headers, geometry = source_headers(volume)
    order, flipped = volume.geometry.to_match(geometry, volume.where)
    return np.ascontiguousarray(rearranged(mask.labels, order, flipped)), headers


def _described(number: int, label: str, kind: Any, made_by: MadeBy | None) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from pydicom.sr.codedict import codes

    category = codes.SCT.MorphologicallyAbnormalStructure
    if kind != codes.SCT.Lesion:
        category = codes.SCT.SpatialAndRelationalConcept
    algorithm = SegmentAlgorithmTypeValues.MANUAL if made_by is None else SegmentAlgorithmTypeValues.AUTOMATIC
    identified = None
    if made_by is not None:
        family = codes.cid7162.ArtificialIntelligence
        identified = AlgorithmIdentificationSequence(made_by.name, family, made_by.version)
    return SegmentDescription(
        number,
        label,
        category,
        kind,
        algorithm,
        identified,
        tracking_uid=new_uid(),
        tracking_id=f"{label} ({number})"[:LONGEST],
    )


def _save(
    path: Path, headers: list[Dataset], pixels: npt.NDArray[Any], described: list[Any], description: str, *, kind: str
) -> None:
    from highdicom.seg import Segmentation

    written = Segmentation(
        headers,
        pixels,
        kind,
        described,
        series_instance_uid=new_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        **equipment(),
        content_description=description,
        content_label="PELLUCID",
    )
    with writing(path) as temporary:
        written.save_as(temporary)
