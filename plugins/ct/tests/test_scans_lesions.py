from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_phantoms import PHANTOM

from pellucid.errors import DataError
from pellucid_ct.phantom import ORIENTATIONS, oriented
from pellucid_ct.scans.geometry import Geometry
from pellucid_ct.scans.lesions import connected, find_lesions, longest_diameter
from pellucid_ct.scans.volume import CtVolume, LesionMask


def small(labels, hu=None, spacing=(2.0, 0.5, 0.8)):
    labels = np.asarray(labels, np.uint16)
    geometry = Geometry(labels.shape, spacing, (-5.0, 7.0, 3.0), ORIENTATIONS["head first, on the back"])
    hu = np.zeros(labels.shape, np.float32) if hu is None else np.asarray(hu, np.float32)
    return CtVolume(hu, geometry, "s", "t", where="the scan"), LesionMask(labels, geometry, "mask.nii")


def test_a_picture_in_the_place_of_a_mask_is_refused():
    scan, mask = small(np.arange(12 * 12 * 12).reshape(12, 12, 12))
    with pytest.raises(DataError, match="1727 numbers, more than 1000 lesions"):
        find_lesions(scan, mask)


def slow_diameter(inside, spacing):
    """Every pair of points halfway between a pixel inside and its neighbour outside, one slice after the other."""
    longest = 0.0
    for plane in inside:
        points = []
        for r, c in np.argwhere(plane):
            for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                rr, cc = r + dr, c + dc
                out = not (0 <= rr < plane.shape[0] and 0 <= cc < plane.shape[1]) or not plane[rr, cc]
                if out:
                    points.append(((r + dr / 2) * spacing[0], (c + dc / 2) * spacing[1]))
        for one, other in combinations(points, 2):
            longest = max(longest, np.hypot(one[0] - other[0], one[1] - other[1]))
    return longest


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3))
def test_diameter_is_that_of_all_pairs_of_boundary_points(seed, aspect):
    rng = np.random.default_rng(seed)
    inside = rng.random((3, *rng.integers(1, 12, 2))) < rng.uniform(0.05, 0.9)
    inside[1, 0, 0] = True
    found, where = longest_diameter(inside, (1.0, aspect))
    assert found == pytest.approx(slow_diameter(inside, (1.0, aspect)))
    assert found == pytest.approx(slow_diameter(inside[where : where + 1], (1.0, aspect)))


def test_diameter_of_a_large_disc_is_its_own_on_any_pixels():
    for spacing in ((0.5, 0.5), (0.3, 0.9)):
        row, column = (np.arange(400)[:, None] - 200) * spacing[0], (np.arange(200) - 100.3) * spacing[1]
        disc = (np.square(row) + np.square(column) <= 40**2)[None]
        assert longest_diameter(disc, spacing)[0] == pytest.approx(80, abs=max(spacing))


@pytest.mark.parametrize("radius", [3, 7, 20, 70])
def test_what_is_round_comes_out_longer_by_half_a_pixel_to_a_whole_one(radius):
    rng, at = np.random.default_rng(radius), np.arange(-radius - 2, radius + 3)
    excess = []
    for row, column in rng.uniform(-0.5, 0.5, (12, 2)):
        disc = np.square(at[:, None] - row) + np.square(at - column) <= radius**2
        excess.append(longest_diameter(disc[None], (1.0, 1.0))[0] - 2 * radius)
    assert 0.4 < np.mean(excess) < 0.95
    assert 0 < min(excess) <= max(excess) < 1


def test_the_first_of_two_equal_slices_is_named():
    inside = np.zeros((5, 3, 6), bool)
    inside[[2, 3], 1, 1:5] = inside[4, 1, 1:3] = True
    assert longest_diameter(inside, (1.0, 1.0)) == (4.0, 2)


def test_one_lesion_is_measured_as_by_hand():
    labels = np.zeros((4, 6, 7), int)
    labels[1, 2, 3:5] = labels[2, 2, 3] = 3
    hu = np.arange(labels.size).reshape(labels.shape)
    (lesion,) = find_lesions(*small(labels, hu))
    inside = hu[labels == 3]
    assert (lesion.label, lesion.voxels, lesion.box) == (3, 3, (slice(1, 3), slice(2, 3), slice(3, 5)))
    assert lesion.volume_mm3 == pytest.approx(3 * 2 * 0.5 * 0.8)
    assert lesion.diameter_mm == pytest.approx(2 * 0.8)
    assert lesion.diameter_slice == 1
    assert lesion.sphere_diameter_mm == pytest.approx((2.4 * 6 / np.pi) ** (1 / 3))
    assert lesion.centroid_mm == pytest.approx((-5 + 0.8 * 10 / 3, 7 + 0.5 * 2, 3 + 2 * 4 / 3))
    assert (lesion.mean_hu, lesion.sd_hu) == pytest.approx((inside.mean(), inside.std()))
    assert (lesion.low_hu, lesion.high_hu) == (inside.min(), inside.max())
    assert not lesion.at_border


@pytest.mark.parametrize("corner", [(0, 2, 2), (3, 2, 2), (1, 0, 2), (1, 5, 2), (1, 2, 0), (1, 2, 6)])
def test_a_lesion_at_the_edge_of_the_scan_says_so(corner):
    labels = np.zeros((4, 6, 7), int)
    labels[corner] = 1
    (lesion,) = find_lesions(*small(labels))
    assert lesion.at_border
    assert lesion.voxels == 1
    assert lesion.diameter_mm == pytest.approx(0.8)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_diameter_lies_in_an_axial_slice_however_the_scan_was_made(orientation):
    scan, mask = PHANTOM.scan((3.0, 2.0, 2.0))
    assert find_lesions(*oriented(scan, mask, orientation)) == find_lesions(scan, mask)


def test_lesions_are_found_by_number_in_the_order_asked():
    labels = np.zeros((3, 5, 5), int)
    labels[1, 1, 1], labels[1, 3, 3], labels[2, 1, 3] = 7, 2, 40
    scan, mask = small(labels)
    assert [one.label for one in find_lesions(scan, mask)] == [2, 7, 40]
    assert [one.label for one in find_lesions(scan, mask, labels=(40, 2))] == [40, 2]
    with pytest.raises(DataError, match=r"mask.nii: this mask has no lesion 3; it has 2, 7, 40$"):
        find_lesions(scan, mask, labels=(7, 3))
    for many, told in ((10, "8, 9, 10$"), (12, "9, 10 and 2 more$")):
        with pytest.raises(DataError, match=told):
            find_lesions(*small(np.arange(1, many + 1).reshape(1, 1, -1)), labels=(99,))


def test_parts_that_touch_at_a_corner_are_one_and_are_numbered_from_the_feet():
    labels = np.zeros((4, 6, 6), int)
    labels[0, 4, 4] = labels[1, 3, 3] = 9  # one, across an edge
    labels[3, 0, 0] = labels[3, 0, 1] = 9  # another
    labels[0, 0, 5] = 9  # a speck, first of all
    labels[3, 1, 1] = 4  # touches, but of another number
    _, mask = small(labels)
    parts = connected(mask)
    assert [parts.labels[at] for at in ((0, 0, 5), (0, 4, 4), (1, 3, 3), (3, 0, 0), (3, 0, 1), (3, 1, 1))] == [
        1,
        2,
        2,
        3,
        3,
        4,
    ]
    assert (parts.labels > 0).sum() == (labels > 0).sum()
    assert np.unique(connected(mask, least_voxels=2).labels).tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="no part of this mask has 3 voxels; lower least_voxels"):
        connected(mask, least_voxels=3)


def test_more_specks_than_numbers_are_refused_unless_they_are_left_out():
    labels = np.zeros((3, 512, 512), np.uint16)
    labels[0, ::2, ::2] = 1
    assert connected(small(labels[:1, :-2])[1]).labels.max() == 65280
    labels[2, ::300, ::300] = 2
    with pytest.raises(DataError, match=r"mask.nii: lesion 1 falls into 65536 parts, at most 65535 can be numbered"):
        connected(small(labels)[1])
    labels[0, 0, 0] = 0
    with pytest.raises(DataError, match=r"lesion 2 falls into 4 parts"):
        connected(small(labels)[1])
    labels[2, 0, 0:2] = 2
    assert connected(small(labels)[1], least_voxels=2).labels.max() == 1


def test_an_empty_mask_is_refused():
    scan, mask = small(np.zeros((3, 4, 5)))
    for find in (lambda: find_lesions(scan, mask), lambda: connected(mask)):
        with pytest.raises(DataError, match=r"mask.nii: this mask is empty, no voxel belongs to a lesion"):
            find()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shape": (3, 4, 6)}, "3 x 4 x 6 voxels against 3 x 4 x 5"),
        ({"spacing_mm": (2.0, 0.5, 0.9)}, "column spacing 0.9 mm against 0.8 mm"),
        ({"origin_mm": (-5.0, 7.0, 5.0)}, "up to 2 mm apart"),
    ],
)
def test_a_mask_of_another_grid_is_refused_with_the_difference(change, told):
    from dataclasses import replace

    scan, mask = small(np.ones((3, 4, 5)))
    geometry = replace(mask.geometry, **change)
    other = LesionMask(np.ones(geometry.shape, np.uint16), geometry, "mask.nii")
    with pytest.raises(DataError, match=f"mask.nii: this mask was not drawn on the scan: .*{told}"):
        find_lesions(scan, other)
