"""Models of some electrodes and recordings of others: names, order, rates, what is made up, and what is refused."""

from __future__ import annotations

import json

import mne
import numpy as np
import pytest
from typer.testing import CliRunner
from written_uci import write_trial

import pellucid
from pellucid.command.commands import app
from pellucid.data import Binary, DataSpec, Signal
from pellucid.errors import DataError
from pellucid_eeg.databases.uci import UciEeg, UciEegConfig
from pellucid_eeg.preparing.applying import prepare
from pellucid_eeg.preparing.montage import differences, near
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.preparing.splines import spline_weights
from pellucid_eeg.recordings.electrodes import TEN_TWENTY
from pellucid_eeg.recordings.objects import recording_of
from pellucid_eeg.windows.trials import OpenTrials

OLD = {"T7": "EEG T3-REF", "T8": "EEG T4-REF", "P7": "EEG T5-REF", "P8": "EEG T6-REF", "Fp1": "EEG FP1-REF", "Cz": "CZ"}
MIDDLE = ("Cz", "Pz", "Fz", "C3", "C4", "P3", "P4")


def spec_of(channels, length: int = 128, rate_hz: float = 128.0) -> DataSpec:
    signal = Signal(channels=tuple(channels), length=length, rate_hz=rate_hz, units="uV")
    return DataSpec(name="d", namespace="d", inputs={"eeg": signal}, targets={"y": Binary(names=("no", "yes"))})


def waves(channels: int, seconds: float = 2.0, rate_hz: float = 128.0, seed: int = 0) -> np.ndarray:
    """Slow waves, so that another rate says the same."""
    rng, time_s = np.random.default_rng(seed), np.arange(round(seconds * rate_hz)) / rate_hz
    hz, phase = rng.uniform(2, 9, (channels, 1)), rng.uniform(0, 6, (channels, 1))
    return 20 * np.sin(2 * np.pi * hz * time_s + phase)


def given(values, channels, rate_hz=128.0):
    return recording_of(values, rate_hz=rate_hz, channels=channels, units="uV")


def read(objects, channels=TEN_TWENTY, absent="interpolated", **preparation):
    made = OpenTrials.like(objects, Preparation(absent=absent, **preparation), spec_of(channels))
    return made.read(np.arange(len(made))), made


# --- names and order --------------------------------------------------------------------------------------------------


def test_old_names_prefixes_and_order_change_nothing():
    values = waves(19)
    plain, made = read(given(values, TEN_TWENTY))
    at = np.random.default_rng(1).permutation(19)
    other, _ = read(given(values[at], [OLD.get(TEN_TWENTY[one], TEN_TWENTY[one]) for one in at]))
    np.testing.assert_array_equal(plain.inputs["eeg"], other.inputs["eeg"])
    np.testing.assert_allclose(plain.inputs["eeg"][1], values[:, 128:], atol=1e-4)
    assert list(made.frame.index) == ["given-1-00000", "given-1-00001"]
    assert made.findings == ()


def test_channels_that_are_no_electrodes_are_not_asked():
    names = [*TEN_TWENTY, "EOG left", "ECG", "A1", "Status"]
    values = waves(len(names))
    plain, made = read(given(values, names))
    np.testing.assert_allclose(plain.inputs["eeg"][0], values[:19, :128], atol=1e-4)
    assert made.findings == ()
    referenced, _ = read(given(values, names), reference=("A1",))
    np.testing.assert_allclose(referenced.inputs["eeg"][0], (values - values[21])[:19, :128], atol=1e-4)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (("Cz", "T3", "T7"), "'T3' and 'T7' are both T7"),
        (("Fp1-F7", "F7-T3"), "its 2 signals are differences of two electrodes"),
        (("Mr Doe", "ECG"), "has channels that no electrode is called: 'Mr Doe'"),
    ],
)
def test_channels_of_which_no_montage_can_be_made_are_refused(channels, message):
    with pytest.raises(DataError, match=message):
        read(given(waves(len(channels)), channels))


# --- more and fewer electrodes ----------------------------------------------------------------------------------------


def test_absent_electrodes_are_made_up_by_splines_over_all_others_and_said():
    names = [*TEN_TWENTY, "Oz", "FCz"]
    kept = [name for name in names if name not in ("Cz", "T8")]
    values = waves(len(kept))
    found, made = read(given(values, kept))
    wanted = spline_weights(tuple(kept), ("Cz", "T8")) @ values[:, :128]
    rows = [TEN_TWENTY.index(name) for name in ("Cz", "T8")]
    np.testing.assert_allclose(found.inputs["eeg"][0, rows], wanted, atol=1e-3)
    assert not found.masks
    assert [(one.sample, one.what, one.where, one.done) for one in made.findings] == [
        ("given-1", "lacks electrodes that the models read (2 of 19)", "Cz, T8", "interpolated from 19"),
        ("given-1", "has electrodes that the models do not read (2)", "Oz, FCz", "used for interpolation alone"),
    ]


def test_masked_electrodes_are_masked_and_said():
    kept = [name for name in TEN_TWENTY if name != "Cz"]
    found, made = read(given(waves(18), kept), absent="masked")
    assert (~found.masks["eeg"].any((0, 2))).nonzero()[0].tolist() == [TEN_TWENTY.index("Cz")]
    assert [(one.where, one.done) for one in made.findings] == [("Cz", "masked")]


def test_an_absent_electrode_is_refused_where_the_study_refuses_it():
    with pytest.raises(DataError, match="has no electrode Cz"):
        read(given(waves(18), [name for name in TEN_TWENTY if name != "Cz"]), absent="refused")


def test_bad_and_flat_channels_are_absent():
    values = waves(19)
    values[3] = 7.0
    found, made = read(given(values, TEN_TWENTY))
    assert np.ptp(found.inputs["eeg"][0, 3]) > 1
    assert {(one.what, one.where) for one in made.findings} == {
        ("flat channel", TEN_TWENTY[3]), ("lacks electrodes that the models read (1 of 19)", TEN_TWENTY[3])
    }  # fmt: skip


@pytest.mark.parametrize("absent", ["interpolated", "masked"])
def test_too_few_electrodes_are_refused(absent):
    few = ("F3", "F4", "P3", "P4")
    with pytest.raises(DataError, match=r"only 21% of the 19 electrodes .* of 4 good ones; 60% are the least"):
        read(given(waves(4), few), absent=absent)
    assert near(TEN_TWENTY, ("FC1", "FC2", "POz")) == 1
    assert near(("Fp1",), ("Fp2", "O1")) == pytest.approx(0.0)
    read(given(waves(4), few), absent=absent, least_near=0.2)


def test_an_average_reference_is_taken_over_all_electrodes_before_any_is_dropped():
    names = [*TEN_TWENTY, "Oz", "FCz", "POz"]
    values = waves(len(names)) + 100 * np.arange(len(names))[:, None]
    found, made = read(given(values, names), reference="average")
    np.testing.assert_allclose(found.inputs["eeg"][0], (values - values.mean(0))[:19, :128], atol=1e-3)
    assert [one.done for one in made.findings] == ["used for the average reference alone"]
    # And a montage of fewer, its absent ones made up afterwards.
    done = prepare(values[:18], names[:18], 128.0, Preparation(reference="average", absent="interpolated"), TEN_TWENTY)
    np.testing.assert_allclose(done.signals_uv[:18].mean(0), 0, atol=1e-3)


# --- rates and kinds of objects ---------------------------------------------------------------------------------------


def test_another_rate_is_resampled_and_said():
    # The same waves at another rate; a second one is far from both ends.
    slow, fast = waves(19, 3.0), waves(19, 3.0, 500.0)
    found, made = read(given(fast, TEN_TWENTY, 500.0))
    assert found.inputs["eeg"].shape == (3, 19, 128)
    np.testing.assert_allclose(found.inputs["eeg"][1], slow[:, 128:256], atol=0.1)
    assert [(one.what, one.where, one.done) for one in made.findings] == [
        ("has another rate", "500 Hz", "resampled to 128 Hz")
    ]
    signal = spec_of(TEN_TWENTY).inputs["eeg"]
    assert differences(TEN_TWENTY, 128.0, np.ones(19, bool), signal, Preparation()) == []


def test_objects_of_mne_give_windows_and_epochs_begin_at_their_time_0():
    values = waves(19, 4.5)
    info = mne.create_info(list(TEN_TWENTY), 128.0, "eeg")
    raw = mne.io.RawArray(values * 1e-6, info, verbose="ERROR")
    found, _ = read(raw)
    assert found.inputs["eeg"].shape == (4, 19, 128)
    np.testing.assert_allclose(found.inputs["eeg"][2], values[:, 256:384], atol=1e-3)
    events = np.array([[64, 0, 1], [300, 0, 2]])
    epochs = mne.Epochs(raw, events, tmin=-0.25, tmax=1.25, baseline=None, preload=True, verbose="ERROR")
    epoch, made = read(epochs)
    np.testing.assert_allclose(epoch.inputs["eeg"][1], values[:, 300:428], atol=1e-3)
    assert list(made.frame.index) == ["given-1-00000", "given-1-00001"]
    short = mne.Epochs(raw, events, tmin=-0.25, tmax=0.5, baseline=None, preload=True, verbose="ERROR")
    with pytest.raises(DataError, match=r"no window of 1 s is left .* events whose window was not recorded: 2"):
        read(short)


def test_windows_with_gaps_are_left_out_and_recordings_without_a_window_refused():
    values = waves(19, 3.0)
    values[2, 50] = np.nan
    found, made = read(given(values, TEN_TWENTY))
    np.testing.assert_allclose(found.inputs["eeg"], [values[:, at : at + 128] for at in (51, 179)], atol=1e-4)
    np.testing.assert_allclose(made.frame["start_s"], [51 / 128, 179 / 128])
    assert [one.what for one in made.findings] == ["missing samples"]
    with pytest.raises(DataError, match=r"no window of 1 s is left of 0\.5 s"):
        read(given(waves(19, 0.5), TEN_TWENTY))
    with pytest.raises(DataError, match="nothing was given"):
        read([])


# --- a whole study ----------------------------------------------------------------------------------------------------


def uci_folder(folder, names, seed):
    """People with electrodes of these names, written so that the same person of two folders has the same scalp."""
    rng = np.random.default_rng(seed)
    for person in range(6):
        for trial in range(6):
            signals = rng.normal(0, 5, (len(names), 256))
            at = [at for at, name in enumerate(names) if name.upper() in ("PZ", "POZ", "P3", "P4", "CZ")]
            signals[at, 80:160] += 12 if trial % 3 == 0 else 0
            write_trial(folder, f"co2{'ac'[person % 2]}{seed}{person:06d}", trial, ("S1 obj", "S2 match", "S2 nomatch")[trial % 3],
                        signals, channels=names)  # fmt: skip
    return folder


STUDY = {
    "title": "montages",
    "dataset": "uci-eeg",
    "target": "picture",
    "protocols": ["subject-holdout"],
    "encoder": [{"input": "eeg", "name": "window-means", "window_s": 0.125}],
    "head": [{"name": "linear"}],
    "training": {"epochs": 40, "learning_rate": 0.02},
}
LEARNT = ("FP1", "FP2", "FZ", "C3", "CZ", "C4", "P3", "PZ", "P4", "POZ", "O1", "O2", "X", "Y", "nd")
OTHER = ("O2", "O1", "P4", "P3", "C4", "C3", "FP2", "FP1", "OZ", "F3", "F4", "T3", "X", "nd")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    study = pellucid.study(
        {**STUDY, "options": {"uci-eeg": {"preparation": {"absent": "interpolated", "rate_hz": 128.0}}}}
    )
    return study.run(tmp_path / "run", uci_folder(tmp_path / "learnt", LEARNT, 1))


def test_a_run_is_evaluated_on_other_electrodes_and_says_what_it_did(run, tmp_path):
    out = tmp_path / "found.json"
    other = uci_folder(tmp_path / "other", OTHER, 2)
    said = CliRunner().invoke(app, ["evaluate", str(run.path), "--data", str(other), "--out", str(out)])
    assert said.exit_code == 0, said.output
    assert (
        "Lacks electrodes that the models read (4 of 12): in all of them Fz, Cz, Pz, POz; interpolated from 12"
        in said.output
    )
    assert (
        "Has electrodes that the models do not read (4): in all of them Oz, F3, F4, T7; used for interpolation alone"
        in said.output
    )
    document = json.loads(out.read_text())
    (auroc,) = [one for one in document["results"] if one["metric"] == "auroc" and one["part"] == "linear"]
    assert auroc["value"] > 0.9
    assert len(document["findings"]) == 2 * 36


def test_the_same_electrodes_in_another_order_give_the_same_scores(run, tmp_path):
    rng, trials = np.random.default_rng(0), []
    for folder, names in (("one", LEARNT), ("two", LEARNT[::-1])):
        rng = np.random.default_rng(0)
        for trial in range(6):
            signals = dict(zip(LEARNT, rng.normal(0, 5, (len(LEARNT), 256)), strict=True))
            values = np.stack([signals[name] for name in names])
            write_trial(
                tmp_path / folder, "co2a0000077", trial, ("S1 obj", "S2 match")[trial % 2], values, channels=names
            )
        trials.append(tmp_path / folder)
    learnt = run.learnt
    one, two = (UciEeg.opened_like(UciEegConfig(preparation=Preparation(absent="interpolated", rate_hz=128.0)), folder, learnt)
                for folder in trials)  # fmt: skip
    np.testing.assert_array_equal(one.read(np.arange(6)).inputs["eeg"], two.read(np.arange(6)).inputs["eeg"])
    assert one.spec.inputs == learnt.inputs
    assert one.findings == two.findings == ()


def test_a_loaded_model_reads_what_is_open(run):
    model = pellucid.load(run.path)
    values = waves(14, 2.0, 500.0)
    names = ["Oz", "F3", "F4", *[name for name in run.learnt.inputs["eeg"].channels if name != "Cz"]]
    raw = mne.io.RawArray(values * 1e-6, mne.create_info(names, 500.0, "eeg"), verbose="ERROR")
    with pytest.warns(UserWarning, match=r"lacks electrodes that the models read \(1 of 12\) Cz"):
        found = model.predict(raw)
    assert list(found.index) == ["given-1-00000", "given-1-00001"]
    with pytest.warns(UserWarning, match="resampled|another rate"):
        same = model.predict(given(values, names, 500.0))
    np.testing.assert_allclose(same, found, atol=1e-5)


def test_a_model_of_signals_made_up_reads_what_is_open():
    data = pellucid.dataset("eeg-synthetic", task="spike-wave", subjects=2, train_trials=4)
    channels = data.spec.inputs["eeg"].channels
    kind = type(data)
    made = kind.of_objects_like(given(waves(8, 8.5), channels), data.config, data.spec)
    assert made.read(np.arange(len(made))).inputs["eeg"].shape == (2, 8, 512)
    assert made.frame["rms_uv"].between(10, 20).all()


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_microvolts_given_as_volts_and_volts_given_as_microvolts_are_refused(factor):
    with pytest.raises(DataError, match="given-1: amplitudes cannot be microvolts: channels move by"):
        read(given(factor * waves(19), TEN_TWENTY))
    quiet, _ = read(given(0.02 * waves(19), TEN_TWENTY))
    assert quiet.inputs["eeg"].std() < 1
