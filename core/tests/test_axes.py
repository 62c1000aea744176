"""Where a part of an input's array lies: said once by its spec, for every kind."""

import numpy as np
import pytest

from pellucid.activations.places import region_of
from pellucid.attribution.occlusion import windows
from pellucid.data.spec import Graph, Image, Nodes, Signal, Text, Trajectory, Vector, Volume
from pellucid.errors import ContractError
from pellucid.regions import Box, Steps, TimeSpan, Words

SIGNAL = Signal(channels=("a", "b", "c"), length=100, rate_hz=50.0, units="mV")
PATH = Trajectory(names=("x", "u"), actions=("u",), length=20, dt_s=0.1, units=("m", "N"))
IMAGE = Image(channels=("red", "green"), size=(20, 30), units="1")
VOLUME = Volume(channels=("ct",), size=(4, 20, 30), units="HU")
TEXT = Text(vocabulary=9, length=12)
VECTOR = Vector(names=("m", "n"))
NODES = Nodes(roles=("one", "other"), types=("t", "t"), names={"t": ("a", "b")})
GRAPH = Graph(node_features=("x",))
EVERY = (SIGNAL, PATH, IMAGE, VOLUME, TEXT, VECTOR, NODES, GRAPH)


@pytest.mark.parametrize("spec", EVERY, ids=lambda one: one.kind)
def test_there_is_one_axis_for_each_number_of_a_shape(spec):
    assert len(spec.axes) == len(spec.shape)


@pytest.mark.parametrize(
    ("spec", "part", "region"),
    [
        (SIGNAL, (slice(1, 3), slice(25, 50)), TimeSpan(("b", "c"), 0.5, 1.0)),
        (SIGNAL, (slice(None), slice(12.5, 25)), TimeSpan(("a", "b", "c"), 0.25, 0.5)),
        (PATH, (slice(1, 2), slice(5, 6)), Steps(("u",), 5, 6)),
        (PATH, (slice(None), slice(2.5, 4.2)), Steps(("x", "u"), 2, 5)),
        (IMAGE, (slice(None), slice(2, 4), slice(0, 30)), Box((2, 0), (4, 30))),
        (IMAGE, (slice(0, 1), slice(1.5, 3.1), slice(None)), Box((1, 0), (4, 30))),
        (VOLUME, (slice(None), slice(3, 4), slice(0, 5), slice(10, 12)), Box((3, 0, 10), (4, 5, 12))),
        (TEXT, (slice(3, 4),), Words(3, 4)),
    ],
)
def test_a_part_of_an_array_is_a_region_of_its_kind(spec, part, region):
    assert spec.region(part) == region
    assert spec.kind in region.kinds


@pytest.mark.parametrize("spec", [SIGNAL, PATH, IMAGE, VOLUME, TEXT], ids=lambda one: one.kind)
def test_windows_lie_side_by_side_over_the_whole_input_and_no_two_regions_are_the_same(spec):
    parts = windows(spec.shape, spec.window(8))
    covered = np.zeros(spec.shape, int)
    for part in parts:
        covered[part] += 1
    assert (covered == 1).all()
    assert len({spec.region(part) for part in parts}) == len(parts)
    apart = len(spec.channels) if spec.channels_apart else 1
    assert len(parts) <= apart * max(8, spec.shape[-1]) ** len(spec.extent)


def test_the_window_of_a_kind_takes_channels_over_time_one_by_one_and_colours_together():
    assert SIGNAL.window(8) == (1, 13)
    assert PATH.window(8) == (1, 3)
    assert IMAGE.window(8) == (2, 3, 4)
    assert VOLUME.window(8) == (1, 1, 3, 4)
    assert TEXT.window(8) == (1,)


@pytest.mark.parametrize("spec", [VECTOR, NODES, GRAPH], ids=lambda one: one.kind)
def test_an_input_without_an_order_has_no_windows_and_no_regions(spec):
    assert spec.extent == ()
    with pytest.raises(ContractError, match=f"a {spec.kind} has no axis along which places have an order"):
        spec.window(8)
    with pytest.raises(ContractError, match="no regions"):
        spec.region((slice(None),) * len(spec.axes))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ((slice(0, 1),), "one slice for each of its axes, channel, time"),
        ((slice(0, 1), slice(90, 101)), "90 to 101 is no part of a signal's axis 'time', which is 100 long"),
        ((slice(0, 1), slice(5, 5)), "5 to 5 is no part"),
        ((slice(0, 1), slice(-5, 5)), "-5 to 5 is no part"),
        ((slice(0, 1), slice(0, 50, 2)), "is no part"),
    ],
)
def test_what_lies_outside_of_an_array_is_refused(part, said):
    with pytest.raises(ContractError, match=said):
        SIGNAL.region(part)


def test_places_are_what_can_be_taken_out_or_filled():
    assert {spec.kind for spec in EVERY if spec.has_places} == {"signal", "trajectory", "image", "volume", "graph"}


def test_a_position_of_a_layer_lies_where_its_cell_does():
    assert region_of(SIGNAL, (5,), 1) == TimeSpan(("a", "b", "c"), 0.4, 0.8)
    assert region_of(SIGNAL, (3, 5), 6) == TimeSpan(("a", "b", "c"), 0.4, 0.8)
    assert region_of(PATH, (8,), 1) == Steps(("x", "u"), 2, 5)
    assert region_of(PATH, (2, 10), 13) == Steps(("x", "u"), 6, 8)
    assert region_of(VOLUME, (2, 4, 3), 23) == Box((2, 15, 20), (4, 20, 30))
    assert region_of(TEXT, (6,), 5) == Words(10, 12)
    for spec, shape in ((IMAGE, (2, 4, 4)), (TEXT, (2, 6)), (VECTOR, (2,)), (GRAPH, (7,)), (SIGNAL, ())):
        assert region_of(spec, shape, 0) is None


def test_steps_of_a_region_are_those_it_was_made_from_and_other_kinds_are_refused():
    for spec in (SIGNAL, PATH):
        region = spec.region((slice(None), slice(7, 19)))
        assert spec.steps(region) == slice(7, 19)
        assert region.channels == spec.channels
    with pytest.raises(ContractError, match="a Steps is no stretch of a signal"):
        SIGNAL.steps(Steps(("x",), 0, 1))
    with pytest.raises(ContractError, match="a TimeSpan is no stretch of a trajectory"):
        PATH.steps(TimeSpan(("x",), 0.0, 1.0))
