"""WFDB records written by the ``wfdb`` package, and what it reads of them: the reference for the tests of the own reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import wfdb

LIMITS = {"16": 2**15 - 1, "212": 2**11 - 1, "80": 2**7 - 1, "24": 2**23 - 1, "32": 2**31 - 1, "310": 511, "311": 511}


def write(
    folder: Path,
    name: str = "r1",
    *,
    fmt: str | list[str] = "16",
    signals: int = 3,
    length: int = 101,
    gain: float | list[float] = 200.0,
    baseline: int | list[int] = 0,
    missing: int = 0,
    seed: int = 0,
) -> Path:
    """A record of random numbers over the whole range of its format; some samples of it marked as missing."""
    rng = np.random.default_rng(seed)
    formats = [fmt] * signals if isinstance(fmt, str) else fmt
    columns = [rng.integers(-LIMITS.get(f, 500), LIMITS.get(f, 500), length, endpoint=True) for f in formats]
    stored = np.stack(columns, axis=1)
    if missing:
        at = rng.choice(stored.size, missing, replace=False)
        for flat in at:
            row, column = divmod(int(flat), signals)
            stored[row, column] = -LIMITS[formats[column]] - 1
    wfdb.wrsamp(
        name,
        fs=250,
        units=["mV"] * signals,
        sig_name=[f"L{i}" for i in range(signals)],
        d_signal=stored,
        fmt=formats,
        adc_gain=[gain] * signals if isinstance(gain, float) else gain,
        baseline=[baseline] * signals if isinstance(baseline, int) else baseline,
        write_dir=str(folder),
    )
    return folder / name


def reference(path: Path, **options: object) -> np.ndarray:
    """What wfdb reads, float64, shape (lead, time), NaN where a sample is missing."""
    return wfdb.rdrecord(str(path), **options).p_signal.T


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace words of a header; each must be there."""
    header = Path(f"{path}.hea")
    text = header.read_text()
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new)
    header.write_text(text)
