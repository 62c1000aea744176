"""The dataset ``zuco-synthetic``: made-up readings of sentences, laid out as those of ZuCo, with what links them planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import DataSpec, Frozen, MultiClass, Sentences, Signal, Text, Vector
from pellucid.data.subjects import pseudonym
from pellucid_datasets.electroencephalograms import readings

NAME = "zuco-synthetic"

RATE_HZ = 128.0

PROMPTS = ("task", "dataset", "subject")
"""What the three prompt numbers say; 0 says nothing."""

PROMPT_NUMBERS = 31

ABOUT = "Made up: nobody read anything. A score here tells about the method, not about brains."


class ZucoSyntheticConfig(Frozen):
    """Settings of :class:`ZucoSynthetic`.

    Parameters
    ----------
    sentences : int
        Different ones.
    recordings : int
        Readings of each sentence, dealt to the subjects in turn.
    subjects : int
        Made-up readers.
    channels, length : int
        Of a recording; ``length`` is that of the longest reading, shorter ones are padded and masked.
    alike : float
        How alike the readers' heads are: 0, each mixes the eight planted numbers into channels in a way of its own; 1, all
        in the same way.
    noise : float
        Standard deviation of the noise, as a factor of the root mean square of what is planted.
    seed : int
    """

    sentences: int = Field(default=64, ge=2, le=10_000)
    recordings: int = Field(default=10, ge=1)
    subjects: int = Field(default=2, ge=1, le=PROMPT_NUMBERS - 1)
    channels: int = Field(default=104, ge=1)
    length: int = Field(default=64, ge=8)
    alike: float = Field(default=0.0, ge=0, le=1)
    noise: float = Field(default=1.0, ge=0)
    seed: int = Field(default=0, ge=0)


class ZucoSynthetic(ArrayDataset):
    """Made-up readings: eight numbers choose the words of a sentence, and show in the signal while their words are read.

    Inputs: ``eeg``, and ``prompt``, three numbers for task, dataset and subject. The text ``sentence`` has two variants. The
    target ``place`` is the word that says where it happens, for labels that nothing was trained for. Group columns are
    ``subject`` and ``sentence``: every subject reads every sentence, so a protocol must name which it keeps apart.

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.
    """

    config_type = ZucoSyntheticConfig

    def __init__(self, config: ZucoSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        config = config or ZucoSyntheticConfig()
        self.config = config
        self.planted_sentences = readings.drawn_sentences(config.sentences, np.random.default_rng([config.seed, 0]))
        mixing = _mixing(config)
        count = config.sentences * config.recordings
        eeg = np.zeros((count, config.channels, config.length), np.float32)
        real = np.zeros((count, config.length), bool)
        sentence, number = np.divmod(np.arange(count), config.recordings)
        # The turn goes on from sentence to sentence, so that every reader meets as many recordings.
        reader = (sentence * config.recordings + number) % config.subjects
        for at in range(count):
            chance = np.random.default_rng([config.seed, 2, int(sentence[at]), int(number[at])])
            latent = self.planted_sentences.latent[sentence[at]]
            eeg[at], steps = readings.reading(latent, mixing[reader[at]], config.length, config.noise, chance)
            real[at, :steps] = True
        prompt = np.stack([np.ones(count), np.ones(count), 1 + reader], 1).astype(np.int64)
        mask = np.repeat(real[:, None], config.channels, 1)
        frame = self._frame(sentence, number, reader, real.sum(1) / RATE_HZ)
        super().__init__(_spec(config), frame, {"eeg": eeg, "prompt": prompt}, {"eeg": mask})

    def _frame(
        self, sentence: np.ndarray, number: np.ndarray, reader: np.ndarray, length_s: np.ndarray
    ) -> pd.DataFrame:
        texts = self.planted_sentences.texts
        rows = {
            "subject": [pseudonym(f"{self.config.seed}-{who}", NAME) for who in reader],
            "sentence": [f"sentence-{at:04d}" for at in sentence],
            "place": self.planted_sentences.words[sentence, readings.PLACE].astype(float),
            "length_s": length_s,
        }
        columns = Sentences(variants=len(readings.TEMPLATES) - 1).columns("sentence")
        rows |= {name: [texts[at][which] for at in sentence] for which, name in enumerate(columns)}
        names = [f"reading-{at:04d}-{which:02d}" for at, which in zip(sentence, number, strict=True)]
        return pd.DataFrame(rows, index=pd.Index(names, name="sample"))


def _mixing(config: ZucoSyntheticConfig) -> list[np.ndarray]:
    """Of each reader, of equal strength however alike they are."""
    shared = readings.drawn_mixing(config.channels, np.random.default_rng([config.seed, 1]))
    own = [
        readings.drawn_mixing(config.channels, np.random.default_rng([config.seed, 1, 1 + who]))
        for who in range(config.subjects)
    ]
    return [np.sqrt(config.alike) * shared + np.sqrt(1 - config.alike) * one for one in own]


def _spec(config: ZucoSyntheticConfig) -> DataSpec:
    return DataSpec(
        name=NAME,
        inputs={
            "eeg": Signal(
                channels=tuple(f"E{at + 1}" for at in range(config.channels)),
                length=config.length,
                rate_hz=RATE_HZ,
                units="uV",
            ),
            "prompt": Text(vocabulary=PROMPT_NUMBERS, length=len(PROMPTS)),
        },
        targets={"place": MultiClass(names=readings.WORDS[readings.PLACE], about="where it happens")},
        groups=("subject", "sentence"),
        namespace=NAME,
        covariates=Vector(names=("length_s",), units=("s",)),
        trivial=("length_s",),
        texts={"sentence": Sentences(variants=len(readings.TEMPLATES) - 1, about="what was read")},
        about=ABOUT,
    )
