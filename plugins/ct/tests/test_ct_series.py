"""The dataset of one's own scans: planted lesions come through every way of storing them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import torch

import pellucid
from pellucid import plugins
from pellucid.batch import collate
from pellucid.errors import DataError, LeakageError, StudyError
from pellucid.part import configured
from pellucid_ct.cases.lesions import CtSeries, CtSeriesConfig
from pellucid_ct.phantom import Phantom, PlantedLesion, write_cohort, write_nifti, write_nifti_mask
from pellucid_ct.scans.opening import open_mask, open_scan

SMALL = CtSeriesConfig(size=24, spacing_mm=2.0, namespace="phantom", cache=False)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("cohort")
    return folder, write_cohort(folder, subjects=6, seed=1, spacing_mm=(1.5, 1.0, 1.0))


@pytest.fixture
def cohort(planted: tuple[Path, pd.DataFrame], tmp_path: Path) -> Path:
    return Path(shutil.copytree(planted[0], tmp_path / "cohort"))


def test_lesions_have_their_planted_size_and_label_by_dicom_and_by_nifti(planted):
    folder, truth = planted
    data = CtSeries(SMALL, folder)
    assert len(data) == len(truth)
    assert data.frame["malignant"].to_list() == truth["malignant"].to_list()
    smooth = (truth["spiculated"] == 0).to_numpy()
    share = (np.exp(data.frame["log_volume"].to_numpy()) / truth["volume_mm3"]).to_numpy()
    # The smallest lesion has some 120 voxels; spikes thinner than half a voxel are in no mask.
    assert np.allclose(share[smooth], 1, atol=0.1)
    assert ((share[~smooth] > 0.8) & (share[~smooth] < 1.02)).all()
    assert np.allclose(np.exp(data.frame["log_diameter"])[smooth], truth["diameter_mm"][smooth], atol=2.5)
    assert np.corrcoef(data.frame["attenuation_hu"], truth["hu"])[0, 1] > 0.8


def test_crops_hold_the_lesion_in_hounsfield_units(planted):
    folder, truth = planted
    data = CtSeries(SMALL, folder)
    arrays = data.read(np.arange(len(data)))
    pixels, mask = arrays.inputs["pixels"], arrays.inputs["mask"]
    assert pixels.shape == mask.shape == (len(data), 1, 24, 24, 24)
    volumes = mask.sum((1, 2, 3, 4)) * 8.0
    assert np.allclose(volumes, np.exp(data.frame["log_volume"]), rtol=0.02)
    inside = np.array([p[m > 0.99].mean() for p, m in zip(pixels, mask, strict=True)])
    assert np.corrcoef(inside, truth["hu"])[0, 1] > 0.8
    outside = np.array([p[m == 0].mean() for p, m in zip(pixels, mask, strict=True)])
    assert (outside < inside - 200).all()


def test_some_samples_are_read_as_in_all(planted):
    data = CtSeries(SMALL, planted[0])
    every, some = data.read(np.arange(len(data))), data.read(np.array([4, 1]))
    assert np.array_equal(every.inputs["pixels"][[4, 1]], some.inputs["pixels"])


def test_lesions_of_one_patient_share_a_subject_and_no_name_is_kept(planted):
    folder, truth = planted
    data = CtSeries(SMALL, folder)
    pairs = set(zip(truth["subject"], data.frame["subject"], strict=True))
    assert len(pairs) == truth["subject"].nunique() == data.frame["subject"].nunique()
    assert not data.frame.astype(str).stack().str.contains("PHANTOM").any()
    assert not data.frame.index.str.contains("PHANTOM").any()


def test_a_kept_crop_is_the_crop_and_is_made_again_when_its_scan_changes(cohort, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    config = SMALL.model_copy(update={"cache": True})
    first = CtSeries(config, cohort)
    kept = list((tmp_path / "cache").glob("ct-crops-*"))
    assert len(kept) == 6
    monkeypatch.setattr("pellucid_ct.cases.lesions.open_scan", lambda *a, **k: pytest.fail("opened again"))
    again = CtSeries(config, cohort)
    assert first.digest() == again.digest()
    monkeypatch.undo()
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    path = next((cohort / "scans").glob("*.nii.gz"))
    other, _ = Phantom((PlantedLesion(centre_mm=(-29.0, 0.0, 6.0), radii_mm=(5, 5, 5), hu=0),), seed=9).scan(
        (2.5, 2.0, 2.0)
    )
    scan = open_scan(path, namespace="n", subject="s")
    write_nifti(path, replace(scan, hu=scan.hu + 100))
    assert CtSeries(config, cohort).digest() != first.digest()
    del other


def test_a_damaged_cache_is_made_again(cohort, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    config = SMALL.model_copy(update={"cache": True})
    digest = CtSeries(config, cohort).digest()
    for number, folder in enumerate((tmp_path / "cache").glob("ct-crops-*")):
        if number % 3 == 0:
            (folder / "pixels.npy").write_bytes(b"\x93NUMPY")
        elif number % 3 == 1:
            (folder / "table.parquet").unlink()
    assert CtSeries(config, cohort).digest() == digest


@pytest.mark.parametrize(("dimensions", "shape"), [("2", (1, 24, 24)), ("2.5", (3, 24, 24)), ("3", (1, 24, 24, 24))])
def test_each_way_to_look_has_its_shape(planted, dimensions, shape):
    data = CtSeries(SMALL.model_copy(update={"dimensions": dimensions}), planted[0])
    sample = data[0]
    assert sample.inputs["pixels"].shape == sample.inputs["mask"].shape == shape == data.spec.inputs["mask"].shape
    assert sample.inputs["mask"].reshape(shape[0], -1).sum(1).min() > 0


def test_open_scans_give_the_same_samples_as_their_folder(planted):
    folder, _ = planted
    table = pd.read_csv(folder / "cases.csv")
    data = CtSeries(SMALL, folder)
    one = table[table["subject"] == table["subject"].iloc[0]].iloc[0]
    scan = open_scan(folder / one["image"], namespace="phantom", subject=one["subject"])
    loose = CtSeries.of_objects((scan, open_mask(folder / one["mask"], scan)), SMALL)
    at = data.frame.index.get_indexer(loose.frame.index)
    assert (at >= 0).all()
    assert np.array_equal(data.read(at).inputs["pixels"], loose.read(np.arange(len(loose))).inputs["pixels"])
    assert loose.frame["malignant"].isna().all()


def test_what_is_no_scan_is_refused_with_what_to_give():
    with pytest.raises(DataError, match="open_scan"):
        CtSeries.of_objects(np.zeros((3, 3)), SMALL)
    with pytest.raises(DataError, match="no scans"):
        CtSeries.of_objects([], SMALL)


def test_without_a_folder_it_says_what_to_name():
    with pytest.raises(DataError, match="--data"):
        CtSeries(SMALL)


def test_labels_must_be_named_once():
    with pytest.raises(StudyError, match="neither"):
        pellucid.dataset("ct-series", Path("."), binary=[], numbers=[])
    with pytest.raises(StudyError, match="named as binary and as numbers"):
        pellucid.dataset("ct-series", Path("."), binary=["a"], numbers=["a"])


def rows(cohort: Path) -> pd.DataFrame:
    return pd.read_csv(cohort / "cases.csv", dtype=str)


def refused(cohort: Path, table: pd.DataFrame, told: str) -> None:
    table.to_csv(cohort / "cases.csv", index=False)
    with pytest.raises(DataError, match=told):
        CtSeries(SMALL, cohort)


def test_a_lesion_that_the_mask_lacks_is_refused(cohort):
    table = rows(cohort)
    table.loc[0, "lesion"] = "9"
    refused(cohort, table, r"line 2: .* has no lesion 9; it has 1")


def test_the_same_series_under_two_subjects_is_refused(cohort):
    table = rows(cohort)
    first = table.iloc[0]["image"]
    shutil.copytree(cohort / first, cohort / "copy")
    twin = table[table["image"] == first].assign(image="copy", subject="SOMEBODY ELSE")
    refused(cohort, pd.concat([table, twin]), "the same series under two subjects")


def test_the_mask_of_another_scan_is_refused(cohort):
    table = rows(cohort)
    nifti = table[table["mask"].str.endswith(".nii.gz")]
    others = nifti["mask"].unique()
    table.loc[table["image"] == nifti["image"].iloc[0], "mask"] = others[1]
    refused(cohort, table, "was not drawn on")


def test_two_masks_that_number_the_lesions_of_one_scan_alike_are_refused_with_their_lines(cohort):
    table = rows(cohort)
    first = table[table["image"] == table["image"].iloc[0]]
    shutil.copy(cohort / first["mask"].iloc[0], cohort / "other.dcm")
    told = f"lines 2 and {len(table) + 2}: two masks of one series hold a lesion 1"
    refused(cohort, pd.concat([table, first.assign(mask="other.dcm")]), told)


def test_a_mask_that_cannot_be_read_is_named_with_its_line(cohort):
    """In exports every patient has a file of this name."""
    table = rows(cohort)
    (cohort / "mask.dcm").write_text("no mask")
    last = table.iloc[-1]["image"]
    table.loc[table["image"] == last, "mask"] = "mask.dcm"
    line = int((table["image"] == last).to_numpy().argmax()) + 2
    refused(cohort, table, f"cases.csv, line {line}: mask.dcm")


def test_a_scan_behind_a_linked_folder_is_opened_again_when_it_changes(cohort, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    table = rows(cohort)
    scan = table.iloc[0]["image"]
    inside = shutil.move(cohort / scan, tmp_path / "elsewhere")
    (cohort / scan).mkdir()
    (cohort / scan / "link").symlink_to(inside)
    config = SMALL.model_copy(update={"cache": True})
    first = CtSeries(config, cohort)
    for path in Path(inside).iterdir():
        image = pydicom.dcmread(path)
        image.RescaleIntercept = float(image.RescaleIntercept) + 100
        image.save_as(path)
    again = CtSeries(config, cohort)
    assert again.frame["attenuation_hu"].iloc[0] == pytest.approx(first.frame["attenuation_hu"].iloc[0] + 100)


def test_a_nifti_without_a_subject_is_refused(cohort):
    refused(cohort, rows(cohort).drop(columns="subject"), "does not say whose it is")


def test_two_scans_of_like_names_are_two(tmp_path):
    """Files called image.nii.gz in one folder a patient are what exports look like."""
    lines = ["subject,image,mask,malignant"]
    for number in (1, 2):
        lesion = PlantedLesion(centre_mm=(-29.0, 0.0, 6.0), radii_mm=(5.0 + number,) * 3, hu=0.0)
        scan, mask = Phantom((lesion,)).scan((4.0, 3.0, 3.0))
        write_nifti(tmp_path / str(number) / "image.nii.gz", scan)
        write_nifti_mask(tmp_path / str(number) / "mask.nii.gz", mask)
        lines.append(f"A,{number}/image.nii.gz,{number}/mask.nii.gz,{number - 1}")
    (tmp_path / "cases.csv").write_text("\n".join(lines))
    data = CtSeries(SMALL, tmp_path)
    assert data.frame.index.nunique() == 2
    assert data.frame["subject"].nunique() == 1


def test_a_series_that_lost_its_patient_id_is_whose_the_table_says(cohort):
    table = rows(cohort)
    first = table.iloc[0]["image"]
    for path in (cohort / first).iterdir():
        image = pydicom.dcmread(path)
        image.PatientID = ""
        image.save_as(path)
    data = CtSeries(SMALL, cohort)
    assert data.frame["subject"].nunique() == table["subject"].nunique()
    table["subject"] = table["subject"].where(table["image"] != first)
    refused(cohort, table, r"PatientID .* name the patient \(column 'subject'\)")


def test_the_same_scan_under_another_name_is_still_known(cohort):
    """A table that calls every patient otherwise must not turn training scans into new ones."""
    before = CtSeries(SMALL, cohort).learned_from
    table = rows(cohort)
    table["subject"] = "A" + table["subject"]
    table.to_csv(cohort / "cases.csv", index=False)
    after = CtSeries(SMALL, cohort).learned_from
    assert before.shared_with(after) == {"series": table["image"].nunique()}
    with pytest.raises(LeakageError, match="series"):
        before.refuse(after, part="a model")


@pytest.mark.parametrize("dimensions", ["2", "2.5", "3"])
@pytest.mark.parametrize("name", ["cnn", "vae-gaussian", "vae-dirichlet"])
def test_encoders_read_hounsfield_units_in_every_way_to_look(planted, dimensions, name):
    """And what they say depends on the lesion's own values, not on what lies beyond the window."""
    data = CtSeries(SMALL.model_copy(update={"dimensions": dimensions}), planted[0])
    inputs = {"pixels": data.spec.input("pixels")}
    made = plugins.load("encoder", name)
    torch.manual_seed(0)
    encoder = made(
        configured("encoder", name, made.config_type, {"window": (-1000, 400), "width": 2}, inputs=inputs)
    ).eval()
    batch = collate(data, range(4))
    encoder.prepare([batch])
    with torch.no_grad():
        values = encoder(batch).values
        pixels = batch.inputs["pixels"]
        darker = encoder(batch.with_input("pixels", torch.where(pixels <= -1000, pixels - 500, pixels))).values
        other = encoder(batch.with_input("pixels", torch.where(batch.inputs["mask"] > 0, pixels - 300, pixels))).values
    assert values.isfinite().all()
    assert torch.equal(values, darker)
    assert (values - other).abs().max() > 1e-6
    if encoder.tags.decodes:
        again = encoder.decode(values)
        assert again.shape == pixels.shape
        assert -1000 <= float(again.min()) < float(again.max()) <= 400
