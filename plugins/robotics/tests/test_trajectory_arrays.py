"""Arrays and files of one's own: what is read, and what is refused with its file and place."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError, PellucidError
from pellucid_robotics.trajectories.arrays import TrajectoryArrays, TrajectoryArraysConfig


def opened(folder, **options):
    return TrajectoryArrays(TrajectoryArraysConfig(**options), folder)


def npz(folder, name, steps=6, **changed):
    at = np.arange(steps, dtype=float)
    held = {
        "states": np.stack([at, 10 * at], 1),
        "actions": at[:, None] + 0.5,
        "state_names": ["angle", "speed"],
        "action_names": ["push"],
        "units": ["rad", "rad/s", "N"],
        "time_s": 0.02 * at,
        "label": "ok",
    }
    np.savez(folder / f"{name}.npz", **{key: value for key, value in (held | changed).items() if value is not None})


def test_npz_files_say_names_units_actions_and_pace_themselves(tmp_path):
    npz(tmp_path, "a", 6)
    npz(tmp_path, "b", 4, label="stuck")
    data = opened(tmp_path)
    spec = data.spec.inputs["trajectory"]
    assert (spec.names, spec.actions, spec.units) == (("angle", "speed", "push"), ("push",), ("rad", "rad/s", "N"))
    assert spec.dt_s == pytest.approx(0.02)
    assert data.spec.targets["label"].names == ("ok", "stuck")
    assert data.frame["label"].tolist() == [0, 1]
    assert data.read(np.array([1])).inputs["trajectory"][0, :, 3].tolist() == [3, 30, 3.5]


def test_names_stand_in_another_order_in_another_file(tmp_path):
    npz(tmp_path, "a")
    npz(tmp_path, "b", state_names=["speed", "angle"], units=["rad/s", "rad", "N"])
    values = opened(tmp_path).read(np.array([0, 1])).inputs["trajectory"]
    assert values[0, :2, 2].tolist() == [2, 20]
    assert values[1, :2, 2].tolist() == [20, 2]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"units": ["deg", "rad/s", "N"]},
            r"b.npz: 'angle' is in 'deg', but in 'rad' in a.npz; bring all files to one unit",
        ),
        ({"units": ["rad"]}, "b.npz: 1 units for 3 names"),
        ({"state_names": ["angel", "speed"]}, r"b.npz: has no 'angle'; did you mean 'angel'\?"),
        ({"state_names": ["angle"]}, r"b.npz: 1 state_names for states of shape \(6, 2\)"),
        ({"actions": np.zeros((5, 1))}, "b.npz: 6 states but 5 actions"),
        ({"actions": None, "action_names": None, "units": None}, "b.npz: has no 'push'"),
        ({"states": np.full((6, 2), np.nan)}, "b.npz, step 0: 'angle' is NaN"),
        ({"states": np.array([["a", "b"]] * 6)}, "b.npz, states: is <U1"),
        ({"time_s": np.array([0, 1, 2, 3, 4, 9.0])}, "b.npz, step 5: 5 s after the last one, where 1 s is usual"),
        ({"time_s": np.arange(6.0)}, r"steps are (1|0.02) s apart, where 0.51 s is usual"),
        ({"time_s": np.arange(5.0)}, "b.npz, time_s: is float64 of shape .5,., expected 6 times"),
        ({"rewards": np.zeros(5)}, "b.npz, rewards: is float64"),
        ({"states": None}, "b.npz: has no array 'states'"),
        ({"states": np.array([{"a": 1}], object)}, "b.npz: holds Python objects, which are not opened"),
    ],
)
def test_a_file_that_disagrees_or_is_wrong_is_named(tmp_path, changed, message):
    npz(tmp_path, "a")
    npz(tmp_path, "b", **changed)
    with pytest.raises(DataError, match=message):
        opened(tmp_path)


def test_a_table_holds_an_episode_or_several(tmp_path):
    (tmp_path / "run.csv").write_text("time_s,x,u,walk\n0,1,5,a\n0.1,2,6,a\n0,3,7,b\n0.1,4,8,b\n")
    data = opened(tmp_path, episode_column="walk", actions=("u",), units={"x": "m"})
    assert list(data.frame["episode"]) == ["a", "b"]
    assert data.spec.inputs["trajectory"].units == ("m", "1")
    assert data.read(np.array([1])).inputs["trajectory"][0].tolist() == [[3, 4], [7, 8]]
    with pytest.raises(DataError, match=r"time goes from 0.1 s to 0 s"):
        opened(tmp_path, names=("x", "u"))


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("0,1,5,a\n0.1,,6,a\n", {}, r"line 2 \(episode 'a'\), step 1: 'x' is NaN"),
        ("0,1,5,a\n0.1,two,6,a\n", {}, "line 3, column 'x': is no number"),
        ("0,1,5,a\n0,1,5,b\n0.1,1,5,a\n", {}, "line 4: episode 'a' goes on after another one"),
        ("0,1,5,a\n0.1,1,5,a\n", {"actions": ("v",)}, r"no action 'v'"),
        ("0,1,5,a\n0.1,1,5,a\n", {"units": {"y": "m"}}, "units names 'y'"),
        ("0,1,5,a\n0.1,1,5,a\n", {"dt_s": 0.5}, "steps are 0.1 s apart, and .* says 0.5 s"),
        ("0,1,5,a\n0.1,1,5,a\n", {"names": ("x", "z")}, "there is no column 'z'"),
        ("0,1,5,a\n", {}, "does not say how far apart steps are"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_line(tmp_path, rows, options, message):
    (tmp_path / "run.csv").write_text("time_s,x,u,walk\n" + rows)
    with pytest.raises(DataError, match=message):
        opened(tmp_path, episode_column="walk", **options)


def test_a_plain_array_needs_names_and_pace(tmp_path):
    np.save(tmp_path / "many.npy", np.arange(24.0).reshape(2, 4, 3))
    with pytest.raises(DataError, match="say names"):
        opened(tmp_path)
    with pytest.raises(DataError, match="say dt_s"):
        opened(tmp_path, names=("a", "b", "c"))
    data = opened(tmp_path, names=("a", "b", "c"), dt_s=0.5)
    assert list(data.frame.index) == ["many 0", "many 1"]
    with pytest.raises(DataError, match="expected steps and 2 names"):
        opened(tmp_path, names=("a", "b"), dt_s=0.5)


def test_new_episodes_are_cut_as_those_that_were_learnt_from():
    learnt = TrajectoryArrays.of_objects(
        [{"x": np.arange(5.0)}, {"x": np.arange(9.0)}], TrajectoryArraysConfig(dt_s=0.1)
    )
    other = TrajectoryArrays.of_objects_like(np.arange(12.0)[:, None], TrajectoryArraysConfig(), learnt.spec)
    assert other.spec.inputs == learnt.spec.inputs
    assert list(other.frame.index) == ["episode 0 from step 0", "episode 0 from step 9"]


@pytest.mark.parametrize(
    "objects", ["text", 3, None, [], [np.zeros(3)], [["a"]], {"x": [1, 2], "y": [1]}, {"x": np.zeros((2, 2, 2))}, [{"x": [1, 2]}, 4]]
)  # fmt: skip
def test_objects_that_are_no_episodes_get_one_clear_error(objects):
    with pytest.raises(DataError):
        TrajectoryArrays.of_objects(objects, TrajectoryArraysConfig(names=("x",), dt_s=0.1))


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_never_ends_in_a_traceback_of_a_library(tmp_path, data):
    npz(tmp_path, "a")
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / "a.npz").write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    why = ""
    try:
        opened(folder)
    except PellucidError as error:
        why = str(error)
    assert not why or "a.npz" in why


def test_masks_are_there_if_and_only_if_a_sample_is_longer_than_its_episode(tmp_path):
    npz(tmp_path, "a", 6)
    npz(tmp_path, "b", 4)
    at = np.array([0, 1])
    assert opened(tmp_path).read(at).masks["trajectory"].sum((1, 2)).tolist() == [18, 12]
    assert not opened(tmp_path, length=2).read(at).masks
    assert not opened(tmp_path, length=4, padding=False).read(at).masks


def test_texts_that_are_no_list_are_refused(tmp_path):
    npz(tmp_path, "a", state_names=np.array([["angle", "speed"]]))
    with pytest.raises(DataError, match=r"a.npz, state_names: holds <U5 of shape \(1, 2\), expected a list of texts"):
        opened(tmp_path)


def test_times_of_episodes_in_memory_say_the_pace():
    asked = TrajectoryArraysConfig()
    made = TrajectoryArrays.of_objects([{"x": np.arange(3.0), "time_s": [0, 0.5, 1]}] * 2, asked)
    assert made.spec.inputs["trajectory"].dt_s == 0.5
    with pytest.raises(DataError, match="episode 1: 2 times for 3 steps"):
        TrajectoryArrays.of_objects([{"x": np.arange(3.0)}, {"x": np.arange(3.0), "time_s": [0, 1]}], asked)
    with pytest.raises(DataError, match="episode 0: holds no numbers of one shape"):
        TrajectoryArrays.of_objects([[[1, 2], [3]]], asked)


def test_names_that_nobody_gives_are_numbers(tmp_path):
    npz(tmp_path, "a", state_names=None, action_names=None)
    assert opened(tmp_path).spec.inputs["trajectory"].names == ("state 0", "state 1", "action 0")


def test_units_of_a_file_and_of_the_options_must_agree(tmp_path):
    npz(tmp_path, "a")
    with pytest.raises(DataError, match=r"a.npz: 'angle' is in 'rad', and .* says 'deg'"):
        opened(tmp_path, units={"angle": "deg"})


def test_a_place_that_holds_no_episodes_is_named(tmp_path):
    with pytest.raises(DataError, match=r"holds no \.csv, \.npy, \.npz file|holds no .* file"):
        opened(tmp_path)
    with pytest.raises(DataError, match="has no usual place"):
        opened(None)
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(DataError, match=r"empty.npz: has no array 'states'; it has none"):
        opened(tmp_path)


def test_what_a_dataset_is_about_is_said_by_its_user_or_in_general(tmp_path):
    npz(tmp_path, "a")
    assert opened(tmp_path).spec.about == "Episodes of the user's own."
    assert opened(tmp_path, about="A swing.").spec.about == "A swing."


def test_arrays_that_would_not_fit_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    npz(tmp_path, "a")
    monkeypatch.setattr("pellucid_robotics.trajectories.reading.LARGEST_BYTES", 100)
    with pytest.raises(DataError, match=r"a.npz: holds more than 0 GB of arrays"):
        opened(tmp_path)
