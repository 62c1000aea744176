"""Signals with events planted in some places and channels, and what reads them, for tests of prototypes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import torch

from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import Binary, DataSpec, MultiClass, MultiLabel, Signal
from pellucid.data.splits import Split
from pellucid.data.subjects import pseudonym
from pellucid.encoders.cnn import Cnn
from pellucid.heads.prototypes.head import Prototypes
from pellucid.part import configured
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.regions import Region, TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

NAMES = ("bump", "dip", "wave")
CHANNEL = {"bump": "b", "dip": "c", "wave": "a"}
RATE_HZ, LENGTH, EVENT = 100.0, 256, 24

TARGETS = {
    "several": MultiLabel(names=NAMES),
    "yes": Binary(names=("no bump", "bump")),
    "one": MultiClass(names=("bump", "dip", "neither")),
}


class Events(ArrayDataset):
    """Noise in four channels, with events of a length of 0.24 s in some samples, whose places are known."""

    place: np.ndarray

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Where the event of a label is."""
        if output not in CHANNEL:
            return None
        starts = self.place[:, NAMES.index(output)] / RATE_HZ
        return [(TimeSpan((CHANNEL[output],), at, at + EVENT / RATE_HZ),) if at >= 0 else () for at in starts]


def events(samples: int = 300, subjects: int = 100, seed: int = 0) -> Events:
    """Draw them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.5, (samples, 4, LENGTH)).astype(np.float32)
    has = rng.random((samples, 3)) < 0.35
    place = np.where(has, rng.integers(16, LENGTH - 40, (samples, 3)), -1)
    t = np.arange(EVENT)
    shapes = (2 * np.sin(np.pi * t / EVENT), -2 * np.sin(np.pi * t / EVENT), 1.5 * np.sin(np.pi * t / 3))
    for sample, label in zip(*np.nonzero(has), strict=True):
        start = place[sample, label]
        x[sample, "abcd".index(CHANNEL[NAMES[label]]), start : start + EVENT] += shapes[label]
    columns = {f"several:{name}": has[:, at].astype(float) for at, name in enumerate(NAMES)}
    columns |= {"yes": has[:, 0].astype(float), "one": np.where(has[:, 0], 0.0, np.where(has[:, 1], 1.0, 2.0))}
    columns |= {"subject": [pseudonym(at % subjects, "events") for at in range(samples)]}
    spec = DataSpec(
        name="events",
        inputs={"signal": Signal(channels=tuple("abcd"), length=LENGTH, rate_hz=RATE_HZ, units="mV")},
        targets=TARGETS,
        namespace="events",
    )
    found = Events(spec, pd.DataFrame(columns, index=[f"sample {at}" for at in range(samples)]), {"signal": x})
    found.place = place
    return found


def places(count: int) -> tuple[Region, ...]:
    """Places of a second each."""
    return tuple(TimeSpan(("x",), float(at), float(at + 1)) for at in range(count))


def represented(cells: torch.Tensor, name: str = "x") -> Representation:
    """A representation whose tokens are given, shape (sample, token, width)."""
    values = cells.mean(1)
    return Representation(values, units(cells.shape[2]), {name: Tokens(cells, places(cells.shape[1]), input="signal")})


def units(width: int) -> tuple[str, ...]:
    """Names of units."""
    return tuple(f"x:{at}" for at in range(width))


def made(head, target, cells: torch.Tensor, **options):
    """A head for tokens of this shape."""
    shape = TokenShape(count=cells.shape[1], width=cells.shape[2])
    return head(head.config_type(units=units(cells.shape[2]), target=target, tokens={"x": shape}, **options))


def labelled(labels: torch.Tensor) -> Batch:
    """A batch of labels, with sample ids."""
    return Batch({"x": labels}, targets=labels, samples=tuple(f"sample {at}" for at in range(len(labels))))


@lru_cache(maxsize=2)
def fitted(target: str = "several") -> tuple[FittedFold, Context]:
    """Prototypes fitted on events, with subjects that they have not seen; do not change them, but a copy."""
    data = events(480, subjects=480)
    split = Split(0, np.arange(300), np.arange(300, 360), np.arange(360, 480))
    torch.manual_seed(0)
    options = {"tokens": True, "smallest": 16, "features": 24}
    encoder = Cnn(configured("encoder", "cnn", Cnn.config_type, options, inputs=dict(data.spec.inputs)))
    facts = {"tokens": {"signal": encoder.token_shapes[""]}, "units": tuple(f"signal:{name}" for name in encoder.names)}
    config = configured(
        "head", "prototypes", Prototypes.config_type, {"per_class": 3, "addon_width": 24},
        target=data.spec.targets[target], **facts,
    )  # fmt: skip
    sides = Sides(data.subset(split.train), data.subset(split.validation), target)
    settings = TrainingSettings(epochs=24, learning_rate=5e-3, batch_size=32)
    model, _ = fit_model({"signal": encoder}, Prototypes(config), sides, settings)
    baseline = TrivialBaseline(data.spec, target).fit(sides.train)
    context = Context(data.spec, target, {"prototypes": model.head.tags}, baseline.name, 0)
    return FittedFold(data, target, split, {"prototypes": model}, baseline, 0), context
