"""From an archive to a report: the packaged study on written scans, whose headers are full of planted identity."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from planted_identity import ROOT, SIGNS, found_in, plant_everywhere
from written_lidc import Drawn, square, write_scan, write_xml

import pellucid_ct

STUDY = Path(pellucid_ct.__file__).parent / "studies" / "ct-lidc.toml"

SMALLER = {
    "size = 64": "size = 32",
    "latent = 32": "latent = 4\nwidth = 4",
    "epochs = 20": "epochs = 1",
    "epochs = 40": "epochs = 2",
    '"nested-subject-cv", "explanation-audit", "traversal-monotonicity"': '"subject-holdout", "explanation-audit"',
}
"""The study in the size of a test; nothing else of it is changed."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Ten patients with a nodule each; the large ones are rated suspicious."""
    folder = tmp_path_factory.mktemp("archive")
    for number in range(10):
        scan = write_scan(folder / f"scan{number}", slices=6, rows=72, columns=72, seed=number)
        assert plant_everywhere(scan.folder, series=number) >= 200
        headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in scan.files]
        scan.sops, scan.series = [h.SOPInstanceUID for h in headers], headers[0].SeriesInstanceUID
        large = number % 2
        drawn = Drawn(
            [(z, square(34, 36, 8 if large else 4), False) for z in (2, 3)],
            {"malignancy": 5 if large else 1 + number // 5},
        )
        write_xml(scan, [[drawn], [drawn]])
    (folder / "broken.xml").write_text(f"<LidcReadMessage><SeriesInstanceUid>{ROOT}.5</SeriesInstanceUid>")
    return folder


@pytest.fixture(scope="module")
def run(archive, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    text = STUDY.read_text("utf-8")
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    (work / "study.toml").write_text(text)
    environment = {
        **os.environ,
        "PELLUCID_CACHE": str(work / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "always",
    }
    main = [sys.executable, "-c", "from pellucid.command.main import main; main()"]
    command = [*main, "run", "study.toml", "--data", str(archive), "--out", "run"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False, cwd=work, timeout=280)
    assert done.returncode == 0, done.stderr.decode()
    return work, done


def test_packaged_study_runs_from_series_and_xml_to_results_beside_the_diameter(run):
    work, _ = run
    results = json.loads((work / "run" / "run.json").read_text())["results"]
    auroc = [r for r in results if r["metric"] == "auroc"]
    assert {r["part"] for r in auroc} >= {"additive", "mlp", "diameter-only"}
    # Sizes alone tell the planted classes apart.
    assert next(r["value"] for r in auroc if r["part"] == "diameter-only") == 1.0
    assert all(r["baseline"] is not None for r in auroc)


def test_report_says_whose_opinion_it_is_and_what_was_left_out(run):
    work, done = run
    report = (work / "run" / "report.html").read_text("utf-8")
    assert "not pathology" in report
    assert "Slices of one nodule are no independent samples" in report
    assert "broken.xml, line 1: is not well-formed XML" in done.stderr.decode()


def test_nobody_is_named_in_run_cache_or_messages(run):
    work, done = run
    kept = sorted((work / "cache").rglob("pixels.npy"))
    assert len(kept) == 10
    assert np.load(kept[0]).shape == (2, 1, 32, 32)
    assert found_in(work / "run") == []
    assert found_in(work / "cache") == []
    assert not SIGNS.search(done.stdout + done.stderr)


def test_search_would_find_the_planted_names(archive):
    places = found_in(archive)
    assert any("069.xml" in place for place in places)
    assert any(".dcm" in place for place in places)
