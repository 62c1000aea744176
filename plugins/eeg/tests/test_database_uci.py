"""The UCI EEG Database: read whole, prepared as asked, silent about who and with which diagnosis."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from written_uci import CHANNELS, write_people, write_trial

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_eeg.databases.uci import UciEeg, UciEegConfig
from pellucid_eeg.databases.uci_trials import read_trial
from pellucid_eeg.preparing.record import Preparation


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def signals():
    return np.random.default_rng(0).normal(0, 5, (len(CHANNELS), 256)).round(3)


def opened(folder, **options) -> UciEeg:
    return UciEeg(UciEegConfig(**options), folder)


def test_a_trial_is_read_as_it_was_written(tmp_path, signals):
    trial = read_trial(write_trial(tmp_path, "co2a0000001", 7, "S2 nomatch", signals, error=True))
    assert (trial.condition, trial.error, trial.number, trial.channels) == ("S2 nomatch", True, 7, CHANNELS)
    np.testing.assert_allclose(trial.signals_uv, signals, atol=1e-3)


def test_samples_have_the_scalp_alone_and_its_standard_names(tmp_path, signals):
    write_trial(tmp_path, "co2a0000001", 0, "S1 obj", signals)
    data = opened(tmp_path)
    assert data.spec.inputs["eeg"].channels == ("Fp1", "Fp2", "Cz", "Pz", "PO3", "O1", "O2")
    np.testing.assert_allclose(data[0].inputs["eeg"], signals[:7], atol=1e-3)


def test_labels_are_the_picture_and_whether_the_second_matched(tmp_path, signals):
    for number, condition in enumerate(("S1 obj", "S2 match", "S2 nomatch")):
        write_trial(tmp_path, "co2c0000001", number, condition, signals)
    frame = opened(tmp_path).frame
    assert frame["picture"].tolist() == [0, 1, 1]
    np.testing.assert_array_equal(frame["match"], [np.nan, 1, 0])


def test_neither_name_nor_diagnosis_comes_out_unless_the_diagnosis_is_asked_for(tmp_path):
    data = opened(write_people(tmp_path / "data"))
    told = data.frame.to_csv() + repr(data.spec) + repr(data.findings) + data._store.table.to_csv()
    assert "co2" not in told
    assert "alcoholic" not in data.frame
    assert "alcoholic" not in data.spec.targets
    asked = opened(tmp_path / "data", sensitive=True)
    assert asked.frame.groupby("subject")["alcoholic"].first().sum() == 2


def test_errors_do_not_name_the_person(tmp_path, signals):
    path = write_trial(tmp_path, "co2a0000001", 0, "S1 obj", signals)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:9000]))
    with pytest.raises(DataError, match="has no 256 values") as caught:
        opened(tmp_path)
    assert "co2a0000001" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"# S1 obj , trial 0", b"# S3 obj , trial 0", "no condition"),
        (b"msecs uV", b"msecs mV", "does not give values in uV"),
        (b"0 FP1 5 ", b"0 FP1 6 ", "not in order"),
        (b"# FP2 chan 1", b"# FP1 chan 1", "not in order"),
        (b"0 FP1 3 ", b"0 FP1 3 x", "could not convert"),
        (b"# CZ chan 2", b"# CZ", "does not begin a channel"),
    ],
)
def test_a_trial_that_is_something_else_is_refused(tmp_path, signals, old, new, words):
    path = write_trial(tmp_path, "co2a0000001", 0, "S1 obj", signals)
    text = gzip.decompress(path.read_bytes())
    assert old in text
    path.write_bytes(gzip.compress(text.replace(old, new, 1)))
    with pytest.raises(DataError, match=words):
        read_trial(path)


def test_no_number_is_no_value(tmp_path, signals):
    signals[2, 9] = np.nan
    with pytest.raises(DataError, match="'CZ': sample 9 is no number"):
        read_trial(write_trial(tmp_path, "co2a0000001", 0, "S1 obj", signals))


def test_a_file_that_is_cut_short_is_refused_and_can_be_left_out(tmp_path):
    folder = write_people(tmp_path / "data")
    path = sorted(folder.glob("*/*.gz"))[0]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="1 of 24 trials cannot be used"):
        opened(folder)
    data = opened(folder, skip_broken=True)
    assert len(data) == 23
    assert [one.done for one in data.findings] == ["left out"]


def test_a_flat_electrode_is_found_and_made_up_as_asked(tmp_path, signals):
    signals[3] = 1.0
    write_trial(tmp_path, "co2a0000001", 0, "S1 obj", signals)
    kept = opened(tmp_path)
    assert [(one.what, one.where, one.done) for one in kept.findings] == [("flat channel", "Pz", "kept")]
    masked = opened(tmp_path, preparation=Preparation(absent="masked")).read(np.arange(1))
    assert masked.masks["eeg"][0].any(1).tolist() == [True, True, True, False, True, True, True]
    assert not masked.inputs["eeg"][0, 3].any()
    mended = opened(tmp_path, preparation=Preparation(absent="interpolated"))
    assert mended.findings[0].done == "Pz interpolated from 6 electrodes"
    assert np.ptp(mended[0].inputs["eeg"][3]) > 1


def test_what_was_done_stands_in_the_description_and_another_preparation_is_another_store(tmp_path):
    folder = write_people(tmp_path / "data")
    plain, slow = opened(folder), opened(folder, preparation=Preparation(low_pass_hz=30, rate_hz=128))
    assert plain.spec.inputs["eeg"].preparation == {}
    assert slow.spec.inputs["eeg"].preparation == {"low_pass_hz": 30.0, "rate_hz": 128.0}
    assert (slow.spec.inputs["eeg"].length, slow.spec.inputs["eeg"].rate_hz) == (128, 128.0)
    assert slow.read(np.arange(2)).inputs["eeg"].std() < plain.read(np.arange(2)).inputs["eeg"].std()


def test_a_trial_that_swings_too_far_is_left_out_and_listed(tmp_path, signals):
    write_trial(tmp_path, "co2a0000001", 0, "S1 obj", signals)
    signals[1, 100] = 500
    write_trial(tmp_path, "co2a0000001", 1, "S1 obj", signals)
    data = opened(tmp_path, preparation=Preparation(reject_uv=200))
    assert len(data) == 1
    assert [one.what for one in data.findings] == ["swings by more than 200 uV"]


def test_a_folder_of_something_else_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match="one folder for each person"):
        opened(tmp_path)


def test_the_real_database_is_read_whole():
    data = opened(real_data("eeg/uci-eeg-alcoholism"))
    assert len(data) == 480
    assert data.frame["subject"].nunique() == 16
    assert data.frame["picture"].sum() == 320
    assert len(data.spec.inputs["eeg"].channels) == 61
    assert len({one.sample for one in data.findings if one.what == "flat channel"}) == 7
    # A plain reading of one file, by its lines.
    assert np.abs(data[0].inputs["eeg"]).max() < 100


@pytest.mark.parametrize(
    ("preparation", "words"),
    [
        ({"low_pass_hz": 500}, "low_pass_hz is 500, but at 256 samples a second an edge must lie between 0 and 128 Hz"),
        ({"high_pass_hz": 0.5}, "1 s are too short for a high-pass at 0.5 Hz"),
        ({"line_hz": 150}, "line_hz is 150, but at 256 samples a second"),
        ({"rate_hz": 5000}, "rate_hz = 5000 asks for more than the 256 samples a second that were recorded"),
        ({"electrodes": ("Czz",)}, r"preparation\.electrodes names 'Czz', which is no electrode .*did you mean 'Cz'"),
        ({"reference": ("M9",)}, r"preparation\.reference names 'M9', which is no electrode"),
    ],
)
def test_a_setting_that_no_trial_can_have_is_told_of_before_any_is_read(tmp_path, monkeypatch, preparation, words):
    folder = write_people(tmp_path / "data")
    monkeypatch.setattr("pellucid_eeg.databases.uci.read_trial", lambda file: pytest.fail("a trial was read"))
    for skip in (False, True):
        with pytest.raises(DataError, match=words) as refused:
            opened(folder, preparation=Preparation(**preparation), skip_broken=skip)
        assert "trials cannot be used" not in str(refused.value)


def test_a_reason_that_all_trials_share_is_said_once(tmp_path):
    folder = write_people(tmp_path / "data")
    with pytest.raises(DataError, match=r"uci-eeg: electrodes Fz are not there, or bad;.*the same for all of its 24 t"):
        opened(folder, preparation=Preparation(electrodes=("Cz", "Fz")))


def test_trials_are_brought_to_a_higher_rate_where_it_is_meant(tmp_path):
    folder = write_people(tmp_path / "data")
    fast = opened(folder, preparation=Preparation(rate_hz=512, upsampled=True))
    assert (fast.spec.inputs["eeg"].length, fast.spec.inputs["eeg"].rate_hz) == (512, 512.0)
    # A model that has learnt at a higher rate still reads them.
    assert UciEeg.opened_like(UciEegConfig(), folder, fast.spec).spec.inputs["eeg"].rate_hz == 512
