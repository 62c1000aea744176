"""Reading shuffled batches from a prepared store: ``python tests/benchmarks/bench_prepared.py``.

2,000 samples of 12 x 1000 float32 (96 MB) in random batches of 64, from the store (arrays and masks checked, nothing open in
between) and from a raw numpy memmap of the same file (the aim is at most 2 times that). Times are CPU seconds and wall seconds
of an epoch, ratios are medians over interleaved runs; the files are in the system's page cache, which is the worst case for
whatever stands between a batch and its bytes.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy starts

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from pellucid.store.prepared import Prepared, Preparing, _verified, prepared

SAMPLES, SHAPE, BATCH, ROUNDS = 2000, (12, 1000), 64, 15


def write(store: Preparing) -> pd.DataFrame:
    """Noise, one sample after the other."""
    rng = np.random.default_rng(0)
    for _ in range(SAMPLES):
        store.add(signal=rng.normal(size=SHAPE).astype(np.float32))
    return pd.DataFrame(index=pd.RangeIndex(SAMPLES))


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        begun = time.perf_counter()
        store = prepared(Path(name) / "bench", "k", write)
        print(f"made in {time.perf_counter() - begun:.1f} s, {store.arrays['signal'].path.stat().st_size / 1e6:.0f} MB")
        begun = time.perf_counter()
        store = Prepared(store.folder)
        print(f"opened in {(time.perf_counter() - begun) * 1000:.1f} ms")
        _verified.clear()
        begun = time.process_time()
        store.verify()
        print(f"verified in {(time.process_time() - begun) * 1000:.0f} ms of CPU time, once in a process")
        mapped = np.load(store.arrays["signal"].path, mmap_mode="r")
        ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "memmap": lambda rows: np.asarray(mapped[rows]),
            "store": lambda rows: store.read(rows)["signal"],
        }
        order = np.random.default_rng(1).permutation(SAMPLES)
        cpu: dict[str, list[float]] = {way: [] for way in ways}
        wall: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, read in ways.items():
                begun, clock = time.process_time(), time.perf_counter()
                for at in range(0, SAMPLES, BATCH):
                    read(order[at : at + BATCH])
                cpu[way].append(time.process_time() - begun)
                wall[way].append(time.perf_counter() - clock)
        assert all(np.array_equal(ways["store"](order[a : a + 9]), ways["memmap"](order[a : a + 9])) for a in (0, 77))
        for label, times in (("CPU", cpu), ("wall", wall)):
            ratio = np.median(np.array(times["store"]) / np.array(times["memmap"]))
            print(
                f"{label:4s} store {statistics.median(times['store']) * 1000:.0f} ms an epoch, x{ratio:.2f} of a raw memmap "
                f"({statistics.median(times['memmap']) * 1000:.0f} ms; aim: at most 2)"
            )


if __name__ == "__main__":
    main()
