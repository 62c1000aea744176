from __future__ import annotations

import gzip
import struct

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_phantoms import PHANTOM

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.phantom import ORIENTATIONS, oriented, write_nifti, write_nifti_mask
from pellucid_ct.scans.nifti import read_nifti, read_nifti_mask

AFFINE = np.array([[-0.7, 0, 0, 30], [0, -0.8, 0, 40], [0, 0, 2.5, -100], [0, 0, 0, 1.0]])


def save(path, values=None, affine=AFFINE, *, kind=nibabel.Nifti1Image, codes=(1, 1), change=None):
    values = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3) - 1000 if values is None else values
    image = kind(values, affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    if change:
        change(image.header)
    image.to_filename(path)
    return path


def read(path):
    return read_nifti(path, subject="Anna", namespace="here")


def patched(path, offset, kind, *values):
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, offset, *values)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", ">f8", "<u1"])
def test_values_and_places_are_those_nibabel_gives(tmp_path, kind, name, dtype):
    values = np.arange(60).reshape(5, 4, 3).astype(dtype)
    image = kind(values, AFFINE, kind.header_class(endianness=dtype[0]))
    image.header.set_data_dtype(dtype)
    image.header.set_slope_inter(2.0, -1024.0)
    image.set_sform(AFFINE, 2)
    image.to_filename(tmp_path / name)
    theirs, ours = nibabel.load(tmp_path / name), read(tmp_path / name)
    assert np.array_equal(ours.hu.T, theirs.get_fdata())
    assert ours.hu.dtype == np.float32
    for index in ((0, 0, 0), (4, 3, 2), (1, 2, 0)):
        x, y, z = nibabel.affines.apply_affine(theirs.affine, index)
        assert ours.geometry.positions_mm(index[::-1]) == pytest.approx([-x, -y, z])
    assert ours.geometry.spacing_mm == pytest.approx((2.5, 0.8, 0.7))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_left_stays_left(tmp_path, orientation):
    scan, mask = PHANTOM.scan((6.0, 4.0, 4.0))
    turned, drawn = oriented(scan, mask, orientation)
    write_nifti(tmp_path / "a.nii.gz", turned)
    write_nifti_mask(tmp_path / "m.nii.gz", drawn)
    assert np.array_equal(read(tmp_path / "a.nii.gz").canonical().hu, scan.hu)
    assert np.array_equal(read_nifti_mask(tmp_path / "m.nii.gz").on(scan).labels, mask.labels)
    x = nibabel.load(tmp_path / "a.nii.gz").affine @ [0, 0, 0, 1]
    assert x[:3] * [-1, -1, 1] == pytest.approx(turned.geometry.origin_mm)


def test_the_qform_is_read_where_there_is_no_sform(tmp_path):
    both, one = save(tmp_path / "a.nii"), save(tmp_path / "b.nii", codes=(0, 1))
    assert read(one).geometry.positions_mm((1, 2, 3)) == pytest.approx(read(both).geometry.positions_mm((1, 2, 3)))


def test_the_subject_is_a_pseudonym_and_no_text_of_the_header_is_kept(tmp_path):
    def name(header):
        header["descrip"], header["db_name"], header["intent_name"] = b"DOE^JANE", b"DOE^JANE", b"DOE^JANE"

    volume = read(save(tmp_path / "a.nii", change=name))
    assert volume.subject == pseudonym("Anna", "here")
    assert "DOE" not in repr(volume)
    assert "Anna" not in repr(volume)
    # A series is known by what it holds, not by the name of its file.
    assert volume.series == read(save(tmp_path / "b.nii")).series
    assert volume.series != read(save(tmp_path / "c.nii", np.arange(60, dtype=np.int16).reshape(5, 4, 3) - 9)).series


def test_one_frame_of_four_dimensions_is_a_volume(tmp_path):
    values = np.arange(60, dtype=np.int16).reshape(5, 4, 3, 1) - 1000
    assert np.array_equal(read(save(tmp_path / "a.nii", values)).hu.T, values[..., 0])
    with pytest.raises(DataError, match=r"a.nii: holds 2 volumes"):
        read(save(tmp_path / "a.nii", np.zeros((5, 4, 3, 2), np.int16)))


SHEARED = AFFINE.copy()
SHEARED[0, 1] = 0.1
OBLIQUE = AFFINE.copy()
OBLIQUE[:3, :3] = [[np.cos(0.1), -np.sin(0.1), 0], [np.sin(0.1), np.cos(0.1), 0], [0, 0, 1]] @ AFFINE[:3, :3]
NAN = np.full((5, 4, 3), 7, np.float32)
NAN[2, 2] = np.nan


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda p: save(p, affine=OBLIQUE), "oblique or tilted, 5.7 degrees"),
        (lambda p: save(p, affine=SHEARED, codes=(1, 0)), "oblique or tilted"),
        (lambda p: save(p, codes=(0, 0)), "'sform_code' and 'qform_code' are both 0"),
        (lambda p: save(p, NAN), "3 voxels hold no number"),
        (lambda p: save(p, np.full((5, 4, 3), np.inf, np.float32)), "60 voxels hold no number"),
        (lambda p: save(p, np.random.default_rng(0).random((5, 4, 3)).astype("f4")), "no Hounsfield units"),
        (lambda p: save(p, np.zeros((5, 4), np.int16)), r"field 'dim' is \[2, 5, 4"),
        (lambda p: save(p, np.zeros((5, 4, 3), np.complex64)), "field 'datatype' is 32"),
        (lambda p: patched(save(p), 70, "<h", 1234), "field 'datatype' is 1234"),
        (lambda p: patched(save(p), 80, "<f", 0.0), "'pixdim' gives spacings of 0, 0.8, 2.5 mm"),
        (lambda p: patched(save(p), 80, "<f", float("nan")), "'pixdim' gives spacings of nan"),
        (lambda p: patched(save(p), 80, "<f", 0.9), "affine has spacings of 0.7, 0.8, 2.5 mm and field 'pixdim' 0.9"),
        (lambda p: patched(save(p), 280, "<f", float("inf")), "affine has spacings of inf"),
        (lambda p: patched(save(p), 280, "<4f", 0, 0, 0, 0), "affine has spacings of 0, 0.8"),
        (lambda p: patched(save(p, codes=(0, 1)), 256, "<3f", 3, 3, 3), "qform .* is no rotation"),
        (lambda p: patched(save(p), 123, "<B", 3), "not in millimetres"),
        (lambda p: patched(save(p), 112, "<f", float("inf")), "'scl_slope' and 'scl_inter' are inf"),
        (lambda p: patched(save(p), 42, "<3h", 32767, 32767, 32767), "promises 70362301923326 bytes"),
        (lambda p: patched(save(p), 42, "<h", -5), "field 'dim' is"),
        (lambda p: patched(save(p), 108, "<f", 1e9), "file is too short"),
        (lambda p: patched(save(p), 108, "<f", float("nan")), "field 'vox_offset' is nan"),
        (lambda p: patched(save(p), 108, "<f", -352.0), "field 'vox_offset' is -352"),
        (lambda p: patched(save(p), 108, "<f", float("inf")), "field 'vox_offset' is inf"),
        (lambda p: p.write_bytes(save(p).read_bytes()[:-1]), "file is too short"),
        (lambda p: p.write_bytes(save(p).read_bytes()[:300]), "not a NIfTI file"),
        (lambda p: p.write_bytes(b""), "not a NIfTI file"),
        (lambda p: p.write_bytes(b"\0" * 4000), "not a NIfTI file"),
        (lambda p: patched(save(p), 344, "<4s", b"ni1\0"), "not a NIfTI file"),
        (lambda p: p.mkdir(), "cannot be read: Is a directory"),
        (lambda p: None, "cannot be read: No such file"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, make, told):
    make(tmp_path / "bad.nii")
    for attempt in (read, read_nifti_mask) if "number" not in told and "Hounsfield" not in told else (read,):
        with pytest.raises(DataError, match=f"bad.nii: .*{told}"):
            attempt(tmp_path / "bad.nii")


@pytest.mark.parametrize("keep", [10, 200, 0.5, 0.98])
def test_a_truncated_compressed_file_is_refused(tmp_path, keep):
    values = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20)).astype(np.int16)
    path = save(tmp_path / "bad.nii.gz", values)
    content = path.read_bytes()
    path.write_bytes(content[: keep if keep > 1 else int(len(content) * keep)])
    with pytest.raises(
        DataError, match=r"bad.nii.gz: (cannot be read: its compressed part is broken|not a NIfTI|truncated)"
    ):
        read(path)


def test_a_compressed_file_that_promises_more_than_it_can_hold_is_refused_before_it_is_unpacked(tmp_path):
    path = patched(save(tmp_path / "bad.nii"), 42, "<3h", 32767, 32767, 1)
    (tmp_path / "bad.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match="promises 2147352578 bytes"):
        read(tmp_path / "bad.nii.gz")
    patched(path, 42, "<3h", 5, 4, 4)
    (tmp_path / "bad.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match="truncated, 120 of 160 bytes"):
        read(tmp_path / "bad.nii.gz")


@pytest.mark.parametrize("name", ["a.img", "a.hdr", "a.nrrd", "a.gz", "nii"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=rf"{name}: expected a file ending in .nii or .nii.gz"):
        read(tmp_path / name)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 351), st.integers(0, 255), st.integers(0, 351), st.integers(0, 255))
def test_mutated_headers_end_in_a_reading_or_one_clear_error(tmp_path_factory, one, value, other, second):
    path = save(tmp_path_factory.getbasetemp() / "fuzz.nii")
    content = bytearray(path.read_bytes())
    content[one], content[other] = value, second
    path.write_bytes(content)
    for attempt in (read, read_nifti_mask):
        told = "fuzz.nii: read"
        try:
            attempt(path)
        except DataError as error:
            told = str(error)
        assert told.startswith("fuzz.nii: ")


# --- masks ------------------------------------------------------------------------------------------------------------


def test_whole_numbers_are_labels_whatever_their_type(tmp_path):
    values = np.zeros((5, 4, 3))
    values[1, 2, 0], values[3, 3, 2] = 2, 65535
    for dtype in (np.uint16, np.float32, np.float64, np.int32):
        mask = read_nifti_mask(save(tmp_path / "m.nii", values.astype(dtype)))
        assert mask.labels.dtype == np.uint16
        assert np.array_equal(mask.labels.T, values)
    scaled = save(tmp_path / "m.nii", (values > 0).astype(np.uint8))
    patched(scaled, 112, "<2f", 3.0, 0.0)
    assert set(np.unique(read_nifti_mask(scaled).labels)) == {0, 3}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.5, "1 voxels are not whole numbers, the first is 0.5"),
        (np.nan, "1 voxels are not whole numbers, the first is nan"),
        (-1, "holds the value -1; expected 0 outside"),
        (65536, "holds the value 65536"),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path, value, told):
    values = np.ones((5, 4, 3), np.float32)
    values[2, 1, 1] = value
    with pytest.raises(DataError, match=f"m.nii: .*{told}"):
        read_nifti_mask(save(tmp_path / "m.nii", values))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda v: (v - v.min()).astype(np.int16), "no Hounsfield units"),
        (lambda v: v.astype(np.float32) * 1e30, "no Hounsfield units"),
    ],
    ids=["without rescale", "beyond any scale"],
)
def test_values_that_no_scan_has_are_refused(tmp_path, change, told):
    with pytest.raises(DataError, match=told):
        read(save(tmp_path / "a.nii", change(np.arange(60).reshape(5, 4, 3) - 1000)))


@pytest.mark.parametrize("factor", [1000, 1e-6])
def test_spacings_of_another_unit_are_refused(tmp_path, factor):
    affine = AFFINE.copy()
    affine[:3] *= factor
    with pytest.raises(DataError, match="another unit"):
        read(save(tmp_path / "a.nii", affine=affine))


def test_a_mask_larger_than_its_scan_is_not_unpacked(tmp_path):
    path = save(tmp_path / "m.nii", np.ones((4, 5, 6), np.uint8))
    with pytest.raises(DataError, match="more than its scan"):
        read_nifti_mask(path, most_voxels=119)
    assert read_nifti_mask(path, most_voxels=120).labels.all()


def test_a_scan_packed_denser_than_any_is_refused_before_it_is_unpacked(tmp_path):
    path = save(tmp_path / "a.nii", np.zeros((200, 200, 50), np.int16))
    packed = tmp_path / "a.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 9))
    with pytest.raises(DataError, match="too short"):
        read(packed)
