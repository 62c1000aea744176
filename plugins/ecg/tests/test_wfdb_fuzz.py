"""Records with mutated bytes end in a DataError or in what wfdb reads of them; in nothing else, quickly and in little room."""

from __future__ import annotations

import contextlib
import io
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_wfdb import edit, write

from pellucid.errors import DataError
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.reading import read_record

LONGEST_S = 2.0
ROOM = 4 << 20
"""Bytes at most, for reading files of some hundreds: wfdb's own tables take the most of it."""

QUIET = settings(
    max_examples=220,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """Files of a few small records: name of the record to its files."""
    folder = tmp_path_factory.mktemp("records")
    write(folder, "r16", fmt="16", length=9, missing=2)
    write(folder, "r212", fmt="212", signals=3, length=9, missing=2)
    write(folder, "r80", fmt="80", signals=2, length=9, gain=[50.0, 7.5], baseline=[3, -3])
    write(folder, "rmix", fmt=["16", "212"], signals=2, length=9)
    write(folder, "r24", fmt="24", signals=2, length=9)
    offset = write(folder, "rmat", fmt="16", signals=2, length=9)
    data = Path(f"{offset}.dat")
    data.write_bytes(bytes(24) + data.read_bytes())
    edit(offset, (".dat 16 ", ".dat 16x1+24 "))
    write(folder, "seg1", signals=2, length=5)
    write(folder, "seg2", signals=2, length=4, seed=1)
    (folder / "many.hea").write_text("many/2 2 250 9\nseg1 5\nseg2 4\n")
    starts = {"many": ("many", "seg")}
    names = ("r16", "r212", "r80", "rmix", "r24", "rmat", "many")
    return {
        name: {
            path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith(starts.get(name, name))
        }
        for name in names
    }


TOKENS = st.sampled_from(
    [b"", b" ", b"\n", b"0", b"-1", b"1", b"16", b"212", b"80", b"516", b"x2", b":1", b"+3", b"/", b"/2", b"(", b")", b"#", b"~", b"..",
     b"../", b"e9", b"e-9", b".", b"-", b"1000000000000", b"99999999999999999999999", b"\xff", b"\x00", b"\xc2\xb5V", b"\t", b"\r\n",
     b"nan", b"r16", b"seg1", b"many", b"9" * 5000]
)  # fmt: skip
MUTATION = st.tuples(st.floats(0, 1), st.integers(0, 6), TOKENS | st.binary(max_size=4))


def mutated(content: bytes, mutations: list[tuple[float, int, bytes]]) -> bytes:
    """Words put in, or in the place of one to six bytes; bytes left out where the word is empty."""
    data = bytearray(content)
    for where, count, word in mutations:
        at = int(where * len(data))
        data[at : at + count] = word
    return bytes(data)


def attempt(path: Path) -> EcgRecording | None:
    """The recording, or None where it is refused; anything else fails the test."""
    begun = time.process_time()
    tracemalloc.start()
    try:
        return read_record(path, dtype=np.float64)
    except DataError:
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < ROOM, peak
        assert time.process_time() - begun < LONGEST_S


def theirs(path: Path) -> np.ndarray | None:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            signals = wfdb.rdrecord(str(path)).p_signal
        except Exception:  # noqa: BLE001 - the reference may give up in any way
            return None
    return None if signals is None else signals.T


def check(folder: Path, name: str, files: dict[str, bytes]) -> bool:
    for path in folder.iterdir():
        path.unlink()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    ours = attempt(folder / name)
    if ours is None:
        return False
    assert np.isfinite(ours.signals).all()
    reference = theirs(folder / name)
    if reference is not None:
        known = ~np.isnan(reference)
        assert np.array_equal(ours.signals, np.where(known, reference, 0)), files
        assert (ours.known is None and known.all()) or np.array_equal(ours.known, known)
    return True


def test_records_that_are_whole_are_read(records, tmp_path):
    for name, files in records.items():
        assert check(tmp_path, name, files)


@QUIET
@given(
    name=st.sampled_from(["r16", "r212", "r80", "rmix", "r24", "rmat"]),
    mutations=st.lists(MUTATION, min_size=1, max_size=3),
)
def test_mutated_headers_end_in_a_data_error_or_a_correct_read(records, tmp_path, name, mutations):
    files = dict(records[name])
    files[f"{name}.hea"] = mutated(files[f"{name}.hea"], mutations)
    check(tmp_path, name, files)


@QUIET
@given(part=st.sampled_from(["many.hea", "seg1.hea", "seg2.hea"]), mutations=st.lists(MUTATION, min_size=1, max_size=2))
def test_mutated_segments_end_in_a_data_error_or_a_correct_read(records, tmp_path, part, mutations):
    files = dict(records["many"])
    files[part] = mutated(files[part], mutations)
    check(tmp_path, "many", files)


@QUIET
@given(
    name=st.sampled_from(["r16", "r212", "r80", "rmix", "r24", "rmat"]),
    mutations=st.lists(MUTATION, min_size=1, max_size=3),
)
def test_mutated_data_end_in_a_data_error_or_a_correct_read(records, tmp_path, name, mutations):
    data = sorted(file for file in records[name] if file.endswith(".dat"))[0]
    check(tmp_path, name, {**records[name], data: mutated(records[name][data], mutations)})


@QUIET
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_in_the_place_of_a_header_ends_in_a_data_error_or_a_correct_read(tmp_path, content):
    check(tmp_path, "r16", {"r16.hea": content, "r16.dat": bytes(100)})
