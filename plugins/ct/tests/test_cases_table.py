"""The table of cases: what is read, and every way in which it is refused before an image is opened."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pellucid.errors import DataError
from pellucid_ct.cases.table import read_cases

LABELS = {"malignant": (0.0, 1.0), "growth": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.nii", "b.nii", "m.nii", "n.nii"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "cases.csv").write_text(text, encoding="utf-8")
    return folder


def test_rows_are_read_with_their_lines(folder):
    write(folder, "subject,image,mask,lesion,malignant,growth,note\n7,a.nii,m.nii,2,1,0.25,x\n\n8,b.nii,n.nii,,,,\n")
    one, other = read_cases(folder, LABELS)
    assert (one.line, one.subject, one.image, one.mask, one.lesion) == (2, "7", folder / "a.nii", folder / "m.nii", 2)
    assert one.labels == {"malignant": 1.0, "growth": 0.25}
    assert (other.line, other.lesion) == (4, None)
    assert math.isnan(other.labels["malignant"])
    assert math.isnan(other.labels["growth"])


def test_a_spreadsheets_byte_order_mark_is_no_part_of_a_name(folder):
    (folder / "cases.csv").write_text("image,mask\na.nii,m.nii\n", encoding="utf-8-sig")
    (case,) = read_cases(folder, {})
    assert case.subject is None


def test_a_column_of_labels_may_be_absent(folder):
    (case,) = read_cases(write(folder, "image,mask\na.nii,m.nii\n"), LABELS)
    assert math.isnan(case.labels["malignant"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cases.csv: is empty"),
        ("image,mask\n", "no rows"),
        ("imag,mask\na.nii,m.nii\n", "no column 'image'; did you mean 'imag'"),
        ("image,mask,mask\na.nii,m.nii,m.nii\n", "'mask' stands more than once"),
        ("image,mask\na.nii\n", "line 2: 1 cells, but the header has 2"),
        ("image,mask\na.nii,m.nii\n,m.nii\n", "line 3, column 'image': is empty"),
        ("image,mask\nz.nii,m.nii\n", "line 2, column 'image': z.nii does not exist"),
        ("image,mask\na.nii," + "m" * 5000 + "\n", "does not exist"),
        ("image,mask\na.nii,m\0.nii\n", "does not exist|comma-separated"),
        ("image,mask,lesion\na.nii,m.nii,0\n", "column 'lesion': is 0, expected the number"),
        ("image,mask,lesion\na.nii,m.nii,1.5\n", "column 'lesion': is 1.5"),
        ("image,mask,lesion\na.nii,m.nii,70000\n", "column 'lesion': is 70000"),
        ("image,mask,malignant\na.nii,m.nii,2\n", "column 'malignant': is 2; write 0 or 1"),
        ("image,mask,malignant\na.nii,m.nii,yes\n", "column 'malignant': is no number"),
        ("image,mask,growth\na.nii,m.nii,inf\n", "column 'growth': is no number; write a number"),
        ("image,mask,lesion\na.nii,m.nii,1\na.nii,m.nii,1\n", "line 3: names lesions that line 2"),
        ("image,mask,lesion\na.nii,m.nii,1\na.nii,m.nii,\n", "line 3: names lesions that line 2"),
        ("image,mask,lesion\na.nii,m.nii,\na.nii,m.nii,4\n", "line 3: names lesions that line 2"),
        ("image,mask,subject\na.nii,m.nii,1\na.nii,n.nii,2\n", "line 3: the image of line 2, but another subject"),
        ("image,mask,malignant\na.nii,m.nii,0_1\n", "column 'malignant': is no number"),
        ("image;mask\na.nii;m.nii\n", "no column 'image', as semicolons part its columns"),
        ("image\tmask\na.nii\tm.nii\n", "as tabs part its columns"),
        ("image,mask,Malignant\na.nii,m.nii,1\n", "column 'Malignant' is to be written 'malignant'"),
        ('image,mask\n"a.nii,m.nii\n', "line 2: is no row of a comma-separated table"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(folder, text, told):
    with pytest.raises(DataError, match=told) as refusal:
        read_cases(write(folder, text), LABELS)
    assert "cases.csv" in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "image,mask,lesion\na.nii,m.nii,Doe\n",
        "image,mask,malignant\na.nii,m.nii,Doe\n",
        "Doe,m.nii\na.nii,m.nii\n",
    ],
    ids=["lesion", "label", "no header"],
)
def test_a_name_in_a_slipped_cell_is_not_quoted(folder, text):
    with pytest.raises(DataError) as refusal:
        read_cases(write(folder, text), LABELS)
    assert "Doe" not in str(refusal.value)


def test_a_table_that_is_no_text_is_refused(folder):
    (folder / "cases.csv").write_bytes(b"image,mask\n\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        read_cases(folder, {})


def test_a_folder_without_a_table_says_what_belongs_in_it(tmp_path):
    with pytest.raises(DataError, match=r"no cases.csv here. It has one row"):
        read_cases(tmp_path, {})
