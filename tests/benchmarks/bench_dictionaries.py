"""Steps of a sparse dictionary: rows a second of ours, of plain dense torch, and of others where they are installed.

Run as ``python tests/benchmarks/bench_dictionaries.py [STEPS]``: rows of 512 units, 4,096 features, the 32 strongest codes of
a row, batches of 4,096, one thread; dead features are counted and the auxiliary loss is on. The aim is at least 2.5 times the
rows a second of the fastest other. overcomplete, dictionary-learning and sae-lens are compared where they import; install
overcomplete and dictionary-learning with ``--no-deps``, as they want what does not work beside this torch. Gradients of the
sparse step are compared with dense ones first. At last four small dictionaries learn from one stream, and apart,
of rows in memory and of rows that are read from a folder. ``STEPS`` of 0: this alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts

import contextlib
import importlib
import importlib.machinery
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.activations.dataset import ActivationsConfig, ActivationsFolder
from pellucid.activations.writer import Writer
from pellucid.batch import Batch
from pellucid.data import Binary, DataSpec, LearnedFrom
from pellucid.data.dataset import Dataset
from pellucid.data.spec import Signal
from pellucid.encoders.identity import Identity
from pellucid.heads.dictionaries import TopK, TopKConfig
from pellucid.model import Model
from pellucid.representation import Representation
from pellucid.training.learner import Samples
from pellucid.training.loop import train_together
from pellucid.training.objectives import HeadLoss
from pellucid.training.reading import LATENT, encoded_on_read
from pellucid.training.settings import TrainingSettings

UNITS, FEATURES, K, BATCH, ROUNDS = 512, 4096, 32, 4096, 3
NAMES = tuple(f"u{at}" for at in range(UNITS))


def rows(count: int) -> Tensor:
    """Sums of 20 of 2,048 directions."""
    generator = torch.Generator().manual_seed(0)
    atoms = functional.normalize(torch.randn(2048, UNITS, generator=generator), dim=1)
    codes = torch.zeros(count, 2048)
    at = torch.randint(0, 2048, (count, 20), generator=generator)
    return codes.scatter_(1, at, torch.rand(count, 20, generator=generator) + 0.5) @ atoms


def made(seed: int = 0) -> TopK:
    """A dictionary with what a training has: scale, offset, some dead features."""
    torch.manual_seed(seed)
    head = TopK(TopKConfig(units=NAMES, features=FEATURES, k=K))
    head.prepare([(Representation(rows(8192), NAMES), Batch({}))])
    return head


def ours(batches: list[Tensor], dead: int) -> Callable[[], None]:
    """Our step; so many features are dead, so that the auxiliary loss has something to do."""
    head = made().train()
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-4, weight_decay=0.0, fused=True)

    def run() -> None:
        for x in batches:
            head.since[:dead] = 10**9
            head.loss(Representation(x, NAMES), Batch({})).backward()
            optimizer.step()
            optimizer.zero_grad()
            head.settle()

    return run


def dense(batches: list[Tensor]) -> Callable[[], None]:
    """The same in dense torch, with nothing beside it."""
    head = made()
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-4, weight_decay=0.0, fused=True)

    def run() -> None:
        for x in batches:
            dense_loss(head, x).backward()
            optimizer.step()
            optimizer.zero_grad()
            head.settle()

    return run


def dense_loss(head: TopK, x: Tensor) -> Tensor:
    """Squared error by dense codes."""
    x = x / head.scale
    found = functional.relu(torch.addmm(head.bias, x - head.centre, head.weight.T))
    values, at = found.topk(K, sorted=False)
    back = torch.zeros_like(found).scatter(1, at, values) @ head.directions + head.centre
    return (x - back).square().sum(1).mean()


def gradients_agree() -> float:
    """Largest difference of sparse and dense gradients, over the largest gradient."""
    head, x = made().eval(), rows(256)
    head.loss(Representation(x, NAMES), Batch({})).backward()
    sparse = {name: one.grad.clone() for name, one in head.named_parameters() if one.grad is not None}
    head.zero_grad()
    dense_loss(head, x).backward()
    worst = 0.0
    for name, one in head.named_parameters():
        assert one.grad is not None
        other = one.grad
        if name == "directions":
            # Ours leaves out what would only lengthen an atom.
            other = other - (other * one.detach()).sum(1, keepdim=True) * one.detach()
        worst = max(worst, float((sparse[name] - other).abs().max() / other.abs().max()))
    return worst


def others(batches: list[Tensor]) -> dict[str, Callable[[], None]]:
    """Training steps of other libraries, where they import."""
    found: dict[str, Callable[[], None]] = {}
    for name, make in (
        ("sae-lens", _sae_lens),
        ("overcomplete", _overcomplete),
        ("dictionary-learning", _dictionary_learning),
    ):
        try:
            found[name] = make(batches)
            found[name]()
        except Exception as error:  # noqa: BLE001 - whatever another library raises, it is left out and said to be
            found.pop(name, None)
            print(f"{name} is left out: {type(error).__name__}: {str(error)[:100]}")
    return found


def _stub(*names: str) -> None:
    """Stand-ins for modules that a library imports and its training does not need."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - broken or absent
            stand_in = MagicMock(name=name)
            stand_in.__spec__, stand_in.__path__, stand_in.__version__ = (
                importlib.machinery.ModuleSpec(name, None),
                [],
                "0.0",
            )
            sys.modules[name] = stand_in


def _sae_lens(batches: list[Tensor]) -> Callable[[], None]:
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    sae = TopKTrainingSAE(TopKTrainingSAEConfig(k=K, d_in=UNITS, d_sae=FEATURES, dtype="float32", device="cpu"))

    def provider():
        while True:
            yield from batches

    def run() -> None:
        settings = SAETrainerConfig(
            total_training_samples=len(batches) * BATCH, train_batch_size_samples=BATCH, lr_end=3e-5
        )
        with contextlib.redirect_stderr(io.StringIO()):
            SAETrainer(cfg=settings, sae=sae, data_provider=provider()).fit()

    return run


def _overcomplete(batches: list[Tensor]) -> Callable[[], None]:
    _stub("torchvision", "timm", "cv2")
    import matplotlib
    import matplotlib.cm

    if not hasattr(matplotlib.cm, "get_cmap"):
        matplotlib.cm.get_cmap = matplotlib.colormaps.get_cmap
    from overcomplete.sae import TopKSAE, train_sae

    sae = TopKSAE(UNITS, nb_concepts=FEATURES, top_k=K)
    optimizer = torch.optim.Adam(sae.parameters(), lr=3e-4)

    def criterion(x: Tensor, found: Tensor, *_: object) -> Tensor:
        return (x - found).pow(2).mean()

    def run() -> None:
        train_sae(sae, batches, criterion, optimizer, nb_epochs=1, monitoring=0)

    return run


def _dictionary_learning(batches: list[Tensor]) -> Callable[[], None]:
    _stub("nnsight", "circuitsvis", "umap", "datasets", "zstandard", "wandb")
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        steps=10_000,
        activation_dim=UNITS,
        dict_size=FEATURES,
        k=K,
        layer=0,
        lm_name="x",
        device="cpu",
        warmup_steps=100,
    )

    def run() -> None:
        for x in batches:
            trainer.update(1, x)

    return run


def folder_of(x: np.ndarray, folder: Path) -> Dataset:
    """Rows as activations that were collected, float16, 16 of each sample."""
    samples = len(x) // 16
    spec = DataSpec(
        name="s", namespace="s", targets={"y": Binary(names=("no", "yes"))},
        inputs={"x": Signal(channels=("a",), length=16, rate_hz=1.0, units="1")},
    )  # fmt: skip
    writer = Writer(folder, {"activations": UNITS}, len(x), "float16", 1 << 28, 0)
    writer.add({"activations": x}, np.arange(len(x)) // 16, np.arange(len(x)) % 16)
    frame = pd.DataFrame(
        {"subject": [f"p{at // 4}" for at in range(samples)], "y": np.arange(samples) % 2.0, "side": "train"},
        index=[f"s{at}" for at in range(samples)],
    )
    source = {"spec": spec.model_dump(mode="json"), "input": "x"}
    facts = {"layer": "layer", "shape": [16], "made_by": LearnedFrom().to_json(), "source": source}
    writer.finish(frame, facts)
    return ActivationsFolder(ActivationsConfig(), folder)


def one_stream(stored: bool, count: int = 4, length: int = 16384) -> tuple[float, float]:
    """CPU seconds of several small dictionaries on one stream, and one after the other; medians of alternating rounds.

    ``stored``: rows of a folder by way of an encoder, anew in each epoch, as where they are too many to keep; else in memory.
    """
    x = rows(length)
    with tempfile.TemporaryDirectory() as place:
        samples = Samples(lambda at: Batch({LATENT: x[torch.from_numpy(at)]}), length)
        if stored:
            data = folder_of(x.numpy(), Path(place) / "acts")
            encoder = Identity(Identity.config_type(inputs={"activations": data.spec.input("activations")}))
            samples = encoded_on_read(Model({"activations": encoder}, made()), data, "")
        settings = TrainingSettings(epochs=1, batch_size=1024, patience=None)

        def objectives(some: Iterable[int]) -> dict[str, tuple[nn.Module, None]]:
            found: dict[str, tuple[nn.Module, None]] = {}
            for at in some:
                torch.manual_seed(at)
                head = TopK(TopKConfig(units=NAMES, features=256, k=8))
                head.prepare([(Representation(x[:4096], NAMES), Batch({}))])
                found[f"head {at}"] = (HeadLoss(head, head.loss), None)
            return found

        def seconds(groups: list[Iterable[int]]) -> float:
            told = [objectives(some) for some in groups]
            start = time.process_time()
            for one in told:
                train_together(one, samples, None, settings, order="rows")
            return time.process_time() - start

        ways: tuple[list[Iterable[int]], list[Iterable[int]]] = ([range(count)], [[at] for at in range(count)])
        spent: tuple[list[float], list[float]] = ([], [])
        for turn in range(2 * ROUNDS):
            for way in (0, 1) if turn % 2 else (1, 0):
                spent[way].append(seconds(ways[way]))
        return statistics.median(spent[0][1:]), statistics.median(spent[1][1:])


def main() -> None:
    """Print rows a second and ratios."""
    torch.set_num_threads(1)
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    if steps:
        compare(steps)
    for where in ("in memory", "of a folder"):
        together, apart = one_stream(where == "of a folder")
        print(
            f"four dictionaries on one stream of rows {where}: {together:.2f} CPU-s, apart {apart:.2f} (x{together / apart:.2f})"
        )


def compare(steps: int) -> None:
    """Steps of ours, of dense torch, and of others."""
    print(f"largest difference of gradients, sparse and dense: {gradients_agree():.1e}")
    whole = rows(BATCH * steps)
    batches = list(whole.split(BATCH))
    compared = {
        "dense torch": dense(batches),
        "pellucid": ours(batches, 0),
        "pellucid, 5 % of features dead": ours(batches, FEATURES // 20),
        **others(batches),
    }
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    for turn in range(ROUNDS + 1):
        for name, run in compared.items():
            start = time.process_time()
            run()
            if turn:  # the first warms up
                seconds[name].append(time.process_time() - start)
    reference = statistics.median(seconds["dense torch"])
    for name, some in seconds.items():
        middle = statistics.median(some)
        print(f"{name:32s} {len(whole) / middle:10,.0f} rows a CPU-second   x{reference / middle:.2f} of dense torch")
    rivals = [
        statistics.median(seconds[name])
        for name in compared
        if name in ("overcomplete", "dictionary-learning", "sae-lens")
    ]
    if rivals:
        print(f"pellucid against the fastest other: x{min(rivals) / statistics.median(seconds['pellucid']):.2f}")


if __name__ == "__main__":
    main()
