"""What is written comes back, by the own reader and by wfdb; what a format cannot hold is refused before a file appears."""

from __future__ import annotations

import numpy as np
import pytest
import wfdb

from pellucid.errors import DataError, RunError
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.checks import read_checked
from pellucid_ecg.wfdb_files.headers import read_header
from pellucid_ecg.wfdb_files.reading import read_record
from pellucid_ecg.wfdb_files.writing import write_record


def recording(**changes: object) -> EcgRecording:
    rng = np.random.default_rng(0)
    known = rng.random((3, 50)) < 0.9
    facts = {"signals": np.where(known, rng.normal(size=(3, 50)), 0).astype(np.float32), "known": known}
    return EcgRecording(**{**facts, "leads": ("I", "a lead", "V1"), "rate_hz": 360.5, "name": "r1", **changes})


def test_a_recording_comes_back_within_half_a_step(tmp_path):
    written = recording()
    header = write_record(tmp_path / "r1", written, gain=500.0, comments=["Age: 70"])
    read, found = read_checked(header)
    assert np.abs(read.signals - written.signals).max() <= 0.5 / 500 + 1e-6
    assert np.array_equal(read.known, written.known)
    assert (read.leads, read.rate_hz, read.units) == (written.leads, 360.5, "mV")
    assert found == ()
    assert read_header(header).comments == ("Age: 70",)


def test_wfdb_reads_what_was_written(tmp_path):
    write_record(tmp_path / "r1", recording())
    theirs, ours = wfdb.rdrecord(str(tmp_path / "r1")), read_record(tmp_path / "r1", dtype=np.float64)
    assert np.array_equal(np.nan_to_num(theirs.p_signal.T), ours.signals)
    assert np.array_equal(~np.isnan(theirs.p_signal.T), ours.known)
    stored = wfdb.rdrecord(str(tmp_path / "r1"), physical=False)
    assert stored.checksum == [int(total) for total in stored.d_signal.astype(int).sum(axis=0) % 65536]
    assert stored.init_value == stored.d_signal[0].tolist()


def test_a_recording_read_and_written_again_is_the_same_to_the_bit(tmp_path):
    write_record(tmp_path / "r1", recording())
    first = read_record(tmp_path / "r1")
    write_record(tmp_path / "r2", first)
    assert (tmp_path / "r1.dat").read_bytes() == (tmp_path / "r2.dat").read_bytes()
    assert np.array_equal(read_record(tmp_path / "r2").signals, first.signals)


@pytest.mark.parametrize(
    ("name", "changes", "options", "told"),
    [
        ("r1", {"signals": np.full((3, 50), 40, np.float32)}, {}, "do not fit into 16 bits"),
        ("r1", {"signals": np.full((3, 50), -32.768, np.float32), "known": None}, {}, "do not fit into 16 bits"),
        ("r 1", {}, {}, "cannot be a record's name"),
        ("r.1", {}, {}, "cannot be a record's name"),
        ("r1", {}, {"gain": 0.0}, "gain of 0"),
        ("r1", {}, {"gain": float("nan")}, "gain of nan"),
        ("r1", {"leads": ("I", "II\nr1.dat", "III")}, {}, "one line each"),
        ("r1", {"units": ""}, {}, "in which unit"),
        ("r1", {"units": "normalised unit"}, {}, "cannot be a unit"),
        ("r1", {"signals": np.zeros((3, 0), np.float32), "known": None}, {}, "no samples"),
    ],
)
def test_what_a_record_cannot_hold_is_refused_before_a_file_appears(tmp_path, name, changes, options, told):
    with pytest.raises(DataError, match=told):
        write_record(tmp_path / name, recording(**changes), **options)
    assert list(tmp_path.iterdir()) == []


def test_the_message_names_a_gain_that_fits(tmp_path):
    large = recording(signals=np.full((3, 50), 40, np.float32))
    with pytest.raises(DataError, match=r"gain of 819\.2 or less"):
        write_record(tmp_path / "r1", large)
    write_record(tmp_path / "r1", large, gain=819.1)
    assert np.abs(read_record(tmp_path / "r1").signals[large.known] - 40).max() < 1e-3


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_record(tmp_path / "file" / "r1", recording())
