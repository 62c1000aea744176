"""LATTE: chains and joins against matrices, one layer against torch_geometric, and what weights of relations must keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.batch import Batch, collate
from pellucid.data.graphs import Graphs
from pellucid.data.spec import Graph
from pellucid.encoders.abilities import WeighsRelations
from pellucid.errors import StudyError
from pellucid.graph_batch import GraphBatch
from pellucid.part import configured
from pellucid_molecules.encoders.latte import Latte, LatteConfig
from pellucid_molecules.encoders.latte_edges import PathEdges, joined_edges, pruned, strongest
from pellucid_molecules.encoders.latte_layer import LatteLayer
from pellucid_molecules.encoders.latte_paths import hops, planned
from pellucid_molecules.networks.synthetic import NetworksSynthetic, NetworksSyntheticConfig

SPEC = Graph(
    node_features=("paper:centre", "paper:words", "author:age"),
    node_types=("paper", "author", "subject"),
    relations=(
        ("author", "writes", "paper"),
        ("subject", "is of", "paper"),
        ("paper", "written by", "author"),
        ("paper", "is about", "subject"),
    ),
)


def made(spec: Graph = SPEC, **options) -> Latte:
    torch.manual_seed(0)
    return Latte(LatteConfig(inputs={"x": spec}, **{"hidden": 16, **options})).eval()


def drawn(edges: int = 40, count: int = 9, seed: int = 0) -> PathEdges:
    """Edges between ``count`` nodes, none twice."""
    rng = np.random.default_rng(seed)
    pairs = np.unique(rng.integers(0, count, (edges, 2)), axis=0)
    return PathEdges(*torch.from_numpy(pairs.T.copy()), torch.from_numpy(rng.random(len(pairs))))


def dense(edges: PathEdges, count: int) -> torch.Tensor:
    found = torch.zeros(count, count, dtype=edges.weight.dtype)
    return found.index_put((edges.target, edges.source), edges.weight)


# --- joining ----------------------------------------------------------------------------------------------------------


def test_a_join_of_five_nodes_is_the_matrix_worked_out_by_hand():
    # Papers 0, 1, 2; authors 3, 4. Author 3 wrote 0 and 1; author 4 wrote 1 and 2.
    attention = PathEdges(torch.tensor([0, 1, 1, 2]), torch.tensor([3, 3, 4, 4]), torch.tensor([1.0, 0.25, 0.75, 1.0]))
    onward = PathEdges(torch.tensor([3, 3, 4, 4]), torch.tensor([0, 1, 1, 2]), torch.ones(4))
    # Both authors have two edges on either side: D = 1 / 4.
    expected = torch.tensor([[0.25, 0.25, 0.0], [0.0625, 0.25, 0.1875], [0.0, 0.25, 0.25]])
    assert torch.equal(dense(joined_edges(attention, onward, 5), 5)[:3, :3], expected)
    # Without the weak edge from 1 to 3, author 3 has one edge on the one side and two on the other: D = 1 / 3.
    kept = pruned(attention, attention.weight, "threshold", threshold=0.5, top=1, count=5)
    assert list(zip(kept.target.tolist(), kept.source.tolist(), strict=True)) == [(0, 3), (1, 4), (2, 4)]
    expected = torch.tensor([[1 / 3, 1 / 3, 0.0], [0.0, 0.1875, 0.1875], [0.0, 0.25, 0.25]])
    torch.testing.assert_close(dense(joined_edges(kept, onward, 5), 5)[:3, :3], expected)


@pytest.mark.parametrize("seed", range(4))
def test_a_join_is_the_product_of_dense_matrices(seed):
    first, second = drawn(seed=seed), drawn(seed=seed + 10)
    degree = (dense(first, 9) != 0).sum(0) + (dense(second, 9) != 0).sum(1)
    middle = torch.diag(torch.where(degree > 0, 1 / degree.clamp(min=1).double(), torch.zeros(9).double()))
    torch.testing.assert_close(dense(joined_edges(first, second, 9), 9), dense(first, 9) @ middle @ dense(second, 9))


def test_nothing_joined_with_something_is_nothing():
    none = PathEdges(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    some = PathEdges(torch.tensor([0]), torch.tensor([1]), torch.ones(1))
    assert len(joined_edges(none, some, 2)) == len(joined_edges(some, none, 2)) == 0


def test_each_rule_keeps_exactly_the_edges_that_it_says():
    edges = PathEdges(torch.tensor([0, 0, 0, 0, 1, 1, 2]), torch.arange(3, 10), torch.ones(7))
    attention = torch.tensor([0.4, 0.3, 0.2, 0.1, 0.5, 0.5, 1.0])

    def kept(rule, **options):
        return (
            pruned(edges, attention, rule, **{"threshold": 0.5, "top": 1, "count": 10, **options}).source - 3
        ).tolist()

    # As published: of four neighbours none has a half; of two alike both have.
    assert kept("threshold") == [4, 5, 6]
    # Half an equal share: 0.125 of four, 0.25 of two.
    assert kept("degree") == [0, 1, 2, 4, 5, 6]
    assert kept("top", top=2) == [0, 1, 4, 5, 6]
    assert kept("none") == list(range(7))
    assert pruned(edges, attention, "top", threshold=0.5, top=1, count=10).weight.tolist() == pytest.approx(
        [0.4, 0.5, 1.0]
    )
    assert strongest(edges.weighing(attention), 3, 10).source.tolist() == [3, 4, 5, 7, 8, 9]


# --- chains -----------------------------------------------------------------------------------------------------------


def test_chains_are_those_that_lead_to_the_centre_and_what_these_need():
    first, second = planned(SPEC, 2)
    assert [path.name for path in first.paths] == ["paper-author", "paper-subject"]
    assert [path.name for path in second.paths] == ["paper-author-paper", "paper-subject-paper"]
    assert [path.relations for path in second.paths] == [(0, 2), (1, 3)]
    third = planned(SPEC, 3)
    assert {path.name for path in third[2].paths} == {
        "paper-author-paper-author", "paper-author-paper-subject", "paper-subject-paper-author", "paper-subject-paper-subject",
    }  # fmt: skip
    # Those end at authors and subjects, whose states the layer before must know.
    assert third[1].targets == (0, 1, 2)


def test_chains_name_relations_where_two_join_the_same_types():
    spec = Graph(
        node_features=("paper:centre",),
        node_types=("paper",),
        relations=(("paper", "cites", "paper"), ("paper", "is like", "paper")),
    )
    assert [hop.name for hop in hops(spec)] == ["paper-cites-paper", "paper-is like-paper"]
    assert [path.name for path in planned(spec, 2)[1].paths][1] == "paper-cites-paper-is like-paper"


# --- the layer --------------------------------------------------------------------------------------------------------


def test_attention_along_a_chain_is_that_of_torch_geometric():
    from torch_geometric.nn import GATConv

    torch.manual_seed(0)
    (plan,) = planned(SPEC, 1)
    layer = LatteLayer(plan, 5, 8, 2, 3, 0.0).eval()
    states, types = torch.randn(9, 5), torch.tensor([0] * 4 + [1] * 3 + [2] * 2)
    written = PathEdges(torch.tensor([0, 0, 0, 1, 2]), torch.tensor([4, 5, 6, 4, 6]), torch.ones(5))
    about = PathEdges(torch.tensor([0, 1]), torch.tensor([7, 8]), torch.ones(2))
    reference = GATConv((5, 5), 4, heads=2, add_self_loops=False, bias=False)
    with torch.no_grad():
        for name in ("asking", "shown"):
            for map_ in getattr(layer, name).values():
                map_.bias.zero_()
        reference.lin_src.weight.copy_(layer.shown["1"].weight)
        reference.lin_dst.weight.copy_(layer.asking["0"].weight)
        reference.att_src.copy_(layer.weigh_source[:1])
        reference.att_dst.copy_(layer.weigh_target[:1])
        heard, (_, alpha) = reference(
            (states[4:7], states[:4]),
            torch.stack([written.source - 4, written.target]),
            return_attention_weights=True,
        )
        read = layer(states, types, [written, about])
        torch.testing.assert_close(read.attention[0], alpha.amax(1))
        beta = read.choices[0]
        own = states[:4] @ layer.asking["0"].weight.T
        said = torch.zeros(4, 8)
        said[:2] = states[[7, 8]] @ layer.shown["2"].weight.T
        expected = torch.relu(beta[:, :1] * heard + beta[:, 1:2] * said + beta[:, 2:] * own)
        torch.testing.assert_close(read.states[:4], expected)
        # Sharpening moves attention towards the strongest neighbour; at 0 all have equal shares.
        layer.sharpening[0] = 0.0
        torch.testing.assert_close(layer(states, types, [written, about]).attention[0][:3], torch.full((3,), 1 / 3))


def test_weights_add_up_to_one_and_lie_on_itself_where_there_is_nothing_else():
    encoder = made()
    assert isinstance(encoder, WeighsRelations)
    alone = Graphs.of([[1, 0.3, 0]], [], None, [0], [])
    # A paper with a subject and no author.
    half = Graphs.of([[1, 0.3, 0], [0, 0, 0]], [[1, 0], [0, 1]], None, [0, 2], [1, 3])
    whole = Graphs.of(
        [[1, 0.3, 0], [0, 0, 1.0], [0, 2.0, 0]], [[1, 0], [1, 2], [0, 1], [2, 1]], None, [0, 1, 0], [0, 0, 2, 2]
    )
    batch = Batch({"x": GraphBatch.of(Graphs.joined([alone, half, whole]))})
    with torch.no_grad():
        weights = encoder.choice_weights(batch)
    names = encoder.choice_names
    assert names[:3] == ("layer 1: paper-author", "layer 1: paper-subject", "layer 1: itself")
    sets = torch.tensor(encoder.choice_sets)
    for layer in (0, 1):
        torch.testing.assert_close(weights[:, sets == layer].sum(1), torch.ones(3), atol=1e-6, rtol=0)
    told = [dict(zip(names, row, strict=True)) for row in weights.tolist()]
    assert told[0]["layer 1: itself"] == told[0]["layer 2: itself"] == 1
    assert told[1]["layer 1: paper-author"] == told[1]["layer 2: paper-subject-paper"] == 0
    assert told[1]["layer 1: paper-subject"] > 0
    assert told[2]["layer 2: paper-author-paper"] > 0
    assert encoder.choice_relations == ((0,), (1,), (), (0, 2), (1, 3), ())


def test_a_paper_sees_others_two_relations_away_with_two_layers_and_not_with_one():
    whole = Graphs.of(
        [[1, 0.3, 0], [0, 0, 1.0], [0, 2.0, 0]], [[1, 0], [1, 2], [0, 1], [2, 1]], None, [0, 1, 0], [0, 0, 2, 2]
    )
    graphs = GraphBatch.of(whole)
    moved = graphs.with_nodes(graphs.nodes + torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 5, 0]]))
    for layers, differs in ((1, False), (2, True)):
        encoder = made(layers=layers)
        with torch.no_grad():
            one, other = (encoder(Batch({"x": some})).values for some in (graphs, moved))
        assert bool((one != other).any()) == differs


def test_who_is_in_the_middle_is_no_feature_but_decides_what_is_read():
    whole = Graphs.of(
        [[1, 0.3, 0], [0, 0, 1.0], [0, 2.0, 0]], [[1, 0], [1, 2], [0, 1], [2, 1]], None, [0, 1, 0], [0, 0, 2, 2]
    )
    graphs = GraphBatch.of(whole)
    encoder = made()
    other = graphs.nodes.clone()
    other[:, 0] = torch.tensor([0.0, 0.0, 1.0])
    with torch.no_grad():
        first, moved = encoder.read_layers(graphs), encoder.read_layers(graphs.with_nodes(other))
        assert torch.equal(first[1].states, moved[1].states)
        assert not torch.equal(
            encoder(Batch({"x": graphs})).values, encoder(Batch({"x": graphs.with_nodes(other)})).values
        )
        gone = graphs.with_nodes(graphs.nodes * torch.tensor([0.0, 1, 1]))
        assert encoder(Batch({"x": gone})).values.abs().max() == 0


def test_features_are_standardised_within_their_type():
    data = NetworksSynthetic(NetworksSyntheticConfig(papers=60, authors=40, subjects=6))
    encoder = made(data.spec.input("network"))
    encoder = Latte(encoder.config.model_copy(update={"inputs": data.spec.inputs}))
    batch = collate(data, range(60), "field")
    encoder.prepare([batch])
    graphs = batch.inputs["network"]
    own = graphs.node_types == 1
    standard = ((graphs.nodes - encoder.feature_mean[graphs.node_types]) / encoder.feature_scale[graphs.node_types])[
        own
    ]
    authors = [at for at, name in enumerate(data.spec.input("network").node_features) if name.startswith("author:")]
    torch.testing.assert_close(standard[:, authors].mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard[:, authors].std(0, correction=0), torch.ones(3), atol=1e-4, rtol=0)
    rest = [at for at in range(standard.shape[1]) if at not in authors]
    assert standard[:, rest].abs().max() == 0


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (Graph(node_features=("a",)), {}, "names no relations"),
        (SPEC.model_copy(update={"node_features": ("words",)}), {}, "0 node features are called 'TYPE:centre'"),
        (SPEC.model_copy(update={"relations": SPEC.relations[2:]}), {}, "no relation leads to 'paper'"),
        (SPEC, {"hidden": 15}, "2 heads cannot share a width of 15 evenly"),
    ],
)  # fmt: skip
def test_graphs_that_it_cannot_read_are_refused_before_anything_is_learnt(spec, options, message):
    with pytest.raises(StudyError, match=message):
        configured("encoder", "latte", LatteConfig, options, inputs={"x": spec})


# --- proximity --------------------------------------------------------------------------------------------------------


def test_proximity_is_the_likelihood_of_edges_and_of_none_where_nodes_were_drawn():
    torch.manual_seed(0)
    (plan,) = planned(SPEC, 1)
    layer = LatteLayer(plan, 5, 8, 2, 3, 0.0).eval()
    # One author and one subject: whoever is drawn is known.
    states, types = torch.randn(4, 5), torch.tensor([0, 0, 1, 2])
    written = PathEdges(torch.tensor([0, 1]), torch.tensor([2, 2]), torch.tensor([3.0, 1.0]))
    about = PathEdges(torch.tensor([0]), torch.tensor([3]), torch.ones(1))
    with torch.no_grad():
        layer.sharpening.copy_(torch.tensor([2.0, 0.5]))
        asked = layer.asking["0"](states[:2]).view(2, 2, 4)
        expected = []
        for at, (edges, heard) in enumerate(
            ((written, layer.shown["1"](states[2])), (about, layer.shown["2"](states[3])))
        ):
            parts = (asked * layer.weigh_target[at]).sum(-1) + (heard.view(2, 4) * layer.weigh_source[at]).sum(-1)
            score = (layer.sharpening[at] * torch.where(parts > 0, parts, 0.2 * parts)).max(1).values[edges.target]
            share = edges.weight / edges.weight.sum()
            expected.append(-(share * score.sigmoid().log()).sum() - (1 - score.sigmoid()).log().mean())
        found = layer(states, types, [written, about], 3)
        torch.testing.assert_close(found.proximity, torch.stack(expected).mean())
        assert layer(states, types, [written, about]).proximity is None


def test_a_loss_of_proximity_teaches_which_nodes_have_edges():
    # Ten papers and twenty authors, of whom the old have edges to all papers and the young to none.
    papers, authors = 10, 20
    old = np.arange(authors) % 2 == 0
    nodes = np.zeros((papers + authors, 3))
    nodes[0, 0] = 1
    nodes[papers:, 2] = np.where(old, 1.0, -1.0)
    edges = [(papers + author, paper) for author in np.flatnonzero(old) for paper in range(papers)]
    graph = Graphs.of(nodes, edges, None, [0] * papers + [1] * authors, [0] * len(edges))
    batch = Batch({"x": GraphBatch.of(graph)})
    encoder = made(layers=1, proximity=1.0, negatives=5).train()
    optimiser = torch.optim.Adam(encoder.parameters(), lr=0.02)
    for _ in range(150):
        loss = encoder.loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # Whoever cannot tell has 2 ln 2 = 1.386. Half of the drawn are old: best is ln 1.5 + ln 3 / 2 = 0.955.
    assert 0.90 < loss.item() < 1.02
    assert made().loss(batch).item() == 0
