"""What the runner wants to know of protocols and datasets it asks them: none is known to it by name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pellucid import plugins
from pellucid.assembly import build_protocols
from pellucid.errors import StudyError
from pellucid.part import Config
from pellucid.protocols.base import FINAL_VALIDATION, Assessment, Protocol, Splitting
from pellucid.protocols.dictionaries.features import DictionaryFeatures
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv, NestedSubjectCvConfig
from pellucid.running import folds
from pellucid.studies import Study
from pellucid.testing.folds import dictionary_fold


class Neither(Protocol):
    """Does nothing."""


class ApartOfItsOwn(Assessment):
    """Has an option of the same name that means another thing."""

    class Settings(Config):
        apart: tuple[str, ...] = ()

    config_type = Settings
    name = "other"

    def examine(self, fold):
        raise NotImplementedError

    def conclude(self, rows, context):
        raise NotImplementedError


@pytest.fixture
def registered(monkeypatch):
    load, own = plugins.load, {"neither": Neither, "other": ApartOfItsOwn}
    monkeypatch.setattr(plugins, "load", lambda kind, name: own.get(name) or load(kind, name))


def study(*protocols, **options):
    return Study.from_mapping(
        {
            "title": "t", "dataset": "planted", "encoder": [{"input": "vector", "name": "identity"}],
            "head": [{"name": "sae-topk"}], "protocols": list(protocols), "options": options,
        }
    )  # fmt: skip


def test_a_protocol_that_does_neither_is_refused(registered):
    with pytest.raises(StudyError, match=r"'neither' .*neither splits nor assesses"):
        build_protocols(study("subject-holdout", "neither"))


def test_only_who_splits_says_who_is_kept_apart(registered):
    said = {"other": {"apart": ["sentence"]}, "nested-subject-cv": {"apart": ["subject"]}}
    assert study("other", "nested-subject-cv", **said).apart == ("subject",)
    assert study("other", "nested-subject-cv", other=said["other"]).apart == ()


def test_the_share_to_stop_by_is_that_of_who_splits():
    class Silent(Splitting):
        def splits(self, dataset, target, seed):
            raise NotImplementedError

    assert NestedSubjectCv(NestedSubjectCvConfig(validation=0.1)).validation == 0.1
    assert Silent().validation == FINAL_VALIDATION
    assert Silent().apart == ()


def test_cards_are_of_the_features_that_an_assessment_decides_on():
    fold, context = dictionary_fold()
    mine = (({"feature": 7},), {}, "mine")

    class Own(DictionaryFeatures):
        def gathered(self, fold, context):
            return mine

    def gathered(**assessments):
        return folds._gathered(SimpleNamespace(assessments=assessments, context=context), fold)

    assert gathered(first=ApartOfItsOwn(), second=Own()) == mine
    by_default = gathered()
    assert by_default[0]
    assert [one["feature"] for one in by_default[0]] == [one["feature"] for one in gathered(it=DictionaryFeatures())[0]]
