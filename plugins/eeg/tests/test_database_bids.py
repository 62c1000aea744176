"""A BIDS tree, written by hand and by mne-bids, becomes windows with the labels of its tables."""

from __future__ import annotations

import json
import shutil

import mne
import numpy as np
import pytest
from written_trees import NAMES, RATE, bids_tree, blocks, noise, tapping, written

from pellucid.errors import DataError
from pellucid_eeg.databases.bids import BidsEeg, BidsEegConfig
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.objects import recording_of

TAPPING = {"classes": {"rest": "rest", "tapping": "tapping"}}
GROUPS = {"labels": "participants", "column": "group", "classes": {"control": "control", "patient": "patient"}}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def opened(root, **options) -> BidsEeg:
    return BidsEeg(BidsEegConfig(**options), root)


def test_events_of_each_recording_label_its_windows(tmp_path):
    data = opened(bids_tree(tmp_path / "ds"), **TAPPING)
    assert data.frame["subject"].nunique() == 6
    assert len(data) == 6 * 20
    signals = data.read(np.arange(len(data))).inputs["eeg"][:, 2]
    tone = np.abs(np.fft.rfft(signals))[:, 20]
    pure = data.frame["start_s"] % 5 < 3.01
    label = data.frame["label"]
    assert tone[pure & (label == 1)].min() > tone[pure & (label == 0)].max()
    assert data.findings == ()


def test_a_column_of_participants_labels_recordings_and_na_is_left_out(tmp_path):
    root = bids_tree(tmp_path / "ds")
    text = (root / "participants.tsv").read_text().replace("sub-06\t35\tF\tcontrol", "sub-06\tn/a\tF\tn/a")
    (root / "participants.tsv").write_text(text.replace("\t34\t", "\t97\t"))
    data = opened(root, covariates=("age",), target="group", **GROUPS)
    per = data.frame.groupby("subject", sort=False)
    assert per["group"].first().tolist() == [1, 0, 1, 0, 1]
    assert per["age"].first().tolist() == [30, 31, 32, 33, 90]
    assert [(one.what, one.done) for one in data.findings] == [("no class that is named", "left out")]
    assert "sex" not in data.frame


def test_what_lies_in_derivatives_code_and_sourcedata_is_not_read(tmp_path):
    root = bids_tree(tmp_path / "ds")
    assert len(opened(root, **TAPPING).frame["recording"].unique()) == 6
    with pytest.raises(DataError, match=r"is no BIDS tree; name the folder 'ds' in it"):
        opened(tmp_path, **TAPPING)


def test_sessions_tasks_and_runs_are_chosen_by_their_labels(tmp_path):
    root = bids_tree(tmp_path / "ds", people=("01", "02"))
    for session in ("pre", "post"):
        stem = root / "sub-03" / f"ses-{session}" / "eeg" / f"sub-03_ses-{session}_task-tap_run-2"
        written(stem.with_name(f"{stem.name}_eeg.edf"), tapping(20, len(session)))
        rows = ["onset\tduration\ttrial_type", *(f"{at}\t{lasts}\t{word}" for at, lasts, word in blocks(20))]
        stem.with_name(f"{stem.name}_events.tsv").write_text("\n".join(rows) + "\n")
    assert opened(root, **TAPPING).frame["recording"].nunique() == 4
    assert opened(root, sessions=("pre",), **TAPPING).frame["recording"].nunique() == 1
    assert opened(root, runs=("2",), tasks=("tap",), **TAPPING).frame["subject"].nunique() == 1
    with pytest.raises(DataError, match="no recording has ses-mid; there are post, pre"):
        opened(root, sessions=("mid",), **TAPPING)


def test_bad_channels_and_units_are_taken_from_the_table_nearest(tmp_path):
    root = bids_tree(tmp_path / "ds")
    near = root / "sub-02" / "eeg" / "sub-02_task-tap_run-1_channels.tsv"
    near.write_text(
        "name\ttype\tunits\tstatus\nFp1\tEEG\tuV\tbad\n" + "".join(f"{one}\tEEG\tuV\tgood\n" for one in NAMES[1:])
    )
    with pytest.raises(DataError, match=r"1 of 6 recordings.*sub-02/eeg/.*Fp1 is marked as bad.*interpolated"):
        opened(root, **TAPPING)
    data = opened(root, preparation=Preparation(absent="interpolated"), **TAPPING)
    assert [one.where for one in data.findings if one.what == "electrodes made up"] == [
        "Fp1 interpolated from 4 electrodes"
    ]
    # A file that does not say its unit has that of the table.
    signals = tapping(40, 0)
    path = next((root / "sub-01" / "eeg").glob("*.edf"))
    written(path, signals / 1000, unit="")
    (root / "task-tap_channels.tsv").write_text("name\ttype\tunits\n" + "".join(f"{one}\tEEG\tmV\n" for one in NAMES))
    again = opened(root, preparation=Preparation(absent="interpolated"), **TAPPING)
    first = again.read(np.arange(1)).inputs["eeg"][0]
    assert np.abs(first - signals[:, : 2 * RATE]).max() < 20
    assert np.corrcoef(first.ravel(), signals[:, : 2 * RATE].ravel())[0, 1] > 0.9


def test_a_tree_that_mne_bids_wrote_is_read_as_mne_bids_reads_it(tmp_path):
    mne_bids = pytest.importorskip("mne_bids")
    mne.set_log_level("ERROR")
    root = tmp_path / "ds"
    for person, session in (("a", "1"), ("a", "2"), ("b", "1")):
        edf = written(tmp_path / f"{person}{session}.edf", tapping(30, 10 * ord(person) + int(session)))
        raw = mne.io.read_raw_edf(edf, preload=False, verbose="ERROR")
        raw.set_annotations(mne.Annotations(*zip(*[(at, lasts, word) for at, lasts, word in blocks(30)], strict=True)))
        raw.info["line_freq"] = 50
        raw.set_channel_types(dict.fromkeys(raw.ch_names, "eeg"))
        path = mne_bids.BIDSPath(subject=person, session=session, task="tap", root=root, datatype="eeg")
        mne_bids.write_raw_bids(raw, path, overwrite=True, verbose=False)
    data = opened(root, preparation=Preparation(electrodes=NAMES), **TAPPING)
    paths = mne_bids.find_matching_paths(root, datatypes="eeg", suffixes="eeg", extensions=[".edf"])
    assert data.frame["recording"].nunique() == len(paths) == 3
    assert data.frame["subject"].nunique() == 2
    read = [mne_bids.read_raw_bids(path, verbose=False) for path in sorted(paths, key=lambda one: str(one.fpath))]
    expected = np.concatenate(
        [
            raw.get_data(picks=list(NAMES))[:, : 15 * 2 * RATE].reshape(5, 15, 2 * RATE).transpose(1, 0, 2) * 1e6
            for raw in read
        ]
    )
    # Within a step of the converter (0.015 uV).
    np.testing.assert_allclose(data.read(np.arange(45)).inputs["eeg"], expected, atol=0.02)
    events = [raw.annotations for raw in read]
    assert [one.description.tolist() for one in events] == [[word for *_, word in blocks(30)]] * 3


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("sub-03/eeg/sub-03_task-tap_run-1_events.tsv", "5\t5\ttapping", "five\t5\ttapping", r"line 3, column 'onset': is no time"),
        ("sub-03/eeg/sub-03_task-tap_run-1_events.tsv", "5\t5\ttapping", "5\t-5\ttapping", "line 3, column 'duration': is no time"),
        ("sub-03/eeg/sub-03_task-tap_run-1_events.tsv", "trial_type", "trial_typ", "no column 'trial_type'; did you mean 'trial_typ'"),
        ("sub-03/eeg/sub-03_task-tap_run-1_events.tsv", "\t", ",", "no column 'onset', as commas part its columns; save it with tabs"),
        ("task-tap_eeg.json", '"SamplingFrequency": 64', '"SamplingFrequency": 128', "has 64 samples a second.* says 128"),
        ("task-tap_eeg.json", "{", "[", "is no JSON object"),
        ("task-tap_channels.tsv", "Cz\tEEG\tuV", "Cz\tEEG\tdegC", "line 4, column 'units': is no voltage"),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong_is_named_with_its_line(tmp_path, file, old, new, words):
    root = bids_tree(tmp_path / "ds")
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))
    with pytest.raises(DataError, match=words):
        opened(root, **TAPPING)


def test_a_recording_without_events_is_refused_or_left_out(tmp_path):
    root = bids_tree(tmp_path / "ds")
    (root / "sub-02" / "eeg" / "sub-02_task-tap_run-1_events.tsv").unlink()
    with pytest.raises(
        DataError, match=r"1 of 6 .*sub-02_task-tap_run-1_eeg\.edf: has no table of events.*participants"
    ):
        opened(root, **TAPPING)
    data = opened(root, skip_broken=True, **TAPPING)
    assert data.frame["subject"].nunique() == 5
    told = repr(data.findings)
    assert "left out" in told
    assert "sub-02" not in told
    assert opened(root, **GROUPS).frame["subject"].nunique() == 6


def test_a_participant_without_a_row_and_one_with_two_are_refused(tmp_path):
    root = bids_tree(tmp_path / "ds")
    text = (root / "participants.tsv").read_text()
    (root / "participants.tsv").write_text(text.replace("sub-04", "sub-44"))
    with pytest.raises(DataError, match=r"sub-04.*has no row in participants\.tsv"):
        opened(root, **GROUPS)
    (root / "participants.tsv").write_text(text.replace("sub-04", "sub-03"))
    with pytest.raises(DataError, match="line 5, column 'participant_id': stands in line 4 already"):
        opened(root, **GROUPS)
    with pytest.raises(DataError, match="no column 'diagnosis'"):
        opened(root, labels="participants", column="diagnosis", classes={"a": "a", "b": "b"})
    (root / "participants.tsv").write_text(text.replace("\tcontrol", "\tControl"))
    with pytest.raises(DataError, match="'Control' is no class that is named; did you mean 'control'"):
        opened(root, **GROUPS)


def test_names_of_subject_and_folder_agree(tmp_path):
    root = bids_tree(tmp_path / "ds")
    shutil.move(
        root / "sub-01" / "eeg" / "sub-01_task-tap_run-1_eeg.edf",
        root / "sub-02" / "eeg" / "sub-01_task-tap_run-2_eeg.edf",
    )
    with pytest.raises(DataError, match="says another subject than its folder"):
        opened(root, **TAPPING)


def test_sidecars_are_inherited_and_the_nearest_wins(tmp_path):
    from pellucid_eeg.databases.bids_layout import BidsRecording, sidecar, sidecar_json

    root = bids_tree(tmp_path / "ds")
    path = root / "sub-01" / "eeg" / "sub-01_task-tap_run-1_eeg.edf"
    one = BidsRecording(root, path)
    (root / "sub-01" / "sub-01_eeg.json").write_text(json.dumps({"EEGReference": "near", "SamplingFrequency": 1}))
    (root / "eeg.json").write_text(json.dumps({"SamplingFrequency": 2, "Far": True}))
    (root / "task-rest_eeg.json").write_text(json.dumps({"SamplingFrequency": 3}))
    told, files = sidecar_json(one, "eeg.json")
    assert told == {"EEGReference": "near", "SamplingFrequency": 1, "Far": True, "PowerLineFrequency": 50}
    assert len(files) == 3
    assert sidecar(one, "events.tsv").parent == path.parent
    assert sidecar(one, "channels.tsv") == root / "task-tap_channels.tsv"
    assert recording_of(path).rate_hz == RATE
    assert noise(1, 1).shape == (1, RATE)


def test_a_table_that_says_another_unit_than_the_file_is_listed_and_the_file_counts(tmp_path):
    root = bids_tree(tmp_path / "ds", people=("01", "02"))
    before = opened(root, **TAPPING)
    (root / "task-tap_channels.tsv").write_text("name\ttype\tunits\n" + "".join(f"{one}\tEEG\tV\n" for one in NAMES))
    after = opened(root, **TAPPING)
    assert {(one.what, one.where) for one in after.findings} == {
        ("its table says another unit than the file", "Fp1, C3, Cz, C4, O2: the table says V")
    }
    np.testing.assert_array_equal(before.read(np.arange(9)).inputs["eeg"], after.read(np.arange(9)).inputs["eeg"])


def test_a_table_that_was_changed_is_read_again(tmp_path):
    root = bids_tree(tmp_path / "ds", people=("01", "02"))
    before = opened(root, **TAPPING).frame["label"].to_numpy()
    path = root / "sub-02" / "eeg" / "sub-02_task-tap_run-1_events.tsv"
    text = path.read_text()
    path.write_text(text.replace("rest", "x").replace("tapping", "rest").replace("x", "tapping"))
    after = opened(root, **TAPPING).frame["label"].to_numpy()
    assert np.array_equal(before[:20], after[:20])
    assert (before[20:] != after[20:]).sum() == 16


def test_a_participant_without_a_row_can_be_left_out(tmp_path):
    root = bids_tree(tmp_path / "ds")
    text = (root / "participants.tsv").read_text()
    (root / "participants.tsv").write_text(text.replace("sub-04", "sub-44"))
    data = opened(root, skip_broken=True, **GROUPS)
    assert data.frame["subject"].nunique() == 5
    (told,) = [one for one in data.findings if one.done == "left out"]
    assert told.what == "cannot be used"
    assert "has no row in" in told.where
    assert "sub-" not in told.where
    (root / "participants.tsv").write_text(text.replace("sub-0", "sub-1"))
    with pytest.raises(DataError, match=r"bids-eeg: .*has no row.*the same for all of its 6 recordings"):
        opened(root, skip_broken=True, **GROUPS)
