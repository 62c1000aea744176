"""What hidden links say of models, with intervals over nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.protocols.base import Context
from pellucid.protocols.links.hidden import pair_input
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic, estimate, percentiles, subject_weights, weighted_mean
from pellucid.statistics.ranking import auroc, over_folds

if TYPE_CHECKING:
    import pandas as pd


class LinkConclusions:
    """Results of :class:`~pellucid.protocols.links.masked.MaskedLinks` from its rows.

    Parameters
    ----------
    protocol : str
    config : MaskedLinksConfig
    rows : DataFrame
    context : Context
    """

    def __init__(self, protocol: str, config: Any, rows: pd.DataFrame, context: Context) -> None:
        self.protocol, self.config, self.context = protocol, config, context
        parts = [part for part in context.predictors if (rows["part"] == part).any()]
        self.rows = {
            part: rows[rows["part"] == part].sort_values(["fold", "sample"], kind="stable").reset_index(drop=True)
            for part in parts
        }
        one = self.rows[parts[0]]
        self.labels, self.folds = one["label"].to_numpy(float), one["fold"].to_numpy()
        self.nodes = one["node"].to_numpy(str)
        # Pairs of one node stand in several folds, so nodes are drawn from all of them together.
        self.weights = subject_weights(self.nodes, replicates=config.replicates, seed=context.seed)
        self.word = context.spec.inputs[_pair(context)].roles[0]  # type: ignore[union-attr]
        self.rivals = [part for part in config.against if part in self.rows]

    def results(self) -> list[Result]:
        """All of them, part by part."""
        return [one for part in self.rows for one in self._of(part)]

    def _of(self, part: str) -> Iterator[Result]:
        value, replicates = estimate(self._area(part, "score"), self.weights)
        spread = self._by_fold(part)
        told = (
            f"A hidden link gets a higher score than a hidden pair without one in {value:.1%} of comparisons; over {len(spread)} folds "
            f"{spread.mean():.3f}, standard deviation {spread.std(ddof=min(1, len(spread) - 1)):.3f}."
        )
        areas = {rival: float(self._area(rival, "score")(np.ones(len(self.labels)))) for rival in self._beside(part)}
        best = max(areas, key=areas.__getitem__, default=self.context.baseline_name)
        yield self._result("auroc", part, value, replicates, 0.5, areas.get(best, 0.5), best, told)
        for other in self._beside(part):
            beside, others = estimate(self._area(other, "score"), self.weights)
            told = f"The area of “{part}” less that of “{other}”, which any model of links must beat, on the same hidden pairs."
            yield self._result(
                f"auroc_minus_{other}", part, value - beside, replicates - others, 0.5 - beside, 0.0, other, told
            )
        if self.config.leaky:
            leaky, more = estimate(self._area(part, "leaky"), self.weights)
            told = (
                f"With the hidden links left in what its encoders learn from, “{part}” would seem to reach {leaky:.3f}; with them "
                f"hidden it reaches {value:.3f}. This figure says nothing of new links."
            )
            yield self._result("auroc_leaky", part, leaky, more, 0.5, value, "the same, links hidden", told)
            told = "What leaving the hidden links in pretends: the leaky area less the honest one."
            yield self._result("leak", part, leaky - value, more - replicates, 0.0, 0.0, "no leak", told, better=False)
        for k in self.config.recall_at:
            yield self._recall(part, k)

    def _beside(self, part: str) -> list[str]:
        """What a part must beat; nothing of what the others must beat."""
        return [] if part in self.rivals else self.rivals

    def _result(
        self, metric: str, part: str, value: float, replicates: np.ndarray, chance: float, baseline: float, beside: str, told: str,
        *, better: bool = True,
    ) -> Result:  # fmt: skip
        _, low, high = percentiles(value, replicates)
        return Result(
            protocol=self.protocol, metric=metric, part=part, value=value, low=low, high=high, chance=chance, baseline=baseline,
            baseline_name=beside, higher_is_better=better, n_samples=len(self.labels), n_subjects=len(np.unique(self.nodes)),
            sentence=told,
        )  # fmt: skip

    def _area(self, part: str, column: str) -> Statistic:
        scores = self.rows[part][column].to_numpy(float)
        return lambda w: over_folds(auroc, self.labels, scores, self.folds, w)

    def _by_fold(self, part: str) -> np.ndarray:
        scores = self.rows[part]["score"].to_numpy(float)
        members = [self.folds == fold for fold in np.unique(self.folds)]
        return np.array([float(auroc(self.labels[m], scores[m], np.ones(m.sum()))) for m in members])

    def _recall(self, part: str, k: int) -> Result:
        found, chance, nodes = recall_by_node(self.rows[part], k)
        weights = subject_weights(nodes, replicates=self.config.replicates, seed=self.context.seed)
        value, replicates = estimate(lambda w: weighted_mean(found, w), weights)
        _, low, high = percentiles(value, replicates)
        rivals = {rival: float(recall_by_node(self.rows[rival], k)[0].mean()) for rival in self._beside(part)}
        in_no_order = "a list in no order"
        best = max(rivals, key=rivals.__getitem__, default=in_no_order)
        told = (
            f"Of the hidden links of a {self.word}, {value:.1%} are among its {k} likeliest hidden pairs; {in_no_order} holds "
            f"{chance.mean():.1%}"
        )
        told += f", and that of “{best}” {rivals[best]:.1%}." if rivals else "."
        return Result(
            protocol=self.protocol, metric=f"recall@{k}", part=part, value=value, low=low, high=high, chance=float(chance.mean()),
            baseline=rivals.get(best, float(chance.mean())), baseline_name=best, higher_is_better=True, n_samples=len(self.labels),
            n_subjects=len(np.unique(nodes)), sentence=told,
        )  # fmt: skip


def recall_by_node(rows: pd.DataFrame, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recall among the k likeliest pairs of each node and fold in which it has a hidden link.

    Parameters
    ----------
    rows : DataFrame
        ``fold``, ``node``, ``label`` and ``score`` of one part.
    k : int

    Returns
    -------
    recall, chance : ndarray, shape (node and fold,)
        Where scores are equal, the recall expected of any order of them. Chance is that of a list in no order.
    nodes : ndarray of str
    """
    found, chance, nodes = [], [], []
    for (_, node), some in rows.groupby(["fold", "node"], sort=True):
        labels, scores = some["label"].to_numpy(float), some["score"].to_numpy(float)
        if not labels.any():
            continue
        hits, room = 0.0, float(min(k, len(labels)))
        for score in np.unique(scores)[::-1]:
            tied = scores == score
            hits += labels[tied].sum() * min(1.0, room / tied.sum())
            room -= min(room, float(tied.sum()))
            if room <= 0:
                break
        found.append(hits / labels.sum())
        chance.append(min(1.0, k / len(labels)))
        nodes.append(str(node))
    return np.array(found), np.array(chance), np.array(nodes)


def _pair(context: Context) -> str:
    name = pair_input(context.spec)
    assert name is not None
    return name
