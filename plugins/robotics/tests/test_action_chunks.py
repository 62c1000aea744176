"""Moments of episodes with the actions that followed: none from another episode, none from the past."""

import numpy as np
import pytest

from pellucid.errors import DataError, StudyError
from pellucid_robotics.actions.cloning import ActionChunks, ActionChunksConfig
from pellucid_robotics.trajectories.arrays import TrajectoryArrays, TrajectoryArraysConfig


def counted(lengths=(7, 5), **options):
    """Episodes whose state at a step is 100 * episode + step, and whose action is minus that."""
    episodes = []
    for episode, steps in enumerate(lengths):
        at = 100.0 * episode + np.arange(steps)
        episodes.append({"angle": at, "push": -at})
    config = TrajectoryArraysConfig(dt_s=0.1, actions=("push",), units={"angle": "rad", "push": "N"})
    return ActionChunks.of_dataset(TrajectoryArrays.of_objects(episodes, config), ActionChunksConfig(**options))


def test_a_chunk_is_what_was_done_from_the_moment_on_in_the_same_episode():
    data = counted(chunk=3, stride=2)
    state = data.read(np.arange(len(data))).inputs["state"][:, 0]
    assert state.tolist() == [0, 2, 4, 100, 102]
    assert np.array_equal(data.target_values("chunk"), -(state[:, None] + np.arange(3)))
    assert data.spec.target("chunk").units == ("N",) * 3
    assert data.spec.input("state").units == ("rad",)
    assert data.frame["episode"].nunique() == 2


def test_history_stops_at_the_begin_of_an_episode():
    data = counted(chunk=1, stride=1, history=3)
    found = data.read(np.arange(len(data))).inputs["state"]
    assert data.spec.input("state").names == ("angle", "angle, 1 before", "angle, 2 before")
    assert found[0].tolist() == [0, 0, 0]
    assert found[3].tolist() == [3, 2, 1]
    assert found[7].tolist() == [100, 100, 100]


def test_what_cannot_be_cloned_is_refused():
    with pytest.raises(DataError, match="choose a shorter chunk"):
        counted(chunk=9)
    with pytest.raises(DataError, match="no action 'pull'"):
        counted(actions=("pull",))
    from pellucid_datasets.robots.obstacle import ObstacleSynthetic

    with pytest.raises(StudyError, match="no dataset of episodes"):
        ActionChunks.of_dataset(ObstacleSynthetic())


def in_the_space(**options):
    slots = {"angle": "right_arm_joint_0", "push": "right_arm_joint_0", "grip": "right_gripper_0"}
    steps = np.arange(6.0)
    episodes = [{"angle": 10 * steps + at, "push": 10 * steps + at + 1, "grip": 2 + steps} for at in range(8)]
    units = {"angle": "deg", "push": "deg", "grip": "mm"}
    config = TrajectoryArraysConfig(dt_s=0.1, actions=("push", "grip"), units=units)
    source = TrajectoryArrays.of_objects(episodes, config)
    return ActionChunks.of_dataset(
        source, ActionChunksConfig(chunk=3, stride=1, slots=slots, grippers={"grip": (2, 7)}, **options)
    )


def test_recordings_are_brought_into_the_unified_space_with_its_units():
    data = in_the_space()
    target = data.spec.target("chunk")
    assert target.names[:2] == ("right_arm_joint_0 at step 1", "right_gripper_0 at step 1")
    assert target.units[:2] == ("rad", "1")
    assert data.spec.input("state").names == ("right_arm_joint_0",)
    found = data.target_values("chunk")[0].reshape(3, 2)
    assert found[:, 0] == pytest.approx(np.deg2rad([1, 11, 21]))
    assert found[:, 1] == pytest.approx([0, 0.2, 0.4])
    assert data.read(np.array([0])).inputs["rate"].item() == pytest.approx(10)


def test_slots_that_cannot_be_are_refused():
    config = TrajectoryArraysConfig(dt_s=0.1, actions=("b",), units={"a": "m", "b": "m"})
    source = TrajectoryArrays.of_objects([{"a": np.arange(5.0), "b": np.arange(5.0)}], config)
    slots = {"a": "right_gripper_0", "b": "right_gripper_0"}
    with pytest.raises(StudyError, match="say low and high"):
        ActionChunks.of_dataset(source, ActionChunksConfig(chunk=2, slots=slots))
    with pytest.raises(DataError, match="did you mean 'angle'"):
        counted(slots={"angl": "right_arm_joint_0", "angle": "right_arm_joint_0", "push": "right_arm_joint_1"})


def test_recorded_chunks_are_judged_by_what_a_body_can_do():
    from pellucid_robotics.actions.consistency import PhysicalConsistency

    class Asked:
        target = "chunk"

    assert PhysicalConsistency().unfit_for(in_the_space(), {}, Asked()) == ""
    assert "does not know whose motions" in PhysicalConsistency().unfit_for(counted(chunk=3), {}, Asked())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actions": ("push", "push")}, "actions name 'push' twice"),
        ({"slots": {"angl": "right_arm_joint_0"}}, "no 'angl'; did you mean 'angle'"),
        ({"grippers": {"pish": (0, 1)}}, "no 'pish'; did you mean 'push'"),
        ({"grippers": {"push": (0, 1)}}, "grippers name 'push', which has no slot"),
        ({"frames": {"upper": "base"}}, "frames are of the sides right and left, not of 'upper'"),
    ],
)
def test_options_name_what_there_is_and_each_once(options, message):
    with pytest.raises((DataError, StudyError), match=message):
        counted(chunk=2, **options)
