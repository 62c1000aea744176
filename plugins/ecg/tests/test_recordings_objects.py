"""Recordings from arrays and objects are the recordings that files would give."""

from __future__ import annotations

import numpy as np
import pytest
import wfdb
from written_wfdb import write

from pellucid.errors import DataError
from pellucid_ecg.recordings.objects import recording_of
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.reading import read_record


def test_an_array_is_taken_with_its_rate_and_leads_and_nan_is_missing():
    values = np.random.default_rng(0).normal(size=(2, 10))
    values[1, 3] = np.nan
    some = recording_of(values, rate_hz=100, leads=["I", "V1"], units="uV", name="bedside")
    assert (some.rate_hz, some.leads, some.units, some.name) == (100.0, ("I", "V1"), "uV", "bedside")
    assert np.argwhere(~some.known).tolist() == [[1, 3]]
    assert some.signals[1, 3] == 0
    assert some.signals.dtype == np.float32
    assert np.array_equal(some.signals[0], values[0].astype(np.float32))
    assert np.isnan(values[1, 3]), "the caller's array stays as it was"


def test_one_lead_may_come_as_a_row_and_integers_are_numbers():
    some = recording_of(np.arange(5), rate_hz=1, leads=["I"])
    assert some.signals.tolist() == [[0, 1, 2, 3, 4]]
    assert some.known is None


@pytest.mark.parametrize(
    ("values", "facts", "told"),
    [
        (np.zeros((2, 9)), {"leads": ["I", "II"]}, "give rate_hz and leads"),
        (np.zeros((2, 9)), {"rate_hz": 100}, "give rate_hz and leads"),
        (np.zeros((2, 9)), {"rate_hz": 0, "leads": ["I", "II"]}, "rate of 0"),
        (np.zeros((2, 9)), {"rate_hz": np.nan, "leads": ["I", "II"]}, "rate of nan"),
        (np.zeros((9, 2)), {"rate_hz": 100, "leads": ["I", "II"]}, "transpose it"),
        (np.zeros((3, 9)), {"rate_hz": 100, "leads": ["I", "II"]}, r"expected \(lead, time\)$"),
        (np.zeros((2, 0)), {"rate_hz": 100, "leads": ["I", "II"]}, "shape"),
        (np.zeros((1, 2, 9)), {"rate_hz": 100, "leads": ["I"]}, "shape"),
        (np.full((1, 9), np.inf), {"rate_hz": 100, "leads": ["I"]}, "infinite"),
        (np.full((1, 9), 1e300), {"rate_hz": 100, "leads": ["I"]}, "infinite"),
        (np.array([["a"]]), {"rate_hz": 100, "leads": ["I"]}, "no amplitudes"),
        (np.array([[None]]), {"rate_hz": 100, "leads": ["I"]}, "no amplitudes"),
        (np.array([[1j]]), {"rate_hz": 100, "leads": ["I"]}, "no amplitudes"),
        ([[0.0]], {"rate_hz": 100, "leads": ["I"]}, "from a list"),
        (None, {}, "from a NoneType"),
    ],
)
def test_what_is_no_recording_is_refused(values, facts, told):
    with pytest.raises(DataError, match=told):
        recording_of(values, **facts)


def test_an_object_of_wfdb_is_what_its_files_are(tmp_path):
    path = write(tmp_path, missing=5, gain=[200.0, 10.0, 1000.0])
    ours = read_record(path)
    for theirs in (wfdb.rdrecord(str(path)), wfdb.rdrecord(str(path), physical=False)):
        some = recording_of(theirs)
        assert np.array_equal(some.signals, ours.signals)
        assert np.array_equal(some.known, ours.known)
        assert (some.leads, some.rate_hz, some.units, some.name) == (ours.leads, ours.rate_hz, ours.units, ours.name)
    assert np.array_equal(recording_of(path).signals, ours.signals)
    assert np.array_equal(recording_of(str(path)).signals, ours.signals)
    assert recording_of(ours) is ours


def test_an_object_of_wfdb_without_samples_or_with_several_units_is_refused(tmp_path):
    path = write(tmp_path)
    with pytest.raises(DataError, match="no samples"):
        recording_of(wfdb.rdheader(str(path)))
    theirs = wfdb.rdrecord(str(path))
    theirs.units = ["mV", "mV", "mmHg"]
    with pytest.raises(DataError, match="'L2' in 'mmHg'"):
        recording_of(theirs)
    (tmp_path / "m1.hea").write_text("m1/1 3 250 101\nr1 101\n")
    with pytest.raises(DataError, match="several records"):
        recording_of(wfdb.rdrecord(str(tmp_path / "m1"), m2s=False))


def test_a_recording_of_another_shape_is_refused():
    with pytest.raises(DataError, match="expected"):
        EcgRecording(np.zeros((2, 3), np.float32), ("I",), 100)


def test_the_mask_of_a_masked_array_is_not_lost():
    values = np.ma.masked_greater(np.arange(6).reshape(2, 3), 4)
    some = recording_of(values, rate_hz=100, leads=["I", "II"])
    assert some.known.tolist() == [[True, True, True], [True, True, False]]
    assert some.signals[1, 2] == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"signals": [[0.0, 1.0]]}, "no array"),
        ({"signals": np.array([["a"]])}, "no array of real numbers"),
        ({"signals": np.ma.masked_greater(np.zeros((1, 3)), 4)}, "masked array"),
        ({"rate_hz": 0}, "rate of 0"),
        ({"rate_hz": float("nan")}, "rate of nan"),
        ({"rate_hz": None}, "rate of None"),
        ({"units": None}, "in which unit"),
        ({"units": ""}, "in which unit"),
    ],
)
def test_a_recording_without_rate_unit_or_numbers_is_refused_where_it_is_made(said, told):
    with pytest.raises(DataError, match=told):
        EcgRecording(**({"signals": np.zeros((1, 3), np.float32), "leads": ("I",), "rate_hz": 100.0} | said))
