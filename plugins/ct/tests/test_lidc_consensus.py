from __future__ import annotations

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.consensus import consensus_masks
from pellucid_ct.lidc.annotations.database import read_database
from pellucid_ct.lidc.annotations.grouping import group_annotations
from pellucid_ct.lidc.annotations.rasterise import interior_pixels


def consensus(sketch, agreement=0.5):
    database = read_database(sketch.path)
    return consensus_masks(database, group_annotations(database, 3.0), agreement)


def test_pixels_of_the_outline_are_outside(one_nodule):
    found = consensus(one_nodule)
    assert found.mask(0).shape == (2, 7, 7)
    assert found.corner[0].tolist() == [2, 9, 19]
    expected = np.zeros((7, 7), bool)
    expected[1:6, 1:6] = True
    np.testing.assert_array_equal(found.mask(0)[0], expected)


def test_hole_is_left_out_with_its_outline(one_nodule):
    one_nodule.square(1, 4.0, 12, 22, 1, hole=True)
    first, second = consensus(one_nodule).mask(0)
    assert (first.sum(), second.sum()) == (25 - 9, 25)
    assert not first[2:5, 2:5].any()


def test_two_outlines_of_one_reader_on_a_slice_are_united(one_nodule):
    one_nodule.square(1, 4.0, 13, 27, 3)
    assert consensus(one_nodule).mask(0)[0].sum() == 25 + 9


@pytest.mark.parametrize(("readers", "expected"), [(1, 9), (2, 9), (3, 6), (4, 6)])
def test_voxels_of_half_of_the_readers_stay(sketch, readers, expected):
    scan = sketch.scan()
    # Squares of 3 x 3 pixels, each one column further: how many columns are covered by at least half of them?
    for number in range(readers):
        sketch.square(sketch.annotation(scan), 4.0, 10, 20 + number, 3)
    columns = np.zeros(10, int)
    for number in range(readers):
        columns[number : number + 3] += 1
    by_hand = 3 * int((columns >= readers / 2).sum())
    found = consensus(sketch)
    assert found.readers.tolist() == [readers]
    assert found.mask(0).sum() == by_hand
    assert by_hand >= expected


def test_reader_counts_once_however_many_outlines_overlap(sketch):
    scan = sketch.scan()
    three = [sketch.annotation(scan) for _ in range(3)]
    for number, annotation in enumerate(three):
        sketch.square(annotation, 4.0, 10, 20 + 4 * number, 3)
    sketch.square(three[0], 4.0, 10, 20, 3)
    # No pixel has two readers: each of the three squares is one reader's, and one vote has to do.
    found = consensus(sketch)
    assert found.needed.tolist() == [1]
    assert found.mask(0).sum() == 27


@pytest.mark.parametrize("points", [[(10, 10)], [(10, 10), (10, 14)], [(10, 10), (10, 11), (11, 11)]])
def test_reader_who_drew_around_no_pixel_is_refused_by_row(one_nodule, points):
    empty = one_nodule.annotation(1)
    one_nodule.contour(empty, 4.0, points)
    with pytest.raises(DataError, match=r"sketch\.sqlite: table 'annotations', row id 2: .* enclose no pixel"):
        consensus(one_nodule)


def test_reader_whose_holes_leave_nothing_is_refused_by_row(one_nodule):
    for z in (4.0, 6.0):
        one_nodule.square(1, z, 10, 20, 5, hole=True)
    with pytest.raises(DataError, match=r"table 'annotations', row id 1: .* enclose no pixel"):
        consensus(one_nodule)


@pytest.mark.parametrize("points", [[(12, 22)], [(12, 22), (12, 24)]])
def test_contour_of_one_or_two_points_marks_nothing_beside_a_whole_one(one_nodule, points):
    one_nodule.contour(1, 8.0, points)
    found = consensus(one_nodule)
    assert [int(part.sum()) for part in found.mask(0)] == [25, 25, 0]


def test_real_readers_all_enclose_a_pixel_though_some_of_their_contours_do_not(lidc):
    contour, _, _ = interior_pixels(lidc.points, lidc.first)
    pixels = np.bincount(contour, minlength=len(lidc.contours))
    points = np.diff(lidc.first)
    assert (points < 3).sum() == 1
    assert points.min() == 2
    assert (pixels == 0).sum() == 148
    assert pixels[points < 3].tolist() == [0]


def test_agreement_may_be_asked_to_be_higher(sketch):
    scan = sketch.scan()
    for number in range(4):
        sketch.square(sketch.annotation(scan), 4.0, 10, 20 + number, 5)
    assert [int(consensus(sketch, share).mask(0).sum()) for share in (0.25, 0.5, 0.75, 1.0)] == [40, 30, 20, 10]


def test_slices_between_outlines_stay_empty_and_are_not_listed(one_nodule):
    one_nodule.square(1, 12.0, 10, 20, 5)
    found = consensus(one_nodule)
    nodule, number, pixels = found.slices()
    assert found.mask(0).shape[0] == 5
    assert (nodule.tolist(), number.tolist(), pixels.tolist()) == ([0, 0, 0], [0, 1, 4], [25, 25, 25])


def test_outlines_lie_in_the_scan_and_enclose_the_pixels(one_nodule):
    scan = one_nodule.scan("P-2")
    one_nodule.square(one_nodule.annotation(scan), 2.0, 100, 300, 40)
    found = consensus(one_nodule)
    nodule, number, pixels = found.slices()
    traced = found.outlines(nodule, number)
    np.testing.assert_allclose(traced.areas(), pixels)
    np.testing.assert_allclose(traced.centroids(), [[12, 22], [12, 22], [119.5, 319.5]], atol=1e-6)


def test_real_nodules_all_have_a_voxel_that_half_of_their_readers_marked(agreed):
    assert (agreed.needed == np.ceil(agreed.readers / 2)).all()
    nodule, _, pixels = agreed.slices()
    assert len(np.unique(nodule)) == len(agreed)
    assert pixels.min() >= 1
