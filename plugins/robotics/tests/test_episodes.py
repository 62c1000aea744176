"""Episodes and windows: what is refused and where it says it is, and that no window leaves its episode."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import DataError
from pellucid_robotics.trajectories.arrays import TrajectoryArrays, TrajectoryArraysConfig
from pellucid_robotics.trajectories.episodes import Episode, Episodes, common_dt, steady_dt
from pellucid_robotics.trajectories.windows import windows


def episodes(*values, names=("x", "u"), actions=("u",), units=("m", "N"), dt_s=0.1):
    made = tuple(Episode(f"e{at}", np.asarray(one, float), where=f"file {at}.npz") for at, one in enumerate(values))
    return Episodes(names, actions, units, dt_s, made)


GOOD = np.arange(10.0).reshape(5, 2)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
    st.integers(1, 12),
    st.none() | st.integers(1, 12),
    st.booleans(),
)
def test_no_window_leaves_its_episode_and_with_padding_every_step_is_seen(lengths, length, stride, padding):
    found = windows(lengths, length, stride, padding=padding)
    seen = [np.zeros(steps, int) for steps in lengths]
    for episode, start in found:
        assert 0 <= start < lengths[episode]
        assert padding or start + length <= lengths[episode]
        seen[episode][start : start + length] += 1
    assert len(np.unique(found, axis=0)) == len(found)
    if padding and (stride or length) <= length:
        assert all(one.all() for one in seen)
    if not padding and (stride or length) <= length:
        # What is not seen is shorter than a stride, or the episode shorter than a window.
        for steps, one in zip(lengths, seen, strict=True):
            assert steps < length or (one == 0).sum() < (stride or length)


def test_a_window_holds_the_steps_of_its_episode_and_masks_the_rest():
    data = TrajectoryArrays.of_objects(
        [np.arange(7.0)[:, None], 100 + np.arange(3.0)[:, None]], TrajectoryArraysConfig(names=("x",), dt_s=0.1, length=4, stride=3)
    )  # fmt: skip
    assert list(data.frame.index) == ["episode 0 from step 0", "episode 0 from step 3", "episode 1"]
    arrays = data.read(np.array([2, 1, 0]))
    assert arrays.inputs["trajectory"][:, 0].tolist() == [[100, 101, 102, 0], [3, 4, 5, 6], [0, 1, 2, 3]]
    assert arrays.masks["trajectory"][:, 0].tolist() == [[True] * 3 + [False], [True] * 4, [True] * 4]


def test_episodes_too_short_for_a_sample_are_left_out_and_listed():
    config = TrajectoryArraysConfig(names=("x",), dt_s=0.1, length=4, padding=False)
    data = TrajectoryArrays.of_objects([np.zeros((4, 1)), np.ones((3, 1))], config)
    assert len(data) == 1
    assert [(one.what, one.where, one.done) for one in data.findings] == [
        ("1 episodes are shorter than a sample", "episode 1", "left out")
    ]
    with pytest.raises(DataError, match="no episode has 9 steps, the longest has 4"):
        TrajectoryArrays.of_objects([np.zeros((4, 1))], config.model_copy(update={"length": 9}))


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_a_value_that_is_no_number_is_named_by_file_step_and_name(bad, word):
    values = GOOD.copy()
    values[3, 1] = bad
    with pytest.raises(DataError, match=rf"file 1.npz, step 3: 'u' is {word} \(1 values"):
        episodes(GOOD, values)


def test_an_action_that_is_no_name_is_refused_with_the_nearest():
    with pytest.raises(DataError, match=r"no action 'uu'; did you mean 'u'\?; names: x, u"):
        episodes(GOOD, actions=("uu",))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((0, 2)), "has no step"),
        (np.zeros((3, 5)), r"has shape \(3, 5\), expected steps and 2 names"),
        (np.zeros(4), r"has shape \(4,\)"),
        (np.full((2, 2), 1e39), "beyond single precision"),
    ],
)
def test_arrays_that_are_no_episode_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        episodes(values)


def test_facts_that_do_not_fit_each_other_are_refused():
    with pytest.raises(DataError, match="2 names but 1 units"):
        episodes(GOOD, units=("m",))
    with pytest.raises(DataError, match="names must differ from each other, and x"):
        episodes(GOOD, names=("x", "x"), actions=())
    with pytest.raises(DataError, match="steps are 0 s apart"):
        episodes(GOOD, dt_s=0)
    with pytest.raises(DataError, match="there is no episode"):
        episodes()
    with pytest.raises(DataError, match="two episodes have the same name: a"):
        Episodes(("x",), (), ("m",), 0.1, (Episode("a", GOOD[:, :1]), Episode("a", GOOD[:, :1])))


def test_an_episode_of_one_step_is_refused_or_left_out():
    config = TrajectoryArraysConfig(names=("x",), dt_s=0.1)
    objects = [np.zeros((5, 1)), np.zeros((1, 1))]
    with pytest.raises(
        DataError, match=r'episode 1: has one step, .*one_step = "leave out" in \[options.trajectory-arrays\]'
    ):
        TrajectoryArrays.of_objects(objects, config)
    left = TrajectoryArrays.of_objects(objects, config.model_copy(update={"one_step": "leave out"}))
    assert [(one.sample, one.what, one.done) for one in left.findings] == [
        ("episode 1", "an episode of one step", "left out")
    ]
    with pytest.raises(DataError, match="as have all episodes"):
        TrajectoryArrays.of_objects(objects[1:], config.model_copy(update={"one_step": "leave out"}))


def test_uneven_steps_are_refused_with_the_first_one():
    times = np.arange(10) * 0.1
    assert steady_dt(times + np.random.default_rng(0).uniform(-1e-3, 1e-3, 10), "f") == pytest.approx(0.1, abs=1e-3)
    times[6:] += 0.5
    with pytest.raises(DataError, match=r"f, step 6: 0.6 s after the last one, where 0.1 s is usual \(1 steps"):
        steady_dt(times, "f")
    with pytest.raises(DataError, match=r"f, step 2: time goes from 1 s to 0.5 s"):
        steady_dt([0, 1, 0.5], "f")
    with pytest.raises(DataError, match="f, step 1: time is no number"):
        steady_dt([0, np.nan, 2], "f")
    with pytest.raises(DataError, match=r"b: steps are 0.2 s apart, where 0.1 s is usual"):
        common_dt([("a", 0.1), ("b", 0.2), ("c", 0.1)])


def test_transitions_stay_within_episodes():
    found = [(e.name, now.tolist(), then.tolist()) for e, now, then in episodes(GOOD[:2], GOOD[3:]).transitions()]
    assert found == [("e0", [[0, 1]], [[2]]), ("e1", [[6, 7]], [[8]])]


def test_names_of_episodes_of_people_are_digests_in_findings_too():
    given_ = {"x": np.arange(5.0)}
    config = TrajectoryArraysConfig(dt_s=0.1, people=True, one_step="leave out")
    data = TrajectoryArrays.of_objects([given_, {"x": np.arange(1.0)}], config)
    said = " ".join([*data.frame.index, *data.frame["episode"], *(one.sample for one in data.findings)])
    assert len(data.findings) == 1
    assert "episode" not in said
