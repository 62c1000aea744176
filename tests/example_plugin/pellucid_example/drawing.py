"""How a pulse wave is drawn, and what can be measured of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.views import LOWERS, RAISES, Shown


def pulse_wave(ax: Any, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Both sensors over seconds; evidence as the width of the line, marked places as bands, one place alone on request."""
    seconds = np.arange(values.shape[1]) / spec.rate_hz
    for row, channel in enumerate(spec.channels):
        line = values[row] - 4 * row
        ax.plot(seconds, line, linewidth=0.8, label=channel)
        if shown.evidence is not None:
            evidence = shown.evidence[row]
            ax.scatter(seconds, line, s=10 * np.abs(evidence), c=evidence, cmap="coolwarm")
    for marked in shown.regions:
        ax.axvspan(
            marked.region.start_s, marked.region.stop_s, color=RAISES if marked.weight > 0 else LOWERS, alpha=0.2
        )
        # Colour alone would not reach everybody.
        ax.text(marked.region.start_s, values.max(), f"{marked.weight:+.2f} {marked.label}", fontsize=6)
    if shown.only is not None:
        ax.set_xlim(shown.only.start_s - 0.2, shown.only.stop_s + 0.2)
    ax.set_xlabel("time (s)")
    ax.set_title(shown.caption)
    ax.legend(fontsize=6)


def loudness(values: np.ndarray, spec: Any) -> np.ndarray:
    """Standard deviation of each recording in mV, shape (sample,)."""
    return values.std(axis=(1, 2))
