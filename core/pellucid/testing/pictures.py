"""What every view and every measure keeps: they are tried on the data that names them."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import SkipTest

import numpy as np

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.errors import UnknownComponent
from pellucid.plugins import Component
from pellucid.testing.instances import need, open_all
from pellucid.testing.planted import planted


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
    elif not found:
        raise SkipTest(f"no dataset that is here has an input with this {component.kind}")


def _same(component: Component, name: str) -> bool:
    try:
        return plugins.find(component.kind, name) == component
    except UnknownComponent:
        return False


def view_draws_what_it_is_named_for(component: Component) -> None:
    """It draws a sample, with and without evidence and caption, into the axis it is given, and changes no value."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    view = plugins.load("view", component.qualified)
    for data, name in _inputs_that_name(component):
        values = data[0].inputs[name]
        others = {other: value for other, value in data[0].inputs.items() if other != name}
        for evidence in (None, np.linspace(-1, 1, values.size, dtype=np.float32).reshape(values.shape)):
            before = values.copy()
            figure = Figure()
            canvas = FigureCanvasAgg(figure)
            ax = figure.add_subplot()
            ax.set_axis_off()
            canvas.draw()
            empty = np.asarray(canvas.buffer_rgba()).copy()
            view(ax, values, data.spec.input(name), evidence=evidence, caption="a caption", beside=others)
            canvas.draw()
            need(
                not np.array_equal(empty, np.asarray(canvas.buffer_rgba())),
                component,
                f"draws nothing for input {name!r}",
            )
            need(np.array_equal(before, values, equal_nan=True), component, f"changes the values of input {name!r}")


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
