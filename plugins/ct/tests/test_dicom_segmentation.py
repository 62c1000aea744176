from __future__ import annotations

import shutil
import traceback
import warnings
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sr.codedict import codes
from scan_phantoms import PHANTOM, series_of

from pellucid.errors import DataError
from pellucid_ct.dicom.outgoing import MadeBy
from pellucid_ct.dicom.segmentation import read_segmentation, write_evidence, write_segmentation
from pellucid_ct.phantom import ORIENTATIONS

MODEL = MadeBy(name="a model", version="3")


@pytest.fixture(scope="module")
def scanned():
    return PHANTOM.scan((4.0, 2.5, 3.0))


@pytest.fixture(scope="module")
def home(tmp_path_factory, scanned):
    """An axial series with its mask, and the segmentation written of it."""
    folder = tmp_path_factory.mktemp("home")
    scan, mask = series_of(folder / "series", *scanned, "head first, on the back", shuffled=1)
    write_segmentation(folder / "seg.dcm", scan, mask)
    return folder, scan, mask


@pytest.fixture
def seg(home, tmp_path):
    """The segmentation as a dataset to change, and how to read it again."""
    data = pydicom.dcmread(home[0] / "seg.dcm")

    def again(**options):
        data.save_as(tmp_path / "seg.dcm")
        return read_segmentation(tmp_path / "seg.dcm", home[1], **options)

    return data, again


def by_pydicom(path, scan):
    """Voxel by voxel from positions in the patient: no library's idea of a volume, and none of ours."""
    data = pydicom.dcmread(path)
    labels = np.zeros(scan.geometry.shape, int)
    pixels = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    shared = data.SharedFunctionalGroupsSequence[0]
    across = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    rows_mm, columns_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    for frame, groups in zip(pixels, data.PerFrameFunctionalGroupsSequence, strict=True):
        corner = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        for row, column in np.argwhere(frame):
            place = corner + row * rows_mm * across[3:] + column * columns_mm * across[:3]
            at = scan.geometry.indices(place)
            assert np.abs(at - np.rint(at)).max() < 1e-3
            labels[tuple(np.rint(at).astype(int))] = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    return labels


def by_highdicom(path, files):
    """One array a file, by the instances that frames refer to; shape (file, row, column) of the files."""
    data = highdicom.seg.segread(path)
    names = [pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID for file in files]
    return data.get_pixels_by_source_instance(
        names, combine_segments=True, assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("turned", [False, True], ids=["as read", "canonical"])
def test_a_mask_written_back_covers_the_same_voxels_by_any_reader(tmp_path, scanned, orientation, turned):
    scan, mask = series_of(tmp_path / "series", *scanned, orientation, shuffled=3)
    given_scan = scan.canonical() if turned else scan
    if not given_scan.sources:
        given_scan = scan
    assert write_segmentation(tmp_path / "seg.dcm", given_scan, scanned[1]) == {1: 1, 2: 2, 3: 3}
    assert np.array_equal(read_segmentation(tmp_path / "seg.dcm", scan).labels, mask.labels)
    assert np.array_equal(read_segmentation(tmp_path / "seg.dcm", scan.canonical()).labels, scanned[1].labels)
    assert np.array_equal(by_pydicom(tmp_path / "seg.dcm", scan), mask.labels)
    assert np.array_equal(by_highdicom(tmp_path / "seg.dcm", scan.sources), mask.labels)


def test_every_voxel_matters_down_to_one_in_a_corner(home, tmp_path):
    _, scan, mask = home
    for corner in ((0, 0, 0), (-1, -1, -1), (0, -1, 0), (-1, 0, -1)):
        labels = np.zeros_like(mask.labels)
        labels[corner] = 1
        write_segmentation(tmp_path / "seg.dcm", scan, replace(mask, labels=labels))
        assert np.array_equal(read_segmentation(tmp_path / "seg.dcm", scan).labels, labels)
        # The other slices are left out, not written as empty frames.
        assert pydicom.dcmread(tmp_path / "seg.dcm").NumberOfFrames == 1


def test_lesions_with_gaps_in_their_numbers_become_segments_in_order(home, tmp_path):
    _, scan, mask = home
    numbers = np.array([0, 7, 300, 2], np.uint16)
    told = write_segmentation(
        tmp_path / "seg.dcm", scan, replace(mask, labels=numbers[mask.labels]), names={7: "the seventh"}
    )
    assert told == {2: 1, 7: 2, 300: 3}
    back = read_segmentation(tmp_path / "seg.dcm", scan).labels
    for lesion, segment in told.items():
        assert np.array_equal(back == segment, numbers[mask.labels] == lesion)
    labels = [item.SegmentLabel for item in pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence]
    assert labels == ["Lesion 2", "the seventh", "Lesion 300"]


def test_the_file_is_the_patients_and_says_who_drew(home, tmp_path):
    _, scan, mask = home
    write_segmentation(tmp_path / "seg.dcm", scan, mask, made_by=MODEL)
    data, source = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(scan.sources[0])
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert data[keyword].value == source[keyword].value
    assert data.SeriesInstanceUID != source.SeriesInstanceUID
    assert data.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    item = data.SegmentSequence[0]
    assert item.SegmentAlgorithmType == "AUTOMATIC"
    assert item.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "a model"
    by_hand = pydicom.dcmread(home[0] / "seg.dcm").SegmentSequence[0]
    assert by_hand.SegmentAlgorithmType == "MANUAL"


@pytest.mark.parametrize("orientation", ["feet first, face down", "coronal"])
def test_evidence_comes_back_signed_and_in_place(tmp_path, scanned, orientation):
    scan, mask = series_of(tmp_path / "series", *scanned, orientation)
    evidence = np.where(mask.labels > 0, np.random.default_rng(0).normal(size=mask.labels.shape), 0)
    strongest = write_evidence(tmp_path / "e.dcm", scan, evidence, made_by=MODEL, target="suspicion")
    assert strongest == pytest.approx(np.abs(evidence).max())
    data = highdicom.seg.segread(tmp_path / "e.dcm")
    assert [item.SegmentLabel for item in data.SegmentSequence] == ["Raises the output", "Lowers the output"]
    assert "suspicion" in data.SegmentSequence[0].SegmentDescription
    assert f"{strongest:.6g}" in data.SegmentSequence[0].SegmentDescription
    names = [pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID for file in scan.sources]
    both = data.get_pixels_by_source_instance(
        names, assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    back = (both[..., 0] - both[..., 1]) * strongest
    assert np.abs(back - evidence).max() <= strongest / 510 + 1e-6
    # Read as a mask: where at least half of the strongest evidence lies.
    strong = read_segmentation(tmp_path / "e.dcm", scan).labels
    share = np.rint(np.abs(evidence) / strongest * 255) / 255
    assert np.array_equal(strong, np.where(share >= 0.5, np.where(evidence > 0, 1, 2), 0))


# --- where it may not go ----------------------------------------------------------------------------------------------


def test_no_run_folder_gets_a_patients_identity(home, tmp_path):
    _, scan, mask = home
    run = tmp_path / "run"
    (run / "deep" / "er").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (tmp_path / "link").symlink_to(run / "deep")
    for place in (
        run / "seg.dcm",
        run / "deep" / "er" / "seg.dcm",
        run / "new" / "seg.dcm",
        tmp_path / "link" / "seg.dcm",
    ):
        with pytest.raises(DataError, match=r"seg\.dcm: run is a run folder, which holds no patient's identity"):
            write_segmentation(place, scan, mask)
        with pytest.raises(DataError, match="is a run folder"):
            write_evidence(place, scan, mask.labels.astype(float), made_by=MODEL, target="t")
    assert not list(tmp_path.rglob("*.dcm"))
    write_segmentation(tmp_path / "beside.dcm", scan, mask)


def test_no_file_of_the_scan_is_overwritten(home):
    _, scan, mask = home
    before = scan.sources[3].read_bytes()
    with pytest.raises(DataError, match="this is a file of the scan itself"):
        write_segmentation(scan.sources[3], scan, mask)
    assert scan.sources[3].read_bytes() == before


def test_what_cannot_be_written_leaves_nothing_behind(home, tmp_path):
    _, scan, mask = home
    path = tmp_path / "out" / "seg.dcm"
    nothing = replace(mask, labels=np.zeros_like(mask.labels))
    x, y, z = scan.geometry.origin_mm
    moved = [replace(one, geometry=replace(one.geometry, origin_mm=(x, y, z + 1))) for one in (scan, mask)]
    for wrong, told in (
        (lambda: write_segmentation(path, scan, nothing), "this mask is empty, there is nothing to write"),
        (
            lambda: write_segmentation(path, replace(scan, sources=()), mask),
            "no DICOM files, one a slice, behind this scan",
        ),
        (lambda: write_segmentation(path, replace(scan, sources=scan.sources[1:]), mask), "31 files for 32 slices"),
        (lambda: write_segmentation(path, *moved), "its files are not those .* up to 1 mm apart"),
        (lambda: write_segmentation(path, scan, mask, names={1: "x" * 65}), "name of segment 1: .* has 65 characters"),
        (lambda: write_segmentation(path, scan, mask, description="a\\b"), "description: .* without a backslash"),
        (lambda: MadeBy(name="", version="1"), "name of the model: '' has 0 characters"),
        (lambda: write_evidence(path, scan, np.zeros(mask.labels.shape), made_by=MODEL, target="t"), "0 everywhere"),
        (lambda: write_evidence(path, scan, mask.labels[1:] * 1.0, made_by=MODEL, target="t"), r"of shape \(31, "),
        (lambda: write_evidence(path, scan, mask.labels * np.nan, made_by=MODEL, target="t"), "expected finite"),
    ):
        with pytest.raises(DataError, match=told):
            wrong()
    assert not path.parent.exists() or not list(path.parent.iterdir())


def test_files_that_changed_since_they_were_read_are_refused(scanned, tmp_path):
    scan, mask = series_of(tmp_path / "series", *scanned, "head first, on the back")
    series_of(tmp_path / "other", *scanned, "head first, on the back", series=2)
    shutil.copy(tmp_path / "other" / scan.sources[5].name, scan.sources[5])
    with pytest.raises(DataError, match=r"0005.dcm: not of the same series \(0020,000E\) as 0000.dcm"):
        write_segmentation(tmp_path / "seg.dcm", scan, mask)
    scan.sources[5].unlink()
    with pytest.raises(DataError, match=r"0005.dcm: cannot be read as DICOM"):
        write_segmentation(tmp_path / "seg.dcm", scan, mask)


def test_a_series_without_some_of_its_papers_is_written_all_the_same(scanned, tmp_path):
    scan, mask = series_of(tmp_path / "series", *scanned, "head first, on the back")
    for path in scan.sources:
        data = pydicom.dcmread(path)
        del data.AccessionNumber, data.StudyID, data.StudyDate, data.PatientBirthDate
        data.PatientSex = "X"
        data.save_as(path)
    write_segmentation(tmp_path / "seg.dcm", scan, mask)
    assert np.array_equal(read_segmentation(tmp_path / "seg.dcm", scan).labels, mask.labels)


def test_no_error_tells_who_the_patient_is(scanned, tmp_path, caplog, recwarn):
    scan, mask = series_of(tmp_path / "series", *scanned, "head first, on the back", patient="SECRETNAME")
    for path in scan.sources:
        data = pydicom.dcmread(path)
        data.PatientBirthDate = "SECRETNAME"
        data.save_as(path)
    recwarn.clear(), caplog.clear()
    with pytest.raises(DataError, match=r"0000.dcm: PatientBirthDate \(0010,0030\) is no date or time") as caught:
        write_segmentation(tmp_path / "seg.dcm", scan, mask)
    told = "".join(traceback.format_exception(caught.value))
    assert "SECRETNAME" not in f"{told}{caplog.text}{[str(w.message) for w in recwarn]}"


def test_no_error_passes_on_what_a_library_says(scanned, tmp_path):
    scan, mask = series_of(tmp_path / "series", *scanned, "head first, on the back")
    content = scan.sources[0].read_bytes()
    assert content.count(b"2.5\\3 ") == 1
    scan.sources[0].write_bytes(content.replace(b"2.5\\3 ", b"SECR\\3"))
    with pytest.raises(DataError, match="the headers of this series cannot be used") as caught:
        write_segmentation(tmp_path / "seg.dcm", scan, mask)
    assert "SECR" not in "".join(traceback.format_exception(caught.value))


# --- segmentations of others ------------------------------------------------------------------------------------------


def written_by_highdicom(path, scan, pixels, kind="BINARY", count=1, **options):
    sources = [pydicom.dcmread(file) for file in scan.sources]
    described = [
        SegmentDescription(
            n + 1,
            f"S{n}",
            codes.SCT.MorphologicallyAbnormalStructure,
            codes.SCT.Nodule,
            SegmentAlgorithmTypeValues.MANUAL,
        )
        for n in range(count)
    ]
    highdicom.seg.Segmentation(
        sources, pixels, kind, described, highdicom.UID(), 1, highdicom.UID(), 1, "m", "m", "1", "1", **options
    ).save_as(path)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("omitted", [True, False])
def test_other_writers_segmentations_are_read_with_empty_frames_or_without(home, tmp_path, kind, omitted):
    _, scan, mask = home
    written_by_highdicom(tmp_path / "s.dcm", scan, mask.labels.astype(np.uint8), kind, 3, omit_empty_frames=omitted)
    assert np.array_equal(read_segmentation(tmp_path / "s.dcm", scan).labels, mask.labels)
    some = read_segmentation(tmp_path / "s.dcm", scan, segments=(3, 1)).labels
    assert np.array_equal(some, np.where(mask.labels == 2, 0, mask.labels))


@pytest.mark.parametrize("syntax", [pydicom.uid.ExplicitVRLittleEndian, pydicom.uid.RLELossless])
def test_shares_are_cut_where_asked(home, tmp_path, syntax):
    _, scan, mask = home
    share = np.where(mask.labels == 1, 0.8, np.where(mask.labels == 2, 0.4, 0))
    written_by_highdicom(
        tmp_path / "s.dcm", scan, share, "FRACTIONAL", max_fractional_value=100, transfer_syntax_uid=syntax
    )
    for cut, lesions in ((0.5, [1]), (0.3, [1, 2]), (0.8, [1]), (0.81, []), (0.4, [1, 2])):
        found = read_segmentation(tmp_path / "s.dcm", scan, at_least=cut).labels
        assert np.array_equal(found == 1, np.isin(mask.labels, lesions)), cut
    for cut in (0.0, 1.5):
        with pytest.raises(DataError, match=f"at_least is {cut}, expected above 0"):
            read_segmentation(tmp_path / "s.dcm", scan, at_least=cut)


def test_overlapping_segments_are_refused_until_one_is_named(home, tmp_path):
    _, scan, mask = home
    two = np.stack([mask.labels == 1, (mask.labels == 1) | (mask.labels == 2)], axis=-1).astype(np.uint8)
    written_by_highdicom(tmp_path / "s.dcm", scan, two, count=2)
    with pytest.raises(DataError, match=f"s.dcm: segments 1 and 2 share {(mask.labels == 1).sum()} voxels"):
        read_segmentation(tmp_path / "s.dcm", scan)
    for segment in (1, 2):
        found = read_segmentation(tmp_path / "s.dcm", scan, segments=(segment,)).labels
        assert np.array_equal(found, two[..., segment - 1] * segment)


@pytest.mark.parametrize("way", [(-1, 1), (1, -1), (-1, -1)])
def test_frames_that_run_the_other_way_lie_where_they_say(home, tmp_path, way):
    """As programs write them that turn a scan before they draw on it."""
    _, scan, mask = home
    data = pydicom.dcmread(written_by_highdicom(tmp_path / "s.dcm", scan, mask.labels.astype(np.uint8), count=3))
    frames = data.pixel_array[:, :: way[0], :: way[1]]
    data.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    rows, columns = mask.labels.shape[1:]
    orientation = np.array([1, 0, 0, 0, 1, 0]) * np.repeat([way[1], way[0]], 3)
    data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = orientation.tolist()
    for groups in data.PerFrameFunctionalGroupsSequence:
        position = groups.PlanePositionSequence[0]
        shift = [(columns - 1) * 3.0 * (way[1] < 0), (rows - 1) * 2.5 * (way[0] < 0), 0]
        position.ImagePositionPatient = (np.array(position.ImagePositionPatient, float) + shift).tolist()
    data.save_as(tmp_path / "s.dcm")
    assert np.array_equal(read_segmentation(tmp_path / "s.dcm", scan).labels, mask.labels)


def test_frames_with_rows_and_columns_exchanged_lie_where_they_say(seg, home):
    data, again = seg
    frames = data.pixel_array.transpose(0, 2, 1)
    data.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    data.Rows, data.Columns = frames.shape[1:]
    shared = data.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
    shared.PixelMeasuresSequence[0].PixelSpacing = [3.0, 2.5]
    assert np.array_equal(again().labels, home[2].labels)


def test_frames_may_stand_in_any_order(seg, home):
    data, again = seg
    order = np.random.default_rng(0).permutation(int(data.NumberOfFrames))
    data.PixelData = np.packbits(data.pixel_array[order].ravel(), bitorder="little").tobytes()
    data.PerFrameFunctionalGroupsSequence = [data.PerFrameFunctionalGroupsSequence[i] for i in order]
    assert np.array_equal(again().labels, home[2].labels)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_segmentation_of_another_grid_is_refused_with_the_difference(home, tmp_path, scanned):
    for change, told in (
        ({"spacing_mm": (4.0, 2.5, 3.1)}, "column spacing 3 mm against 3.1 mm"),
        ({"spacing_mm": (4.5, 2.5, 3.0)}, r"it lies [\d.]+ mm from the nearest place"),
        ({"origin_mm": (0.0, 0.0, 0.0)}, r"it lies [\d.]+ mm from the nearest place"),
        ({"directions": ORIENTATIONS["feet first, face down"]}, "mm from the nearest place"),
    ):
        scan = replace(home[1], sources=(), geometry=replace(home[1].geometry, **change))
        with pytest.raises(DataError, match=f"seg.dcm, frame \\d+: .*{told}"):
            read_segmentation(home[0] / "seg.dcm", scan)
    first = replace(home[1], sources=(), geometry=replace(home[1].geometry, shape=(8, *home[1].geometry.shape[1:])))
    with pytest.raises(DataError, match="outside of the grid"):
        read_segmentation(home[0] / "seg.dcm", replace(first, hu=first.hu[:8]))
    fewer = replace(home[1], sources=(), geometry=replace(home[1].geometry, shape=(32, 57, 50)))
    with pytest.raises(DataError, match=r"frame 1: 48 columns, .* has 50; give a mask on this scan's grid"):
        read_segmentation(home[0] / "seg.dcm", fewer)
    smaller = replace(home[1], sources=(), geometry=replace(home[1].geometry, shape=(32, 40, 40)))
    with pytest.raises(DataError, match=r"each of 57 x 48 pixels.* has 32 slices of 40 x 40"):
        read_segmentation(home[0] / "seg.dcm", smaller)


def test_a_segmentation_of_another_series_is_refused(home, tmp_path, scanned):
    other, _ = series_of(tmp_path / "o", *scanned, "head first, on the back", series=2)
    with pytest.raises(DataError, match=r"seg.dcm: ReferencedSeriesSequence \(0008,1115\) does not name the series"):
        read_segmentation(home[0] / "seg.dcm", other)
    stranger, _ = series_of(tmp_path / "p", *scanned, "head first, on the back", patient="P2")
    with pytest.raises(DataError, match=r"seg.dcm: FrameOfReferenceUID \(0020,0052\) is not that of"):
        read_segmentation(home[0] / "seg.dcm", stranger)


def without(*keywords):
    def change(data):
        for keyword in keywords:
            delattr(data, keyword)

    return change


def one_frame_less(data):
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[1:]


def no_position(data):
    del data.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence


def segment_nobody_knows(data):
    data.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (one_frame_less, "NumberOfFrames .* frames are described"),
        (no_position, "frame 1: PlanePositionSequence is missing"),
        (segment_nobody_knows, r"frame 1: SegmentSequence \(0062,0002\) has no segment 9"),
        (without("PixelData"), "cannot be read as a DICOM segmentation"),
        (without("SegmentSequence"), "cannot be read as a DICOM segmentation"),
        (without("PerFrameFunctionalGroupsSequence"), "cannot be read as a DICOM segmentation"),
        (without("SharedFunctionalGroupsSequence"), "PlaneOrientationSequence is missing"),
        (lambda data: setattr(data, "PixelData", data.PixelData[:-400]), "cannot be read as a DICOM segmentation"),
        (lambda data: setattr(data, "NumberOfFrames", 2**30), "NumberOfFrames .* is 1073741824"),
        (lambda data: setattr(data, "Rows", 65535), "65535 x 48 pixels"),
        (
            lambda data: setattr(data, "SOPClassUID", "1.2.3"),
            r"SOPClassUID \(0008,0016\) is not that of a segmentation",
        ),
    ],
)
def test_a_broken_segmentation_is_refused_by_name(seg, change, told):
    data, again = seg
    change(data)
    with pytest.raises(DataError, match=f"^seg.dcm.*{told}"):
        again()


def test_what_is_no_segmentation_is_refused_by_name(home, tmp_path):
    (tmp_path / "no.dcm").write_bytes(b"nothing")
    for path, told in (
        (tmp_path / "no.dcm", "no.dcm: cannot be read as DICOM"),
        (tmp_path / "absent.dcm", "absent.dcm: cannot be read as DICOM"),
        (tmp_path, "cannot be read as DICOM"),
        (home[1].sources[0], "SOPClassUID"),
    ):
        with pytest.raises(DataError, match=told):
            read_segmentation(path, home[1])
    with pytest.raises(DataError, match=r"seg\.dcm: there is no segment 8; it has 1, 2, 3"):
        read_segmentation(home[0] / "seg.dcm", home[1], segments=(1, 8))


@pytest.mark.parametrize("keyword", ["SOPClassUID", "FrameOfReferenceUID", "PatientBirthDate"])
def test_reading_quotes_nothing_of_a_header(seg, caplog, keyword):
    data, again = seg
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setattr(data, keyword, "SECRET^NAME")
        data[keyword].value  # noqa: B018
    told = ""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            again()
        except DataError as error:
            told = "".join(traceback.format_exception(error))
    said_by_us = [str(one.message) for one in said if "SECRET" in str(one.message)]
    assert "SECRET" not in told
    assert (keyword == "PatientBirthDate") == (not told)
    assert not said_by_us


@settings(max_examples=120, deadline=None)
@given(st.integers(132, 5000), st.integers(0, 255), st.floats(0, 1))
def test_mutated_bytes_end_in_a_reading_or_one_clear_error(home, tmp_path_factory, at, value, cut):
    content = bytearray((home[0] / "seg.dcm").read_bytes())
    content[at] = value
    path = tmp_path_factory.getbasetemp() / "fuzz.dcm"
    path.write_bytes(content if cut < 0.7 else content[: int(len(content) * cut)])
    told = "fuzz.dcm read"
    try:
        read_segmentation(path, home[1])
    except DataError as error:
        told = str(error)
    assert told.startswith("fuzz.dcm")
