"""Maps of the scalp: head shape, nose up, drawn by mne."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid_eeg.recordings.electrodes import SCALP, canonical, template_montage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.image import AxesImage

FEWEST = 4
"""Electrodes that make a map; fewer say too little of what lies between them."""

DOT = 1.5
"""Size of an electrode in points: as mne draws them, sixty would hide the map."""


def drawable(channels: tuple[str, ...]) -> tuple[int, ...]:
    """Rows of channels that stand somewhere on the scalp; none where they are too few for a map.

    Parameters
    ----------
    channels : tuple of str
        As files or anybody calls them.

    Returns
    -------
    tuple of int
        Positions among ``channels``, in order; empty for fewer than :data:`FEWEST`.
    """
    rows = tuple(at for at, name in enumerate(channels) if canonical(name) in SCALP)
    return rows if len(rows) >= FEWEST else ()


def draw_map(
    ax: Axes,
    values: npt.NDArray[np.floating],
    channels: tuple[str, ...],
    reach: float,
    colours: str | Colormap = "RdBu_r",
    low: float | None = None,
    smooth: bool = True,
) -> AxesImage:
    """Draw one value for each electrode over the scalp.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (channel,)
        In the order of ``channels``; NaN where nothing is known: such electrodes are left out.
    channels : tuple of str
        Names of the scalp's electrodes; see :func:`drawable`.
    reach : float
        Colours go from minus this to plus this.
    colours : str or Colormap
        With a middle, where ``low`` is left out.
    low : float, optional
        Where colours begin, if not at minus ``reach``.
    smooth : bool
        As a potential is between electrodes. Without, nothing swings further than what stands at the electrodes: what is no
        potential may be 0 beside a large number.
    """
    import mne

    known = np.isfinite(values)
    info = _info(tuple(canonical(name) for name, there in zip(channels, known, strict=True) if there))
    image, _ = mne.viz.plot_topomap(
        np.asarray(values, float)[known], info, axes=ax, show=False, contours=4, cmap=colours,
        vlim=(-reach if low is None else low, reach), sensors="k.", extrapolate="head",
        image_interp="cubic" if smooth else "linear",
    )  # fmt: skip
    for line in ax.lines:
        if line.get_marker() == ".":
            line.set_markersize(DOT)
    return image


def draw_shares(ax: Axes, numbers: npt.NDArray[np.floating], channels: tuple[str, ...]) -> bool:
    """Draw shares, from white for none, over the scalp; False where too few channels stand on it.

    Parameters
    ----------
    ax : Axes
    numbers : ndarray, shape (channel,)
        Shares, none below 0; NaN where nothing is known.
    channels : tuple of str
    """
    rows = drawable(channels)
    if len(rows) < len(channels):
        return False
    top = float(np.nanmax(numbers, initial=0.0)) or 1.0
    image = draw_map(ax, np.asarray(numbers, float), channels, top, "Oranges", low=0.0)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.06, pad=0.03, ticks=[0.0, top], format="{x:.0%}")
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6, length=2)
    return True


@lru_cache(maxsize=32)
def _info(electrodes: tuple[str, ...]) -> Any:
    import mne

    with mne.utils.use_log_level("ERROR"):
        info = mne.create_info(list(electrodes), 100.0, "eeg")
        info.set_montage(template_montage(), on_missing="raise")
    return info
