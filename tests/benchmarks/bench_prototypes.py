"""Search for the nearest training patch of each prototype: time of ours, of the product it is made of, and of others.

Run as ``python tests/benchmarks/bench_prototypes.py [SAMPLES]``: 500 prototypes against 64 patches of 128 numbers of each
sample, 20,000 samples unless told otherwise. A ratio of 1 is the chunked product of matrices in float32 with a minimum; the aim
is at most 1.1 in float32 and 0.7 with a first look in bfloat16, with ids that agree throughout. Times are CPU seconds on one
thread, medians of interleaved runs; the naive loop is run for a few prototypes and scaled up (*).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.heads.prototypes.search import nearest

PROTOTYPES, PATCHES, WIDTH, ROUNDS, NAIVE, CHUNK = 500, 64, 128, 5, 5, 8192


def data(samples: int) -> tuple[Tensor, Tensor]:
    """Prototypes, some of which lie beside a patch, and patches."""
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(samples * PATCHES, WIDTH, generator=generator)
    prototypes = torch.randn(PROTOTYPES, WIDTH, generator=generator)
    prototypes[:50] = patches[torch.randint(len(patches), (50,), generator=generator)] + 0.01
    return prototypes, patches


def product(prototypes: Tensor, patches: Tensor) -> Tensor:
    """The chunked product in float32, with a minimum."""
    best = torch.full((len(prototypes),), float("inf"))
    ids = torch.zeros(len(prototypes), dtype=torch.long)
    doubled = -2 * prototypes
    for start in range(0, len(patches), CHUNK):
        chunk = patches[start : start + CHUNK]
        lowest, at = torch.addmm((chunk * chunk).sum(1), doubled, chunk.t()).min(1)
        better = lowest < best
        best[better], ids[better] = lowest[better], at[better] + start
    return ids


def naive(prototypes: Tensor, patches: Tensor) -> Tensor:
    """One prototype after the other."""
    return torch.stack([(patches - one).square().sum(1).argmin() for one in prototypes[:NAIVE]])


def implementations(prototypes: Tensor, patches: Tensor) -> dict[str, Callable[[], Tensor]]:
    """What is compared, by name; the first is the reference."""
    found: dict[str, Callable[[], Tensor]] = {
        "chunked product, float32": lambda: product(prototypes, patches),
        "pellucid, float32": lambda: nearest(prototypes, patches).ids[:, 0],
        "pellucid, bf16": lambda: nearest(prototypes, patches, precision="bf16").ids[:, 0],
        "pellucid, bf16, from chunks": lambda: nearest(prototypes, patches.split(5000), precision="bf16").ids[:, 0],
        "naive loop*": lambda: naive(prototypes, patches),
    }
    try:
        import faiss
    except ImportError:
        print("faiss is not installed: left out")
        return found
    faiss.omp_set_num_threads(1)
    many, few = patches.numpy(), prototypes.numpy()
    found["faiss.knn"] = lambda: torch.from_numpy(faiss.knn(few, many, 1)[1][:, 0])
    return found


def main() -> None:
    """Print seconds and ratios."""
    torch.set_num_threads(1)
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    prototypes, patches = data(samples)
    compared = implementations(prototypes, patches)
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    ids: dict[str, Tensor] = {}
    for turn in range(ROUNDS):
        for name, run in compared.items():
            if turn and ("naive" in name or "faiss" in name):
                continue
            start = time.process_time()
            ids[name] = run()
            seconds[name].append((time.process_time() - start) * (PROTOTYPES / NAIVE if "naive" in name else 1))
    reference = next(iter(compared))
    print(f"{PROTOTYPES} prototypes, {len(patches):,} patches of {WIDTH} numbers")
    for name in compared:
        middle = statistics.median(seconds[name])
        same = float((ids[name] == ids[reference][: len(ids[name])]).float().mean())
        print(
            f"{name:30s} {middle:8.2f} CPU-s  x{middle / statistics.median(seconds[reference]):.2f}  same ids {same:.1%}"
        )


if __name__ == "__main__":
    main()
