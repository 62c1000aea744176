"""Chunks against bodies: what agrees in the recordings, what a policy breaks, and by how much in which unit."""

import numpy as np
import pytest

from pellucid.data.splits import Split
from pellucid.testing.folds import fitted
from pellucid_datasets.robots.reaching import JOINTS, LENGTHS_M, ReachingConfig, ReachingSynthetic, reach
from pellucid_robotics.actions.chunks import chunk_table
from pellucid_robotics.actions.consistency import PhysicalConsistency


@pytest.fixture(scope="module")
def judged():
    data = ReachingSynthetic(ReachingConfig(episodes=200, moments=2, chunk=6, slots="all", rates_hz=(10.0, 20.0)))
    study = {
        "encoder": [{"input": name, "name": "identity"} for name in ("state", "mask", "goal", "rate")],
        "head": [{"name": "neighbour-mean", "neighbours": 1}, {"name": "linear"}],
        "training": {"epochs": 40, "learning_rate": 0.01},
    }
    split = Split(0, np.arange(240), np.arange(240, 280), np.arange(280, 400))
    fold, context = fitted(study, data, "chunk", split=split)
    rows = PhysicalConsistency().examine(fold)
    found = {(one.part, one.metric): one for one in PhysicalConsistency().conclude(rows.assign(fold=0), context)}
    return fold, rows, found


def test_recordings_agree_with_their_bodies(judged):
    _, _, found = judged
    one = found["linear", "kinematic_residual_m"]
    assert one.baseline < 1e-6
    # An even pace: differences are exact but where an arm arrives between two steps.
    assert found["linear", "velocity_residual_rad_s"].baseline < 1e-6
    assert found["linear", "beyond_limits_rad"].baseline == 0


def test_one_recorded_chunk_is_consistent_at_its_own_rate_alone_and_a_linear_one_misses_the_end(judged):
    _, _, found = judged
    retrieved, linear = (found[part, "kinematic_residual_m"] for part in ("neighbour-mean", "linear"))
    # A retrieved chunk is one that a body has done, unless it is another arm's.
    assert retrieved.value < 0.3 * linear.value
    assert linear.value > 0.02
    assert linear.chance > linear.baseline + 0.005
    assert found["linear", "velocity_residual_rad_s"].value < found["linear", "velocity_residual_rad_s"].chance


def test_errors_are_in_the_unit_of_the_slot_and_of_robots_that_have_it(judged):
    fold, _, found = judged
    third = found["linear", "error_of_right_arm_joint_2"]
    arms = np.array([len(one["lengths_m"]) for one in fold.dataset.bodies(fold.split.test)])
    assert third.n_samples == (arms == 3).sum() < len(arms)
    assert "rad" in third.sentence
    assert "m" in found["linear", "error_of_right_eef_x"].sentence
    truth = fold.dataset.subset(fold.split.test)
    said = fold.models["linear"].logits(truth).double().numpy()
    names = fold.dataset.spec.target("chunk").names
    at = [names.index(f"right_arm_joint_0 at step {step + 1}") for step in range(6)]
    error = np.sqrt(np.square(said[:, at] - truth.target_values("chunk")[:, at]).mean())
    assert found["linear", "error_of_right_arm_joint_0"].value == pytest.approx(error, rel=1e-5)
    assert found["linear", "error_of_right_arm_joint_0"].value < found["linear", "error_of_right_arm_joint_0"].chance


def test_data_that_know_no_bodies_are_refused_before_anything_is_fitted():
    from pellucid_datasets.robots.obstacle import ObstacleSynthetic

    class Asked:
        target = "path"

    assert "does not know whose motions" in PhysicalConsistency().unfit_for(ObstacleSynthetic(), {}, Asked())
    with_bodies = ReachingSynthetic(ReachingConfig(episodes=2))
    named = dict(with_bodies.spec.targets)
    named["chunk"] = named["chunk"].model_copy(update={"names": tuple(f"n{at}" for at in range(24))})
    with_bodies.spec = with_bodies.spec.model_copy(update={"targets": named})
    Asked.target = "chunk"
    assert "is no slot at a step" in PhysicalConsistency().unfit_for(with_bodies, {}, Asked())


def test_made_up_motions_go_where_they_say_and_only_joints_that_there_are_move():
    data = ReachingSynthetic(ReachingConfig(episodes=40, moments=3, rates_hz=(10.0, 50.0)))
    chunk = data.target_values("chunk").reshape(-1, 8, JOINTS)
    bodies = data.bodies(np.arange(len(data)))
    two = np.array([len(one["lengths_m"]) == 2 for one in bodies])
    slow = np.array([one["dt_s"] == 0.1 for one in bodies])
    assert np.abs(chunk[two][:, :, 2]).max() == 0
    # A fifth of the time at five times the rate: a fifth of the way, while the goal is far.
    far = np.abs(chunk[:, -1] - chunk[:, 0]).max(1)
    assert far[slow].max() == pytest.approx(5 * far[~slow].max(), rel=1e-6)
    assert reach(np.zeros((1, 3)), np.array([2]))[0, 0] == pytest.approx(sum(LENGTHS_M[2]))


def test_the_demonstrators_own_policy_reaches_and_standing_still_does_not():
    data = ReachingSynthetic(ReachingConfig(episodes=30, moments=2, chunk=5))
    rows = np.arange(len(data))

    def still(inputs):
        return np.repeat(inputs["state"][:, None], 5, 1).reshape(len(rows), -1)

    # Angles are kept in single precision.
    assert np.median(data.attempted("chunk", rows, still)["score"]) < 1e-6
    assert data.attempted("chunk", rows, still)["success"].mean() < 0.2

    def solved(inputs):
        # The joints whose end is at the goal, the wrist half of the elbow: found by search, without the generator's angles.
        from scipy.optimize import least_squares

        said = []
        for mask, goal in zip(inputs["mask"], inputs["goal"], strict=True):
            arm = int(mask.sum())

            def angles(x, arm=arm):
                return np.array([[x[0], x[1], x[1] / 2 if arm == 3 else 0.0]])

            found = least_squares(
                lambda x, arm=arm, angles=angles, goal=goal: (reach(angles(x), np.array([arm])) - goal)[0], [0, 1.0]
            )
            said.append(np.repeat(angles(found.x), 5, 0))
        return np.stack(said).reshape(len(said), -1)

    assert data.attempted("chunk", rows, solved)["success"].mean() == 1


def test_a_chunk_is_shown_as_a_table_with_units():
    table = chunk_table(
        ["right_eef_x at step 1", "right_arm_joint_0 at step 1", "right_arm_joint_0 at step 2"], [0.3, 0.1, 0.2]
    )
    assert table["unit"].tolist() == ["rad", "m"]
    assert table.loc[0, ["step 1", "step 2"]].tolist() == [0.1, 0.2]


def test_the_table_writes_units_groups_and_what_is_absent():
    from matplotlib.figure import Figure

    from pellucid.views import Shown
    from pellucid_robotics.views.action_table import action_table

    data = ReachingSynthetic(ReachingConfig(episodes=2, moments=1))
    for row, absent in ((0, 1), (1, 0)):
        ax = Figure().subplots()
        inputs = data[row].inputs
        action_table(ax, inputs["state"], data.spec.input("state"), Shown(beside={"mask": inputs["mask"]}))
        said = [text.get_text() for text in ax.texts]
        assert said.count("absent") == absent
        assert "right arm joints" in said
        assert said.count("rad") == 3
