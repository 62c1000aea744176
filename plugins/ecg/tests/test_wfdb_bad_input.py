"""Records that cannot be right are refused in one sentence, without reading or allocating what they claim."""

from __future__ import annotations

import errno
import math
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from wfdb.io._signal import _required_byte_num
from written_wfdb import edit, write

from pellucid.errors import DataError
from pellucid_ecg.wfdb_files import reading
from pellucid_ecg.wfdb_files.data_files import data_files, length_of
from pellucid_ecg.wfdb_files.headers import read_header
from pellucid_ecg.wfdb_files.reading import read_record


def refused(path: Path, **options: object) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            read_record(path, **options)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert path.name in message
    assert "Traceback" not in message
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize("fmt", ["16", "212", "80", "24", "32"])
@pytest.mark.parametrize("signals", [1, 3])
def test_data_of_another_size_than_the_header_says_are_refused(tmp_path, fmt, signals):
    path = write(tmp_path, fmt=fmt, signals=signals)
    data = Path(f"{path}.dat")
    content = data.read_bytes()
    for other in (
        content[:-2],
        content[: len(content) // 2],
        b"",
        content + content[: max(len(content) // 101 + 1, 4)],
    ):
        data.write_bytes(other)
        told = refused(path)
        assert "do not belong together" in told
        assert f"has {len(other):,}" in told
    data.write_bytes(content)
    read_record(path)


def test_a_last_block_that_is_filled_up_is_no_other_size(tmp_path):
    path = write(tmp_path, fmt="212", signals=1, length=101)
    expected = read_record(path).signals
    data = Path(f"{path}.dat")
    assert len(data.read_bytes()) == 152
    data.write_bytes(data.read_bytes() + b"\0")
    assert np.array_equal(read_record(path).signals, expected)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (" 250 101", " 250 1000000000000", "do not belong together"),
        (" 250 101", " 250 999999999999999999", "do not belong together"),
        (".dat 16 ", ".dat 16x1000000000 ", "do not belong together"),
        (".dat 16 ", ".dat 16:1000000000 ", "shifted by more"),
        (".dat 16 ", ".dat 16+1000000000 ", "do not belong together"),
        (".dat 16 ", ".dat 17 ", "format 17 is none of WFDB's"),
        (".dat 16 ", ".dat 212 ", "do not belong together"),
        (".dat 16 ", ".dat 8 ", "do not belong together"),
        (".dat 16 ", ".dat 516 ", "wfdb"),
        ("r1.dat", "r2.dat", "'r2.dat' is not in"),
        ("r1.dat", "../r1.dat", "not beside it"),
        ("r1.dat", "/etc/passwd", "not beside it"),
        ("r1.dat", "..\\r1.dat", "not beside it"),
        ("r1.dat", "..", "not beside it"),
        ("r1.dat", "-", "without a file"),
        ("r1.dat", "~", "without a file"),
        ("200.0(0)/mV", "0(0)/mV", "gain of 0"),
    ],
)
def test_headers_that_cannot_be_right_are_refused(tmp_path, old, new, told):
    path = write(tmp_path)
    edit(path, (old, new))
    assert told in refused(path)


@pytest.mark.parametrize("fmt", ["8", "16", "24", "32", "61", "80", "160", "212", "310", "311"])
@pytest.mark.parametrize("frames", [6, 101])
def test_the_bytes_of_every_format_are_those_that_wfdb_counts(tmp_path, fmt, frames):
    path = tmp_path / "r1"
    needed = _required_byte_num("read", fmt, 3 * frames)
    (tmp_path / "r1.hea").write_text(f"r1 3 250 {frames}\n" + f"r1.dat {fmt} 200\n" * 3)
    header = read_header(path)
    for size, fits in ((needed, True), (needed - 1, False), (needed + 3 * math.ceil(needed / frames / 3) + 4, False)):
        (tmp_path / "r1.dat").write_bytes(bytes(size))
        files = data_files(f"{path}.hea", header)
        if fits:
            assert length_of(f"{path}.hea", header, files) == frames
            assert length_of(f"{path}.hea", replace(header, length=None), files) == frames
        else:
            with pytest.raises(DataError, match="do not belong together"):
                length_of(f"{path}.hea", header, files)


@pytest.mark.parametrize("fmt", ["508", "516", "524"])
def test_flac_that_cannot_hold_so_much_is_refused_before_it_is_opened(tmp_path, fmt):
    path = write(tmp_path)
    edit(path, (".dat 16 ", f".dat {fmt} "), (" 250 101", " 250 1000000000000"))
    assert "cannot be" in refused(path)


@pytest.mark.parametrize(
    ("signals", "offset", "most"), [(1, 0, 40_000), (8, 0, 5_000), (1, 36, 4_000), (1, 40, 0), (1, 99, 0)]
)
def test_flac_holds_a_thousand_samples_a_byte_behind_its_offset_at_most(tmp_path, signals, offset, most):
    (tmp_path / "r1.dat").write_bytes(bytes(40))

    def length(frames: int | None) -> int:
        said = "" if frames is None else f" {frames}"
        (tmp_path / "r1.hea").write_text(f"r1 {signals} 250{said}\n" + f"r1.dat 516+{offset} 200\n" * signals)
        path, header = f"{tmp_path / 'r1'}.hea", read_header(tmp_path / "r1")
        return length_of(path, header, data_files(path, header))

    if most:
        assert length(most) == most
    for frames in (most + 1, None):
        with pytest.raises(DataError, match=r"FLAC of 40 bytes, which cannot be"):
            length(frames)


def test_a_data_file_that_is_none_is_refused(tmp_path):
    path = write(tmp_path)
    data = Path(f"{path}.dat")
    data.unlink()
    assert "fetch the record again" in refused(path)
    os.mkfifo(data)
    assert "no ordinary file" in refused(path)
    data.unlink()
    data.mkdir()
    assert "no ordinary file" in refused(path)


def test_data_that_a_disk_cannot_give_or_that_shrink_while_they_are_read_are_one_error(tmp_path, monkeypatch):
    path, whole = write(tmp_path), reading.read_samples

    def broken(*_: object) -> np.ndarray:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(reading, "read_samples", broken)
    assert f"r1.dat cannot be read ({os.strerror(errno.EIO)}); fetch it again" in refused(path)
    monkeypatch.setattr(reading, "read_samples", lambda *given: whole(*given)[:-1])
    assert "r1.dat became shorter while it was read" in refused(path)
    monkeypatch.setattr(reading, "read_samples", whole)
    assert read_record(path).length == 101


def test_signals_of_one_file_agree_and_stand_together(tmp_path):
    lines = {"a": "a.dat 16 200 16 0 0 0 0 A", "b": "b.dat 16 200 16 0 0 0 0 B", "c": "a.dat 16+2 200 16 0 0 0 0 C"}
    for name in ("a.dat", "b.dat"):
        (tmp_path / name).write_bytes(bytes(40))
    path = tmp_path / "r1"
    for chosen, told in (("aba", "stand together"), ("ac", "different formats or offsets"), ("", "no signals")):
        (tmp_path / "r1.hea").write_text("\n".join([f"r1 {len(chosen)} 250 10", *[lines[one] for one in chosen]]))
        assert told in refused(path)


def test_a_record_without_samples_is_refused(tmp_path):
    path = write(tmp_path)
    Path(f"{path}.dat").write_bytes(b"")
    edit(path, (" 250 101", " 250"))
    assert "no samples" in refused(path)
    Path(f"{path}.dat").write_bytes(b"12345")
    assert "no samples" in refused(path)


def test_parts_and_leads_that_are_not_there_are_refused(tmp_path):
    path = write(tmp_path)
    for start, stop in ((0, 102), (-1, 5), (5, 5), (9, 2), (101, None), (10**15, None)):
        assert "the record has 101" in refused(path, start=start, stop=stop)
    assert "did you mean 'L2'" in refused(path, leads=["L22"])
    edit(path, (" L1\n", " L2\n"))
    assert "has 2 leads 'L2'" in refused(path, leads=["L2"])


def test_signals_of_different_units_are_read_by_their_names_only(tmp_path):
    path = write(tmp_path)
    text = Path(f"{path}.hea").read_text()
    Path(f"{path}.hea").write_text(text.replace("/mV", "/mmHg", 1))
    told = refused(path)
    assert "'L0' in 'mmHg'" in told
    assert read_record(path, leads=["L2", "L1"]).units == "mV"
    assert read_record(path, leads=["L0"]).units == "mmHg"


def test_what_the_wfdb_package_raises_is_one_data_error_without_its_words(tmp_path, monkeypatch):
    import wfdb

    path = write(tmp_path, fmt="24")

    def raises(*_: object, **__: object) -> None:
        raise KeyError("recorded on 1.1.1950")

    monkeypatch.setattr(wfdb, "rdrecord", raises)
    told = refused(path)
    assert "KeyError" in told
    assert "1950" not in told
    monkeypatch.setattr(wfdb, "rdrecord", lambda *_, **__: (_ for _ in ()).throw(ImportError("no", name="soundfile")))
    assert "pip install soundfile" in refused(path)
