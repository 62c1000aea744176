"""A study of reading EEG from files to report, and an evaluation on other sentences of the same readers."""

import json
import shutil

import numpy as np
import pytest

import pellucid
from pellucid.errors import LeakageError, RunError, StudyError
from pellucid.evaluation import evaluate
from pellucid_eeg.zuco.example import write_results

LABEL = "unseen sentences, seen subjects"


def written(folder, first, count=9):
    """Two readers of the same sentences."""
    folder.mkdir()
    chance = np.random.default_rng(first)
    for person in ("ZAA", "ZBB"):
        # The words by which zero-shot calls a corpus must stand in sentences: this text model knows no others.
        for task, corpus in (("SR", "movie"), ("NR", "life")):
            readings = []
            for at in range(first, first + count):
                signals = np.zeros((105, int(chance.integers(260, 400))))
                signals[:-1] = chance.normal(0, 10, (104, signals.shape[1]))
                readings.append((f"The {corpus} sentence number {at} is here.", signals))
            write_results(folder / f"results{person}_{task}.mat", readings)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("eeg-text")
    study = pellucid.study("eeg-text").settings() | {
        "dataset": "zuco",
        "protocols": ["subject-holdout", "retrieval", "zero-shot", "generated-text"],
        "options": {
            "zuco": {"cache": False},
            "subject-holdout": {"apart": ["sentence"], "test": 0.3},
            "retrieval": {"block": 4, "ranks": [1]},
        },
    }
    study["encoder"][0] |= {"width": 8, "heads": 2, "blocks": 1, "merging_blocks": 1, "queries": 2, "query_width": 8}
    study["head"][0] |= {"attention_heads": 2, "text": {"kind": "t5", "width": 8, "heads": 2, "length": 10, "beams": 1}}
    study["training"] |= {"epochs": 1, "batch_size": 4}
    done = pellucid.study(study).run(place / "run", written(place / "data", 0))
    return done, place


def test_every_result_and_the_report_say_that_subjects_are_seen(run):
    done, _ = run
    assert done.finished
    found = {(r.protocol, r.metric) for r in done.results}
    assert {("retrieval", "rank1_of_4"), ("zero-shot", "top1:corpus"), ("generated-text", "bleu1")} <= found
    assert {r.judged_on for r in done.results} == {LABEL}
    assert all(LABEL in r.sentence for r in done.results if r.sentence)
    page = done.report.read_text("utf-8")
    assert f"All scores are of {LABEL}. Nothing is said about other subjects." in page
    assert "Which text belongs to a sample?" in page
    assert "aligned with text" in page
    document = json.loads((done.path / "run.json").read_text("utf-8"))
    sides = document["subjects"]["0"]
    assert set(sides["train"]) == {"sentence"}
    assert not set(sides["train"]["sentence"]) & set(sides["test"]["sentence"])


def test_an_evaluation_on_other_sentences_says_it_too_and_known_sentences_are_refused(run):
    done, place = run
    results = evaluate(done.path, written(place / "other", 100))
    assert len(results) > 0
    assert {r.judged_on for r in results} == {LABEL}
    with pytest.raises(LeakageError, match="sentences"):
        evaluate(done.path, place / "data")


def test_a_run_that_was_cut_off_is_told_how_it_goes_on(run, tmp_path):
    done, place = run
    cut = shutil.copytree(done.path, tmp_path / "cut")
    document = json.loads((cut / "run.json").read_text("utf-8")) | {"state": "running"}
    (cut / "run.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(RunError, match=r"is not finished: .*continues it, with the same --data"):
        evaluate(cut, place / "data")


def test_a_loaded_model_says_how_much_each_soft_token_adds(run):
    done, place = run
    model = pellucid.load(done.path)
    data = pellucid.dataset("zuco", place / "data", cache=False)
    explanation = model.explain(data.subset([0, 1]))
    assert explanation.names == ("soft token 1", "soft token 2")
    assert explanation.gap.abs().max() < 1e-4
    assert len(model.head.write(model.representation(data.subset([0])))) == 1


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"distinct": ""}, 'sentence that another has too: write .training. distinct = "text:sentence"'),
        ({"distinct": "sentence", "batch_size": 9}, "8 different values in this column; lower batch_size"),
        ({"distinct": "subject", "batch_size": 3}, "2 different values in this column; lower batch_size"),
        ({"distinct": "", "batch_size": 1}, "batch_size must be at least 2"),
    ],
)
def test_batches_that_no_sentence_can_be_told_apart_in_are_refused_before_anything_is_written(tmp_path, training, told):
    changes = {f"training.{key}": value for key, value in training.items()}
    changes |= {f"options.zuco-synthetic.{key}": value for key, value in {"sentences": 8, "subjects": 2}.items()}
    with pytest.raises(StudyError, match=told):
        pellucid.study("eeg-text").with_settings(changes).run(tmp_path / "run")
    assert not (tmp_path / "run").exists()
