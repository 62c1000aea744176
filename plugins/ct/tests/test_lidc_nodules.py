from __future__ import annotations

import re
import statistics

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pellucid_ct.lidc.annotations.database import read_database
from pellucid_ct.lidc.annotations.nodules import FORMS, RATING_NAMES, measure_nodules
from pellucid_ct.lidc.shapes.table import build_nodules


def drawn_by(sketch, malignancies, rating=3, inside=5):
    scan = sketch.scan("P-1", spacing=0.5, thickness=2.0)
    for number, malignancy in enumerate(malignancies):
        annotation = sketch.annotation(scan, malignancy=malignancy, rating=min(rating + number, 5))
        sketch.square(annotation, 4.0, 10, 20, inside - 2)
        sketch.square(annotation, 6.0, 10, 20, inside)
    return build_nodules(read_database(sketch.path)).table.iloc[0]


def test_sizes_are_counted_in_the_pixels_of_the_consensus(sketch):
    row = drawn_by(sketch, [3, 3])
    assert (row["area_mm2"], row["volume_mm3"]) == (25 * 0.25, (25 + 9) * 0.25 * 2)
    assert row["diameter_mm"] == pytest.approx(np.sqrt(4 * 6.25 / np.pi))
    assert (row["n_readers"], row["n_slices"], row["scan"]) == (2, 2, 1)


def test_ratings_are_means_with_the_readers_disagreement(sketch):
    row = drawn_by(sketch, [3, 3, 3], rating=2)
    assert row["spiculation"] == 3.0
    assert row["spiculation:sd"] == pytest.approx(np.std([2, 3, 4]))


def test_disagreement_of_a_reader_alone_is_unknown_and_not_zero(sketch):
    row = drawn_by(sketch, [4])
    assert row["texture"] == 3
    assert np.isnan(row["texture:sd"])


@pytest.mark.parametrize(
    ("malignancies", "median", "against_benign", "against_rest", "ordinal"),
    [
        ([1], 1, 0, 0, 0),
        ([2, 3], 2.5, 0, 0, 2),
        ([3, 3, 3], 3, np.nan, 0, 2),
        ([1, 5], 3, np.nan, 0, 2),
        ([3, 4], 3.5, 1, 1, 3),
        ([5, 4, 1, 4], 4, 1, 1, 3),
        ([4, 5], 4.5, 1, 1, 4),
    ],
)
def test_targets_follow_from_the_median(sketch, malignancies, median, against_benign, against_rest, ordinal):
    row = drawn_by(sketch, malignancies)
    assert row["malignancy_median"] == median
    assert row["malignancy_mean"] == np.mean(malignancies)
    assert row["malignancy_readers"] == " ".join(map(str, malignancies))
    np.testing.assert_equal(row["malignant-vs-benign"], against_benign)
    assert (row["malignant-vs-rest"], row["malignancy"]) == (against_rest, ordinal)


def test_number_of_labels_follows_from_the_kind_of_median(nodules):
    readers = nodules.table["malignancy_readers"].map(lambda text: [int(rating) for rating in text.split()])
    counts = {}
    for kind in (statistics.median, statistics.median_high):
        medians = readers.map(kind)
        counts[kind.__name__] = (int((medians > 3).sum()), int((medians < 3).sum()))
    assert counts == {"median": (556, 1156), "median_high": (591, 821)}
    said = measure_nodules.__doc__.replace("\n", " ")
    for number in ("1,712", "556 malignant", "1,156 benign", "1,412", "591 and 821"):
        assert number in said
    label = nodules.table["malignant-vs-benign"]
    assert ((label == 1).sum(), (label == 0).sum()) == counts["median"]


def test_sample_ids_name_scan_and_annotation_and_no_patient(nodules, lidc):
    ids = nodules.table.index
    assert ids.is_unique
    assert all(re.fullmatch(r"lidc-\d{4}-\d{4}", name) for name in ids)
    first = [int(name[-4:]) for name in ids]
    assert (lidc.annotations["scan"].loc[first].to_numpy() == nodules.table["scan"].to_numpy()).all()


def test_real_table_has_the_numbers_that_were_measured_outside(nodules):
    table = nodules.table
    assert table["patient"].nunique() == 875
    assert 2650 <= len(table) <= 2690
    assert 1690 <= table["malignant-vs-benign"].notna().sum() <= 1730
    assert table["malignant-vs-rest"].notna().all()
    assert 3 < table["diameter_mm"].median() < 8
    assert table["diameter_mm"].max() < 60
    forms = table[list(FORMS)]
    assert forms.notna().all().all()
    assert forms["circularity"].between(0, 1.01).all()
    assert forms["solidity"].between(0, 1.01).all()


def test_images_show_the_area_of_the_table(nodules):
    area = nodules.shapes.sum((1, 2)) * (56 / 32) ** 2
    np.testing.assert_allclose(area, nodules.table["area_mm2"], rtol=1e-3)


def test_building_twice_gives_the_same(nodules, lidc):
    again = build_nodules(lidc)
    assert again.table.equals(nodules.table)
    np.testing.assert_array_equal(again.shapes, nodules.shapes)


def auroc(table, columns):
    labelled = table[table["malignant-vs-benign"].notna()]
    label = labelled["malignant-vs-benign"]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    chance = cross_val_predict(
        model, labelled[columns], label, groups=labelled["patient"], cv=folds, method="predict_proba"
    )
    return roc_auc_score(label, chance[:, 1])


def test_area_ratings_and_forms_reach_what_was_measured_outside(nodules):
    table = nodules.table.assign(log_area=np.log(nodules.table["area_mm2"]))
    assert auroc(table, ["log_area"]) == pytest.approx(0.913, abs=0.01)
    assert auroc(table, ["log_area", *FORMS]) == pytest.approx(0.9135, abs=0.01)
    assert auroc(table, ["log_area", *RATING_NAMES]) == pytest.approx(0.947, abs=0.01)
    assert auroc(table, list(FORMS)) < 0.85, "outlines without their size say much less"


def test_readers_who_saw_more_spikes_saw_more_ragged_outlines(nodules):
    large = nodules.table[nodules.table["diameter_mm"] > 10]
    ragged = -large["circularity"]
    assert ragged.corr(large["spiculation"], method="spearman") > 0.3
    assert ragged.corr(large["lobulation"], method="spearman") > 0.3
    assert large["eccentricity"].corr(large["sphericity"], method="spearman") < -0.2
