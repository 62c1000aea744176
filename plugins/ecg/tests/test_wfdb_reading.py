"""Records come out as the ``wfdb`` package reads them, to the last bit, whichever way they were stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb
from written_wfdb import edit, reference, write

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_ecg.wfdb_files import reading
from pellucid_ecg.wfdb_files.checks import read_checked
from pellucid_ecg.wfdb_files.formats import read_samples
from pellucid_ecg.wfdb_files.reading import read_record, read_records


@pytest.fixture
def never_by_wfdb(monkeypatch):
    monkeypatch.setattr(reading, "read_by_wfdb", lambda *_, **__: pytest.fail("handed to the wfdb package"))


@pytest.fixture
def handed_over(monkeypatch):
    """Records that were handed to the wfdb package."""
    names, real = [], reading.read_by_wfdb
    monkeypatch.setattr(
        reading, "read_by_wfdb", lambda path, *rest, **more: names.append(path) or real(path, *rest, **more)
    )
    return names


def agrees(path: Path, **options: object) -> None:
    """The own reader and wfdb give the same bits, in float64 and rounded once to float32."""
    expected = reference(path, **options)
    spans = {"sampfrom": "start", "sampto": "stop", "channel_names": "leads"}
    own = {spans[name]: value for name, value in options.items()}
    exact, rounded = read_record(path, dtype=np.float64, **own), read_record(path, **own)
    known = ~np.isnan(expected)
    assert np.array_equal(exact.signals, np.where(known, expected, 0))
    assert (exact.known is None and known.all()) or np.array_equal(exact.known, known)
    assert rounded.signals.dtype == np.float32
    assert rounded.signals.flags.c_contiguous
    assert np.array_equal(rounded.signals, exact.signals.astype(np.float32))


@pytest.mark.parametrize("fmt", ["16", "212", "80"])
@pytest.mark.parametrize("signals", [1, 2, 3, 12])
@pytest.mark.parametrize("length", [1, 2, 7, 100])
def test_usual_formats_are_read_here_and_as_wfdb_reads_them(tmp_path, never_by_wfdb, fmt, signals, length):
    agrees(write(tmp_path, fmt=fmt, signals=signals, length=length))


@pytest.mark.parametrize(("fmt", "there"), [(16, 3), (212, 5), (80, 8)])
def test_samples_end_where_the_file_does(tmp_path, fmt, there):
    path = tmp_path / "r1.dat"
    path.write_bytes(np.random.default_rng(0).bytes(11))
    whole, cut = read_samples(path, fmt, 3, 0, 2), read_samples(path, fmt, 3, 0, 100)
    path.write_bytes(path.read_bytes()[:-1] if fmt == 16 else path.read_bytes())
    assert len(read_samples(path, fmt, 3, 0, 100)) == there
    assert np.array_equal(whole, cut[:2])
    assert len(read_samples(path, fmt, 3, 50, 10)) == 0


@pytest.mark.parametrize("fmt", ["16", "212", "80"])
def test_missing_samples_are_masked_and_zero(tmp_path, never_by_wfdb, fmt):
    path = write(tmp_path, fmt=fmt, missing=20, gain=[200.0, 33.3, 7.0], baseline=[0, -5, 1024])
    agrees(path)
    recording = read_record(path)
    assert (~recording.known).sum() == 20
    assert (recording.signals[~recording.known] == 0).all()


@pytest.mark.parametrize("fmt", ["16", "212", "80"])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 2), (3, 50), (4, 101), (100, 101)])
@pytest.mark.parametrize("signals", [1, 2, 3])
def test_part_of_a_record_is_that_part_of_the_whole(tmp_path, never_by_wfdb, fmt, start, stop, signals):
    path = write(tmp_path, fmt=fmt, missing=3, signals=signals)
    agrees(path, sampfrom=start, sampto=stop)
    assert np.array_equal(read_record(path, start=start, stop=stop).signals, read_record(path).signals[:, start:stop])


def test_gains_and_baselines_of_their_own_and_several_files(tmp_path, never_by_wfdb):
    path = write(
        tmp_path,
        fmt=["16", "16", "212", "80", "80"],
        signals=5,
        gain=[1000.0, 199.5, 0.37, 12.0, 3.0],
        baseline=[0, 1024, -7, 3, 0],
        missing=9,
    )
    assert len(list(tmp_path.glob("*.dat"))) == 3
    edit(path, (" 12.0(3)", " -12.0(3)"))
    agrees(path)
    agrees(path, channel_names=["L3", "L0"])
    agrees(path, channel_names=["L2"], sampfrom=11, sampto=40)


def test_bytes_before_the_samples_are_passed_over(tmp_path, never_by_wfdb):
    for fmt in ("16", "212", "80"):
        path = write(tmp_path, fmt, fmt=fmt)
        data = Path(f"{path}.dat")
        data.write_bytes(b"24 bytes of another kind" + data.read_bytes())
        edit(path, (f".dat {fmt} ", f".dat {fmt}x1+24 "))
        agrees(path)
        agrees(path, sampfrom=5, sampto=8)


def test_a_header_without_gain_baseline_or_units_means_what_wfdb_says(tmp_path, never_by_wfdb):
    path = write(tmp_path, signals=2)
    (tmp_path / "r1.hea").write_text("r1 2\nr1.dat 16\nr1.dat 16 200 12 -40\n")
    agrees(path)
    recording = read_record(path)
    assert (recording.rate_hz, recording.units, recording.leads) == (250.0, "mV", ("signal 1", "signal 2"))
    assert recording.length == 101


@pytest.mark.parametrize("fmt", ["24", "32", "310", "311", "160", "61"])
def test_rare_formats_are_handed_to_wfdb(tmp_path, handed_over, fmt):
    path = write(tmp_path, fmt="16" if fmt not in ("24", "32") else fmt)
    if fmt not in ("24", "32"):  # the package writes none of these, but any bytes are samples of them
        edit(path, (".dat 16 ", f".dat {fmt} "))
        if fmt in ("310", "311"):
            (tmp_path / "r1.dat").write_bytes(np.random.default_rng(0).bytes(404))
    agrees(path)
    agrees(path, channel_names=["L2", "L0"], sampfrom=3, sampto=40)
    assert len(handed_over) == 4


def test_flac_is_handed_to_wfdb(tmp_path, handed_over):
    pytest.importorskip("soundfile")
    agrees(write(tmp_path, fmt="516", signals=2))
    assert handed_over


def test_skew_and_several_samples_a_frame_are_handed_to_wfdb(tmp_path, handed_over):
    path = write(tmp_path, "skewed", fmt="16")
    text = Path(f"{path}.hea").read_text()
    Path(f"{path}.hea").write_text(text.replace(".dat 16 ", ".dat 16:3 ", 1))
    agrees(path)
    path = write(tmp_path, "frames", fmt="16", signals=3, length=100)
    # Two signals of two and one sample a frame in the place of three of one.
    lines = Path(f"{path}.hea").read_text().splitlines()
    head, first, second = lines[0].split(), *[line.split() for line in lines[1:3]]
    first[1] = "16x2"
    Path(f"{path}.hea").write_text(
        "\n".join([f"frames 2 {head[2]} {head[3]}", " ".join(first), " ".join(second)]) + "\n"
    )
    agrees(path)
    assert len(handed_over) == 4


def segments(folder: Path, *, layout: str = "fixed") -> Path:
    """A record of two segments, and of a gap between them where segments may differ."""
    write(folder, "s1", signals=2, length=60, gain=[200.0, 100.0], missing=2)
    write(folder, "s2", signals=2, length=41, gain=[200.0, 50.0] if layout == "variable" else [200.0, 100.0], seed=1)
    if layout == "fixed":
        (folder / "m1.hea").write_text("m1/2 2 250 101\ns1 60\ns2 41\n")
        return folder / "m1"
    (folder / "m1_layout.hea").write_text("m1_layout 2 250 0\n~ 0 200/mV 0 0 0 0 0 L0\n~ 0 200/mV 0 0 0 0 0 L1\n")
    (folder / "m1.hea").write_text("m1/4 2 250 131\nm1_layout 0\ns1 60\n~ 30\ns2 41\n")
    return folder / "m1"


@pytest.mark.parametrize("layout", ["fixed", "variable"])
def test_records_of_several_segments_are_handed_to_wfdb(tmp_path, handed_over, layout):
    path = segments(tmp_path, layout=layout)
    agrees(path)
    assert handed_over
    recording = read_record(path)
    assert recording.leads == ("L0", "L1")
    if layout == "variable":
        assert not recording.known[:, 60:90].any()
    agrees(path, sampfrom=50, sampto=95)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("s2 41", "s2 40"), "not as long"),
        (("250 101", "250 100"), "segments have 101 samples, the record 100"),
        (("250 101\ns1 60\ns2 41", "250 100\ns1 60\ns2 40"), "not as long"),
        (("s2 41", "s3 41"), "no such header"),
        (("s2 41", "../s2 41"), "line 3"),
        (("s2 41", "m1 41"), "does not fit"),
        (("s2 41", "~ 41"), "gaps"),
        (("250 101\ns1 60\ns2 41", "250 1000000000000\ns1 60\n~ 999999999940"), "gaps"),
        (("m1/2 2", "m1/2 3"), "does not fit"),
    ],
)
def test_segments_that_do_not_fit_are_refused(tmp_path, change, told):
    path = segments(tmp_path)
    edit(path, change)
    with pytest.raises(DataError, match=told):
        read_record(path)


def test_units_that_change_between_segments_are_refused(tmp_path):
    path = segments(tmp_path, layout="variable")
    edit(tmp_path / "s2", ("/mV", "/uV"))
    with pytest.raises(DataError, match="unit of a signal changes"):
        read_record(path)


def test_records_are_named_as_in_wfdb_or_by_their_files(tmp_path):
    path = write(tmp_path)
    first = read_record(path).signals
    for name in (str(path), f"{path}.hea", f"{path}.dat", Path(f"{path}.hea")):
        assert np.array_equal(read_record(name).signals, first)
    assert [one.name for one in read_records([path, path])] == ["r1", "r1"]


def real_headers() -> list[Path]:
    return sorted(path for folder in real_data("ecg").iterdir() for path in folder.rglob("*.hea"))


def same_as_wfdb(headers: list[Path]) -> set[tuple]:
    kinds = set()
    for header in headers:
        path = header.with_suffix("")
        agrees(path)
        recording, theirs = read_record(path), wfdb.rdheader(str(path))
        assert recording.leads == tuple(theirs.sig_name)
        assert (recording.rate_hz, {recording.units}) == (theirs.fs, set(theirs.units))
        kinds.add((theirs.fmt[0], theirs.byte_offset[0], theirs.n_sig))
    return kinds


def test_real_records_of_every_kind_have_the_bits_that_wfdb_reads():
    headers = real_headers()
    small = [path for path in headers if path.parts[-3] != "records100"][::4]
    kinds = same_as_wfdb([*small, *[path for path in headers if path.stem == "100"], *headers[100::60]])
    assert {("16", None, 12), ("16", 24, 12), ("212", None, 2), ("212", None, 1)} <= kinds


@pytest.mark.nightly
def test_every_real_record_has_the_bits_that_wfdb_reads():
    headers = real_headers()
    assert len(headers) == 1487
    same_as_wfdb(headers)


def test_every_checksum_of_the_real_records_holds():
    assert [found for header in real_headers() for found in read_checked(header)[1]] == []


def test_other_checksums_first_values_names_and_no_gain_are_told_and_not_refused(tmp_path):
    path = write(tmp_path)
    recording, found = read_checked(path)
    assert found == ()
    data = bytearray((tmp_path / "r1.dat").read_bytes())
    data[0] ^= 1
    (tmp_path / "r1.dat").write_bytes(data)
    changed, found = read_checked(path)
    assert [(one.what, one.where) for one in found] == [
        ("the checksum is not the header's", "L0"),
        ("the first value is not the header's", "L0"),
    ]
    assert changed.signals[0, 0] != recording.signals[0, 0]
    (tmp_path / "r1.hea").write_text("r2 3 250\nr1.dat 16\nr1.dat 16 100\nr1.dat 16\n")
    assert [(one.what, one.where, one.done) for one in read_checked(path)[1]] == [
        ("the header has the name of another record", "r2", "kept"),
        ("the header gives no gain", "signal 1, signal 3", "200 steps per unit were assumed"),
    ]
