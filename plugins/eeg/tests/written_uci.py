"""Trials in the layout of the UCI EEG Database, written for tests: no line of it is from a real person."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

CHANNELS = ("FP1", "FP2", "CZ", "PZ", "PO1", "O1", "O2", "X", "Y", "nd")


def write_trial(
    folder: Path,
    person: str,
    number: int,
    condition: str,
    signals: np.ndarray,
    error: bool = False,
    channels: tuple[str, ...] = CHANNELS,
) -> Path:
    """Write one trial of shape (channel, 256) in uV; the file."""
    lines = [f"# {person}.rd", "# 120 trials, 64 chans, 416 samples 368 post_stim samples", "# 3.906000 msecs uV"]
    lines.append(f"# {condition}{' err' if error else ''} , trial {number}")
    for at, (name, values) in enumerate(zip(channels, signals, strict=True)):
        lines.append(f"# {name} chan {at}")
        lines += [f"{number} {name} {sample} {value:.3f}" for sample, value in enumerate(values)]
    path = folder / person / f"{person}.rd.{number:03d}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    return path


def write_people(folder: Path, people: int = 4, trials: int = 6, seed: int = 0) -> Path:
    """Write some people, of whom every second is called alcoholic; a second picture swings less at Pz."""
    rng = np.random.default_rng(seed)
    conditions = ("S1 obj", "S2 match", "S2 nomatch")
    for person in range(people):
        name = f"co2{'ac'[person % 2]}{person:07d}"
        for trial in range(trials):
            signals = rng.normal(0, 5, (len(CHANNELS), 256))
            signals[3, 80:120] += 12 if trial % 3 == 0 else 0
            write_trial(folder, name, trial, conditions[trial % 3], signals)
    return folder
