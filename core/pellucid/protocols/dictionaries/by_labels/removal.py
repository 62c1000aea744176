"""Spurious correlation removal: can a probe that was misled by a second label be made fair by switching its features off?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.errors import NotMeasurable
from pellucid.measures.dictionaries.ablation import LEAST_GAP, feature_effects, given_back
from pellucid.measures.dictionaries.exactness import indices_of_strongest
from pellucid.measures.dictionaries.linear_probes import LinearProbes
from pellucid.protocols.base import Context
from pellucid.protocols.dictionaries.by_labels.label_pairs import dealt_combinations, two_labels
from pellucid.protocols.dictionaries.by_labels.labelled import STEPS, Labelled, loss_of
from pellucid.protocols.dictionaries.by_labels.perturbation import NS
from pellucid.protocols.dictionaries.by_labels.shared import DRAWS, RANDOM, ByLabels, ByLabelsConfig, Counts, LabelRows
from pellucid.protocols.dictionaries.codes import LABEL, label_called
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic, weighted_mean

if TYPE_CHECKING:
    import pandas as pd


class SpuriousRemovalConfig(ByLabelsConfig):
    """Settings of :class:`SpuriousRemoval`.

    Parameters
    ----------
    wanted : str
        Yes-or-no label that a probe is to tell.
    spurious : str
        Label that goes with it wherever the misled probe learns.
    ns : tuple of int
        Numbers of features that are switched off; without it those of the usual ones that a dictionary has.
    steps : int
        Of the probes.
    """

    wanted: str = ""
    spurious: str = ""
    ns: Counts = Field(NS, min_length=1)
    steps: int = Field(STEPS, ge=1)


class RemovedRows(LabelRows):
    """Whether probes are right about each sample, and which combination of both labels it has."""

    protocol = "scr"

    def fair(self, name: str) -> Statistic:
        """Accuracy where both labels are independent: the mean of its values in the four combinations."""
        values, combination = self.column(name), self.column("combination")
        return lambda weights: np.asarray(
            sum(weighted_mean(values, weights * (combination == at)) for at in range(4)) / 4
        )

    def given_back(self, name: str) -> Statistic:
        """Share of what being misled costs; 0 where it costs nothing."""
        base, oracle, ablated = self.fair("base"), self.fair("oracle"), self.fair(name)
        return lambda weights: given_back(base(weights), ablated(weights), oracle(weights))

    def results(self) -> Iterator[Result]:
        """The score for each number of features."""
        base, oracle = self.value(self.fair("base")), self.value(self.fair("oracle"))
        wanted, spurious = (str(self.rows[name].iloc[0]).removeprefix(LABEL) for name in ("label", "spurious"))
        nothing = (
            f" There is nothing to give back: {wanted} is as easily told where {spurious} goes with it."
            if oracle - base < LEAST_GAP
            else ""
        )
        for n in self.numbers(self.config.ns, "off"):
            found, random = self.interval(self.given_back(f"off:{n}")), self.value(self.given_back(f"random:{n}"))
            yield self.told(
                f"scr_{n}", found, chance=0.0, baseline=random, baseline_name=RANDOM,
                sentence=(
                    f"A probe of {wanted} that learnt where {spurious} always goes with it is right about {base:.1%} of samples in "
                    f"which both are independent, one that was not misled about {oracle:.1%}; "
                    f"with the {n} feature{'s' if n > 1 else ''} of {spurious} "
                    f"switched off in “{self.part}” the misled one about {self.value(self.fair(f'off:{n}')):.1%}. That "
                    f"gives back {found.value:.2f} of "
                    f"what it lost, with features drawn by lot {random:.2f}.{nothing}"
                ),
            )  # fmt: skip


class SpuriousRemoval(ByLabels):
    """Share of a misled probe's loss that is given back when the features of what misled it are switched off.

    On the training side two probes of the wanted label are learnt: one where it always agrees with the spurious label, one where
    all four combinations are equally frequent; and a probe of the spurious label on the latter, by which features are chosen
    (size of the difference of mean codes times how far the atom goes along the probe). Accuracy is of the test side, where the
    four combinations count alike. 0: nothing given back, or nothing was lost; 1: as good as the probe that was not misled. The error of the
    dictionary is kept.

    References
    ----------
    Karvonen et al. (2024), arXiv:2411.18895, after Marks et al. (2024), arXiv:2403.19647; settings of SAEBench.
    Deviation: it reports of two directions the one with the lower accuracy of the misled probe, which would choose by what is
    judged; here the study says which label is wanted.
    """

    name: ClassVar[str] = "scr"
    rows_type = RemovedRows
    counts: ClassVar[str] = "ns"
    config_type = SpuriousRemovalConfig
    config: SpuriousRemovalConfig

    @classmethod
    def example_options(cls) -> dict[str, Any]:
        """Settings for a trial on planted data."""
        return {"wanted": "fast", "spurious": "binary", "steps": 300}

    @property
    def named(self) -> tuple[str, ...]:
        """Both labels."""
        return tuple(name for name in (self.config.wanted, self.config.spurious) if name)

    def lacking(self, context: Context) -> str:
        """Both labels must be named, two different ones."""
        return two_labels(self.name, context, wanted=self.config.wanted, spurious=self.config.spurious)

    def measured(self, sides: Labelled) -> pd.DataFrame:
        """Columns ``base``, ``oracle``, ``off:<n>``, ``random:<n>``: whether each probe is right; ``combination``."""
        wanted, spurious = (label_called(name, sides.spec) for name in self.named)
        if few := sides.few(wanted, spurious):
            raise NotMeasurable(few)
        train, test = sides.train, sides.test
        agreeing, fair = _training_sets(train.quadrants(wanted, spurious), sides.seed)

        def probe(rows: np.ndarray, label: str) -> LinearProbes:
            return sides.fitted(rows, train.truth(label)[rows, None], self.config.steps)

        misled, oracle, of_spurious = probe(agreeing, wanted), probe(fair, wanted), probe(fair, spurious)
        effects = feature_effects(
            train.codes[fair], train.truth(spurious)[fair], of_spurious.weight[0], sides.atoms, absolute=True
        )
        judge = test.known(wanted, spurious)
        truth, x, codes = test.truth(wanted)[judge], test.x[judge], test.codes[judge]
        logits = misled.logits(x)[:, 0]

        def right(said: Tensor) -> Tensor:
            return ((said > 0) == (truth > 0)).double()

        def without(features: Tensor) -> Tensor:
            return right(logits - loss_of(codes, features, sides.atoms, misled.weight)[:, 0])

        columns: dict[str, Any] = {"base": right(logits), "oracle": right(oracle.logits(x)[:, 0])}
        for n in self.numbers(sides):
            columns[f"off:{n}"] = without(indices_of_strongest(effects, n))
            columns[f"random:{n}"] = torch.stack([without(features) for features in sides.drawn(n, DRAWS)]).mean(0)
        combination = test.quadrants(wanted, spurious)[judge].astype(float)
        return test.table(judge, truth=truth, combination=combination, **columns).assign(
            label=wanted, spurious=spurious
        )


def _training_sets(quadrants: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples in which both labels agree, and samples of all four combinations equally often; about as many of each."""
    of = dealt_combinations(quadrants, seed)
    each = min(len(some) for some in of)
    agreeing = min(len(of[0]), len(of[3]), 2 * each)
    return np.concatenate([of[0][:agreeing], of[3][:agreeing]]), np.concatenate([some[:each] for some in of])
