"""How long a recording is does not decide how much memory its preparation takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from written_edf import Planted, tal, write
from written_trees import RATE

CHANNELS = (
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "P7",
    "P3",
    "Pz",
    "P4",
    "P8",
    "O1",
    "O2",
    "Oz",
)

MAKE = """
import sys
from pathlib import Path
from pellucid_eeg.databases.folder import EegFolder, EegFolderConfig
from pellucid_eeg.preparing.record import Preparation

preparation = Preparation(high_pass_hz=0.5, low_pass_hz=25, reference="average", rate_hz=50)
data = EegFolder(EegFolderConfig(preparation=preparation, window_s=4, classes={"on": "on"}, otherwise="off"), Path(sys.argv[1]))
# Not of getrusage: its peak is inherited from the process that started this one.
(line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(len(data), line.split()[1])
"""


def long_file(path: Path, hours: float, rate: int) -> Path:
    """Twenty channels of noise, an event of ten seconds every twenty, written record by record."""
    records = round(hours * 3600)
    path.parent.mkdir(parents=True)
    planted = [Planted(name, np.zeros((1, rate), int)) for name in CHANNELS]
    write(path, planted, annotations=[tal("+0", "")], reserved="EDF+C", records=records, annotation_bytes=60)
    head = path.read_bytes()[: 256 * (len(CHANNELS) + 2)]
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(head)
        for at in range(records):
            words = tal(f"+{at}", "") + (tal(f"+{at}", "on", duration="10") if at % 20 == 0 else b"")
            file.write(rng.normal(0, 1500, (len(CHANNELS), rate)).astype("<i2").tobytes() + words.ljust(60, b"\0"))
    return path


def peak_mb(folder: Path, cache: Path) -> tuple[int, float]:
    import os

    done = subprocess.run(
        [sys.executable, "-c", MAKE, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PELLUCID_CACHE": str(cache)},
    )
    count, peak = done.stdout.split()
    return int(count), int(peak) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read of /proc")
def test_six_hours_take_no_more_memory_than_two(tmp_path):
    peaks = []
    for hours in (2.0, 6.0):
        path = long_file(tmp_path / f"{hours:g}" / "a.edf", hours, RATE)
        count, peak = peak_mb(path.parent, tmp_path / "cache")
        assert count == hours * 900
        peaks.append(peak)
    # Six hours of twenty channels are 221 MB as float64; a filter makes copies of them.
    assert peaks[1] - peaks[0] < 40


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read of /proc")
def test_a_day_of_twenty_channels_at_256_hz_takes_half_a_gigabyte(tmp_path):
    path = long_file(tmp_path / "day" / "a.edf", 24.0, 256)
    count, peak = peak_mb(path.parent, tmp_path / "cache")
    assert count == 21_600
    # 459 MB was measured, 193 of them before anything is read; the samples alone are 3.5 GB as float64.
    assert peak < 600
