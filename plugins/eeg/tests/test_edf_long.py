"""A recording of a day is read in windows in the memory of a window."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from written_edf import random_signals, write

CHANNELS, RATE, HOURS = 32, 256, 24
AT = (0, 43_200, 86_399)

READER = """
import sys
from pathlib import Path

import numpy as np

from pellucid_eeg.edf_files.reading import open_edf

def peak():
    # Not of getrusage: its peak is inherited from the process that started this one.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024

open_edf(sys.argv[2]).samples_uv(0, 512)  # what libraries need themselves
before = peak()
lazy = open_edf(sys.argv[1])
assert lazy.duration_s == 24 * 3600
total = 0.0
for onset in range(0, 24 * 3600 - 2, 20):
    total += float(np.abs(lazy.window_uv(onset, 2.0)).sum())
for second in (0, 43_200, 86_399):
    print(",".join(str(one) for one in lazy.window_uv(second, 1.0)[:, 7].tolist()))
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read of /proc")
def test_a_day_is_read_in_windows_in_the_memory_of_a_window(tmp_path):
    signals = random_signals(CHANNELS, 1, RATE)
    small = write(tmp_path / "small.edf", random_signals(CHANNELS, 3, RATE))
    path = write(tmp_path / "day.edf", signals, records=HOURS * 3600)
    content, start = path.read_bytes(), 256 * (CHANNELS + 1)
    record = content[start:]
    # A sparse file: only some of its seconds stand on the disk.
    with path.open("r+b") as file:
        file.truncate(start + len(record) * HOURS * 3600)
        for second in AT:
            file.seek(start + len(record) * second)
            file.write(record)
    assert path.stat().st_size > 1_400_000_000
    assert path.stat().st_blocks * 512 < 5_000_000
    script = tmp_path / "reader.py"
    script.write_text(READER)
    done = subprocess.run(
        [sys.executable, str(script), str(path), str(small)], capture_output=True, text=True, timeout=120, check=True
    )
    *lines, grown = done.stdout.split()
    expected = np.array([one.expected()[7] for one in signals])
    assert len(lines) == len(AT)
    for line in lines:
        assert np.allclose([float(one) for one in line.split(",")], expected, rtol=1e-6)
    print(f"peak memory grew by {float(grown):.1f} MiB over a file of {path.stat().st_size / 2**20:,.0f} MiB")
    assert float(grown) < 16
