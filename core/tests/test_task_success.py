"""Attempts: both figures of the same ones, with an interval that fits a share."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pellucid.errors import LeakageError
from pellucid.protocols.task_success import TaskSuccess
from pellucid.statistics.proportions import wilson
from pellucid.testing.folds import fitted
from pellucid.testing.tasks import planted_task, task_fold


def concluded(rows, context):
    return {(one.part, one.metric): one for one in TaskSuccess().conclude(rows, context)}


@pytest.fixture(scope="module")
def examined():
    fold, context = task_fold()
    return fold, TaskSuccess().examine(fold).assign(fold=0), context


def test_a_regression_lies_between_the_answers_and_fails_what_one_neighbour_does(examined):
    fold, rows, context = examined
    found = concluded(rows, context)
    assert found["linear", "success"].value < 0.1
    # A demonstration's answer at random is wrong for another situation, and the mean is nobody's answer.
    assert found["linear", "success"].chance < 0.6
    assert found["conditional-vae", "drawn_success"].n_samples == len(fold.split.test)
    assert ("linear", "drawn_success") not in found


def test_both_figures_the_interval_and_few_attempts_are_told(examined):
    _, rows, context = examined
    part = rows[rows["part"] == "linear"].head(60).copy()
    part["model:success"] = (np.arange(60) < 45).astype(float)
    part["model:score"] = 0.95
    found = concluded(part, context)
    success, score = found["linear", "success"], found["linear", "score"]
    assert (success.value, score.value) == pytest.approx((0.75, 0.95))
    assert (success.low, success.high) == pytest.approx(wilson(0.75, 60)[1:])
    assert "45 of 60 attempts of “linear” succeed: 75.0% (Wilson, 95 %: 62.8% to 84.2%)" in success.sentence
    assert "mean score of the same attempts is 0.950" in success.sentence
    assert "Fewer than 100 attempts" in success.sentence
    many = pd.concat([part, part.assign(sample=part["sample"] + "b", subject=part["subject"] + "b")])
    assert "Fewer than" not in concluded(many, context)["linear", "success"].sentence


def test_attempts_of_one_episode_are_not_taken_for_independent(examined):
    _, rows, context = examined
    part = rows[rows["part"] == "linear"].head(100).copy()
    part["subject"] = [f"episode {at // 20}" for at in range(100)]
    part["model:success"] = np.repeat([1.0, 0.0, 1.0, 0.0, 1.0], 20)
    found = concluded(part, context)["linear", "success"]
    plain = wilson(0.6, 100)
    assert found.high - found.low > 2 * (plain.high - plain.low)
    assert "over episodes" in found.sentence


def test_a_dataset_without_a_task_is_refused_before_anything_is_fitted():
    from pellucid.testing.planted import planted

    _, context = task_fold()
    assert "knows no task" in TaskSuccess().unfit_for(planted(("vector",)), {}, context)


def test_seeds_that_were_learnt_from_are_not_judged_on():
    fold, _ = task_fold()
    other = dataclasses.replace(fold.split, test=np.concatenate([fold.split.test, fold.split.train[:1]]))
    with pytest.raises(LeakageError):
        TaskSuccess().examine(dataclasses.replace(fold, split=other))


def test_one_neighbour_succeeds_where_it_is_dense():
    study = {
        "encoder": [{"input": "x", "name": "identity"}],
        "head": [
            {"name": "neighbour-mean", "neighbours": 1},
            {"name": "neighbour-mean", "label": "many", "neighbours": 50},
        ],
        "training": {"epochs": 1},
    }
    fold, context = fitted(study, planted_task(samples=600), "y")
    found = concluded(TaskSuccess().examine(fold).assign(fold=0), context)
    assert found["neighbour-mean", "success"].value > 0.9
    assert found["many", "success"].value < 0.2


def test_the_baseline_does_the_training_mean(examined):
    from pellucid.data.abilities import HasTask

    fold, rows, _ = examined
    part = rows[rows["part"] == "linear"]
    known, test = fold.train.target_values(fold.target), np.asarray(fold.split.test)
    task, asked = fold.dataset.ability(HasTask), []

    def mean(inputs):
        asked.append(len(next(iter(inputs.values()))))
        return np.tile(known.mean(0), (asked[-1], 1))

    told = task.attempted(fold.target, test, mean)
    for name in ("success", "score"):
        assert part[f"baseline:{name}"].to_numpy() == pytest.approx(np.asarray(told[name], float), abs=1e-6)
    assert sum(asked) >= len(test)
