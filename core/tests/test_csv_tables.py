"""Comma-separated tables: cells and lines as written, and every refusal by file, line and column, without the cells."""

import csv

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.loading.csv_tables import MAX_CELL, read_csv


def written(folder, content):
    path = folder / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_cells_are_read_without_space_and_with_the_line_they_end_on(tmp_path):
    table = read_csv(written(tmp_path, '\ufeffname , age\n\n a ,1e2\n"two\nlines",\n'), ("name", "age"))
    assert table["name"] == ("a", "two\nlines")
    assert table.lines == (3, 5)
    assert table.where(1, "age").endswith("labels.csv, line 5, column 'age'")
    np.testing.assert_array_equal(table.numbers("age"), [100.0, np.nan])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "labels.csv: is empty"),
        ("name,age\n", "has a header and no rows"),
        ("nam,age\na,1\n", "line 1: there is no column 'name'; did you mean 'nam'"),
        ("name;age\na;1\n", "no column 'name', as semicolons part its columns"),
        ("name,age,age\na,1,2\n", "line 1: column 'age' stands more than once"),
        ("name,age\na,1\nb\n", "line 3: 1 cells, but the header has 2 columns"),
        ('name,age\n"a,1\n', "is no row of a comma-separated table"),
        (f"name,age\n{'a' * (MAX_CELL + 1)},1\n", "is no row of a comma-separated table"),
        (b"name,age\n\xff,1\n", "is no text in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_by_its_line(tmp_path, content, said):
    with pytest.raises(DataError, match=said):
        read_csv(written(tmp_path, content), ("name", "age"))


def test_a_number_is_one_of_those_allowed_or_nothing(tmp_path):
    table = read_csv(written(tmp_path, "name,label\na,1\nb,\nc,2\nd,1_0\n"))
    with pytest.raises(DataError, match="line 4, column 'label': is 2; write 0 or 1, or nothing"):
        table.numbers("label", (0, 1))
    with pytest.raises(DataError, match="line 5, column 'label': is no number; write a number"):
        table.numbers("label")
    with pytest.raises(DataError, match="line 3, column 'label': is empty"):
        table.full("label")
    with pytest.raises(DataError, match="line 3, column 'label': is empty"):
        table.numbers("label", (0, 1), blank=False)
    with pytest.raises(DataError, match="line 3, column 'name': is empty"):
        read_csv(written(tmp_path, "name,label\n1,2\n,1\n")).numbers("name", blank=False)
    with pytest.raises(DataError, match=r"line 2, column 'name': is no number; write a number$"):
        read_csv(written(tmp_path, "name\na\n")).numbers("name", blank=False)


def test_a_table_without_a_header_does_not_get_its_first_row_quoted(tmp_path):
    with pytest.raises(DataError) as refusal:
        read_csv(written(tmp_path, "Jane Doe,1950-01-01\nJohn Doe,1960-01-01\n"), ("name",))
    assert "Doe" not in str(refusal.value)


def test_the_limit_of_cells_is_put_back_for_whoever_else_reads_tables(tmp_path):
    before = csv.field_size_limit()
    read_csv(written(tmp_path, "name\na\n"))
    assert csv.field_size_limit() == before
