"""Cards of features: what each goes with, how often it is there, what is near, where it is strongest and where it lives."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from made_layers import axis_dictionary, fold_of, layer_folder

from pellucid.activations.dataset import ActivationsFolder
from pellucid.data import ArrayDataset, Binary, DataSpec, Image
from pellucid.errors import DataError
from pellucid.gathering.features import EACH, gather
from pellucid.gathering.gallery import Gallery
from pellucid.heads.dictionaries import TopK
from pellucid.measures.neighbours import grid_neighbours
from pellucid.measures.spatial import morans_i
from pellucid.protocols.dictionaries.features import DictionaryFeatures
from pellucid.report.feature_cards import _pattern_in_words, cards
from pellucid.report.figures import Picture

PEOPLE, SIDE, UNITS = 80, 6, 8
SPOT = (4, 1)
"""Row and column of the layer where feature 2 is strongest in whoever has the label."""


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Feature 2 is a spot in those with the label, feature 5 is in all cells of those with the other one, all others by lot."""
    random = np.random.default_rng(0)
    y, other = (random.random((2, PEOPLE)) < 0.5).astype(float)
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    spot = np.exp(-((row - SPOT[0]) ** 2 + (column - SPOT[1]) ** 2) / 2) * (np.abs(row - SPOT[0]) < 3)
    values = random.random((PEOPLE, SIDE * SIDE, UNITS)) * (random.random((PEOPLE, SIDE * SIDE, UNITS)) < 0.2)
    values[:, :, 2] = y[:, None] * spot * random.uniform(1, 2, (PEOPLE, 1))
    values[:, :, 5] = other[:, None] * random.uniform(0.5, 1, (PEOPLE, SIDE * SIDE))
    values[:, :, 7] = 0
    samples = pd.DataFrame(
        {"subject": [f"p{at // 2}" for at in range(PEOPLE)], "y": y, "other": other},
        index=[f"s{at}" for at in range(PEOPLE)],
    )
    spec = DataSpec(
        name="pictures", namespace="t", group_word=("patient", "patients"),
        inputs={"picture": Image(channels=("grey",), size=(24, 24), units="1")},
        targets={"y": Binary(names=("no", "yes")), "other": Binary(names=("no", "yes"))},
    )  # fmt: skip
    folder = layer_folder(tmp_path / "acts", values, (SIDE, SIDE), spec, samples)
    pictures = random.random((PEOPLE, 1, 24, 24)).astype(np.float32)
    monkeypatch.setattr(
        ActivationsFolder, "source_data", lambda self: ArrayDataset(spec, samples, {"picture": pictures})
    )
    made = axis_dictionary(UNITS)
    with torch.no_grad():
        # Features 2 and 7 point nearly the same way; feature 7 is in no row.
        made.head.directions[7] = made.head.directions[2] + 0.5 * made.head.directions[7]
        made.head.weight[7] = 0
    return SimpleNamespace(
        folder=folder, values=values, samples=samples, pictures=pictures, fold=fold_of(folder, made), spot=spot
    )


def shown(planted, tmp_path):
    """The cards of a run that was kept and read again, by name."""
    features, arrays, problem = gather(planted.fold)
    Gallery(arrays=arrays, features=features, problem=problem).save(tmp_path)
    run = SimpleNamespace(gallery=Gallery.load(tmp_path), tags={"topk": TopK.tags}, spec=planted.folder.spec)
    (found,) = cards(run).values()
    return {card.name: card for card in found}, features


def test_a_card_says_what_its_feature_goes_with_how_often_it_is_there_and_what_is_near(planted, tmp_path):
    found, _ = shown(planted, tmp_path)
    assert list(found)[:2] in (["f2", "f5"], ["f5", "f2"])
    facts = dict(found["f2"].facts)
    # One sample of each person is a witness; with two that differ in the label, the lot decides which.
    assert re.match(
        r"is yes \(y\): AUROC 1\.00 \(95 % interval 1\.00 to 1\.00\), q \de-\d+; the surest of 2 labels",
        facts["Goes with"],
    )
    assert facts["Goes with"].endswith("chosen on the same patients, so expect less of others")
    density, samples = (planted.values[:, :, 2] > 0).mean(), (planted.values[:, :, 2] > 0).any(1).mean()
    assert facts["Active in"] == f"{density:.1%} of all positions, {samples:.0%} of the samples"
    assert facts["Nearest features"].startswith(f"f7 ({1 / np.sqrt(1.25):.2f}), f")
    assert "is yes (other): AUROC 1.00" in dict(found["f5"].facts)["Goes with"]


def test_strength_is_that_of_one_sample_a_person_and_its_interval_holds_it(planted, tmp_path):
    _, features = shown(planted, tmp_path)
    for one in features:
        strength = float(one["goes_with"].rsplit(" ", 1)[1])
        assert one["low"] - 0.005 <= strength <= one["high"] + 0.005
    first = next(one for one in features if one["feature"] == 2)
    assert first["attributes"] == 2


def test_the_strongest_samples_are_drawn_with_the_place_in_them(planted, tmp_path):
    found, features = shown(planted, tmp_path)
    facts = next(one for one in features if one["feature"] == 2)
    peak = planted.values[:, :, 2].max(1)
    assert facts["strongest"][0]["sample"] == f"s{peak.argmax()}"
    assert facts["strongest"][0]["code"] == pytest.approx(peak.max(), abs=1e-5)
    people = [planted.samples["subject"][one["sample"]] for one in facts["strongest"]]
    assert len(set(people)) == EACH
    assert all(one["said"][0] == "yes (y)" for one in facts["strongest"])
    # A cell of the layer is four by four pixels.
    assert facts["strongest"][0]["region"]["start"] == (16, 4)
    pictures = found["f2"].pictures[:-1]
    assert len(pictures) == EACH
    assert pictures[0].caption.startswith(f"Code {peak.max():.2f} at rows 17 to 20, columns 5 to 8, labelled yes (y)")
    assert f"of sample s{peak.argmax()}, where feature f2 is strongest" in pictures[0].alt
    kept = Gallery.load(tmp_path).arrays[f"feature-source/s{peak.argmax()}/picture"]
    np.testing.assert_array_equal(kept, planted.pictures[peak.argmax()])


def test_the_pattern_is_the_mean_code_at_each_position_and_how_alike_neighbours_are(planted, tmp_path):
    found, features = shown(planted, tmp_path)
    for feature in (2, 5):
        pattern = next(one for one in features if one["feature"] == feature)["pattern"]
        mean = planted.values[:, :, feature].mean(0)
        np.testing.assert_allclose(pattern["mean"], mean, atol=1e-6)
        expected = morans_i(mean[:, None], grid_neighbours((SIDE, SIDE)))[0]
        assert pattern["i"] == pytest.approx(expected, abs=1e-5)
        told = dict(found[f"f{feature}"].facts)["Over the layer"]
        assert told.startswith(f"Moran's I {expected:.2f} over 36 positions")
        assert found[f"f{feature}"].pictures[-1].alt == f"Mean code of feature f{feature} at each position of the layer"
    assert next(one for one in features if one["feature"] == 2)["pattern"]["i"] > 0.5


def test_few_positions_have_a_curve_and_no_number(tmp_path, planted):
    few = planted.values[:, :9]
    folder = layer_folder(tmp_path / "few", few, (3, 3), planted.folder.source_spec, planted.samples)
    features, _, _ = gather(fold_of(folder, planted.fold.models["topk"]))
    (pattern,) = [one["pattern"] for one in features if one["feature"] == 5]
    assert pattern["i"] is None
    np.testing.assert_allclose(pattern["mean"], few[:, :, 5].mean(0), atol=1e-6)
    run = SimpleNamespace(gallery=Gallery(features=features), tags={"topk": TopK.tags}, spec=planted.folder.spec)
    card = next(card for card in cards(run)["topk"] if card.name == "f5")
    assert dict(card.facts)["Over the layer"] == "9 positions are too few to ask for a pattern"


def test_without_positions_or_the_samples_there_are_facts_and_no_pictures(tmp_path, planted, monkeypatch):
    def gone(self):
        raise DataError("the disk is not there")

    monkeypatch.setattr(ActivationsFolder, "source_data", gone)
    folder = layer_folder(tmp_path / "one", planted.values[:, 25:26], (1,), planted.folder.source_spec, planted.samples)
    features, arrays, problem = gather(fold_of(folder, planted.fold.models["topk"]))
    assert features
    assert not arrays
    assert "the disk is not there" in problem
    assert all(one["pattern"] is None for one in features)
    # A run of an earlier version knows of no patterns and does not say of how many labels one was the surest.
    old = tuple({key: value for key, value in one.items() if key not in ("pattern", "attributes")} for one in features)
    run = SimpleNamespace(gallery=Gallery(features=old), tags={"topk": TopK.tags}, spec=planted.folder.spec)
    card = cards(run)["topk"][0]
    assert "Over the layer" not in dict(card.facts)
    assert card.pictures == ()
    assert "one of the surest features, chosen on the same patients" in dict(card.facts)["Goes with"]


@pytest.fixture
def drawn(monkeypatch):
    """What views of inputs and patterns were asked to draw."""
    asked = []

    def view_picture(view, values, spec, shown, alt, caption):
        asked.append(SimpleNamespace(values=values, spec=spec, shown=shown, alt=alt, caption=caption))
        return Picture("", alt, 1, caption)

    def pattern(ax, values, grid):
        asked.append(SimpleNamespace(pattern=values, grid=grid))

    monkeypatch.setattr("pellucid.report.feature_cards.figures.view_picture", view_picture)
    monkeypatch.setattr("pellucid.report.feature_cards.draw_pattern", pattern)
    return asked


def two_inputs(planted, monkeypatch):
    """The same people with an outline beside each picture, which the layer does not read."""
    spec = planted.folder.source_spec
    spec = spec.model_copy(update={"inputs": {**spec.inputs, "outline": spec.inputs["picture"]}})
    arrays = {"picture": planted.pictures, "outline": (planted.pictures > 0.5).astype(np.float32)}
    monkeypatch.setattr(ActivationsFolder, "source_data", lambda self: ArrayDataset(spec, planted.samples, arrays))
    return spec, arrays


def kept(features, arrays, spec):
    return SimpleNamespace(gallery=Gallery(features=features, arrays=arrays), tags={"topk": TopK.tags}, spec=spec)


def test_what_the_layer_reads_is_drawn_with_the_other_inputs_beside_it(planted, drawn, monkeypatch, tmp_path):
    spec, inputs = two_inputs(planted, monkeypatch)
    folder = layer_folder(tmp_path / "two", planted.values, (SIDE, SIDE), spec, planted.samples)
    features, arrays, _ = gather(fold_of(folder, planted.fold.models["topk"]))
    cards(kept(features, arrays, spec))
    facts = features[0]
    pictures = [one for one in drawn if hasattr(one, "shown")][:EACH]
    for number, (one, strongest) in enumerate(zip(pictures, facts["strongest"], strict=True), 1):
        at = planted.samples.index.get_loc(strongest["sample"])
        assert one.shown.caption == f"{number}. sample {strongest['sample']}"
        np.testing.assert_array_equal(one.values, inputs["picture"][at])
        assert set(one.shown.beside) == {"outline"}
        np.testing.assert_array_equal(one.shown.beside["outline"], inputs["outline"][at])
        # All of a picture is drawn with the cell marked in it; what lies around it says what the cell is of.
        assert one.shown.only is None
        (marked,) = one.shown.regions
        assert marked.region.start == tuple(strongest["region"]["start"])
        assert one.alt.startswith("picture of sample")
    assert len([one for one in drawn if hasattr(one, "shown")]) == sum(len(one["strongest"]) for one in features)


def test_a_pattern_is_drawn_where_it_is_and_positions_that_are_no_place_stay_empty(planted, drawn, tmp_path):
    keep = np.ones((PEOPLE, SIDE * SIDE), bool)
    keep[:, [3, 10]] = False
    folder = layer_folder(
        tmp_path / "gaps", planted.values, (SIDE, SIDE), planted.folder.source_spec, planted.samples, keep
    )
    features, _, _ = gather(fold_of(folder, planted.fold.models["topk"]))
    cards(kept(features, {}, planted.folder.spec))
    (drawing, *_) = [one for one in drawn if hasattr(one, "pattern")]
    expected = planted.values[:, :, features[0]["feature"]].mean(0)
    expected[[3, 10]] = np.nan
    np.testing.assert_allclose(drawing.pattern, expected, atol=1e-6)
    assert drawing.grid.shape == (SIDE, SIDE)
    assert features[0]["pattern"]["places"] == SIDE * SIDE - 2


def test_codes_of_any_size_have_strongest_samples_and_a_feature_of_few_has_few(planted, tmp_path):
    values = planted.values.copy()
    # All below one; and the second label's feature is on in two people alone, in both of their samples.
    values[:, :, 2] *= 0.4
    few = np.isin(planted.samples["subject"], ["p3", "p8"])
    values[:, :, 5] = few[:, None] * np.linspace(0.2, 0.9, PEOPLE)[:, None]
    samples = planted.samples.assign(other=few.astype(float))
    folder = layer_folder(tmp_path / "few", values, (SIDE, SIDE), planted.folder.source_spec, samples)
    features, _, _ = gather(
        fold_of(folder, planted.fold.models["topk"]),
        DictionaryFeatures(DictionaryFeatures.config_type(false_discoveries=0.2)),
    )
    by_number = {one["feature"]: one for one in features}
    assert len(by_number[2]["strongest"]) == EACH
    assert [one["sample"] for one in by_number[5]["strongest"]] == ["s17", "s7"]


def test_where_nothing_goes_with_a_feature_or_nobody_said_anything_there_are_no_cards(planted, tmp_path):
    nobody = planted.folder.source_spec.model_copy(update={"targets": {}})
    folder = layer_folder(
        tmp_path / "nobody", planted.values, (SIDE, SIDE), nobody, planted.samples.drop(columns=["y", "other"])
    )
    assert gather(fold_of(folder, planted.fold.models["topk"])) == ((), {}, "")
    lots = np.random.default_rng(1).permutation(PEOPLE // 2).repeat(2) % 2
    folder = layer_folder(
        tmp_path / "lots", planted.values, (SIDE, SIDE), planted.folder.source_spec,
        planted.samples.assign(y=lots, other=1 - lots),
    )  # fmt: skip
    hard = DictionaryFeatures(DictionaryFeatures.config_type(false_discoveries=1e-3))
    assert gather(fold_of(folder, planted.fold.models["topk"]), hard) == ((), {}, "")


def test_of_a_whole_sample_no_place_is_told(planted, drawn, tmp_path):
    folder = layer_folder(tmp_path / "one", planted.values[:, 25:26], (1,), planted.folder.source_spec, planted.samples)
    features, arrays, _ = gather(fold_of(folder, planted.fold.models["topk"]))
    (card, *_) = cards(kept(features, arrays, planted.folder.spec))["topk"]
    assert [one.caption for one in card.pictures] == [one.caption for one in drawn][: len(card.pictures)]
    for one, strongest in zip(drawn, features[0]["strongest"], strict=False):
        assert one.caption.startswith(f"Code {strongest['code']:.2f}, labelled")
        assert " at " not in one.caption
        assert one.alt.endswith("is strongest")
        assert one.shown.only is None


def test_what_a_pattern_says_in_words():
    assert _pattern_in_words({"i": -0.5, "places": 36}).startswith("Moran's I -0.50 over 36 positions")
    assert _pattern_in_words({"i": None, "places": 19}) == "19 positions are too few to ask for a pattern"
    assert _pattern_in_words({"i": None, "places": 20}).startswith("active at too few of 20 positions")
