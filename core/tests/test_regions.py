"""Regions as an open family: what each kind does, how it is kept, and what a plugin's own kind needs."""

import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from pellucid.data.spec import Graph, Image, Signal, Trajectory
from pellucid.errors import ContractError
from pellucid.evaluation import _difference
from pellucid.gathering.places import from_json, in_words, input_of
from pellucid.regions import (
    Box,
    FrequencyBand,
    Region,
    Steps,
    Subgraph,
    TimeSpan,
    Voxels,
    Words,
    around,
    merged,
    overlap,
    region_from_json,
    region_to_json,
)

EVERY = (
    TimeSpan(("I", "II"), 0.5, 1.0),
    FrequencyBand(("I",), 4.0, 8.0),
    Box((0, 1, 2), (3, 4, 5)),
    Voxels(((0, 1), (2, 3))),
    Subgraph((3, 4, 9), ((3, 4),)),
    Steps(("speed",), 2, 7),
    Words(1, 4),
)


@dataclass(frozen=True)
class Ring(Region):
    """A kind that no module of the core knows."""

    kinds = ("image",)

    inner: float
    outer: float

    def around(self, others):
        return replace(self, inner=min(o.inner for o in (self, *others)), outer=max(o.outer for o in (self, *others)))

    def overlaps(self, other):
        return self.inner < other.outer and other.inner < self.outer

    def covers(self, spec):
        return self.inner == 0 and self.outer >= max(spec.size)

    def in_words(self, spec=None):
        return f"ring from {self.inner:g} to {self.outer:g}"


@pytest.mark.parametrize("region", [*EVERY, Ring(1.0, 2.5)], ids=lambda one: type(one).__name__)
def test_every_kind_is_read_back_from_what_is_kept_of_it(region):
    import json

    kept = json.loads(json.dumps(region_to_json(region)))
    assert region_from_json(kept) == region
    assert hash(region_from_json(kept)) == hash(region)
    assert region.kinds


def test_molecules_in_folders_of_earlier_versions_are_read():
    kept = {"kind": "Atoms", "atoms": [0, 4], "bonds": [[0, 4]]}
    assert region_from_json(kept) == Subgraph((0, 4), ((0, 4),))
    assert region_from_json({"kind": "Atoms", "atoms": [2], "bonds": []}) == Subgraph((2,))
    evidence = from_json({"unit": "u", "region": kept, "source": None, "text": ""})
    assert evidence.region == Subgraph((0, 4), ((0, 4),))


def test_a_kind_of_a_plugin_that_is_not_loaded_is_refused_by_name():
    with pytest.raises(ContractError, match="no region of kind 'Spiral': import the plugin"):
        region_from_json({"kind": "Spiral", "turns": 3})


def test_a_plugins_own_kind_is_used_like_any_other():
    near, far = Ring(0.0, 1.0), Ring(3.0, 4.0)
    assert around([near, far]) == Ring(0.0, 4.0)
    assert not overlap(near, far)
    assert overlap(near, Ring(0.5, 9.0))
    assert merged([near, far, near]) == [near, far]
    image, signal = (
        Image(channels=("grey",), size=(4, 4), units="1"),
        Signal(channels=("a",), length=9, rate_hz=1.0, units="mV"),
    )
    assert input_of(near, "", {"picture": image, "beat": signal}) == "picture"
    assert in_words(near, "", {"picture": image}) == "ring from 0 to 1"


def test_two_kinds_of_one_name_are_refused():
    with pytest.raises(ContractError, match="folders know regions by name"):
        type("Box", (Region,), {"__module__": "elsewhere"})


def test_what_is_no_region_is_refused_and_not_taken_for_another():
    for call in (
        lambda: around(["a", "b"]),
        lambda: merged([3]),
        lambda: overlap(Box((0,), (1,)), slice(0, 1)),
        lambda: around([Box((0,), (1,)), Voxels(((0,),))]),
    ):
        with pytest.raises(ContractError):
            call()


@pytest.mark.parametrize(
    ("some", "whole"),
    [
        ([TimeSpan(("b",), 3.0, 4.0), TimeSpan(("a",), 1.0, 2.0)], TimeSpan(("b", "a"), 1.0, 4.0)),
        ([FrequencyBand(("a",), 3.0, 4.0), FrequencyBand(("a",), 1.0, 9.0)], FrequencyBand(("a",), 1.0, 9.0)),
        ([Box((2, 0), (3, 5)), Box((0, 1), (1, 9))], Box((0, 0), (3, 9))),
        ([Voxels(((1,), (2,))), Voxels(((2,), (0,)))], Voxels(((1,), (2,), (0,)))),
        ([Subgraph((1, 2), ((1, 2),)), Subgraph((2, 3))], Subgraph((1, 2, 3), ((1, 2),))),
        ([Steps(("x",), 4, 5), Steps(("y",), 1, 2), Steps(("x",), 0, 1)], Steps(("x", "y"), 0, 5)),
        ([Words(4, 5), Words(1, 2)], Words(1, 5)),
    ],
)
def test_around_is_the_smallest_that_covers_all(some, whole):
    assert around(some) == whole
    assert all(overlap(whole, one) and overlap(one, whole) for one in some)


def test_regions_that_differ_in_channels_or_variables_alone_become_one():
    assert merged([Steps(("x",), 0, 2), Steps(("y",), 0, 2), Steps(("y",), 1, 2)]) == [
        Steps(("x", "y"), 0, 2),
        Steps(("y",), 1, 2),
    ]


def test_nodes_are_called_what_their_graph_calls_them():
    roads = Graph(node_features=("x",), node_word=("town", "towns"), edge_word=("road", "roads"))
    assert Subgraph((0,)).in_words(roads) == "town 1"
    assert Subgraph((0, 4), ((4, 0),)).in_words(roads) == "road between towns 1 and 5"
    assert Subgraph((0, 4, 5), ((4, 0),)).in_words(roads) == "towns 1, 5 and 6"
    assert Subgraph(tuple(range(8))).in_words(roads) == "8 towns"
    assert Subgraph((0, 4), ((0, 4),)).in_words() == "edge between nodes 1 and 5"


def test_a_region_covers_an_input_from_nine_tenths_of_it_on():
    path = Trajectory(names=("x", "y"), length=20, dt_s=0.1, units=("m", "m"))
    assert Steps(("x", "y"), 0, 18).covers(path)
    assert not Steps(("x", "y"), 0, 17).covers(path)
    assert not Steps(("x",), 0, 20).covers(path)
    picture = Image(channels=("grey",), size=(2, 5), units="1")
    cells = tuple((row, column) for row in range(2) for column in range(5))
    assert Voxels(cells[:9]).covers(picture)
    assert not Voxels(cells[:8] * 2).covers(picture)


def test_regions_come_without_torch():
    loaded = (
        "import sys, pellucid.regions; print([m for m in ('torch', 'numpy', 'pandas', 'pydantic') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True).strip() == "[]"


def test_other_words_for_nodes_and_edges_do_not_keep_a_run_from_being_evaluated():
    learnt, here = (
        Graph(node_features=("x",), node_word=("town", "towns")),
        Graph(node_features=("x",), node_word=("city", "cities"), edge_word=("road", "roads")),
    )
    assert not _difference({"map": learnt}, {"map": here})
    assert "node_features" in _difference({"map": learnt}, {"map": Graph(node_features=("y",))})
