from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from pellucid.errors import DataError
from pellucid.measures.outlines import outlines
from pellucid_ct.lidc.annotations.rasterise import interior_pixels, outline_coverage, polygon_coverage


def shoelace(points):
    following = np.roll(points, -1, axis=0)
    return 0.5 * (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum()


@st.composite
def stars(draw):
    """Polygons around (0, 0), round to very ragged, of radius 1, in either sense."""
    count, seed = draw(st.integers(3, 40)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    angle = (np.arange(count) + rng.uniform(0, 0.9, count)) / count * 2 * np.pi
    assume(np.diff(angle, append=angle[0] + 2 * np.pi).max() < 3.1)
    radius = rng.uniform(draw(st.floats(0.1, 1)), 1, count)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return points[::-1] if draw(st.booleans()) else points


@settings(max_examples=150, deadline=None)
@given(stars(), st.floats(0.2, 14), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.3, 2.0))
def test_area_of_the_image_is_the_polygons_within_3_percent(star, radius_mm, row, column, spacing_mm):
    polygon = star * radius_mm + np.array([row, column])
    image = polygon_coverage(polygon, shape=(110, 110), spacing_mm=spacing_mm, origin_mm=(-16, -16))
    assert image.sum() * spacing_mm**2 == pytest.approx(abs(shoelace(polygon)), rel=0.03)
    assert image.min() >= 0
    assert image.max() <= 1


@settings(max_examples=50, deadline=None)
@given(stars(), st.floats(3, 12))
def test_coverage_agrees_with_counting_fine_samples(star, radius):
    polygon = star * radius + 14
    image = polygon_coverage(polygon, shape=(28, 28), spacing_mm=1.0)
    at = (np.arange(28 * 8) + 0.5) / 8
    inside = crosses_odd(polygon, *np.meshgrid(at, at, indexing="ij"))
    counted = inside.reshape(28, 8, 28, 8).mean((1, 3))
    assert np.abs(image - counted).max() < 0.3
    assert np.abs(image - counted).mean() < 0.01


def crosses_odd(polygon, rows, columns):
    """Even-odd rule, edge by edge: an independent way to say what is inside."""
    inside = np.zeros(rows.shape, bool)
    for (r0, c0), (r1, c1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crossed = (r0 > rows) != (r1 > rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crossed & (columns < (c1 - c0) * (rows - r0) / (r1 - r0) + c0)
    return inside


def on_outline(polygon, rows, columns):
    found = np.zeros(rows.shape, bool)
    for (r0, c0), (r1, c1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        straight = (r1 - r0) * (columns - c0) == (c1 - c0) * (rows - r0)
        between = (rows >= min(r0, r1)) & (rows <= max(r0, r1)) & (columns >= min(c0, c1)) & (columns <= max(c0, c1))
        found |= straight & between
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=2, max_size=20), min_size=1, max_size=4
    )
)
def test_interior_is_what_even_odd_says_without_the_outline(contours):
    points = np.array([p for contour in contours for p in contour])
    first = np.cumsum([0] + [len(contour) for contour in contours])
    contour, row, column = interior_pixels(points, first)
    assert (np.diff(contour) >= 0).all()
    rows, columns = np.mgrid[-1:17, -1:17]
    for number, polygon in enumerate(contours):
        expected = crosses_odd(np.array(polygon), rows, columns) & ~on_outline(polygon, rows, columns)
        found = np.zeros_like(expected)
        found[row[contour == number] + 1, column[contour == number] + 1] = True
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 40), st.integers(3, 60))
def test_interior_counts_obey_picks_theorem(seed, count, size):
    cloud = np.random.default_rng(seed).integers(0, size, (count, 2))
    assume(np.linalg.matrix_rank(cloud - cloud[0]) == 2)
    polygon = cloud[ConvexHull(cloud).vertices]
    step = np.roll(polygon, -1, axis=0) - polygon
    boundary = np.gcd(step[:, 0], step[:, 1]).sum()
    _, row, _ = interior_pixels(polygon, np.array([0, len(polygon)]))
    assert len(row) == abs(shoelace(polygon.astype(float))) - boundary / 2 + 1


def test_many_contours_are_filled_as_if_alone(monkeypatch):
    from pellucid_ct.lidc.annotations import rasterise

    rng = np.random.default_rng(0)
    contours = [rng.integers(0, 30, (rng.integers(3, 30), 2)) for _ in range(50)]
    points, first = np.concatenate(contours), np.cumsum([0] + [len(c) for c in contours])
    whole = interior_pixels(points, first)
    monkeypatch.setattr(rasterise, "_CHUNK", 40)
    for a, b in zip(whole, interior_pixels(points, first), strict=True):
        np.testing.assert_array_equal(a, b)


def test_holes_are_subtracted():
    outer = [(1, 1), (1, 9), (9, 9), (9, 1)]
    hole = [(4, 4), (6, 4), (6, 6), (4, 6)]
    image = polygon_coverage(outer, shape=(10, 10), spacing_mm=1.0, holes_mm=[hole])
    assert image.sum() == pytest.approx(64 - 4)
    assert image[5, 5] == 0
    assert image[2, 2] == 1


def test_spacing_may_differ_between_rows_and_columns():
    square = [(2, 2), (2, 6), (6, 6), (6, 2)]
    image = polygon_coverage(square, shape=(8, 16), spacing_mm=(1.0, 0.5))
    assert image.sum() * 0.5 == pytest.approx(16)
    assert np.argwhere(image == 1).min(0).tolist() == [2, 4]


def test_what_lies_outside_the_frame_is_cut_off():
    square = np.array([(-2.0, -2), (-2, 2), (2, 2), (2, -2)])
    for shift, expected in (
        ((0, 0), 4),
        ((4, 4), 4),
        ((0, 4), 4),
        ((4, 0), 4),
        ((2, 2), 16),
        ((9, 9), 0),
        ((2, -3), 0),
    ):
        image = polygon_coverage(square + shift, shape=(4, 4), spacing_mm=1.0)
        assert image.sum() == pytest.approx(expected), shift


@pytest.mark.parametrize(
    ("polygon", "spacing", "message"),
    [
        ([(0, 0), (1, 1)], 1.0, "at least three vertices"),
        ([(0, 0), (1, np.nan), (1, 0)], 1.0, "not finite: vertex 1"),
        ([(0, 0), (0, 1), (1, 0)], 0.0, "expected above 0"),
        ([(0, 0), (0, 1), (1, 0)], np.nan, "expected above 0"),
    ],
)
def test_polygons_and_spacings_that_are_none_are_refused(polygon, spacing, message):
    with pytest.raises(DataError, match=message):
        polygon_coverage(polygon, shape=(4, 4), spacing_mm=spacing)


def test_outlines_of_many_images_cover_what_they_enclose():
    rng = np.random.default_rng(1)
    images = (rng.random((30, 12, 12)) > 0.5).astype(float)
    images[3] = 0
    traced = outlines(images)
    covered = outline_coverage(traced, (12, 12))
    np.testing.assert_allclose(covered.sum((1, 2)), traced.areas(), atol=1e-4)
    np.testing.assert_array_equal(covered[3], 0)
