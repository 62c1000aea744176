"""How near what a model writes of a sample is to what is true of it, beside what it writes of noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.heads.abilities import ByText
from pellucid.heads.base import Head
from pellucid.model import Model
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.texts.conditions import (
    NOISE,
    SHOWN,
    SIGNAL,
    aligned,
    conditions_of,
    head_of,
    no_noise,
    written,
)
from pellucid.result import Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import Statistic, interval, subject_weights, weighted_mean
from pellucid.text.scores import COUNTS, bleu, bleu_counts, rouge1_recall

if TYPE_CHECKING:
    import pandas as pd

AGAINST = {"": "its variants", "_raw": "the sentence itself"}
"""What texts are compared with, by what a metric's name ends in. Without variants both are the sentence."""


class GeneratedText(Assessment):
    """BLEU-1, BLEU-2 and ROUGE-1 recall of what models write of test samples, freely: no true word is given.

    Against all variants of the sentence together, and as ``_raw`` against the sentence itself. Chance is the same texts
    compared with the truth of a sample of another sentence; the baseline is what the model writes of noise. A text model that writes the
    same of everything has a score too, that of its commonest words: only the difference from these two says anything.
    Never compare with scores of words predicted after true ones.
    """

    name: ClassVar[str] = "generated-text"
    about = "text"

    def unfit(self, context: Context) -> str:
        """Noise must be able to stand for what is read."""
        return no_noise(context)

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """A head must write."""
        if any(isinstance(head, ByText) and head.writes for head in heads.values()):
            return ""
        return 'no head writes: its text model must be of kind "t5" or "pretrained"'

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, test sample and condition.

        Returns
        -------
        DataFrame
            ``condition``, ``written``, and for variants, for the sentence (``_raw``) and for those of a sample of
            another sentence (``_chance``): the counts of :func:`~pellucid.text.scores.bleu_counts` and ``rouge1``.
        """
        import pandas as pd

        frames = [self._of(fold, part, model) for part, model in aligned(fold).items() if head_of(model).writes]
        return pd.concat(frames, ignore_index=True)

    def _of(self, fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
        import pandas as pd

        samples, head = fold.test(part), head_of(model)
        texts = samples.text_values(head.text_name)
        lot = others([some[0] for some in texts], seed_of(fold.seed, "texts dealt anew", fold.split.fold))
        true = {
            "": [some[1:] or some for some in texts],
            "_raw": [some[:1] for some in texts],
            "_chance": [texts[at][1:] or texts[at] for at in lot],
            "_raw_chance": [texts[at][:1] for at in lot],
        }
        frames = []
        for condition in conditions_of(model):
            said = written(model, samples, condition, fold.seed)
            columns: dict[str, np.ndarray] = {"written": np.array(said, object)}
            for end, known in true.items():
                counts = bleu_counts(said, known)
                columns |= {f"{name}{end}": counts[:, at] for at, name in enumerate(COUNTS)}
                columns[f"rouge1{end}"] = rouge1_recall(said, known)
            frames.append(rows_of(part, samples, columns).assign(condition=condition))
        return pd.concat(frames, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Scores by condition."""
        results = []
        for (part, condition), mine in rows.groupby(["part", "condition"], sort=False):
            noise = rows[(rows["part"] == part) & (rows["condition"] == NOISE)]
            weights = subject_weights(mine["subject"].to_numpy(str), mine["fold"].to_numpy(), seed=context.seed)
            for end, against in AGAINST.items():
                for metric in ("bleu1", "bleu2", "rouge1"):
                    found = interval(_statistic(mine, metric, end), weights)
                    by_lot = float(_statistic(mine, metric, f"{end}_chance")(np.ones(len(mine))))
                    of_noise = float(_statistic(noise, metric, end)(np.ones(len(noise))))
                    named = {"bleu1": "BLEU-1", "bleu2": "BLEU-2", "rouge1": "ROUGE-1 recall"}[metric]
                    told = (
                        f"{named} of what “{part}” writes against {against} is {found.value:.3f}; against those of another sample "
                        f"{by_lot:.3f}, of what it writes of noise {of_noise:.3f}."
                    )
                    results.append(
                        Result(
                            protocol=self.name,
                            metric=f"{metric}{end}{SHOWN[str(condition)]}",
                            part=str(part),
                            value=found.value,
                            low=found.low,
                            high=found.high,
                            chance=by_lot,
                            baseline=of_noise,
                            baseline_name="noise input",
                            higher_is_better=True,
                            n_samples=len(mine),
                            n_subjects=mine["subject"].nunique(),
                            sentence=told if condition == SIGNAL else "",
                        )
                    )
        return results


def others(sentences: Sequence[str], seed: int) -> np.ndarray:
    """For each sample one of another sentence, drawn by lot, int64, shape (sample,); itself where there is one sentence alone.

    Not a mere permutation: of few sentences that many people have read, a good share would stay with their own.

    Parameters
    ----------
    sentences : sequence of str
        One a sample.
    seed : int

    Examples
    --------
    >>> others(["a", "a", "b"], 0)[:2].tolist()
    [2, 2]
    """
    chance, own = np.random.default_rng(seed), np.unique(np.asarray(sentences), return_inverse=True)[1]
    strangers = [np.flatnonzero(own != one) for one in range(own.max() + 1)]
    drawn = [chance.choice(strangers[one]) if len(strangers[one]) else at for at, one in enumerate(own)]
    return np.array(drawn, np.int64)


def _statistic(rows: pd.DataFrame, metric: str, end: str) -> Statistic:
    if metric == "rouge1":
        recall = rows[f"rouge1{end}"].to_numpy(np.float64)
        return lambda weights: weighted_mean(recall, weights)
    counts = rows[[f"{name}{end}" for name in COUNTS]].to_numpy(np.float64)
    return lambda weights: bleu(counts, weights, int(metric[-1]))
