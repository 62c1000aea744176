"""Guesses by the cosine of sentences: what protocols of texts have in common, and how scores by condition become results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pellucid.data.dataset import Dataset
from pellucid.heads.base import Head
from pellucid.model import Model
from pellucid.protocols.base import Assessment, Context, FittedFold
from pellucid.protocols.texts.conditions import NOISE, SHOWN, SIGNAL, aligned, no_noise, not_comparing
from pellucid.protocols.texts.ranks import at_chance, estimated, hits
from pellucid.result import Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Guess", "Guessing", "scored"]


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What is guessed, and what a score of it is beside.

    Parameters
    ----------
    protocol, part : str
    metric : str
        ``{}`` stands where the name says the condition: ``"rank1_of_24{}"``.
    check : str
        What the check on noise is called.
    rank : int
        Among how many of the likest the true one must be.
    chance : float
        Share that a draw by lot would find.
    baseline : float, optional
        None: the score on noise.
    baseline_name : str
    noise_at : float
        What noise must be at.
    one_sided : bool
        Noise may be below it.
    told : callable
        A sentence without its end, of a condition, a score (a share) and how many samples it is of.
    ends : mapping of str to str
        What ends it before the verdict, by condition.
    fails : str
        How a failing check goes on, after "something other than signals".
    """

    protocol: str
    part: str
    metric: str
    check: str
    rank: int
    chance: float
    baseline: float | None = None
    baseline_name: str
    noise_at: float
    one_sided: bool = False
    told: Callable[[str, float, int], str]
    ends: Mapping[str, str] = field(default_factory=dict)
    fails: str


class Guessing(Assessment):
    """What protocols have in common that compare samples with sentences."""

    about = "text"

    def unfit(self, context: Context) -> str:
        """Noise must be able to stand for what is read."""
        return no_noise(context)

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """Every such head must learn to compare."""
        return not_comparing(heads)

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, test sample, condition and whatever is guessed; columns are those of the protocol's ``guessed``.

        Raises
        ------
        NotMeasurable
            If the test side has nothing to guess among.
        """
        import pandas as pd

        return pd.concat([self.guessed(fold, part, model) for part, model in aligned(fold).items()], ignore_index=True)

    def guessed(self, fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
        """The rows of one part; ``condition``, ``above`` and ``ties`` (how many are liker than the true one, and as like) are among
        their columns.
        """
        raise NotImplementedError


def scored(mine: pd.DataFrame, guess: Guess, seed: int) -> list[Result]:
    """A result for each condition, and the check on noise.

    Parameters
    ----------
    mine : DataFrame
        Rows of one part and one guess, see :meth:`Guessing.guessed`.
    guess : Guess
    seed : int
        Of the intervals.
    """
    noise = mine[mine["condition"] == NOISE]
    found_by_noise = hits(noise, guess.rank)
    beside = float(found_by_noise.mean())
    passed = at_chance(found_by_noise, noise, guess.noise_at, seed, one_sided=guess.one_sided)
    results = []
    for condition in map(str, dict.fromkeys(mine["condition"])):
        some = mine[mine["condition"] == condition]
        found = estimated(hits(some, guess.rank), some, seed)
        what: dict[str, Any] = {
            "protocol": guess.protocol, "part": guess.part, "value": found.value, "low": found.low, "high": found.high,
            "chance": guess.chance, "baseline": beside if guess.baseline is None else guess.baseline,
            "baseline_name": guess.baseline_name, "higher_is_better": True,
            "n_samples": len(some), "n_subjects": some["subject"].nunique(),
        }  # fmt: skip
        told = guess.told(condition, found.value, len(some)) + guess.ends.get(condition, "")
        sentence = ""
        if condition == SIGNAL:
            fails = f" The control fails: noise reaches {beside:.1%}, so this figure is not owed to signals alone."
            sentence = f"{told}.{'' if passed else fails}"
        results.append(Result(metric=guess.metric.format(SHOWN[condition]), sentence=sentence, **what))
        if condition == NOISE:
            said = "as it must be" if passed else f"the control fails, as something other than signals{guess.fails}"
            results.append(Result(metric=guess.check, passed=passed, sentence=f"{told}: {said}.", **what))
    return results
