"""Histograms of grids: shares that can be counted by hand, of the whole and of blocks, of what is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pellucid.batch import Batch
from pellucid.data.spec import Image, Volume
from pellucid.encoders.grid_histogram import GridHistogram, GridHistogramConfig
from pellucid.regions import Box

VOLUME = Volume(channels=("distance", "mask"), size=(4, 5, 6), units="mm")
EDGES = (-1.0, 0.0, 2.5)


def made(spec=VOLUME, **options):
    return GridHistogram(GridHistogramConfig(inputs={"x": spec}, edges=EDGES, **options))


def test_shares_are_those_of_numpy_and_named_by_channel_and_bin():
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (3, 2, 4, 5, 6)).astype(np.float32))
    found = made()(Batch({"x": x}, {}))
    wanted = np.array(
        [[np.histogram(c, [-np.inf, *EDGES, np.inf])[0] / c.size for c in sample] for sample in x.numpy()]
    )
    np.testing.assert_allclose(found.values.numpy(), wanted.reshape(3, 8), atol=1e-6)
    assert found.names[:4] == (
        "distance below -1 mm",
        "distance -1 to 0 mm",
        "distance 0 to 2.5 mm",
        "distance from 2.5 mm",
    )
    assert found.names[4] == "mask below -1 mm"


def test_a_value_on_an_edge_belongs_to_the_bin_that_it_begins():
    x = torch.full((1, 2, 4, 5, 6), 0.0)
    assert made()(Batch({"x": x}, {})).values[0, :4].tolist() == [0, 0, 1, 0]


def test_what_is_hidden_is_not_counted():
    x = torch.zeros(2, 2, 4, 5, 6)
    x[:, :, 0] = 9.0
    known = torch.ones_like(x, dtype=torch.bool)
    known[0, :, 0] = False
    known[1, 1] = False
    found = made()(Batch({"x": x}, {"x": known})).values
    assert found[0, :4].tolist() == [0, 0, 1, 0]
    assert found[1, :4].tolist() == [0, 0, 0.75, 0.25]
    assert found[1, 4:].tolist() == [0, 0, 0, 0]


def test_blocks_cover_the_grid_once_and_their_mean_by_size_is_the_whole():
    x = torch.from_numpy(np.random.default_rng(1).normal(0, 2, (2, 2, 4, 5, 6)).astype(np.float32))
    encoder = made(blocks=2)
    found = encoder(Batch({"x": x}, {}))
    tokens = found.tokens[""]
    assert tokens.values.shape == (2, 8, 8)
    assert encoder.token_shapes[""].count == 8
    sizes = torch.tensor([float(np.prod(np.subtract(box.stop, box.start))) for box in tokens.regions])
    assert sizes.sum() == 4 * 5 * 6
    torch.testing.assert_close((tokens.values * sizes[None, :, None]).sum(1) / sizes.sum(), found.values)
    box = tokens.regions[5]
    assert isinstance(box, Box)
    part = x[0, 0][tuple(slice(*ends) for ends in zip(box.start, box.stop, strict=True))]
    assert tokens.values[0, 5, 0] == pytest.approx(float((part < -1).float().mean()))


def test_pictures_have_histograms_too_and_more_blocks_than_points_are_points():
    spec = Image(channels=("grey",), size=(2, 3), units="1")
    encoder = made(spec, blocks=4)
    assert encoder.names[1] == "grey -1 to 0"
    assert encoder.token_shapes[""].count == 6
    x = torch.tensor([[[[-2.0, -0.5, 1.0], [3.0, 0.0, 2.5]]]])
    tokens = encoder(Batch({"x": x}, {})).tokens[""]
    assert tokens.values[0].argmax(1).tolist() == [0, 1, 2, 3, 2, 3]
    assert tokens.values.sum(2).tolist() == [[1.0] * 6]
    assert tokens.regions == tuple(Box((a, b), (a + 1, b + 1)) for a in range(2) for b in range(3))


@pytest.mark.parametrize("edges", [(), (1.0, 1.0), (2.0, 1.0)])
def test_edges_that_do_not_increase_are_refused(edges):
    with pytest.raises(ValidationError):
        GridHistogramConfig(inputs={"x": VOLUME}, edges=edges)
