"""Runs on recordings of some electrodes, evaluated on files of others: who was where, what was made up, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import mne
import numpy as np
import pytest
from typer.testing import CliRunner
from written_trees import NAMES as FIVE
from written_trees import tuab_tree, written

import pellucid
from pellucid.command.commands import app
from pellucid.errors import DataError
from pellucid.evaluation import assess
from pellucid_eeg.databases.tuh import Tuh, TuhConfig
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.preparing.splines import spline_weights
from pellucid_eeg.recordings.electrodes import TEN_TWENTY, positions
from pellucid_eeg.recordings.objects import recording_of

RATE = 64
MORE = ("Fpz", "AFz", "FC1", "FC2", "FCz", "CP1", "CP2", "CPz", "POz", "Oz", "C1", "C2", "P1", "P2", "F1", "F2")
MANY = (*TEN_TWENTY, *MORE)
FEWER = tuple(name for name in TEN_TWENTY if name not in ("Cz", "T7"))
OLD = {"T7": "EEG T3-REF", "T8": "EEG T4-REF", "P7": "EEG T5-REF", "P8": "EEG T6-REF", "Cz": "EEG CZ-REF"}
CLASSES = {"rest": "rest", "tapping": "tapping"}
EVENTS = [(float(at), 4.0, ("rest", "tapping")[at // 4 % 2]) for at in range(0, 32, 4)]
PLACES = dict(zip(MANY, positions(MANY), strict=True))


def scalp(names, seed, rate=RATE, seconds=32.0):
    """A source below Cz that swings at 10 Hz during tapping, seen from each electrode by how near it is; others swing always."""
    rng, times = np.random.default_rng(seed), np.arange(round(seconds * rate)) / rate
    at = np.stack([PLACES[name] for name in names])
    # The same waves whatever the rate and the electrodes: eight sources somewhere on the head.
    hz, phase = rng.uniform(3, 20, (8, 1)), rng.uniform(0, 6, (8, 1))
    sources = rng.normal(0, 1, (8, 3))
    sources /= np.linalg.norm(sources, axis=1, keepdims=True)
    signals = np.exp(-4 * (1 - at @ sources.T)) @ (12 * np.sin(2 * np.pi * hz * times + phase))
    tapping = (times // 4 % 2 == 1) * 30 * np.sin(2 * np.pi * 10 * times + rng.uniform(0, 6))
    return signals + np.exp(-6 * (1 - at @ PLACES["Cz"]))[:, None] * tapping


def folder(root: Path, names, people, rate=RATE, called=lambda name: name) -> Path:
    for person in people:
        written(
            root / f"p{person}.edf",
            scalp(names, person, rate),
            names=[called(one) for one in names],
            rate=rate,
            events=EVENTS,
        )
    return root


def tree(root: Path, names, people, rate=RATE) -> Path:
    """The same as a BIDS tree."""
    root.mkdir(parents=True)
    for person in people:
        stem = root / f"sub-{person:02d}" / "eeg" / f"sub-{person:02d}_task-tap"
        written(Path(f"{stem}_eeg.edf"), scalp(names, person, rate), names=names, rate=rate)
        rows = ["onset\tduration\ttrial_type", *(f"{at:g}\t{lasts:g}\t{word}" for at, lasts, word in EVENTS)]
        Path(f"{stem}_events.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    return root


def study(dataset, absent, **preparation):
    return pellucid.study(
        {
            "title": "montages", "dataset": dataset, "target": "label", "protocols": ["subject-holdout"],
            "options": {
                dataset: {"classes": CLASSES, "window_s": 2.0, "preparation": {"absent": absent, **preparation}}
            },
            "encoder": [{"input": "eeg", "name": "band-power"}],
            "head": [{"name": "linear"}],
            "training": {"epochs": 30, "seed": 0, "learning_rate": 0.02},
        }
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=["interpolated", "masked"])
def small(request, tmp_path_factory):
    """A run on the nineteen of the 10-20 system that names no electrodes."""
    root = tmp_path_factory.mktemp("small")
    return request.param, study("eeg-folder", request.param).run(
        root / "run", folder(root / "data", TEN_TWENTY, range(6))
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A run on thirty-five electrodes of a BIDS tree."""
    root = tmp_path_factory.mktemp("large")
    return study("bids-eeg", "interpolated", rate_hz=64.0).run(root / "run", tree(root / "data", MANY, range(6)))


def auroc(found):
    frame = found.results.frame()
    return float(frame[(frame["metric"] == "auroc") & (frame["part"] == "linear")]["value"].iloc[0])


def said(found):
    return {(one.what, one.where, one.done) for one in found.findings}


def test_a_run_of_few_electrodes_reads_files_of_many_in_another_order_at_another_rate(small, tmp_path):
    _, run = small
    assert run.learnt.inputs["eeg"].channels == TEN_TWENTY
    order = [MANY[at] for at in np.random.default_rng(0).permutation(len(MANY))]
    same = assess(run.path, folder(tmp_path / "same", TEN_TWENTY, range(10, 14)))
    other = assess(run.path, folder(tmp_path / "other", order, range(10, 14), 128, lambda one: OLD.get(one, one)))
    assert said(same) == set()
    assert auroc(same) > 0.9
    assert abs(auroc(other) - auroc(same)) < 0.02
    assert {what for what, _, _ in said(other)} == {
        "has electrodes that the models do not read (16)", "has another rate"
    }  # fmt: skip
    assert ("has another rate", "128 Hz", "resampled to 64 Hz") in said(other)
    assert len(other.findings) == 2 * 4


def test_the_order_of_a_files_channels_changes_nothing(small, tmp_path):
    _, run = small
    order = [TEN_TWENTY[at] for at in np.random.default_rng(2).permutation(19)]
    one, two = (
        run.study.open_dataset(folder(tmp_path / name, names, range(10, 12)), run.learnt)
        for name, names in (("one", TEN_TWENTY), ("two", order))
    )
    at = np.arange(len(one))
    np.testing.assert_array_equal(one.read(at).inputs["eeg"], two.read(at).inputs["eeg"])
    assert one.spec == two.spec


def test_electrodes_that_are_absent_are_made_up_and_said_of_each_recording(small, tmp_path):
    absent, run = small
    found = assess(run.path, folder(tmp_path / "fewer", FEWER, range(10, 14)))
    done = {"interpolated": "interpolated from 17", "masked": "masked"}[absent]
    assert said(found) == {("lacks electrodes that the models read (2 of 19)", "T7, Cz", done)}
    assert len({one.sample for one in found.findings}) == 4
    # The source is below Cz: its neighbours still tell.
    assert auroc(found) > 0.85


def test_neighbours_that_a_model_does_not_read_count_but_cannot_be_all_where_others_are_masked(small, tmp_path):
    absent, run = small
    # Seven of nineteen are there; the others have neighbours that the model does not read.
    names = ("Fp1", "Fp2", "F7", "F8", "T7", "T8", "O1", *MORE)
    data = run.study.open_dataset(folder(tmp_path / "near", names, [10]), run.learnt)
    (what,) = {one.what for one in data.findings if one.what.startswith("lacks")}
    assert what == "lacks electrodes that the models read (12 of 19)"
    alone = folder(tmp_path / "alone", MORE, [10])
    if absent == "masked":
        with pytest.raises(DataError, match="none of the 19 electrodes that are asked for is there"):
            run.study.open_dataset(alone, run.learnt)
    else:
        made = run.study.open_dataset(alone, run.learnt)
        assert "interpolated from 16" in {one.done for one in made.findings}


def test_a_tree_of_few_electrodes_is_read_by_a_run_of_many(large, tmp_path):
    out = tmp_path / "found.json"
    other = tree(tmp_path / "other", TEN_TWENTY, range(10, 14), rate=128)
    told = CliRunner().invoke(app, ["evaluate", str(large.path), "--data", str(other), "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert "Lacks electrodes that the models read (16 of 35)" in told.output
    assert "interpolated from 19" in told.output
    assert "resampled to 64 Hz" in told.output
    (value,) = [
        one["value"]
        for one in json.loads(out.read_text())["results"]
        if one["metric"] == "auroc" and one["part"] == "linear"
    ]
    assert value > 0.85


def test_too_few_electrodes_are_refused_or_left_out(large, tmp_path):
    few = tree(tmp_path / "few", ("F3", "F4", "O1"), range(10, 12))
    with pytest.raises(DataError, match=r"only \d+% of the 35 electrodes .* of 3 good ones; 60% are the least"):
        assess(large.path, few)
    tree(tmp_path / "both", TEN_TWENTY, range(12, 14))
    for person in ("sub-10", "sub-11"):
        (few / person).rename(tmp_path / "both" / person)
    found = assess(large.path, tmp_path / "both", skip_broken=True)
    assert len([one for one in found.findings if one.done == "left out"]) == 2


def test_what_a_study_refuses_is_refused(tmp_path):
    run = study("eeg-folder", "refused").run(tmp_path / "run", folder(tmp_path / "data", TEN_TWENTY, range(3)))
    with pytest.raises(DataError, match=r"has no electrode T7, Cz; .* absent = "):
        assess(run.path, folder(tmp_path / "fewer", FEWER, range(10, 12)))
    found = assess(run.path, folder(tmp_path / "many", MANY, range(10, 12)))
    assert {done for _, _, done in said(found)} == {"not read"}
    with pytest.raises(DataError, match="has no electrode T7, Cz"):
        pellucid.load(run.path).predict(given(FEWER, 10))


def given(names, seed, rate=RATE):
    return recording_of(scalp(names, seed, rate), rate_hz=rate, channels=names, units="uV")


def test_what_is_made_up_is_what_splines_say_and_stores_are_not_mixed(small, tmp_path, monkeypatch):
    absent, run = small
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    data = folder(tmp_path / "fewer", FEWER, [10])
    plain = run.study.open_dataset(data)
    like = run.study.open_dataset(data, run.learnt)
    assert plain.spec.inputs["eeg"].channels == FEWER
    assert like.spec.inputs == run.learnt.inputs
    again = run.study.open_dataset(data)
    assert again.digest() == plain.digest()
    stores = {Path(one.folder) for made in (plain, like, again) for one in made.source._stores}
    assert len(stores) == 2
    at = np.arange(len(like))
    here, there = like.read(at), plain.read(at)
    rows = [TEN_TWENTY.index(name) for name in FEWER]
    np.testing.assert_array_equal(here.inputs["eeg"][:, rows], there.inputs["eeg"])
    lacking = [TEN_TWENTY.index(name) for name in ("T7", "Cz")]
    if absent == "masked":
        assert (~here.masks["eeg"].any((0, 2))).nonzero()[0].tolist() == sorted(lacking)
    else:
        expected = spline_weights(FEWER, ("T7", "Cz")) @ there.inputs["eeg"]
        np.testing.assert_allclose(here.inputs["eeg"][:, lacking], expected, atol=1e-3)


def test_a_loaded_model_reads_what_is_open_in_the_order_that_it_has_learnt(small):
    _, run = small
    model = pellucid.load(run.path)
    plain = model.predict(given(TEN_TWENTY, 20))
    order = [MANY[at] for at in np.random.default_rng(1).permutation(len(MANY))]
    raw = mne.io.RawArray(scalp(order, 20) * 1e-6, mne.create_info(order, RATE, "eeg"), verbose="ERROR")
    with pytest.warns(UserWarning, match=r"has electrodes that the models do not read \(16\)"):
        many = model.predict(raw)
    np.testing.assert_allclose(many, plain, atol=1e-4)
    # An array has the electrodes and the rate of the run.
    np.testing.assert_allclose(model.predict(scalp(TEN_TWENTY, 20)), plain, atol=1e-5)
    with pytest.warns(UserWarning, match=r"lacks electrodes that the models read \(2 of 19\) T7, Cz"):
        fewer = model.predict(given(FEWER, 20))
    truth = np.arange(16) // 2 % 2 == 1
    assert fewer["tapping"][truth].mean() > fewer["tapping"][~truth].mean() + 0.1


def test_activations_of_other_data_are_brought_to_the_run_and_opened_again(small, tmp_path):
    _, run = small
    data = folder(tmp_path / "fewer", FEWER, range(10, 12), 128)
    out = tmp_path / "rows"
    told = CliRunner().invoke(
        app, ["activations", str(run.path), "--layer", "head", "--data", str(data), "--everybody", "--out", str(out)]
    )
    assert told.exit_code == 0, told.output
    assert "Lacks electrodes that the models read (2 of 19)" in told.output
    assert "resampled to 64 Hz" in told.output
    source = pellucid.dataset("activations", out).source_data()
    assert source.spec.inputs == run.learnt.inputs


def test_a_corpus_is_brought_to_the_electrodes_of_a_run(tmp_path):
    learnt = Tuh(TuhConfig(preparation=Preparation(electrodes=FIVE)), tuab_tree(tmp_path / "tuab")).spec
    inputs = {"eeg": learnt.inputs["eeg"].model_copy(update={"channels": (*FIVE[::-1], "C1")})}
    config = TuhConfig(preparation=Preparation(absent="interpolated"))
    made = Tuh.opened_like(config, tmp_path / "tuab", learnt.model_copy(update={"inputs": inputs}))
    assert made.spec.inputs["eeg"].channels == (*FIVE[::-1], "C1")
    assert {(one.where, one.done) for one in made.findings if one.done != "kept"} == {("C1", "interpolated from 5")}
    assert sum(one.where == "C1" for one in made.findings) == 6
