"""LeRobot trees of three versions, and what of them is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from pellucid.errors import DataError
from pellucid_robotics.trajectories.lerobot import LeRobotTree, LeRobotTreeConfig, write_example


@pytest.fixture
def tree(tmp_path):
    write_example(tmp_path / "tree")
    return tmp_path / "tree"


def opened(root, **options):
    return LeRobotTree(LeRobotTreeConfig(**options), root)


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_the_same_steps_are_read_from_trees_of_every_version(tmp_path, version):
    write_example(tmp_path, version=version)
    data = opened(tmp_path)
    file = min((tmp_path / "data").glob("**/*.parquet"))
    frame = pd.read_parquet(file)
    first = frame[frame["episode_index"] == 0]
    values = data.read(np.array([0]))
    steps = len(first)
    assert np.array_equal(values.inputs["trajectory"][0, :2, :steps].T, np.stack(first["observation.state"]))
    assert np.array_equal(values.inputs["trajectory"][0, 2:, :steps].T, np.stack(first["action"]))
    assert values.masks["trajectory"][0].all(0).sum() == steps
    spec = data.spec.inputs["trajectory"]
    assert (spec.names, spec.actions) == (
        ("shoulder", "elbow", "shoulder, action", "elbow, action"), ("shoulder, action", "elbow, action")
    )  # fmt: skip
    assert spec.dt_s == 0.1
    assert data.spec.targets["task"].names == ("lift", "push")
    assert data.frame["task"].tolist() == [0, 1, 0, 1]
    assert [(one.what, one.where, one.done) for one in data.findings] == [
        ("videos and images", "observation.images.top", "not read")
    ]


def test_windows_of_a_file_with_all_episodes_stay_within_them(tmp_path):
    write_example(tmp_path, version="v3.0")
    frame = pd.read_parquet(tmp_path / "data/chunk-000/file-000.parquet")
    data = opened(tmp_path, length=4, stride=2, padding=False)
    for at in range(len(data)):
        episode = int(data.frame["episode"].iloc[at].removeprefix("episode "))
        own = np.stack(frame[frame["episode_index"] == episode]["observation.state"])
        window = data[at].inputs["trajectory"][:2].T
        assert any(np.array_equal(own[start : start + 4], window) for start in range(len(own) - 3))


def test_rows_in_another_order_are_the_same_episode(tree):
    before = opened(tree).digest()
    for file in (tree / "data").glob("**/*.parquet"):
        pd.read_parquet(file).sample(frac=1, random_state=0).to_parquet(file, index=False)
    assert opened(tree).digest() == before


def info_with(root, **changed):
    path = root / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


FIRST = "data/chunk-000/episode_000000.parquet"


def changed(root, change):
    frame = pd.read_parquet(root / FIRST)
    change(frame)
    frame.to_parquet(root / FIRST, index=False)


def with_nan(frame):
    frame.at[3, "observation.state"] = np.array([1, np.nan], np.float32)


def too_wide(frame):
    frame.at[2, "action"] = np.zeros(3, np.float32)


def missing(frame):
    frame.at[2, "action"] = None


def paused(frame):
    frame.loc[5:, "timestamp"] += 1


def twice(frame):
    frame.loc[2, "frame_index"] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_nan, "episode_000000.parquet, episode 0, step 3: 'elbow' is NaN"),
        (too_wide, "episode_000000.parquet, column 'action', row 2: has 3 numbers, and meta/info.json says 2"),
        (missing, "episode_000000.parquet, column 'action', row 2: is empty"),
        (paused, "episode_000000.parquet, episode 0, step 5: 1.1 s after the last one, where 0.1 s is usual"),
        (twice, "a frame of an episode stands twice"),
        (lambda f: f.drop(columns="action", inplace=True), "episode_000000.parquet: there is no column 'action'"),
        (lambda f: f.drop(index=7, inplace=True), "episode 0: has 7 steps, and meta says 8"),
        (lambda f: f.__setitem__("action", "x"), "episode_000000.parquet, column 'action': is (large_)?string"),
        (lambda f: f.__setitem__("episode_index", 0.5), "column 'episode_index': is float64, expected whole numbers"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_its_place(tree, change, message):
    changed(tree, change)
    with pytest.raises(DataError, match=message):
        opened(tree)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"codebase_version": "v1.6"}, "of version 'v1.6'; read here are v2.0, v2.1, v3.0"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": 30}, "says 30 steps a second, but times are 0.1 s apart"),
        ({"features": []}, "has no features"),
        ({"features": {}}, "there is no feature 'observation.state'"),
        ({"features": {"observation.state": {"dtype": "video", "shape": [2]}}}, "is of dtype 'video'"),
        ({"features": {"observation.state": {"dtype": "float32", "shape": [-1]}}}, r"has shape \[-1\]"),
        ({"features": {"observation.state": {"dtype": "float32", "shape": [2], "names": ["a"]}}}, "2 numbers but other names"),
    ],
)  # fmt: skip
def test_a_description_that_is_wrong_is_refused(tree, facts, message):
    info_with(tree, **facts)
    with pytest.raises(DataError, match=message):
        opened(tree)


def test_files_that_are_not_there_or_broken_are_named(tree):
    (tree / "data/chunk-000/episode_000002.parquet").unlink()
    with pytest.raises(DataError, match=r"1 of 4 episodes of meta are not there \(first: 2\)"):
        opened(tree)
    (tree / FIRST).write_bytes((tree / FIRST).read_bytes()[:200])
    with pytest.raises(DataError, match=r"episode_000000.parquet: is no parquet table"):
        opened(tree)
    (tree / "meta/episodes.jsonl").write_text("{")
    with pytest.raises(DataError, match=r"episodes.jsonl, line 1: is no JSON|episode_000000.parquet: is no parquet"):
        opened(tree)
    shutil.rmtree(tree / "data")
    with pytest.raises(DataError, match="holds no parquet file"):
        opened(tree)
    (tree / "meta/info.json").write_text("no JSON")
    with pytest.raises(DataError, match=r"info.json: is no JSON"):
        opened(tree)
    with pytest.raises(DataError, match=r"has no meta/info.json"):
        opened(tree / "meta")


def test_a_feature_is_chosen_by_name_and_names_may_be_grouped(tree):
    features = json.loads((tree / "meta/info.json").read_text())["features"]
    features["observation.state"]["names"] = {"motors": ["left", "right"]}
    features["action"]["names"] = None
    info_with(tree, features=features)
    assert opened(tree).spec.inputs["trajectory"].names == ("left", "right", "action 0", "action 1")
    with pytest.raises(DataError, match=r"no feature 'observation.sate'; did you mean 'observation.state'"):
        opened(tree, states=("observation.sate",))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "episodes.jsonl, line 1: is no JSON"),
        ("[1]", "episodes.jsonl, line 1: is no JSON object"),
        ('{"episode_index": 0}', "episodes.jsonl, line 1: says no episode_index and length"),
    ],
)
def test_a_list_of_episodes_that_is_wrong_is_named_with_its_line(tree, line, message):
    (tree / "meta/episodes.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        opened(tree)


def test_files_must_agree_on_their_columns(tree):
    changed(tree, lambda frame: frame.__setitem__("next.reward", 1.0))
    with pytest.raises(DataError, match=r"some files have a column 'next.reward' and others have not"):
        opened(tree)


def test_a_description_may_not_be_endless(tree, monkeypatch):
    monkeypatch.setattr("pellucid_robotics.trajectories.reading.LARGEST_JSON", 3)
    with pytest.raises(DataError, match=r"info.json: holds more than 0 MB"):
        opened(tree)


def test_two_steps_are_enough_to_see_a_wrong_pace(tree):
    def slow(frame):
        frame.drop(index=range(2, len(frame)), inplace=True)
        frame.loc[1, "timestamp"] = 7.0

    changed(tree, slow)
    (tree / "meta/episodes.jsonl").unlink()
    with pytest.raises(DataError, match=r"steps are .* s apart"):
        opened(tree)
