"""Does a signal find its sentence among others? Ranks inside blocks of sentences that nothing was learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field, model_validator

from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.base import Context, FittedFold, rows_of
from pellucid.protocols.texts.conditions import (
    NO_PROMPTS,
    NOISE,
    SIGNAL,
    TEXT,
    conditions_of,
    head_of,
    vectors,
)
from pellucid.protocols.texts.guessing import Guess, Guessing, scored
from pellucid.protocols.texts.ranks import cosines, placed
from pellucid.result import NotMeasured, Result
from pellucid.seeds import seed_of
from pellucid.training.batching import distinct_batches

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "noise input"


class RetrievalConfig(Config):
    """Settings of :class:`Retrieval`.

    Parameters
    ----------
    block : int
        Sentences that a sample is compared with, its own among them; fewer where the test side has fewer.
    ranks : tuple of int
        Among how many of the likest sentences its own must be; fewer than a block has.
    """

    block: int = Field(default=24, ge=2)
    ranks: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 5), min_length=1)

    @model_validator(mode="after")
    def _ranks_leave_some_out(self) -> RetrievalConfig:
        if "ranks" in self.model_fields_set and max(self.ranks) >= self.block:
            raise ValueError(
                f"of {self.block} sentences each is among the first {max(self.ranks)}: set lower ranks or a larger block"
            )
        return self


class Retrieval(Guessing):
    """How often a sample's own sentence is the likest of a block of different ones, by the cosine of their vectors.

    Test samples are dealt into blocks in which no sentence stands twice; what fills no last block is left out.
    ``rank1_of_24`` is the share whose own sentence comes first. The same is measured

    - ``_on_noise`` of Gaussian noise in place of every signal, with nothing masked and prompts as they are. It must be at
      chance: if not, the check ``noise_input_rank1`` is not passed, and the score itself says so;
    - ``_without_prompts`` with prompts of zeros, where there are prompts;
    - ``_of_raw_text`` of a variant of the sentence in place of the signal, where the dataset has variants: what the frozen
      text model and the pooling allow at best.

    The baseline is the score on noise. Intervals are over what the protocol keeps apart.
    """

    name: ClassVar[str] = "retrieval"
    config_type = RetrievalConfig
    config: RetrievalConfig

    def guessed(self, fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
        """One row a test sample and condition.

        Returns
        -------
        DataFrame
            ``condition``, ``block``, ``size`` (of the block), ``above`` (sentences more like the sample than its own) and
            ``ties`` (equally like).

        Raises
        ------
        NotMeasurable
            If the test side has one sentence only.
        """
        import pandas as pd

        samples, head = fold.test(part), head_of(model)
        texts = samples.text_values(head.text_name)
        own = [some[0] for some in texts]
        names, codes = np.unique(own, return_inverse=True)
        if len(names) < 2:
            raise NotMeasurable(
                f"its {len(own)} test samples are all of one sentence, so that there is none to take it for",
                "judge on samples of more sentences",
            )
        size = min(self.config.block, len(names))
        # By the samples' names, so that blocks do not depend on the order in which a dataset happens to have them.
        order = np.random.default_rng(seed_of(fold.seed, "blocks", fold.split.fold)).permutation(len(own))
        order = np.argsort(samples.frame.index.astype(str).to_numpy(), kind="stable")[order]
        blocks = distinct_batches(order, codes, size, "text")
        sentences = head.embed_texts(list(names))
        said = {each: vectors(model, samples, each, fold.seed) for each in conditions_of(model)}
        if len(texts[0]) > 1:
            said[TEXT] = head.embed_texts([some[1] for some in texts])
        frames = []
        for condition, found in said.items():
            for number, block in enumerate(blocks):
                above, ties = placed(cosines(found[block], sentences[codes[block]]), np.arange(len(block)))
                columns = {"above": above, "ties": ties}
                some: Dataset = samples.subset(block)
                frames.append(rows_of(part, some, columns).assign(condition=condition, block=number, size=len(block)))
        return pd.concat(frames, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Scores by rank and condition, and whether noise is at chance."""
        results: list[Result | NotMeasured] = []
        for part in dict.fromkeys(rows["part"]):
            mine = rows[rows["part"] == part]
            size = int(mine["size"].min())
            for rank in self.config.ranks:
                if rank < size:
                    results += self._scored(str(part), mine, rank, context)
                else:
                    because = f"there are {size} sentences to choose from, and every one is among the first {rank}"
                    helps = "judge on samples of more sentences, or set lower ranks"
                    results.append(
                        NotMeasured(
                            protocol=self.name,
                            because=because,
                            part=str(part),
                            metric=f"rank{rank}_of_{size}",
                            helps=helps,
                        )
                    )
        return results

    def _scored(self, part: str, mine: pd.DataFrame, rank: int, context: Context) -> list[Result]:
        sizes = mine[mine["condition"] == NOISE]["size"]
        size, chance = int(sizes.max()), float((rank / sizes).mean())
        first = "comes first" if rank == 1 else f"is among the first {rank}"

        def told(condition: str, value: float, count: int) -> str:
            return {
                SIGNAL: f"Of {size} sentences a sample's own {first} in {value:.1%} of {count:,} samples",
                NOISE: f"With noise in place of every signal it {first} in {value:.1%}",
                NO_PROMPTS: f"With the signal but without prompts it {first} in {value:.1%}",
                TEXT: f"Of the sentence in other words its own {first} in {value:.1%}: the most the text side allows",
            }[condition]

        guess = Guess(
            protocol=self.name,
            part=part,
            metric=f"rank{rank}_of_{size}{{}}",
            check=f"noise_input_rank{rank}",
            rank=rank,
            chance=chance,
            baseline_name=BASELINE,
            noise_at=chance,
            told=told,
            ends={
                SIGNAL: f" (chance {chance:.1%}; interval over {context.spec.group_word[1]})",
                NOISE: f", by chance {chance:.1%}",
            },
            fails=" tells sentences apart",
        )
        return scored(mine, guess, context.seed)
