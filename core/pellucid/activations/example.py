"""A small folder of collected rows, for trying what reads one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pellucid.activations.collecting import rows_of
from pellucid.activations.dataset import SIDE, ActivationsConfig, ActivationsFolder
from pellucid.activations.layers import ACTIVATIONS
from pellucid.activations.writer import Writer
from pellucid.batch import Batch
from pellucid.data.subjects import LearnedFrom

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset

UNITS = 6


class _Network(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv1d(channels, UNITS, 8, stride=8)

    def forward(self, batch: Batch) -> Tensor:
        found: Tensor = self.layer(batch.inputs["signal"])
        return found


def example_folder() -> Dataset:
    """Rows of an untrained layer over planted signals, in a folder that goes when the dataset does."""
    from pellucid.testing.planted import planted

    torch.manual_seed(0)
    data = planted(("signal",))
    network = _Network(len(data.spec.inputs["signal"].channels))  # type: ignore[union-attr]
    place = tempfile.TemporaryDirectory(prefix="pellucid-activations-")
    folder = Path(place.name) / "rows"
    writer = Writer(folder, {ACTIVATIONS: UNITS}, len(data) * 8, "float32", 1 << 20, 0)
    shape: tuple[int, ...] = ()
    for one in rows_of(network, "layer", data):
        shape = one.shape
        writer.add({ACTIVATIONS: one.values}, one.sources, one.positions)
    samples = data.frame.assign(**{SIDE: "test"})
    samples.index = samples.index.astype(str)
    source = {"spec": data.spec.model_dump(mode="json"), "input": "signal"}
    writer.finish(
        samples, {"layer": "layer", "shape": list(shape), "made_by": LearnedFrom().to_json(), "source": source}
    )
    found = ActivationsFolder(ActivationsConfig(), folder)
    found.place = place  # type: ignore[attr-defined]
    return found
