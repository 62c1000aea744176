"""What a batch knows of its masks: of values, of whole inputs, and none."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from pellucid.attribution.model import output_of
from pellucid.batch import Batch, collate
from pellucid.data.graphs import Graphs
from pellucid.graph_batch import GraphBatch
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


def complete(name: str, count: int, masked: bool) -> Batch:
    """A batch with all that one can hold, each value telling where it stands."""
    at = torch.arange(count)
    nodes = np.zeros((sum(range(1, count + 1)), 2), np.float32)
    edges, sizes = np.zeros((0, 2), np.int64), np.arange(1, count + 1)
    graphs = GraphBatch.of(Graphs(nodes, edges, sizes, np.zeros(count, np.int64)))
    ids = tuple(f"{name}{i}" for i in range(count))
    return Batch(
        {"x": at[:, None].float(), "graph": graphs},
        {"x": at > 0} if masked else {},
        at[:, None].float(),
        at[:, None].float() + 10,
        at[:, None] > 1,
        ids,
        {"subject": tuple(f"subject of {one}" for one in ids)},
        {"report": tuple((f"report on {one}", f"variant of {one}") for one in ids)},
    )


def test_rows_of_a_batch_have_all_that_the_batch_says_of_them():
    batch = Batch.joined([complete("a", 3, masked=True), complete("b", 2, masked=False)])
    assert len(batch) == 5
    assert batch.masks["x"].tolist() == [False, True, True, True, True], "a part without a mask is complete"
    found = batch.rows(torch.tensor([4, 1, 1]))
    assert found.samples == ("b1", "a1", "a1")
    assert found.groups == {"subject": ("subject of b1", "subject of a1", "subject of a1")}
    assert found.texts["report"][0] == ("report on b1", "variant of b1")
    for values in (
        found.inputs["x"],
        found.targets,
        found.concepts - 10,
        found.inputs["graph"].node_counts[:, None] - 1,
    ):
        assert values[:, 0].tolist() == [1, 1, 1]
    assert found.concept_mask[:, 0].tolist() == [False, False, False]
    assert batch.rows(torch.arange(5) == 2).concept_mask.tolist() == [[True]]
    assert batch.rows(slice(1, 3)).samples == ("a1", "a2")
