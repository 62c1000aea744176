"""Nothing that a DICOM header says of a person comes out: not in a run, a cache, a report, a log or a message."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from planted_identity import MARK, SIGNS, found_in, plant_everywhere

from pellucid.errors import DataError
from pellucid_ct.dicom.segmentation import write_segmentation
from pellucid_ct.phantom import Phantom, PlantedLesion, write_series
from pellucid_ct.scans.opening import open_scan

STUDY = """
title = "Which lesions are large?"
dataset = "ct-series"
target = "malignant"
protocols = ["subject-holdout", "explanation-audit"]
[[encoder]]
input = "pixels"
name = "cnn"
width = 2
window = [-1000, 400]
[[encoder]]
input = "covariates"
label = "size"
name = "identity"
columns = ["log_diameter"]
[[head]]
name = "linear"
[options.ct-series]
size = 16
spacing_mm = 2.0
namespace = "here"
[training]
epochs = 1
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of ten patients whose headers, and whose names in the table, are full of planted values."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for number in range(10):
        large = number % 2
        size = 8.0 + number / 3 if large else 4.0 + number / 5
        phantom = Phantom((PlantedLesion(centre_mm=(-29.0, 0.0, 6.0), radii_mm=(size,) * 3, hu=30.0),), seed=number)
        scan, mask = phantom.scan((4.0, 3.0, 3.0))
        series = folder / f"scan{number}"
        write_series(series, scan, patient="unused")
        assert plant_everywhere(series, series=number) >= 200
        opened = open_scan(series, namespace="here")
        write_segmentation(folder / f"mask{number}.dcm", opened, replace(mask, where="mask"))
        rows.append(
            {"case": f"{MARK}CASE{number}", "image": series.name, "mask": f"mask{number}.dcm", "malignant": large}
        )
    pd.DataFrame(rows).to_csv(folder / "cases.csv", index=False)
    return folder


def pellucid(*arguments: object, cache: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PELLUCID_CACHE": str(cache), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "always"}
    command = [sys.executable, "-c", "from pellucid.command.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=environment, check=False, cwd=cache.parent, timeout=300)


@pytest.fixture(scope="module")
def run(
    cohort: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, subprocess.CompletedProcess[bytes]]:
    folder = tmp_path_factory.mktemp("work")
    (folder / "study.toml").write_text(STUDY)
    done = pellucid("run", folder / "study.toml", "--data", cohort, "--out", folder / "run", cache=folder / "cache")
    assert done.returncode == 0, done.stderr.decode()
    return folder / "run", folder / "cache", done


def test_the_search_finds_what_is_planted(cohort):
    """Else the tests below would pass on anything: the masks written for a hospital do name the patient."""
    assert any("mask0.dcm" in place for place in found_in(cohort))
    assert any("cases.csv" in place for place in found_in(cohort))


def test_the_search_finds_what_is_packed(tmp_path):
    pd.DataFrame({"a": [f"{MARK}1"] * 500}).to_parquet(tmp_path / "a.parquet", compression="gzip")
    np.savez_compressed(tmp_path / "b.npz", b=np.array([f"{MARK}2"] * 500))
    assert {place.split(":")[0] for place in found_in(tmp_path)} == {"a.parquet", "b.npz"}


def test_no_run_folder_names_a_person(run):
    folder, cache, done = run
    assert (folder / "report.html").stat().st_size > 10_000
    assert list(cache.rglob("pixels.npy")), "the crops were to be kept"
    assert found_in(folder) == []
    assert found_in(cache) == []
    assert not SIGNS.search(done.stdout + done.stderr)


def test_an_evaluation_names_nobody(run, cohort, tmp_path):
    folder, cache, _ = run
    refused = pellucid("evaluate", folder, "--data", cohort, "--out", tmp_path / "e.json", cache=cache)
    assert refused.returncode != 0
    assert b"learnt from" in refused.stderr
    assert not SIGNS.search(refused.stdout + refused.stderr)
    assert not (tmp_path / "e.json").exists()


SPOILT = {
    "PixelSpacing": [0.0, 1.0],
    "ImageOrientationPatient": [1, 0, 0, 0, 0.9, 0.44],
    "ImagePositionPatient": [0.0, 0.0, "7777.5"],
    "Modality": "MR",
    "BitsAllocated": 32,
    "RescaleSlope": None,
    "Rows": 60000,
    "PatientID": "",
}


@pytest.mark.parametrize("keyword", SPOILT)
def test_no_message_about_a_spoilt_file_names_a_person(cohort, tmp_path, keyword, recwarn, caplog):
    for path in sorted((cohort / "scan3").iterdir()):
        image = pydicom.dcmread(path)
        setattr(image, keyword, SPOILT[keyword])
        image.save_as(tmp_path / path.name, enforce_file_format=True)
        if keyword not in ("Modality", "PatientID"):
            (tmp_path / path.name).rename(tmp_path / "0.dcm")
            break
    for path in sorted((cohort / "scan3").iterdir())[1:]:
        if not (tmp_path / path.name).exists():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError) as refusal:
        open_scan(tmp_path, namespace="here")
    told = str(refusal.value) + repr(refusal.value) + caplog.text + "".join(str(w.message) for w in recwarn)
    chain = refusal.value.__context__
    assert not SIGNS.search(told.encode())
    assert chain is None or refusal.value.__suppress_context__ or not SIGNS.search(repr(chain).encode())
