"""An update of an almost-linear network at the published size: ``python tests/benchmarks/bench_alrnn.py``.

16 samples of 200 steps of three channels, 20 units of which two are rectified, shown every 16 steps; loss, gradient and a step of RAdam.
The recurrence is one operation with a gradient of its own; beside it each step is recorded for automatic differentiation. The aim is
below 10 ms. Times are CPU seconds of one core, medians over interleaved runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts

import statistics
import time
from collections.abc import Callable

import torch

from pellucid.batch import Batch
from pellucid.data.spec import Trajectory
from pellucid.encoders.alrnn import encoder as used
from pellucid.encoders.alrnn.recurrence import states_over, step_by_step
from pellucid.encoders.alrnn.settings import AlRnnConfig

ROUNDS, STEPS, SAMPLES = 15, 200, 16
NAMES = ("x", "y", "z")


def updates(how: Callable[..., torch.Tensor]) -> Callable[[], float]:
    """What makes one update and says the loss, of a network that begins the same way each time."""
    torch.manual_seed(0)
    spec = Trajectory(names=NAMES, length=STEPS, dt_s=0.01, units=("1",) * len(NAMES))
    network = used.AlRnn(AlRnnConfig(inputs={"path": spec}, latent=20, noise=0.0)).train()
    optimizer = torch.optim.RAdam(network.parameters(), 1e-3)
    batch = Batch({"path": torch.randn(SAMPLES, len(NAMES), STEPS).cumsum(2) / 10})

    def update() -> float:
        used.states_over = how  # type: ignore[assignment]
        loss = network.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return update


def main() -> None:
    """Print both times and their ratio."""
    ways = {"step by step": updates(step_by_step), "one operation": updates(states_over)}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for at in range(ROUNDS + 1):
        losses = []
        for name, way in ways.items():
            start = time.process_time()
            losses.append(way())
            if at:
                spent[name].append(time.process_time() - start)
        assert abs(losses[0] - losses[1]) < 1e-3 * abs(losses[0]), "both must say the same"
    slow, fast = (1e3 * statistics.median(spent[name]) for name in ways)
    print(f"an update: {fast:.1f} ms, step by step {slow:.0f} ms, {slow / fast:.0f} times faster")


if __name__ == "__main__":
    main()
