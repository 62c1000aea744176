from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from crop_folder import Written, disc, two_patients
from scipy.ndimage import binary_fill_holes

from pellucid.data import pseudonym
from pellucid.errors import DataError, LeakageError, StudyError
from pellucid.opening import dataset
from pellucid.testing.real_data import real_data
from pellucid_ct.lidc.crops.dataset import CONCEPT_NAMES, LidcCrops, LidcCropsConfig
from pellucid_ct.lidc.shapes.dataset import LidcShapes


def crops(path, **options) -> LidcCrops:
    return LidcCrops(LidcCropsConfig(**options), path)


@pytest.fixture
def folder(tmp_path):
    return two_patients(tmp_path / "crops").write()


@pytest.fixture(scope="session")
def real():
    return LidcCrops(None, real_data("ct", "lidc_solid_nodules"))


@pytest.fixture(scope="session")
def table():
    return pd.read_csv(real_data("ct", "lidc_solid_nodules") / "nodules.csv")


# --- small folders ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shape", "channels"),
    [
        ({}, (1, 32, 32, 32), ("pixels",)),
        ({"dimensions": "2", "size": 24}, (1, 24, 24), ("pixels",)),
        ({"dimensions": "2", "spacing_mm": "native", "size": 64}, (1, 64, 64), ("pixels",)),
        ({"dimensions": "2.5", "size": 40, "spacing_mm": 0.5}, (3, 40, 40), ("axial", "coronal", "sagittal")),
    ],
)
def test_a_nodule_is_seen_in_each_way_that_is_offered(folder, options, shape, channels):
    data = crops(folder, **options)
    arrays = data.read(np.array([1, 0]))
    assert data.spec.inputs["pixels"].channels == channels
    for values in arrays.inputs.values():
        assert values.shape == (2, *shape)
        assert values.dtype == np.float32
    grey, mask = arrays.inputs["pixels"], arrays.inputs["mask"]
    assert set(np.unique(grey)) == {0, 200}
    assert ((grey == 200) == (mask >= 0.5)).all()
    # The first that was asked for is the larger one.
    assert mask[0].sum() > 1.3 * mask[1].sum()


def test_native_pixels_and_spacing_are_left_as_they_are(tmp_path):
    made = Written(tmp_path / "crops")
    made.nodule([disc(5), disc(9, grey=77)], pixel_spacing_mm=0.55)
    made.nodule([disc(4)])
    data = crops(made.write(), dimensions="2", spacing_mm="native", size=64)
    assert np.array_equal(data[0].inputs["pixels"][0], disc(9, grey=77))
    assert data.spec.inputs["pixels"].spacing_mm is None


def test_native_slices_are_no_volume(folder):
    with pytest.raises(StudyError, match="goes with dimensions"):
        dataset("ct/lidc-crops", folder, spacing_mm="native")


def test_the_frame_needs_no_pixels(folder, monkeypatch):
    def fail(*_):
        raise AssertionError("pixels were read")

    monkeypatch.setattr("pellucid_ct.lidc.crops.files.read_pixels", fail)
    data = crops(folder)
    assert data.frame["malignant-vs-benign"].tolist() == [0, 1]
    with pytest.raises(AssertionError, match="pixels were read"):
        data.read(np.array([0]))


def test_a_nodule_without_a_pixel_is_named_by_its_line(tmp_path):
    made = two_patients(tmp_path / "crops")
    made.nodule([np.zeros((64, 64), np.uint8)] * 2)
    data = crops(made.write())
    data.read(np.array([0, 1]))
    with pytest.raises(
        DataError, match=r"slices.npz: the nodule of nodules.csv, line 4, has no pixel above 0 in its 2"
    ):
        data.read(np.array([2]))


def test_neither_patients_nor_keys_of_public_tables_leave_the_loader(folder):
    data = crops(folder)
    shown = data.frame.to_csv() + data.spec.model_dump_json() + str(data[0])
    for number in range(2):
        for key in (f"NAMED-{number:04d}", str(900_000 + number), str(800_000 + number)):
            assert key not in shown
    assert data.frame["subject"].tolist() == [pseudonym(f"NAMED-{n:04d}", "lidc-idri") for n in range(2)]


def test_a_nodule_keeps_its_name_in_a_folder_of_others(tmp_path, folder):
    other = Written(tmp_path / "other")
    other.nodule([disc(3)], number=5, pylidc_annotation_id=7)
    other.nodule([disc(9)], number=9, pylidc_annotation_id=800_001, lidc_patient_id="NAMED-0001", label=1)
    mine, its = crops(folder), crops(other.write())
    assert its.frame.index[1] == mine.frame.index[1]
    assert its.frame.index[0] not in mine.frame.index


def test_slice_distance_is_that_of_the_positions_and_else_the_thickness(tmp_path):
    made = Written(tmp_path / "crops")
    made.nodule([disc(5)] * 3, z_mm=[0.0, -0.6, -1.2], slice_thickness_mm=1.25)
    made.nodule([disc(5)], slice_thickness_mm=1.25)
    made.nodule([disc(5)] * 2, z_mm=["", ""], slice_thickness_mm=2.5)
    data = crops(made.write())
    assert data.frame["slice_spacing_mm"].tolist() == pytest.approx([0.6, 1.25, 2.5])
    volume = data.read(np.arange(3)).inputs["mask"].sum((1, 2, 3, 4))
    assert volume == pytest.approx(disc(5, grey=1).sum() * np.array([1.8, 1.25, 5.0]), rel=0.03)


def test_the_second_label_is_the_readers_mean_and_leaves_out_the_undecided(tmp_path):
    made = Written(tmp_path / "crops")
    for mean in (2.9, 3.0, 3.25):
        made.nodule([disc(5)], mean_malignancy=mean)
    labels = crops(made.write()).target_values("malignant-by-all-readers")[:, 0]
    assert np.array_equal(labels, [0, np.nan, 1], equal_nan=True)


def test_the_rating_that_makes_the_label_is_no_concept_of_it(folder):
    data = crops(folder)
    assert data.spec.concepts.names == CONCEPT_NAMES
    for target in data.spec.targets:
        assert "malignancy" not in data.labelled("malignant-vs-benign").spec.asked(target).concepts.names
    assert len(data.labelled("malignant-vs-benign").spec.concepts.names) == 8


def test_readers_of_an_unknown_annotation_are_not_known_to_disagree(folder):
    assert np.isnan(crops(folder).concept_disagreement()).all()


def test_an_annotation_of_another_patient_is_not_looked_up(tmp_path):
    made = Written(tmp_path / "crops")
    # Annotations 100 and 101 of the public database: scan 14, LIDC-IDRI-0003, four readers each.
    made.nodule([disc(5)], lidc_patient_id="LIDC-IDRI-0003", pylidc_scan_id=14, pylidc_annotation_id=100)
    made.nodule([disc(5)], lidc_patient_id="LIDC-IDRI-0004", pylidc_scan_id=14, pylidc_annotation_id=101)
    deviation = crops(made.write()).concept_disagreement()
    assert np.isfinite(deviation[0]).all()
    assert np.isnan(deviation[1]).all()


# --- the real folder --------------------------------------------------------------------------------------------------


def test_every_nodule_and_patient_is_there(real, table):
    assert len(real) == len(table)
    assert real.frame["subject"].nunique() == table["lidc_patient_id"].nunique()
    assert real.frame["malignant-vs-benign"].tolist() == table["label"].tolist()


def test_drawn_volumes_are_those_that_pylidc_measured(real, table):
    found = real.read(np.arange(len(real))).inputs["mask"].sum((1, 2, 3, 4))
    ratio = found / table["volume_mm3"].to_numpy()
    # Contours of eleven nodules match few slices; eight reach out of 32 mm.
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert (np.abs(ratio - 1) < 0.05).mean() > 0.9


def test_mean_grey_levels_are_those_of_the_stored_slices(real, table):
    folder = real_data("ct", "lidc_solid_nodules")
    slices = pd.read_csv(folder / "slices.csv")
    with np.load(folder / "slices.npz") as stored:
        pixels = stored["pixels"]
    arrays = real.read(np.arange(60))
    for at in range(60):
        own = pixels[slices.loc[slices["nodule"] == table["nodule"][at], "slice"]]
        inside = np.stack([binary_fill_holes(one > 0) for one in own])
        drawn = arrays.inputs["pixels"][at][arrays.inputs["mask"][at] >= 0.5]
        assert drawn.mean() == pytest.approx(own[inside].mean(), abs=12)


def test_disagreement_is_that_of_the_malignancy_ratings_in_the_file(real, table):
    own = table["malignancy_all_readers"].str.split().map(lambda readers: np.std([int(r) for r in readers]))
    several = (table["n_readers"] > 1).to_numpy()
    found = real.concept_disagreement()[:, CONCEPT_NAMES.index("malignancy")]
    known = np.isfinite(found)
    # Where neighbours were taken for one nodule the two groupings differ.
    assert known.sum() >= several.sum() - 5
    assert (np.abs(found - own)[known & several] < 1e-6).mean() > 0.97


def test_the_same_patients_are_known_to_the_drawn_shapes(real):
    shapes = LidcShapes()
    shared = real.learned_from.shared_with(shapes.learned_from)
    assert shared["subject"] == real.frame["subject"].nunique()
    with pytest.raises(LeakageError, match="subjects it has learnt from"):
        shapes.learned_from.refuse(real.learned_from, part="a model of shapes")


def test_a_second_folder_of_other_patients_reads_alike(real, table, tmp_path):
    folder = real_data("ct", "lidc_solid_nodules")
    chosen = table[table["lidc_patient_id"].isin(table["lidc_patient_id"].unique()[::4])]
    slices = pd.read_csv(folder / "slices.csv")
    mine = slices[slices["nodule"].isin(chosen["nodule"])]
    renumbered = dict(zip(chosen["nodule"], range(len(chosen)), strict=True))
    with np.load(folder / "slices.npz") as stored:
        pixels = stored["pixels"][mine["slice"]]
    chosen.assign(nodule=chosen["nodule"].map(renumbered)).to_csv(tmp_path / "nodules.csv", index=False)
    mine.assign(nodule=mine["nodule"].map(renumbered), slice=np.arange(len(mine))).to_csv(
        tmp_path / "slices.csv", index=False
    )
    np.savez_compressed(tmp_path / "slices.npz", pixels=pixels)
    other = LidcCrops(None, tmp_path)
    at = real.frame.index.get_indexer(other.frame.index)
    pd.testing.assert_frame_equal(other.frame, real.frame.iloc[at])
    for name, values in other.read(np.arange(20)).inputs.items():
        assert np.array_equal(values, real.read(at[:20]).inputs[name])
    # The array of all nodules will do as well, with the numbers of its slices.
    shutil.copy(folder / "slices.npz", tmp_path / "slices.npz")
    mine.assign(nodule=mine["nodule"].map(renumbered)).to_csv(tmp_path / "slices.csv", index=False)
    again = LidcCrops(None, tmp_path).read(np.arange(5)).inputs["pixels"]
    assert np.array_equal(again, other.read(np.arange(5)).inputs["pixels"])
