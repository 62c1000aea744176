from __future__ import annotations

from dataclasses import replace

import highdicom
import pydicom
import pytest
from scan_phantoms import PHANTOM, series_of

from pellucid.errors import DataError
from pellucid_ct.dicom.outgoing import MadeBy
from pellucid_ct.dicom.report import ReportedLesion, write_report
from pellucid_ct.dicom.segmentation import write_segmentation
from pellucid_ct.scans.lesions import find_lesions

MODEL = MadeBy(name="a model", version="3")
SUSPICION = "radiologist-rated malignancy suspicion"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    scan, mask = series_of(folder / "series", *PHANTOM.scan((4.0, 2.5, 3.0)), "feet first, on the back", shuffled=1)
    write_segmentation(folder / "seg.dcm", scan, mask)
    return folder, scan, find_lesions(scan, mask)


@pytest.fixture
def write(home, tmp_path):
    folder, scan, lesions = home

    def written(findings=None, *, volume=scan, segmentation=folder / "seg.dcm", **options):
        findings = [ReportedLesion(lesion=one) for one in lesions] if findings is None else findings
        write_report(tmp_path / "sr.dcm", volume, findings, segmentation=segmentation, made_by=MODEL, **options)
        return highdicom.sr.srread(tmp_path / "sr.dcm")

    return written


def numbers(group):
    return {m.name.meaning: (m.value, m.unit.value) for m in group.get_measurements()}


def test_each_lesion_stands_in_the_report_with_its_measures_and_its_segment(home, write):
    folder, _scan, lesions = home
    report = write()
    seg = pydicom.dcmread(folder / "seg.dcm")
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert len(groups) == len(lesions)
    for group, lesion, item in zip(groups, lesions, seg.SegmentSequence, strict=True):
        found = numbers(group)
        assert found["Volume"] == (pytest.approx(lesion.volume_mm3, rel=1e-5), "mm3")
        assert found["Long axis"] == (pytest.approx(lesion.diameter_mm, rel=1e-5), "mm")
        assert found["Attenuation Coefficient"] == (pytest.approx(lesion.mean_hu, rel=1e-5), "[hnsf'U]")
        assert group.tracking_uid == item.TrackingUID
        assert group.tracking_identifier == item.TrackingID
        segment = group.referenced_segment
        assert segment.referenced_sop_instance_uid == seg.SOPInstanceUID
        assert segment.referenced_segment_numbers == [item.SegmentNumber]
        assert group.finding_type == pydicom.sr.codedict.codes.SCT.Lesion


def test_all_that_is_referred_to_is_listed_as_evidence_and_exists(home, write, tmp_path):
    folder, scan, _ = home
    write()
    data = pydicom.dcmread(tmp_path / "sr.dcm")
    there = {pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID for p in (*scan.sources, folder / "seg.dcm")}
    (study,) = data.CurrentRequestedProcedureEvidenceSequence
    listed = {one.ReferencedSOPInstanceUID for s in study.ReferencedSeriesSequence for one in s.ReferencedSOPSequence}
    referred = {e.value for e in data.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
    assert referred <= listed == there


def test_the_report_is_the_patients_and_says_that_nobody_verified_it(home, write, tmp_path):
    write()
    data, source = pydicom.dcmread(tmp_path / "sr.dcm"), pydicom.dcmread(home[1].sources[0])
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        assert data[keyword].value == source[keyword].value
    assert (data.VerificationFlag, data.CompletionFlag, data.PreliminaryFlag) == (
        "UNVERIFIED",
        "PARTIAL",
        "PRELIMINARY",
    )
    assert data.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert data.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_probability_and_contributions_add_up_to_the_output(home, write):
    units = [("size", 1.5), ("texture", -2.25), ("edge", 0.5), ("heart", 0.125), ("density", -0.25)]
    finding = ReportedLesion(
        lesion=home[2][1], probabilities={SUSPICION: 0.81}, contributions=units, baseline=-0.75, gap=0.0625
    )
    report = write([finding], strongest=3)
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    said = {name: value for name, (value, unit) in numbers(group).items() if unit == "1"}
    assert said == {
        f"Probability: {SUSPICION}": 0.81,
        "Contribution: texture": -2.25,
        "Contribution: size": 1.5,
        "Contribution: edge": 0.5,
        "Contribution: all 2 others": -0.125,
        "Baseline": -0.75,
        "Gap": 0.0625,
    }
    assert list(said)[1:4] == ["Contribution: texture", "Contribution: size", "Contribution: edge"]
    total = sum(value for name, value in said.items() if not name.startswith("Probability"))
    assert total == pytest.approx(-0.75 + sum(v for _, v in units) + 0.0625)
    for measurement in group.get_measurements():
        coded = measurement.name.scheme_designator
        assert coded == ("99PELLUCID" if measurement.unit.value == "1" else coded) != ""
        if coded == "99PELLUCID":
            names = [
                i
                for i in measurement[0].ContentSequence
                if i.ConceptNameCodeSequence[0].CodeMeaning == "Algorithm Name"
            ]
            assert [i.TextValue for i in names] == ["a model"]
    codes = [m.name.value for m in group.get_measurements()]
    assert len(set(codes)) == len(codes)


def test_long_names_are_cut_but_never_confused(home, write):
    long = [
        "a contribution of which the name is much longer than DICOM allows it to be " + word for word in ("one", "two")
    ]
    report = write([ReportedLesion(lesion=home[2][0], contributions=[(name, 1.0) for name in long])])
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    cut = [m.name for m in group.get_measurements() if m.unit.value == "1"]
    assert [len(name.meaning) for name in cut] == [64, 64]
    assert cut[0].value != cut[1].value


def test_lesions_are_matched_to_their_segments(home, write):
    report = write([ReportedLesion(lesion=home[2][0])], segments={1: 3})
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert group.referenced_segment.referenced_segment_numbers == [3]
    with pytest.raises(DataError, match=r"seg.dcm: there is no segment 7 for lesion 1; it has 1, 2, 3"):
        write([ReportedLesion(lesion=home[2][0])], segments={1: 7})


def test_what_cannot_be_reported_leaves_nothing_behind(home, write, tmp_path):
    folder, scan, lesions = home
    one = ReportedLesion(lesion=lesions[0])
    other, _mask = series_of(tmp_path / "other", *PHANTOM.scan((4.0, 2.5, 3.0)), "feet first, on the back", series=2)
    for wrong, told in (
        (lambda: write([]), "at least one finding"),
        (lambda: write([replace(one, probabilities={"p": 1.2})]), "lesion 1: 'p' is 1.2, expected a probability"),
        (lambda: write([replace(one, probabilities={"p": float("nan")})]), "expected a probability"),
        (lambda: write([replace(one, contributions=[("a", float("inf"))])]), "lesion 1: a contribution.* not finite"),
        (lambda: write([replace(one, gap=float("nan"))]), "not finite"),
        (lambda: write([replace(one, contributions=[("a\\b", 1.0)])]), "lesion 1: name: .* without a backslash"),
        (lambda: write(volume=replace(scan, sources=())), "no DICOM files"),
        (lambda: write(volume=other), r"ReferencedSeriesSequence \(0008,1115\) does not name the series"),
        (lambda: write(segmentation=scan.sources[0]), r"Modality \(0008,0060\)"),
        (lambda: write(segmentation=folder / "no.dcm"), "no.dcm: cannot be read as a DICOM segmentation"),
    ):
        with pytest.raises(DataError, match=told):
            wrong()
    assert not (tmp_path / "sr.dcm").exists()


def test_no_run_folder_gets_a_report(home, tmp_path):
    folder, scan, lesions = home
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match=r"sr.dcm: .* is a run folder"):
        write_report(
            tmp_path / "in" / "sr.dcm",
            scan,
            [ReportedLesion(lesion=lesions[0])],
            segmentation=folder / "seg.dcm",
            made_by=MODEL,
        )
    assert not (tmp_path / "in").exists()
