"""Demonstrations in HDF5: the layouts of robomimic and ALOHA, and what is refused."""

import json

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError, PellucidError
from pellucid_robotics.trajectories.hdf5 import AlohaHdf5, AlohaHdf5Config, RobomimicHdf5, RobomimicHdf5Config


def robomimic(path, demos=(5, 7, 4), change=lambda file: None, hz=20):
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_kwargs": {"control_freq": hz}})
        for at, steps in enumerate(demos):
            demo = data.create_group(f"demo_{at}")
            demo["actions"], demo["rewards"] = rng.normal(size=(steps, 2)), np.full(steps, at / 4)
            demo["obs/gripper"], demo["obs/object"] = rng.normal(size=(steps, 1)), rng.normal(size=(steps, 3))
            demo["obs/agentview_image"] = np.zeros((steps, 4, 4, 3), np.uint8)
        change(file)
    return path


def test_lists_of_numbers_are_read_and_images_are_told(tmp_path):
    path = robomimic(tmp_path / "demo.hdf5", demos=(5, 7, *[3] * 9))
    data = RobomimicHdf5(None, path)
    spec = data.spec.inputs["trajectory"]
    assert spec.names == ("gripper 0", "object 0", "object 1", "object 2", "action 0", "action 1")
    assert spec.actions == ("action 0", "action 1")
    assert spec.dt_s == pytest.approx(0.05)
    # By number and not by letter: demo_10 is the last one.
    assert list(data.frame["episode"])[-1] == "demo_10"
    with h5py.File(path) as file:
        assert np.array_equal(
            data[1].inputs["trajectory"][1:4].T, file["data/demo_1/obs/object"][()].astype(np.float32)
        )
    assert data.frame["reward"].tolist()[:3] == [0, 0.25, 0.5]
    assert [(one.where, one.done) for one in data.findings] == [("agentview_image", "not read")]
    only = RobomimicHdf5(RobomimicHdf5Config(observations=("object",)), path)
    assert only.spec.inputs["trajectory"].names[:3] == ("object 0", "object 1", "object 2")


def no_actions(file):
    del file["data/demo_1/actions"]


def short_actions(file):
    del file["data/demo_1/actions"]
    file["data/demo_1/actions"] = np.zeros((3, 2))


def wide(file):
    del file["data/demo_1/obs/object"]
    file["data/demo_1/obs/object"] = np.zeros((7, 4))


def nan(file):
    file["data/demo_1/obs/object"][2, 1] = np.nan


def link(file):
    del file["data/demo_1/obs/object"]
    file["data/demo_1/obs/object"] = h5py.ExternalLink("/etc/passwd", "/x")


def virtual(file):
    del file["data/demo_1/obs/object"]
    layout = h5py.VirtualLayout(shape=(7, 3), dtype="f8")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", shape=(7, 3))
    file.create_virtual_dataset("data/demo_1/obs/object", layout)


def huge(file):
    del file["data/demo_1/obs/object"]
    file.create_dataset("data/demo_1/obs/object", shape=(1 << 40, 3), chunks=(16, 3), dtype="f8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_actions, "data/demo_1: there is no 'actions'"),
        (short_actions, "data/demo_1: arrays have different numbers of steps: gripper 7, object 7, action 3"),
        (wide, "data/demo_1: 'object' has 4 numbers, and 3 in the first demonstration"),
        (nan, "data/demo_1, step 2: 'object 1' is NaN"),
        (link, "'object' is a link to another file"),
        (virtual, "'object' lies in another file"),
        (huge, "'object' holds more than 4 GB"),
        (lambda f: f["data"].attrs.__setitem__("env_args", "{"), r"env_args does not say .* say dt_s"),
        (lambda f: f.__setitem__("data/demo_9", np.zeros(2)), "'demo_9' is no group"),
        (
            lambda f: [f.pop("data/demo_1/actions"), f.__setitem__("data/demo_1/actions", b"x")],
            "'actions' is no array of numbers of shape",
        ),
        (lambda f: f.move("data", "date"), r"demo.hdf5: there is no 'data'; did you mean 'date'\?"),
        (lambda f: [f["data"].pop(f"demo_{at}") for at in range(3)], "holds no demonstration"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(tmp_path, change, message):
    path = robomimic(tmp_path / "demo.hdf5", change=change)
    with pytest.raises(DataError, match=message):
        RobomimicHdf5(None, path)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "demo.hdf5").write_text("no HDF5")
    with pytest.raises(DataError, match=r"demo.hdf5: is no HDF5 file"):
        RobomimicHdf5(None, tmp_path)
    with pytest.raises(DataError, match="is not there"):
        RobomimicHdf5(None, tmp_path / "absent.hdf5")
    with pytest.raises(DataError, match="names the file"):
        RobomimicHdf5()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_never_ends_in_a_traceback_of_a_library(tmp_path, data):
    content = bytearray(robomimic(tmp_path / "whole.hdf5", demos=(3, 3)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.hdf5"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    why = ""
    try:
        RobomimicHdf5(None, path)
    except PellucidError as error:
        why = str(error)
    assert not why or "damaged.hdf5" in why


def aloha(folder, count=3, width=14):
    rng = np.random.default_rng(0)
    for at in range(count):
        with h5py.File(folder / f"episode_{at}.hdf5", "w") as file:
            file["observations/qpos"], file["action"] = rng.normal(size=(6, width)), rng.normal(size=(6, width))
            file["observations/images/top"] = np.zeros((6, 2, 2, 3), np.uint8)


def test_joints_of_two_arms_have_names_and_units(tmp_path):
    aloha(tmp_path)
    data = AlohaHdf5(None, tmp_path)
    spec = data.spec.inputs["trajectory"]
    assert spec.names[:2] == ("left waist, qpos", "left shoulder, qpos")
    assert spec.names[-1] == "right gripper, action"
    assert spec.units[5:8] == ("rad", "1", "rad")
    assert len(spec.actions) == 14
    with h5py.File(tmp_path / "episode_2.hdf5") as file:
        assert np.array_equal(data[2].inputs["trajectory"][14:].T, file["action"][()].astype(np.float32))
    assert [one.where for one in data.findings] == ["images"]


def test_a_robot_of_another_kind_has_numbers_and_a_missing_part_is_named(tmp_path):
    aloha(tmp_path, width=3)
    assert AlohaHdf5(None, tmp_path).spec.inputs["trajectory"].names[:3] == ("qpos 0", "qpos 1", "qpos 2")
    with pytest.raises(DataError, match=r"episode_0.hdf5, observations: there is no 'qvel'"):
        AlohaHdf5(AlohaHdf5Config(observations=("qvel",)), tmp_path)
    with h5py.File(tmp_path / "episode_1.hdf5", "a") as file:
        del file["action"]
    with pytest.raises(DataError, match=r"episode_1.hdf5: there is no 'action'"):
        AlohaHdf5(None, tmp_path)


def test_what_is_asked_for_and_is_no_list_of_numbers_is_refused(tmp_path):
    path = robomimic(tmp_path / "demo.hdf5")
    with pytest.raises(DataError, match=r"has no list of numbers 'agentview_image'; it has gripper, object"):
        RobomimicHdf5(RobomimicHdf5Config(observations=("agentview_image",)), path)


def test_a_controller_may_be_as_slow_as_it_likes(tmp_path):
    path = robomimic(tmp_path / "demo.hdf5", hz=0.5)
    assert RobomimicHdf5(None, path).spec.inputs["trajectory"].dt_s == 2
