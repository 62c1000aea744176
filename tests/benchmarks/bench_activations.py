"""Collecting activations: rows a second, and memory beside the buffer that was asked for.

Run as ``python tests/benchmarks/bench_activations.py [ROWS]``: a small network over signals, 256 units at each of 1,000 positions,
as many samples as give the rows (a million unless told otherwise; ten million need 5 GB of disk), kept as float16, shuffled as a
whole with a buffer of 512 MB. Memory is the largest resident set of a process of its own, less what the process had before
it began; the order is checked by the rank correlation of where rows came from and where they stand.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from pellucid.activations.collecting import rows_of
from pellucid.activations.dataset import ActivationsConfig, ActivationsFolder
from pellucid.activations.writer import Writer
from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays
from pellucid.data.spec import Binary, DataSpec, Signal
from pellucid.data.subjects import LearnedFrom

POSITIONS, UNITS, BUFFER_MB = 1000, 256, 512


class Noise(Dataset):
    """Signals that are drawn when they are read."""

    def __init__(self, samples: int) -> None:
        self.spec = DataSpec(
            name="noise", namespace="noise", targets={"y": Binary(names=("no", "yes"))},
            inputs={"x": Signal(channels=("a", "b"), length=POSITIONS, rate_hz=100.0, units="1")},
        )  # fmt: skip
        names = [f"s{at}" for at in range(samples)]
        self.frame = pd.DataFrame({"subject": names, "y": np.arange(samples) % 2.0}, index=names)

    def read(self, indices: np.ndarray) -> Arrays:
        """Noise by the first index."""
        values = np.random.default_rng(int(indices[0])).normal(size=(len(indices), 2, POSITIONS))
        return Arrays({"x": values.astype(np.float32)}, {})


class Net(nn.Module):
    """One layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(2, UNITS, 5, padding=2)

    def forward(self, batch: Batch) -> Tensor:
        """Shape (sample, unit, position)."""
        return self.layer(batch.inputs["x"])


def collect(folder: str, rows: int, told: multiprocessing.Queue) -> None:
    """In a process of its own."""
    torch.set_num_threads(1)
    model, data = Net(), Noise(rows // POSITIONS)
    with torch.no_grad():
        model(Batch({"x": torch.zeros(256, 2, POSITIONS)}))
    # What reading a batch and running the model takes at its largest, before anything is kept.
    next(rows_of(model, "layer", data))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.monotonic(), time.process_time()
    writer = Writer(Path(folder) / "acts", {"activations": UNITS}, rows, "float16", BUFFER_MB << 20, 0)
    for one in rows_of(model, "layer", data):
        writer.add({"activations": one.values}, one.sources, one.positions)
    facts = {"layer": "layer", "shape": [POSITIONS], "made_by": LearnedFrom().to_json(),
             "source": {"spec": data.spec.model_dump(mode="json"), "input": "x"}}  # fmt: skip
    writer.finish(data.frame, facts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told.put((time.monotonic() - start, time.process_time() - cpu, before / 1024, peak / 1024))


def main() -> None:
    """Print rows a second and memory."""
    rows = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        told = context.Queue()
        process = context.Process(target=collect, args=(folder, rows, told))
        process.start()
        wall, cpu, before, peak = told.get()
        process.join()
        data = ActivationsFolder(ActivationsConfig(), Path(folder) / "acts")
        came = data.sources * POSITIONS + data.positions
        once = len(np.unique(came)) == len(came) == rows
        order = float(np.corrcoef(came, np.arange(len(came)))[0, 1])
        at = np.random.default_rng(0).permutation(len(data))[:4096]
        start = time.monotonic()
        for some in np.array_split(np.arange(len(data))[: 4096 * 32], 32):
            data.read(some)
        read = 4096 * 32 / (time.monotonic() - start)
        data.read(at)
    print(f"{rows:,} rows of {UNITS} units: {rows / wall:,.0f} rows a second ({cpu:.0f} CPU-s), every row once: {once}")
    print(f"order against source: r = {order:+.5f}; read back {read:,.0f} rows a second")
    print(
        f"memory: {peak - before:,.0f} MB more than one batch through the model takes ({before:,.0f} MB); buffer {BUFFER_MB} MB"
    )


if __name__ == "__main__":
    main()
