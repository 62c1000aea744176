"""Files that cannot be right are refused in one sentence, without reading or allocating what they claim."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from written_edf import MARK, edit, field_at, random_signals, timed, write

from pellucid.errors import DataError
from pellucid_eeg.edf_files.headers import read_header
from pellucid_eeg.edf_files.reading import open_checked, open_edf, read_edf


def refused(path: Path, **options: object) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            read_edf(path, **options)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert path.name in message
    assert MARK not in message
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize("width", [2, 3])
def test_a_file_of_another_size_than_it_says_is_refused_or_read_as_far_as_it_goes(tmp_path, width):
    signals = random_signals(3, 4, 50, width=width)
    path = write(tmp_path / "a.edf", signals, width=width)
    content, record = path.read_bytes(), 150 * width
    whole = read_edf(path).signals_uv
    for other, there, tail in (
        (content[:-1], 3, record - 1),
        (content[: -2 * record], 2, 0),
        (content + content[-record:], 5, 0),
        (content + b"1", 4, 1),
    ):
        path.write_bytes(other)
        told = refused(path)
        assert f"says 4 records, and it has {there}" in told
        assert ("cut short" in told) == (there < 4)
        assert (f"and {tail:,} bytes" in told) == bool(tail)
        got, doubts = open_checked(path, records="file")
        assert got.length == there * 50
        count = min(there, 4) * 50
        assert np.array_equal(got.samples_uv(0, count), whole[:, :count])
        assert [one.what for one in doubts] == (
            ["the file has another number of records than it says"] * (there != 4)
            + ["the last record is cut short"] * bool(tail)
        )
    path.write_bytes(content[: 1024 + record - 1])
    assert "no whole record" in refused(path, records="file")
    assert "give 'header' or 'file'" in refused(path, records="both")


def test_where_the_number_of_records_is_open_the_file_has_it(tmp_path):
    path = write(tmp_path / "a.edf", random_signals(2, 4, 50), records=-1)
    assert open_edf(path).length == 200
    path.write_bytes(path.read_bytes()[:-30])
    got, doubts = open_checked(path)
    assert got.length == 150
    assert [(one.what, one.where, one.done) for one in doubts] == [
        ("the last record is cut short", "170 bytes", "left out")
    ]


@pytest.mark.parametrize(
    ("at", "text", "told"),
    [
        (0, "1", "no EDF or BDF file"),
        (0, MARK, "no EDF or BDF file"),
        (184, "512", "a header of 512 bytes is announced, but 2 signals need 768"),
        (184, MARK, "the size of the header is no whole number"),
        (236, "-2", "-2 records"),
        (236, "99999999", "says 99,999,999 records"),
        (236, "", "the number of records is no whole number"),
        (244, "0", "records last 0 s"),
        (244, "-1", "4 records of -1 s"),
        (244, "1,5", "is no number (EDF has a point where this has a comma)"),
        (244, MARK, "the duration of a record is no number"),
        (244, "nan", "the duration of a record is no number"),
        (244, "1e99", "the duration of a record is no number"),
        (field_at(2, "pmin", 1), "500", "signal 2: physical values from 500 to 500"),
        (field_at(2, "pmin"), MARK, "signal 1: the physical min is no number"),
        (field_at(2, "pmax"), "inf", "signal 1: the physical max is no number"),
        (field_at(2, "dmin"), "-32769", "signal 1: digital values from -32769"),
        (field_at(2, "dmax"), "32768", "to 32768; expected a range within -32768 to 32767"),
        (field_at(2, "dmin", 1), "32767", "signal 2: digital values from 32767 to 32767"),
        (field_at(2, "dmin"), "1.5", "signal 1: the digital min is no whole number"),
        (field_at(2, "samples", 1), "0", "signal 2: 0 samples"),
        (field_at(2, "samples", 1), "-5", "signal 2: -5 samples"),
        (field_at(2, "samples", 1), "99999999", "says 4 records, and it has 0"),
        (field_at(2, "samples"), MARK, "signal 1: the samples in a record is no whole number"),
    ],
)  # fmt: skip
def test_headers_that_cannot_be_right_are_refused(tmp_path, at, text, told):
    path = write(tmp_path / "a.edf", random_signals(2, 4, 50))
    read_edf(path)
    edit(path, at, text)
    if "samples" in told and "99999999" in text:
        assert told in refused(path)
    else:
        assert told in refused(path, **({"rate_hz": 50} if at >= 256 else {}))


@pytest.mark.parametrize("number", ["0", "-1", "9999", "3", "1", "x", ""])
def test_a_wrong_number_of_signals_is_refused(tmp_path, number):
    path = write(tmp_path / "a.edf", random_signals(2, 4, 50))
    edit(path, 252, number, 4)
    refused(path)


@pytest.mark.parametrize("size", [0, 1, 8, 100, 255, 256, 300, 767])
def test_a_file_that_ends_inside_its_header_is_refused(tmp_path, size):
    path = write(tmp_path / "a.edf", random_signals(2, 4, 50))
    path.write_bytes(path.read_bytes()[:size])
    assert "ends inside" in refused(path) or size < 8


def test_what_is_no_file_is_refused(tmp_path):
    path = tmp_path / "a.edf"
    assert "there is no such file" in refused(path)
    path.mkdir()
    assert "no ordinary file" in refused(path)
    os.mkfifo(tmp_path / "b.edf")
    assert "no ordinary file" in refused(tmp_path / "b.edf")


def test_a_file_of_annotations_alone_has_no_signals(tmp_path):
    path = write(tmp_path / "a.edf", [], annotations=timed(3), reserved="EDF+C", record_s="0")
    assert read_header(path).record_s == 0
    assert "no signals to read" in refused(path)


def test_samples_that_are_not_there_are_refused(tmp_path):
    lazy = open_edf(write(tmp_path / "a.edf", random_signals(2, 4, 50)))
    for start, stop in ((0, 201), (-1, 5), (5, 5), (9, 2), (10**15, 10**15 + 1)):
        with pytest.raises(DataError, match="the recording has 200"):
            lazy.samples_uv(start, stop)
    with pytest.raises(DataError, match="there are 200"):
        lazy.signals.read(0, 201)
