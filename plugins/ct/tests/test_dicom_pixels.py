"""Pixels of CT images in Hounsfield units, against pydicom's own decoding and against planted values."""

from __future__ import annotations

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import by_pydicom, image, planes, save, stack
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from pellucid.errors import DataError
from pellucid_ct.dicom.headers import read_header
from pellucid_ct.dicom.pixels import FLOOR_HU, SliceReader
from pellucid_ct.dicom.series import read_series


def hu(path: Path) -> np.ndarray:
    header = read_header(path, namespace="here")
    out = np.full((header.rows, header.columns), np.nan, np.float32)
    SliceReader(header.rows, header.columns).read(header, out)
    return out


def told(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        hu(path)
    assert caught.value.__cause__ is None
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big endian", "deflated"])
@pytest.mark.parametrize(("kind", "slope", "intercept"), [("<i2", 1, 0), ("<u2", 1, -1024), ("<i2", 0.5, -8.25)])
def test_uncompressed_pixels_equal_pydicoms(tmp_path, syntax, kind, slope, intercept):
    stored = np.random.default_rng(1).integers(-1024 if kind == "<i2" else 0, 4000, (7, 5)).astype(kind)
    data = image(stored, syntax=syntax, RescaleSlope=slope, RescaleIntercept=intercept)
    path = save(data, tmp_path / "a.dcm")
    np.testing.assert_array_equal(hu(path), stored.astype(float) * slope + intercept)
    np.testing.assert_array_equal(hu(path), by_pydicom([path])[0])


@pytest.mark.parametrize("name", ["CT_small.dcm", "J2K_pixelrep_mismatch.dcm"])
def test_files_in_pydicoms_own_wheel_equal_its_decoding(name):
    path = Path(get_testdata_file(name, download=False))
    read = hu(path)
    np.testing.assert_array_equal(read, by_pydicom([path])[0])
    assert read.std() > 100


def test_a_lossy_file_in_pydicoms_own_wheel_equals_its_decoding_but_for_padding():
    path = Path(get_testdata_file("693_J2KI.dcm", download=False))
    stored = pydicom.dcmread(path).pixel_array
    read, padded = hu(path), stored == -2000
    assert padded.any()
    np.testing.assert_array_equal(read[~padded], stored[~padded] - 1024.0)
    assert (read[padded] == FLOOR_HU).all()


@pytest.mark.parametrize("syntax", ["explicit", "big endian"])
@pytest.mark.parametrize("signed", [True, False])
def test_bits_above_those_stored_are_not_part_of_the_value(tmp_path, syntax, signed):
    low, high = (-2048, 2048) if signed else (0, 4096)
    stored = np.random.default_rng(2).integers(low, high, (9, 8))
    garbage = np.random.default_rng(3).integers(0, 16, stored.shape) << 12
    bits = ((stored & 0xFFF) | garbage).astype(np.uint16).view(np.int16 if signed else np.uint16)
    data = image(bits, syntax=syntax, BitsStored=12, HighBit=11, RescaleIntercept=0)
    np.testing.assert_array_equal(hu(save(data, tmp_path / "a.dcm")), stored)


@pytest.mark.parametrize(
    ("coding", "lossless"),
    [
        (RLELossless, True),
        (JPEGLSLossless, True),
        (JPEG2000Lossless, True),
        (JPEGLSNearLossless, False),
        (JPEG2000, False),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
@pytest.mark.parametrize(("kind", "bits"), [("<i2", 16), ("<u2", 16), ("<u2", 12), ("<i2", 12)])
def test_compressed_pixels_equal_the_uncompressed_ones(tmp_path, coding, lossless, kind, bits):
    y, x = np.mgrid[:40, :48]
    low = 0 if kind == "<u2" else -1024
    stored = (low + 1500 + 800 * np.sin(x / 5) * np.cos(y / 7) + np.random.default_rng(4).normal(0, 9, x.shape)).astype(
        kind
    )
    data = image(stored, BitsStored=bits, HighBit=bits - 1)
    plain = hu(save(data, tmp_path / "plain.dcm"))
    options = {JPEGLSNearLossless: {"jls_error": 3}, JPEG2000: {"j2k_cr": [4]}}.get(coding, {})
    try:
        data.compress(coding, generate_instance_uid=False, **options)
    except (RuntimeError, ValueError) as error:
        pytest.skip(f"no encoder of {coding.name} for {kind} with {bits} bits: {str(error)[:80]}")
    path = save(data, tmp_path / "coded.dcm")
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == coding
    np.testing.assert_array_equal(plain, stored - 1000.0)
    if lossless:
        np.testing.assert_array_equal(hu(path), plain)
    else:
        assert 0 < np.abs(hu(path) - plain).max() < 60


def test_a_series_may_be_compressed_in_part(tmp_path):
    stored = planes(4, 32, 32)

    def code(number, data):
        if number % 2:
            data.compress(RLELossless, generate_instance_uid=False)

    stack(tmp_path, stored, change=code)
    np.testing.assert_array_equal(read_series(tmp_path, namespace="here").hu, stored - 1000.0)


@pytest.mark.parametrize("syntax", ["explicit", "big endian", "implicit"])
def test_padding_below_the_scale_becomes_its_floor_and_nothing_else_does(tmp_path, syntax):
    stored = np.array([[-2000, -2000, -1999], [-24, 0, 2000]], np.int16)
    data = image(stored, syntax=syntax, RescaleIntercept=-1024)
    data.add_new(0x00280120, "SS", -2000)
    expected = [[-1024, -1024, -3023], [-1048, -1024, 976]]
    np.testing.assert_array_equal(hu(save(data, tmp_path / "a.dcm")), expected)
    # Some writers type the value as without a sign, as the pixels are not.
    data["PixelPaddingValue"].VR = "US"
    data["PixelPaddingValue"].value = 63536
    np.testing.assert_array_equal(hu(save(data, tmp_path / "b.dcm")), expected)
    data.add_new(0x00280121, "SS", -1999)
    expected[0][2] = -1024
    np.testing.assert_array_equal(hu(save(data, tmp_path / "c.dcm")), expected)


def test_padding_that_may_be_a_measurement_is_left_alone(tmp_path):
    stored = np.array([[0, 40], [-900, 0]], np.int16)
    data = image(stored, RescaleIntercept=0)
    data.add_new(0x00280120, "SS", 0)  # water, as this file has it
    np.testing.assert_array_equal(hu(save(data, tmp_path / "a.dcm")), stored)


def test_padding_that_does_not_fit_into_the_bits_stored_is_still_padding(tmp_path):
    stored = np.array([[63536, 24], [1064, 63536]], np.uint16)
    data = image(stored, BitsStored=12, HighBit=11, RescaleIntercept=-1024)
    data.add_new(0x00280120, "US", 63536)
    np.testing.assert_array_equal(hu(save(data, tmp_path / "a.dcm")), [[-1024, -1000], [40, -1024]])


def test_the_highest_value_that_fits_is_a_measurement_and_the_next_one_padding(tmp_path):
    for value, expected in ((4095, 3071), (4096, FLOOR_HU)):
        data = image(np.array([[value, 24]], np.uint16), BitsStored=12, HighBit=11, RescaleIntercept=-1024)
        data.add_new(0x00280120, "US", value)
        np.testing.assert_array_equal(hu(save(data, tmp_path / "a.dcm")), [[expected, -1000]])
    for value, expected in ((2047, 2047), (2048, FLOOR_HU)):
        data = image(np.array([[value, 24]], np.int16), BitsStored=12, HighBit=11, RescaleIntercept=0)
        data.add_new(0x00280120, "SS", value)
        np.testing.assert_array_equal(hu(save(data, tmp_path / "b.dcm")), [[expected, 24]])


def test_a_slice_of_nothing_but_padding_is_read(tmp_path):
    data = image(np.full((3, 3), -2000, np.int16), RescaleIntercept=-1024)
    data.add_new(0x00280120, "SS", -2000)
    assert (hu(save(data, tmp_path / "a.dcm")) == -1024).all()


def test_values_without_their_sign_are_noticed(tmp_path):
    stored = np.array([[-1000, 40], [0, 3]], np.int16).view(np.uint16)
    message = told(save(image(stored, RescaleIntercept=0), tmp_path / "a.dcm"))
    assert "65535" not in message
    assert "values run from 0 to 64536 HU" in message
    assert "PixelRepresentation (0028,0103" in message


def test_values_with_a_sign_that_they_do_not_have_are_noticed(tmp_path):
    stored = np.array([[0, 40_000], [20, 3]], np.uint16).view(np.int16)
    assert "values run from -26536 to -980 HU" in told(save(image(stored), tmp_path / "a.dcm"))


# --- damaged pixels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big endian"])
@pytest.mark.parametrize("cut", [1, 30, 47])
def test_truncated_pixels_are_said_with_how_much_is_missing(tmp_path, syntax, cut):
    path = save(image(planes()[0], syntax=syntax), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-cut])
    message = told(path)
    assert f"PixelData (7FE0,0010) is truncated: {cut} bytes are missing" in message


def test_a_deflated_file_that_is_damaged_or_changes_is_refused(tmp_path):
    stored = np.random.default_rng(0).integers(0, 4000, (200, 200)).astype(np.int16)
    path = save(image(stored, syntax="deflated"), tmp_path / "a.dcm")
    whole, header, out = path.read_bytes(), read_header(path, namespace="here"), np.empty(stored.shape, np.float32)
    # Cut, of no known kind of block after the file's own group, of another syntax, not DICOM.
    for content, words in (
        (whole[:-5000], "PixelData (7FE0,0010) is truncated"),
        (whole[: 144 + int.from_bytes(whole[140:144], "little")] + b"\xff" * 500, "its deflate stream is damaged"),
        (save(image(stored), tmp_path / "b.dcm").read_bytes(), "changed while it was being read"),
        (b"", "changed while it was being read"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            SliceReader(*stored.shape).read(header, out)
        assert words in str(caught.value)


@pytest.mark.parametrize("coding", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_truncated_compressed_pixels_are_refused_without_a_warning(tmp_path, coding, caplog):
    stored = np.random.default_rng(0).integers(0, 1000, (32, 32)).astype(np.int16)
    data = image(stored)
    data.compress(coding, generate_instance_uid=False)
    path = save(data, tmp_path / "a.dcm")
    whole = path.read_bytes()
    start = read_header(path, namespace="here").pixels_at
    for size in (start + 4, start + 30, start + 200, (start + len(whole)) // 2):
        path.write_bytes(whole[:size])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert "PixelData (7FE0,0010)" in told(path)
    assert not caplog.records


@pytest.mark.parametrize("coding", [JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.name)
def test_a_picture_of_another_size_than_the_header_says_is_refused_before_decoding(tmp_path, coding, monkeypatch):
    data = image(np.arange(32 * 40, dtype=np.int16).reshape(32, 40))
    data.compress(coding, generate_instance_uid=False)
    data.Rows = 31
    path = save(data, tmp_path / "a.dcm")
    monkeypatch.setattr("pydicom.pixels.get_decoder", lambda uid: pytest.fail("decoding was begun"))
    assert (
        "a picture of 32 x 40 pixels and 1 channel(s), but Rows (0028,0010) and Columns (0028,0011) say 31 x 40"
        in told(path)
    )


def test_fragments_that_hold_no_picture_are_refused(tmp_path):
    data = image(planes()[0])
    data.file_meta.TransferSyntaxUID = JPEGLSLossless
    data.PixelData = encapsulate([b"nothing that a decoder knows"])
    data["PixelData"].is_undefined_length = True
    assert "holds no picture coded as JPEG-LS Lossless" in told(save(data, tmp_path / "a.dcm"))


def test_a_coding_without_a_decoder_says_what_to_install(tmp_path, monkeypatch):
    class Missing:
        is_available = False

    data = image(np.zeros((64, 64), np.int16))
    data.compress(JPEG2000Lossless, generate_instance_uid=False)
    path = save(data, tmp_path / "a.dcm")
    monkeypatch.setattr("pydicom.pixels.get_decoder", lambda uid: Missing())
    assert "pip install pylibjpeg pylibjpeg-openjpeg" in told(path)


def test_a_huge_volume_from_small_compressed_files_is_refused_before_it_is_made(tmp_path):
    def blow(number, data):
        data.compress(RLELossless, generate_instance_uid=False)
        data.Rows = data.Columns = 4096

    stack(tmp_path, planes(3, 8, 8), change=blow)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="3 slices of 4096 x 4096 pixels cannot come from"):
            read_series(tmp_path, namespace="here")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
