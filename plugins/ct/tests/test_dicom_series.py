"""Series of CT images: which there are, in which order they lie, and what is refused."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
from dicom_files import by_pydicom, image, planes, save, stack
from pydicom.encaps import encapsulate

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.dicom import series as series_module
from pellucid_ct.dicom.headers import read_header
from pellucid_ct.dicom.series import find_series, read_series
from pellucid_ct.scans.geometry import CANONICAL


def read(folder, series=None):
    return read_series(folder, namespace="here", series=series)


def told(folder, series=None):
    with pytest.raises(DataError) as caught:
        read(folder, series)
    assert caught.value.__cause__ is None
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_slices_lie_in_the_order_of_their_positions_and_not_of_names_or_numbers(tmp_path):
    stored = planes()
    paths = stack(tmp_path, stored)
    assert paths != sorted(paths)
    scan = read(tmp_path)
    assert scan.hu.dtype == np.float32
    np.testing.assert_array_equal(scan.hu, stored - 1000.0)
    np.testing.assert_array_equal(scan.hu, by_pydicom(paths))
    assert scan.sources == tuple(paths)


def test_geometry_comes_from_positions_and_orientation_and_not_from_slice_thickness(tmp_path):
    stack(tmp_path, planes(), spacing=1.25)
    grid = read(tmp_path).geometry
    assert grid.shape == (5, 6, 4)
    assert grid.spacing_mm == (1.25, 0.75, 0.5)
    assert grid.origin_mm == (-10, -20, 30)
    assert grid.directions == ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    # Column 3, row 5, slice 4 by DICOM's own formula (PS3.3, C.7.6.2.1.1).
    np.testing.assert_allclose(grid.positions_mm((4, 5, 3)), (-10 + 3 * 0.5, -20 + 5 * 0.75, 30 + 4 * 1.25))


def test_a_series_written_from_head_to_feet_is_read_from_feet_to_head(tmp_path):
    stored = planes()
    paths = stack(tmp_path, stored, spacing=-2.0)
    scan = read(tmp_path)
    np.testing.assert_array_equal(scan.hu, stored[::-1] - 1000.0)
    assert scan.sources == tuple(reversed(paths))
    assert scan.geometry.origin_mm == (-10, -20, 22)


@pytest.mark.parametrize(
    ("cosines", "along"),
    [
        ([1, 0, 0, 0, 0, -1], (0, 1, 0)),
        ([0, 1, 0, 0, 0, -1], (-1, 0, 0)),
        ([-1, 0, 0, 0, -1, 0], (0, 0, 1)),
        ([-1, 0, 0, 0, 1, 0], (0, 0, -1)),
    ],
    ids=["coronal", "sagittal", "prone", "mirrored"],
)
def test_other_orientations_put_each_voxel_where_dicom_says(tmp_path, cosines, along):
    stored = planes(4)
    corner, across, down = np.array([5.0, 6.0, 7.0]), np.array(cosines[:3]), np.array(cosines[3:])

    def turn(number, data):
        data.ImageOrientationPatient = cosines
        data.ImagePositionPatient = list(corner + 1.5 * number * np.array(along))

    stack(tmp_path, stored, change=turn)
    scan = read(tmp_path)
    for slice_, row, column in ((0, 0, 0), (3, 5, 3), (1, 2, 3)):
        at = corner + 1.5 * slice_ * np.array(along) + 0.75 * row * down + 0.5 * column * across
        index = tuple(np.rint(scan.geometry.indices(at)).astype(int))
        np.testing.assert_allclose(scan.geometry.positions_mm(index), at, atol=1e-9)
        assert scan.hu[index] == stored[slice_, row, column] - 1000
    canonical = scan.canonical()
    assert canonical.geometry.patient_axes("scan") == CANONICAL
    index = tuple(np.rint(canonical.geometry.indices(corner)).astype(int))
    assert canonical.hu[index] == stored[0, 0, 0] - 1000


def test_names_become_pseudonyms_that_an_annotation_file_can_be_matched_with(tmp_path):
    paths = stack(tmp_path, planes())
    scan = read(tmp_path)
    assert scan.subject == pseudonym("P-1", "here")
    assert scan.series == pseudonym("2.25.1111", "here")
    assert read_header(paths[0], namespace="here").series == scan.series
    assert read_series(tmp_path, namespace="there").subject != scan.subject


def test_a_name_beyond_ascii_is_the_same_person_in_every_character_set(tmp_path):
    for number, (charset, name) in enumerate([("ISO_IR 100", "Grün"), ("ISO_IR 192", "Grün")]):
        data = image(planes()[0], SpecificCharacterSet=charset, PatientID=name)
        save(data, tmp_path / f"{number}.dcm")
    found = {read_header(path, namespace="here").subject for path in tmp_path.iterdir()}
    assert found == {pseudonym("Grün", "here")}


def test_a_rescale_of_its_own_for_each_slice_is_applied(tmp_path):
    def rescale(number, data):
        data.RescaleSlope, data.RescaleIntercept = 1 + number / 4, -1000 + number

    paths = stack(tmp_path, planes(), change=rescale)
    np.testing.assert_allclose(read(tmp_path).hu, by_pydicom(paths), atol=1e-3)


# --- folders ----------------------------------------------------------------------------------------------------------


def test_what_an_export_holds_beside_the_scan_is_left_out(tmp_path):
    stored = planes()
    stack(tmp_path / "IMAGES" / "S1", stored)
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / "notes.xml").write_text("<a/>")
    (tmp_path / ".DS_Store").write_bytes(b"\0" * 200)
    (tmp_path / "IMAGES" / "._IM0001.dcm").write_bytes(b"Mac OS X")
    directory = image(stored[0])
    del directory.SOPClassUID, directory.SOPInstanceUID
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    save(directory, tmp_path / "DICOMDIR")
    save(image(planes(1, 9, 9)[0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), tmp_path / "IMAGES" / "scout")
    save(image(stored[0], SeriesInstanceUID="2.25.7", SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), tmp_path / "report")
    film = image(stored[0], SeriesInstanceUID="2.25.8", Modality="SC")
    film.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    film.PixelData = encapsulate([b"\xff\xd8 a JPEG of eight bits"])
    save(film, tmp_path / "film")
    np.testing.assert_array_equal(read(tmp_path).hu, stored - 1000.0)
    kinds = {record.kind: len(record.files) for record in find_series(tmp_path, namespace="here")}
    assert kinds == {"CT": 5, "CT localizer": 1, "other": 1, "SC": 1}


def test_a_link_that_leads_back_is_entered_once(tmp_path):
    stack(tmp_path / "a", planes())
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(read(tmp_path).sources) == 5
    assert [len(r.files) for r in find_series(tmp_path, namespace="here")] == [5]


def test_links_and_pipes_are_no_trap(tmp_path):
    stack(tmp_path, planes())
    os.mkfifo(tmp_path / "pipe.dcm")
    assert read(tmp_path).hu.shape == (5, 6, 4)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert "link to nothing" in told(tmp_path)


def test_a_folder_named_like_a_file_is_a_folder(tmp_path):
    stack(tmp_path / "IM0001.dcm", planes())
    assert read(tmp_path).hu.shape == (5, 6, 4)


def test_several_series_are_refused_until_one_is_named(tmp_path):
    stack(tmp_path / "a", planes())
    stack(tmp_path / "b", planes(3, seed=1), SeriesInstanceUID="2.25.4444", PatientID="P-2")
    message = told(tmp_path)
    second = pseudonym("2.25.4444", "here")
    assert "2 CT series" in message
    assert f"{second!r} (3 images)" in message
    assert "SeriesInstanceUID (0020,000E)" in message
    assert read(tmp_path, second).hu.shape == (3, 6, 4)
    assert second in told(tmp_path, "nonsense")
    records = {r.series: r for r in find_series(tmp_path, namespace="here")}
    assert records[second].folder == tmp_path / "b"
    assert records[second].subject == pseudonym("P-2", "here")
    assert read(records[second].folder, second).hu.shape == (3, 6, 4)


def test_a_bad_image_of_another_series_is_no_hindrance_but_one_of_this_series_is(tmp_path):
    stack(tmp_path / "a", planes())
    save(image(planes()[0], SeriesInstanceUID="2.25.9", RescaleSlope=0), tmp_path / "b" / "odd")
    assert read(tmp_path, pseudonym("2.25.1111", "here")).hu.shape == (5, 6, 4)
    save(image(planes()[0], RescaleSlope=0), tmp_path / "b" / "bad")
    message = told(tmp_path, pseudonym("2.25.1111", "here"))
    assert str(tmp_path / "b" / "bad") in message
    assert "RescaleSlope (0028,1053)" in message


def test_a_missing_empty_or_wrong_place_is_said(tmp_path):
    assert "no such folder" in told(tmp_path / "nowhere")
    assert "it is empty" in told(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    assert "no CT images in it by Modality (0008,0060) (1 file not DICOM)" in told(tmp_path)
    assert "is a file" in told(tmp_path / "a.txt")


def test_a_folder_of_another_modality_is_refused_with_what_it_holds(tmp_path):
    stack(tmp_path, planes(), Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    assert "Modality (0008,0060) says 'MR', not 'CT'" in told(tmp_path)
    save(image(planes()[0], Modality="PT"), tmp_path / "z")
    (tmp_path / "LICENSE").write_text("free")
    assert "(1 file not DICOM, 5 of kind MR, 1 of kind PT)" in told(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_said(tmp_path):
    stack(tmp_path / "a", planes())
    (tmp_path / "a").chmod(0)
    try:
        assert "Permission denied" in told(tmp_path)
        assert "Permission denied" in told(tmp_path / "a" / "inner")
    finally:
        (tmp_path / "a").chmod(0o700)


def test_what_the_system_refuses_is_said_with_its_place(tmp_path, monkeypatch):
    stack(tmp_path / "a", planes())
    listed = os.scandir

    def refusing(folder):
        if Path(folder).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert f"{tmp_path / 'a'}: cannot be read (Permission denied)" in told(tmp_path)


def test_a_file_that_vanishes_between_header_and_pixels_is_said(tmp_path, monkeypatch):
    paths = stack(tmp_path, planes())
    stacked = series_module.stacked

    def slow(headers, where):
        paths[2].unlink()
        return stacked(headers, where)

    monkeypatch.setattr(series_module, "stacked", slow)
    assert f"{paths[2]}: cannot be read (No such file" in told(tmp_path)


def test_a_file_that_shrinks_between_header_and_pixels_is_said(tmp_path, monkeypatch):
    paths = stack(tmp_path, planes())
    stacked = series_module.stacked

    def slow(headers, where):
        paths[2].write_bytes(paths[2].read_bytes()[:-7])
        return stacked(headers, where)

    monkeypatch.setattr(series_module, "stacked", slow)
    message = told(tmp_path)
    assert f"{paths[2]}: PixelData (7FE0,0010) is truncated: 7 of 48 bytes" in message


def test_ten_thousand_files_are_listed_quickly_and_more_are_refused(tmp_path, monkeypatch):
    path = save(image(planes()[0]), tmp_path / "0")
    content = path.read_bytes()
    for number in range(1, 10_000):
        (tmp_path / str(number)).write_bytes(content)
    begun = time.process_time()
    (record,) = find_series(tmp_path, namespace="here")
    assert len(record.files) == 10_000
    assert time.process_time() - begun < 20  # 1 s here; a library's general reader takes ten times that
    monkeypatch.setattr(series_module, "MOST_FILES", 5000)
    assert "more than 5000 files" in told(tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:100], lambda b: bytes(400) + b[400:]], ids=["cut short", "overwritten"]
)
def test_a_damaged_image_at_the_end_of_the_stack_is_not_passed_over(tmp_path, damage):
    """Without it the series would be shorter, and even."""
    paths = stack(tmp_path, planes())
    paths[-1].write_bytes(damage(paths[-1].read_bytes()))
    message = told(tmp_path)
    assert str(paths[-1]) in message
    assert "named like the images" in message


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("group", [2, 8])
def test_dicom_without_its_beginning_is_told_as_such(tmp_path, implicit, group):
    for path in stack(tmp_path, planes(), syntax="implicit" if implicit else "explicit"):
        content = path.read_bytes()
        tag = b"\x02\0" if group == 2 else b"\x08\0\x08\0"
        path.write_bytes(content[content.index(tag, 132) :])
    assert "DICOM without the 128 bytes" in told(tmp_path)


def test_a_series_without_anything_lighter_than_water_has_lost_its_rescale(tmp_path):
    stack(tmp_path, planes(), RescaleIntercept=0)
    assert "below 0 HU" in told(tmp_path)
