"""Recordings from arrays, from mne's objects and from the files of others are the same, and without the person."""

from __future__ import annotations

import datetime
import pickle
from dataclasses import replace

import mne
import numpy as np
import pandas as pd
import pytest
from written_edf import MARK, random_signals, write

from pellucid.errors import DataError
from pellucid_eeg.edf_files.reading import read_edf
from pellucid_eeg.recordings.objects import recording_of
from pellucid_eeg.recordings.recording import EegRecording, Segment, event_table

NAMES = ["Fp1", "Cz", "O2", "EOG", "trigger"]
TYPES = ["eeg", "eeg", "eeg", "eog", "stim"]


def made(*, dated: bool = True, first_samp: int = 0, seconds: float = 6.0) -> mne.io.RawArray:
    rng = np.random.default_rng(0)
    info = mne.create_info(NAMES, 200.0, TYPES)
    values = rng.normal(0, 30e-6, (5, round(200 * seconds)))
    values[4] = 0
    raw = mne.io.RawArray(values, info, first_samp=first_samp, verbose="ERROR")
    raw.info["bads"] = ["O2"]
    if dated:
        raw.set_meas_date(datetime.datetime(1903, 5, 17, tzinfo=datetime.UTC))
    raw.info["subject_info"] = {
        "his_id": f"{MARK}ID",
        "last_name": f"{MARK}NAME",
        "birthday": datetime.date(1903, 5, 17),
    }
    raw.info["experimenter"], raw.info["description"] = f"{MARK}WHO", f"{MARK}WHAT"
    raw.set_annotations(mne.Annotations([1.0, 2.5], [0.0, 0.5], ["stimulus", "blink"]))
    return raw


def clean(one: object) -> None:
    for text in (repr(one).encode(), pickle.dumps(one)):
        assert MARK.encode() not in text
        assert b"1903" not in text


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("first_samp", [0, 350])
def test_an_mne_raw_is_taken_in_microvolts_with_its_events_and_without_the_person(dated, first_samp):
    raw = made(dated=dated, first_samp=first_samp)
    got = recording_of(raw)
    assert got.channels == ("Fp1", "Cz", "O2", "EOG")
    assert got.rate_hz == 200
    assert got.bad_channels == ("O2",)
    assert np.array_equal(got.signals_uv, (raw.get_data()[:4] * 1e6).astype(np.float32))
    # What mne itself cuts out at the event is what lies at its onset here.
    events, _ = mne.events_from_annotations(raw, verbose="ERROR")
    samples = (events[:, 0] - raw.first_samp).tolist()
    assert [round(onset * 200) for onset in got.events.onset_s] == samples
    assert got.events.description.tolist() == ["stimulus", "blink"]
    assert got.events.duration_s.tolist() == [0.0, 0.5]
    clean(got)


def test_mne_epochs_are_segments_and_no_window_crosses_one():
    raw = made()
    events = np.array([[200, 0, 1], [500, 0, 2], [800, 0, 1]])
    epochs = mne.Epochs(
        raw, events, {"left": 1, "right": 2}, tmin=-0.25, tmax=0.745, baseline=None, preload=True, verbose="ERROR"
    )
    got = recording_of(epochs)
    values = epochs.get_data()
    assert [(one.start, one.stop, one.onset_s) for one in got.segments] == [
        (0, 200, 0.0),
        (200, 400, 1.0),
        (400, 600, 2.0),
    ]
    for i in range(3):
        assert np.array_equal(got.window_uv(float(i), 1.0), (values[i, :4] * 1e6).astype(np.float32))
    assert got.events.onset_s.tolist() == [0.25, 1.25, 2.25]
    assert got.events.description.tolist() == ["left", "right", "left"]
    with pytest.raises(DataError, match="cross an interruption"):
        got.samples_uv(150, 250)
    clean(got)


@pytest.mark.parametrize("kind", ["fif", "vhdr", "set"])
def test_the_files_of_others_are_read_in_parts_and_without_the_person(tmp_path, kind):
    raw = made()
    if kind == "fif":
        path = tmp_path / "a_raw.fif"
        raw.save(path, verbose="ERROR")
    elif kind == "vhdr":
        path = tmp_path / "a.vhdr"
        raw.load_data()
        (raw.get_data()[:4] * 1e6).T.astype("<f4").tofile(tmp_path / "a.eeg")
        lines = [f"Ch{i + 1}={name},,1,µV" for i, name in enumerate(NAMES[:4])]
        path.write_text(
            "BrainVision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\nMarkerFile=a.vmrk\n"
            "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=4\nSamplingInterval=5000\n[Binary Infos]\n"
            "BinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n" + "\n".join(lines) + f"\n[Comment]\n{MARK}NAME\n",
            encoding="utf-8",
        )
        (tmp_path / "a.vmrk").write_text(
            "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n[Marker Infos]\n"
            "Mk1=New Segment,,1,1,0,19030517030517000000\nMk2=Comment,stimulus,201,0,0\nMk3=Comment,blink,501,100,0\n"
        )
    else:
        from scipy.io import savemat

        path = tmp_path / "a.set"
        locations = np.array([(name,) for name in NAMES[:4]], dtype=[("labels", object)])
        marks = np.array(
            [("stimulus", 201.0, 1.0), ("blink", 501.0, 100.0)],
            dtype=[("type", object), ("latency", object), ("duration", object)],
        )
        fields = {
            "setname": f"{MARK}NAME", "subject": f"{MARK}ID", "ref": "common", "chaninfo": {"nosedir": "+X"},
            "nbchan": 4, "pnts": 1200, "trials": 1, "srate": 200.0, "xmin": 0.0, "xmax": 5.995,
            "data": raw.get_data()[:4] * 1e6, "chanlocs": locations, "event": marks, "epoch": np.array([]),
        }  # fmt: skip
        savemat(path, {"EEG": fields}, appendmat=False)
    got = recording_of(path)
    assert got.channels == ("Fp1", "Cz", "O2", "EOG")
    assert got.rate_hz == 200
    expected = raw.get_data()[:4] * 1e6
    assert np.allclose(got.samples_uv(100, 300), expected[:, 100:300], rtol=1e-6, atol=1e-5)
    again = pickle.loads(pickle.dumps(got))
    assert np.array_equal(again.signals_uv[:, 100:300], got.samples_uv(100, 300))
    events = got.events[got.events.description.str.contains("stimulus|blink")]
    assert np.allclose(events.onset_s, [1.0, 2.5])
    assert len(events) == 2
    clean(got)
    assert MARK not in repr(got.signals)


def test_a_broken_file_of_another_kind_is_one_error_without_mnes_words(tmp_path):
    for name in ("a_raw.fif", "a.vhdr", "a.set"):
        path = tmp_path / name
        with pytest.raises(DataError, match="there is no such file"):
            recording_of(path)
        path.write_bytes(f"{MARK} no recording".encode())
        with pytest.raises(DataError, match=f"{name}: mne does not read it") as caught:
            recording_of(str(path))
        assert MARK not in str(caught.value)
        assert caught.value.__cause__ is None
    with pytest.raises(DataError, match=r"expected one of \.edf, \.bdf, \.vhdr, \.set, \.fif"):
        recording_of(tmp_path / "a.txt")


def test_an_edf_file_is_read_by_its_own_reader(tmp_path):
    path = write(tmp_path / "a.edf", random_signals(2))
    assert np.array_equal(recording_of(path).signals_uv, read_edf(path).signals_uv)
    assert np.array_equal(recording_of(str(path)).signals_uv, read_edf(path).signals_uv)


def test_objects_of_mne_without_voltages_are_refused():
    raw = made().pick(["trigger"])
    with pytest.raises(DataError, match="no channels of type eeg, eog, ecg, emg"):
        recording_of(raw)


@pytest.mark.parametrize(("units", "factor"), [("uV", 1), ("mV", 1e3), ("V", 1e6)])
def test_an_array_is_taken_with_its_rate_channels_and_units(units, factor):
    values = np.random.default_rng(0).normal(size=(2, 10)) / factor
    values[1, 3] = np.nan
    got = recording_of(values, rate_hz=100, channels=["Cz", "Pz"], units=units, name="bedside")
    assert (got.rate_hz, got.channels, got.name) == (100.0, ("Cz", "Pz"), "bedside")
    assert got.signals_uv.dtype == np.float32
    assert np.array_equal(got.signals_uv, (values * factor).astype(np.float32), equal_nan=True)
    assert recording_of(got) is got


FACTS = {"rate_hz": 100, "channels": ["Cz", "Pz"], "units": "uV"}


@pytest.mark.parametrize(
    ("values", "facts", "told"),
    [
        (np.zeros((2, 9)), {"units": None}, "rate, channels and units"),
        (np.zeros((2, 9)), {"rate_hz": None}, "rate, channels and units"),
        (np.zeros((2, 9)), {"channels": None}, "rate, channels and units"),
        (np.zeros((2, 9)), {"units": "mmHg"}, "'mmHg' is no voltage"),
        (np.zeros((2, 9)), {"rate_hz": 0}, "rate of 0"),
        (np.zeros((2, 9)), {"rate_hz": np.nan}, "rate of nan"),
        (np.zeros((9, 2)), {}, "transpose it"),
        (np.zeros((3, 9)), {}, r"expected \(channel, time\)$"),
        (np.zeros((2, 0)), {}, "shape"),
        (np.zeros(9), {}, "shape"),
        (np.full((2, 9), np.inf), {}, "infinite"),
        (np.full((2, 9), 1e300), {"units": "V"}, "infinite"),
        (np.array([["a"], ["b"]]), {}, "no amplitudes"),
        (np.array([[1j], [1j]]), {}, "no amplitudes"),
        ([[0.0], [0.0]], {}, "from a list"),
        (None, {}, "from a NoneType"),
    ],
)
def test_what_is_no_recording_is_refused(values, facts, told):
    with pytest.raises(DataError, match=told):
        recording_of(values, **{**FACTS, **facts})


GOOD = EegRecording(np.zeros((2, 10), np.float32), ("Cz", "Pz"), 100.0)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"signals": [[0.0]]}, "no array"),
        ({"signals": np.zeros((2, 10), np.int16)}, "no plain array of floats"),
        ({"signals": np.ma.masked_greater(np.zeros((2, 10)), 4)}, "no plain array"),
        ({"channels": ("Cz",)}, "for 1 channels"),
        ({"rate_hz": None}, "rate of None"),
        ({"events": pd.DataFrame({"onset_s": []})}, "without the column duration_s, description"),
        ({"events": event_table([np.nan], [0.0], ["x"])}, "no time"),
        ({"events": event_table([1.0], [-1.0], ["x"])}, "less than nothing"),
        ({"segments": (Segment(0, 5), Segment(6, 10))}, "do not cover"),
        ({"segments": (Segment(0, 5),)}, "do not cover"),
        ({"segments": (Segment(0, 12), Segment(12, 10))}, "do not cover"),
    ],
)
def test_a_recording_that_cannot_be_is_refused_where_it_is_made(said, told):
    with pytest.raises(DataError, match=told):
        replace(GOOD, **said)


def test_channels_are_picked_by_name():
    values = np.arange(20, dtype=np.float32).reshape(2, 10)
    got = replace(GOOD, signals=values, bad_channels=("Cz",))
    assert got.of_channels(["Pz"]).signals_uv.tolist() == [values[1].tolist()]
    assert got.of_channels(["Pz"]).bad_channels == ()
    assert got.of_channels(["Pz", "Cz"]).bad_channels == ("Cz",)
    with pytest.raises(DataError, match="did you mean 'Cz'"):
        got.of_channels(["Czz"])
