"""The training loop against a bare torch loop on the same model and data: ``python tests/benchmarks/bench_training.py``.

Prints the ratio of medians, interleaved; and the resident memory after few and after many epochs.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from torch import nn

from pellucid.batch import Batch
from pellucid.data import Image
from pellucid.encoders.vae_gaussian import VaeGaussian
from pellucid.training.loop import Samples, train
from pellucid.training.settings import TrainingSettings

COUNT, EPOCHS, BATCH = 1360, 2, 64


class Loss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        inputs = {"x": Image(channels=("mask",), size=(32, 32), units="1")}
        self.encoder = VaeGaussian(VaeGaussian.config_type(inputs=inputs, latent=16))

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.encoder.loss(batch)


PICTURES = torch.rand(COUNT, 1, 32, 32)
SETTINGS = TrainingSettings(epochs=EPOCHS, batch_size=BATCH, patience=None)


def ours(epochs: int = EPOCHS) -> None:
    """The library's loop, validation left out as in the bare one."""
    read = Samples(lambda i: Batch({"x": PICTURES[torch.from_numpy(i)]}), COUNT)
    few = Samples(lambda i: Batch({"x": PICTURES[torch.from_numpy(i)]}), 1)
    train(Loss(), read, few, SETTINGS.model_copy(update={"epochs": epochs}), stage="bench")


def bare() -> None:
    """What one would write by hand, with the same optimizer, clipping and schedule."""
    model = Loss()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=SETTINGS.learning_rate, weight_decay=0.0, fused=True)
    for _ in range(EPOCHS):
        order = torch.randperm(COUNT)
        for at in range(0, COUNT, BATCH):
            loss = model(Batch({"x": PICTURES[order[at : at + BATCH]]}))
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimizer.step()
            optimizer.zero_grad()


def memory_mb(epochs: int) -> float:
    """Resident memory of a fresh process after so many epochs."""
    code = (
        "import sys, resource; sys.path.insert(0, sys.argv[1]); import bench_training as b; "
        "b.ours(int(sys.argv[2])); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", code, str(__file__).rpartition("/")[0] or ".", str(epochs)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    bare(), ours()
    for _ in range(7):
        for name, run in (("bare", bare), ("ours", ours)):
            begun = time.process_time()
            run()
            times[name].append(time.process_time() - begun)
    paired = np.median(np.array(times["ours"]) / np.array(times["bare"]))
    print(
        f"bare {statistics.median(times['bare']):.3f} CPU-s, ours {statistics.median(times['ours']):.3f} CPU-s, ratio {paired:.3f}"
    )
    few, many = memory_mb(2), memory_mb(12)
    print(f"peak memory after 2 epochs {few:.0f} MB, after 12 epochs {many:.0f} MB, ratio {many / few:.3f}")
