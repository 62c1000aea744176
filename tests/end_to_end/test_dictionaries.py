"""From a finished run to a study of dictionaries: sides, whom nothing may be judged on, and another model's activations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import pellucid
from pellucid.activations import of_run
from pellucid.activations.collecting import collect
from pellucid.activations.dataset import ActivationsConfig, ActivationsFolder
from pellucid.activations.of_run import collect_run, layers_of
from pellucid.batch import collate
from pellucid.data.dataset import Dataset
from pellucid.data.subjects import LearnedFrom
from pellucid.data.subset import Subset
from pellucid.edits import Remove, applied
from pellucid.errors import ContractError, DataError, LeakageError, RunError, StudyError
from pellucid.fingerprint import layer_fingerprint
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.heads.dictionaries.fitting import usual_settings
from pellucid.model import Model
from pellucid.run import Run
from pellucid.studies import Study
from pellucid.training.loop import Watcher

SETTINGS = {
    "name": "small",
    "title": "Can planted lesions be told apart?",
    "dataset": "planted-lesions",
    "target": "spiculated",
    "encoder": [{"name": "identity", "input": "covariates"}],
    "head": [{"name": "mlp"}],
    "protocols": ["subject-holdout"],
    "options": {"planted-lesions": {"patients": 24, "slices": 2, "size": 16}},
    "training": {"epochs": 1},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return pellucid.study(SETTINGS).run(tmp_path_factory.mktemp("runs") / "small", watcher=Watcher())


@pytest.fixture(scope="module")
def layers(run: Run) -> list[str]:
    """Two layers of the same width."""
    found: dict[tuple[int, ...], list[str]] = {}
    for name, _, shape in layers_of(run.path):
        found.setdefault(shape, []).append(name)
    return next(some for shape, some in found.items() if len(some) > 1 and shape[0] > 1)[:2]


def opened(folder: Path) -> ActivationsFolder:
    return ActivationsFolder(ActivationsConfig(), folder)


PROTOCOLS = ("subject-holdout", "dictionary-metrics", "dictionary-features")


def dictionaries(
    folder: Path, heads: Sequence[dict[str, Any]] = (), protocols: tuple[str, ...] = PROTOCOLS, **options: Any
):
    return pellucid.study(
        {
            "name": "dictionaries",
            "title": "What does it know?",
            "dataset": "activations",
            "data": str(folder),
            "encoder": [{"name": "identity", "input": "activations"}],
            "head": list(heads) or [{"name": "sae-topk", "features": 6, "k": 2}],
            "protocols": list(protocols),
            "options": options,
            "training": {"epochs": 1},
        }
    )


def test_nobody_whom_the_model_has_learnt_from_stands_on_the_test_side(run, layers, tmp_path):
    for fold, whom in ((0, "in its fold"), (None, "all of them")):
        collect_run(run.path, layers[0], tmp_path / whom, fold=fold)
        data = opened(tmp_path / whom)
        test = data.samples[data.samples["side"].astype(str) == "test"]
        groups = {column: test[column].to_numpy(object) for column in data.spec.groups}
        assert not data.made_by.knows(groups, data.spec.namespace).any()
        assert (len(test) == 0) == (fold is None)


class Elsewhere(Subset):
    """Samples of which some are of strangers, whose covariates are like nobody's in the run."""

    def __init__(self, source: Dataset, strangers: np.ndarray) -> None:
        super().__init__(source, np.arange(len(source)))
        self.strangers = strangers

    @cached_property
    def frame(self) -> pd.DataFrame:
        frame = self.source.frame.copy()
        at = frame.index[self.strangers]
        for column in self.spec.groups:
            frame.loc[at, column] = "stranger " + frame.loc[at, column].astype(str)
        names = list(self.spec.covariates.names)
        frame[names] = frame[names].astype(float)
        frame.loc[at, names] += 1e6
        return frame


@pytest.mark.parametrize("strangers", ["some", "all"])
def test_an_untrained_copy_takes_no_statistics_from_the_test_side(run, layers, tmp_path, monkeypatch, strangers):
    own, made = run.study.open_dataset, of_run.untrained_copy
    there, copies = own(), []
    subjects = there.frame[there.spec.groups[0]].astype(str).to_numpy()
    others = np.isin(subjects, np.unique(subjects)[::2]) if strangers == "some" else np.ones(len(subjects), bool)
    monkeypatch.setattr(of_run, "untrained_copy", lambda *told: copies.append(made(*told)) or copies[-1])
    monkeypatch.setattr(
        Study, "open_dataset", lambda self, data=None, learnt=None: Elsewhere(own(), others) if data else own()
    )
    collect_run(run.path, layers[0], tmp_path / "acts", fold=None, data="elsewhere", untrained=True)
    assert set(opened(tmp_path / "acts").samples["side"]) == ({"train", "test"} if strangers == "some" else {"test"})
    # Of the known people among them; where all are strangers, of the people whom the model has learnt from.
    known = there.frame[list(there.spec.covariates.names)].to_numpy()[~others if strangers == "some" else slice(None)]
    (copy,) = copies
    np.testing.assert_allclose(copy.encoders["covariates"].mean.numpy(), known.mean(0), rtol=1e-4)


def test_an_untrained_copy_of_a_layer_in_the_head_has_learnt_nothing_either(run, layers, tmp_path):
    """These layers are the head's: were only encoders new, both inputs would say the same."""
    assert all(layer.startswith("head.") for layer in layers)
    collect_run(run.path, layers[0], tmp_path / "acts", untrained=True)
    rows = opened(tmp_path / "acts")
    both = rows.read(np.arange(len(rows))).inputs
    assert np.abs(both["activations"] - both["untrained"]).max() > 0.1
    model, source = pellucid.load(run.path, fold=0), run.study.open_dataset()
    train = source.subset(np.flatnonzero(rows.samples["side"].astype(str) == "train"))
    one, other = (of_run.untrained_copy(model, train, seed, "spiculated") for seed in (0, 1))
    weights = [dict(each.head.named_parameters()) for each in (model, one, other)]
    for name in weights[0]:
        if weights[0][name].ndim > 1:
            assert len({float(each[name].detach().sum()) for each in weights}) == 3
    batch = collate(source, np.arange(4))
    assert torch.isfinite(one(batch)).all()


def test_heads_on_the_same_encoders_say_other_things_inside_and_the_same_below(tmp_path):
    two = [{"name": "mlp", "label": name} for name in ("one", "other")]
    encoder = [{"name": "cnn", "input": "image"}]
    done = pellucid.study({**SETTINGS, "encoder": encoder, "head": two, "training": {"epochs": 1}}).run(
        tmp_path / "run", watcher=Watcher()
    )
    models = [pellucid.load(done.path, head=name, fold=0) for name in ("one", "other")]
    frozen = Model(dict(models[0].named_encoders()), models[1].head).eval()
    names = [name for name, *_ in layers_of(done.path, "one")]
    below = next(name for name in names if name.startswith("encoders."))
    inside = next(name for name in names if name.startswith("head."))
    assert layer_fingerprint(models[0], below) == layer_fingerprint(frozen, below)
    assert layer_fingerprint(models[0], inside) != layer_fingerprint(frozen, inside)
    collect_run(done.path, inside, tmp_path / "acts", head="one")
    said = json.loads((tmp_path / "acts" / "activations.json").read_text())["model"]
    assert said["fingerprint"] == layer_fingerprint(models[0], inside)
    collect_run(done.path, below, tmp_path / "below", head="one")
    below_said = json.loads((tmp_path / "below" / "activations.json").read_text())["model"]
    assert below_said["whole"] == said["whole"] != below_said["fingerprint"]


def test_an_untrained_copy_is_refused_where_nobody_on_the_training_side_is_left(run, layers, tmp_path, monkeypatch):
    own = run.study.open_dataset
    monkeypatch.setattr(
        Study, "open_dataset", lambda self, data=None, learnt=None: Elsewhere(own(), np.ones(len(own()), bool))
    )
    collect_run(run.path, layers[0], tmp_path / "acts", fold=None, data="elsewhere")
    with pytest.raises(RunError, match=r"no longer what they were.*collect without --untrained"):
        collect_run(run.path, layers[0], tmp_path / "refused", fold=None, data="elsewhere", untrained=True)
    assert not (tmp_path / "refused").exists()


def test_a_split_that_deals_known_people_to_the_test_side_is_refused_before_anything_is_fitted(run, layers, tmp_path):
    collect_run(run.path, layers[0], tmp_path / "acts")
    with pytest.raises(LeakageError, match='column = "side"'):
        dictionaries(tmp_path / "acts").run(tmp_path / "run", watcher=Watcher())
    assert not (tmp_path / "run").exists()


def test_a_dictionary_is_not_judged_on_what_another_layer_says(run, layers, tmp_path, monkeypatch):
    for name, layer in zip(("one", "other"), layers, strict=True):
        collect_run(run.path, layer, tmp_path / name)
    done = dictionaries(tmp_path / "one", **{"subject-holdout": {"column": "side"}}).run(
        tmp_path / "run", watcher=Watcher()
    )
    assert opened(tmp_path / "one").spec.inputs == opened(tmp_path / "other").spec.inputs
    with pytest.raises(RunError, match=f"holds what layer {layers[1]} .* learnt from layer {layers[0]} "):
        pellucid.evaluate(done.path, tmp_path / "other")
    with pytest.raises(LeakageError):
        pellucid.evaluate(done.path, tmp_path / "one")
    # Were it of strangers, the same layer would do.
    monkeypatch.setattr(LearnedFrom, "shared_with", lambda self, other: {})
    assert len(pellucid.evaluate(done.path, tmp_path / "one"))


def test_rows_and_edits_of_another_layer_or_model_are_refused_though_they_are_as_wide(run, layers, tmp_path):
    for name, layer, fold in (("one", layers[0], 0), ("layer", layers[1], 0), ("model", layers[0], None)):
        collect_run(run.path, layer, tmp_path / name, fold=fold)
    study = dictionaries(tmp_path / "one", **{"subject-holdout": {"column": "side"}})
    model = pellucid.load(study.run(tmp_path / "run", watcher=Watcher()).path)
    own = opened(tmp_path / "one")
    assert len(model.codes(own)) == len(own)
    for name in ("layer", "model"):
        other = opened(tmp_path / name)
        for ask in (model.codes, model.explain, model.representation):
            with pytest.raises(DataError, match=f"holds what {other.origin} says, but .* learnt from {own.origin}"):
                ask(other)
            with pytest.raises(DataError, match="holds what"):
                ask(other.subset(np.arange(3)))
        # Rows that nobody says anything of are whoever's asked.
        assert len(model.codes([other[0], other[1]])) == 2
    batch = collate(run.study.open_dataset(), np.arange(4))
    edit = Remove(model.head, [0])
    edited = pellucid.load(run.path, fold=0)
    with torch.no_grad(), applied(edited, layers[0], edit):
        edited(batch)
    for which, layer in ((edited, layers[1]), (pellucid.load(run.path), layers[0])):
        with pytest.raises(ContractError, match=f"learnt from {own.origin}, but it would be applied to layer {layer} "):
            applied(which, layer, edit).__enter__()


def test_a_dictionary_that_was_fitted_to_a_dataset_knows_what_made_it(run, layers, tmp_path):
    model, data = pellucid.load(run.path, fold=0), run.study.open_dataset()
    one, other = (collect(model, layer, data) for layer in layers)
    head = TopK(TopKConfig(units=one.spec.inputs["activations"].names, features=6, k=2)).fit(one, usual_settings(10**9))
    assert head.origin == one.origin != other.origin
    assert head.fit(one.read(np.arange(len(one))).inputs["activations"], usual_settings(10**9)).origin == ""


def test_a_run_of_which_one_dictionary_diverges_is_not_finished_and_goes_on_without_the_others(
    run, layers, tmp_path, monkeypatch
):
    collect_run(run.path, layers[0], tmp_path / "acts")
    heads = [{"name": "sae-topk", "label": label, "features": n, "k": 2} for label, n in (("small", 5), ("large", 6))]
    study = dictionaries(tmp_path / "acts", heads, **{"subject-holdout": {"column": "side"}})
    plain, trained = TopK.loss, []

    def loss(self, z, batch):
        trained.append(self.config.features)
        return plain(self, z, batch) * (float("nan") if self.config.features == 5 and bad else 1.0)

    monkeypatch.setattr(TopK, "loss", loss)
    bad = True
    with pytest.raises(DataError, match=r"^'small' did not learn, .* in epoch 1; .*'large' learnt beside to the end"):
        study.run(tmp_path / "run", watcher=Watcher())
    assert not Run(tmp_path / "run").finished
    assert set(trained) == {5, 6}
    bad, before = False, trained.count(6)
    assert study.run(tmp_path / "run", watcher=Watcher()).finished
    # Of the fold's dictionaries the one is trained anew, of everybody's both: there are as many rows there.
    assert trained.count(6) - before < trained.count(5) - before


def test_cards_are_of_the_features_that_the_study_counts(run, layers, tmp_path):
    collect_run(run.path, layers[0], tmp_path / "acts")
    options = {"subject-holdout": {"column": "side"}, "dictionary-features": {"false_discoveries": 0.999}}
    done = dictionaries(tmp_path / "acts", **options).run(tmp_path / "run", watcher=Watcher())
    count = done.results.get("dictionary-features", "associated_features", "sae-topk").value
    shown = json.loads((done.path / "gallery.json").read_text())["features"]
    assert count
    assert {one["associated"] for one in shown} == {count}


def test_a_study_asks_what_labels_say_of_features(run, layers, tmp_path):
    collect_run(run.path, layers[0], tmp_path / "acts")
    options = {
        "subject-holdout": {"column": "side"},
        "sparse-probing": {"labels": ["spiculated"], "ks": [1, 2], "least": 2},
        "tpp": {"ns": [1], "steps": 50, "least": 2},
    }
    protocols = ("subject-holdout", "sparse-probing", "tpp")
    done = dictionaries(tmp_path / "acts", protocols=protocols, **options).run(tmp_path / "run", watcher=Watcher())
    found = {(r.protocol, r.metric): r for r in done.results}
    test = opened(tmp_path / "acts").samples
    people = test[test["side"].astype(str) == "test"]["subject"].nunique()
    for metric in ("accuracy_k1", "auroc_k1", "accuracy_k2", "auroc_k2"):
        assert 0 <= found["sparse-probing", metric].value <= 1
        assert found["sparse-probing", metric].n_subjects == people
    # These data have one label: said in the report, and no reason to lose the rest of the run.
    (lacking,) = done.not_measured
    assert (lacking.protocol, lacking.because) == ("tpp", "it takes two labels with samples enough, there is one")
    page = (done.path / "report.html").read_text()
    for said in (
        found["sparse-probing", "auroc_k1"].sentence,
        "It takes two labels with samples enough, there is one.",
    ):
        assert said in page
    with pytest.raises(StudyError, match="no yes-or-no label 'spicullated'; did you mean 'spiculated'"):
        dictionaries(tmp_path / "acts", protocols=protocols, **{**options, "tpp": {"labels": ["spicullated"]}}).run(
            tmp_path / "other", watcher=Watcher()
        )
    assert not (tmp_path / "other").exists()


def test_a_dictionary_of_an_encoder_that_learns_nothing_by_itself_is_refused_before_anything_is_written(tmp_path):
    encoder = {"name": "cnn", "input": "image"}
    head = {"name": "sae-topk", "features": 6, "k": 2}
    study = pellucid.study({**SETTINGS, "encoder": [encoder], "head": [{"name": "linear"}, head]})
    with pytest.raises(StudyError, match="not worth a dictionary"):
        study.run(tmp_path / "run", watcher=Watcher())
    assert not (tmp_path / "run").exists()
