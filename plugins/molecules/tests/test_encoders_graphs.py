"""Networks over graphs: what they compute, how far each node sees, and what they must not see."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.batch import Batch
from pellucid.data.graphs import Graphs
from pellucid.data.spec import Graph
from pellucid.errors import DataError
from pellucid.graph_batch import GraphBatch
from pellucid.regions import Subgraph
from pellucid_molecules.encoders.attentivefp import AttentiveFp
from pellucid_molecules.encoders.dmpnn import Dmpnn, messages, opposite
from pellucid_molecules.encoders.features import BUMPS, GraphFeatures, codes_of
from pellucid_molecules.encoders.gat import Gat
from pellucid_molecules.encoders.gin import Gin
from pellucid_molecules.featurising.codes import molecule_input

SPEC = Graph(node_features=("charge", "mass"), edge_features=("order", "length"))
ALL = (Gin, Gat, Dmpnn, AttentiveFp)
MODULES = ("gin", "gat", "dmpnn", "attentivefp", "features")


def made(kind, spec=SPEC, **options):
    torch.manual_seed(0)
    defaults = {"hidden": 16, "dropout": 0.0}
    encoder = kind(kind.config_type(inputs={"x": spec}, **defaults | options)).eval()
    with torch.no_grad():
        for name, value in encoder.named_buffers():
            # Statistics as after some training: a layer that forgot them would otherwise pass for one that uses them.
            if name.endswith(("running_mean", "running_var")):
                value.add_(torch.rand_like(value))
    return encoder


def drawn(seed=0, count=12, spec=SPEC):
    """Connected graphs of 1 to ``count`` nodes with a few rings, every edge both ways."""
    rng = np.random.default_rng(seed)
    found = []
    for nodes in range(1, count + 1):
        pairs = {(int(rng.integers(0, at)), at) for at in range(1, nodes)}
        pairs |= {(a, b) for a, b in rng.integers(0, nodes, (nodes // 4, 2)).tolist() if a < b}
        edges = [(a, b) for a, b in sorted(pairs)]
        values = rng.normal(size=(len(edges), len(spec.edge_features)))
        both = np.array(edges + [(b, a) for a, b in edges]).reshape(-1, 2)
        found.append(
            Graphs.of(rng.normal(size=(nodes, len(spec.node_features))), both, np.concatenate([values, values]))
        )
    return Graphs.joined(found)


def path(length, seed=0):
    rng = np.random.default_rng(seed)
    ahead = [(at, at + 1) for at in range(length - 1)]
    values = rng.normal(size=(len(ahead), 2))
    edges = np.array(ahead + [(b, a) for a, b in ahead])
    return GraphBatch.of(Graphs.of(rng.normal(size=(length, 2)), edges, np.concatenate([values, values])))


def batch_of(graphs, mask=None):
    graphs = GraphBatch.of(graphs) if isinstance(graphs, Graphs) else graphs
    return Batch({"x": graphs}, {} if mask is None else {"x": torch.tensor(mask)})


def close(a, b, by=1e-5):
    torch.testing.assert_close(a, b, atol=by, rtol=by)


# --- what is computed -------------------------------------------------------------------------------------------------


def test_gin_adds_neighbours_and_bonds_as_its_formula_says():
    from torch_geometric.nn import GINConv

    encoder, graphs = made(Gin, layers=1), GraphBatch.of(drawn())
    layer = encoder.layers[0]
    with torch.no_grad():
        layer.epsilon.fill_(0.3)
        states = encoder.first(encoder.features.nodes(graphs))
        mlp = nn.Sequential(layer.first, layer.norm, nn.ReLU(), layer.second)
        # Bonds drop out of the reference, and come in as nodes on the way: what a neighbour says is a node of its own.
        said = states[graphs.edge_index[0]] + layer.edge(encoder.features.edges(graphs))
        count, edges = len(states), len(said)
        onwards = torch.stack([torch.arange(count, count + edges), graphs.edge_index[1]])
        expected = GINConv(mlp, eps=0.3)(torch.cat([states, said]), onwards)[:count]
        close(layer(states, graphs.edge_index, encoder.features.edges(graphs)), expected)
        close(encoder.states(graphs), encoder.norms[0](expected))


def test_gat_weighs_neighbours_as_torch_geometric_does():
    from torch_geometric.nn import GATv2Conv

    encoder, graphs = made(Gat, layers=1, heads=4), GraphBatch.of(drawn())
    layer = encoder.layers[0]
    reference = GATv2Conv(16, 4, heads=4, edge_dim=2, fill_value=0.0)
    with torch.no_grad():
        layer.bias.normal_()
        pairs = ((reference.lin_l, layer.shown), (reference.lin_r, layer.asking))
        for theirs, ours in pairs:
            theirs.weight.copy_(ours.weight)
            theirs.bias.copy_(ours.bias)
        reference.lin_edge.weight.copy_(layer.edge.weight)
        reference.att.copy_(layer.weigh[None])
        reference.bias.copy_(layer.bias)
        states = encoder.first(encoder.features.nodes(graphs))
        edges = encoder.features.edges(graphs)
        close(layer(states, graphs.edge_index, edges), reference(states, graphs.edge_index, edges))


@pytest.mark.parametrize(("layers", "steps"), [(1, 1), (3, 2)])
def test_attentive_fp_is_that_of_torch_geometric(layers, steps):
    from torch_geometric.nn.models import AttentiveFP

    encoder, graphs = made(AttentiveFp, layers=layers, steps=steps), GraphBatch.of(drawn())
    torch.manual_seed(1)
    reference = AttentiveFP(2, 16, 16, 2, layers, steps).eval()
    with torch.no_grad():
        for value in reference.parameters():
            value.add_(0.1 * torch.randn_like(value))
        reference.lin2.weight.copy_(torch.eye(16))
        reference.lin2.bias.zero_()
        encoder.first.load_state_dict(reference.lin1.state_dict())
        gate, bonds = reference.gate_conv, encoder.bonds
        bonds.neighbour.weight.copy_(gate.lin1.weight)
        bonds.map.weight.copy_(gate.lin2.weight)
        bonds.shown.copy_(gate.att_l)
        bonds.asking.copy_(gate.att_r)
        bonds.bias.copy_(gate.bias)
        theirs = [*reference.atom_convs, reference.mol_conv]
        for conv, ours in zip(theirs, [*encoder.atoms, encoder.molecule], strict=True):
            ours.map.weight.copy_(conv.lin.weight)
            ours.shown.copy_(conv.att_src[0])
            ours.asking.copy_(conv.att_dst[0])
            ours.bias.copy_(conv.bias)
        for gru, ours in zip([reference.gru, *reference.atom_grus], encoder.memories, strict=True):
            ours.load_state_dict(gru.state_dict())
        encoder.memory.load_state_dict(reference.mol_gru.state_dict())
        found = encoder(batch_of(graphs)).values
        close(found, reference(graphs.nodes, graphs.edge_index, graphs.edge_values, graphs.graph_of_node))


def test_dmpnn_is_its_formula_edge_by_edge():
    encoder, graphs = made(Dmpnn, depth=4), GraphBatch.of(drawn(seed=3))
    x, e = graphs.nodes.double(), graphs.edge_values.double()
    edges = list(map(tuple, graphs.edge_index.t().tolist()))
    weight = {name: value.double() for name, value in encoder.state_dict().items()}
    into = torch.cat([weight["first_of_atom.weight"], weight["first_of_bond.weight"]], 1)
    out = torch.cat([weight["last_of_atom.weight"], weight["last_of_message.weight"]], 1)
    start = {edge: into @ torch.cat([x[edge[0]], e[at]]) for at, edge in enumerate(edges)}
    states = {edge: value.relu() for edge, value in start.items()}
    for _ in range(3):
        gathered = {
            (v, w): sum((states[k, to] for k, to in edges if to == v and k != w), torch.zeros(16).double())
            for v, w in edges
        }
        states = {edge: (start[edge] + weight["update.weight"] @ gathered[edge]).relu() for edge in edges}
    rows = []
    for v in range(len(x)):
        arrived = sum((states[k, to] for k, to in edges if to == v), torch.zeros(16).double())
        rows.append((out @ torch.cat([x[v], arrived]) + weight["last_of_atom.bias"]).relu())
    with torch.no_grad():
        close(encoder.states(graphs).double(), torch.stack(rows))


@pytest.mark.parametrize("parallel", [False, True])
def test_the_opposite_of_an_edge_is_found_in_any_order(parallel):
    rng = np.random.default_rng(0)
    ends, values = [], []
    for at in range(40):
        a, b = (at % 5, 5 + at % 3) if parallel else divmod(at, 7)
        if a == b or (not parallel and b < a):
            continue
        # Two images of one atom lie at two distances; each is its own opposite's.
        ends += [(a, b), (b, a)]
        values += [[float(at)], [float(at)]]
    order = rng.permutation(len(ends))
    edge_index = torch.tensor(ends)[order].t()
    found = opposite(edge_index, torch.tensor(values)[order], 50)
    assert torch.equal(edge_index[:, found], edge_index.flip(0))
    assert torch.equal(found[found], torch.arange(len(order)))
    assert torch.equal(torch.tensor(values)[order][found], torch.tensor(values)[order])
    assert opposite(torch.tensor([[3], [4]]), torch.zeros(1, 1), 5).tolist() == [-1]


# --- what is seen -----------------------------------------------------------------------------------------------------


def test_no_message_of_dmpnn_goes_back_where_it_came_from():
    graphs = path(6)
    states = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    back = opposite(graphs.edge_index, graphs.edge_values, 6)
    edges = list(map(tuple, graphs.edge_index.t().tolist()))
    gathered = messages(states, graphs.edge_index, back, 6)
    for at, (v, w) in enumerate(edges):
        # Whatever comes from w is changed; on a path, all that reaches v by another way comes from its other side.
        from_w = torch.tensor([source == w for source, _ in edges])
        other = messages(torch.where(from_w[:, None], states + 100, states), graphs.edge_index, back, 6)
        close(other[at], gathered[at], 1e-4)
        others = [states[edges.index((k, v))] for k in (v - 1, v + 1) if k != w and 0 <= k < 6]
        close(gathered[at], torch.stack(others).sum(0) if others else torch.zeros(4))


def test_an_atom_at_the_end_of_dmpnns_path_cannot_hear_itself():
    # Depth 6 on two atoms: with messages that go back, its own features would return to it with its neighbour's.
    encoder, graphs = made(Dmpnn, depth=6), path(2)
    with torch.no_grad():
        encoder.last_of_atom.weight.zero_()
        here = encoder.states(graphs)[0]
        moved = encoder.states(graphs.with_nodes(graphs.nodes + torch.tensor([[5.0, -3.0], [0.0, 0.0]])))[0]
    assert torch.equal(here, moved)


@pytest.mark.parametrize("reach", [1, 2, 4])
@pytest.mark.parametrize(
    ("kind", "option"), [(Gin, "layers"), (Gat, "layers"), (Dmpnn, "depth"), (AttentiveFp, "layers")]
)
def test_a_node_sees_exactly_as_far_as_there_are_layers(kind, option, reach):
    encoder, graphs = made(kind, **{option: reach}), path(reach + 3)
    nodes = graphs.nodes.clone().requires_grad_(True)
    # Nodes' states can be zero where a ReLU is: so many units are asked at once, and of several draws.
    seen = torch.zeros(len(nodes))
    for seed in range(5):
        torch.manual_seed(seed)
        for parameter in encoder.parameters():
            nn.init.normal_(parameter, std=0.5)
        (gradient,) = torch.autograd.grad(encoder.states(graphs.with_nodes(nodes))[0].sum(), nodes)
        seen += gradient.abs().sum(1)
    assert (seen[: reach + 1] > 0).all()
    assert (seen[reach + 1 :] == 0).all()


def test_gin_tells_two_regular_graphs_apart_that_means_over_neighbours_confuse():
    from torch_geometric.nn import GCNConv

    # A ring of eight and the complete bipartite graph of four and four: every node has only neighbours of the other kind.
    ring = [(at, (at + 1) % 8) for at in range(8)]
    full = [(a, b) for a in range(0, 8, 2) for b in range(1, 8, 2)]
    kinds = [[float(at % 2), 0.0] for at in range(8)]
    one, two = (Graphs.of(kinds, pairs + [(b, a) for a, b in pairs]) for pairs in (ring, full))
    spec = Graph(node_features=SPEC.node_features)
    graphs = GraphBatch.of(Graphs.joined([one, two]))
    encoder = made(Gin, spec, layers=2)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.5)
        apart = encoder(batch_of(graphs)).values
        mean = graphs.mean(GCNConv(2, 16, add_self_loops=False)(graphs.nodes, graphs.edge_index))
    close(mean[0], mean[1])
    assert (apart[0] - apart[1]).abs().max() > 0.1


@pytest.mark.parametrize("kind", ALL)
def test_the_order_of_atoms_and_bonds_does_not_matter(kind):
    encoder, graphs = made(kind), GraphBatch.of(drawn()[9])
    generator = torch.Generator().manual_seed(0)
    order, edges = torch.randperm(10, generator=generator), torch.randperm(graphs.edge_index.shape[1])
    other = GraphBatch(
        graphs.nodes[order],
        order.argsort()[graphs.edge_index[:, edges]],
        graphs.edge_values[edges],
        graphs.graph_of_node,
        1,
    )
    with torch.no_grad():
        close(encoder(batch_of(graphs)).values, encoder(batch_of(other)).values)
        close(encoder.states(graphs)[order], encoder.states(other))


# --- graphs that are small, missing or odd ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_a_graph_without_bonds_or_without_atoms_has_finite_values(kind):
    lone, none = Graphs.of([[1.0, 2.0]], [], np.zeros((0, 2))), Graphs.of(np.zeros((0, 2)), [], np.zeros((0, 2)))
    encoder = made(kind, tokens=True)
    for some in ([lone], [none], [none, lone, none], [lone, drawn()[7], none]):
        for training in (False, True):
            z = encoder.train(training)(batch_of(Graphs.joined(some)))
            assert torch.isfinite(z.values).all()
            counts = [len(one.nodes) for one in some]
            assert z.tokens[""].known.sum(1).tolist() == counts
            assert all((z.values[at] == 0).all() for at, nodes in enumerate(counts) if nodes == 0)
            loss = z.values.square().sum()
            loss.backward()
            found = [value.grad for value in encoder.parameters() if value.grad is not None]
            assert all(torch.isfinite(one).all() for one in found)
            encoder.zero_grad()


@pytest.mark.parametrize("kind", ALL)
def test_a_missing_graph_leaves_no_trace_even_in_the_statistics_of_a_step(kind):
    graphs, mask = drawn(), np.arange(12) % 3 > 0
    strange = Graphs(**{**graphs.arrays(), "nodes": graphs.nodes.copy()})
    strange.nodes[~np.repeat(mask, graphs.node_counts)] = 1e6
    found = []
    for some in (graphs, strange):
        encoder = made(kind, tokens=True).train()
        z = encoder(batch_of(some, mask))
        assert (z.values[~torch.tensor(mask)] == 0).all()
        assert not z.tokens[""].known[~torch.tensor(mask)].any()
        found.append((z.values, z.tokens[""].values, *encoder.buffers()))
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
    alone = made(kind)(batch_of(graphs[mask])).values
    close(made(kind)(batch_of(graphs, mask)).values[torch.tensor(mask)], alone)


@pytest.mark.parametrize("kind", ALL)
def test_atoms_are_tokens_in_their_own_order(kind):
    graphs = drawn()
    encoder = made(kind, tokens=True)
    z = encoder(batch_of(graphs))
    tokens = z.tokens[""]
    assert tokens.regions == tuple(Subgraph((at,)) for at in range(12))
    states = encoder.states(GraphBatch.of(graphs))
    for at in range(12):
        first = at * (at + 1) // 2
        close(tokens.values[at, : at + 1], states[first : first + at + 1])
        assert tokens.known[at].tolist() == [place <= at for place in range(12)]
    shape = encoder.token_shapes[""]
    assert (shape.varying, shape.width) == (True, 16)


@pytest.mark.parametrize("kind", [Gin, Gat, Dmpnn])
def test_readouts_are_mean_sum_and_a_hundredth_of_the_sum(kind):
    graphs = batch_of(drawn())
    mean, total, norm = (made(kind, readout=name)(graphs).values for name in ("mean", "sum", "norm"))
    counts = torch.arange(1.0, 13.0)[:, None]
    close(mean * counts, total)
    close(norm * 100, total)


# --- features ---------------------------------------------------------------------------------------------------------


def test_codes_are_one_hot_and_other_numbers_standardised():
    spec = Graph(node_features=("mass", "aromatic"), edge_features=("distance_angstrom", "bond_type"))
    features = GraphFeatures(spec)
    graphs = GraphBatch.of(Graphs.of([[1.0, 0], [3.0, 1]], [[0, 1], [1, 0]], [[2.0, 12], [2.0, 12]]))
    features.learn([graphs])
    assert features.nodes(graphs).tolist() == [[-1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    edges = features.edges(graphs)
    assert edges.shape == (2, features.edge_width) == (2, BUMPS + 22)
    assert edges[0, :BUMPS].argmax() == 10
    close(edges[0, 9:12], torch.tensor([np.exp(-1), 1.0, np.exp(-1)], dtype=torch.float32))
    assert edges[0, BUMPS:].nonzero().flatten().tolist() == [12]
    assert features.node_width == 3
    assert codes_of(spec) == {"aromatic": 1, "bond_type": 21}


def test_a_code_that_its_column_cannot_have_is_refused():
    spec = molecule_input()
    encoder = made(Gin, spec)
    nodes = np.array([[6, 0, 11, 5, 3, 0, 4, 0, 0]])
    with pytest.raises(DataError, match="node feature 'degree' is 11 somewhere; its codes run from 0 to 10"):
        encoder(batch_of(Graphs.of(nodes, [], np.zeros((0, 3)))))


def test_columns_are_those_of_torch_geometric():
    from torch_geometric.utils.smiles import e_map, x_map

    spec = molecule_input()
    features = GraphFeatures(spec)
    assert features.node_width == sum(map(len, x_map.values()))
    assert features.edge_width == sum(map(len, e_map.values()))
    assert len(codes_of(spec)) == len(spec.node_features) + len(spec.edge_features)


def test_the_encoders_need_no_slow_library():
    code = f"""
import importlib, sys
for name in {MODULES}:
    importlib.import_module("pellucid_molecules.encoders." + name)
print(sorted({{"torch_geometric", "rdkit", "pymatgen"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
