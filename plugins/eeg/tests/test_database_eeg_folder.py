"""A folder of recordings becomes windows: labels as planted, kept once, made again when something changes."""

from __future__ import annotations

import shutil

import mne
import numpy as np
import pandas as pd
import pytest
from written_trees import NAMES, RATE, blocks, noise, tapping, tree_of_events, tree_of_folders, with_tone, written

from pellucid.errors import DataError
from pellucid_eeg.databases.folder import EegFolder, EegFolderConfig
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.objects import recording_of

TAPPING = {"classes": {"rest": "rest", "tapping": "tapping"}}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def opened(folder, **options) -> EegFolder:
    return EegFolder(EegFolderConfig(**options), folder)


def power_at_cz(data) -> np.ndarray:
    """Of 10 Hz, one number a window."""
    signals = data.read(np.arange(len(data))).inputs["eeg"][:, data.spec.inputs["eeg"].channels.index("Cz")]
    hz = np.fft.rfftfreq(signals.shape[-1], 1 / data.spec.inputs["eeg"].rate_hz)
    return np.abs(np.fft.rfft(signals))[:, np.abs(hz - 10) < 0.3].mean(1)


def test_fixed_windows_have_the_label_of_what_happened_in_them(tmp_path):
    data = opened(tree_of_events(tmp_path / "data"), window_s=2, **TAPPING)
    assert len(data) == 6 * 20
    # Stretches are 5 s long: of the windows at 0, 2, ..., those at 4 and 14 lie half in each, where the first class counts.
    first = data.frame.iloc[:10]
    assert first["label"].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 1, 1]
    strict = opened(tmp_path / "data", window_s=2, covered=1.0, **TAPPING)
    assert len(strict) == 6 * 16
    tone = power_at_cz(strict)
    label = strict.frame["label"].to_numpy()
    assert tone[label == 1].min() > tone[label == 0].max()
    listed = [one for one in strict.findings if one.what == "windows of no class, or of several"]
    assert {one.where for one in listed} == {"4 of 20"}


def test_windows_around_events_hold_the_very_samples_of_the_file(tmp_path):
    signals = noise(5, 30)
    path = written(tmp_path / "data" / "a.edf", signals, events=[(5.0, 0, "go"), (12.5, 0, "stop"), (12.5, 0, "cough")])
    data = opened(tmp_path / "data", cut="events", window_s=1, onset_s=-0.25, classes={"go": "go", "stop": "stop"})
    assert data.frame["label"].tolist() == [0, 1]
    assert data.frame["start_s"].tolist() == [4.75, 12.25]
    whole = recording_of(path).signals_uv
    expected = np.stack([whole[:, round(4.75 * RATE) :][:, :RATE], whole[:, round(12.25 * RATE) :][:, :RATE]])
    assert np.array_equal(data.read(np.arange(2)).inputs["eeg"], expected)


def test_folders_name_classes_and_a_file_in_none_is_refused(tmp_path):
    data = opened(tree_of_folders(tmp_path / "data"), labels="folders", classes={"rest": "rest", "task": "task"})
    per = data.frame.groupby("subject")["label"].agg(["nunique", "first"])
    assert per["nunique"].max() == 1
    assert sorted(per["first"]) == [0, 0, 0, 1, 1, 1]
    assert power_at_cz(data)[data.frame["label"] == 1].min() > power_at_cz(data)[data.frame["label"] == 0].max()
    written(tmp_path / "data" / "elsewhere" / "x.edf", noise(5, 5))
    with pytest.raises(DataError, match=r"elsewhere/x\.edf: lies in no folder that .* names \('rest', 'task'\)"):
        opened(tmp_path / "data", labels="folders", classes={"rest": "rest", "task": "task"})


def test_a_table_says_whose_a_recording_is_what_it_is_of_and_which_side_it_is_on(tmp_path):
    folder = tree_of_folders(tmp_path / "data", people=4)
    rows = ["path,subject,diagnosis,part"]
    rows += [
        f"{kind}/p{i}.edf,person {i // 2},{'ab'[i // 2]},{('train', 'test')[i // 2]}"
        for i, kind in enumerate(("rest", "task") * 2)
    ]
    (folder / "recordings.csv").write_text("\n".join(rows) + "\n")
    data = opened(
        folder,
        labels="table",
        subjects="table",
        label="diagnosis",
        split="part",
        classes={"a": "well", "b": "ill"},
        target="state",
    )
    assert data.frame["subject"].nunique() == 2
    assert data.frame["recording"].nunique() == 4
    assert data.frame.groupby("subject")["state"].nunique().max() == 1
    assert data.frame.groupby("split")["state"].first().to_dict() == {"test": 1.0, "train": 0.0}
    assert data.spec.targets["state"].names == ("well", "ill")


def test_it_is_prepared_once_and_again_only_where_something_changed(tmp_path, monkeypatch):
    folder = tree_of_events(tmp_path / "data", people=3)
    first = opened(folder, **TAPPING)
    from pellucid_eeg.windows import storing

    made: list[str] = []
    real = storing._make
    monkeypatch.setattr(
        storing, "_make", lambda to, source, *rest: made.append(source.place.path.name) or real(to, source, *rest)
    )
    again = opened(folder, **TAPPING)
    assert (made, again.digest()) == ([], first.digest())
    written(folder / "p1.edf", tapping(40, 77), events=blocks(40))
    changed = opened(folder, **TAPPING)
    assert made == ["p1.edf"]
    assert changed.digest() != first.digest()
    slow = opened(folder, preparation=Preparation(low_pass_hz=8), **TAPPING)
    assert sorted(made[1:]) == ["p0.edf", "p1.edf", "p2.edf"]
    assert power_at_cz(slow).max() < power_at_cz(changed).max() / 2
    shutil.copy(folder / "p0.edf", folder / "p9.edf")
    made.clear()
    opened(folder, **TAPPING)
    assert made == ["p9.edf"]


def test_a_preparation_that_was_cut_off_goes_on_with_what_is_not_there(tmp_path, monkeypatch):
    folder = tree_of_events(tmp_path / "data", people=3)
    from pellucid_eeg.windows import storing

    real, made = storing._make, []

    def stops(to, source, *rest):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(source.place.path.name)
        return real(to, source, *rest)

    monkeypatch.setattr(storing, "_make", stops)
    with pytest.raises(KeyboardInterrupt):
        opened(folder, **TAPPING)
    assert not [one for one in (tmp_path / "cache").iterdir() if one.name.startswith(".")]
    made.clear()
    assert len(opened(folder, **TAPPING)) == 60
    assert made == ["p2.edf"]


def test_half_the_digits_are_half_the_bytes_and_near(tmp_path):
    folder = tree_of_events(tmp_path / "data", people=1)
    whole, half = opened(folder, **TAPPING), opened(folder, precision="float16", **TAPPING)
    one, other = (data.read(np.arange(len(data))).inputs["eeg"] for data in (whole, half))
    assert other.dtype == np.float32
    assert np.abs(one - other).max() <= np.abs(one).max() * 2**-11
    assert [data._stores[0].arrays["signals"].dtype for data in (whole, half)] == [np.float32, np.float16]
    big = tmp_path / "big"
    written(big / "a.edf", noise(5, 20), unit="mV", events=[(0, 20, "rest")])
    with pytest.raises(DataError, match="do not fit into float16"):
        opened(big, precision="float16", doubtful_units="kept", **TAPPING)


def test_electrodes_are_those_that_all_have_in_the_order_of_the_first(tmp_path):
    written(
        tmp_path / "data" / "a.edf",
        noise(3, 20),
        names=["EEG O1-REF", "EEG T3-REF", "EEG CZ-REF"],
        events=[(0, 20, "rest")],
    )
    written(
        tmp_path / "data" / "b.edf", noise(4, 20, seed=1), names=["Cz", "Pz", "T7", "ECG"], events=[(0, 20, "tapping")]
    )
    data = opened(tmp_path / "data", **TAPPING)
    assert data.spec.inputs["eeg"].channels == ("T7", "Cz")
    assert [one.what for one in data.findings if "reference" in one.what] == [
        "recorded against another reference than most"
    ]
    masked = opened(
        tmp_path / "data", preparation=Preparation(electrodes=("Cz", "Pz"), absent="masked", least_near=0.5), **TAPPING
    )
    known = masked.read(np.array([0, len(masked) - 1])).masks["eeg"][:, :, 0]
    assert known.tolist() == [[True, False], [True, True]]


def test_the_same_samples_under_two_names_are_found_and_stand_on_one_side(tmp_path):
    folder = tree_of_events(tmp_path / "data", people=3)
    header = bytearray((folder / "p0.edf").read_bytes())
    header[8:88] = b"Another Name".ljust(80)
    (folder / "z9.edf").write_bytes(header)
    data = opened(folder, **TAPPING)
    alike = [one for one in data.findings if one.what == "the same samples as another recording"]
    assert len(alike) == 1
    assert "another subject's" in alike[0].where
    assert (data.frame["subject"].nunique(), data.frame["recording"].nunique()) == (4, 3)
    shared = data.frame.groupby("recording")["subject"].nunique()
    assert sorted(shared) == [1, 1, 2]


def test_files_of_other_kinds_are_read_beside_edf(tmp_path):
    folder = tree_of_events(tmp_path / "data", people=1)
    raw = mne.io.RawArray(tapping(40, 5) * 1e-6, mne.create_info(list(NAMES), RATE, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations(*zip(*blocks(40), strict=True)))
    raw.save(folder / "b_raw.fif", verbose="ERROR")
    data = opened(folder, **TAPPING)
    sizes = data.frame.groupby("recording", sort=False).size().tolist()
    assert sizes == [20, 20]
    assert data.frame["label"].iloc[:20].tolist() == data.frame["label"].iloc[20:].tolist()


def test_objects_are_cut_as_the_files_are(tmp_path):
    folder = tree_of_events(tmp_path / "data", people=1)
    options = {"window_s": 2, "preparation": Preparation(electrodes=NAMES, rate_hz=RATE), **TAPPING}
    data = opened(folder, covered=0.5, **options)
    recording = recording_of(folder / "p0.edf")
    expected = data.read(np.arange(20)).inputs["eeg"]
    raw = mne.io.RawArray(recording.signals_uv * 1e-6, mne.create_info(list(NAMES), RATE, "eeg"), verbose="ERROR")
    epochs = mne.make_fixed_length_epochs(raw, 2.0, preload=True, verbose="ERROR")
    swapped = recording_of(recording.signals_uv[::-1].copy(), rate_hz=RATE, channels=NAMES[::-1], units="uV")
    for one in (recording, raw, epochs, folder / "p0.edf", recording.signals_uv, swapped, expected):
        made = EegFolder.of_objects(one, data.config)
        assert made.frame["label"].isna().all()
        assert made.frame.index[0] == "given-1-00000"
        np.testing.assert_allclose(made.read(np.arange(20)).inputs["eeg"], expected, atol=1e-3)
    with pytest.raises(DataError, match="has no electrode O2"):
        EegFolder.of_objects(recording.of_channels(NAMES[:4]), data.config)
    with pytest.raises(DataError, match="does not say its channels"):
        EegFolder.of_objects(np.zeros((5, 640)), EegFolderConfig(**TAPPING))


def test_epochs_longer_than_a_window_are_cut_at_their_own_time_zero(tmp_path):
    signals = with_tone(noise(5, 30), 2, [(5, 8)])
    raw = mne.io.RawArray(signals * 1e-6, mne.create_info(list(NAMES), RATE, "eeg"), verbose="ERROR")
    epochs = mne.Epochs(
        raw,
        np.array([[5 * RATE, 0, 1], [15 * RATE, 0, 2]]),
        {"go": 1, "stop": 2},
        -1,
        3,
        baseline=None,
        preload=True,
        verbose="ERROR",
    )
    config = EegFolderConfig(
        cut="events",
        window_s=1,
        onset_s=0.5,
        classes={"go": "go", "stop": "stop"},
        preparation=Preparation(electrodes=NAMES),
    )
    made = EegFolder.of_objects(epochs, config)
    expected = np.stack([signals[:, round(at * RATE) :][:, :RATE] for at in (5.5, 15.5)])
    np.testing.assert_allclose(made.read(np.arange(2)).inputs["eeg"], expected, atol=1e-3)


def test_frame_holds_no_name_and_options_that_do_not_agree_are_refused(tmp_path):
    data = opened(tree_of_events(tmp_path / "data", people=2), **TAPPING)
    assert list(data.frame.columns) == ["subject", "recording", "label", "start_s"]
    assert "p0" not in data.frame.to_csv() + repr(data.findings) + repr(data.spec)
    assert isinstance(data.frame, pd.DataFrame)
    with pytest.raises(DataError, match="0 classes are named"):
        opened(tmp_path / "data")
    for wrong in ({"cut": "events", "step_s": 1}, {"onset_s": 1}, {"target": "subject"}):
        with pytest.raises(ValueError, match=r"step_s|onset_s|target"):
            EegFolderConfig(**wrong)


def test_samples_that_lie_beside_a_header_are_part_of_what_a_store_is_made_from(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.vhdr").write_text(
        "BrainVision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\nMarkerFile=a.vmrk\n"
        "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=5\nSamplingInterval=15625\n[Binary Infos]\n"
        "BinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n"
        + "".join(f"Ch{i + 1}={name},,1,µV\n" for i, name in enumerate(NAMES)),
        encoding="utf-8",
    )
    (folder / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\n[Marker Infos]\n"
        "Mk1=Comment,rest,1,640,0\nMk2=Comment,tapping,641,640,0\n"
    )
    options = {"classes": {"Comment/rest": "rest", "Comment/tapping": "tapping"}}
    for seed in (1, 2):
        signals = noise(5, 20, seed=seed).astype("<f4")
        (folder / "a.eeg").write_bytes(np.ascontiguousarray(signals.T).tobytes())
        data = opened(folder, **options)
        assert data.frame["label"].tolist() == [0] * 5 + [1] * 5
        np.testing.assert_allclose(data[0].inputs["eeg"], signals[:, : 2 * RATE], atol=1e-3)


def test_another_label_of_a_recording_is_another_label_and_no_reason_to_prepare_it_again(tmp_path, monkeypatch):
    folder = tree_of_folders(tmp_path / "data", people=2)
    options = {"labels": "table", "label": "kind", "classes": {"a": "well", "b": "ill"}}
    (folder / "recordings.csv").write_text("path,kind\nrest/p0.edf,a\ntask/p1.edf,b\n")
    assert opened(folder, **options).frame["label"].iloc[[0, -1]].tolist() == [0, 1]
    from pellucid_eeg.windows import storing

    monkeypatch.setattr(storing, "_make", lambda *_: pytest.fail("prepared again"))
    (folder / "recordings.csv").write_text("path,kind\nrest/p0.edf,b\ntask/p1.edf,a\n")
    assert opened(folder, **options).frame["label"].iloc[[0, -1]].tolist() == [1, 0]


def test_other_classes_and_another_share_are_other_labels(tmp_path):
    folder = tree_of_events(tmp_path / "data", people=1)
    first = opened(folder, **TAPPING).frame["label"].to_numpy()
    turned = opened(folder, classes={"tapping": "tapping", "rest": "rest"}).frame["label"].to_numpy()
    pure = first == 1 - turned
    # Windows that lie half in each are of the first class, whichever that is.
    assert pure.sum() == 16
    assert set(first[~pure]) == set(turned[~pure]) == {0.0}
    with_rest = opened(folder, classes={"tapping": "tapping"}, otherwise="rest").frame["label"].to_numpy()
    # Eight lie in it, and four lie half in it.
    assert (with_rest == 1).sum() == 12
