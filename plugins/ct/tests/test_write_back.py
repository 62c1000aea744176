"""What a model says of a scan, written back as DICOM: it opens elsewhere, fits the scan, and says what the model said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pandas as pd
import pydicom
import pytest

import pellucid
from pellucid.errors import DataError
from pellucid.run import Run
from pellucid.training.loop import Watcher
from pellucid_ct.cases.write_back import write_back
from pellucid_ct.dicom.segmentation import read_segmentation
from pellucid_ct.phantom import write_cohort
from pellucid_ct.scans.opening import open_mask, open_scan

SETTINGS = {
    "name": "small",
    "title": "Which lesions are malignant?",
    "dataset": "ct-series",
    "target": "malignant",
    "encoder": [
        {"name": "cnn", "input": "pixels", "width": 2, "window": [-1000, 400]},
        {"name": "identity", "input": "covariates", "label": "size", "columns": ["log_diameter"]},
    ],
    "head": [{"name": "linear"}, {"name": "linear", "label": "size alone", "reads": ["size"]}],
    "protocols": ["subject-holdout"],
    "options": {"ct-series": {"size": 24, "spacing_mm": 2.0, "cache": False, "namespace": "phantom"}},
    "training": {"epochs": 3, "learning_rate": 0.02},
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder, subjects=10, seed=2, kind="dicom", spacing_mm=(3.0, 2.5, 2.5))
    return folder


@pytest.fixture(scope="module", params=["2", "2.5", "3"])
def run(request, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    study = pellucid.study(SETTINGS).with_settings({"options.ct-series.dimensions": request.param})
    return study.run(tmp_path_factory.mktemp("runs") / "small", cohort, watcher=Watcher())


def numbers_in(report: pydicom.Dataset) -> np.ndarray:
    """All measured values of a structured report."""
    return np.array([float(item.value) for item in report.iterall() if item.keyword == "NumericValue"])


def opened(cohort: Path, number: int = 5) -> tuple[object, object, pd.DataFrame]:
    """A scan whose slices, rows and columns lie otherwise than in the canonical grid."""
    table = pd.read_csv(cohort / "cases.csv")
    rows = table[table["image"] == sorted(table["image"].unique())[number]]
    scan = open_scan(cohort / rows["image"].iloc[0], namespace="phantom")
    return scan, open_mask(cohort / rows["mask"].iloc[0], scan), rows


@pytest.mark.parametrize("number", [0, 3, 5])
def test_what_is_written_fits_the_scan_and_says_what_the_model_said(run, cohort, tmp_path, number):
    scan, mask, rows = opened(cohort, number)
    written = write_back(run.path, scan, mask, tmp_path / "out", head="linear")
    assert np.array_equal(read_segmentation(written.segmentation, scan).labels, mask.labels)
    assert written.said["lesion"].to_list() == rows["lesion"].to_list()

    model = pellucid.load(run.path, head="linear")
    data = pellucid.dataset("ct-series", cohort, **{**SETTINGS["options"]["ct-series"],
                            "dimensions": run.study.options["ct-series"]["dimensions"]})  # fmt: skip
    everything = model.predict(data)
    assert np.allclose(written.said["malignant"], everything.loc[written.said.index, "malignant"], atol=1e-6)

    report = highdicom.sr.srread(written.report)
    told = numbers_in(report)
    for chance in written.said["malignant"]:
        assert np.abs(told - chance).min() < 1e-3
    assert pydicom.dcmread(written.report).PatientID == pydicom.dcmread(scan.sources[0]).PatientID


def test_evidence_lies_where_pixels_matter_and_nowhere_else(run, cohort, tmp_path):
    scan, mask, _ = opened(cohort)
    written = write_back(run.path, scan, mask, tmp_path / "out", head="linear")
    stored = highdicom.seg.segread(written.evidence)
    assert stored.number_of_segments == 2
    from pellucid_ct.cases.lesions import CtSeries
    from pellucid_ct.cases.write_back import evidence_on_scan

    lesions = run.study.dataset_of((scan, mask))
    assert isinstance(lesions, CtSeries)
    drawn = evidence_on_scan(pellucid.load(run.path, head="linear"), lesions, scan, "malignant")
    assert drawn.shape == scan.hu.shape
    where = np.argwhere(drawn != 0)
    centres = np.array([lesions.centre_mm(at) for at in range(len(lesions))])
    near = np.abs(scan.geometry.positions_mm(where)[:, None] - centres).max(2).min(1)
    # Half a crop, and half a voxel more.
    assert near.max() <= 24 * 2.0 / 2 + 1.5
    inside = mask.labels > 0
    assert np.abs(drawn[inside]).mean() > np.abs(drawn).mean()


def test_a_model_without_pixels_writes_no_evidence(run, cohort, tmp_path):
    scan, mask, _ = opened(cohort)
    written = write_back(run.path, scan, mask, tmp_path / "out", head="size alone")
    assert written.evidence is None
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lesions.dcm", "report.dcm"]


def test_a_run_folder_gets_no_identity(run, cohort):
    scan, mask, _ = opened(cohort)
    with pytest.raises(DataError, match="run"):
        write_back(run.path, scan, mask, run.path / "out", head="linear")
    assert not list(run.path.rglob("*.dcm"))
    assert not (run.path / "out").exists()


def test_one_lesion_is_written_as_three_are(run, cohort, tmp_path):
    scan, mask, _ = opened(cohort)
    one = replace(mask, labels=np.where(mask.labels == mask.labels.max(), mask.labels, 0).astype(np.uint16))
    written = write_back(run.path, scan, one, tmp_path / "out", head="linear")
    assert len(written.said) == 1
    told = numbers_in(highdicom.sr.srread(written.report))
    assert np.abs(told - written.said["malignant"].iloc[0]).min() < 1e-3


def test_what_cannot_be_finished_leaves_nothing(run, cohort, tmp_path, monkeypatch):
    scan, mask, _ = opened(cohort)

    def refuse(*_: object, **__: object) -> None:
        raise DataError("no report today")

    monkeypatch.setattr("pellucid_ct.cases.write_back.write_report", refuse)
    with pytest.raises(DataError, match="today"):
        write_back(run.path, scan, mask, tmp_path / "out", head="linear")
    assert not list(tmp_path.iterdir())


def test_evidence_of_another_model_does_not_stay_beside_a_report(run, cohort, tmp_path):
    scan, mask, _ = opened(cohort)
    assert write_back(run.path, scan, mask, tmp_path / "out", head="linear").evidence.exists()
    assert write_back(run.path, scan, mask, tmp_path / "out", head="size alone").evidence is None
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["lesions.dcm", "report.dcm"]


def test_a_place_that_cannot_be_written_to_is_refused(run, cohort, tmp_path):
    scan, mask, _ = opened(cohort)
    (tmp_path / "out").write_text("here")
    with pytest.raises(DataError, match="another folder"):
        write_back(run.path, scan, mask, str(tmp_path / "out"), head="linear")
