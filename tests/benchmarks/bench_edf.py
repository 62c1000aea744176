"""Reading an EDF file of 64 channels: ``python tests/benchmarks/bench_edf.py``.

Five minutes at 256 Hz, from path to microvolts in float32, against the same bytes by np.fromfile, transposed and scaled, with
nothing read of the header (the aim is 1.3 times as long at most), mne with preload, and edfio. Then 100 random windows of 2 s
against a memory map of the prepared float32 array and one of the file's own bytes (the aim is 1.5 times at most), and mne without
preload. Times are CPU seconds with opening, ratios are medians over interleaved runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy starts

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import edfio
import mne
import numpy as np

from pellucid_eeg.edf_files.reading import open_edf, read_edf

CHANNELS, RATE, SECONDS, WINDOWS, ROUNDS = 64, 256, 300, 100, 15
SAMPLES = RATE * SECONDS
START = 256 * (CHANNELS + 1)
SCALE = np.float32(1000 / 65535)


def write(path: Path) -> None:
    """Noise of 50 microvolts; every channel with the same range, as recorders write them."""
    rng = np.random.default_rng(0)
    edfio.Edf(
        [
            edfio.EdfSignal(
                rng.normal(0, 50, SAMPLES),
                RATE,
                label=f"EEG {number}",
                physical_dimension="uV",
                physical_range=(-500, 500),
            )
            for number in range(CHANNELS)
        ]
    ).write(path)


def starts() -> np.ndarray:
    """First samples of the windows."""
    return np.random.default_rng(1).integers(0, SAMPLES - 2 * RATE, WINDOWS)


def raw_limit(path: Path) -> np.ndarray:
    """The same bytes, the header unread."""
    raw = np.fromfile(path, "<i2", offset=START).reshape(SECONDS, CHANNELS, RATE)
    return np.ascontiguousarray(raw.transpose(1, 0, 2).reshape(CHANNELS, -1).astype(np.float32)) * SCALE


def prepared_windows(path: Path) -> list[np.ndarray]:
    """Of a float32 array that somebody made before."""
    mapped = np.load(path.with_suffix(".npy"), mmap_mode="r")
    return [np.array(mapped[:, start : start + 2 * RATE]) for start in starts()]


def mapped_windows(path: Path) -> list[np.ndarray]:
    """Of the file's own bytes, the header unread."""
    mapped = np.memmap(path, "<i2", "r", offset=START).reshape(SECONDS, CHANNELS, RATE)
    out = []
    for start in starts().tolist():
        first, last = start // RATE, (start + 2 * RATE - 1) // RATE + 1
        rows = mapped[first:last].transpose(1, 0, 2).reshape(CHANNELS, -1)
        out.append(rows[:, start - first * RATE : start - first * RATE + 2 * RATE].astype(np.float32) * SCALE)
    return out


def our_windows(path: Path) -> list[np.ndarray]:
    """Opened once, read in windows."""
    opened = open_edf(path)
    return [opened.samples_uv(start, start + 2 * RATE) for start in starts().tolist()]


def mne_windows(path: Path) -> list[np.ndarray]:
    """Without preload."""
    raw = mne.io.read_raw_edf(path, preload=False, verbose="ERROR")
    return [raw[:, start : start + 2 * RATE][0] for start in starts().tolist()]


WHOLE: dict[str, Callable[[Path], object]] = {
    "np.fromfile": raw_limit,
    "pellucid": lambda path: read_edf(path).signals_uv,
    "mne": lambda path: mne.io.read_raw_edf(path, preload=True, verbose="ERROR").get_data(),
    "edfio": lambda path: np.stack([signal.data for signal in edfio.read_edf(path).signals]),
}
PARTS: dict[str, Callable[[Path], object]] = {
    "prepared memmap": prepared_windows,
    "memmap of the file": mapped_windows,
    "pellucid": our_windows,
    "mne": mne_windows,
    "pellucid, opening": open_edf,
}


def timed(ways: dict[str, Callable[[Path], object]], path: Path, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each run, interleaved; the first round warms up."""
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, read in ways.items():
            begun = time.process_time()
            read(path)
            if number:
                cpu[way].append(time.process_time() - begun)
    return cpu


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "eeg.edf"
        write(path)
        ours = read_edf(path).signals_uv
        np.save(path.with_suffix(".npy"), ours)
        theirs = np.stack([signal.data for signal in edfio.read_edf(path).signals])
        assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-5)
        assert all(np.array_equal(a, b) for a, b in zip(our_windows(path), prepared_windows(path), strict=True))
        for title, ways, limit, aim in (
            (f"{CHANNELS} channels x {SECONDS} s", WHOLE, "np.fromfile", 1.3),
            (f"{WINDOWS} windows of 2 s", PARTS, "prepared memmap", 1.5),
        ):
            cpu = timed(ways, path, ROUNDS)
            print(title)
            for way, seconds in cpu.items():
                ratio = float(np.median(np.array(seconds) / np.array(cpu[limit])))
                print(f"  {way:20s} {statistics.median(seconds) * 1e3:8.2f} ms, {ratio:6.2f} times {limit}")
            print(f"  aim: pellucid at most {aim} times {limit}")


if __name__ == "__main__":
    main()
