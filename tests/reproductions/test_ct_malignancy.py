"""The demo's study on real annotations: an interpretable model loses nothing to the black box, and outlines add nothing.

Shorter training of the outlines' encoder than in the study, and no audits, so that it ends in a minute or two.
"""

from __future__ import annotations

import pytest

import pellucid
from pellucid.training.loop import Watcher

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("ct-malignancy")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = {"protocols": ["nested-subject-cv"], "encoder.0.training.epochs": 4}
    study = pellucid.study("ct-malignancy").with_settings(settings)
    return study.run(tmp_path_factory.mktemp("run") / "ct", watcher=Watcher())


def auroc(run, part):
    return run.results.get("prediction", "auroc", part)


def test_the_interpretable_model_is_as_good_as_the_black_box(run):
    assert auroc(run, "additive").value >= 0.94
    assert run.results.get("prediction", "auroc_minus_mlp", "additive").low > -0.01
    assert run.results.get("prediction", "auroc_minus_baseline", "additive").low > 0


def test_outlines_alone_tell_no_more_than_size_alone(run):
    area = auroc(run, "outline only").baseline
    assert area == pytest.approx(0.913, abs=0.01)  # measured outside this project
    assert auroc(run, "outline only").value == pytest.approx(area, abs=0.015)


def test_ratings_beside_size_tell_more(run):
    assert auroc(run, "ratings and size").value == pytest.approx(0.947, abs=0.012)  # measured outside this project


def test_every_explanation_of_the_additive_model_adds_up(run):
    rows = run.explanations()
    gaps = rows[rows["part"].isin(["additive", "ratings and size"])]["gap"]
    assert len(gaps) > 1712
    assert gaps.abs().max() <= 1e-4


def test_no_patient_stands_on_two_sides(run):
    for sides in run.document["subjects"].values():
        train, validation, test = (set(sides[side]["subject"]) for side in ("train", "validation", "test"))
        assert not train & test
        assert not validation & test
        assert not train & validation
        assert len(train | validation | test) == 742
