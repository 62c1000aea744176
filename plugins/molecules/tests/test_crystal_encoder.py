"""The network over crystals: what must not matter to it does not, and what it must tell apart it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.graphs import Graphs
from pellucid.data.spec import Graph
from pellucid.errors import StudyError
from pellucid.graph_batch import GraphBatch
from pellucid_molecules.crystals.crystal import Crystal, cell_of
from pellucid_molecules.crystals.store import Reading, crystal_input, graph_of
from pellucid_molecules.encoders.crystal import CrystalEncoder, CrystalEncoderConfig

NEAR = Reading(5.0, 0)
CELL = cell_of([6.1, 7.3, 8.7], [82.0, 103.5, 95.0])


def crystal(seed=0, count=9):
    rng = np.random.default_rng(seed)
    return Crystal(rng.choice([1, 6, 8, 30], count), rng.random((count, 3)), CELL)


def made(**options):
    torch.manual_seed(0)
    encoder = CrystalEncoder(CrystalEncoderConfig(inputs={"x": crystal_input()}, hidden=16, layers=2, **options)).eval()
    for name, value in encoder.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            value.add_(torch.rand_like(value))
    return encoder


def encoded(encoder, *crystals, reading=NEAR):
    graphs = GraphBatch.of(Graphs.joined([graph_of(one, reading) for one in crystals]))
    with torch.no_grad():
        return encoder(Batch({"x": graphs}, {}))


def repeated(one, axis):
    """The same crystal with a cell that is twice as long."""
    cell = one.cell.copy()
    cell[axis] *= 2
    half = np.ones(3)
    half[axis] = 0.5
    step = np.zeros(3)
    step[axis] = 0.5
    fractions = np.concatenate([one.fractions * half, one.fractions * half + step])
    return Crystal(np.tile(one.numbers, 2), fractions, cell)


@pytest.mark.parametrize("axis", range(3))
def test_a_cell_twice_as_long_is_the_same_crystal(axis):
    one = crystal()
    values = encoded(made(), one, repeated(one, axis)).values
    torch.testing.assert_close(values[0], values[1], atol=1e-4, rtol=1e-4)


def test_where_the_cell_begins_and_how_it_is_turned_does_not_matter():
    one = crystal()
    moved = Crystal(one.numbers, (one.fractions + np.array([0.31, 0.77, 0.5])) % 1.0, one.cell)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = Crystal(one.numbers, one.fractions, one.cell @ turn)
    values = encoded(made(), one, moved, turned).values
    torch.testing.assert_close(values[0], values[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(values[0], values[2], atol=1e-4, rtol=1e-4)


def test_another_element_and_another_distance_do_matter():
    one = crystal()
    element = Crystal(np.where(np.arange(9) == 4, 7, one.numbers), one.fractions, one.cell)
    longer = Crystal(one.numbers, one.fractions, one.cell * 1.05)
    values = encoded(made(), one, element, longer).values
    assert (values[0] - values[1]).abs().max() > 1e-3
    assert (values[0] - values[2]).abs().max() > 1e-3


def test_neighbours_of_the_next_cell_are_heard():
    # One atom alone: all it has for neighbours are its own images.
    alone = Crystal(np.array([30]), np.zeros((1, 3)), 4.0 * np.eye(3))
    values = encoded(made(), alone, alone, reading=Reading(4.5, 0)).values
    silent = encoded(made(), alone, reading=Reading(3.5, 0)).values
    torch.testing.assert_close(values[0], values[1])
    assert (values[0] - silent[0]).abs().max() > 1e-3


def test_atoms_are_tokens_whose_mean_is_the_crystal():
    found = encoded(made(tokens=True), crystal(0, 9), crystal(1, 5))
    tokens = found.tokens[""]
    assert tokens.known.sum(1).tolist() == [9, 5]
    torch.testing.assert_close(tokens.values.sum(1) / tokens.known.sum(1)[:, None], found.values)


def test_the_sum_of_an_interaction_is_as_if_every_pair_were_asked_for_itself():
    encoder = made()
    graphs = GraphBatch.of(graph_of(crystal(), Reading(5.0, 0)))
    layer, states = encoder.layers[0], torch.randn(9, 16)
    edges = encoder.features.edges(graphs.with_nodes(graphs.nodes[:, :1]))
    heard = torch.zeros(9, 16)
    for (source, goal), edge in zip(graphs.edge_index.T.tolist(), edges, strict=True):
        said = layer.own(states[goal]) + layer.other(states[source]) + layer.far(edge)
        heard[goal] += said[:16].sigmoid() * torch.nn.functional.softplus(said[16:])
    wanted = torch.nn.functional.softplus(states + layer.norm(heard))
    torch.testing.assert_close(layer(states, graphs.edge_index, edges), wanted, atol=1e-4, rtol=1e-4)


def test_a_graph_that_is_no_crystal_is_refused_by_what_it_lacks():
    with pytest.raises(StudyError, match="edges of input 'x' have no 'distance_angstrom'"):
        CrystalEncoder(CrystalEncoderConfig(inputs={"x": Graph(node_features=("atomic_number",))}))
