"""What is asked of every assessment before anything is fitted, whatever it measures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pellucid import plugins
from pellucid.assembly import build_protocols, check_fit, context_of
from pellucid.data.inputs import Graph
from pellucid.errors import StudyError
from pellucid.heads.aligned import AlignedText
from pellucid.protocols.base import Assessment, Context
from pellucid.protocols.texts.generated import GeneratedText
from pellucid.protocols.texts.retrieval import Retrieval
from pellucid.studies import Study
from pellucid.testing.folds import TARGET
from pellucid.testing.planted import planted

DATA = planted(("vector",), samples=40, subjects=20)


def checked(*protocols: str, data=DATA, **more: object) -> None:
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
    check_fit(study, data.spec, build_protocols(study)[1], context_of(study, data.spec), data.labelled(TARGET))


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


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("retrieval", "none of its heads is aligned with a text"),
        ("generated-text", "none of its heads is aligned with a text"),
        ("dictionary-metrics", "no head of this study is a dictionary"),
    ],
)
def test_a_protocol_says_which_heads_it_is_about_and_is_refused_without_one(protocol, said):
    with pytest.raises(StudyError, match=f"'{protocol}' does not fit this study: {said}"):
        checked(protocol)


def test_a_study_without_a_target_has_nothing_for_those_about_one():
    alone = {"target": "", "head": [{"name": "sae-topk", "features": 8, "k": 2}]}
    checked("dictionary-metrics", **alone)
    with pytest.raises(
        StudyError, match="'explanation-audit' does not fit this study: none of its heads predicts a target"
    ):
        checked("explanation-audit", **alone)


def test_texts_are_not_judged_on_noise_where_nobody_can_say_what_that_is():
    graph = Graph(node_features=("charge",))
    spec = DATA.spec.model_copy(update={"inputs": {**DATA.spec.inputs, "atoms": graph}})
    context = Context(spec, "", {"aligned": AlignedText.tags}, "", 0, {}, ("vector", "atoms"))
    for protocol in (Retrieval(), GeneratedText()):
        assert "nobody can say what noise is in the place of 'atoms' (graph)" in protocol.unfit(context)
        # What lies beside and is not read does not matter; of whom nobody said what they read, everything may be.
        assert protocol.unfit(replace(context, reads=("vector",))) == ""
        assert protocol.unfit(replace(context, reads=None))
