"""What a batch knows of its masks: of values, of whole inputs, and none."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from pellucid.attribution.model import output_of
from pellucid.batch import Batch, collate
from pellucid.graphs import GraphBatch
from pellucid.testing.planted import planted

X = torch.arange(12.0).reshape(3, 2, 2)


def test_an_input_without_a_mask_is_complete():
    assert Batch({"x": X}).known("x") is None
    assert Batch({"x": X}).present("x") is None


def test_a_mask_of_samples_counts_for_all_their_values():
    batch = Batch({"x": X}, {"x": torch.tensor([True, False, True])})
    assert batch.known("x").shape == X.shape
    assert X[batch.known("x")].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert batch.present("x").tolist() == [True, False, True]


def test_a_sample_is_there_if_any_of_its_values_is():
    known = torch.zeros(3, 2, 2, dtype=torch.bool)
    known[1, 0, 1] = True
    batch = Batch({"x": X}, {"x": known})
    assert torch.equal(batch.known("x"), known)
    assert batch.present("x").tolist() == [False, True, False]


def test_rows_take_along_all_that_belongs_to_a_sample():
    data = planted(("vector", "graph", "signal"))
    batch = collate(data, range(12), "ordinal")
    assert batch.samples
    assert batch.groups
    assert batch.texts
    assert batch.masks
    for at, rows in (
        (torch.tensor([7, 2, 7]), [7, 2, 7]),
        (slice(3, 6), [3, 4, 5]),
        (torch.arange(12) == 4, [4]),
    ):
        some, wanted = batch.rows(at), collate(data, rows, "ordinal")
        for field in fields(Batch):
            found, asked = getattr(some, field.name), getattr(wanted, field.name)
            if not isinstance(found, dict):
                found, asked = {"": found}, {"": asked}
            assert found.keys() == asked.keys()
            for name, one in found.items():
                if isinstance(one, Tensor):
                    assert torch.equal(one, asked[name]), field.name
                elif isinstance(one, GraphBatch):
                    assert torch.equal(one.nodes, asked[name].nodes)
                    assert torch.equal(one.node_counts, asked[name].node_counts)
                else:
                    assert one == asked[name], field.name


def test_attribution_asks_a_model_with_all_that_belongs_to_a_sample():
    data = planted(("vector",))
    batch = collate(data, range(5), "binary")
    seen = []

    def model(one):
        seen.append(one)
        return one.inputs["vector"][:, :1]

    function = output_of(model, batch, "vector", 0)
    rows = torch.tensor([3, 3, 0])
    assert torch.equal(function(batch.inputs["vector"][rows] + 1, rows), batch.inputs["vector"][rows, 0] + 1)
    assert seen[0].samples == tuple(batch.samples[at] for at in (3, 3, 0))
    assert torch.equal(seen[0].inputs["covariates"], batch.inputs["covariates"][rows])
