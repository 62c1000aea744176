"""What every view and every measure keeps: they are tried on the data that names them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast
from unittest import SkipTest

import numpy as np

from pellucid import plugins
from pellucid.data.axes import UNORDERED
from pellucid.data.dataset import Dataset
from pellucid.data.graphs import Graphs
from pellucid.errors import UnknownComponent
from pellucid.plugins import Component
from pellucid.regions import Region, Subgraph
from pellucid.testing.datasets import same_values
from pellucid.testing.instances import need, open_all
from pellucid.testing.planted import planted
from pellucid.views import Marked, Shown, inches, is_to_scale
from pellucid.views.contract import kinds_of
from pellucid.views.stretches import stretches_of


def _inputs_that_name(component: Component) -> Iterator[tuple[Dataset, str]]:
    found = False
    for _, data in open_all():
        named = (
            {n: (view,) for n, view in data.spec.views.items()}
            if component.kind == "view"
            else dict(data.spec.measures)
        )
        for name, components in named.items():
            if any(_same(component, one) for one in components):
                found = True
                yield data, name
    if not found and component.kind == "measure":
        # A measure of no dataset in particular (the core's own): tried on pictures.
        yield planted(("image",)), "image"
    elif not found and stretches_of(plugins.load("view", component.qualified)) is not None:
        # One that stands beside the view of an input, and is asked for by name: such are of signals.
        yield planted(("signal",)), "signal"
    elif not found and (kinds := kinds_of(plugins.load("view", component.qualified))):
        for kind in kinds:
            yield planted((kind,)), kind
    elif not found:
        raise SkipTest(f"no dataset that is here has an input with this {component.kind}")


def _same(component: Component, name: str) -> bool:
    try:
        return plugins.find(component.kind, name) == component
    except UnknownComponent:
        return False


def view_draws_what_it_is_named_for(component: Component) -> None:
    """It draws a sample, with and without evidence and caption, into the axis it is given, and changes no value."""
    view = plugins.load("view", component.qualified)
    for data, name in _inputs_that_name(component):
        values, spec = data[0].inputs[name], data.spec.input(name)
        others = {other: value for other, value in data[0].inputs.items() if other != name}
        # Of a graph one number a node.
        shape = (len(values.nodes),) if isinstance(values, Graphs) else values.shape
        for evidence in (None, np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)):
            before = copy.deepcopy(values)
            drawn = _drawn(view, values, spec, Shown(evidence=evidence, caption="a caption", beside=others))
            need(drawn.min() < 255, component, f"draws nothing for input {name!r}")
            need(same_values(before, values), component, f"changes the values of input {name!r}")
        if spec.kind == "nodes":
            plain = _drawn(view, values, spec, Shown())
            known = _drawn(view, values, spec, Shown(network=a_network(values, spec)))
            need(
                plain.shape != known.shape or not _same_picture(plain, known),
                component,
                f"leaves out what a model knows of {name!r}",
            )


def view_marks_places_and_draws_one_alone(component: Component) -> None:
    """A marked place changes the picture, one that raises and one that lowers differ, and a place can be drawn alone."""
    view = plugins.load("view", component.qualified)
    tried = False
    for data, name in _inputs_that_name(component):
        values, spec = data[0].inputs[name], data.spec.input(name)
        place = a_place(spec)
        if place is None:
            continue
        tried = True
        plain = _drawn(view, values, spec, Shown())
        up, down = (_drawn(view, values, spec, Shown(regions=(Marked(place, weight),))) for weight in (1.0, -1.0))
        need(not _same_picture(plain, up), component, f"does not mark a place of input {name!r}")
        # In grey, as colour must not be the only sign.
        need(
            not _same_picture(up, down), component, f"marks of {name!r} that raise and that lower look the same in grey"
        )
        alone = _drawn(view, values, spec, Shown(only=place))
        need(not _same_picture(plain, alone), component, f"draws a place of input {name!r} alone like the whole")
    if not tried:
        raise SkipTest("no input with this view has places")


def a_place(spec: Any) -> Region | None:
    """A place of an input, away from its edges; None for kinds that have none."""
    if spec.kind == "graph":
        return Subgraph((0, 1), ((0, 1),))
    if not spec.has_places:
        return None
    part = []
    for axis, n in zip(spec.axes, spec.shape, strict=True):
        if axis in UNORDERED:
            part.append(slice(0, 1) if spec.channels_apart else slice(None))
        elif spec.channels_apart:
            part.append(slice(n // 4, n // 2))
        else:
            part.append(slice(max(0, n // 2 - max(1, n // 8)), min(n, n // 2 + max(1, n // 8))))
    return cast("Region", spec.region(tuple(part)))


def a_network(values: np.ndarray, spec: Any) -> dict[str, np.ndarray]:
    """What a model might know around a sample of nodes: two links, and paths of two nodes."""
    first, second = (int(at) for at in values[[0, -1]])
    others = [(at + 1) % count for at, count in zip((first, second), (spec.counts[0], spec.counts[-1]), strict=True)]
    times = np.linspace(0, 1, 4)
    places = np.stack([np.stack([times, times**2], 1), np.stack([1 - times, times], 1)], 1)
    return {
        "links": np.array([[first, others[1]], [others[0], second]]),
        "changes": np.array([0.5, -0.2]),
        "nodes": np.array([first, second]),
        "times": times,
        "places": places,
        "levels": np.zeros(2),
    }


def _drawn(view: Any, values: np.ndarray, spec: Any, shown: Shown) -> np.ndarray:
    """The picture in shades of grey, shape (row, column)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches(view, values, spec, shown if shown.network else Shown()))
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0)) if is_to_scale(view) else figure.add_subplot()
    ax.set_axis_off()
    view(ax, values, spec, shown)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] @ np.array([0.299, 0.587, 0.114])


def _same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, atol=1.0))


def measure_gives_one_number_a_sample(component: Component) -> None:
    """One finite number a sample, the same alone as among others, and not the same for all."""
    measure = plugins.load("measure", component.qualified)
    for data, name in _inputs_that_name(component):
        values, spec = data.read(np.arange(min(len(data), 8))).inputs[name], data.spec.input(name)
        together = np.asarray(measure(values, spec))
        need(
            together.shape == (len(values),),
            component,
            f"gives shape {together.shape} for {len(values)} samples of {name!r}",
        )
        need(bool(np.isfinite(together).all()), component, f"gives NaN or infinity for input {name!r}")
        alone = np.concatenate([np.asarray(measure(values[at : at + 1], spec)) for at in range(len(values))])
        need(
            np.allclose(together, alone, rtol=1e-5, atol=1e-8),
            component,
            "measures a sample differently in other company",
        )
        need(bool(np.ptp(together) > 0), component, f"says the same of every sample of input {name!r}")
