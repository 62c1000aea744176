"""The study of walks in a room, much smaller: from the study's file to the report with its map."""

import json
import tomllib
from importlib.resources import files

import numpy as np
import pytest

import pellucid
from pellucid_robotics.maps.walks import AliasedRoom, AliasedRoomConfig


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study = tomllib.loads((files("pellucid_robotics") / "studies/robotics-maze.toml").read_text("utf-8"))
    study["options"]["aliased-room"] |= {"rows": 2, "columns": 3, "patch": [1, 1], "walks": 80, "steps": 30}
    study["options"]["map-planning"] = {"prefix": 8}
    for encoder in study["encoder"]:
        encoder |= {
            "codes": 24,
            "width": 32,
            "depth": 1,
            "feed_forward": 32,
            "restart_share": 0.005,
            "restart_steps": 25,
        }
    study["training"] |= {"epochs": 4}
    folder = tmp_path_factory.mktemp("runs") / "maze"
    return pellucid.study(study).run(folder), folder


def test_both_models_have_a_map_beside_chance_and_baseline(run):
    found = {
        (one["part"], one["metric"]): one
        for one in json.loads((run[1] / "run.json").read_text("utf-8"))["results"]
        if one["protocol"] == "map-planning"
    }
    assert {part for part, _ in found} == {"three steps", "one step"}
    three = {metric: one for (part, metric), one in found.items() if part == "three steps"}
    # It has learnt nothing worth a figure yet; what it finds after the study's own training stands in docs/systems.md.
    assert {"planning_success", "next_observation", "code_purity", "map_edit_distance"} <= set(three)
    assert three["planning_success"]["n_samples"] == 20
    assert all(one["n_subjects"] == 20 for one in found.values())


def test_the_report_shows_the_map_and_the_walk(run):
    page = (run[1] / "report.html").read_text("utf-8")
    assert "Whether codes are a map" in page
    assert "the map that was read from codes of the walks learnt from" in page


def test_a_loaded_model_explains_what_comes_behind_a_walk_by_what_it_forecasts(run):
    model = pellucid.load(run[1], head="three steps")
    data = AliasedRoom(AliasedRoomConfig(rows=2, columns=3, patch=(1, 1), walks=3, steps=30, seed=900))
    explanation = model.explain(data[0], target="A")
    assert [name.rpartition(": ")[2] for name in explanation.names] == ["A", "B", "C", "D"]
    assert np.allclose(explanation.gap, 0, atol=1e-5)
