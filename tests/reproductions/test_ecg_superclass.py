"""The study ``ecg-superclass`` on real recordings: what it costs that an electrocardiogram is judged by what it resembles."""

from __future__ import annotations

import pytest

import pellucid
from pellucid.testing.real_data import real_data

pytestmark = [pytest.mark.reproduction, pytest.mark.nightly, pytest.mark.xdist_group("ecg-superclass")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study = pellucid.study("ecg-superclass")
    return study.run(tmp_path_factory.mktemp("run") / "ecg-superclass", real_data("ecg", "ptbxl-subset"))


@pytest.fixture(scope="module")
def areas(run):
    """Area under the curve of each part on recordings that none has learnt from: one draw, seed 0."""
    return {
        part: run.results.get("prediction", "auroc", part).value for part in ("protoecgnet", "resnet1d", "xresnet1d")
    }


def test_prototypes_judge_new_recordings_about_as_well_as_the_networks_that_cannot_be_read(areas):
    # 288 recordings are judged, so a difference of two parts has a standard error of about 0.007.
    assert areas["protoecgnet"] >= 0.90
    assert areas["protoecgnet"] >= max(areas["resnet1d"], areas["xresnet1d"]) - 0.015


def test_the_networks_to_compare_with_are_no_straw_men(areas):
    assert areas["resnet1d"] > 0.90
    assert areas["xresnet1d"] > 0.90


def test_a_decision_rests_on_few_prototypes(run):
    assert run.results.get("prototype-audit", "prototypes_per_decision", "protoecgnet").value < 20
