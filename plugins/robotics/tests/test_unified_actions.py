"""The unified space: what goes in comes out, and what cannot be is refused."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from pellucid.data.spec import Trajectory
from pellucid.errors import ContractError, DataError
from pellucid_robotics.actions import physics, rotations
from pellucid_robotics.actions.channels import Channel, OwnRotation
from pellucid_robotics.actions.embodiment import Embodiment, Unified
from pellucid_robotics.actions.slots import GROUPS, NAMES, SLOTS, WIDTH, place


def joints(side, count, unit="rad"):
    return {f"{side}{at}": Channel(slot=f"{side}_arm_joint_{at}", unit=unit) for at in range(count)}


ARM = Embodiment(name="arm", channels=joints("right", 2))


def test_slots_stand_where_the_published_table_has_them():
    assert len(SLOTS) == WIDTH == 128
    assert len(set(NAMES)) == 128
    table = {
        "right_arm_joint_0": 0, "right_gripper_0": 10, "right_arm_joint_0_velocity": 15, "right_gripper_0_velocity": 25,
        "right_eef_x": 30, "right_eef_rotation_0": 33, "right_eef_x_velocity": 39, "right_eef_roll_rate": 42,
        "left_arm_joint_0": 50, "left_eef_rotation_5": 88, "base_x_velocity": 100, "base_yaw_rate": 102,
    }  # fmt: skip
    assert {name: place(name) for name in table} == table
    assert {at for at, one in enumerate(SLOTS) if one.reserved} == {*range(45, 50), *range(95, 100), *range(103, 128)}
    assert sum(map(len, GROUPS.values())) == 93


def test_names_that_are_unknown_are_refused_with_the_nearest():
    with pytest.raises(ContractError, match="did you mean 'right_arm_joint_1'"):
        place("right_arm_joint1")
    with pytest.raises(ContractError, match="reserved"):
        place("reserved_45")
    with pytest.raises(ContractError, match="did you mean 'right0'"):
        ARM.pack({"rigth0": [0.0], "right1": [0.0]})
    with pytest.raises(ContractError, match="'right1' not given"):
        ARM.pack({"right0": [0.0]})


def test_two_names_in_one_slot_and_units_that_are_not_understood_are_refused():
    with pytest.raises(ValidationError, match="would both stand in"):
        Embodiment(name="x", channels={name: Channel(slot="right_arm_joint_0", unit="rad") for name in "ab"})
    with pytest.raises(ValidationError, match="'turns' is not understood; known: rad, deg"):
        Channel(slot="right_arm_joint_0", unit="turns")
    with pytest.raises(ValidationError, match="say low and high"):
        Channel(slot="right_gripper_0", unit="m")
    with pytest.raises(ValidationError, match="no gripper"):
        Channel(slot="right_arm_joint_0", unit="rad", low=0, high=1)
    with pytest.raises(ValidationError, match="whole rotation"):
        Channel(slot="right_eef_rotation_0", unit="1")


def test_known_units_are_converted_and_back():
    robot = Embodiment(
        name="x",
        channels={
            "a": Channel(slot="right_arm_joint_0", unit="deg"),
            "v": Channel(slot="right_arm_joint_0_velocity", unit="deg/s"),
            "x": Channel(slot="right_eef_x", unit="mm"),
        },
        frames={"right": "base"},
    )
    own = {"a": np.array([90.0]), "v": np.array([-180.0]), "x": np.array([250.0])}
    packed = robot.pack(own)
    assert packed.values[0, [0, 15, 30]] == pytest.approx([np.pi / 2, -np.pi, 0.25])
    back = robot.unpack(packed)
    assert all(back[name] == pytest.approx(own[name]) for name in own)


def test_changes_are_summed_up_from_a_start_that_must_be_told():
    robot = Embodiment(
        name="x",
        channels={
            "a": Channel(slot="right_arm_joint_0", unit="deg", delta=True),
            "g": Channel(slot="right_gripper_0", unit="mm", low=10, high=20, delta=True),
        },
    )
    own = {"a": np.array([[10.0, 20.0, -5.0]]), "g": np.array([[1.0, 2.0, 0.0]])}
    with pytest.raises(ContractError, match="say in start where it was"):
        robot.pack(own)
    start = {"a": np.array([100.0]), "g": np.array([12.0])}
    packed = robot.pack(own, start)
    assert np.rad2deg(packed.values[0, :, 0]) == pytest.approx([110, 130, 125])
    assert packed.values[0, :, 10] == pytest.approx([0.3, 0.5, 0.5])
    back = robot.unpack(packed, start)
    assert all(back[name] == pytest.approx(own[name]) for name in own)
    with pytest.raises(ValidationError, match="velocities are not summed"):
        Channel(slot="base_yaw_rate", unit="rad/s", delta=True)


@pytest.mark.parametrize(
    ("form", "order", "degrees"),
    [
        ("quaternion xyzw", "", False),
        ("quaternion wxyz", "", False),
        ("matrix", "", False),
        ("euler", "xyz", False),
        ("euler", "ZYX", True),
    ],
)
def test_rotations_of_every_form_come_back(form, order, degrees):
    turned = Rotation.random(200, rng=np.random.default_rng(0))
    given = {
        "quaternion xyzw": turned.as_quat(canonical=True),
        "quaternion wxyz": turned.as_quat(canonical=True, scalar_first=True),
        "matrix": turned.as_matrix().reshape(-1, 9),
        "euler": turned.as_euler(order or "xyz", degrees=degrees),
    }[form]
    names = tuple(f"r{at}" for at in range(given.shape[1]))
    robot = Embodiment(
        name="x",
        channels={},
        rotations={"left": OwnRotation(names=names, form=form, order=order, degrees=degrees)},
        frames={"left": "world"},
    )
    packed = robot.pack(dict(zip(names, given.T, strict=True)))
    # The columns of the matrix, whatever the form was.
    expected = np.concatenate([turned.as_matrix()[:, :, 0], turned.as_matrix()[:, :, 1]], 1)
    assert np.abs(packed.values[:, 83:89] - expected).max() < 1e-12
    back = robot.unpack(packed)
    assert np.abs(np.stack([back[name] for name in names], 1) - given).max() < 1e-9


def test_a_quaternion_and_its_negative_are_one_rotation_and_a_wrong_order_is_another():
    quaternion = Rotation.from_euler("xyz", [0.3, -0.5, 1.0]).as_quat()
    six = rotations.six_of(quaternion, "quaternion xyzw")
    assert rotations.six_of(-quaternion, "quaternion xyzw") == pytest.approx(six)
    assert np.abs(rotations.six_of(quaternion, "quaternion wxyz") - six).max() > 0.1
    assert np.abs(rotations.six_of([0.3, -0.5, 1.0], "euler", "XYZ") - six).max() > 0.1


def test_what_is_no_rotation_is_refused():
    with pytest.raises(DataError, match="length"):
        rotations.six_of(np.array([1.0, 1, 0, 0]), "quaternion xyzw")
    with pytest.raises(DataError, match="no rotation"):
        rotations.six_of(np.diag([1.0, 1, -1]).ravel(), "matrix")
    with pytest.raises(DataError, match="in one direction"):
        rotations.matrix_of_six(np.array([1.0, 0, 0, 2, 0, 0]))
    with pytest.raises(ValidationError, match="need an order"):
        OwnRotation(names=("a", "b", "c"), form="euler")


def test_a_pose_says_what_it_is_measured_from_and_another_frame_is_refused():
    with pytest.raises(ValidationError, match="say in frames"):
        Embodiment(name="x", channels={"x": Channel(slot="right_eef_x", unit="m")})
    base, world = (
        Embodiment(name="x", channels={"x": Channel(slot="right_eef_x", unit="m")}, frames={"right": frame})
        for frame in ("base", "world")
    )
    with pytest.raises(ContractError, match="measured from 'world', these numbers from 'base'"):
        world.unpack(base.pack({"x": [0.1]}))


def test_a_slot_that_is_masked_is_not_read():
    packed = ARM.pack({"right0": [0.1], "right1": [0.2]})
    mask = packed.mask.copy()
    mask[1] = False
    with pytest.raises(ContractError, match="1 of its slots are masked: right_arm_joint_1"):
        ARM.unpack(Unified(packed.values, mask, {}))


def test_numbers_that_are_none_are_refused():
    with pytest.raises(DataError, match="'right1' holds NaN"):
        ARM.pack({"right0": [0.1], "right1": [np.nan]})


def test_coverage_says_what_a_trajectory_fills_and_what_it_leaves_out():
    spec = Trajectory(names=("hip", "knee", "load"), length=5, dt_s=0.02, units=("deg", "deg", "N"))
    robot = Embodiment.of_trajectory("leg", spec, {"hip": "right_arm_joint_0", "knee": "right_arm_joint_1"})
    table = robot.coverage(spec)
    assert list(table["slot"]) == ["right_arm_joint_0", "right_arm_joint_1", ""]
    assert list(table["own"]) == ["hip", "knee", "load"]
    assert list(table["converted"]) == [True, True, False]
    with pytest.raises(ContractError, match="did you mean 'knee'"):
        Embodiment.of_trajectory("leg", spec, {"kne": "right_arm_joint_1"})
    other = spec.model_copy(update={"units": ("rad", "deg", "N")})
    with pytest.raises(ContractError, match="'hip' is in deg, and the trajectory says rad"):
        robot.coverage(other)


def moving(dt_s=0.02, steps=40):
    """A two-link arm that swings, in the unified space, with everything that is known of it."""
    time = np.arange(steps) * dt_s
    angles = np.stack([0.5 * np.sin(2 * time), 1 + 0.3 * np.cos(3 * time)], 1)
    speeds = np.stack([np.cos(2 * time), -0.9 * np.sin(3 * time)], 1)
    ends = physics.planar_reach(angles, (0.4, 0.3))
    values, mask = np.zeros((steps, WIDTH)), np.zeros(WIDTH, bool)
    values[:, [0, 1]], values[:, [15, 16]], values[:, [30, 31]] = angles, speeds, ends
    mask[[0, 1, 15, 16, 30, 31]] = True
    return values, mask, physics.Body(dt_s, (0.4, 0.3), ((-0.4, 0.4), (-np.pi, np.pi)))


def test_a_motion_of_a_body_passes_and_one_that_is_shaken_does_not():
    values, mask, body = moving()
    speeds = physics.velocity_residual(values, mask, body.dt_s)
    assert set(speeds) == {"right_arm_joint_0", "right_arm_joint_1"}
    # Central differences of these waves are off by j dt^2 / 6, at most 8.1 * 4e-4 / 6.
    assert max(np.abs(one).max() for one in speeds.values()) < 6e-4
    assert physics.kinematic_residual(values, mask, body).max() < 1e-12
    beyond = physics.beyond_limits(values, mask, body)
    assert beyond["right_arm_joint_0"].max() == pytest.approx(np.abs(values[:, 0]).max() - 0.4)
    assert beyond["right_arm_joint_1"].max() == 0
    shaken = values[np.random.default_rng(0).permutation(len(values))]
    assert np.abs(physics.velocity_residual(shaken, mask, body.dt_s)["right_arm_joint_0"]).mean() > 1
    moved = values.copy()
    moved[:, 30] += 0.05
    assert physics.kinematic_residual(moved, mask, body) == pytest.approx(0.05)


def test_residuals_are_of_what_is_there_alone():
    values, mask, body = moving()
    without = mask.copy()
    without[[15, 30]] = False
    assert set(physics.velocity_residual(values, without, body.dt_s)) == {"right_arm_joint_1"}
    assert physics.kinematic_residual(values, without, body) is None
    assert physics.rotation_residual(values, without) == {}


def test_six_numbers_are_judged_by_both_lengths_and_the_angle():
    six = np.array([[1.0, 0, 0, 0, 1, 0], [1.1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0.8, 0], [1, 0, 0, 0.6, 0.8, 0]])
    assert rotations.not_orthonormal(six) == pytest.approx([0, 0.1, 0.2, 0.6])


def test_names_ends_and_frames_of_an_embodiment_are_each_its_own():
    four = ("w", "x", "y", "z")
    both = {side: OwnRotation(names=four, form="quaternion wxyz") for side in ("right", "left")}
    with pytest.raises(ValidationError, match="in two rotations"):
        Embodiment(name="arm", channels={}, rotations=both, frames={"right": "base", "left": "base"})
    with pytest.raises(ValidationError, match="each needs a name of its own"):
        OwnRotation(names=("w", "w", "y", "z"), form="quaternion wxyz")
    with pytest.raises(ValidationError, match="'xxy' is no order of Euler angles"):
        OwnRotation(names=("a", "b", "c"), form="euler", order="xxy")
    with pytest.raises(ValidationError, match="neither channels nor rotations"):
        Embodiment(name="arm", channels={})
    with pytest.raises(ValidationError, match="the upper end effector"):
        Embodiment(
            name="arm", channels={"x": Channel(slot="right_eef_x", unit="m")}, frames={"right": "base", "upper": "base"}
        )
    with pytest.raises(ValidationError, match="finite"):
        Channel(slot="right_gripper_0", unit="mm", low=float("nan"), high=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["x"], "expected real numbers"),
        ([None], "expected real numbers"),
        ([1j], "expected real numbers"),
        ([[1, 2], [3]], "several lengths"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused_with_its_name(given, said):
    arm = Embodiment(name="arm", channels={"elbow": Channel(slot="right_arm_joint_0", unit="deg")})
    with pytest.raises(DataError, match=f"'elbow' .*{said}"):
        arm.pack({"elbow": given})


def test_changes_start_at_one_finite_number_a_series():
    arm = Embodiment(name="arm", channels={"elbow": Channel(slot="right_arm_joint_0", unit="rad", delta=True)})
    assert arm.pack({"elbow": [[1.0, 1.0]] * 2}, start={"elbow": [1.0, 2.0]}).values[:, -1, 0].tolist() == [3.0, 4.0]
    with pytest.raises(DataError, match="start of 'elbow' holds NaN"):
        arm.pack({"elbow": [1.0]}, start={"elbow": np.nan})
    with pytest.raises(ContractError, match=r"starts at an array of shape \(2,\)"):
        arm.pack({"elbow": [1.0, 2.0, 3.0]}, start={"elbow": [0.0, 1.0]})
    with pytest.raises(ContractError, match="has no steps"):
        arm.pack({"elbow": 1.0}, start={"elbow": 0.0})
    with pytest.raises(ContractError, match="has no steps"):
        arm.unpack(np.zeros(128), start={"elbow": 0.0})
    with pytest.raises(ContractError, match=r"128 slots, got an array of shape \(\)"):
        arm.unpack(np.float64(3))


def test_rotations_that_are_no_numbers_or_have_another_form_are_refused():
    wrist = Embodiment(
        name="wrist",
        channels={},
        rotations={"right": OwnRotation(names=("w", "x", "y", "z"), form="quaternion wxyz")},
        frames={"right": "base"},
    )
    for number in (np.nan, np.inf):
        with pytest.raises(DataError, match="six numbers holds NaN"):
            wrist.unpack(np.full((2, 128), number))
        for form, width in (("quaternion wxyz", 4), ("matrix", 9), ("euler", 3)):
            with pytest.raises(DataError, match=f"{form} holds NaN"):
                rotations.six_of(np.full(width, number), form, "xyz")
    with pytest.raises(ContractError, match=r"has 9 numbers, got an array of shape \(5,\)"):
        rotations.six_of(np.zeros(5), "matrix")
    with pytest.raises(ContractError, match=r"has 6 numbers, got an array of shape \(5,\)"):
        rotations.from_six(np.zeros(5), "matrix")
    with pytest.raises(ContractError, match="no form of rotations 'quaternion'"):
        rotations.from_six(np.array([1.0, 0, 0, 0, 1, 0]), "quaternion")
    with pytest.raises(ContractError, match="no order of Euler angles"):
        rotations.six_of(np.zeros(3), "euler", "abc")


def test_rotations_of_several_walks_stand_in_their_slots_and_are_not_masked():
    turned = Rotation.random(6, rng=np.random.default_rng(0)).as_quat(canonical=True).reshape(2, 3, 4)
    names = ("qx", "qy", "qz", "qw")
    robot = Embodiment(
        name="x", channels={}, rotations={"right": OwnRotation(names=names, form="quaternion xyzw")},
        frames={"right": "base"},
    )  # fmt: skip
    packed = robot.pack(dict(zip(names, np.moveaxis(turned, -1, 0), strict=True)))
    assert packed.values.shape == (2, 3, WIDTH)
    assert np.flatnonzero(packed.mask).tolist() == list(range(33, 39))
    assert packed.values[1, 2, 33:39] == pytest.approx(rotations.six_of(turned[1, 2], "quaternion xyzw"))
    back = robot.unpack(packed)
    assert np.stack([back[name] for name in names], -1) == pytest.approx(turned)


def test_both_ends_of_a_limit_count_and_rotations_are_judged_where_all_six_numbers_are():
    values, mask = np.zeros((3, WIDTH)), np.zeros(WIDTH, bool)
    values[:, 0] = [-0.7, 0.1, 0.5]
    values[:, 33:39] = [[1, 0, 0, 0, 1, 0], [1.1, 0, 0, 0, 1, 0], [1, 0, 0, 0.6, 0.8, 0]]
    mask[[0, *range(33, 39), *range(83, 88)]] = True
    beyond = physics.beyond_limits(values, mask, physics.Body(0.1, (), ((-0.4, 0.3), (-1.0, 1.0))))
    assert {name: one.tolist() for name, one in beyond.items()} == {"right_arm_joint_0": pytest.approx([0.3, 0, 0.2])}
    # Of the left end effector the last of the six is not there.
    assert {side: one.tolist() for side, one in physics.rotation_residual(values, mask).items()} == {
        "right": pytest.approx([0, 0.1, 0.6])
    }
    with pytest.raises(ContractError, match="three steps at least, got an array of shape"):
        physics.velocity_residual(values[:2], mask, 0.1)


def test_the_end_of_an_arm_is_where_its_links_lead_at_every_step_of_every_walk():
    angles = np.random.default_rng(0).uniform(-np.pi, np.pi, (2, 3, 2))
    found = physics.planar_reach(angles, (0.4, 0.3))
    along = 0.4 * np.exp(1j * angles[..., 0]) + 0.3 * np.exp(1j * angles.sum(-1))
    assert found == pytest.approx(np.stack([along.real, along.imag], -1))
