"""Codes that are written in the signal itself, every occurrence of which is planted, and a model of n-grams of them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import torch

from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import Binary, DataSpec, Signal
from pellucid.data.splits import Split
from pellucid.data.subjects import pseudonym
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.heads.codes.naive_bayes import NGramNaiveBayes, NGramNaiveBayesConfig
from pellucid.protocols.base import Context, FittedFold
from pellucid.regions import FrequencyBand, TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

CHANNELS = ("a", "b", "c", "d")
LINE, CODES = 6, 9
PAIR = (7, 8)
"""Codes that stand side by side in class ``yes`` alone, in channel ``c``, from the third token on."""


class Written(Encoder):
    """Codes that are written in the signal itself: a value is its code."""

    tags = EncoderTags(accepts=("signal",), gives_codes=True)
    config_type = EncoderConfig
    patch_axis: ClassVar[str] = "frequency (Hz)"
    patch_values: ClassVar[str] = "code"

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        # As it is built it reads nothing; what it learns is to read.
        self.register_buffer("gain", torch.zeros(()))

    @property
    def names(self) -> tuple[str, ...]:
        return ("mean",)

    @property
    def token_shapes(self):
        return {"": TokenShape(count=len(CHANNELS) * LINE, width=1, codebook=CODES, line=LINE)}

    def forward(self, batch: Batch) -> Representation:
        x = (self.gain * self.read(batch)).flatten(1)
        regions = tuple(self.region(name, at) for name in CHANNELS for at in range(LINE))
        tokens = Tokens(x[..., None], regions, x.round().long(), input=self.input_name)
        return Representation(x.mean(1, keepdim=True), self.names, {"": tokens})

    def region(self, channel: str, at: int) -> FrequencyBand | TimeSpan:
        return FrequencyBand((channel,), 2.0 * at, 2.0 * at + 2)

    def patches(self, batch: Batch) -> torch.Tensor:
        return self.read(batch).flatten(1)[..., None]

    def patch_positions(self) -> torch.Tensor:
        return (2.0 * torch.arange(LINE) + 1).repeat(len(CHANNELS))[:, None]


class WrittenInTime(Written):
    """The same, each code covering the second in which its value stands."""

    def region(self, channel: str, at: int) -> FrequencyBand | TimeSpan:
        return TimeSpan((channel,), float(at), at + 1.0)


class Made(ArrayDataset):
    def planted(self, output: str):
        yes = self.frame["answer"].to_numpy() == 1
        there = (TimeSpan(("c",), 0.0, 6.0),)
        return [there if output == "yes" and one else () for one in yes]


def data(*, subjects: int = 30, samples: int = 20, told: float = 1.0, constant: bool = False, seed: int = 0) -> Made:
    rng = np.random.default_rng(seed)
    count = subjects * samples
    who = np.repeat(np.arange(subjects), samples)
    answer = (who % 2 if constant else np.arange(count) % 2).astype(float)
    codes = rng.integers(0, 7, (count, len(CHANNELS), LINE))
    shown = (answer == 1) & (rng.random(count) < told) if told else rng.random(count) < 0.5
    codes[shown, 2, 2:4] = PAIR
    frame = pd.DataFrame(
        {"subject": [pseudonym(one, "written") for one in who], "answer": answer},
        index=pd.Index([f"s{at:04d}" for at in range(count)], name="sample"),
    )
    spec = DataSpec(
        name="written",
        inputs={"x": Signal(channels=CHANNELS, length=LINE, rate_hz=1.0, units="1")},
        targets={"answer": Binary(names=("no", "yes"))},
        namespace="written",
        about="Made up.",
    )
    return Made(spec, frame, {"x": codes.astype(np.float32)})


def fold(dataset: Made, number: int = 0, kind: type[Written] = Written) -> FittedFold:
    subjects = dataset.frame["subject"].to_numpy()
    names = np.unique(subjects)
    sides = [np.flatnonzero(np.isin(subjects, some)) for some in np.array_split(names, 3)]
    train, validation, test = (sides[(at + number) % 3] for at in range(3))
    encoder = kind(EncoderConfig(inputs={"x": dataset.spec.input("x")}))
    learning = Sides(dataset.subset(train), dataset.subset(validation), "answer")
    encoder.gain.fill_(1.0)
    encoder.learned_from = learning.learned_from
    config = NGramNaiveBayesConfig(
        units=("x:mean",), target=dataset.spec.target("answer"), tokens={"x": encoder.token_shapes[""]}, fewest=5
    )
    model, _ = fit_model({"x": encoder}, NGramNaiveBayes(config), learning, TrainingSettings(epochs=1))
    split = Split(number, train, validation, test)
    return FittedFold(dataset, "answer", split, {"bayes": model}, None, 0)


def context(dataset: Made, **options) -> Context:
    tags = {"bayes": NGramNaiveBayes.tags}
    return Context(dataset.spec, "answer", tags, "nothing", 0, **({"encoders": {"x": Written.tags}} | options))
