"""Bands of frequency: spectra of all electrodes, and maps of the scalp for the bands that are marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.regions import FrequencyBand
from pellucid.views import Shown
from pellucid.views.spectra import amplitudes, spectra
from pellucid_eeg.views.scalp import draw_map, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data.spec import Signal

MAPS = 2
"""Bands with a map, the first ones."""


def bands(ax: Axes, values: npt.NDArray[np.floating], spec: Signal, shown: Shown) -> None:
    """Spectra of all electrodes with marked bands as shades, and the mean amplitude of these bands over the scalp.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (channel, time)
        In the spec's units; NaN where nothing is known.
    spec : Signal
    shown : Shown
    """
    rows = drawable(spec.channels)
    marked = [shown.only, *(one.region for one in shown.regions)]
    some = list(dict.fromkeys((one.low_hz, one.high_hz) for one in marked if isinstance(one, FrequencyBand)))[:MAPS]
    ax.set_axis_off()
    lines = ax.inset_axes((0.07, 0.16, 0.64 if rows and some else 0.9, 0.72))
    spectra(lines, values, spec, shown)
    if not rows:
        return
    hz, found = amplitudes(values, spec)
    names = tuple(spec.channels[at] for at in rows)
    for at, (low, high) in enumerate(some):
        inside = (hz >= low) & (hz <= high)
        if not inside.any():
            continue
        height = 0.76 / len(some)
        panel = ax.inset_axes((0.74, 0.86 - height * (at + 1), 0.18, height * 0.84))
        mean = found[list(rows)][:, inside].mean(1)
        top = float(np.nanmax(mean)) or 1.0
        image = draw_map(panel, mean, names, top, "Oranges", low=0.0)
        panel.set_title(f"{low:.3g} to {high:.3g} Hz", fontsize=7, pad=2)
        bar = ax.inset_axes((0.945, 0.88 - height * (at + 1), 0.012, height * 0.7))
        ax.figure.colorbar(image, cax=bar)
        bar.set_title(spec.units, fontsize=6, pad=2)
        bar.tick_params(labelsize=5)
