from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scan_phantoms import ELLIPSOID, LESIONS, PHANTOM, SPHERE
from scipy import ndimage

from pellucid.errors import DataError
from pellucid_ct.phantom import ORIENTATIONS, Phantom, PlantedLesion, oriented
from pellucid_ct.scans.crops import PADDING_HU, isotropic_crop, native_crops
from pellucid_ct.scans.geometry import Geometry
from pellucid_ct.scans.lesions import connected, find_lesions
from pellucid_ct.scans.volume import CtVolume, LesionMask

SPACINGS = ((2.0, 1.5, 1.5), (1.25, 0.9, 0.7), (3.0, 1.0, 1.0))


@pytest.fixture(scope="module", params=SPACINGS, ids=str)
def scanned(request):
    return PHANTOM.scan(request.param)


def random_scan(seed, shape=(5, 40, 44)):
    """A scan of noise with lumps of several sizes anywhere, at its edges too."""
    rng = np.random.default_rng(seed)
    lumps = ndimage.gaussian_filter(rng.normal(size=shape), (0.7, 3, 3))
    labels = np.zeros(shape, np.uint16)
    labels[lumps > np.quantile(lumps, 0.85)] = 1
    geometry = Geometry(shape, (2.0, 0.5, 0.8), (0.0, 0.0, 0.0), ORIENTATIONS["head first, on the back"])
    return CtVolume(rng.normal(size=shape).astype(np.float32), geometry, "s", "t"), connected(
        LesionMask(labels, geometry)
    )


# --- native -----------------------------------------------------------------------------------------------------------


def slow_native(hu, inside, size, least):
    """Pixel by pixel: at least `least` pixels; the middle of the box in the slice is pixel size // 2; none outside."""
    crops, slices, small, dropped = [], [], 0, 0
    for s in range(len(hu)):
        pixels = [(r, c) for r in range(hu.shape[1]) for c in range(hu.shape[2]) if inside[s, r, c]]
        if not pixels:
            continue
        if len(pixels) < least:
            small += 1
            continue
        rows, columns = [r for r, _ in pixels], [c for _, c in pixels]
        # 0.5 up: the pixel after the middle where the box is even.
        middle = [int(np.floor((min(v) + max(v)) / 2 + 0.5)) for v in (rows, columns)]
        first = [m - size // 2 for m in middle]
        if any(f < 0 or f + size > n for f, n in zip(first, hu.shape[1:], strict=True)):
            dropped += 1
            continue
        crops.append([[hu[s, first[0] + i, first[1] + j] for j in range(size)] for i in range(size)])
        slices.append(s)
    return np.array(crops).reshape(-1, size, size), slices, small, dropped


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("size", "least"), [(16, 8), (15, 8), (20, 60)])
def test_native_crops_are_those_of_the_rule_followed_pixel_by_pixel(seed, size, least):
    scan, mask = random_scan(seed)
    for lesion in find_lesions(scan, mask):
        crops = native_crops(scan, mask, lesion, size=size, least_pixels=least)
        expected, slices, small, dropped = slow_native(scan.hu, mask.labels == lesion.label, size, least)
        assert np.array_equal(crops.hu, expected.astype(np.float32))
        assert (crops.slices.tolist(), crops.small, crops.dropped) == (slices, small, dropped)
        assert crops.spacing_mm == (0.5, 0.8)
        shown = [mask.labels[s] == lesion.label for s in slices]
        assert all(crop.sum() <= plane.sum() for crop, plane in zip(crops.mask, shown, strict=True))
        values = zip(crops.hu, crops.mask, slices, strict=True)
        assert all(
            np.isin(hu[inside > 0], scan.hu[s][mask.labels[s] == lesion.label]).all() for hu, inside, s in values
        )


def test_small_dropped_and_kept_slices_all_occur_in_that_comparison():
    scans = [random_scan(seed) for seed in range(6)]
    found = [native_crops(s, m, lesion, size=16) for s, m in scans for lesion in find_lesions(s, m)]
    assert min(sum(len(c.slices) for c in found), sum(c.dropped for c in found), sum(c.small for c in found)) > 10


def test_the_largest_crop_that_fits_is_kept_and_one_pixel_further_it_is_dropped():
    scan, _ = random_scan(0, (1, 64, 65))
    for row, column, kept in ((32, 32, 1), (32, 33, 1), (31, 32, 0), (33, 32, 0), (32, 31, 0), (32, 34, 0)):
        labels = np.zeros(scan.hu.shape, np.uint16)
        labels[0, row - 1 : row + 2, column - 1 : column + 2] = 1
        mask = LesionMask(labels, scan.geometry)
        crops = native_crops(scan, mask, find_lesions(scan, mask)[0])
        assert (len(crops.hu), crops.dropped) == (kept, 1 - kept)
        assert all(crop[31:34, 31:34].sum() == crop.sum() == 9 for crop in crops.mask)


# --- isotropic --------------------------------------------------------------------------------------------------------


def reference(volume, centre_mm, offsets, order):
    """HU at places in the patient, by scipy's own interpolation."""
    where = volume.geometry.indices(np.asarray(centre_mm) + offsets)
    return ndimage.map_coordinates(volume.hu, np.moveaxis(where, -1, 0), order=order, mode="nearest")


def lines(size, spacing):
    return (np.arange(size) - (size - 1) / 2) * spacing


@pytest.mark.parametrize(("size", "spacing"), [(32, 1.0), (21, 0.6), (16, 2.5)])
def test_resampled_pixels_are_those_at_their_place_in_the_patient(scanned, size, spacing):
    scan, mask = scanned
    along = lines(size, spacing)
    z, y, x = np.meshgrid(along, along, along, indexing="ij")
    row, column = np.meshgrid(along, along, indexing="ij")
    flat = np.zeros_like(row)
    planes = {
        "axial": np.stack([column, row, flat], -1),
        "coronal": np.stack([column, flat, -row], -1),
        "sagittal": np.stack([flat, column, -row], -1),
    }
    for lesion in find_lesions(scan, mask)[:2]:
        cube = isotropic_crop(scan, mask, lesion, dimensions="3", size=size, spacing_mm=spacing)
        expected = reference(scan, lesion.centroid_mm, np.stack([x, y, z], -1), 1)
        assert cube.hu.shape == (1, size, size, size)
        assert np.abs(cube.hu[0] - expected).max() < 0.01
        three = isotropic_crop(scan, mask, lesion, dimensions="2.5", size=size, spacing_mm=spacing)
        assert three.hu.shape == (3, size, size)
        for channel, offsets in zip(three.hu, planes.values(), strict=True):
            assert np.abs(channel - reference(scan, lesion.centroid_mm, offsets, 1)).max() < 0.01
        one = isotropic_crop(scan, mask, lesion, dimensions="2", size=size, spacing_mm=spacing)
        assert np.array_equal(one.hu, three.hu[:1])
        assert np.array_equal(one.mask, three.mask[:1])
        assert one.hu.dtype == one.mask.dtype == np.float32


def test_a_crop_around_the_whole_lesion_keeps_its_volume_exactly(scanned):
    scan, mask = scanned
    for lesion in find_lesions(scan, mask):
        for size, spacing in ((40, 1.0), (51, 0.75), (16, 2.5)):
            cube = isotropic_crop(scan, mask, lesion, size=size, spacing_mm=spacing)
            assert cube.mask.sum(dtype=float) * spacing**3 == pytest.approx(lesion.volume_mm3, rel=1e-5)
            assert 0 <= cube.mask.min() <= cube.mask.max() <= 1 + 1e-6


def test_share_covered_is_that_of_fine_points_in_the_voxels_of_the_mask():
    scan, mask = random_scan(3, (6, 20, 24))
    lesion = find_lesions(scan, mask)[0]
    fine = lines(12 * 9, 1.3 / 9)
    z, y, x = np.meshgrid(fine, fine, fine, indexing="ij")
    where = np.rint(scan.geometry.indices(np.asarray(lesion.centroid_mm) + np.stack([x, y, z], -1))).astype(int)
    inside = ((where >= 0) & (where < mask.labels.shape)).all(-1)
    at = tuple(np.where(inside, axis, 0) for axis in np.moveaxis(where, -1, 0))
    hit = (inside & (mask.labels[at] == lesion.label)).reshape(12, 9, 12, 9, 12, 9).mean((1, 3, 5))
    crop = isotropic_crop(scan, mask, lesion, size=12, spacing_mm=1.3)
    assert np.abs(crop.mask[0] - hit).max() < 0.12
    assert np.abs(crop.mask[0] - hit).mean() < 0.01


@pytest.mark.parametrize("spacing", [1.0, 0.7, 1.5])
def test_planted_spheres_have_their_size_in_every_way_to_see_them(scanned, spacing):
    """Area and volume of the share covered within 8 %: that of a ball of 14 mm, cut through its middle."""
    scan, mask = scanned
    sphere = find_lesions(scan, mask)[0]
    cube = isotropic_crop(scan, mask, sphere, dimensions="3", size=32, spacing_mm=spacing)
    assert cube.mask.sum() * spacing**3 == pytest.approx(SPHERE.volume_mm3, rel=0.08)
    planes = isotropic_crop(scan, mask, sphere, dimensions="2.5", size=32, spacing_mm=spacing)
    for channel in planes.mask:
        assert channel.sum() * spacing**2 == pytest.approx(np.pi * 49, rel=0.08)
        for axis in (0, 1):
            assert channel.any(axis).sum() * spacing == pytest.approx(
                14, abs=2 * max(spacing, *scan.geometry.spacing_mm)
            )
    ellipsoid = isotropic_crop(scan, mask, find_lesions(scan, mask)[1], dimensions="2.5", size=32, spacing_mm=spacing)
    x, y, z = ELLIPSOID.radii_mm
    slices = scan.geometry.spacing_mm[0]
    for channel, area, thick in zip(ellipsoid.mask, (x * y, x * z, y * z), (0, slices, slices), strict=True):
        # Across slices the lesion is five of 2 mm or three to four of 3 mm high: half a slice of 10 mm is missed or gained.
        assert channel.sum() * spacing**2 == pytest.approx(np.pi * area, rel=0.09 + thick / 20)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_crops_are_the_same_however_the_scan_was_made(orientation):
    scan, mask = PHANTOM.scan((3.0, 2.0, 2.0))
    turned, drawn = oriented(scan, mask, orientation)
    for lesion in find_lesions(scan, mask):
        for dimensions in ("2", "2.5", "3"):
            one = isotropic_crop(scan, mask, lesion, dimensions=dimensions, size=16)
            other = isotropic_crop(turned, drawn, lesion, dimensions=dimensions, size=16)
            assert np.array_equal(one.hu, other.hu)
            assert np.array_equal(one.mask, other.mask)
        one, other = (native_crops(v, m, lesion, size=16) for v, m in ((scan, mask), (turned, drawn)))
        assert np.array_equal(one.hu, other.hu)
        assert np.array_equal(one.slices, other.slices)


def test_pictures_hang_as_radiologists_hang_them():
    """A mark above, one in front and one on the patient's left of a lesion stand where a viewer shows them."""
    lesion = PlantedLesion((-29.0, 0.0, 0.0), (3.0, 3.0, 3.0))
    marks = [PlantedLesion(place, (2.0, 2.0, 2.0), hu=1000) for place in ((-29, 0, 10), (-29, -10, 0), (-19, 0, 0))]
    scan, mask = Phantom((lesion, *marks)).scan((1.0, 1.0, 1.0))
    found = find_lesions(scan, mask, labels=(1,))[0]
    axial, coronal, sagittal = isotropic_crop(scan, mask, found, dimensions="2.5", size=31).hu
    assert axial[5, 15] > 500, "front is up"
    assert axial[15, 25] > 500, "left of the patient is right in the picture"
    assert coronal[5, 15] > 500, "head is up"
    assert coronal[15, 25] > 500, "left of the patient is right in the picture"
    assert sagittal[5, 15] > 500, "head is up"
    assert sagittal[15, 5] > 500, "front is left"
    cube = isotropic_crop(scan, mask, found, size=31).hu[0]
    assert [cube[at] > 500 for at in ((25, 15, 15), (15, 5, 15), (15, 15, 25))] == [True] * 3


def test_beyond_the_scan_stands_air_and_is_counted():
    scan, _ = random_scan(1, (8, 16, 16))
    scan = replace(
        scan, geometry=replace(scan.geometry, spacing_mm=(1.0, 1.0, 1.0)), hu=np.full((8, 16, 16), 50, np.float32)
    )
    labels = np.zeros((8, 16, 16), np.uint16)
    labels[0, 0, 0] = 1
    mask = LesionMask(labels, scan.geometry)
    lesion = find_lesions(scan, mask)[0]
    cube = isotropic_crop(scan, mask, lesion, size=5)
    # Of five voxels along each axis the first two lie outside.
    inside = np.zeros((5, 5, 5), bool)
    inside[2:, 2:, 2:] = True
    assert np.array_equal(cube.hu[0] == 50, inside)
    assert set(cube.hu[0][~inside]) == {PADDING_HU}
    assert cube.padded == pytest.approx(1 - 27 / 125)
    assert cube.mask.sum() == cube.mask[0, 2, 2, 2] == 1
    # Half a voxel beyond the outermost centres still belongs to the scan.
    even = isotropic_crop(scan, mask, lesion, size=2, padding_hu=-2000)
    assert (even.hu == 50).all()
    assert even.padded == 0
    assert isotropic_crop(scan, mask, lesion, size=4, padding_hu=-2000).hu.min() == -2000


@pytest.mark.parametrize("corner", [(0, 0, 0), (4, 39, 43), (4, 0, 43)])
def test_up_to_the_edge_of_the_scan_pixels_are_those_at_their_place(corner):
    scan, mask = random_scan(2)
    labels = np.zeros(mask.labels.shape, np.uint16)
    labels[corner] = 1
    mask = replace(mask, labels=labels)
    lesion = find_lesions(scan, mask)[0]
    cube = isotropic_crop(scan, mask, lesion, size=24, spacing_mm=0.45)
    along = lines(24, 0.45)
    z, y, x = np.meshgrid(along, along, along, indexing="ij")
    offsets = np.stack([x, y, z], -1)
    where = scan.geometry.indices(np.asarray(lesion.centroid_mm) + offsets)
    inside = ((where >= -0.5) & (where <= np.array(scan.hu.shape) - 0.5)).all(-1)
    expected = np.where(inside, reference(scan, lesion.centroid_mm, offsets, 1), PADDING_HU)
    assert np.abs(cube.hu[0] - expected).max() < 1e-3
    assert cube.padded == pytest.approx(1 - inside.mean())
    assert 0 < inside.mean() < 1
    assert cube.mask.sum() * 0.45**3 == pytest.approx(scan.geometry.voxel_mm3, rel=1e-5)


def test_a_crop_costs_what_it_covers_not_what_the_scan_does():
    """Only the voxels around the lesion are read: the rest may as well be missing."""
    scan, mask = PHANTOM.scan((2.0, 1.5, 1.5))
    lesion = find_lesions(scan, mask)[0]
    whole = isotropic_crop(scan, mask, lesion, size=24)
    hu = np.full_like(scan.hu, np.nan)
    near = (
        np.abs(scan.geometry.positions_mm(np.moveaxis(np.indices(hu.shape), 0, -1)) - lesion.centroid_mm).max(-1) < 14
    )
    hu[near] = scan.hu[near]
    assert np.array_equal(isotropic_crop(replace(scan, hu=hu), mask, lesion, size=24).hu, whole.hu)


def test_other_lesions_do_not_stand_in_the_mask():
    scan, mask = PHANTOM.scan((2.0, 1.5, 1.5))
    lesion = find_lesions(scan, mask)[0]
    alone = replace(mask, labels=np.where(mask.labels == 1, mask.labels, 0))
    assert (isotropic_crop(scan, mask, lesion, size=80).mask == isotropic_crop(scan, alone, lesion, size=80).mask).all()
    assert len(LESIONS) == mask.labels.max()


def test_impossible_settings_and_other_grids_are_refused():
    scan, mask = random_scan(0)
    lesion = find_lesions(scan, mask)[0]
    with pytest.raises(DataError, match=r"dimensions is '4', expected '2', '2.5' or '3'"):
        isotropic_crop(scan, mask, lesion, dimensions="4")
    for wrong in ({"size": 0}, {"spacing_mm": 0.0}, {"spacing_mm": float("nan")}):
        with pytest.raises(DataError, match="expected both above 0"):
            isotropic_crop(scan, mask, lesion, **wrong)
    other = LesionMask(mask.labels, replace(mask.geometry, spacing_mm=(2.0, 0.5, 0.9)))
    for crop in (isotropic_crop, native_crops):
        with pytest.raises(DataError, match=r"column spacing 0.9 mm against 0.8 mm"):
            crop(scan, other, lesion)
