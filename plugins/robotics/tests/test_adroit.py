"""Demonstrations of a hand that opens a door."""

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.testing.real_data import real_data
from pellucid_robotics.trajectories.adroit import AdroitDoor, AdroitDoorConfig


def written(folder, **changed):
    held = {
        "demo00_observations": np.zeros((5, 39)),
        "demo00_actions": np.zeros((5, 28)),
        "demo00_rewards": np.zeros(5),
    }
    np.savez(folder / "demos.npz", **{key: value for key, value in (held | changed).items() if value is not None})
    return folder


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"demo00_actions": None}, "has demo00_observations but no demo00_actions"),
        ({"demo00_actions": np.zeros((4, 28))}, "demo00: 5 observations but 4 actions"),
        ({"demo00_observations": np.zeros((5, 30))}, r"demo00_observations: has shape \(5, 30\)"),
        ({"demo00_observations": np.full((5, 39), np.nan)}, "demos.npz, demo00, step 0: 'obs 0' is NaN"),
        ({"demo00_rewards": np.zeros(3)}, "5 steps but 3 rewards"),
        ({"demo00_observations": None}, "holds no demonstration"),
    ],
)
def test_a_demonstration_that_is_wrong_is_named(tmp_path, changed, message):
    with pytest.raises(DataError, match=message):
        AdroitDoor(None, written(tmp_path, **changed))


def test_the_published_demonstrations_end_with_an_open_door():
    data = AdroitDoor(None, real_data("robotics", "adroit_door_human_demos"))
    assert len(data) == data.frame["episode"].nunique() == 19
    hinge = data.spec.inputs["trajectory"].names.index("door hinge")
    lengths = [len(one) for one in data.episodes.episodes]
    assert (min(lengths), max(lengths)) == (223, 300)
    for one in data.episodes.episodes:
        assert one.values[0, hinge] < 0.1
        assert one.values[-1, hinge] >= 0.81
    short = AdroitDoor(AdroitDoorConfig(length=50, padding=False), real_data("robotics", "adroit_door_human_demos"))
    assert len(short) == sum(length // 50 for length in lengths)
