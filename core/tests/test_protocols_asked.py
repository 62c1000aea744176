"""What is asked of every assessment before anything is fitted, whatever it measures."""

from __future__ import annotations

import pytest

from pellucid import plugins
from pellucid.assembly import build_protocols, check_fit, context_of
from pellucid.errors import StudyError
from pellucid.protocols.base import Assessment
from pellucid.studies import Study
from pellucid.testing.folds import TARGET
from pellucid.testing.planted import planted

DATA = planted(("vector",), samples=40, subjects=20)


def checked(*protocols: str, **more: object) -> None:
    study = Study.from_mapping(
        {
            "title": "asked",
            "dataset": "planted",
            "target": TARGET,
            "encoder": [{"input": "vector", "name": "identity"}],
            "head": [{"name": "linear"}],
            "protocols": ["subject-holdout", *protocols],
            **more,
        }
    )
    check_fit(study, DATA.spec, build_protocols(study)[1], context_of(study, DATA.spec), DATA.labelled(TARGET))


def test_several_processes_are_refused_by_those_that_fit_models_alone(monkeypatch):
    checked("noise-control")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        StudyError, match="'noise-control' fits models of its own, which 2 processes cannot do together"
    ):
        checked("noise-control")
    checked("explanation-audit")


def test_whoever_fits_models_looks_at_training_samples_too():
    made = [plugins.load("protocol", name) for name in plugins.components("protocol")]
    fitting = {one.name for one in made if issubclass(one, Assessment) and one.fits_models}
    assert fitting >= {
        "place-truth",
        "masked-links",
        "dictionary-stability",
        "noise-control",
        "missingness",
        "modality-importance",
    }
    assert all(one.needs_training for one in made if issubclass(one, Assessment) and one.fits_models)
