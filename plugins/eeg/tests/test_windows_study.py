"""A study of recordings end to end: it finds what was planted, predicts mne's objects, and no subject stands on two sides."""

from __future__ import annotations

import inspect
import shutil

import mne
import numpy as np
import pytest
from written_trees import NAMES, RATE, bids_tree, tapping, tree_of_events, tuab_tree, tusz_tree

import pellucid
from pellucid import plugins
from pellucid.errors import DataError, LeakageError
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid.testing import datasets as checks
from pellucid_eeg.databases.bids import BidsEeg, BidsEegConfig
from pellucid_eeg.databases.folder import EegFolder, EegFolderConfig
from pellucid_eeg.databases.tuh import Tuh, TuhConfig
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.objects import recording_of

ELECTRODES = Preparation(electrodes=NAMES)
TAPPING = {"rest": "rest", "tapping": "tapping"}
KINDS = {
    "eeg-folder": lambda root: EegFolder(
        EegFolderConfig(classes=TAPPING, preparation=ELECTRODES), tree_of_events(root)
    ),
    "bids-eeg": lambda root: BidsEeg(BidsEegConfig(classes=TAPPING, preparation=ELECTRODES), bids_tree(root)),
    "tuh-eeg": lambda root: Tuh(TuhConfig(preparation=ELECTRODES), tuab_tree(root, people=12)),
    "tuh-eeg, seizures": lambda root: Tuh(
        TuhConfig(preparation=ELECTRODES, labels="seizure", window_s=5), tusz_tree(root)
    ),
}
CHECKS = [check for name, check in inspect.getmembers(checks, inspect.isfunction) if name.startswith("dataset_")]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=KINDS)
def kind(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("tree") / "data"
    first = KINDS[request.param](root)
    return request.param.partition(",")[0], first, root


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_database_keeps_its_contract(kind, check, monkeypatch):
    name, first, root = kind
    monkeypatch.setattr(checks, "opened", lambda component: first)
    monkeypatch.setattr(checks, "opened_anew", lambda component: type(first)(first.config, root))
    check(plugins.find("dataset", name))


def test_windows_of_one_subject_on_two_sides_are_refused(kind):
    _, data, _ = kind
    target = next(iter(data.spec.targets))
    data = data.labelled(target)
    frame = data.frame.copy()
    try:
        # A split by windows, as most leaks of this field are: every other one is judged on.
        data.__dict__["frame"] = frame.assign(
            official=["train", "test"] * (len(frame) // 2) + ["train"] * (len(frame) % 2)
        )
        with pytest.raises(
            LeakageError, match=r"column 'official': (6|12) (subjects|participants), .*'subject', 'recording'"
        ):
            list(SubjectHoldout(SubjectHoldoutConfig(column="official")).splits(data, target, 0))
    finally:
        data.__dict__["frame"] = frame


def test_every_split_that_is_dealt_keeps_subjects_and_recordings_together(kind):
    _, data, _ = kind
    target = next(iter(data.spec.targets))
    data = data.labelled(target)
    protocol = NestedSubjectCv(NestedSubjectCv.config_type(folds=2))
    for split in protocol.splits(data, target, 0):
        for column in ("subject", "recording"):
            sides = [set(data.frame[column].iloc[side]) for side in (split.train, split.validation, split.test)]
            assert sum(map(len, sides)) == len(set.union(*sides))


def test_the_official_sides_of_a_corpus_are_a_split_and_a_subject_on_both_is_refused(tmp_path):
    root = tuab_tree(tmp_path / "tuab", people=8)
    data = Tuh(TuhConfig(preparation=ELECTRODES), root).labelled("abnormal")
    (split,) = SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "abnormal", 0)
    assert set(data.frame["split"].iloc[split.test]) == {"test"}
    known = sorted((root / "edf" / "train").rglob("*.edf"))[0]
    other = next((root / "edf" / "eval").rglob("*.edf")).parent / known.name.replace("_t000", "_t001")
    shutil.copy(sorted((root / "edf" / "eval").rglob("*.edf"))[-1], other)
    mixed = Tuh(TuhConfig(preparation=ELECTRODES), root).labelled("abnormal")
    with pytest.raises(LeakageError, match="stand on more than one side"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(mixed, "abnormal", 0))


def test_one_recording_under_two_names_on_two_sides_is_refused(tmp_path):
    root = bids_tree(tmp_path / "ds")
    text = (root / "participants.tsv").read_text().splitlines()
    sides = ["side", "train", "train", "train", "train", "test", "test"]
    (root / "participants.tsv").write_text("\n".join(f"{a}\t{b}" for a, b in zip(text, sides, strict=True)) + "\n")
    config = BidsEegConfig(classes=TAPPING, split="side")
    data = BidsEeg(config, root).labelled("label")
    assert len(list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "label", 0))) == 1
    one, other = (next((root / f"sub-0{number}" / "eeg").glob("*.edf")) for number in (1, 5))
    shutil.copy(one, other)
    copied = BidsEeg(config, root).labelled("label")
    with pytest.raises(LeakageError, match=r"1 participant, or chains of them through 'subject', 'recording'"):
        list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(copied, "label", 0))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = tree_of_events(tmp_path_factory.mktemp("study") / "data", people=9)
    study = pellucid.study(
        {
            "title": "Rest or tapping",
            "dataset": "eeg-folder",
            "target": "label",
            "protocols": ["subject-holdout"],
            "options": {
                "eeg-folder": {
                    "classes": TAPPING, "window_s": 2.0, "preparation": {"electrodes": list(NAMES), "high_pass_hz": 2.0},
                }
            },
            "encoder": [{"input": "eeg", "name": "eegnet", "kernel": 33}],
            "head": [{"name": "linear"}],
            "training": {"epochs": 12, "seed": 0, "learning_rate": 0.01, "batch_size": 16},
        }
    )  # fmt: skip
    return study.run(tmp_path_factory.mktemp("runs") / "run", data)


def fresh(seed: int = 99) -> mne.io.RawArray:
    return mne.io.RawArray(tapping(40, seed) * 1e-6, mne.create_info(list(NAMES), RATE, "eeg"), verbose="ERROR")


def test_a_network_finds_the_planted_rhythm_in_people_it_has_never_seen(run):
    frame = run.results.frame()
    auroc = frame[(frame["metric"] == "auroc") & (frame["part"] == "linear")].iloc[0]
    assert auroc["value"] > 0.9
    assert auroc["chance"] == 0.5


def test_a_loaded_model_predicts_raw_epochs_arrays_and_files_alike(run, tmp_path):
    model = pellucid.load(run.path)
    raw = fresh()
    whole = model.predict(raw)
    assert len(whole) == 20
    assert whole.index[3] == "given-1-00003"
    path = tmp_path / "b_raw.fif"
    raw.save(path, verbose="ERROR")
    array = recording_of(raw.get_data()[::-1] * 1e6, rate_hz=RATE, channels=NAMES[::-1], units="uV")
    for same in (path, array, raw.copy().reorder_channels(list(NAMES[::-1]))):
        np.testing.assert_allclose(model.predict(same).to_numpy(), whole.to_numpy(), atol=1e-4)
    truth = np.arange(0, 40, 2) % 10 >= 5
    pure = np.arange(0, 40, 2) % 5 < 3.1
    assert whole["tapping"].to_numpy()[pure & truth].mean() > whole["tapping"].to_numpy()[pure & ~truth].mean() + 0.1
    epochs = mne.make_fixed_length_epochs(raw, 2.0, preload=True, verbose="ERROR")
    found = model.predict(epochs)
    assert found.shape == whole.shape
    # Two seconds alone are filtered with ends of their own; what is seen in them is the same.
    assert np.corrcoef(found["tapping"], whole["tapping"])[0, 1] > 0.8
    explanation = model.explain(epochs)
    assert len(explanation.frame()) > 0


def test_a_model_refuses_recordings_that_are_not_what_it_has_learnt_from(run):
    model = pellucid.load(run.path)
    with pytest.raises(DataError, match="has no electrode Cz"):
        model.predict(fresh().drop_channels(["Cz"]))
    with pytest.warns(UserWarning, match="has another rate 128 Hz"):
        fast = model.predict(fresh().resample(128, verbose="ERROR"))
    assert np.corrcoef(fast["tapping"], model.predict(fresh())["tapping"])[0, 1] > 0.99
    short = mne.make_fixed_length_epochs(fresh(), 1.0, preload=True, verbose="ERROR")
    with pytest.raises(DataError, match="no window of 2 s is left"):
        model.predict(short)


def test_evaluation_refuses_subjects_it_has_learnt_from_and_copies_of_their_recordings(run, tmp_path):
    again = tree_of_events(tmp_path / "again", people=9)
    with pytest.raises(LeakageError, match="has learnt from"):
        pellucid.evaluate(run.path, again)
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for number in range(3):
        shutil.copy(again / f"p{number}.edf", renamed / f"somebody-else-{number}.edf")
    with pytest.raises(LeakageError, match="has learnt from"):
        pellucid.evaluate(run.path, renamed)
    new = tmp_path / "new"
    new.mkdir()
    from written_trees import blocks, written

    for number in range(3):
        written(new / f"q{number}.edf", tapping(40, 500 + number), events=blocks(40))
    assert len(pellucid.evaluate(run.path, new))
