"""Samples for prepared stores, and a process that makes one while others do."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from pellucid.store.prepared import Prepared, Preparing, prepared

SAMPLES = 7


def values(seed: int = 0) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"age": rng.normal(size=SAMPLES)}, index=pd.Index([f"s{i}" for i in range(SAMPLES)], name="id")
    )
    return rng.normal(size=(SAMPLES, 2, 5)).astype(np.float32), rng.random((SAMPLES, 2, 5)) < 0.5, table


def holds(store: Prepared, seed: int = 0) -> bool:
    signals, masks, table = values(seed)
    rows = np.array([3, 0, 6, 1, 2])
    read = store.read(rows)
    return (
        np.array_equal(read["signal"], signals[rows])
        and np.array_equal(read["mask"], masks[rows])
        and read["mask"].dtype == bool
        and store.table.equals(table)
    )


def make_slowly(place: Path, together, results) -> None:
    signals, masks, table = values()

    def make(store: Preparing) -> pd.DataFrame:
        for signal, mask in zip(signals, masks, strict=True):
            store.add(signal=signal, mask=mask)
            time.sleep(0.03)
        return table

    together.wait()
    results.put(holds(prepared(place, "k", make)))
