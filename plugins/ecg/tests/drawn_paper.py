"""Drawn ECG paper, for the tests of what is on it."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pellucid.data import Signal
from pellucid.views import Shown, inches
from pellucid_ecg.views.paper import paper

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


RATE = 100.0


def spec_of(leads=LEADS, seconds=10.0, units="mV", rate=RATE) -> Signal:
    return Signal(channels=tuple(leads), length=round(seconds * rate), rate_hz=rate, units=units)


def flat(spec: Signal) -> np.ndarray:
    return np.zeros(spec.shape, np.float32)


def drawn(values, spec, view=paper, **shown):
    given = Shown(**shown)
    figure = Figure(figsize=inches(view, values, spec, given))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    view(ax, values, spec, given)
    figure.canvas.draw()
    return ax


def mm(ax, points) -> np.ndarray:
    """Places on the printed figure in millimetres from its lower left corner."""
    return ax.transData.transform(np.asarray(points, float)) / ax.figure.dpi * 25.4


def traces(ax) -> list[np.ndarray]:
    """Lines of many points in the order of reading, in millimetres: by height of their middle, then from the left."""
    lines = [line.get_xydata() for line in ax.lines if len(line.get_xdata()) > 6]
    return [mm(ax, line) for line in lines]


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def marked_leads(ax) -> dict[str, list]:
    found: dict[str, list] = {}
    for patch in ax.patches:
        if str(patch.get_gid()).startswith("mark "):
            found.setdefault(patch.get_gid().removeprefix("mark "), []).append(patch)
    return found


def bars(ax) -> list:
    return [patch for patch in ax.patches if patch.get_gid() == "bar"]
