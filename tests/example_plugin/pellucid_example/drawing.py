"""How a pulse wave is drawn, and what can be measured of it."""

from __future__ import annotations

from typing import Any

import numpy as np


def pulse_wave(
    ax: Any, values: np.ndarray, spec: Any, *, evidence: np.ndarray | None = None, caption: str = "", beside: Any = None
) -> None:
    """Both sensors over seconds; evidence as the width of the line."""
    seconds = np.arange(values.shape[1]) / spec.rate_hz
    for row, channel in enumerate(spec.channels):
        ax.plot(seconds, values[row] - 4 * row, linewidth=0.8, label=channel)
        if evidence is not None:
            ax.scatter(seconds, values[row] - 4 * row, s=10 * np.abs(evidence[row]), c=evidence[row], cmap="coolwarm")
    ax.set_xlabel("time (s)")
    ax.set_title(caption)
    ax.legend(fontsize=6)


def loudness(values: np.ndarray, spec: Any) -> np.ndarray:
    """Standard deviation of each recording in mV, shape (sample,)."""
    return values.std(axis=(1, 2))
