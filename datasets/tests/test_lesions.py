"""Lesions with planted factors: what is planted can be measured, and the label follows from it by the written rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from pellucid_datasets.lesions import DENSITY, FACTORS, RADIUS, SPICULATION, PlantedLesions, PlantedLesionsConfig
from pellucid_datasets.outline_measures import area, spiculation


@pytest.fixture(scope="module")
def lesions() -> PlantedLesions:
    return PlantedLesions()


def pictures(data: PlantedLesions) -> np.ndarray:
    return data.read(np.arange(len(data))).inputs["image"]


def drawn(outline, radius: float, side: int = 64) -> np.ndarray:
    row, column = np.mgrid[:side, :side] - (side - 1) / 2
    edge = radius * outline(np.arctan2(row, column)) - np.hypot(row, column)
    return (0.2 + 0.6 * np.clip(edge + 0.5, 0, 1))[None, None]


def test_patients_have_slices_of_one_lesion_each(lesions):
    assert len(lesions) == 960
    by_patient = lesions.frame.groupby("subject")
    assert (by_patient.size() == 8).all()
    shared = ["spiculated", "clean", *(f"concept:{name}" for name in FACTORS)]
    assert (by_patient[shared].nunique() == 1).all().all()
    assert (by_patient["area_px"].nunique() > 1).all()


def test_planted_factors_can_be_measured_in_the_pictures(lesions):
    x, frame = pictures(lesions), lesions.frame
    assert spearmanr(spiculation(x, None), frame["concept:spiculation"]).statistic > 0.9
    assert spearmanr(area(x, None), frame["area_px"]).statistic > 0.98
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


@pytest.mark.parametrize("radius", [6.0, 12.0, 20.0])
def test_a_disc_has_its_area_and_a_spiculation_of_one(radius):
    disc = drawn(np.ones_like, radius)
    assert area(disc, None)[0] == pytest.approx(np.pi * radius**2, rel=0.02)
    assert spiculation(disc, None)[0] == pytest.approx(1.0, abs=0.06)


def test_the_spiculation_of_a_star_is_perimeter_squared_over_area():
    angle = np.linspace(0, 2 * np.pi, 20001)
    star = lambda t: 1 + 0.3 * np.cos(5 * t)  # noqa: E731
    x, y = 18 * star(angle) * np.cos(angle), 18 * star(angle) * np.sin(angle)
    perimeter = np.hypot(np.diff(x), np.diff(y)).sum()
    size = 0.5 * np.abs((x[:-1] * np.diff(y) - y[:-1] * np.diff(x)).sum())
    expected = perimeter**2 / (4 * np.pi * size)
    assert expected > 1.5
    assert spiculation(drawn(star, 18.0), None)[0] == pytest.approx(expected, rel=0.06)


def test_measures_do_not_depend_on_brightness_and_say_when_there_is_nothing():
    disc = drawn(np.ones_like, 10.0)
    both = np.concatenate([disc, 3 * disc + 7])
    assert area(both, None)[0] == pytest.approx(area(both, None)[1])
    assert spiculation(both, None)[0] == pytest.approx(spiculation(both, None)[1])
    blank = np.full((1, 1, 16, 16), 0.4)
    assert area(blank, None)[0] == 0
    assert np.isnan(spiculation(blank, None)[0])
