from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, squareform

from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.database import read_database
from pellucid_ct.lidc.annotations.grouping import READERS, group_annotations, group_points


def ring(centre, radius=3.0, points=24):
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    flat = np.stack([np.sin(angle), np.cos(angle), np.zeros(points)], axis=1)
    return radius * flat + np.asarray(centre, float)


def group(sets, scan=None, tolerance_mm=1.0):
    first = np.cumsum([0] + [len(s) for s in sets])
    return group_points(np.concatenate(sets), first, np.zeros(len(sets), int) if scan is None else scan, tolerance_mm)


def test_readers_of_one_nodule_are_put_together_and_neighbours_apart():
    sets = [ring((0, 0, 0)), ring((20, 0, 0)), ring((0.4, 0, 0)), ring((0, 0.3, 0)), ring((20, 0.5, 0))]
    assert group(sets).tolist() == [0, 1, 0, 0, 1]


def test_scans_are_never_mixed():
    assert group([ring((0, 0, 0))] * 4, scan=np.array([7, 8, 7, 8])).tolist() == [0, 1, 0, 1]


def test_slices_far_apart_in_millimetres_are_apart():
    assert group([ring((0, 0, 0)), ring((0, 0, 0.9)), ring((0, 0, 2.5))]).tolist() == [0, 0, 1]


def test_group_of_more_than_four_is_split_where_it_is_widest():
    # Two nodules 0.8 mm from edge to edge, each drawn by three readers 0.2 mm apart; a third one keeps the tolerance.
    near = [ring((0, 0, dz)) for dz in (0, 0.2, 0.4)] + [ring((6.8, 0, dz)) for dz in (0, 0.2, 0.4)]
    lone = [ring((50, 0, 0)), ring((50, 0, 0.9))]
    assert group(near + lone).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]


def test_group_is_split_by_its_gap_and_not_by_its_centres():
    def line(low, high, aside):
        along = np.arange(low, high, 0.1)
        return np.stack([along, np.full_like(along, aside), np.zeros_like(along)], axis=1)

    # A long nodule that two of its readers drew in part, 0.8 mm from one that two others drew: by centres the part at
    # the near end would go to the neighbour.
    long = [line(-12, 6, 0), line(-12, -8, 0.15), line(4, 6, 0.15)]
    assert group([*long, line(6.7, 8, 0), line(6.7, 8, 0.15)]).tolist() == [0, 0, 0, 1, 1]


def test_touching_nodules_are_parted_by_their_centres():
    sets = [ring((0, 0, 0))] * 3 + [ring((6, 0, 0))] * 4
    assert group(sets).tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_more_readers_than_a_scan_has_never_share_a_group():
    assert np.bincount(group([ring((0, 0, 0))] * 9)).max() <= READERS


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(2, 12), st.sampled_from([0.5, 1.0, 2.0]), st.permutations(list(range(12)))
)
def test_groups_are_those_of_single_linkage_whatever_the_order(seed, count, tolerance, order):
    rng = np.random.default_rng(seed)
    sets = [ring(rng.uniform(0, 25, 3) * (1, 1, 0), rng.uniform(1, 3), 12) for _ in range(count)]
    distance = np.array([[cdist(a, b).min() for b in sets] for a in sets])
    np.fill_diagonal(distance, 0)
    reference = fcluster(linkage(squareform(distance, checks=False), "single"), tolerance, "distance")
    found = group(sets, tolerance_mm=tolerance)
    assert np.bincount(found).max() <= READERS
    if np.bincount(reference).max() <= READERS:
        same = found[:, None] == found
        np.testing.assert_array_equal(same, reference[:, None] == reference)
    order = [i for i in order if i < count]
    shuffled = group([sets[i] for i in order], tolerance_mm=tolerance)
    np.testing.assert_array_equal(shuffled[:, None] == shuffled, (found[:, None] == found)[np.ix_(order, order)])


def test_distance_is_in_millimetres_and_not_in_pixels(sketch):
    scan = sketch.scan(spacing=0.4)
    for column in (20, 27):
        sketch.square(sketch.annotation(scan), 4.0, 10, column, 4)
    database = read_database(sketch.path)
    # The outlines are two pixels apart: 0.8 mm.
    assert group_annotations(database, 1.0).tolist() == [0, 0]
    assert group_annotations(database, 0.7).tolist() == [0, 1]


@pytest.mark.parametrize("tolerance", [0, -1.0, float("nan")])
def test_tolerance_that_is_no_distance_is_refused(one_nodule, tolerance):
    with pytest.raises(DataError, match="tolerance_mm is"):
        group_annotations(read_database(one_nodule.path), tolerance)


def test_real_readers_drew_about_2670_nodules(lidc, grouped):
    readers = np.bincount(grouped)
    assert 2650 <= len(readers) <= 2690, "TCIA counts 2,669 lesions of at least 3 mm"
    assert readers.max() == READERS
    assert 880 <= (readers == READERS).sum() <= 940, "TCIA counts 928 drawn by all four"
    scans = lidc.annotations["scan"].groupby(grouped).nunique()
    assert scans.max() == 1
