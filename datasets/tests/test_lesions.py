"""Lesions with planted factors: what is planted can be measured, and the label follows from it by the written rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

import pellucid
from pellucid import plugins
from pellucid.errors import DataError
from pellucid_datasets.lesions import DENSITY, FACTORS, RADIUS, SPICULATION, PlantedLesions, PlantedLesionsConfig


@pytest.fixture(scope="module")
def lesions() -> PlantedLesions:
    return PlantedLesions()


def pictures(data: PlantedLesions) -> np.ndarray:
    return data.read(np.arange(len(data))).inputs["image"]


def test_patients_have_slices_of_one_lesion_each(lesions):
    assert len(lesions) == 960
    by_patient = lesions.frame.groupby("subject")
    assert (by_patient.size() == 8).all()
    shared = ["spiculated", "clean", *(f"concept:{name}" for name in FACTORS)]
    assert (by_patient[shared].nunique() == 1).all().all()
    assert (by_patient["area_px"].nunique() > 1).all()


def test_planted_factors_can_be_measured_in_the_pictures(lesions):
    x, frame, spec = pictures(lesions), lesions.frame, lesions.spec.input("image")
    spiculation, area = (plugins.load("measure", name) for name in lesions.spec.measures["image"])
    assert spearmanr(spiculation(x, spec), frame["concept:spiculation"]).statistic > 0.9
    assert spearmanr(area(x, spec), frame["area_px"]).statistic > 0.98
    np.testing.assert_allclose(area(x, spec), frame["area_px"], rtol=0.06)
    middle = x[:, 0, 15:17, 15:17].mean((1, 2))
    assert np.abs(middle - frame["concept:density"]).mean() < 0.02
    outermost = x[:, 0, 0].mean(1)
    assert np.abs(outermost - 0.2).mean() < 0.02
    assert x.min() >= 0
    assert x.max() <= 1


def test_the_area_drawn_follows_from_radius_spikes_and_height():
    # The area inside r (1 + s c^3), c = (1 + cos 6t) / 2, is pi r^2 (1 + 2 s m3 + s^2 m6) with the means m3 = 5/16 of c^3
    # and m6 = 231/1024 of c^6; at height h of the ellipsoid it shrinks by 1 - h^2.
    data = PlantedLesions(PlantedLesionsConfig(patients=40, slices=5, size=64))
    frame = data.frame
    radius, spikes = frame["concept:radius"], frame["concept:spiculation"]
    height = np.linspace(-0.6, 0.6, 5)[frame["slice"]]
    expected = np.pi * radius**2 * (1 + 2 * spikes * 5 / 16 + spikes**2 * 231 / 1024) * (1 - height**2)
    assert np.abs(frame["area_px"] / expected - 1).max() < 0.05


def test_the_label_is_the_written_rule_turned_round_in_the_share_asked_for(lesions):
    patients = lesions.frame.groupby("subject").first()
    product = patients["concept:radius"] * patients["concept:spiculation"]
    assert (patients["clean"] == (product > product.median())).all()
    assert (patients["clean"] != patients["spiculated"]).sum() == 18
    clean = PlantedLesions(PlantedLesionsConfig(patients=10, slices=1, label_noise=0.0)).frame
    assert (clean["clean"] == clean["spiculated"]).all()


def test_labels_by_lot_are_balanced_and_leave_the_pictures_as_they_are(lesions):
    lot = PlantedLesions(PlantedLesionsConfig(random_labels=True))
    assert np.array_equal(pictures(lot), pictures(lesions))
    patients = lot.frame.groupby("subject").first()
    assert patients["spiculated"].mean() == 0.5
    for name in FACTORS:
        assert abs(spearmanr(patients["spiculated"], patients[f"concept:{name}"]).statistic) < 0.25


def test_a_folder_is_refused_as_nothing_is_read_from_it(tmp_path):
    with pytest.raises(DataError, match=rf"{tmp_path}: 'planted-lesions' is made up and reads no file"):
        pellucid.dataset("planted-lesions", tmp_path)


def test_factors_fill_their_ranges(lesions):
    concepts = lesions.spec.concepts
    for at, bounds in enumerate((np.array(RADIUS) * 32, SPICULATION, DENSITY)):
        values = lesions.concept_values()[:, at]
        assert (concepts.low[at], concepts.high[at]) == pytest.approx(tuple(bounds))
        span = bounds[1] - bounds[0]
        assert bounds[0] <= values.min() < bounds[0] + 0.05 * span
        assert bounds[1] - 0.05 * span < values.max() <= bounds[1]


def test_a_seed_gives_the_same_data_and_more_patients_leave_the_first_ones_alone():
    small, large = (PlantedLesions(PlantedLesionsConfig(patients=n, slices=2)) for n in (5, 9))
    assert np.array_equal(pictures(small), pictures(large)[:10])
    assert small.digest() == PlantedLesions(PlantedLesionsConfig(patients=5, slices=2)).digest()
    other = PlantedLesions(PlantedLesionsConfig(patients=5, slices=2, seed=1))
    assert not np.array_equal(pictures(small), pictures(other))
