"""Would another seed have learnt the same features? Dictionaries fitted again, matched with the study's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import collate
from pellucid.data.dataset import Dataset
from pellucid.errors import NotMeasurable
from pellucid.heads.base import Head
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.matching import RECOVERED, assign, cosines
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows, told, told_once
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.codes import (
    ROWS,
    OfDictionaries,
    coded,
    dictionaries,
    dictionary_parts,
    untrained_dictionaries,
)
from pellucid.protocols.fit_again import fit_again
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES, Interval, Statistic
from pellucid.training.fit import Sides
from pellucid.views.drawing import NEUTRAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RANDOM, DRAWN = "random directions", "as many training rows drawn by lot"

COSINES = "cosines"
"""Column with the stability of every feature, in the first row of a part and fold; empty in all others."""


class DictionaryStabilityConfig(Config):
    """Settings of :class:`DictionaryStability`.

    Parameters
    ----------
    seeds : int
        How often each dictionary is fitted again.
    share : float
        Of the training rows, those that it is fitted on again, drawn anew for each seed. With less than all of them features
        must outlast other rows too, and fitting takes that much less.
    recovered : float
        Cosine above which a feature counts as found again.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    seeds: int = Field(2, ge=1)
    share: float = Field(1.0, gt=0, le=1)
    recovered: float = Field(RECOVERED, gt=0, lt=1)
    replicates: int = Field(REPLICATES, ge=100)


class DictionaryStability(OfDictionaries):
    """Which features another seed learns too, with the same settings and on the same training rows.

    Atoms are assigned one to one so that their cosines are greatest in sum. Where codes have either sign, an atom and its
    negative are the same feature.

    - ``matched_cosine``: mean cosine of assigned atoms, over all pairs of dictionaries, the study's own among them.
    - ``stable_features``: share of the study's own features that every other seed has too.
    - ``stable_activity``: of all codes of test rows that are not zero, the share that are of stable features, with an interval
      over subjects; beside it the share that these features are of all.

    Chance is what random directions reach. The baseline is what as many training rows drawn by lot reach, each as it lies from
    the mean: where data lie in few directions, rows resemble each other without anything being learnt. Methods without chance
    of their own (principal components) are stable by construction unless ``share`` is less than 1.

    It fits each dictionary ``seeds`` times more. What is fitted again is not kept.

    References
    ----------
    Formulas: :mod:`pellucid.measures.dictionaries.matching`.
    """

    name: ClassVar[str] = "dictionary-stability"
    needs_training: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    config_type = DictionaryStabilityConfig
    config: DictionaryStabilityConfig

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """The share of rows must be as many as a dictionary has features, or nothing can be fitted to it."""
        for part, head in untrained_dictionaries(heads).items():
            if reason := self._too_few(part, head.config.features, len(dataset)):
                return str(reason)
        return ""

    def _too_few(self, part: str, features: int, rows: int) -> NotMeasurable | None:
        """Why a dictionary cannot be fitted on the share; None where it can, and without a share, as it could before."""
        count = self._count(rows)
        if self.config.share == 1 or count >= features:
            return None
        return NotMeasurable(
            f"share = {self.config.share:g} of {rows:,} rows are {count:,}, fewer than the {features:,} features of “{part}”",
            f"ask for a share of {features / rows:.2g} at the very least",
        )

    def _count(self, rows: int) -> int:
        return max(1, round(self.config.share * rows))

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and subject.

        Returns
        -------
        DataFrame
            ``codes`` and ``stable_codes``, counts over the subject's test rows. Told once of a part and fold, among others,
            ``cosines``: for each feature the lowest cosine with the one assigned to it, over seeds.
        """
        import pandas as pd

        return pd.concat([self._examined(fold, part, model) for part, model in dictionaries(fold).items()])

    def _examined(self, fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
        import pandas as pd

        test = fold.test(part)
        if reason := self._too_few(part, len(_atoms(model)), len(fold.split.train)):
            raise reason
        learnt = [_atoms(one) for one in (model, *self._again(fold, part, model, test))]
        signed = not _has_negative_codes(fold, model)
        every = {"": learnt, "random_": _random(learnt, fold.seed), "drawn_": _drawn(fold, model, learnt)}
        fixed: dict[str, float] = {"features": len(learnt[0])}
        lowest: dict[str, np.ndarray] = {}
        for name, some in every.items():
            fixed[f"{name}cosine"], lowest[name] = compared(some, signed=signed)
            fixed[f"{name}stable"] = float((lowest[name] > self.config.recovered).mean())
        own = lowest[""]
        stable = own > self.config.recovered
        names, of = np.unique(test.subjects, return_inverse=True)
        counts = {name: np.zeros(len(names)) for name in ("codes", "stable_codes")}
        for at, _, codes in coded(model, test):
            on = (codes != 0).numpy()
            for name, kept in (("codes", on), ("stable_codes", on[:, stable])):
                counts[name] += np.bincount(of[at], kept.sum(1), len(names))
        rows = pd.DataFrame({"part": part, "sample": names, "subject": names} | counts)
        return told_once(rows, {COSINES: own, **fixed})

    def _again(self, fold: FittedFold, part: str, model: Model, test: Dataset) -> Iterator[Model]:
        """The dictionary as other seeds have it; its encoders stay, or atoms would be directions in another space."""
        for seed in range(self.config.seeds):
            train = fold.split.train
            if self.config.share < 1:
                chance = np.random.default_rng([fold.seed, fold.split.fold, seed])
                train = np.sort(chance.choice(train, self._count(len(train)), replace=False))
            sides = Sides(fold.dataset.subset(train), fold.validation, fold.target)
            name = f"{fold.seed}/fold {fold.split.fold}/stability {seed}"
            found = fit_again(model, part, sides, fold.training, seed=name, same_encoders=True)
            found.learned_from.refuse(test.learned_from, part=f"{part!r} with another seed")
            yield found

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """Three results a dictionary; of several folds the mean."""
        results: list[Result] = []
        for part, own in context.own_rows(rows):
            results += _Stability(own, part, context, self.config.replicates).results(self.config)
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """The stability of every feature, most stable first."""
        parts = [part for part in dictionary_parts(context) if (rows["part"] == part).any()]
        if not parts:
            return {}
        share = self.config.share
        of = "" if share == 1 else f" from {share:.3g} of the training rows"
        return {
            f"How much of each feature another seed learns too{of}, the most stable first": _curve(rows, parts, self)
        }


class _Stability(AuditedRows):
    protocol = DictionaryStability.name

    def results(self, config: DictionaryStabilityConfig) -> Iterator[Result]:
        def once(name: str) -> float:
            return float(self.once_a_fold(name).mean())

        cosine, stable, features = once("cosine"), once("stable"), int(once("features"))
        yield self.result(
            "matched_cosine", Interval.fixed(cosine), higher=True, chance=once("random_cosine"),
            baseline=once("drawn_cosine"), baseline_name=DRAWN,
        )  # fmt: skip
        again, have = ("another seed", "has") if config.seeds == 1 else (f"{config.seeds} other seeds", "have")
        rows = "" if config.share == 1 else f", fitted on {config.share:.3g} of the training rows,"
        yield self.result(
            "stable_features", Interval.fixed(stable), higher=True, chance=once("random_stable"),
            baseline=once("drawn_stable"), baseline_name=DRAWN,
            sentence=(
                f"Of the {features} features of “{self.part}” {stable * features:.0f} are stable: {again}{rows} {have} them too "
                f"(cosine above {config.recovered:g}). Of as many training rows drawn by lot {once('drawn_stable'):.0%} would be."
            ),
        )  # fmt: skip
        yield self.result(
            "stable_activity", self.interval(self._activity()), higher=True, chance=stable, baseline=stable,
            baseline_name="their share of all features",
        )  # fmt: skip

    def _activity(self) -> Statistic:
        codes, stable = self.column("codes"), self.column("stable_codes")

        def at(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray((weights @ stable) / (weights @ codes))

        return at


def compared(dictionaries: Sequence[Tensor], *, signed: bool) -> tuple[float, np.ndarray]:
    """How alike dictionaries are: atoms assigned one to one, for each pair so that cosines are greatest in sum.

    Parameters
    ----------
    dictionaries : sequence of Tensor, shape (feature, unit)
    signed : bool
        False: an atom and its negative are the same.

    Returns
    -------
    mean : float
        Cosine of assigned atoms, over all pairs of dictionaries.
    lowest : ndarray, shape (feature,)
        Of each atom of the first with the ones assigned to it in the others.
    """
    means, lowest = [], np.full(len(dictionaries[0]), np.inf)
    for at, other in combinations(range(len(dictionaries)), 2):
        similarity = cosines(dictionaries[at], dictionaries[other])
        found, rows, _ = assign(similarity if signed else similarity.abs())
        means.append(float(found.mean()))
        if at == 0:
            lowest[rows.numpy()] = np.minimum(lowest[rows.numpy()], found.numpy())
    return float(np.mean(means)), lowest


def _atoms(model: Model) -> Tensor:
    head = model.head
    assert isinstance(head, Dictionary)
    return head.atoms.detach()


def _has_negative_codes(fold: FittedFold, model: Model) -> bool:
    train = fold.dataset.subset(fold.split.train[:ROWS])
    return any(bool((codes < 0).any()) for _, _, codes in coded(model, train))


def _random(dictionaries: list[Tensor], seed: int) -> list[Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return [torch.randn(atoms.shape, generator=chance) for atoms in dictionaries]


@torch.no_grad()
def _drawn(fold: FittedFold, model: Model, dictionaries: list[Tensor]) -> list[Tensor]:
    """Training rows as they lie from their mean, for each dictionary as many as it has atoms; none twice if there are enough."""
    count, sets = len(dictionaries[0]), len(dictionaries)
    train, chance = fold.split.train, np.random.default_rng(fold.seed)
    at = chance.choice(train, count * sets, replace=count * sets > len(train))
    rows = model.encode(collate(fold.dataset, at)).values
    return list((rows - rows.mean(0)).split(count))


def _curve(rows: pd.DataFrame, parts: list[str], protocol: DictionaryStability) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    ax = figure.subplots()
    for part in parts:
        own = rows[(rows["part"] == part) & (rows["fold"] == rows["fold"].min())]
        cosines = np.sort(told(own, COSINES)[0])[::-1]
        ax.plot((np.arange(len(cosines)) + 1) / len(cosines), cosines, label=part)
    ax.axhline(protocol.config.recovered, color=NEUTRAL, linewidth=1, linestyle="--")
    ax.set_xlabel("share of features")
    ax.set_ylabel("cosine with another seed's (lowest)")
    ax.legend(fontsize=8, frameon=False)
    return figure
