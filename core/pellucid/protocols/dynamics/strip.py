"""One forecast beside what happened, along time, and the step from which it is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pellucid.data.spec import Trajectory
from pellucid.encoders.abilities import RunsFree
from pellucid.protocols.base import Context
from pellucid.protocols.dynamics.followed import Followed
from pellucid.protocols.dynamics.linear import LinearMap
from pellucid.regions import Steps
from pellucid.views import Marked, Shown, inches
from pellucid.views.roll_out import MOST, SAID, roll_out
from pellucid.wording import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def strip(
    encoder: RunsFree, linear: LinearMap, test: Followed, start: torch.Tensor, warm: int, tolerance: float
) -> dict[str, Any]:
    """The first test sample: shown to the model for some steps, then forecast by it to the sample's end.

    Parameters
    ----------
    encoder : RunsFree
    linear : LinearMap
        Whose standard deviations errors are counted in.
    test : Followed
    start : Tensor, shape (1, unit)
        The state after the steps that are shown.
    warm : int
        How many these are.
    tolerance : float

    Returns
    -------
    dict
        ``real`` and ``made``, shape (channel, step), of the first channels; ``lost``, the first step at which the error of all channels is
        above the tolerance, None where none is.
    """
    real = test.values[0]
    made = encoder.free_run(start, len(real) - warm).values[0].detach().cpu().double().numpy()
    errors = np.sqrt(((linear.standardised(made) - linear.standardised(real[warm:])) ** 2).mean(1))
    beyond = np.flatnonzero(errors > tolerance)
    return {
        "channels": list(test.channels[:MOST]),
        "units": list(test.units[:MOST]),
        "left_out": max(0, len(test.channels) - MOST),
        "rate_hz": test.rate_hz,
        "warm": warm,
        "tolerance": tolerance,
        "lost": int(beyond[0]) + warm if len(beyond) else None,
        "real": np.round(real[:, :MOST].T, 5).tolist(),
        "made": np.round(made[:, :MOST].T, 5).tolist(),
    }


def drawn(told: Mapping[str, Any], context: Context) -> tuple[str, Figure]:
    """In words and as a picture."""
    from matplotlib.figure import Figure

    real, made = np.array(told["real"], float), np.array(told["made"], float)
    names, length, warm, lost = tuple(told["channels"]), real.shape[1], told["warm"], told["lost"]
    spec = Trajectory(names=names, length=length, dt_s=1 / told["rate_hz"], units=tuple(told["units"]))
    said = np.concatenate([np.full((len(names), warm), np.nan), made], axis=1)
    places = [Marked(Steps((), 0, warm), label="shown to the model")]
    limit = f"{number(told['tolerance'], 2)} standard deviations"
    if lost is not None:
        places.append(Marked(Steps((), lost, length), label="lost"))
    shown = Shown(beside={SAID: said}, regions=tuple(places))
    figure = Figure(figsize=inches(roll_out, real, spec, shown))
    roll_out(figure.add_axes((0.0, 0.0, 1.0, 1.0)), real, spec, shown)
    ahead = (
        f"its error is above {limit} after {lost - warm + 1} steps ({number((lost - warm + 1) / told['rate_hz'], 3)} s)"
        if lost is not None
        else f"its error stays below {limit} for all {length - warm} steps"
    )
    others = f"; {told['left_out']} more channels count and are not drawn" if told["left_out"] else ""
    return f"a forecast of one {context.one} that was not learnt from; {ahead}{others}", figure
