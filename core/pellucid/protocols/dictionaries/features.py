"""What the features of dictionaries go with: labels and ratings of subjects that nothing has learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from pellucid.errors import NotMeasurable
from pellucid.part import Config
from pellucid.protocols.audited import told, told_once
from pellucid.protocols.base import Context, FittedFold, Gathered
from pellucid.protocols.dictionaries.codes import LABEL, OfDictionaries, dictionaries
from pellucid.protocols.dictionaries.pooled import Pooled
from pellucid.result import Result
from pellucid.statistics.false_discovery import benjamini_hochberg

if TYPE_CHECKING:
    import pandas as pd

UNITS = "single units of the layer"


class DictionaryFeaturesConfig(Config):
    """Settings of :class:`DictionaryFeatures`.

    Parameters
    ----------
    false_discoveries : float
        Share of features called associated that may be so by chance.
    permutations : int
        How often labels are dealt anew among subjects to see what chance finds.
    """

    false_discoveries: float = Field(0.05, gt=0, lt=1)
    permutations: int = Field(20, ge=1)


class DictionaryFeatures(OfDictionaries):
    """How many features go with a label or a rating, on subjects that neither dictionary nor model have learnt from.

    A sample has of each feature the strongest code over its positions. Of each subject one sample, drawn by lot, is a witness:
    features are tested against every label (Mann-Whitney; where too few samples have feature or label for that, Fisher's exact
    test) and rating (rank correlation) that the data have, and false discoveries are controlled over all of these tests
    together (Benjamini and Hochberg). Beside the count stands the mean
    count with labels dealt anew among subjects, and that of the layer's single units. A unit has no zero below which it is silent and
    may speak by falling as by rising: both its largest and its smallest value over a sample's positions are tested, in one family
    of tests, and either will do. A layer rarely has as many units as a dictionary has features, so both totals are said.

    A study that reads an untrained layer too (input ``untrained``) shows how many features such a layer has.
    """

    name: ClassVar[str] = "dictionary-features"
    config_type = DictionaryFeaturesConfig
    config: DictionaryFeaturesConfig

    def unfit(self, context: Context) -> str:
        """There must be something that people said."""
        if not context.spec.targets and context.spec.concepts is None:
            return "its data have neither labels nor ratings to compare features with"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and sample; see :meth:`~pellucid.protocols.dictionaries.pooled.Pooled.table`.

        Columns ``fold:...`` are the same for all rows of a part and fold: the count of features associated, of units, the mean
        count by chance, and how many tests there were.
        """
        import pandas as pd

        frames = []
        for part, model in dictionaries(fold).items():
            test = fold.test(part)
            pooled, raw = Pooled.of(model, test, seed=fold.seed), Pooled.of_units(model, test, fold.seed)
            if not any(_varies(values[pooled.one_a_subject]) for values in pooled.attributes.values()):
                raise NotMeasurable(
                    f"{len(pooled.one_a_subject)} {fold.dataset.spec.group_word[1]} are tested, one sample each, and each label or "
                    "rating is the same for all of them or known of none",
                    "test more of them, or others",
                )
            units = raw.codes.shape[1] // 2
            fixed = {
                "associated": len(self.associated(pooled)),
                "units": len({feature % units for feature in self.associated(raw)}),
                "all_units": units,
                "by_chance": self._by_chance(pooled, fold.seed),
                "features": pooled.codes.shape[1],
                "attributes": len(pooled.attributes),
            }
            frames.append(told_once(pooled.table().assign(part=part), fixed))
        return pd.concat(frames, ignore_index=True)

    def gathered(self, fold: FittedFold, context: Context) -> Gathered:
        """The features that it counts."""
        from pellucid.gathering.features import gather

        return gather(fold, self)

    def associated(
        self, pooled: Pooled, dealt: np.random.Generator | None = None
    ) -> dict[int, tuple[str, float, float]]:
        """Features that go with something: the attribute they go with most surely, how strongly, and its q.

        Parameters
        ----------
        pooled : Pooled
        dealt : Generator, optional
            Deals what was said anew among samples first.
        """
        names, order = list(pooled.attributes), np.arange(len(pooled.samples))
        if dealt is not None:
            at = pooled.one_a_subject
            order[at] = dealt.permutation(at)
        every = [pooled.associations(name, pooled.attributes[name][order]) for name in names]
        q = benjamini_hochberg(np.stack([one.p for one in every]))
        best = q.argmin(0)
        return {
            int(feature): (
                names[best[feature]],
                float(every[best[feature]].strength[feature]),
                float(q[best[feature], feature]),
            )
            for feature in np.flatnonzero(q.min(0) <= self.config.false_discoveries)
        }

    def _by_chance(self, pooled: Pooled, seed: int) -> float:
        dealt = np.random.default_rng(seed)
        return float(np.mean([len(self.associated(pooled, dealt)) for _ in range(self.config.permutations)]))

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """How many features of each dictionary go with something; of several folds the mean."""
        results = []
        for part, own in context.own_rows(rows):
            count, units, chance = (float(np.mean(told(own, name))) for name in ("associated", "units", "by_chance"))
            features, every, attributes = (int(told(own, name)[0]) for name in ("features", "all_units", "attributes"))
            # Every subject is a witness in each fold that tests it, and is counted once.
            tested = int(own["subject"].nunique())
            results.append(
                Result(
                    protocol=self.name, metric="associated_features", part=part, value=count, low=float("nan"), high=float("nan"),
                    chance=chance, baseline=units, baseline_name=UNITS, higher_is_better=True, n_samples=len(own), n_subjects=tested,
                    sentence=(
                        f"{count:.0f} of the {features} features of “{part}” go with one of {attributes} labels or "
                        f"ratings on {tested} {context.spec.group_word[1]} that nothing was learnt from, at most "
                        f"{self.config.false_discoveries:.0%} of them by chance; with labels dealt anew {chance:.1f} do, of the layer's "
                        f"{every} single units {units:.0f}."
                    ),
                )
            )  # fmt: skip
        return results


def _varies(values: np.ndarray) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known) and (known != known[0]).any())


def association_in_words(name: str, strength: float) -> str:
    """An association in words.

    Examples
    --------
    >>> association_in_words("is MI (superclass)", 0.81), association_in_words("concept spiculation", -0.4)
    ('is MI (superclass): AUROC 0.81', 'concept spiculation: rank correlation -0.40')
    """
    return f"{name}: {'AUROC' if name.startswith(LABEL) else 'rank correlation'} {strength:.2f}"
