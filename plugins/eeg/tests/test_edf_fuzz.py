"""Files with mutated bytes end in a DataError or in a right read; in nothing else, quickly and in little room."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_edf import random_signals, tal, timed, write

from pellucid.errors import DataError
from pellucid_eeg.edf_files.reading import open_checked
from pellucid_eeg.recordings.recording import EegRecording

LONGEST_S = 2.0
ROOM = 2 << 20
"""Bytes at most, for reading files of some thousand."""

QUIET = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TOKENS = st.sampled_from(
    [b"", b" ", b"0", b"-1", b"1", b"16", b"+", b"-", b".", b"e9", b"e-9", b"\0", b"\x14", b"\x15", b"\x14\x14\0", b"+1\x14x\x14\0",
     b"\xff", b"\xffBIOSEMI", b"0       ", b"EDF+D", b"EDF+C", b"EDF Annotations ", b"99999999", b"9" * 4000, b"nan     ", b"1e30", b","]
)  # fmt: skip
MUTATION = st.tuples(st.floats(0, 1), st.integers(0, 6), TOKENS | st.binary(max_size=4), st.booleans())


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("files")
    notes = [one + tal("+1.5", "eyes closed", duration="0.5") for one in timed(5)]
    gaps = timed(5, begun=[0, 1, 5, 6, 9])
    return {
        "plain": write(folder / "a", random_signals(3, 5, 12)).read_bytes(),
        "plus": write(folder / "b", random_signals(2, 5, 12), annotations=notes, reserved="EDF+C").read_bytes(),
        "gaps": write(
            folder / "c", random_signals(2, 5, 12), annotations=gaps, reserved="EDF+D", annotations_at=1
        ).read_bytes(),
        "bdf": write(
            folder / "d", random_signals(2, 5, 12, width=3), annotations=notes, reserved="BDF+C", width=3
        ).read_bytes(),
    }


def mutated(content: bytes, mutations: list[tuple[float, int, bytes, bool]], begin: int, end: int) -> bytes:
    """Words written over bytes between ``begin`` and ``end``, or in their place with everything behind them moved."""
    data = bytearray(content)
    for where, count, word, over in mutations:
        at = begin + int(where * max(0, min(end, len(data)) - begin))
        data[at : at + (len(word) if over else count)] = word
    return bytes(data)


def plain_read(content: bytes) -> tuple[list[str], np.ndarray] | None:
    """The samples by the shortest way, for a file that was accepted: labels and float64 values of the signals in microvolts."""
    number = int(content[252:256])
    start, at, columns = 256 * (number + 1), 256, []
    for size in (16, 80, 8, 8, 8, 8, 8, 80, 8):
        columns.append([content[at + size * i : at + size * (i + 1)].strip(b" \0") for i in range(number)])
        at += size * number
    counts = [int(one) for one in columns[8]]
    width = 3 if content[:1] == b"\xff" else 2
    records = (len(content) - start) // (sum(counts) * width)
    body = (
        np.frombuffer(content, np.uint8, records * sum(counts) * width, start)
        .reshape(records, -1, width)
        .astype(np.int64)
    )
    stored = (body * 256 ** np.arange(width)).sum(-1)
    stored = np.where(stored >= 1 << (8 * width - 1), stored - (1 << 8 * width), stored)
    labels, rows, offset = [], [], 0
    for i in range(number):
        label = columns[0][i].decode("latin-1").strip(" \0")
        if label not in ("EDF Annotations", "BDF Annotations") and not (label == "Status" and width == 3):
            least, most, low, high = (float(columns[k][i]) for k in (3, 4, 5, 6))
            values = stored[:, offset : offset + counts[i]].reshape(-1)
            scale = {"uV": 1, "mV": 1e3, "V": 1e6}[columns[2][i].decode("latin-1")]
            rows.append(((values - low) * (most - least) / (high - low) + least) * scale)
            labels.append(label)
        offset += counts[i]
    return labels, np.stack(rows)


def check(path: Path, content: bytes) -> EegRecording | None:
    path.write_bytes(content)
    begun = time.process_time()
    tracemalloc.start()
    try:
        got, doubts = open_checked(path, records="file")
        values = got.signals_uv
        assert all(one.sample == path.stem for one in doubts)
    except DataError:
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < ROOM, peak
        assert time.process_time() - begun < LONGEST_S
    labels, expected = plain_read(content)
    assert list(got.channels) == labels
    room = 1e-6 * np.maximum(np.abs(expected), np.abs(expected).max(axis=1, keepdims=True)) + 1e-30
    with np.errstate(over="ignore", invalid="ignore"):
        assert (np.abs(values - expected) <= room).all()
    assert sum(one.stop - one.start for one in got.segments) == got.length
    return got


def test_files_that_are_whole_are_read(files, tmp_path):
    for content in files.values():
        assert check(tmp_path / "f", content) is not None


NAMES = st.sampled_from(["plain", "plus", "gaps", "bdf"])


@QUIET
@given(name=NAMES, mutations=st.lists(MUTATION, min_size=1, max_size=3))
def test_mutated_main_headers(files, tmp_path, name, mutations):
    check(tmp_path / "f", mutated(files[name], mutations, 160, 256))


@QUIET
@given(name=NAMES, mutations=st.lists(MUTATION, min_size=1, max_size=3))
def test_mutated_signal_headers(files, tmp_path, name, mutations):
    check(tmp_path / "f", mutated(files[name], mutations, 256, 1024))


@QUIET
@given(name=NAMES, mutations=st.lists(MUTATION, min_size=1, max_size=4))
def test_mutated_records(files, tmp_path, name, mutations):
    check(tmp_path / "f", mutated(files[name], mutations, 1024, len(files[name])))


@QUIET
@given(name=NAMES, mutations=st.lists(MUTATION, min_size=1, max_size=8))
def test_files_mutated_anywhere(files, tmp_path, name, mutations):
    check(tmp_path / "f", mutated(files[name], mutations, 0, len(files[name])))


@QUIET
@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"0       ", b"\xffBIOSEMI"]))
def test_anything_in_the_place_of_a_file(tmp_path, content, start):
    assert check(tmp_path / "f", start + content) is None
