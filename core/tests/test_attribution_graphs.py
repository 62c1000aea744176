"""Leaving out nodes and edges of graphs, against a model whose output is known."""

import pytest
import torch

from pellucid.attribution import graph_map, graphs, region_map
from pellucid.attribution.places import place_map
from pellucid.batch import Batch, collate
from pellucid.data.spec import Binary
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import ContractError
from pellucid.heads.functions.linear import Linear, LinearConfig
from pellucid.heads.scaled import STRIDE
from pellucid.model import Model
from pellucid.regions import Subgraph
from pellucid.representation import Representation
from pellucid.testing.planted import planted


class NodesAndEdges(Encoder):
    """Sum of a node's first feature, and of edges' lengths."""

    tags = EncoderTags(accepts=("graph",))
    config_type = EncoderConfig
    names = ("nodes", "edges")

    def __init__(self, config):
        super().__init__()
        self.config = config

    def forward(self, batch):
        x = self.graphs(batch)
        lengths = torch.zeros(len(x)).index_add(0, x.graph_of_edge, x.edge_values[:, 0])
        return Representation(torch.stack([x.summed(x.nodes)[:, 0], lengths], 1), self.names)


@pytest.fixture
def case():
    data = planted(("graph",), samples=5, subjects=5)
    head = Linear(LinearConfig(units=("graph:nodes", "graph:edges"), target=Binary(names=("no", "yes"))))
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[2.0, 10.0]]) / STRIDE)
    encoder = NodesAndEdges(EncoderConfig(inputs=data.spec.inputs))
    return Model({"graph": encoder}, head).eval(), collate(data, range(5))


@pytest.mark.parametrize("at_once", [1, 30, 20_000])
def test_a_node_takes_its_value_and_its_edges_with_it(case, monkeypatch, at_once):
    monkeypatch.setattr(graphs, "NODES_AT_ONCE", at_once)
    model, batch = case
    x = batch.inputs["graph"]
    found = graph_map(model, batch)
    for row in range(len(x)):
        of = x.graph_of_node == row
        lengths = torch.zeros(len(x.nodes))
        for end in x.edge_index:
            lengths.index_add_(0, end, x.edge_values[:, 0])
        expected = 2 * x.nodes[of, 0] + 10 * lengths[of]
        assert torch.allclose(found.falls[row], expected, rtol=1e-3, atol=1e-3)
        assert found.regions[row] == tuple(Subgraph((at,)) for at in range(int(of.sum())))
    region, fall = found.strongest(2, top=1)[0]
    assert fall == pytest.approx(float(found.falls[2].max()))
    assert region == Subgraph((int(found.falls[2].argmax()),))
    table = found.values
    assert table.shape == (5, int(x.node_counts.max()))
    for row, falls in enumerate(found.falls):
        assert torch.equal(table[row, : len(falls)], falls)
        assert not table[row, len(falls) :].any()


def test_as_many_copies_as_may_be_go_through_together_and_no_more(case, monkeypatch):
    model, batch = case
    most = int(batch.inputs["graph"].node_counts.max())
    seen = []
    forward = Model.forward
    monkeypatch.setattr(
        Model, "forward", lambda self, one: seen.append(len(one.inputs["graph"].nodes)) or forward(self, one)
    )
    monkeypatch.setattr(graphs, "NODES_AT_ONCE", 3 * most)
    graph_map(model, batch)
    # Of each copy one node is gone.
    copies = seen[1:]
    assert all(2 * most - 3 < nodes < 3 * most for nodes in copies[:-1])
    assert sum(copies) == int((batch.inputs["graph"].node_counts * (batch.inputs["graph"].node_counts - 1)).sum())


def test_an_edge_goes_both_ways_and_is_named_once(case):
    model, batch = case
    x = batch.inputs["graph"]
    found = graph_map(model, batch, parts="edges")
    for row in range(len(x)):
        own = x.edges_of(row).tolist()
        assert len(found.regions[row]) == len(own) / 2
        lengths = x.edge_values[x.graph_of_edge == row, 0]
        for region, fall in zip(found.regions[row], found.falls[row], strict=True):
            both = sum(length for pair, length in zip(own, lengths, strict=True) if set(pair) == set(region.nodes))
            assert region.edges == (region.nodes,)
            assert float(fall) == pytest.approx(10 * float(both), rel=1e-3)


def test_what_is_no_graph_is_refused(case):
    model, batch = case
    with pytest.raises(ContractError, match="did you mean 'graph'"):
        graph_map(model, batch, input="grap")
    with pytest.raises(ContractError, match="graphs: none"):
        graph_map(model, Batch({"x": torch.zeros(2, 3)}))


class Total(NodesAndEdges):
    """Sum of a picture, twice."""

    tags = EncoderTags(accepts=("image",))

    def forward(self, batch):
        return Representation(self.read(batch).flatten(1).sum(1, keepdim=True).expand(-1, 2), self.names)


def test_places_of_any_kind_of_input_are_nodes_or_windows(case):
    model, batch = case
    found, wanted = place_map(model, batch, input="graph"), graph_map(model, batch)
    assert torch.equal(found.values, wanted.values)
    data = planted(("image",), samples=3, subjects=3)
    encoder = Total(EncoderConfig(inputs=data.spec.inputs))
    pictures = Model({"graph": encoder}, model.head).eval()
    batch = collate(data, range(3))
    usual = batch.inputs["image"].mean(0)
    found = place_map(pictures, batch, input="image", usual=usual)
    wanted = region_map(pictures, batch, input="image", baseline=usual)
    assert torch.equal(found.values, wanted.values)
    regions, falls = found.of(1)
    for region, fall in zip(regions, falls.tolist(), strict=True):
        window = (..., *(slice(*ends) for ends in zip(region.start, region.stop, strict=True)))
        # The output is 2 + 10 times the sum.
        assert fall == pytest.approx(12 * float((batch.inputs["image"][1] - usual)[window].sum()), abs=1e-3)
