from __future__ import annotations

import numpy as np
import pandas as pd
import pydicom
import pytest
from scan_phantoms import ELLIPSOID, LESIONS, PHANTOM, SPHERE, SPIKY

from pellucid.errors import DataError
from pellucid_ct.phantom import ORIENTATIONS, DicomStyle, Phantom, PlantedLesion, oriented, write_cohort, write_series
from pellucid_ct.scans.opening import open_mask, open_scan


@pytest.mark.parametrize("lesion", LESIONS, ids=("sphere", "ellipsoid", "spiky"))
def test_volume_in_truth_is_that_of_points_thrown_at_the_lesion(lesion):
    rng = np.random.default_rng(0)
    side = 2 * lesion.reach_mm
    points = rng.uniform(-0.5, 0.5, (400_000, 3)) * side + lesion.centre_mm
    assert lesion.inside(points).mean() * side**3 == pytest.approx(lesion.volume_mm3, rel=0.01)


def test_longest_diameter_in_truth_is_that_of_a_fine_drawing_of_each_plane():
    at = np.arange(-9, 9.01, 0.15)
    longest = 0.0
    for z in np.arange(-9, 9.01, 0.3):
        plane = np.stack([*np.meshgrid(at, at), np.full((len(at), len(at)), z)], axis=-1)
        inside = np.argwhere(SPIKY.inside(plane + SPIKY.centre_mm)) * 0.15
        for turn in np.linspace(0, np.pi, 90):
            along = inside @ [np.sin(turn), np.cos(turn)]
            longest = max(longest, np.ptp(along) if len(along) else 0)
    assert SPIKY.diameter_mm == pytest.approx(longest, abs=0.3)
    assert (SPHERE.diameter_mm, ELLIPSOID.diameter_mm) == (14, 18)
    assert PlantedLesion((0.0, 0.0, 0.0), (2.0, 3.0, 5.0)).diameter_mm == 6


def test_spikes_stand_out_as_far_and_as_wide_as_planted():
    """A ball of 6 mm with 14 cones of 3 mm: their tips reach 9 mm, and between their feet the ball is left as it is."""
    ways = np.random.default_rng(0).normal(size=(20_000, 3)) * 5
    surface = SPIKY.surface_mm(ways)
    assert surface.min() == pytest.approx(6)
    assert surface.max() == pytest.approx(9, abs=0.15)
    # A cap of half angle 0.3 covers (1 - cos 0.3) / 2 of the sphere, and caps this far apart do not overlap.
    assert (surface > 6 + 1e-9).mean() == pytest.approx(14 * (1 - np.cos(0.3)) / 2, abs=0.01)
    assert SPIKY.inside(np.array([SPIKY.centre_mm])).all()


def test_edges_hold_the_mean_of_lesion_and_lung_and_hard_ones_do_not():
    phantom = Phantom((SPHERE,))
    soft, mask = phantom.scan((2.0, 1.5, 1.5))
    hard, centres = phantom.scan((2.0, 1.5, 1.5), oversampling=1)
    assert set(np.unique(hard.hu[centres.labels > 0])) == {40}
    assert set(np.unique(hard.hu[(centres.labels == 0) & (mask.labels == 0)])) <= set(np.unique(phantom.scan()[0].hu))
    rim = (soft.hu != hard.hu) & (mask.labels > 0)
    assert rim.any()
    assert ((soft.hu[rim] > -850) & (soft.hu[rim] < 40)).all()
    # What partial volume takes inside it gives outside: the total stays that of the lesion.
    added = (soft.hu - Phantom(()).scan((2.0, 1.5, 1.5))[0].hu).sum() * 2 * 1.5 * 1.5
    assert added == pytest.approx(890 * SPHERE.volume_mm3, rel=0.01)


def test_no_turn_or_mirror_image_of_the_chest_looks_like_another():
    scan, _ = Phantom(()).scan((4.0, 4.0, 4.0))
    pictures = [scan.hu]
    for turned in (scan.hu[::-1], scan.hu[:, ::-1], scan.hu[:, :, ::-1], scan.hu[:, ::-1, ::-1]):
        assert all(np.abs(turned - other).mean() > 10 for other in pictures)
        pictures.append(turned)


def test_texture_belongs_to_the_body_and_noise_to_the_scan():
    fine, _ = Phantom((), texture_hu=30, seed=3).scan((1.0, 1.0, 1.0))
    coarse, _ = Phantom((), texture_hu=30, seed=3).scan((3.0, 3.0, 3.0))
    lung = np.s_[15:25, 20:25, 12:16]
    same = fine.hu[1 + 46 : 1 + 76 : 3, 61:76:3, 37:49:3]
    at = coarse.geometry.positions_mm((15, 20, 12))
    k, j, i = np.rint(fine.geometry.indices(at)).astype(int)
    same = fine.hu[k : k + 30 : 3, j : j + 15 : 3, i : i + 12 : 3]
    assert np.abs(fine.geometry.positions_mm((k, j, i)) - at).max() < 0.51
    assert np.corrcoef(same.ravel(), coarse.hu[lung].ravel())[0, 1] > 0.8
    noisy = [Phantom((), noise_hu=20, seed=s).scan((4.0, 4.0, 4.0))[0].hu[5:10, 14:18, 5:12] for s in (0, 1)]
    assert np.std(noisy[0] - noisy[1]) == pytest.approx(20 * np.sqrt(2), rel=0.25)


def test_an_oriented_scan_is_the_same_body():
    scan, mask = PHANTOM.scan((4.0, 3.0, 3.0))
    for name in ORIENTATIONS:
        turned, on_it = oriented(scan, mask, name)
        assert turned.geometry.directions == ORIENTATIONS[name]
        assert np.array_equal(turned.canonical().hu, scan.hu)
        assert np.array_equal(on_it.on(scan).labels, mask.labels)


def test_a_series_says_how_the_patient_lay(tmp_path):
    told = {
        "head first, on the back": "HFS",
        "head first, on the back, downwards": "HFS",
        "head first, face down": "HFP",
        "feet first, on the back": "FFS",
        "feet first, face down": "FFP",
    }
    scan, mask = Phantom(()).scan((64.0, 48.0, 48.0))
    for name, position in told.items():
        (path, _) = write_series(tmp_path / name, oriented(scan, mask, name)[0], patient="P")
        assert pydicom.dcmread(path).PatientPosition == position


def test_what_does_not_fit_is_refused(tmp_path):
    scan, mask = Phantom(()).scan((8.0, 8.0, 8.0))
    with pytest.raises(DataError, match="do not fit into uint16"):
        write_series(tmp_path / "s", scan, patient="P", style=DicomStyle(intercept=0))
    assert not (tmp_path / "s").exists()
    with pytest.raises(DataError, match="no orientation 'upside down'; there are head first"):
        oriented(scan, mask, "upside down")
    with pytest.raises(DataError, match="leaves no voxel"):
        Phantom(()).scan((500.0, 1.0, 1.0))


def test_the_same_call_writes_the_same_series(tmp_path):
    scan, _ = PHANTOM.scan((8.0, 6.0, 6.0))
    for folder in ("a", "b"):
        write_series(tmp_path / folder, scan, patient="P", style=DicomStyle(shuffled=1))
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()
    }


def test_a_cohort_can_be_read_and_its_labels_follow_size_and_spikes(tmp_path):
    told = write_cohort(tmp_path, subjects=4, seed=1, spacing_mm=(3.0, 2.0, 2.0))
    cases = pd.read_csv(tmp_path / "cases.csv")
    assert list(cases) == ["case", "subject", "image", "mask", "lesion", "malignant"]
    assert cases["case"].is_unique
    for _, rows in told.groupby("image"):
        scan = open_scan(tmp_path / rows["image"].iloc[0], namespace="here", subject=rows["subject"].iloc[0])
        mask = open_mask(tmp_path / rows["mask"].iloc[0], scan)
        counts = np.bincount(mask.labels.ravel())
        assert np.flatnonzero(counts).tolist() == [0, *rows["lesion"]]
        assert counts[1:] * scan.geometry.voxel_mm3 == pytest.approx(rows["volume_mm3"].to_numpy(), rel=0.25)
    kinds = {
        (path.count(".nii.gz"), mask.count(".dcm")) for path, mask in zip(cases["image"], cases["mask"], strict=True)
    }
    assert kinds == {(1, 0), (0, 1)}


def test_labels_of_a_large_cohort_are_neither_chance_nor_certain(monkeypatch, tmp_path):
    from sklearn.metrics import roc_auc_score

    from pellucid_ct.phantom import cohort

    monkeypatch.setattr(cohort, "_write", lambda *_: ("image", "mask"))
    monkeypatch.setattr(PlantedLesion, "diameter_mm", property(lambda self: 2 * max(self.radii_mm) + self.spike_mm))
    told = write_cohort(tmp_path, subjects=250, seed=0)
    score = 0.5 * told["diameter_mm"] + 3 * told["spiculated"]
    assert 0.85 < roc_auc_score(told["malignant"], score) < 0.95
    assert 0.6 < roc_auc_score(told["malignant"], told["diameter_mm"]) < 0.9
    assert 0.3 < told["malignant"].mean() < 0.7
