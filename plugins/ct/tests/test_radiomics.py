from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from pellucid.batch import Batch
from pellucid.data.spec import Image, Volume
from pellucid.errors import StudyError
from pellucid.part import configured
from pellucid_ct.encoders.lesion_boxes import boxes
from pellucid_ct.encoders.lesion_shape import directions, surface
from pellucid_ct.encoders.radiomics import Radiomics, RadiomicsConfig


def radiomics(size: int = 40, spacing: float | None = 1.0, *, axes: int = 3, planes: int = 1, **options) -> Radiomics:
    kind = Volume if axes == 3 else Image
    mm = None if spacing is None else (spacing,) * axes
    shown = tuple(f"plane {n}" for n in range(planes))
    inputs = {
        "pixels": kind(channels=shown, size=(size,) * axes, spacing_mm=mm, units="HU"),
        "mask": kind(channels=tuple(f"mask {c}" for c in shown), size=(size,) * axes, spacing_mm=mm, units="share"),
    }
    return Radiomics(configured("encoder", "radiomics", RadiomicsConfig, options, inputs=inputs)).eval()


def measured(encoder: Radiomics, pixels: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    batch = Batch({"pixels": torch.tensor(pixels[None]).float(), "mask": torch.tensor(mask[None]).float()})
    values = encoder(batch).values[0].tolist()
    return {name.split(" (")[0]: value for name, value in zip(encoder.names, values, strict=True)}


def coordinates(size: int, spacing: float, axes: int = 3) -> np.ndarray:
    # Off the middle of the grid, as a lesion would be.
    at = (np.arange(size) - (size - 1) / 2 + 0.23) * spacing
    return np.stack(np.meshgrid(*[at] * axes, indexing="ij"))


def ellipsoid(half_axes: tuple[float, ...], size: int = 40, spacing: float = 1.0) -> np.ndarray:
    """Share of each voxel inside, by five points a voxel along each axis."""
    axes = len(half_axes)
    at = coordinates(size, spacing, axes)
    shifts = (np.arange(5) - 2) / 5 * spacing
    half = np.array(half_axes).reshape(-1, *[1] * axes)
    inside = [
        (((at + np.array(s).reshape(-1, *[1] * axes)) / half) ** 2).sum(0) <= 1
        for s in itertools.product(shifts, repeat=axes)
    ]
    return np.mean(inside, 0)[None]


def form_of(encoder: Radiomics, mask: np.ndarray) -> dict[str, float]:
    return measured(encoder, np.zeros_like(mask), mask)


# --- form -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [4.0, 8.0, 14.0])
@pytest.mark.parametrize("soft", [True, False])
def test_a_ball_has_the_form_of_a_ball(radius, soft):
    mask = ellipsoid((radius,) * 3)
    found = form_of(radiomics(), mask if soft else mask >= 0.5)
    assert found["log volume"] == pytest.approx(math.log(4 / 3 * math.pi * radius**3), abs=0.05)
    assert found["sphericity"] == pytest.approx(1, abs=0.03)
    assert found["surface to volume ratio"] == pytest.approx(3 / radius, rel=0.05)
    assert found["elongation"] == pytest.approx(1, abs=0.02)
    assert found["flatness"] == pytest.approx(1, abs=0.02)
    assert found["ellipsoid density"] == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize(("radius", "sphericity"), [(2.0, 1.06), (3.0, 1.025)])
def test_a_small_ball_comes_out_rounder_than_a_ball(radius, sphericity):
    assert form_of(radiomics(), ellipsoid((radius,) * 3))["sphericity"] == pytest.approx(sphericity, abs=0.015)


def spheroid_surface(long: float, short: float) -> float:
    e = math.sqrt(1 - (short / long) ** 2)
    return 2 * math.pi * short**2 * (1 + long / (short * e) * math.asin(e))


def test_a_spheroid_has_the_axes_and_the_surface_of_geometry():
    found = form_of(radiomics(), ellipsoid((14.0, 7.0, 7.0)))
    volume, area = 4 / 3 * math.pi * 14 * 49, spheroid_surface(14, 7)
    assert found["surface to volume ratio"] == pytest.approx(area / volume, rel=0.03)
    assert found["sphericity"] == pytest.approx((36 * math.pi * volume**2) ** (1 / 3) / area, abs=0.02)
    assert found["elongation"] == pytest.approx(0.5, abs=0.01)
    assert found["flatness"] == pytest.approx(0.5, abs=0.01)
    assert found["ellipsoid density"] == pytest.approx(1, abs=0.02)


def test_axes_do_not_depend_on_which_way_a_lesion_lies():
    at = coordinates(48, 0.8)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = np.einsum("ij,j...->i...", turn, at)
    reach = np.sqrt(((turned / np.array([14.0, 9.0, 5.0]).reshape(3, 1, 1, 1)) ** 2).sum(0))
    mask = np.clip((1 - reach) * 9 + 0.5, 0, 1)[None]
    found = form_of(radiomics(48, 0.8), mask)
    assert found["elongation"] == pytest.approx(9 / 14, abs=0.02)
    assert found["flatness"] == pytest.approx(5 / 14, abs=0.03)
    # The surface of this ellipsoid by Thomsen's formula, which is right to about 1 %.
    a, b, c = 14.0, 9.0, 5.0
    area = 4 * math.pi * (((a * b) ** 1.6075 + (a * c) ** 1.6075 + (b * c) ** 1.6075) / 3) ** (1 / 1.6075)
    assert found["surface to volume ratio"] == pytest.approx(area / (4 / 3 * math.pi * a * b * c), rel=0.04)


def test_lobes_lower_sphericity_and_density():
    two = np.maximum(ellipsoid((6.0,) * 3), np.roll(ellipsoid((6.0,) * 3), 9, axis=1))
    one, lobed = form_of(radiomics(), ellipsoid((8.0, 7.0, 7.0))), form_of(radiomics(), two)
    assert lobed["sphericity"] < one["sphericity"] - 0.05
    assert lobed["ellipsoid density"] < one["ellipsoid density"] - 0.05


def test_spacing_is_a_scale_and_nothing_else():
    mask = ellipsoid((9.0, 7.0, 5.0))
    fine, coarse = form_of(radiomics(spacing=0.5), mask), form_of(radiomics(spacing=2.0), mask)
    assert coarse["log volume"] - fine["log volume"] == pytest.approx(3 * math.log(4), abs=1e-4)
    assert fine["surface to volume ratio"] / coarse["surface to volume ratio"] == pytest.approx(4, rel=1e-4)
    for name in ("sphericity", "elongation", "flatness", "ellipsoid density"):
        assert fine[name] == pytest.approx(coarse[name], abs=1e-5)


def test_in_the_plane_a_disc_is_round_and_a_square_is_less():
    disc = form_of(radiomics(axes=2), ellipsoid((9.0, 9.0)))
    assert disc["log area"] == pytest.approx(math.log(math.pi * 81), abs=0.02)
    assert disc["circularity"] == pytest.approx(1, abs=0.02)
    assert disc["perimeter to area ratio"] == pytest.approx(2 / 9, rel=0.03)
    found = form_of(radiomics(axes=2), tilted_box((10.0, 10.0)))
    # Lines in four directions see straight edges too short by up to 5 %.
    assert found["circularity"] == pytest.approx(math.sqrt(math.pi) / 2, abs=0.055)
    assert found["ellipse density"] == pytest.approx(3 / math.pi, abs=0.01)
    assert form_of(radiomics(axes=2), ellipsoid((12.0, 6.0)))["elongation"] == pytest.approx(0.5, abs=0.01)


def tilted_box(half: tuple[float, ...]) -> np.ndarray:
    """Share of each voxel inside a box that lies across the grid, by four points a voxel along each axis."""
    axes = len(half)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(axes, axes)))[0]
    at = coordinates(160, 0.25, axes)
    inside = (np.abs(np.einsum("ij,j...->i...", turn, at)) <= np.array(half).reshape(-1, *[1] * axes)).all(0)
    split = inside.reshape([n for _ in range(axes) for n in (40, 4)])
    return split.mean(tuple(range(1, 2 * axes, 2)))[None]


def test_a_cube_has_the_sphericity_of_a_cube():
    found = form_of(radiomics(), tilted_box((7.0, 7.0, 7.0)))
    assert found["log volume"] == pytest.approx(math.log(14**3), abs=0.01)
    assert found["sphericity"] == pytest.approx((math.pi / 6) ** (1 / 3), abs=0.04)


def test_the_surface_of_faces_along_the_grid_is_a_tenth_too_small_at_most():
    mask = torch.zeros(1, 40, 40, 40)
    mask[0, 10:30, 12:32, 8:28] = 1
    assert surface(mask, (1.0,) * 3).item() == pytest.approx(6 * 400, rel=0.1)


def test_crofton_counts_what_a_plain_loop_counts():
    rng = np.random.default_rng(3)
    mask = rng.random((5, 6, 4)).round(2)
    spacing = (1.5, 0.7, 1.0)
    padded = np.pad(mask, 1)
    total = 0.0
    half = [s for s in itertools.product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]
    for step, (length, share) in zip(half, directions(spacing), strict=True):
        assert length == pytest.approx(math.dist((0, 0, 0), np.multiply(step, spacing)))
        met = 0.0
        for place in np.ndindex(padded.shape):
            other = tuple(np.add(place, step))
            if all(0 <= o < n for o, n in zip(other, padded.shape, strict=True)):
                met += abs(padded[place] - padded[other])
        total += 2 * met * share * np.prod(spacing) / length
    found = surface(torch.tensor(mask[None]), spacing)
    assert found.item() == pytest.approx(total, rel=1e-6)


def test_directions_of_a_cubic_grid_have_the_known_weights():
    # Ohser and Muecklich: 0.0916, 0.0740 and 0.0704 for the axes, the diagonals of faces and those of the cube.
    shares = [share for _, share in directions((1.0, 1.0, 1.0))]
    lengths = [length for length, _ in directions((1.0, 1.0, 1.0))]
    for length, known in ((1.0, 0.0916), (2**0.5, 0.0740), (3**0.5, 0.0704)):
        mine = [s for s, n in zip(shares, lengths, strict=True) if n == pytest.approx(length)]
        assert mine == pytest.approx([known] * len(mine), abs=1e-3)
    assert sum(shares) == pytest.approx(1)


# --- intensities ------------------------------------------------------------------------------------------------------


def textured(axes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = ellipsoid((6.0, 5.0, 4.0)[:axes], size=16)
    return rng.gamma(2.0, 60.0, mask.shape) - 100, mask


def by_numpy(pixels: np.ndarray, mask: np.ndarray, bin_width: float, bright: float) -> dict[str, float]:
    inside = mask[0] >= 0.5
    x = pixels[0].astype(np.float32).astype(np.float64)
    v = x[inside]
    _, counts = np.unique(np.floor(v / bin_width), return_counts=True)
    square, inverse, rim = [], [], []
    for place in zip(*np.nonzero(inside), strict=True):
        faces = 0
        for step in itertools.product((-1, 0, 1), repeat=inside.ndim):
            other = tuple(np.add(place, step))
            there = all(0 <= o < n for o, n in zip(other, inside.shape, strict=True)) and inside[other]
            if np.abs(step).sum() == 1:
                faces += there
            if there and any(step):
                apart = abs(np.floor(x[place] / bin_width) - np.floor(x[other] / bin_width))
                square.append(apart**2)
                inverse.append(1 / (1 + apart))
        rim.append(faces < 2 * inside.ndim)
    rim = np.array(rim)
    return {
        "mean": v.mean(),
        "standard deviation": v.std(),
        "skewness": stats.skew(v),
        "10th percentile": np.percentile(v, 10),
        "90th percentile": np.percentile(v, 90),
        "entropy": stats.entropy(counts, base=2),
        "GLCM contrast": np.mean(square),
        "GLCM inverse difference": np.mean(inverse),
        "core minus rim": v[~rim].mean() - v[rim].mean(),
        "bright fraction": (v >= bright).mean(),
    }


@pytest.mark.parametrize("axes", [2, 3])
def test_intensities_are_described_as_numpy_and_scipy_do(axes):
    encoder = radiomics(16, axes=axes, bin_width=30.0, bright=90.0)
    for seed in range(3):
        pixels, mask = textured(axes, seed)
        found = measured(encoder, pixels, mask)
        expected = by_numpy(pixels, mask, 30.0, 90.0)
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=2e-4, abs=1e-5)


def test_the_dark_rim_of_a_lesion_that_fades_is_seen():
    at = coordinates(40, 1.0)
    distance = np.sqrt((at**2).sum(0))
    mask = (distance <= 9)[None].astype(float)
    sharp = measured(radiomics(), np.full_like(mask, 50.0), mask)
    faded = measured(radiomics(), 50.0 * np.clip((9 - distance[None]) / 4, 0, 1), mask)
    assert sharp["core minus rim"] == pytest.approx(0, abs=1e-4)
    assert faded["core minus rim"] > 10


def test_voxels_outside_have_no_influence_on_intensities():
    pixels, mask = textured(3)
    changed = np.where(mask >= 0.5, pixels, 3000.0)
    assert measured(radiomics(16), changed, mask) == measured(radiomics(16), pixels, mask)


# --- the encoder ------------------------------------------------------------------------------------------------------


def test_names_carry_units():
    names = radiomics(spacing=0.7).names
    assert names[0] == "log volume (ln mm3)"
    assert "mean (HU)" in names
    assert "sphericity" in names
    assert radiomics(axes=2, spacing=None).names[2] == "perimeter to area ratio (1/px)"


def test_several_planes_are_described_by_their_mean():
    one, two = textured(2, 0), textured(2, 1)
    apart = [measured(radiomics(16, axes=2), *plane) for plane in (one, two)]
    together = measured(
        radiomics(16, axes=2, planes=2), np.concatenate([one[0], two[0]]), np.concatenate([one[1], two[1]])
    )
    assert together == pytest.approx({name: (apart[0][name] + apart[1][name]) / 2 for name in together}, rel=1e-5)


def test_some_features_may_be_chosen_in_any_order():
    encoder = radiomics(16, features=("mean", "sphericity"))
    assert encoder.names == ("mean (HU)", "sphericity")
    pixels, mask = textured(3)
    every = measured(radiomics(16), pixels, mask)
    assert measured(encoder, pixels, mask) == {"mean": every["mean"], "sphericity": every["sphericity"]}
    with pytest.raises(StudyError, match="no feature 'sphericty'; did you mean 'sphericity'"):
        radiomics(16, features=("sphericty",))
    with pytest.raises(StudyError, match="no feature 'circularity'"):
        radiomics(16, features=("circularity",))


def test_where_there_is_no_lesion_the_training_mean_stands_in():
    encoder = radiomics(16)
    pixels, mask = (np.stack(many) for many in zip(*(textured(3, seed) for seed in range(3)), strict=True))
    batch = Batch({"pixels": torch.tensor(pixels).float(), "mask": torch.tensor(mask).float()})
    encoder.prepare([batch])
    empty = Batch({"pixels": torch.ones(1, 1, 16, 16, 16), "mask": torch.zeros(1, 1, 16, 16, 16)})
    assert torch.allclose(encoder(empty).values[0], encoder(batch).values.mean(0), rtol=1e-4)


def test_noise_in_the_empty_part_of_a_mask_makes_no_surface():
    pixels, mask = textured(3)
    noisy = np.clip(mask + np.random.default_rng(0).normal(0, 0.02, mask.shape), 0, 1)
    quiet, loud = (measured(radiomics(16), pixels, m) for m in (mask, noisy))
    assert loud["sphericity"] == pytest.approx(quiet["sphericity"], abs=0.03)


@pytest.mark.parametrize("corner", [(0, 0, 0), (30, 3, 17), (32, 32, 32)])
def test_where_in_the_grid_a_lesion_lies_is_no_matter(corner):
    pixels, mask = textured(3)
    small = mask[0] > 0
    lows, highs = zip(*((np.flatnonzero(small.any(o))[[0, -1]]) for o in ((1, 2), (0, 2), (0, 1))), strict=True)
    cut = (0, *(slice(low, high + 1) for low, high in zip(lows, highs, strict=True)))
    room = np.array([48 - (c.stop - c.start) for c in cut[1:]])
    start = np.minimum(corner, room)
    placed = []
    for values in (pixels, mask):
        grid = np.zeros((1, 48, 48, 48))
        grid[(0, *(slice(s, s + c.stop - c.start) for s, c in zip(start, cut[1:], strict=True)))] = values[cut]
        placed.append(grid)
    assert measured(radiomics(48), *placed) == pytest.approx(measured(radiomics(16), pixels, mask), rel=1e-4, abs=1e-5)


def test_boxes_hold_every_filled_voxel_of_every_sample():
    rng = np.random.default_rng(0)
    filled = torch.zeros(40, 20, 33, 17, dtype=torch.bool)
    for one in filled[1:]:
        low = [int(rng.integers(0, n)) for n in one.shape]
        high = [int(rng.integers(a, n)) + 1 for a, n in zip(low, one.shape, strict=True)]
        one[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    seen = {}
    for rows, (cut,) in boxes(filled, [filled]):
        seen.update(zip(rows.tolist(), cut.flatten(1).sum(1).tolist(), strict=True))
    assert seen == {at: int(filled[at].sum()) for at in range(1, 40)}


@pytest.mark.parametrize("inputs", [("pixels",), ("mask",), ("pixels", "pixels 2")])
def test_without_pixels_and_a_mask_it_says_what_to_write(inputs):
    spec = radiomics(16).config.inputs
    given = {name: spec[name.split(" ")[0]] for name in inputs}
    with pytest.raises(StudyError, match=r'write inputs = \["pixels", "mask"\]'):
        Radiomics(RadiomicsConfig(inputs=given))


def test_a_mask_of_another_grid_is_refused():
    inputs = {"pixels": radiomics(16).config.inputs["pixels"], "mask": radiomics(20).config.inputs["mask"]}
    with pytest.raises(StudyError, match="they must be one grid"):
        Radiomics(RadiomicsConfig(inputs=inputs))
