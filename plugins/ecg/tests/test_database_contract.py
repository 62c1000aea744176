"""The databases keep what every dataset keeps, each tried on real recordings; and the study of beats fits its data."""

from __future__ import annotations

import inspect

import pytest

from pellucid import opening, plugins, studies
from pellucid.opening import dataset as open_dataset
from pellucid.testing import datasets as checks
from pellucid.testing.real_data import real_data

REAL = {
    "ptb-xl": ("ptbxl-subset", {}),
    "mit-bih": ("mitbih-subset", {}),
    "cinc": ("cinc2021-sample", {"minimum": 3}),
}
CHECKS = [check for name, check in inspect.getmembers(checks, inspect.isfunction) if name.startswith("dataset_")]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=sorted(REAL))
def real(request):
    folder, options = REAL[request.param]
    path = real_data("ecg", folder)
    return request.param, lambda: open_dataset(request.param, path, **options)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_database_keeps_its_contract(real, check, monkeypatch):
    name, opened = real
    first = opened()
    monkeypatch.setattr(checks, "opened", lambda component: first)
    monkeypatch.setattr(opening, "dataset", lambda *names, **options: opened())
    check(plugins.find("dataset", name))


def test_the_study_of_beats_fits_its_data():
    from pellucid.assembly import build_protocols, check_fit, context_of

    study = studies.study("ecg-beats")
    data = study.open_dataset(real_data("ecg", "mitbih-subset")).labelled(study.target)
    splitting, assessments = build_protocols(study)
    context = context_of(study, data.spec)
    check_fit(study, data.spec, assessments, context)
    splits = list(splitting.splits(data, study.target, 0))
    held_out = [set(data.frame["recording"].iloc[split.test]) for split in splits]
    assert sorted(map(len, held_out)) == [1] * 5
    assert set.union(*held_out) == {"100", "106", "114", "116", "200"}
