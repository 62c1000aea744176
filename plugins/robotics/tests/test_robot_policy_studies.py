"""The studies of policies, smaller: what a user gets of them."""

import json
import tomllib
from importlib.resources import files

import pytest

import pellucid


def small(name, folder, options, epochs):
    study = tomllib.loads((files("pellucid_robotics") / f"studies/{name}.toml").read_text("utf-8"))
    dataset = study["dataset"]
    study["options"][dataset] = study["options"][dataset] | options
    study["training"] |= {"epochs": epochs}
    pellucid.study(study).run(folder)
    return json.loads((folder / "run.json").read_text("utf-8")), (folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def obstacle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "obstacle"
    return *small("robotics-obstacle", folder, {"episodes": 200}, 8), folder


def test_retrieval_passes_the_obstacle_and_the_report_gives_both_figures(obstacle):
    run, page, _ = obstacle
    found = {(one["part"], one["metric"]): one for one in run["results"] if one["protocol"] == "task-success"}
    assert found["neighbour-mean", "success"]["value"] > 0.9
    assert ("diffusion", "drawn_success") in found
    assert "Whether it works when it is tried" in page
    assert "Fewer than 100 attempts" in page
    assert "Wilson, 95 %" in page


def test_the_demonstration_behind_a_path_is_named(obstacle):
    folder = obstacle[2]
    from pellucid_datasets.robots.obstacle import ObstacleConfig, ObstacleSynthetic

    data = ObstacleSynthetic(ObstacleConfig(episodes=200))
    model = pellucid.load(folder, head="neighbour-mean")
    explanation = model.explain(data[0], target="y at step 8")
    assert float(abs(explanation.gap).max()) < 1e-5
    assert explanation.evidence[0][0].source in data.frame.index


def test_a_study_of_arms_says_what_a_body_could_not_do(tmp_path):
    run, page = small("robotics-reaching", tmp_path / "run", {"episodes": 60, "moments": 2, "chunk": 4}, 2)
    found = {(one["part"], one["metric"]) for one in run["results"]}
    assert {("rdt-small", "kinematic_residual_m"), ("mlp", "success"), ("rdt-small", "drawn_success")} <= found
    assert "Whether a body could do it" in page
    assert "Error of right_arm_joint_0" in page
    assert "rad; lower is better" in page
