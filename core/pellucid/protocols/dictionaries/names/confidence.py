"""Whether the names of features hold: precision and recall of each on subjects that nothing has learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid.errors import NotMeasurable
from pellucid.measures.concept_naming import LEVEL, TOP
from pellucid.part import Config
from pellucid.protocols.audited import told, told_once
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.codes import OfDictionaries, dictionaries, dictionary_parts
from pellucid.protocols.dictionaries.names.confidence_rows import SCORES, ConfidenceRows, mean_known
from pellucid.protocols.dictionaries.names.naming import Attributes, Names, Rules, found_names, unit_rules
from pellucid.protocols.dictionaries.pooled import Pooled
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class ConceptConfidenceConfig(Config):
    """Settings of :class:`ConceptConfidence`.

    Parameters
    ----------
    least : float
        Confidence from which a name is said to hold.
    top : int
        Samples that excite a feature most, by which it is named.
    false_discoveries : float
        Share of names that may be given by chance.
    permutations : int
        How often attributes are dealt anew to see what chance finds.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    least: float = Field(0.8, gt=0, le=1)
    top: int = Field(TOP, ge=2)
    false_discoveries: float = Field(LEVEL, gt=0, lt=1)
    permutations: int = Field(20, ge=1)
    replicates: int = Field(REPLICATES, ge=100)


class ConceptConfidence(OfDictionaries):
    """Names for features from what people said of samples, and whether they hold for other people.

    On the training side, one sample a subject, a feature is named after the attribute that is most over-represented among the samples
    that excite it most, of those that Fisher's exact test finds more often than among samples that leave it silent (false
    discoveries controlled over all features and attributes). Attributes are labels, and ratings and numbers above their
    median there. A dictionary and the model below it may have learnt from these subjects: that can make a name wrong, but not
    confident, as it is tried on the test side alone. There the name is a rule, "has the attribute, so the feature fires":

    - ``confident_features``: how many features have a name whose confidence is at least ``least``. Beside it how many
      would with attributes dealt anew among the test subjects, and how many single units of the layer do.
    - ``confidence``: F1 of the rule, mean over named features, with ``precision`` (how many of those who have the attribute
      excite the feature) and ``recall`` (how many of those who excite it have the attribute). Chance is a feature that fires
      as often, whatever a sample has.

    References
    ----------
    Wang et al. (2024), arXiv 2411.06112. Deviations: names are attributes and no words of a language model; F1 for the
    paper's score from precision and recall.
    """

    name: ClassVar[str] = "concept-confidence"
    needs_training: ClassVar[bool] = True
    config_type = ConceptConfidenceConfig
    config: ConceptConfidenceConfig

    def unfit(self, context: Context) -> str:
        """There must be something that people said."""
        if not context.spec.targets and context.spec.concepts is None:
            return "its data have neither labels nor ratings to name features after"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample.

        Returns
        -------
        DataFrame
            ``has``, ``fires``, ``known``: for each sample the named features whose attribute it has, that fire, and whose
            attribute is known of it. Columns ``fold:...`` are the same for all rows of a part and fold; ``fold:names`` is a
            JSON list of ``[feature, attribute, lift, q]``.
        """
        import pandas as pd

        frames = []
        train = fold.train
        for part, model in dictionaries(fold).items():
            test = fold.test(part)
            naming, tried = (Pooled.of(model, one, seed=fold.seed) for one in (train, test))
            raw = [[Pooled.of(model, one, raw=True, sign=sign) for one in (train, test)] for sign in (1, -1)]
            frames.append(self._table(naming, tried, raw, fold.seed).assign(part=part))
        return pd.concat(frames, ignore_index=True)

    def _table(self, naming: Pooled, tried: Pooled, raw: Sequence[Sequence[Pooled]], seed: int) -> pd.DataFrame:
        import pandas as pd

        attributes, at = Attributes.of(naming.attributes, tried.attributes), naming.one_a_subject
        if not np.isfinite(attributes.tried).any():
            raise NotMeasurable(
                "no label or rating both tells samples of the training side apart and is known of any on the test side",
                "have more of whom something was said on both sides",
            )
        fires = naming.codes > 0

        def name(said: np.ndarray) -> Names:
            return found_names(naming.codes[at], fires[at], said, self.config.top, self.config.false_discoveries)

        names, dealt = name(attributes.naming[at]), np.random.default_rng(seed)
        rules = Rules.of(names, tried.codes > 0, attributes.tried)
        units = unit_rules(raw, at, attributes, self.config.top, self.config.false_discoveries)
        shuffled = [
            Rules.of(names, tried.codes > 0, attributes.tried[dealt_among(tried.subjects, dealt)])
            for _ in range(self.config.permutations)
        ]
        by_chance = [len(name(attributes.naming[dealt.permutation(at)])) for _ in range(self.config.permutations)]
        fixed: dict[str, Any] = {
            "features": naming.codes.shape[1],
            "attributes": len(attributes.names),
            "all_units": raw[0][0].codes.shape[1],
            "named_on": len(at),
            "named": len(names),
            "named_by_chance": float(np.mean(by_chance)),
            "confident_by_chance": float(np.mean([self._confident(one.scores()[2]) for one in shuffled])),
            "confident_units": float(self._confident(units.scores()[2])),
            **{f"{score}_units": mean_known(values) for score, values in zip(SCORES, units.scores(), strict=True)},
            "names": [
                [int(feature), attributes.names[of], round(float(lift), 4), float(q)]
                for feature, of, lift, q in zip(names.features, names.attributes, names.lift, names.q, strict=True)
            ],
        }
        columns = {
            column: [names.features[row > 0].tolist() for row in values]
            for column, values in (("has", rules.has), ("fires", rules.fires), ("known", rules.known))
        }
        return told_once(pd.DataFrame({"sample": tried.samples, "subject": tried.subjects} | columns), fixed)

    def _confident(self, f1: np.ndarray) -> np.ndarray:
        return np.asarray((np.nan_to_num(f1) >= self.config.least).sum(-1))

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """How many names hold, and how well names hold on average, for each dictionary."""
        results: list[Result] = []
        for part, own in context.own_rows(rows):
            found = ConfidenceRows(own, part, context, self.config.replicates)
            results += found.results(self.config.least, self._confident)
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """The names that hold best, of each dictionary with any."""
        drawn = {}
        for part in dictionary_parts(context):
            first = rows[rows["part"] == part]
            first = first[first["fold"] == first["fold"].min()] if len(first) else first
            if len(first) and told(first, "names")[0]:
                found = ConfidenceRows(first, part, context, self.config.replicates)
                drawn[f"Names of features of “{part}” that hold best on new {context.several} (first fold)"] = (
                    found.figure()
                )
        return drawn


def dealt_among(subjects: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """For each sample another one whose attributes it is given: subjects are dealt anew, each with all of its samples.

    What samples of one subject have in common stays so, or features and attributes of subjects would seem to meet less often
    by chance than they do. Of a subject with fewer samples some stand twice, of one with more some are left out.

    Parameters
    ----------
    subjects : ndarray, shape (sample,)

    Returns
    -------
    ndarray of int, shape (sample,)
    """
    names, of = np.unique(subjects, return_inverse=True)
    members = [chance.permutation(np.flatnonzero(of == at)) for at in range(len(names))]
    found = np.empty(len(subjects), np.int64)
    for own, other in zip(members, chance.permutation(len(names)), strict=True):
        found[own] = np.resize(members[other], len(own))
    return found
