"""Headers of CT images: what is refused, by file and tag, and that nothing of a person is in what is said."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import pydicom
import pytest
from dicom_files import image, planes, save, stack
from planted_identity import SIGNS, plant, plant_everywhere
from pydicom.dataset import Dataset

from pellucid.errors import DataError
from pellucid_ct.dicom.headers import read_header
from pellucid_ct.dicom.series import find_series, read_series

ABSENT = "(no such element)"


def told(path):
    with pytest.raises(DataError) as caught:
        read_header(path, namespace="here")
    assert caught.value.__cause__ is None
    assert str(path) in str(caught.value)
    return str(caught.value)


def changed(elements):
    data = image(planes()[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in elements.items():
            if value is ABSENT:
                delattr(data, keyword)
            elif isinstance(value, bytes):
                data[keyword] = pydicom.dataelem.RawDataElement(
                    pydicom.tag.Tag(keyword), data[keyword].VR, len(value), value, 0, False, True
                )
            else:
                setattr(data, keyword, value)
    return data


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"Modality": "MR"}, "Modality (0008,0060) says 'MR', not 'CT'"),
        ({"Modality": "JOHN DOE"}, "Modality (0008,0060) and SOPClassUID (0008,0016) are not those of a CT image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "Modality (0008,0060) and SOPClassUID (0008,0016) are not"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1"}, "enhanced, multi-frame kind (SOPClassUID (0008,0016))"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "this image is a localizer (ImageType (0008,0008))"),
        ({"PatientID": ABSENT}, "PatientID (0010,0020) is absent or empty"),
        ({"PatientID": " "}, "PatientID (0010,0020) is absent or empty"),
        ({"SeriesInstanceUID": ABSENT}, "SeriesInstanceUID (0020,000E) is absent or empty"),
        ({"PixelSpacing": ABSENT}, "PixelSpacing (0028,0030) is absent or empty"),
        ({"PixelSpacing": [0, 0]}, "PixelSpacing (0028,0030) is 0 mm"),
        ({"PixelSpacing": [0.7, -0.7]}, "PixelSpacing (0028,0030) is -0.7 mm"),
        ({"PixelSpacing": [0.7, 10.1]}, "PixelSpacing (0028,0030) is 10.1 mm, expected 0.01 to 10 mm"),
        ({"PixelSpacing": [0.009, 0.7]}, "PixelSpacing (0028,0030) is 0.009 mm"),
        ({"PixelSpacing": [0.7]}, "PixelSpacing (0028,0030) has not 2 values"),
        ({"PixelSpacing": b"0,7\\0,7 "}, "PixelSpacing (0028,0030) is not a number"),
        ({"PixelSpacing": b"0_7\\0_7 "}, "PixelSpacing (0028,0030) is not a finite number"),
        ({"ImagePositionPatient": ABSENT}, "ImagePositionPatient (0020,0032) is absent"),
        ({"ImagePositionPatient": b"0\\0\\nan "}, "ImagePositionPatient (0020,0032) is not a finite number"),
        ({"ImagePositionPatient": b"0\\0\\1e400 "}, "ImagePositionPatient (0020,0032) is not a finite number"),
        ({"ImagePositionPatient": [0, 0, 1e9]}, "ImagePositionPatient (0020,0032) is more than 100 m away"),
        ({"ImageOrientationPatient": ABSENT}, "ImageOrientationPatient (0020,0037) is absent"),
        (
            {"ImageOrientationPatient": [1, 0, 0, 0.1, 1, 0]},
            "ImageOrientationPatient (0020,0037) is not two unit vectors",
        ),
        (
            {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
            "ImageOrientationPatient (0020,0037) is not two unit vectors",
        ),
        (
            {"ImageOrientationPatient": [2, 0, 0, 0, 1, 0]},
            "ImageOrientationPatient (0020,0037) is not two unit vectors",
        ),
        ({"ImageOrientationPatient": [1e300] * 6}, "ImageOrientationPatient (0020,0037) is not two unit vectors"),
        ({"RescaleSlope": ABSENT}, "RescaleSlope (0028,1053) is absent"),
        ({"RescaleSlope": 0}, "RescaleSlope (0028,1053) is 0, expected"),
        ({"RescaleSlope": 1001}, "RescaleSlope (0028,1053) is 1001, expected"),
        ({"RescaleSlope": -1}, "RescaleSlope (0028,1053) is -1, expected"),
        ({"RescaleSlope": b"NaN "}, "RescaleSlope (0028,1053) is not a finite number"),
        ({"RescaleSlope": [1, 1]}, "RescaleSlope (0028,1053) has not 1 value,"),
        ({"RescaleSlope": b"one "}, "RescaleSlope (0028,1053) is not a number"),
        ({"RescaleSlope": b"1" * 4000}, "RescaleSlope (0028,1053) has not 1 value,"),
        ({"RescaleIntercept": ABSENT}, "RescaleIntercept (0028,1052) is absent"),
        ({"RescaleIntercept": 1e7}, "RescaleIntercept (0028,1052) is 1e+07"),
        ({"RescaleType": "Z_EFF"}, "RescaleType (0028,1054) is not HU"),
        ({"Rows": ABSENT}, "Rows (0028,0010) is absent"),
        ({"Rows": 0}, "Rows (0028,0010) is 0, expected 1 to 4096"),
        ({"Columns": 65535}, "Columns (0028,0011) is 65535, expected 1 to 4096"),
        ({"Columns": [4, 4]}, "Columns (0028,0011) is not one number of 16 bits"),
        ({"Rows": 7}, "PixelData (7FE0,0010) is 48 bytes long, but Rows x Columns need 56 bytes"),
        ({"BitsAllocated": 8}, "BitsAllocated (0028,0100) is 8; a CT image has 16"),
        ({"BitsAllocated": 32}, "BitsAllocated (0028,0100) is 32; a CT image has 16"),
        ({"BitsStored": 17}, "BitsStored (0028,0101) is 17"),
        ({"BitsStored": 12}, "HighBit (0028,0102) is 15, but with 12 bits stored it has to be 11"),
        ({"PixelRepresentation": 2}, "PixelRepresentation (0028,0103) is 2"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel (0028,0002) is 3"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "PhotometricInterpretation (0028,0004) is not MONOCHROME2"),
        ({"NumberOfFrames": 2}, "NumberOfFrames (0028,0008) is not 1"),
        ({"PixelData": ABSENT}, "the file ends inside its header"),
    ],
    ids=str,
)
def test_a_wrong_element_is_named_with_its_tag(tmp_path, elements, words):
    message = told(save(changed(elements), tmp_path / "a.dcm"))
    assert words in message
    assert "JOHN" not in message


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PixelSpacing", [0.011, 9.9]),
        ("RescaleSlope", 0.0011),
        ("RescaleIntercept", -8192),
        ("RescaleType", "US"),
        ("NumberOfFrames", 1),
        ("ImagePositionPatient", [99_999, 0, -99_999]),
        ("ImageOrientationPatient", [1, 0, 0, 0, 0.9272, -0.3746]),
        ("ImageOrientationPatient", [0.9997, 0.0005, 0, 0.0003, 1, 0]),
    ],
)
def test_an_unusual_element_that_is_right_is_read(tmp_path, keyword, value):
    header = read_header(save(changed({keyword: value}), tmp_path / "a.dcm"), namespace="here")
    names = {"PixelSpacing": "spacing_mm", "RescaleSlope": "slope", "RescaleIntercept": "intercept"}
    if keyword in names:
        np.testing.assert_array_equal(getattr(header, names[keyword]), value)
    frame = np.array([header.across, header.down])
    np.testing.assert_allclose(frame @ frame.T, np.eye(2), atol=1e-12)


def test_what_is_no_dicom_is_said(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"PK" * 500)
    assert "is not a DICOM file" in told(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_bytes(b"")
    assert "is not a DICOM file" in told(tmp_path / "b.dcm")
    for name in ("a.dcm", "b.dcm"):
        with pytest.raises(DataError, match="named like DICOM, but is not"):
            read_series(tmp_path, namespace="here")
        (tmp_path / name).unlink()
    (tmp_path / "IM0001").write_bytes(b"")
    with pytest.raises(DataError, match="is empty: truncated"):
        find_series(tmp_path, namespace="here")
    assert "cannot be read (Is a directory)" in told(tmp_path)
    assert "cannot be read (No such file" in told(tmp_path / "nowhere")


def test_a_file_cut_anywhere_is_refused(tmp_path):
    whole = save(image(planes()[0]), tmp_path / "whole").read_bytes()
    path = tmp_path / "cut"
    for size in range(132, len(whole)):
        path.write_bytes(whole[:size])
        assert "truncated" in told(path) or "absent" in told(path)


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big endian", "deflated"])
def test_long_private_elements_and_nested_sequences_before_the_pixels_are_stepped_over(tmp_path, syntax):
    data = image(planes()[0], syntax=syntax)
    plant(data, series=1, instance=1)
    inner = Dataset()
    inner.add_new(0x00280010, "US", 999)  # an icon's own Rows
    inner.is_undefined_length_sequence_item = True
    data.add_new(0x00082112, "SQ", [inner, inner])
    data["SourceImageSequence"].is_undefined_length = True
    deep = inner
    for _ in range(8):
        outer = Dataset()
        outer.add_new(0x00081115, "SQ", [deep])
        outer["ReferencedSeriesSequence"].is_undefined_length = True
        outer.is_undefined_length_sequence_item = True
        deep = outer
    data.add_new(0x00081250, "SQ", [deep])
    data["RelatedSeriesSequence"].is_undefined_length = True
    data.add_new(0x00091001, "UN", bytes(300_000))
    header = read_header(save(data, tmp_path / "a.dcm"), namespace="here")
    assert (header.rows, header.columns, header.slope, header.intercept) == (6, 4, 1, -1000)
    assert header.position_mm == (-10, -20, 30)


def test_a_header_without_end_is_refused_and_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid_ct.dicom.elements.LONGEST_HEADER", 1 << 16)
    data = image(planes()[0])
    data.add_new(0x00091001, "UN", bytes(1 << 20))
    assert "header is longer than" in told(save(data, tmp_path / "a.dcm"))


def test_sequences_nested_without_end_are_refused(tmp_path):
    data = image(planes()[0])
    path = save(data, tmp_path / "a.dcm")
    whole = path.read_bytes()
    at = whole.index(struct.pack("<HH", 0x0008, 0x0008))
    opened = struct.pack("<HH2sHI", 0x0008, 0x0006, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    path.write_bytes(whole[:at] + opened * 5000 + whole[at:])
    assert "sequences lie more than 16 deep" in told(path)


def test_pixels_of_a_type_that_pixels_do_not_have_are_refused(tmp_path):
    path = save(image(planes()[0]), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x10\x00UT"))
    assert "PixelData (7FE0,0010) is of a type that pixels do not have" in told(path)


def test_elements_of_another_syntax_than_the_one_named_are_refused_by_their_place(tmp_path):
    data = image(planes()[0], syntax="implicit")
    path = save(data, tmp_path / "a.dcm")
    old, new = b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0"
    content = path.read_bytes()
    at = content.index(old)
    path.write_bytes(content[: at - 2] + struct.pack("<H", len(new)) + new + content[at + len(old) :])
    assert "no valid element begins at byte" in told(path)


# --- identity ---------------------------------------------------------------------------------------------------------


def _damages():
    """Ways to make a reader complain, each of an image full of planted values."""
    planted = "QZXJWK^PLANTED"
    for keyword in ("Modality", "PhotometricInterpretation", "RescaleType", "ImageType"):
        yield {keyword: planted}
    for keyword in (
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
        "ImagePositionPatient",
        "ImageOrientationPatient",
    ):
        yield {keyword: planted.encode()}
        yield {keyword: b"19030517"}
    for keyword in (
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "SamplesPerPixel",
    ):
        yield {keyword: planted.encode()}
        yield {keyword: b"QZ"}
    for keyword in ("PatientID", "SeriesInstanceUID", "FrameOfReferenceUID", "PixelData", "SOPClassUID"):
        yield {keyword: ABSENT}
        if keyword != "PixelData":
            yield {keyword: planted + "2"}


def test_nothing_of_a_person_is_in_the_volume_its_records_or_any_message(tmp_path, caplog):
    caplog.set_level(0)
    stored = planes(6)
    paths = stack(tmp_path, stored)
    assert plant_everywhere(tmp_path, series=3) >= 200
    scan = read_series(tmp_path, namespace="here")
    np.testing.assert_array_equal(scan.hu, stored - 1000.0)
    header = read_header(paths[0], namespace="here")
    said = [repr(scan), repr(header), repr(find_series(tmp_path, namespace="here")), str(scan.__dict__)]

    whole = paths[2].read_bytes()
    messages = 0
    for elements in _damages():
        paths[2].write_bytes(whole)
        data = pydicom.dcmread(paths[2])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for keyword, value in elements.items():
                if value is ABSENT:
                    delattr(data, keyword)
                elif isinstance(value, bytes):
                    tag = pydicom.tag.Tag(keyword)
                    value += b" " * (len(value) % 2)
                    data[keyword] = pydicom.dataelem.RawDataElement(
                        tag, data[keyword].VR, len(value), value, 0, False, True
                    )
                else:
                    setattr(data, keyword, value)
            data.save_as(paths[2], enforce_file_format=keyword != "SOPClassUID")
        for read in (read_series, find_series, lambda path, namespace: read_header(paths[2], namespace=namespace)):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                caplog.clear()
                try:
                    said.append(repr(read(tmp_path, namespace="here")))
                except DataError as error:
                    messages += 1
                    said.append(repr(error) + repr(error.__cause__))
            said += [str(warning.message) for warning in warned] + [caplog.text]
    for size in range(132, len(whole), 37):
        paths[2].write_bytes(whole[:size])
        with pytest.raises(DataError) as caught:
            read_series(tmp_path, namespace="here")
        messages += 1
        said.append(str(caught.value))
    assert messages > 60
    assert not [text for text in said if SIGNS.search(text.encode())]
