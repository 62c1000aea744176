"""What a model says of a scan's lesions, written back beside the scan: segmentation, evidence, structured report."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import pellucid
from pellucid.errors import DataError
from pellucid.run import Run, load
from pellucid_ct.cases.lesions import CtSeries
from pellucid_ct.dicom.outgoing import LONGEST, MadeBy, refuse_place, source_headers
from pellucid_ct.dicom.report import ReportedLesion, write_report
from pellucid_ct.dicom.segmentation import write_evidence, write_segmentation
from pellucid_ct.scans.geometry import Geometry, rearranged
from pellucid_ct.scans.lesions import find_lesions
from pellucid_ct.scans.volume import CtVolume, LesionMask

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from pellucid.model import Model

SEGMENTATION, EVIDENCE, REPORT = "lesions.dcm", "evidence.dcm", "report.dcm"

PARTS = 8
"""Windows along each side of a crop that are filled, one after the other, to see what an output rests on."""


@dataclass(frozen=True)
class WrittenBack:
    """What was written, and what it says.

    Parameters
    ----------
    segmentation, report : Path
        The lesions, and what the model says of each.
    evidence : Path, optional
        Where the output rests on, voxel by voxel; None where the model reads no pixels, or none of them matters.
    said : DataFrame
        One row a lesion: ``lesion`` (its number in the mask) and a column of probabilities for each output.
    """

    segmentation: Path
    report: Path
    evidence: Path | None
    said: pd.DataFrame


def write_back(
    run: str | Path,
    scan: CtVolume,
    mask: LesionMask,
    folder: str | Path,
    *,
    head: str | None = None,
    target: str | None = None,
) -> WrittenBack:
    """Let a model of a finished run judge the lesions of a DICOM scan, and write what it says as DICOM.

    Writes ``lesions.dcm`` (segmentation), ``evidence.dcm`` (fractional segmentation: what raises and what lowers the
    output) and ``report.dcm`` (structured report) into a folder. **These files carry the identity of the scan's
    patient**, without which no viewer opens them beside it: choose the folder accordingly. A run folder is refused.

    Evidence of a place is how much the output falls when it is filled with the median of what surrounds the lesion; it is
    found for each lesion's crop and drawn onto the scan's own voxels.

    Parameters
    ----------
    run : path
        Of a study of ``ct-series``.
    scan, mask
        From :func:`~pellucid_ct.scans.opening.open_scan` (a DICOM folder) and
        :func:`~pellucid_ct.scans.opening.open_mask`.
    folder : path
        Made where it is not there. All files are written or none; older ones of these names are replaced, and evidence
        of another model is removed where this one has none.
    head : str, optional
        Which model of the run; may be left out where it has one.
    target : str, optional
        Which output the evidence and the contributions are of; the first by default.

    Raises
    ------
    DataError
        If the run is of another dataset or predicts numbers, the scan's files are not DICOM, or the folder is refused or
        cannot be written to.
    RunError
        If the run cannot be read.
    """
    folder, done = Path(folder), Run(run)
    model = load(run, head=head)
    lesions_of = done.study.dataset_of((scan, mask))
    if not isinstance(lesions_of, CtSeries):
        raise DataError(f"{run} is a run of {done.study.dataset!r}, not of 'ct-series'; its models read no scans")
    if model.predictor.config.target.kind == "regression":
        raise DataError(f"{run} predicts numbers; a report holds probabilities of classes")
    # Both before the work begins: where the folder is one of a run, and where the scan has no files of its own.
    refuse_place(folder / SEGMENTATION, scan)
    source_headers(scan)
    made_by = MadeBy(name=f"{done.study.name} {head or ''}".strip()[:LONGEST], version=pellucid.__version__)
    output = target or model.head.outputs[0]
    probabilities, explained = model.predict(lesions_of), model.explain(lesions_of, output)
    frame, about = lesions_of.frame, done.study.target
    lesions = find_lesions(scan, mask, labels=tuple(frame["lesion"]))
    findings = [
        ReportedLesion(
            lesion=lesion,
            probabilities={f"{about}: {name}"[:LONGEST]: float(probabilities[name].iloc[at]) for name in probabilities},
            contributions=[
                (str(n)[:LONGEST], float(c)) for n, c in zip(explained.names, explained.contributions[at], strict=True)
            ],
            baseline=float(explained.baseline[at]),
            gap=float(explained.gap[at]),
        )
        for at, lesion in enumerate(lesions)
    ]
    drawn = evidence_on_scan(model, lesions_of, scan, output)
    with _all_or_none(folder) as new:
        segments = write_segmentation(new / SEGMENTATION, scan, mask)
        write_report(new / REPORT, scan, findings, segmentation=new / SEGMENTATION, made_by=made_by, segments=segments)
        if drawn is not None and drawn.any():
            write_evidence(new / EVIDENCE, scan, drawn, made_by=made_by, target=output)
    evidence = folder / EVIDENCE
    said = probabilities.assign(lesion=frame["lesion"].to_numpy())
    return WrittenBack(folder / SEGMENTATION, folder / REPORT, evidence if evidence.exists() else None, said)


@contextmanager
def _all_or_none(folder: Path) -> Iterator[Path]:
    """A folder to write into, whose files come into the given one together, or not at all."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written to ({error.strerror or type(error).__name__}); choose another folder"
        ) from None
    try:
        yield new
        for name in (SEGMENTATION, EVIDENCE, REPORT):
            if (new / name).exists():
                os.replace(new / name, folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if made and not any(folder.iterdir()):
            folder.rmdir()


def evidence_on_scan(model: Model, lesions: CtSeries, scan: CtVolume, target: str) -> npt.NDArray[np.float32] | None:
    """What an output rests on, on the voxels of the scan, shape (slice, row, column).

    Where crops of two lesions overlap, the stronger evidence stands. None for a model that reads no pixels.

    Parameters
    ----------
    model : Model
    lesions : CtSeries
        Of this one scan.
    scan : CtVolume
    target : str
    """
    from pellucid.attribution import region_map
    from pellucid.batch import collate

    if not any("pixels" in encoder.config.inputs for _, encoder in model.named_encoders()):
        return None
    spec = lesions.spec.inputs["pixels"]
    planes = spec.shape[0] if spec.kind == "image" else 1
    side = -(-spec.shape[-1] // PARTS)
    # Planes of three directions have nothing in common but the middle, so each is filled by itself.
    window = (1, *(side for _ in spec.shape[1:]))
    batch = collate(lesions, np.arange(len(lesions)))
    baseline = _surroundings(batch.inputs["pixels"], batch.inputs["mask"])
    maps = region_map(
        model.eval(), batch, input="pixels", target=target, window=window, baseline=baseline
    ).values.numpy()
    flat = scan.canonical()
    drawn = np.zeros(flat.geometry.shape, np.float32)
    for at in range(len(lesions)):
        centre = lesions.centre_mm(at)
        for plane in range(planes):
            across = None if spec.kind == "volume" else plane
            values = maps[at, 0] if across is None else maps[at, plane]
            _lay(drawn, flat.geometry, values, centre, lesions.config.spacing_mm, across)
    return _as_scanned(drawn, flat.geometry, scan.geometry)


def _surroundings(pixels: Tensor, mask: Tensor) -> Tensor:
    """Median of the pixels outside each lesion, in the shape of the pixels."""
    import torch

    outside = torch.where(mask > 0, torch.nan, pixels).flatten(1)
    median = outside.nanmedian(1).values
    # A lesion that fills its crop has no surroundings: lung is what it would lie in.
    median = torch.where(median.isnan(), torch.full_like(median, -850.0), median)
    return median.reshape(-1, *[1] * (pixels.ndim - 1)).expand_as(pixels)


def _lay(
    drawn: npt.NDArray[np.float32],
    geometry: Geometry,
    values: npt.NDArray[np.float32],
    centre_mm: tuple[float, float, float],
    spacing_mm: float,
    plane: int | None,
) -> None:
    """Lay a crop's values over the voxels whose centres it covers: each takes that of the nearest pixel."""
    centre = geometry.indices(centre_mm)
    size = values.shape[-1]
    places, where = [], []
    for axis, (middle, step, count) in enumerate(zip(centre, geometry.spacing_mm, geometry.shape, strict=True)):
        offset_mm = (np.arange(count) - middle) * step
        if axis == plane:
            near = np.flatnonzero(np.abs(offset_mm) <= max(step, spacing_mm) / 2)
            places.append(near)
            where.append(np.zeros(len(near), np.int64))
            continue
        pixel = np.rint(offset_mm / spacing_mm + (size - 1) / 2).astype(np.int64)
        near = np.flatnonzero((pixel >= 0) & (pixel < size))
        pixel = pixel[near]
        # Upright planes are hung with the head above, while slices count from the feet.
        if plane not in (None, 0) and axis == 0:
            pixel = size - 1 - pixel
        places.append(near)
        where.append(pixel)
    solid = values if plane is None else np.expand_dims(values, plane)
    new = solid[np.ix_(*where)]
    at = np.ix_(*places)
    drawn[at] = np.where(np.abs(new) > np.abs(drawn[at]), new, drawn[at])


def _as_scanned(values: npt.NDArray[np.float32], canonical: Geometry, scanned: Geometry) -> npt.NDArray[np.float32]:
    order, flipped = canonical.to_match(scanned, "evidence")
    return np.ascontiguousarray(rearranged(values, order, flipped))
