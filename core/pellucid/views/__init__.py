"""Views: how one input of one sample is drawn. A plugin draws its own; what has no view is drawn plainly here.

The contract of a view, whether of the core or of a plugin::

    view(ax, values, spec, shown) -> None

``ax`` is a matplotlib axis, free to be divided by :meth:`~matplotlib.axes.Axes.inset_axes`. ``values`` is one sample of
the input, of shape ``spec.shape``, NaN where it is missing. ``shown`` (:class:`Shown`) says what is drawn beside the
values: dense evidence, a caption, the sample's other inputs, marked places, or one place alone. A view draws into ``ax``
alone, reads nothing, and works for a decoded input as for a measured one: values need not be exact. What it cannot draw
of ``shown`` it leaves out; the report says marked places in words as well.

A view whose picture has a size of its own (paper at so many millimetres a second) says so with :func:`sized`; its axis
then fills a figure of that size.
"""

from pellucid.views.choice import view_for
from pellucid.views.contract import PLAIN, Marked, Shown, Sized, View, for_kinds, inches, is_to_scale, sized
from pellucid.views.drawing import (
    COLOURS,
    INK,
    LOWERS,
    MARKS,
    NEUTRAL,
    RAISES,
    box_in_plane,
    evidence_colours,
    evidence_layer,
    frame,
    look_at,
    mark_box,
    mark_style,
    scale_bar,
)
from pellucid.views.plain import DEFAULT, image, middle, signal, trajectory, vector, volume, words

__all__ = [
    "COLOURS",
    "DEFAULT",
    "INK",
    "LOWERS",
    "MARKS",
    "NEUTRAL",
    "PLAIN",
    "RAISES",
    "Marked",
    "Shown",
    "Sized",
    "View",
    "box_in_plane",
    "evidence_colours",
    "evidence_layer",
    "for_kinds",
    "frame",
    "image",
    "inches",
    "is_to_scale",
    "look_at",
    "mark_box",
    "mark_style",
    "middle",
    "scale_bar",
    "signal",
    "sized",
    "trajectory",
    "vector",
    "view_for",
    "volume",
    "words",
]
