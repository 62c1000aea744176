from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from pellucid_ct.lidc.crops.grids import Stack, cube, mid_slice, mid_slice_as_it_is, planes, voxel_weights

RADIUS_MM = 8.0


def ball(
    *,
    pixel_mm: float = 0.6,
    z_mm: np.ndarray | None = None,
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    half_axes: tuple[float, float, float] = (RADIUS_MM,) * 3,
    thickness_mm: float = 1.0,
) -> Stack:
    """A ball or ellipsoid in crops; its grey level rises by 5 a mm along z and by 3 along rows."""
    z = np.arange(-10, 10.1, thickness_mm) if z_mm is None else z_mm
    place = (np.arange(64) - 31.5) * pixel_mm
    at = np.meshgrid(z, place, place, indexing="ij")
    inside = sum(((a - c) / h) ** 2 for a, c, h in zip(at, centre_mm, half_axes, strict=True)) <= 1
    grey = np.where(inside, np.rint(120 + 5 * at[0] + 3 * at[1]), 0).astype(np.uint8)
    some = inside.any((1, 2))
    return Stack.of(grey[some], z[some], pixel_mm, thickness_mm)


def measured(coverage: np.ndarray, spacing: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Volume in mm3, centre in mm from the middle of the grid, and spread along each axis in mm."""
    around = (np.arange(coverage.shape[0]) - (coverage.shape[0] - 1) / 2) * spacing
    at = np.stack(np.meshgrid(*[around] * 3, indexing="ij"), -1)
    weight = coverage[..., None] / coverage.sum()
    centre = (weight * at).sum((0, 1, 2))
    return coverage.sum() * spacing**3, centre, np.sqrt((weight * (at - centre) ** 2).sum((0, 1, 2)))


@pytest.mark.parametrize("pixel_mm", [0.5, 0.8])
@pytest.mark.parametrize("thickness_mm", [0.625, 1.25, 2.5])
@pytest.mark.parametrize("spacing", [0.7, 1.0])
def test_a_ball_stays_a_ball_of_its_volume_whatever_the_scanner(pixel_mm, thickness_mm, spacing):
    _, coverage = cube(ball(pixel_mm=pixel_mm, thickness_mm=thickness_mm), 32, spacing)
    volume, centre, spread = measured(coverage, spacing)
    assert volume == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3, rel=0.03)
    assert np.abs(centre).max() < 0.15
    # A ball's spread along an axis is its radius by the root of five.
    assert spread == pytest.approx([RADIUS_MM / 5**0.5] * 3, rel=0.06)


def test_axes_keep_their_names():
    stack = ball(half_axes=(9.0, 6.0, 4.0), centre_mm=(0.5, 2.0, -3.0))
    _, coverage = cube(stack, 32, 1.0)
    _, centre, spread = measured(coverage, 1.0)
    assert spread * 5**0.5 == pytest.approx([9, 6, 4], rel=0.05)
    assert np.abs(centre).max() < 0.1


def test_pixels_inside_are_those_of_the_tissue_and_never_mixed_with_the_outside():
    stack = ball(centre_mm=(1.0, -2.0, 0.0))
    pixels, coverage = cube(stack, 40, 0.5)
    around = (np.arange(40) - 19.5) * 0.5
    at = np.meshgrid(*[around + c for c in (1.0, -2.0, 0.0)], indexing="ij")
    expected = 120 + 5 * at[0] + 3 * at[1]
    inside = coverage >= 0.5
    assert np.abs(pixels - expected)[inside].max() < 4
    assert (pixels[~inside] == 0).all()


def test_voxels_are_means_of_what_scipy_interpolates_where_slices_are_unevenly_spaced():
    stack = ball(z_mm=np.array([-6.0, -5.0, -2.5, 0.0, 0.7, 3.0, 4.0]))
    _, coverage = cube(stack, 20, 0.9)
    padded = np.pad(stack.mask.astype(float), 1)
    steps = (stack.step_mm, 0.6, 0.6)
    axes = [np.concatenate([[a[0] - s], a, [a[-1] + s]]) for a, s in zip(stack.axes_mm, steps, strict=True)]
    peer = RegularGridInterpolator(axes, padded, bounds_error=False, fill_value=0.0)
    # Six points a voxel along each axis stand for the mean over it.
    around = (np.arange(120) - 59.5) * 0.15
    grid = np.stack(np.meshgrid(*[c + around for c in stack.centre_mm], indexing="ij"), -1)
    mean = peer(grid).reshape(20, 6, 20, 6, 20, 6).mean((1, 3, 5))
    assert coverage == pytest.approx(mean, abs=0.02)


def test_a_hole_of_dark_tissue_belongs_to_the_nodule():
    grey = np.zeros((1, 64, 64), np.uint8)
    grey[0, 20:40, 20:40] = 200
    grey[0, 28:31, 28:31] = 0
    stack = Stack.of(grey, np.zeros(1), 1.0, 2.0)
    assert stack.mask.sum() == 400
    pixels, coverage = mid_slice_as_it_is(stack, 64)
    assert coverage.sum() == 400
    assert (pixels[0, 28:31, 28:31] == 0).all()


def test_parts_of_a_nodule_at_one_height_are_put_together():
    left, right = np.zeros((2, 64, 64), np.uint8)
    left[10:20, 10:20], right[30:40, 30:45] = 90, 80
    stack = Stack.of(np.stack([left, left, right]), np.array([0.0, 1.5, 1.5]), 1.0, 1.0)
    assert stack.mask.sum((1, 2)).tolist() == [100, 250]
    assert stack.step_mm == 1.5


def test_one_slice_is_as_thick_as_the_scanner_says():
    grey = np.zeros((1, 64, 64), np.uint8)
    grey[0, 20:40, 20:40] = 200
    _, coverage = cube(Stack.of(grey, np.array([5.0]), 1.0, 3.0), 48, 0.5)
    assert coverage.sum() * 0.5**3 == pytest.approx(400 * 3.0, rel=0.02)
    # A slice ends half its thickness above and below.
    assert (coverage >= 0.5).any((1, 2)).sum() * 0.5 == pytest.approx(3.0, abs=0.5)


def test_planes_go_through_the_centre_each_with_its_own_axes():
    stack = ball(half_axes=(9.0, 6.0, 4.0), centre_mm=(0.5, 2.0, -3.0))
    _, coverage = planes(stack, 48, 0.5)
    area = coverage.sum((1, 2)) * 0.25
    assert area == pytest.approx([np.pi * 6 * 4, np.pi * 9 * 4, np.pi * 9 * 6], rel=0.04)
    rows, columns = coverage.any(2).sum(1), coverage.any(1).sum(1)
    assert rows * 0.5 == pytest.approx([12, 18, 18], abs=1.5)
    assert columns * 0.5 == pytest.approx([8, 8, 12], abs=1.5)


def test_the_largest_slice_is_shown_at_one_scale():
    fine, coarse = (mid_slice(ball(pixel_mm=mm), 40, 0.5)[1][0] for mm in (0.5, 0.8))
    assert fine.sum() * 0.25 == pytest.approx(np.pi * RADIUS_MM**2, rel=0.03)
    assert coarse.sum() == pytest.approx(fine.sum(), rel=0.03)
    assert np.abs(fine - coarse).mean() < 0.03


def test_of_equal_slices_the_one_nearest_to_the_middle_is_shown():
    grey = np.zeros((5, 64, 64), np.uint8)
    grey[:, 30:34, 30:34] = 100
    grey[[1, 2, 4], 28, 28] = 100
    assert Stack.of(grey, np.arange(5.0), 1.0, 1.0).largest == 2


@pytest.mark.parametrize("size", [32, 64, 65, 80])
def test_native_pixels_are_cut_or_padded_about_the_middle(size):
    grey = np.zeros((1, 64, 64), np.uint8)
    grey[0, 30:34, 29:35] = 7
    pixels, coverage = mid_slice_as_it_is(Stack.of(grey, np.zeros(1), 0.7, 1.0), size)
    assert pixels.shape == (1, size, size)
    assert pixels.sum() == 7 * 24
    assert coverage.sum() == 24
    where = np.argwhere(coverage[0]).mean(0)
    assert np.abs(where - (size - 1) / 2).max() <= 0.5


@pytest.mark.parametrize("width", [0.0, 0.4, 1.7])
def test_weights_add_up_to_one_between_samples_and_give_straight_lines_back(width):
    positions = np.array([0.0, 0.7, 2.0, 2.1, 4.0])
    at = np.linspace(1.0, 3.0, 50)
    weights = voxel_weights(at, positions, 1.0, width)
    assert weights.sum(1) == pytest.approx(np.ones(50))
    assert weights @ positions == pytest.approx(at)


def test_no_matter_is_lost_between_voxels():
    positions = np.array([0.0, 0.6, 1.2, 3.0])
    at = (np.arange(20) - 8.3) * 1.1
    total = voxel_weights(at, positions, 0.6, 1.1).sum(0) * 1.1
    assert total == pytest.approx([0.6, 0.6, 1.2, 1.2])
