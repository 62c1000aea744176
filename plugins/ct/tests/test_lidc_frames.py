from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.measures.outlines import outlines
from pellucid_ct.lidc.annotations.consensus import consensus_masks
from pellucid_ct.lidc.annotations.database import read_database
from pellucid_ct.lidc.annotations.grouping import group_annotations
from pellucid_ct.lidc.shapes.frames import FILL, mid_slice_images, volumes


def blob(seed, size=40):
    """A lumpy mask of a size of its own, as hard pixels."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] - size / 2
    angle = np.arctan2(rows, columns)
    radius = rng.uniform(2, 14) * (1 + 0.25 * np.cos(rng.integers(2, 6) * angle + rng.uniform(0, 6)))
    return (np.hypot(rows, columns) <= radius).astype(float)


def traced(masks):
    return outlines(masks).smoothed().with_areas(masks.sum((1, 2)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.4, 1.0), st.integers(16, 64), st.floats(40, 80))
def test_image_in_millimetres_has_the_area_and_the_centre_of_the_nodule(seed, spacing, size, width):
    mask = blob(seed)
    images, frame = mid_slice_images(traced(mask[None]), np.array([spacing]), size=size, field_of_view_mm=width)
    pixel = frame[0] / size
    assert frame[0] == width
    assert images.sum() * pixel**2 == pytest.approx(mask.sum() * spacing**2, rel=1e-3)
    rows, columns = np.mgrid[:size, :size]
    centre = [(at * images[0]).sum() / images[0].sum() for at in (rows, columns)]
    np.testing.assert_allclose(centre, (size - 1) / 2, atol=0.1)


def test_nodule_that_does_not_fit_is_shrunk_until_it_does():
    mask = np.zeros((1, 60, 60))
    mask[0, 5:55, 25:35] = 1
    images, frame = mid_slice_images(traced(mask), np.ones(1), size=32, field_of_view_mm=30.0)
    assert frame[0] == pytest.approx(50, rel=0.05)
    assert images.sum() * (frame[0] / 32) ** 2 == pytest.approx(500, rel=1e-3)


def test_normalised_image_shows_the_form_and_not_the_size():
    rows, columns = np.mgrid[:160, :160] - 80
    ellipses = np.stack([(np.hypot(rows / 1.0, columns / 0.6) <= r) for r in (15, 30, 60)]).astype(float)
    spacing = np.array([0.9, 0.6, 0.5])
    images, frame = mid_slice_images(traced(ellipses), spacing, size=32, scale="normalised")
    assert np.abs(images[0] - images[2]).mean() < 0.01
    np.testing.assert_allclose(frame, 2 * np.array([15, 30, 60]) * spacing / FILL, rtol=0.04)
    in_mm, _ = mid_slice_images(traced(ellipses), spacing, size=32, field_of_view_mm=64.0)
    assert in_mm[2].sum() > 4 * in_mm[0].sum()


def test_every_real_nodule_fits_the_default_frames_whole(lidc, grouped, agreed):
    nodule, number, pixels = agreed.slices()
    about = lidc.scans.loc[lidc.annotations["scan"].groupby(grouped).first()]
    spacing, between = about["pixel_spacing_mm"].to_numpy(), about["slice_spacing_mm"].to_numpy()
    cubes, frame = volumes(agreed, spacing, between, size=16)
    assert (frame == 80).all()
    drawn = cubes.sum((1, 2, 3), dtype=float) / 255 * 5.0**3
    volume = np.bincount(nodule, pixels) * spacing**2 * between
    # Coverage is kept in 1/255, which tells on nodules smaller than a voxel.
    np.testing.assert_allclose(drawn[volume > 100], volume[volume > 100], rtol=0.05)
    images, widths = mid_slice_images(agreed.outlines(nodule, number), spacing[nodule], size=16)
    np.testing.assert_allclose(images.sum((1, 2)) * (widths / 16) ** 2, pixels * spacing[nodule] ** 2, rtol=1e-3)
    largest = pixels == np.maximum.reduceat(pixels, np.flatnonzero(np.diff(nodule, prepend=-1)))[nodule]
    assert (widths[largest] == 56).all()


@pytest.fixture
def ball(sketch):
    """A ball of 10 mm radius: discs on slices 2.5 mm apart, pixels of 0.5 mm."""
    annotation = sketch.annotation(sketch.scan(spacing=0.5, thickness=2.5))
    angle = np.arange(400) * 2 * np.pi / 400
    for z in np.arange(-7.5, 8, 2.5):
        radius = np.sqrt(100 - z**2) / 0.5 + 0.5
        points = np.rint(np.stack([100 + radius * np.sin(angle), 200 + radius * np.cos(angle)], axis=1)).astype(int)
        sketch.contour(annotation, 25 + z, [tuple(p) for p in points.tolist()])
    return read_database(sketch.path)


@pytest.mark.parametrize("scale", ["millimetres", "normalised"])
def test_ball_becomes_a_ball_whatever_the_slices(ball, scale):
    consensus = consensus_masks(ball, group_annotations(ball))
    cubes, frame = volumes(consensus, np.array([0.5]), np.array([2.5]), size=32, scale=scale, field_of_view_mm=32.0)
    cube = cubes[0] / 255
    voxel = frame[0] / 32
    assert cube.sum() * voxel**3 == pytest.approx(
        sum(np.pi * (100 - z**2) for z in np.arange(-7.5, 8, 2.5)) * 2.5, rel=0.03
    )
    at = (np.arange(32) - 15.5) * voxel
    spread = [
        np.sqrt((cube.sum(tuple(i for i in range(3) if i != axis)) * at**2).sum() / cube.sum()) for axis in range(3)
    ]
    # A ball spreads by radius / sqrt(5) along each axis; fading over 2.5 mm adds a little across the slices.
    np.testing.assert_allclose(spread, 10 / np.sqrt(5), rtol=0.07)


def test_slices_of_a_volume_go_up_and_fade_into_each_other(sketch):
    annotation = sketch.annotation(sketch.scan(thickness=4.0))
    sketch.square(annotation, 8.0, 10, 10, 4)
    sketch.square(annotation, 12.0, 6, 6, 12)
    database = read_database(sketch.path)
    consensus = consensus_masks(database, group_annotations(database))
    cube = volumes(consensus, np.ones(1), np.array([4.0]), size=24, field_of_view_mm=24.0)[0][0] / 255
    areas = cube.sum((1, 2))
    assert areas.sum() == pytest.approx(4 * (16 + 144), rel=0.02)
    assert areas.argmax() > 10
    rising = areas[areas > 0][:5]
    assert (np.diff(rising) > 0).all()
    assert ((areas > 20) & (areas < 130)).sum() >= 3
