"""Outlines, and what is measured along them: known figures, drawn by counting points inside them."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.data import Image, Volume
from pellucid.errors import DataError
from pellucid.measures.outlines import hull_measures, outlines
from pellucid.measures.shape import DISC, area, perimeter, spiculation

PICTURE = Image(channels=("brightness",), size=(64, 64), units="1")


def flower(radius, amplitude=0.0, petals=7, size=64, corners=720):
    """Coverage of r = radius (1 + amplitude cos(petals angle)), and its own perimeter and area."""
    angle = np.arange(corners) * (2 * np.pi / corners)
    r = radius * (1 + amplitude * np.cos(petals * angle))
    polygon = np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)
    step = np.roll(polygon, -1, axis=0) - polygon
    length = np.linalg.norm(step, axis=1).sum()
    enclosed = 0.5 * abs((polygon[:, 0] * step[:, 1] - polygon[:, 1] * step[:, 0]).sum())
    # Eight by eight points in each pixel, off the grid's own symmetry.
    row, column = np.meshgrid(*[(np.arange(8 * size) + 0.5) / 8 - size / 2 - 0.21] * 2, indexing="ij")
    inside = np.hypot(row, column) < radius * (1 + amplitude * np.cos(petals * np.arctan2(row, column)))
    return inside.reshape(size, 8, size, 8).mean((1, 3)), length, enclosed


@pytest.mark.parametrize("radius", [3, 5, 9, 20])
def test_disc_has_the_perimeter_and_area_of_a_disc(radius):
    image, _, _ = flower(radius)
    assert perimeter(image[None])[0] == pytest.approx(2 * np.pi * radius, rel=0.02)
    assert area(image[None])[0] == pytest.approx(np.pi * radius**2, rel=0.03)
    assert spiculation(image[None])[0] == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("amplitude", [0.1, 0.2, 0.35])
def test_flower_has_its_own_perimeter_area_and_spiculation(amplitude):
    image, length, enclosed = flower(20, amplitude)
    assert perimeter(image[None])[0] == pytest.approx(length, rel=0.03)
    assert area(image[None])[0] == pytest.approx(enclosed, rel=0.02)
    assert spiculation(image[None])[0] == pytest.approx(length**2 / (4 * np.pi * enclosed), rel=0.05)


def test_spiculation_grows_with_the_petals_and_not_with_the_size():
    by_amplitude = spiculation(np.stack([flower(14, a)[0] for a in (0, 0.05, 0.1, 0.2, 0.3)]))
    assert (np.diff(by_amplitude) > 0).all()
    by_size = spiculation(np.stack([flower(r)[0] for r in (4, 8, 16, 24)]))
    assert np.ptp(by_size) < 0.02 * DISC


def test_square_is_exact_but_for_its_corners():
    image = np.zeros((1, 12, 12))
    image[0, 3:8, 2:10] = 1
    assert area(image)[0] == pytest.approx(40 - 4 / 8)
    assert perimeter(image)[0] == pytest.approx(2 * (5 + 8) - 4 * (1 - np.sqrt(0.5)))


def test_hole_takes_area_away_and_adds_perimeter():
    whole, ring = np.zeros((2, 20, 20))
    whole[2:18, 2:18] = ring[2:18, 2:18] = 1
    ring[7:13, 7:13] = 0
    measured = area(np.stack([whole, ring]))
    # Each of the hole's corners is cut to the benefit of the ring.
    assert measured[0] - measured[1] == pytest.approx(36 - 4 / 8)
    assert perimeter(np.stack([whole, ring]))[1] > perimeter(whole[None])[0] + 20


def test_diagonal_neighbours_are_one_piece_only_when_their_middle_is_inside():
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    for between, pieces in ((-1.0, 2), (-0.1, 2), (0.1, 1), (0.4, 1)):
        image = np.zeros((1, 6, 6))
        image[0, 2, 2] = image[0, 3, 3] = 1.0
        image[0, 2, 3] = image[0, 3, 2] = between
        traced = outlines(image)
        count = len(traced.points)
        steps = coo_matrix((np.ones(count), (np.arange(count), traced.following)), shape=(count, count))
        assert connected_components(steps)[0] == pieces, between
        assert np.allclose(outlines(image[:, ::-1]).areas(), traced.areas())


def test_shape_at_the_edge_of_the_frame_is_closed_there():
    image = np.zeros((1, 10, 10))
    image[0, :, :4] = 1
    assert area(image)[0] == pytest.approx(40 - 4 / 8)


def test_units_come_from_the_spec():
    image = flower(10)[0][None, None]
    spec = Image(channels=("mask",), size=(64, 64), spacing_mm=(0.5, 0.5), units="1")
    assert area(image, spec)[0] == pytest.approx(np.pi * 25, rel=0.02)
    assert perimeter(image, spec)[0] == pytest.approx(np.pi * 10, rel=0.02)
    assert spiculation(image, spec)[0] == pytest.approx(DISC, rel=0.02)
    flat = Image(channels=("mask",), size=(64, 64), spacing_mm=(1.0, 0.5), units="1")
    assert area(image, flat)[0] == pytest.approx(np.pi * 50, rel=0.02)


def test_volume_is_measured_on_its_middle_slice():
    volume = np.zeros((1, 1, 9, 64, 64))
    volume[0, 0, 4] = flower(10)[0]
    volume[0, 0, 2] = flower(20)[0]
    spec = Volume(channels=("mask",), size=(9, 64, 64), spacing_mm=(2.0, 0.5, 0.5), units="1")
    assert area(volume, spec)[0] == pytest.approx(np.pi * 25, rel=0.02)


def test_what_cannot_be_seen_is_small_and_has_no_form():
    faint = np.full((1, 8, 8), 0.4)
    assert (area(faint)[0], perimeter(faint)[0]) == (0, 0)
    assert np.isnan(spiculation(faint)[0])
    blank = np.full((1, 1, 64, 64), 0.7)
    assert (area(blank, PICTURE)[0], perimeter(blank, PICTURE)[0]) == (0, 0)
    assert np.isnan(spiculation(blank, PICTURE)[0])


def test_a_mask_is_measured_at_one_half_however_faint_the_rest_is():
    mask = Image(channels=("mask",), size=(64, 64), units="1")
    image = 0.55 * flower(10)[0][None, None]
    halves = (image >= 0.5).sum()
    assert area(image, mask)[0] < area(image, PICTURE)[0]
    assert abs(area(image, mask)[0] - halves) < 40


def test_a_picture_is_measured_half_way_between_ground_and_thing_whatever_its_brightness():
    disc, length, enclosed = flower(10)
    pictures = np.stack([0.2 + 0.3 * disc, 7 + 900 * disc])[:, None]
    np.testing.assert_allclose(area(pictures, PICTURE), enclosed, rtol=0.01)
    np.testing.assert_allclose(perimeter(pictures, PICTURE), length, rtol=0.02)
    np.testing.assert_allclose(spiculation(pictures, PICTURE), DISC, rtol=0.03)


def test_a_thing_darker_than_its_ground_is_not_seen():
    dark = 1 - flower(10)[0][None, None]
    assert area(dark, PICTURE)[0] == 0


def test_images_are_measured_as_if_alone():
    images = np.stack([flower(6)[0], np.zeros((64, 64)), flower(20, 0.3)[0]])
    for measure in (area, perimeter, spiculation):
        np.testing.assert_allclose(measure(images), np.concatenate([measure(one[None]) for one in images]))


def test_staircase_of_a_hard_mask_is_smoothed_away():
    rows, columns = np.mgrid[:64, :64]
    disc = (np.hypot(rows - 31.7, columns - 32.1) <= 12).astype(float)
    rough = outlines(disc[None])
    smooth = rough.smoothed().with_areas(disc.sum()[None])
    assert rough.perimeters()[0] > 1.04 * 2 * np.pi * 12
    assert smooth.perimeters()[0] == pytest.approx(2 * np.pi * 12, rel=0.015)
    assert smooth.areas()[0] == pytest.approx(disc.sum())
    np.testing.assert_allclose(smooth.centroids()[0], [31.7, 32.1], atol=0.1)


def test_forms_are_those_of_known_figures():
    rows, columns = np.mgrid[:64, :64]
    ellipse = np.clip(0.5 + 10 * (1 - np.hypot((rows - 32) / 10, (columns - 32) / 25)), 0, 1)
    cross = np.zeros((64, 64))
    cross[12:52, 27:37] = cross[27:37, 12:52] = 1
    traced = outlines(np.stack([ellipse, cross, ellipse.T]))
    hull_area, hull_perimeter = hull_measures(traced)
    solidity, convexity = traced.areas() / hull_area, hull_perimeter / traced.perimeters()
    expected = np.sqrt(1 - (10 / 25) ** 2)
    np.testing.assert_allclose(traced.eccentricities(), [expected, 0, expected], atol=0.02)
    # A cross of arms 10 wide and 40 long: 700 inside, and a hull that is the square less four triangles of 15 x 15 / 2.
    np.testing.assert_allclose(solidity, [1, 700 / (1600 - 4 * 112.5), 1], rtol=0.02)
    np.testing.assert_allclose(convexity, [1, (40 + 4 * 15 * np.sqrt(2)) / 160, 1], rtol=0.02)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((2, 8, 8), np.nan), "image 0 of the batch holds NaN"),
        (np.zeros((8, 8)), r"shape \(image, row, column\)"),
        (np.zeros((1, 3, 8, 8)), "one channel, got 3"),
    ],
)
def test_what_is_no_picture_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        area(values)


def test_threshold_of_zero_is_refused_as_everything_would_be_inside():
    with pytest.raises(DataError, match="outline level is 0"):
        outlines(np.zeros((1, 8, 8)), level=0)
