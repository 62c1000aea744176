"""Headers say what WFDB's grammar says, with its defaults; what is no header is refused by line and field."""

from __future__ import annotations

from pathlib import Path

import pytest
import wfdb
from written_wfdb import write

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_ecg.wfdb_files.headers import header_path, parse_header, read_header

FULL = b"""#before
r1 2 360.5/720(12.5) 1000 10:30:00.5 31/12/1999

r1.dat 212x4:3+24 199.5e0(-40)/uV 11 1024 -995 -22131 512 lead of a chest
\tr1.dat 212x4:3+24 1e3 16
# Age: 69
  # Sex: M
"""


def test_every_field_of_the_grammar_is_read():
    header = parse_header(FULL, "r1.hea")
    assert (header.name, header.n_signals, header.rate_hz, header.length) == ("r1", 2, 360.5, 1000)
    assert (header.counter_hz, header.base_counter) == (720.0, 12.5)
    assert header.comments == ("before", "Age: 69", "Sex: M")
    first, second = header.signals
    assert first == ("r1.dat", 212, 4, 3, 24, 199.5, -40, "uV", 11, 1024, -995, -22131, 512, "lead of a chest")
    assert second == ("r1.dat", 212, 4, 3, 24, 1000.0, 0, "mV", 16, 0, None, None, 0, "")


def test_what_is_not_given_has_the_default_of_wfdb():
    header = parse_header(b"r1 1\nr1.dat 16\n", "r1.hea")
    assert (header.rate_hz, header.length, header.counter_hz, header.base_counter) == (250.0, None, None, None)
    assert header.signals[0] == ("r1.dat", 16, 1, 0, 0, None, 0, "mV", 0, 0, None, None, 0, "")
    # A baseline that is not given is the converter's zero; a number of samples of 0 is none.
    header = parse_header(b"r1 1 250 0\nr1.dat 16 200/mV 12 1024\n", "r1.hea")
    assert (header.signals[0].baseline, header.length) == (1024, None)
    assert parse_header(b"r1 1 250 0\nr1.dat 16 200(7)/mV 12 1024\n", "r1.hea").signals[0].baseline == 7


def test_segments_are_names_and_lengths():
    header = parse_header(b"m1/3 2 250 131\r\nlayout 0\r\ns-1 101\r\n~ 30\r\n", "m1.hea")
    assert header.segments == (("layout", 0), ("s-1", 101), ("~", 30))
    assert (header.n_signals, header.signals) == (2, ())


def test_time_and_date_of_the_recording_are_left_behind():
    header = parse_header(FULL, "r1.hea")
    assert "1999" not in repr(header) + str([getattr(header, name) for name in header.__slots__])
    assert "69" not in repr(header)
    for when in (b"10:30", b"30", b"10:30:00", b"10:30:00 1/1/2001", b"1/1/2001"):
        assert parse_header(b"r1 0 250 10 " + when, "r1.hea").length == 10


def test_real_headers_are_read_as_wfdb_reads_them():
    seen = 0
    for folder in real_data("ecg").iterdir():
        for path in sorted(folder.rglob("*.hea"))[:40]:
            seen += 1
            ours, theirs = read_header(path), wfdb.rdheader(str(path.with_suffix("")))
            assert (ours.name, ours.rate_hz, ours.length) == (theirs.record_name, theirs.fs, theirs.sig_len)
            assert list(ours.comments) == theirs.comments
            for column, line in enumerate(ours.signals):
                assert (line.file, str(line.format), line.samples_per_frame, line.gain, line.baseline, line.units) == (
                    theirs.file_name[column],
                    theirs.fmt[column],
                    theirs.samps_per_frame[column],
                    theirs.adc_gain[column],
                    theirs.baseline[column],
                    theirs.units[column],
                )
                assert (line.adc_resolution, line.adc_zero, line.initial_value, line.checksum, line.description) == (
                    theirs.adc_res[column],
                    theirs.adc_zero[column],
                    theirs.init_value[column],
                    theirs.checksum[column],
                    theirs.sig_name[column],
                )
                assert (line.skew, line.byte_offset, line.block_size) == (
                    theirs.skew[column] or 0,
                    theirs.byte_offset[column] or 0,
                    theirs.block_size[column],
                )
    assert seen, "there are no headers to compare"


SIGNAL = "r1.dat 16 200(0)/mV 16 0 0 0 0 I"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("# a comment alone", "empty"),
        ("age,sex,name\n1,2,3", "line 1: not the first line"),
        (f"r1 1 -250 10\n{SIGNAL}", "line 1: not the first line"),
        (f"r1 1 0 10\n{SIGNAL}", "rate of 0"),
        (f"r1 1 250 1e3\n{SIGNAL}", "line 1: not the first line"),
        (f"r1 1 250 10 at noon\n{SIGNAL}", "line 1: not the first line"),
        (f"r1 {'9' * 5000}\n{SIGNAL}", "line 1: not the first line"),
        (f"r1 2 250 10\n{SIGNAL}", "announces 2 signals, but 1 are described"),
        (f"r1 1 250 10\n{SIGNAL}\n{SIGNAL}", "announces 1 signals, but 2 are described"),
        ("r1/2 1 250 10\ns1 10", "announces 2 segments, but 1 are described"),
        ("r1/1 1 250 10\ns1 ten", "line 2: a segment is"),
        ("r1/1 1 250 10\n../s1 10", "line 2: a segment is"),
        ("r1 1 250 10\nr1.dat", "line 2: a signal needs a file name and a format"),
        ("r1 1 250 10\nr1.dat sixteen", "line 2: 'sixteen' is no format"),
        ("r1 1 250 10\nr1.dat 16x0", "0 samples a frame"),
        ("r1 1 250 10\nr1.dat 16 mV", "line 2: 'mV' is no gain"),
        ("r1 1 250 10\nr1.dat 16 nan/mV", "'nan/mV' is no gain"),
        ("r1 1 250 10\nr1.dat 16 0(0)/mV", "line 2: a gain of 0.*never calibrated"),
        ("r1 1 250 10\nr1.dat 16 0.0", "line 2: a gain of 0.*never calibrated"),
        ("r1 1 250 10\nr1.dat 16 1e-300", "no amplifier"),
        ("r1 1 250 10\nr1.dat 16 1e999", "no amplifier"),
        ("r1 1 250 10\nr1.dat 16 200 -12", "line 2: '-12' is no resolution"),
        ("r1 1 250 10\n\nr1.dat 16 200 12 0.5", "line 3: '0.5' is no zero of the converter"),
        ("r1 1 250 10\nr1.dat 16 200 12 0 x", "'x' is no first value"),
        ("r1 1 250 10\nr1.dat 16 200 12 0 0 x", "'x' is no checksum"),
        ("r1 1 250 10\nr1.dat 16 200 12 0 0 0 x", "'x' is no block size"),
        (f"r1 1 250 10\nr1.dat 16 200 12 0 {'9' * 5000}", "is no first value"),
    ],
)
def test_what_is_no_header_is_refused_by_line_and_field(text, told):
    with pytest.raises(DataError, match=told) as caught:
        parse_header(text.encode(), "r1.hea")
    assert str(caught.value).startswith("r1.hea")
    assert len(str(caught.value)) < 400


def test_a_file_of_another_kind_is_refused_and_not_quoted(tmp_path):
    table = tmp_path / "patients.hea"
    table.write_text("Doe,Jane,1950-01-01\n" * 3)
    with pytest.raises(DataError) as caught:
        read_header(table)
    assert "Doe" not in str(caught.value)
    good = b"r1 0 250\n# "
    for content, told in (
        (b"\x00\x01binary", "not a WFDB header"),
        (good + b"\x00", "not a WFDB header"),
        (good + b"\x07", "not a WFDB header"),
        (good + b"#" * ((16 << 20) - len(good) + 1), "not a WFDB header"),
        (b"x" * 100, "not the first line"),
    ):
        table.write_bytes(content)
        with pytest.raises(DataError, match=rf"patients\.hea.*{told}"):
            read_header(table)
    table.write_bytes(good + b"#" * ((16 << 20) - len(good)))
    assert read_header(table).rate_hz == 250


def test_a_record_is_not_taken_for_another_whose_name_begins_like_its_own(tmp_path):
    write(tmp_path, "r1")
    for given, found in (("r1", "r1"), ("r1.hea", "r1"), ("r1.dat", "r1"), ("r1.mat", "r1"), ("r1.txt", "r1.txt")):
        assert header_path(tmp_path / given) == f"{tmp_path / found}.hea"
    assert header_path(tmp_path / "r1-123") == f"{tmp_path / 'r1-123'}.hea"
    # Without a header beside it, .dat belongs to the record's own name.
    assert header_path(tmp_path / "r2.dat") == f"{tmp_path / 'r2.dat'}.hea"


def test_names_units_and_comments_may_be_in_any_script(tmp_path):
    header = parse_header(
        "rückläufig 1 250 10\nrückläufig.dat 16 200(0)/µV 16 0 0 0 0 Ableitung Ä\n# é".encode(), "r.hea"
    )
    assert (header.name, header.signals[0].units, header.signals[0].description) == ("rückläufig", "µV", "Ableitung Ä")
    assert header.comments == ("é",)
    assert parse_header(b"r1 1\nr1.dat 16 200/\xb5V", "r1.hea").signals[0].units == "µV"


def test_what_cannot_be_opened_is_one_error(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.hea")
    (tmp_path / "folder.hea").mkdir()
    write(tmp_path, "r1")
    for record, told in (
        (tmp_path / "no", "no such header"),
        (tmp_path / "none" / "no", "no such header"),
        (tmp_path / "pipe", "empty"),
        (tmp_path / "folder", "folder.hea"),
        (tmp_path / "r1.hea" / "r2", "r2.hea"),
        (f"{tmp_path}/zero\0byte", "no valid name"),
        (f"{tmp_path}/{'x' * 300}", "cannot be read"),
        ("", "no such header"),
        (Path("/dev/null/x"), "x.hea"),
    ):
        with pytest.raises(DataError, match=told):
            read_header(record)
