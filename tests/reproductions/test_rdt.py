"""RDT-1B (arXiv 2410.07864): one space of named slots for every robot, and a small diffusion transformer on it.

No weights and no data of the paper are used: robots are made up. ManiSkill was not run.
"""

from functools import cache

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from pellucid.data.splits import Split
from pellucid.errors import ContractError
from pellucid.heads.drawing.schedule import denoised, squared_cosine
from pellucid.representation import Representation
from pellucid.testing.folds import fitted
from pellucid_datasets.robots.reaching import JOINTS, SPEED_RAD_S, ReachingConfig, ReachingSynthetic
from pellucid_robotics.actions.channels import Channel, OwnRotation
from pellucid_robotics.actions.embodiment import Embodiment
from pellucid_robotics.actions.rotations import matrix_of_six, six_of_matrix
from pellucid_robotics.actions.slots import GROUPS, place

pytestmark = pytest.mark.reproduction


# --- 1: three robots in and out ---------------------------------------------------------------------------------------------------


def arm(side, joints, prefix=""):
    return {f"{prefix}joint {at}": Channel(slot=f"{side}_arm_joint_{at}", unit="rad") for at in range(joints)}


def gripper(side, prefix=""):
    return {f"{prefix}gripper": Channel(slot=f"{side}_gripper_0", unit="m", low=0.002, high=0.08)}


SINGLE = Embodiment(
    name="seven joints and a gripper",
    channels={
        **arm("right", 7),
        **gripper("right"),
        **{axis: Channel(slot=f"right_eef_{axis}", unit="m") for axis in "xyz"},
    },
    rotations={"right": OwnRotation(names=("qx", "qy", "qz", "qw"), form="quaternion xyzw")},
    frames={"right": "base"},
)
DUAL = Embodiment(
    name="two arms of six joints",
    channels={**arm("right", 6, "R "), **gripper("right", "R "), **arm("left", 6, "L "), **gripper("left", "L ")},
)
BASE = Embodiment(
    name="planar base",
    channels={
        "forward": Channel(slot="base_x_velocity", unit="m/s"),
        "sideways": Channel(slot="base_y_velocity", unit="m/s"),
        "turn": Channel(slot="base_yaw_rate", unit="rad/s"),
    },
)


def motion(robot, steps=64, seed=0):
    rng = np.random.default_rng(seed)
    own = {name: rng.uniform(0.002, 0.08, (5, steps)) for name in robot.channels}
    for rotation in robot.rotations.values():
        turned = Rotation.random(5 * steps, rng=rng).as_quat(canonical=True).reshape(5, steps, 4)
        own |= {name: turned[..., at] for at, name in enumerate(rotation.names)}
    return own


@pytest.mark.parametrize("robot", [SINGLE, DUAL, BASE], ids=lambda robot: robot.name)
def test_a_robot_goes_in_and_comes_out(robot):
    own = motion(robot)
    packed = robot.pack(own)
    back = robot.unpack(packed)
    assert set(back) == set(own)
    assert max(np.abs(back[name] - own[name]).max() for name in own) < 1e-6
    # No two names in one slot, exact masks, and nothing where the mask is 0.
    assert packed.mask.sum() == len(robot.channels) + 6 * len(robot.rotations)
    assert np.array_equal(packed.mask, (packed.values != 0).any((0, 1)))
    assert packed.values[..., ~packed.mask].any() == np.False_


def test_a_robot_with_one_arm_has_the_right_one():
    right = {at for group, slots in GROUPS.items() if group.startswith("right") for at in slots}
    assert set(np.flatnonzero(SINGLE.mask)) <= right
    assert set(np.flatnonzero(DUAL.mask)) & right


def test_an_unknown_name_is_refused():
    with pytest.raises(ContractError, match="did you mean 'joint 1'"):
        SINGLE.pack({**motion(SINGLE), "joint1": [0.0]})


# --- 2: rotations -------------------------------------------------------------------------------------------------------------------


def test_a_thousand_rotations_come_back_and_noisy_ones_are_rotations():
    turned = Rotation.random(1000, rng=np.random.default_rng(0)).as_matrix()
    assert np.abs(matrix_of_six(six_of_matrix(turned)) - turned).max() < 1e-6
    noisy = matrix_of_six(six_of_matrix(turned) + np.random.default_rng(1).normal(0, 0.1, (1000, 6)))
    assert np.abs(np.linalg.det(noisy) - 1).max() < 1e-9
    assert np.abs(noisy @ noisy.transpose(0, 2, 1) - np.eye(3)).max() < 1e-9
    # And near to what they were: 0.1 of noise turns them by some degrees.
    angle = np.rad2deg(Rotation.from_matrix(noisy.transpose(0, 2, 1) @ turned).magnitude())
    assert np.median(angle) < 15


# --- 3: grippers by what is declared, all else as it is -------------------------------------------------------------------------


def test_grippers_go_from_0_to_1_and_everything_else_passes_bit_by_bit():
    own = {name: values.astype(np.float32) for name, values in motion(DUAL).items()}
    packed = DUAL.pack(own)
    assert packed.values.dtype == np.float32
    for name, channel in DUAL.channels.items():
        found = packed.values[..., place(channel.slot)]
        if "gripper" in name:
            assert found == pytest.approx((own[name] - 0.002) / 0.078, abs=1e-6)
            assert found.min() >= -1e-6
            assert found.max() <= 1 + 1e-6
        else:
            assert np.array_equal(found.view(np.int32), own[name].view(np.int32))


# --- 5: an oracle -------------------------------------------------------------------------------------------------------------------


def test_five_steps_of_the_solver_give_an_oracles_chunk_whatever_the_noise():
    chance = torch.Generator().manual_seed(0)
    chunk = torch.randn(10, 64 * 128, generator=chance)
    for scale in (0.1, 1.0, 10.0):
        noise = scale * torch.randn(chunk.shape, generator=chance)
        found = denoised(noise, lambda x, step: chunk, squared_cosine(1000), 5, "dpm-solver++")
        assert (found - chunk).abs().max() < 1e-5


# --- 4: two robots in one model -------------------------------------------------------------------------------------------------


@cache
def learnt(arms, episodes, epochs, rates=(10.0,), seed=0):
    """The head, its dataset and the samples of unseen episodes."""
    data = ReachingSynthetic(ReachingConfig(arms=arms, episodes=episodes, rates_hz=rates))
    count, whole = len(data), np.arange(len(data))
    split = Split(0, whole[: int(count * 0.7)], whole[int(count * 0.7) : int(count * 0.75)], whole[int(count * 0.75) :])
    study = {
        "encoder": [
            {"input": name, "name": "identity", "standardised": False} for name in ("state", "mask", "goal", "rate")
        ],
        "head": [{"name": "rdt-small", "mask_loss": True}],
        "training": {"epochs": epochs, "batch_size": 64, "learning_rate": 2e-3, "keep": "last", "seed": seed},
    }
    fold, _ = fitted(study, data, "chunk", split=split)
    return fold.models["rdt-small"], data, split.test


def said(model, data, rows):
    with torch.no_grad():
        return model.head(model.representation(data.subset(rows))).double().numpy().reshape(len(rows), -1, JOINTS)


def joint_error(model, data, rows, arm):
    """Mean square error of the joints of one arm, rad^2."""
    own = rows[data._arm[rows] == arm]
    truth = data.subset(own).target_values("chunk").reshape(len(own), -1, JOINTS)
    return float(np.square(said(model, data, own) - truth)[..., :arm].mean())


@pytest.mark.nightly
@pytest.mark.xfail(reason="with as many updates the model of both is more than a tenth behind", strict=True)
def test_one_model_of_two_arms_is_as_good_as_one_of_each():
    # Measured 0.0049 and 0.0017 rad^2 for the arm of three joints; that of two is within the tenth.
    both = learnt((2, 3), 400, 80)
    for one in (2, 3):
        # As many updates as the model of both: twice the epochs on half the demonstrations.
        alone = learnt((one,), 200, 160)
        assert joint_error(*both, one) <= 1.1 * joint_error(*alone, one)


@pytest.mark.nightly
def test_what_a_robot_does_not_have_is_exactly_0_and_the_mask_is_heard():
    model, data, rows = learnt((2, 3), 400, 80)
    own = rows[data._arm[rows] == 2]
    assert np.abs(said(model, data, own)[..., 2]).max() == 0
    z = model.representation(data.subset(rows))
    at = [z.names.index(f"mask:right_arm_joint_{joint}") for joint in range(JOINTS)]
    swapped = z.values.clone()
    # Arms of two joints are said to have three and the other way round.
    swapped[:, at[2]] = 1 - swapped[:, at[2]]
    with torch.no_grad():
        before, after = (
            model.head(Representation(values, z.names)).reshape(len(rows), -1, JOINTS) for values in (z.values, swapped)
        )
    assert (before - after)[..., :2].abs().mean() > 0.005


@pytest.mark.nightly
def test_draws_are_masked_too():
    model, data, rows = learnt((2, 3), 400, 80)
    own = rows[data._arm[rows] == 2]
    drawn = model.head.draw(model.representation(data.subset(own)), 4).reshape(4, len(own), -1, JOINTS)
    assert drawn[..., 2].abs().max() == 0
    assert drawn[..., :2].std(0).mean() > 0


# --- 6: the rate ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_a_fifth_of_the_rate_is_five_times_the_way():
    model, data, rows = learnt((2,), 400, 150, (10.0, 50.0))
    way = {}
    for rate in (10.0, 50.0):
        own = rows[data._rate[rows] == rate]
        truth = data.subset(own).target_values("chunk").reshape(len(own), -1, JOINTS)
        # While the goal is far; where an arm arrives within the chunk, the way is what is left.
        far = np.abs(truth[:, -1] - truth[:, -2]).max(1) > 0.99 * SPEED_RAD_S / rate
        along = truth[:, -1] - truth[:, 0]
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        moved = said(model, data, own)
        way[rate] = float(((moved[:, -1] - moved[:, 0]) * along).sum(1)[far].mean())
    # Measured 5.30; at 60 epochs 7.2.
    assert way[10.0] / way[50.0] == pytest.approx(5, abs=0.5)
