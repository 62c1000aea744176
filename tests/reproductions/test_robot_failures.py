"""The study ``robotics-failures`` on real executions: prototypes and the nearest neighbour beside what cannot be read."""

from __future__ import annotations

import pytest

import pellucid
from pellucid.testing.real_data import real_data

pytestmark = [pytest.mark.reproduction, pytest.mark.nightly, pytest.mark.xdist_group("robot-failures")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study = pellucid.study("robotics-failures")
    return study.run(tmp_path_factory.mktemp("run") / "robotics-failures", real_data("robotics", "uci_robot_failures"))


def test_comparing_with_real_executions_is_far_better_than_chance(run):
    for part in ("executions", "stretches", "learnt stretches", "dtw-neighbours"):
        assert run.results.get("prediction", "auroc", part).low > 0.75, part
        assert run.results.get("prediction", "accuracy", part).low > 0.4, part  # the commonest class is 0.29


def test_prototypes_are_the_executions_that_they_are_shown_as(run):
    for part in ("executions", "stretches", "learnt stretches"):
        for metric in ("source_cosine", "source_in_training", "source_of_class"):
            assert run.results.get("prototype-audit", metric, part).value == pytest.approx(1, abs=1e-5), (part, metric)


def test_readable_models_come_near_the_network_and_leave_nothing_unexplained(run):
    network = run.results.get("prediction", "auroc", "network").value
    assert run.results.get("prediction", "auroc", "learnt stretches").value > network - 0.05
    for part in ("executions", "stretches", "learnt stretches", "dtw-neighbours"):
        assert run.results.get("explanation-audit", "completeness_gap", part).value < 1e-4
