"""Graphs of different sizes: taken out, put together, as tensors, and through a study."""

import networkx as nx
import numpy as np
import pytest
import torch

from pellucid.data.graphs import Graphs
from pellucid.data.spec import Graph
from pellucid.errors import DataError
from pellucid.graph_batch import GraphBatch, joined


def drawn(count=6, seed=0, types=False):
    """Graphs with two node features and one edge feature; the first has no edge, the second no node."""
    rng = np.random.default_rng(seed)
    found = []
    for at in range(count):
        nodes = 0 if at == 1 else 1 + at
        edges = rng.integers(0, nodes, (0 if at < 2 else 2 * at, 2)) if nodes else np.zeros((0, 2))
        extra = {}
        if types:
            extra = {"node_types": rng.integers(0, 2, nodes), "edge_types": rng.integers(0, 3, len(edges))}
        found.append(Graphs.of(rng.normal(size=(nodes, 2)), edges, rng.normal(size=(len(edges), 1)), **extra))
    return found


def same(a: Graphs, b: Graphs) -> bool:
    first, second = a.arrays(), b.arrays()
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("types", [False, True])
def test_graphs_taken_out_are_those_put_in(types):
    alone = drawn(types=types)
    together = Graphs.joined(alone)
    assert len(together) == len(alone)
    assert all(same(together[at], one) for at, one in enumerate(alone))
    order = [3, 0, 5, 5, 1, -1]
    assert same(together[order], Graphs.joined([alone[at] for at in order]))
    assert same(together[2:5], Graphs.joined(alone[2:5]))
    assert same(
        together[np.array([False, True, True, False, False, True])], Graphs.joined([alone[1], alone[2], alone[5]])
    )


def test_a_graph_without_edges_need_not_say_what_edges_have():
    bare = Graphs.of([[1.0]], [])
    bonded = Graphs.of([[1.0], [2.0]], [[0, 1]], [[0.5, 3.0]])
    for order in ([bare, bonded], [bonded, bare], [bare, bonded, bare]):
        found = Graphs.joined(order)
        assert found.edge_values.tolist() == [[0.5, 3.0]]
        assert found.edges.tolist() == [[0, 1]]
    assert Graphs.joined([bare, bare]).edge_values.shape == (0, 0)


def test_a_graph_that_cannot_be_is_refused():
    with pytest.raises(DataError, match=r"graph 1 has 2 nodes, but an edge from 0 to 2"):
        Graphs(np.zeros((5, 1)), [[0, 2], [0, 2]], [3, 2], [1, 1])
    with pytest.raises(DataError, match=r"graph 2 has 1 nodes, but an edge from -1 to 0"):
        Graphs(np.zeros((6, 1)), [[0, 2], [1, 0], [0, 1], [-1, 0]], [3, 2, 1], [1, 2, 1])
    with pytest.raises(DataError, match="nodes has 4 entries, expected 5"):
        Graphs(np.zeros((4, 1)), np.zeros((0, 2)), [3, 2], [0, 0])
    with pytest.raises(DataError, match="edge_values has 1 entries, expected 2"):
        Graphs(np.zeros((3, 1)), [[0, 1], [1, 0]], [3], [2], np.zeros((1, 1)))
    with pytest.raises(IndexError, match="graph 6 of 6"):
        Graphs.joined(drawn())[6]


def test_graphs_are_checked_against_their_spec():
    spec = Graph(node_features=("mass", "charge"), edge_features=("length",))
    graphs = Graphs.joined(drawn())
    graphs.check(spec, "here")
    with pytest.raises(DataError, match=r"here: node features of shape \(19, 2\), expected \(node, 1\)"):
        graphs.check(Graph(node_features=("mass",), edge_features=("length",)), "here")
    with pytest.raises(DataError, match="node_types are missing"):
        graphs.check(Graph(node_features=("mass", "charge"), edge_features=("length",), node_types=("a",)), "here")
    for types, told in (([0, -1], "from -1 to 0"), ([0, 2], "from 0 to 2")):
        typed = Graphs.of(np.zeros((2, 1)), [], None, types)
        with pytest.raises(DataError, match=f"node_types run {told}; the spec names 2"):
            typed.check(Graph(node_features=("mass",), node_types=("a", "b")), "here")
    graphs.nodes[3, 1] = np.nan
    with pytest.raises(DataError, match="node feature 'charge' is nan in node 3"):
        graphs.check(spec, "here")
    with pytest.raises(ValueError, match="joins 'c', which is no node type"):
        Graph(node_features=(), node_types=("a", "b"), relations=(("a", "to", "c"),))


@pytest.mark.parametrize("types", [False, True])
def test_tensors_of_graphs_are_numbered_over_the_batch(types):
    alone = drawn(types=types)
    batch = GraphBatch.of(Graphs.joined(alone))
    reference = nx.disjoint_union_all([_networkx(one) for one in alone if len(one.nodes)])
    assert sorted(reference.edges()) == sorted(map(tuple, batch.edge_index.t().tolist()))
    assert batch.node_counts.tolist() == [len(one.nodes) for one in alone]
    order = [4, 1, 4, 0]
    chosen, expected = batch[order], GraphBatch.of(Graphs.joined([alone[at] for at in order]))
    for name in ("nodes", "edge_index", "edge_values", "graph_of_node", "node_types", "edge_types"):
        a, b = getattr(chosen, name), getattr(expected, name)
        assert (a is None and b is None) or torch.equal(a, b), name
    back = joined([batch[:2], batch[2:]])
    assert torch.equal(back.edge_index, batch.edge_index)
    assert torch.equal(back.graph_of_node, batch.graph_of_node)
    assert len(back) == len(batch)
    moved = batch.to("cpu")
    for name in ("nodes", "edge_index", "edge_values", "graph_of_node", "node_types", "edge_types"):
        for other in (back, moved):
            a, b = getattr(other, name), getattr(batch, name)
            assert (a is None and b is None) or torch.equal(a, b), name
    assert torch.equal(batch[torch.tensor([2])].edges_of(0), torch.from_numpy(alone[2].edges))


def _networkx(one: Graphs):
    made = nx.MultiDiGraph()
    made.add_nodes_from(range(len(one.nodes)))
    made.add_edges_from(map(tuple, one.edges.tolist()))
    return made


def test_sums_means_and_padding_follow_the_graphs():
    alone = drawn()
    batch = GraphBatch.of(Graphs.joined(alone))
    sums = np.stack([one.nodes.sum(0) for one in alone])
    means = np.stack([one.nodes.mean(0) if len(one.nodes) else np.zeros(2) for one in alone])
    assert torch.allclose(batch.summed(batch.nodes), torch.tensor(sums, dtype=torch.float32))
    assert torch.allclose(batch.mean(batch.nodes), torch.tensor(means, dtype=torch.float32))
    padded, known = batch.padded(batch.nodes)
    assert padded.shape == (6, 6, 2)
    assert all(np.array_equal(padded[at][known[at]], one.nodes.astype(np.float32)) for at, one in enumerate(alone))
    assert padded[~known].abs().sum() == 0


def test_edges_are_left_out_of_one_graph_alone():
    batch = GraphBatch.of(Graphs.joined(drawn(types=True)))
    gone = torch.zeros(batch.edge_index.shape[1], dtype=torch.bool)
    gone[[0, 3]] = True
    less = batch.without_edges(gone)
    assert torch.equal(less.edge_index, batch.edge_index[:, ~gone])
    assert torch.equal(less.edge_types, batch.edge_types[~gone])
    assert torch.equal(less.nodes, batch.nodes)


def test_nodes_are_left_out_with_their_edges():
    alone = drawn(types=True)
    batch = GraphBatch.of(Graphs.joined(alone))
    gone = torch.zeros(len(batch.nodes), dtype=torch.bool)
    gone[[0, 4, 9]] = True
    less = batch.without_nodes(gone)
    whole = nx.MultiDiGraph()
    whole.add_nodes_from(range(len(batch.nodes)))
    whole.add_edges_from(map(tuple, batch.edge_index.t().tolist()))
    whole.remove_nodes_from([0, 4, 9])
    numbers = {old: new for new, old in enumerate(sorted(whole.nodes()))}
    assert sorted(map(tuple, less.edge_index.t().tolist())) == sorted(
        (numbers[a], numbers[b]) for a, b in whole.edges()
    )
    assert torch.equal(less.nodes, batch.nodes[~gone])
    assert less.node_counts.tolist()[0] == 0
    assert len(less) == len(batch)
