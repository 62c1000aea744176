"""Attribution with automatic chunks against a plain torch loop: time and peak memory.

Run as ``python tests/benchmarks/bench_attribution.py``. A ratio of 1 is as good as the loop; the aim is at most 1.1 in
time and 1.2 in memory, for a large model on a few records and for a small one on many. Times are CPU seconds, medians of
interleaved runs; peak memory is that of a child process of its own. The loop takes the whole batch at one point of the
path, or without one part, at a time: its parameters are frozen, as ours are.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts

import itertools
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.attribution.gradients import integrated_gradients
from pellucid.attribution.occlusion import occlusion

STEPS, ROUNDS = 50, 7
CASES = {"16 records": (16, 64), "1 record": (1, 64), "200 records, small model": (200, 8)}
"""Name to number of records of 12 leads, 1000 samples each, and width of the network."""


def network(width: int) -> nn.Module:
    """A convolutional network over 12 leads."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = [12, width, width, 2 * width, 2 * width]
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv1d(before, after, 7, stride=2, padding=3), nn.GroupNorm(4, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels[-1], 5)).eval()


def loop_gradients(model: nn.Module, x: Tensor) -> Tensor:
    """Integrated gradients, the whole batch at one point at a time."""
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    total = torch.zeros_like(x)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        z = (x * float(point)).requires_grad_()
        (gradient,) = torch.autograd.grad(model(z)[:, 0].sum(), z)
        total += gradient * float(weight)
    return total * x


@torch.no_grad()
def loop_occlusion(model: nn.Module, x: Tensor, width: int = 100) -> Tensor:
    """Occlusion of each lead in windows, the whole batch without one window at a time."""
    whole, values = model(x)[:, 0], torch.zeros_like(x)
    for lead in range(x.shape[1]):
        for start in range(0, x.shape[2], width):
            z = x.clone()
            z[:, lead, start : start + width] = 0
            values[:, lead, start : start + width] = (whole - model(z)[:, 0])[:, None] / width
    return values


def captum_default(model: nn.Module, x: Tensor) -> Tensor:
    """captum as it comes: all points of all records at once."""
    from captum.attr import IntegratedGradients

    return IntegratedGradients(model).attribute(x, torch.zeros_like(x), target=0, n_steps=STEPS)


def implementations(case: str) -> dict[str, Callable[[], Tensor]]:
    """What is compared, by name; ``loop`` is the reference of its group."""
    records, width = CASES[case]
    model = network(width).requires_grad_(False)
    x = torch.randn(records, 12, 1000)
    zero = torch.zeros_like(x)

    def output(values: Tensor, rows: Tensor) -> Tensor:
        return model(values)[:, 0]

    return {
        "integrated gradients/loop": lambda: loop_gradients(model, x),
        "integrated gradients/pellucid": lambda: (
            integrated_gradients(output, x, zero, steps=STEPS, module=model).values
        ),
        "integrated gradients/captum's default": lambda: captum_default(model, x),
        "occlusion/loop": lambda: loop_occlusion(model, x),
        "occlusion/pellucid": lambda: occlusion(output, x, zero, (1, 100), module=model).values,
    }


def main() -> None:
    """Print ratios, or in a child the peak memory of one implementation."""
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        import captum.attr  # noqa: F401 - in every child, so that peaks compare methods and not imports

        implementations(sys.argv[1])[sys.argv[2]]()
        print(_high_water_mb())
        return
    for case in CASES:
        compared = implementations(case)
        seconds: dict[str, list[float]] = {name: [] for name in compared}
        for name, run in compared.items():
            reference = compared[f"{name.partition('/')[0]}/loop"]()
            if "default" not in name:
                assert torch.allclose(run(), reference, atol=1e-6), name
        # The default of captum is slow and takes gigabytes, which disturbs its neighbours: one round of it, at the end.
        last = [name for name in compared if "default" in name]
        for name in [name for name in compared if name not in last] * ROUNDS + last:
            start = time.process_time()
            compared[name]()
            seconds[name].append(time.process_time() - start)
        for name in compared:
            reference = f"{name.partition('/')[0]}/loop"
            time_ratio = statistics.median(seconds[name]) / statistics.median(seconds[reference])
            memory = _peak_mb(case, name)
            print(
                f"{case:26s} {name:40s} {statistics.median(seconds[name]):7.3f} CPU-s  x{time_ratio:.2f}   "
                f"{memory:6.0f} MB  x{memory / _peak_mb(case, reference):.2f}",
                flush=True,
            )


def _high_water_mb() -> float:
    # The rusage of a child starts from its parent's peak on Linux; the kernel's own mark starts anew.
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _peak_mb(case: str, name: str) -> float:
    found = subprocess.run([sys.executable, __file__, case, name], capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


if __name__ == "__main__":
    main()
