"""A pair among the known links of its two nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.views.network import neighbourhood as draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.views import Shown


def neighbourhood(ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Draw the bipartite neighbourhood of a pair: a drug's known microbes and a microbe's known drugs, and what each link adds.

    What a link adds is by how much the output falls where the model does not know it; these are differences, not parts of a sum.

    Parameters
    ----------
    ax : Axes
    values : ndarray of int, shape (2,)
        Numbers of the two nodes.
    spec : Nodes
    shown : Shown
        ``network`` holds the known links; without it only the pair is drawn.
    """
    draw(ax, values, spec, shown)
