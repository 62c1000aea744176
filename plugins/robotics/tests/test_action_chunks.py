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
