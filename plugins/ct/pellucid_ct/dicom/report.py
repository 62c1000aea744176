"""DICOM structured reports: what a model found in each lesion, what it measured, and why it says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import DataError
from pellucid.files import writing
from pellucid_ct.dicom.library import refusing
from pellucid_ct.dicom.outgoing import (
    LONGEST,
    MadeBy,
    equipment,
    new_uid,
    refuse_place,
    refuse_text,
    source_headers,
)
from pellucid_ct.scans.lesions import Lesion
from pellucid_ct.scans.volume import CtVolume

if TYPE_CHECKING:
    from pydicom import Dataset

SERIES_NUMBER = 9002
"""Of reports that are written; see :data:`pellucid_ct.dicom.segmentation.SERIES_NUMBER`."""

SCHEME = "99PELLUCID"
"""Scheme of codes for what has none of its own: predictions and contributions. The 99 says that a scheme is private."""


@dataclass(frozen=True, kw_only=True)
class ReportedLesion:
    """What is reported of one lesion.

    Parameters
    ----------
    lesion : Lesion
        Its measurements.
    probabilities : mapping of str to float
        What the model says, 0 to 1, by the name of what is predicted in the words of the data ("radiologist-rated
        malignancy suspicion").
    contributions : sequence of (str, float)
        Name and contribution of each unit to the model's output.
    baseline, gap : float, optional
        What the output starts from, and what the contributions leave unexplained:
        ``output = baseline + contributions + gap``.
    """

    lesion: Lesion
    probabilities: Mapping[str, float] = field(default_factory=dict)
    contributions: Sequence[tuple[str, float]] = ()
    baseline: float | None = None
    gap: float | None = None


def write_report(
    path: Path,
    volume: CtVolume,
    findings: Sequence[ReportedLesion],
    *,
    segmentation: Path,
    made_by: MadeBy,
    segments: Mapping[int, int] | None = None,
    strongest: int = 5,
) -> None:
    """Write a structured report (Comprehensive 3D SR, template TID 1500) on the lesions of a scan.

    For each lesion: its segment in a segmentation written before, volume, longest diameter in an axial slice, mean
    attenuation, each probability, the strongest contributions, the sum of the others, baseline and gap. The report is
    marked as preliminary, partial and not verified: a person has yet to look at it.

    **The file carries the patient's identity**, as :func:`~pellucid_ct.dicom.segmentation.write_segmentation` says, and
    is refused in the same places.

    Parameters
    ----------
    path : Path
        A file that is replaced as a whole.
    volume : CtVolume
        As :func:`~pellucid_ct.dicom.series.read_series` returns it.
    findings : sequence of ReportedLesion
    segmentation : Path
        From :func:`~pellucid_ct.dicom.segmentation.write_segmentation`, of the same scan.
    made_by : MadeBy
    segments : mapping of int to int, optional
        Segment of each lesion, as :func:`~pellucid_ct.dicom.segmentation.write_segmentation` returns it; the lesions'
        own numbers, if left out.
    strongest : int
        How many contributions stand by themselves.

    Raises
    ------
    DataError
        If the path is refused, there are no findings, a probability is none, the segmentation is of another study or lacks
        a segment, or the series' files are missing or broken.
    """
    refuse_place(path, volume)
    _refuse_findings(findings)
    headers, _ = source_headers(volume)
    drawn, described = _segmentation(segmentation, headers[0], volume)
    groups = []
    for finding in findings:
        number = (segments or {}).get(finding.lesion.label, finding.lesion.label)
        if number not in described:
            raise DataError(
                f"{segmentation.name}: there is no segment {number} for lesion {finding.lesion.label}; it has "
                f"{', '.join(map(str, described))}"
            )
        with refusing(f"{path.name}: lesion {finding.lesion.label} cannot be reported; check the names given"):
            groups.append(_group(finding, drawn, described[number], made_by, strongest))
    with refusing(f"{path.name}: this report cannot be written; check the series' headers"):
        _save(path, [*headers, drawn], groups, made_by)


def _refuse_findings(findings: Sequence[ReportedLesion]) -> None:
    if not findings:
        raise DataError("a report needs at least one finding")
    for finding in findings:
        for name in (*finding.probabilities, *(unit for unit, _ in finding.contributions)):
            # Long ones are cut below; what else a name must not hold is refused.
            refuse_text(f"lesion {finding.lesion.label}: name", name[:LONGEST])
        for name, value in finding.probabilities.items():
            if not 0 <= value <= 1:
                raise DataError(
                    f"lesion {finding.lesion.label}: {name!r} is {value}, expected a probability from 0 to 1"
                )
        numbers = [value for _, value in finding.contributions] + [
            value for value in (finding.baseline, finding.gap) if value is not None
        ]
        if not np.isfinite(numbers).all():
            raise DataError(f"lesion {finding.lesion.label}: a contribution, the baseline or the gap is not finite")


def _segmentation(path: Path, header: Dataset, volume: CtVolume) -> tuple[Dataset, dict[int, Dataset]]:
    from pydicom import dcmread

    with refusing(f"{path.name}: cannot be read as a DICOM segmentation; write it again"):
        drawn = dcmread(path)
        if drawn.get("Modality") != "SEG" or "SegmentSequence" not in drawn:
            raise DataError(f"{path.name}: Modality (0008,0060) is not that of a segmentation")
        referred = {item.get("SeriesInstanceUID") for item in drawn.get("ReferencedSeriesSequence") or ()}
        if drawn.StudyInstanceUID != header.StudyInstanceUID or header.SeriesInstanceUID not in referred:
            raise DataError(
                f"{path.name}: ReferencedSeriesSequence (0008,1115) does not name the series in {volume.where}; write the "
                "segmentation of this scan first"
            )
        _say_in_each_frame(drawn)
        return drawn, {int(item.SegmentNumber): item for item in drawn.SegmentSequence}


def _say_in_each_frame(drawn: Dataset) -> None:
    """Of one segment alone, the file says once for all frames whose they are; highdicom looks for it in each frame."""
    shared = (drawn.get("SharedFunctionalGroupsSequence") or [{}])[0]
    if "SegmentIdentificationSequence" in shared:
        for frame in drawn.PerFrameFunctionalGroupsSequence:
            frame.SegmentIdentificationSequence = shared.SegmentIdentificationSequence


# --- content ----------------------------------------------------------------------------------------------------------


def _group(finding: ReportedLesion, drawn: Dataset, segment: Dataset, made_by: MadeBy, strongest: int) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    lesion = finding.lesion
    model = sr.AlgorithmIdentification(made_by.name, made_by.version)
    measured = [
        sr.Measurement(codes.SCT.Volume, _rounded(lesion.volume_mm3), codes.UCUM.CubicMillimeter),
        sr.Measurement(codes.SCT.LongAxis, _rounded(lesion.diameter_mm), codes.UCUM.Millimeter),
        sr.Measurement(
            codes.DCM.AttenuationCoefficient,
            _rounded(lesion.mean_hu),
            codes.UCUM.HounsfieldUnit,
            derivation=codes.SCT.Mean,
        ),
    ]
    said = [("Probability", name, value) for name, value in finding.probabilities.items()]
    ranked = sorted(finding.contributions, key=lambda unit: -abs(unit[1]))
    said += [("Contribution", name, value) for name, value in ranked[:strongest]]
    if others := ranked[strongest:]:
        said.append(("Contribution", f"all {len(others)} others", sum(value for _, value in others)))
    said += [
        (word, "", value) for word, value in (("Baseline", finding.baseline), ("Gap", finding.gap)) if value is not None
    ]
    measured += [
        sr.Measurement(_coded(word, name), _rounded(value), codes.UCUM.NoUnits, algorithm_id=model)
        for word, name, value in said
    ]
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(
            segment.get("TrackingUID") or new_uid(), segment.get("TrackingID") or f"Lesion {lesion.label}"
        ),
        referenced_segment=sr.ReferencedSegment.from_segmentation(drawn, int(segment.SegmentNumber)),
        finding_type=codes.SCT.Lesion,
        measurements=measured,
    )


def _coded(word: str, name: str) -> Any:
    """A private code: its value follows from its meaning, so that two meanings never share one."""
    from highdicom.sr import CodedConcept

    meaning = f"{word}: {name}" if name else word
    if len(meaning) > LONGEST:
        meaning = meaning[: LONGEST - 3] + "..."
    value = hashlib.blake2b(f"{word}\x1f{name}".encode(), digest_size=6).hexdigest()
    return CodedConcept(f"{word[0].lower()}-{value}", SCHEME, meaning)


def _rounded(value: float) -> float:
    """Six significant figures: a decimal string of DICOM holds no more than 16 characters."""
    return float(f"{value:.6g}")


def _save(path: Path, evidence: list[Dataset], groups: list[Any], made_by: MadeBy) -> None:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    device = sr.ObserverContext(
        codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            new_uid(),
            name=made_by.name,
            manufacturer_name="pellucid",
            model_name=f"{made_by.name} {made_by.version}"[:LONGEST],
        ),
    )
    content = sr.MeasurementReport(
        sr.ObservationContext(observer_device_context=device),
        procedure_reported=codes.cid100.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    written = sr.Comprehensive3DSR(
        evidence,
        content[0],
        series_instance_uid=new_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        **equipment(),
    )
    with writing(path) as temporary:
        written.save_as(temporary)
