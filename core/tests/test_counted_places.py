"""What numbers add that were counted at nodes of a graph, laid on these nodes."""

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.attribution.counted import counted_inputs, laid_on_nodes
from pellucid.data.arrays import ArrayDataset
from pellucid.data.graphs import Graphs
from pellucid.data.samples import Place
from pellucid.data.spec import DataSpec, Graph, Regression, Vector
from pellucid.encoders.identity import Identity, IdentityConfig
from pellucid.gathering.gallery import Gallery
from pellucid.gathering.places import own_places
from pellucid.heads.functions.linear import Linear, LinearConfig
from pellucid.heads.scaled import STRIDE
from pellucid.model import Model
from pellucid.regions import Subgraph


class Counted(ArrayDataset):
    """Three graphs; ``pairs`` is counted at neighbouring nodes, ``ends`` at single ones, ``weight`` nowhere."""

    where = (
        {"pairs": [(0, 1), (1, 2)], "ends": [(0,)]},
        {"ends": [(0,)]},
        {"pairs": [(2, 3)], "ends": [(0,), (3,)]},
    )

    def __init__(self):
        counts = [[len(one.get(name, ())) for name in ("pairs", "ends")] for one in self.where]
        values = np.hstack([np.array(counts, np.float32), [[5.0], [7.0], [9.0]]]).astype(np.float32)
        spec = DataSpec(
            name="counted",
            inputs={"graph": Graph(node_features=("a",)), "counts": Vector(names=("pairs", "ends", "weight"))},
            targets={"y": Regression(names=("y",), units=("m",))},
            namespace="counted",
        )
        graphs = Graphs.joined([Graphs.of(np.zeros((size, 1)), []) for size in (3, 2, 4)])
        frame = pd.DataFrame({"subject": ["a", "b", "c"], "y": [0.0, 1.0, 2.0]}, index=["x", "y", "z"])
        super().__init__(spec, frame, {"graph": graphs, "counts": values})

    def places(self, input, index):
        if input != "counts":
            return {}
        return {
            name: tuple(Place("graph", Subgraph(nodes), text=name) for nodes in some)
            for name, some in self.where[index].items()
        }


@pytest.fixture
def model():
    spec = Counted().spec.inputs["counts"]
    encoder = Identity(IdentityConfig(inputs={"counts": spec}, standardised=False))
    units = ("counts:pairs", "counts:ends", "counts:weight")
    head = Linear(LinearConfig(units=units, target=Regression(names=("y",), units=("m",))))
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[4.0, 1.0, 100.0]]) / STRIDE)
    return Model({"counts": encoder}, head).eval()


def test_a_part_is_shared_among_places_and_their_nodes(model):
    laid = laid_on_nodes(model, Counted(), "y")["graph"]
    # Two pairs add 8, 2 to each node of each; one end adds 1.
    assert laid[0].tolist() == [2 + 1, 2 + 2, 2]
    assert laid[1].tolist() == [1, 0]
    assert laid[2].tolist() == [1, 0, 2, 2 + 1]


def test_subsets_and_the_report_lay_the_same(model):
    data = Counted()
    assert counted_inputs(model, data) == {"counts": "counts"}
    some = data.subset([2, 0])
    assert some.places("counts", 0) == data.places("counts", 2)
    dense = own_places(model, some, ["y", "y"])["graph"]
    assert dense.tolist() == [[1, 0, 2, 3], [3, 4, 2, 0]]


def test_numbers_without_places_are_laid_nowhere(model, monkeypatch):
    monkeypatch.setattr(Counted, "places", ArrayDataset.places)
    assert laid_on_nodes(model, Counted(), "y") == {}
    assert own_places(model, Counted(), ["y"] * 3) == {}


def test_a_gallery_keeps_one_number_a_node_of_each_graph(tmp_path):
    data = Counted()
    kept = {f"case/{name}/graph": data[at].inputs["graph"] for at, name in enumerate("xyz")}
    Gallery(arrays=kept).save(tmp_path)
    again = Gallery.load(tmp_path).arrays
    assert {name: len(one.nodes) for name, one in again.items()} == {
        "case/x/graph": 3,
        "case/y/graph": 2,
        "case/z/graph": 4,
    }
