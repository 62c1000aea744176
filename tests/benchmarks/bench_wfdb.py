"""Reading 500 short records of twelve leads: ``python tests/benchmarks/bench_wfdb.py``.

Records of 10 s at 100 Hz as PTB-XL has them (format 16, one file each), from paths to physical values in float32, against two
ways: ``wfdb.rdrecord`` (the aim is 30 times faster at least, with equal bits), and the same bytes by np.fromfile, with nothing
read of the headers. Times are CPU seconds, ratios are medians over interleaved runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy starts

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import wfdb

from pellucid_ecg.wfdb_files.reading import read_record

RECORDS, SAMPLES, ROUNDS = 500, 1000, 9
LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")


def write(folder: Path) -> list[str]:
    """Random walks in millivolts."""
    rng = np.random.default_rng(0)
    for number in range(RECORDS):
        wfdb.wrsamp(
            f"r{number:05d}",
            fs=100,
            units=["mV"] * len(LEADS),
            sig_name=list(LEADS),
            p_signal=np.cumsum(rng.normal(0, 0.02, (SAMPLES, len(LEADS))), axis=0),
            fmt=["16"] * len(LEADS),
            adc_gain=[1000.0] * len(LEADS),
            baseline=[0] * len(LEADS),
            write_dir=str(folder),
        )
    return sorted(str(path.with_suffix("")) for path in folder.glob("*.hea"))


def rdrecord(paths: Sequence[str]) -> list[np.ndarray]:
    """By the wfdb package."""
    return [wfdb.rdrecord(path).p_signal for path in paths]


def fromfile(paths: Sequence[str]) -> list[np.ndarray]:
    """The same bytes, headers unread."""
    return [
        np.fromfile(path + ".dat", "<i2").reshape(-1, len(LEADS)).astype(np.float32) / np.float32(1000)
        for path in paths
    ]


def ours(paths: Sequence[str]) -> list[np.ndarray]:
    """Headers read, sizes checked, missing samples found."""
    return [read_record(path).signals for path in paths]


WAYS: dict[str, Callable[[Sequence[str]], list[np.ndarray]]] = {
    "wfdb": rdrecord,
    "np.fromfile": fromfile,
    "pellucid": ours,
}


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        paths = write(Path(name))
        for path, theirs in zip(paths, rdrecord(paths), strict=True):
            assert np.array_equal(read_record(path, dtype=np.float64).signals, theirs.T)
        cpu: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, read in WAYS.items():
                begun = time.process_time()
                read(paths)
                cpu[way].append(time.process_time() - begun)
        for way in WAYS:
            print(f"{way:12s} {statistics.median(cpu[way]) / RECORDS * 1e6:7.0f} CPU-us a record")
        ratio = {way: float(np.median(np.array(cpu[way]) / np.array(cpu["pellucid"]))) for way in WAYS}
        print(
            f"pellucid is {ratio['wfdb']:.1f} times faster than wfdb.rdrecord (aim: 30 at least), and takes "
            f"{1 / ratio['np.fromfile']:.1f} times as long as np.fromfile"
        )


if __name__ == "__main__":
    main()
