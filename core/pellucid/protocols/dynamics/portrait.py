"""What a phase portrait of free runs is drawn from: where one goes, and which region follows which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.encoders.free_running import FreeRun
from pellucid.protocols.dynamics.followed import Followed
from pellucid.unit_names import unit_sign

DRAWN_STEPS = 1500
"""Steps of a free run and of the test side that a phase portrait shows."""


def portrait(run: FreeRun, test: Followed, lasts: np.ndarray) -> dict[str, Any]:
    """The longest free run and the episode that it begins with, in two channels that have most of the variance."""
    at = int(np.argmax(lasts))
    real = test.values[test.episodes[at]].reshape(-1, test.values.shape[-1])[:DRAWN_STEPS]
    made = run.values.detach().cpu().double().numpy()[at, : min(int(lasts[at]), DRAWN_STEPS)]
    two = [0, min(1, real.shape[1] - 1)]
    codes = None if run.codes is None else run.codes[at, : len(made)].tolist()
    return {
        "channels": [_with_unit(test, one) for one in two],
        "real": np.round(real[:, two], 5).tolist(),
        "made": np.round(made[:, two], 5).tolist(),
        "codes": codes,
    }


def transitions(run: FreeRun, names: Sequence[str], lasts: np.ndarray) -> dict[str, Any] | None:
    """How often each region follows each other in free runs, of those that are visited."""
    if run.codes is None:
        return None
    counts = np.zeros((len(names), len(names)), np.int64)
    for codes, length in zip(run.codes.cpu().numpy(), lasts, strict=True):
        np.add.at(counts, (codes[: length - 1], codes[1:length]), 1)
    visited = np.flatnonzero(counts.sum(0) + counts.sum(1))
    return {"names": [names[int(one)] for one in visited], "counts": counts[np.ix_(visited, visited)].tolist()}


def _with_unit(test: Followed, at: int) -> str:
    sign = unit_sign(test.units[at])
    return f"{test.channels[at]} ({sign})" if sign else test.channels[at]
