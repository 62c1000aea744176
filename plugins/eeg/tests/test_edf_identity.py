"""Planted names, codes, dates and devices of a header come out of no reader: neither read nor shown, pickled, told or raised."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from written_edf import DAY, MARK, TIME, YEAR, edit, field_at, random_signals, tal, timed, write

from pellucid.errors import DataError
from pellucid_eeg.edf_files.headers import read_header
from pellucid_eeg.edf_files.reading import open_checked, open_edf, read_edf
from pellucid_eeg.recordings.quality import quality


def clean(*texts: object) -> None:
    for text in texts:
        content = text if isinstance(text, bytes) else str(text).encode()
        for planted in (MARK, YEAR, DAY, TIME, "17-MAY"):
            assert planted.encode() not in content


def planted(path, width: int = 2, **options: object):
    kind = "EDF+C" if width == 2 else "BDF+C"
    notes = timed(4)
    notes[0] += tal("+99", "late")
    return write(path, random_signals(3, 4, 60, width=width), annotations=notes, reserved=kind, width=width, **options)


@pytest.mark.parametrize("width", [2, 3])
def test_what_is_planted_in_the_header_comes_out_nowhere(tmp_path, width):
    path = planted(tmp_path / "a.edf", width)
    content = path.read_bytes()
    assert all(one.encode() in content for one in (MARK, YEAR, DAY, TIME))
    lazy, doubts = open_checked(path, namespace="here")
    assert doubts
    read = read_edf(path, namespace="here")
    read.signals_uv[0] = 0
    lazy.samples_uv(0, 10)
    for one in (lazy, read, lazy.of_channels(["Cz"]), read_header(path)):
        clean(repr(one), str(one), pickle.dumps(one), repr(getattr(one, "__dict__", "")))
    clean(repr(lazy.signals), repr(vars(lazy.signals)), pickle.dumps(lazy.signals))
    clean(doubts, quality(read), quality(lazy), read.events.to_csv())


def test_no_error_says_what_is_planted(tmp_path):
    path = planted(tmp_path / "a.edf")
    whole, told = path.read_bytes(), 0
    fields = [0, 168, 176, 184, 192, 236, 244, 252]
    fields += [
        field_at(4, name, i) for name in ("label", "unit", "pmin", "pmax", "dmin", "dmax", "samples") for i in range(4)
    ]
    for at in fields:
        for text in (MARK, f"{MARK}^A", f" {MARK}"):
            path.write_bytes(whole)
            edit(path, at, text, 4 if at == 252 else 8)
            try:
                _, doubts = open_checked(path)
                clean(doubts)
            except DataError as error:
                told += 1
                # A unit is quoted as it stands, since nobody can mend what is not named.
                if not field_at(4, "unit") <= at < field_at(4, "pmin"):
                    clean(error, repr(error))
    assert told > 60
    # Everything moved by some bytes: names stand where numbers should.
    for by in range(1, 90, 3):
        path.write_bytes(whole[:8] + whole[8 + by :])
        with pytest.raises(DataError) as caught:
            open_edf(path)
        clean(caught.value)
        path.write_bytes(whole[:8] + b"x" * by + whole[8:])
        with pytest.raises(DataError) as caught:
            open_edf(path)
        clean(caught.value)


def test_a_channel_that_is_called_after_a_person_is_told_by_its_place(tmp_path):
    signals = random_signals(3, 4, 60)
    signals[1].label = f"{MARK} EEG"
    signals[1].digital = np.zeros_like(signals[1].digital)
    path = write(tmp_path / "a.edf", signals)
    found = quality(open_edf(path))
    assert {one.what: one.where for one in found}["flat channel"] == "channel 2"
    clean(found)
    signals[2].digital = signals[2].digital[:, :30]
    with pytest.raises(DataError, match="60 Hz: Fp1, channel 2; 30 Hz: O2") as caught:
        open_edf(write(path, signals))
    clean(caught.value)
