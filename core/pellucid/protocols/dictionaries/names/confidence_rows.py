"""What new samples say of names of features: results and the figure of ``concept-confidence``, from its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.protocols.audited import AuditedRows
from pellucid.protocols.dictionaries.features import UNITS
from pellucid.protocols.dictionaries.names.naming import Rules
from pellucid.result import Result
from pellucid.statistics.bootstrap import Statistic
from pellucid.views.drawing import LOWERS, NEUTRAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12
"""Names in the figure, those that hold best."""

SCORES = ("precision", "recall", "confidence")


class ConfidenceRows(AuditedRows):
    """Names of one dictionary's features, and what new samples say of them."""

    protocol = "concept-confidence"

    def names(self, fold: Any) -> list[tuple[int, str, float, float]]:
        """Feature, attribute, lift and q of each name of a fold."""
        return [tuple(one) for one in self._once("names")[int(fold)]]

    def rules(self, fold: Any) -> Rules:
        """The names of a fold as rules over all rows; samples of other folds are unknown."""
        features = [one[0] for one in self.names(fold)]
        column = {feature: at for at, feature in enumerate(features)}
        here = self.folds == fold

        def filled(name: str) -> np.ndarray:
            table = np.zeros((len(self.rows), len(features)))
            for at, row in enumerate(self.rows[name]):
                if here[at]:
                    table[at, [column[int(feature)] for feature in row]] = 1
            return table

        return Rules(filled("has"), filled("fires"), filled("known"))

    def results(self, least: float, confident: Callable[[np.ndarray], np.ndarray]) -> Iterator[Result]:
        """All of them."""
        every = [self.rules(fold) for fold in np.unique(self.folds)]
        features, attributes, naming = (self.counted(name) for name in ("features", "attributes", "named_on"))
        named, by_chance = (float(self.once_a_fold(name).mean()) for name in ("named", "named_by_chance"))
        chance, units = (float(self.once_a_fold(name).mean()) for name in ("confident_by_chance", "confident_units"))

        def count(weights: np.ndarray) -> np.ndarray:
            return np.asarray(np.mean([confident(rules.scores(weights)[2]) for rules in every], axis=0))

        found = self.interval(count)
        # Whom names are found on stands in several folds, so that these counts cannot be added.
        each = f" of each of {len(every)} folds" if len(every) > 1 else ""
        yield self.result(
            "confident_features", found, higher=True, chance=chance, baseline=units, baseline_name=UNITS,
            sentence=(
                f"{named:.0f} of the {features} features of “{self.part}” are named after one of {attributes} labels and ratings by "
                f"{naming} {self.context.spec.group_word[1]} of the training side{each} ({by_chance:.1f} "
                f"with attributes dealt anew). Of these names {found.value:.0f} hold with a confidence of at least {least:g} "
                f"for {self.context.spec.group_word[1]} that nothing was learnt from; {chance:.1f} would by chance, and of the "
                f"layer's {self.counted('all_units')} single units {units:.0f} do.{self._best(every)}"
            ),
        )  # fmt: skip
        if not any(rules.has.shape[1] for rules in every):
            return
        # Folds in which nothing has a name say nothing.
        usual = [
            mean_known(np.array([mean_known(rules.by_chance()[at]) for rules in every if rules.has.shape[1]]))
            for at in range(len(SCORES))
        ]
        for at, score in enumerate(SCORES):
            found, units = (
                self.interval(self._score(every, at)),
                mean_known(self.once_a_fold(f"{score}_units").astype(float)),
            )
            if not np.isfinite(usual[at]):
                continue
            named_units = bool(np.isfinite(units))
            yield self.result(
                score, found, higher=True, chance=usual[at], baseline=units if named_units else usual[at],
                baseline_name=UNITS if named_units else f"chance, as no {UNITS.replace('units', 'unit')} has a name",
            )  # fmt: skip

    def _score(self, every: list[Rules], at: int) -> Statistic:
        def over_names(weights: np.ndarray) -> np.ndarray:
            folds = [rules.scores(weights)[at] for rules in every if rules.has.shape[1]]
            return np.asarray(np.mean([_mean_last(one) for one in folds], axis=0))

        return over_names

    def _best(self, every: list[Rules]) -> str:
        f1 = np.nan_to_num(every[0].scores()[2])
        if not len(f1):
            return ""
        feature, attribute, _, _ = self.names(np.unique(self.folds)[0])[int(f1.argmax())]
        return f" The surest: feature {feature}, “{attribute}”, {f1.max():.2f}."

    def figure(self) -> Figure:
        """Confidence of the surest names, with intervals over subjects and chance."""
        from matplotlib.figure import Figure

        fold = np.unique(self.folds)[0]
        rules, names = self.rules(fold), self.names(fold)
        f1 = np.nan_to_num(rules.scores()[2])
        order = np.argsort(-f1, kind="stable")[:SHOWN][::-1]
        drawn = [self.interval(_one(rules, at)) for at in order]
        figure = Figure(figsize=(6.4, 0.3 * len(order) + 0.9), layout="constrained")
        ax = figure.subplots()
        for y, (at, one) in enumerate(zip(order, drawn, strict=True)):
            if np.isfinite(one.low):
                ax.plot([one.low, one.high], [y, y], "-", color=LOWERS)
            ax.plot(one.value, y, "o", color=LOWERS, label="confidence" if y == 0 else None)
            ax.plot(
                rules.by_chance()[2][at], y, "|", color=NEUTRAL, markersize=9, label="by chance" if y == 0 else None
            )
        ax.set_yticks(range(len(order)), [f"feature {names[at][0]}: {names[at][1]}" for at in order], fontsize=8)
        ax.set_xlim(0, 1.02)
        ax.set_xlabel(f"F1 of “has it, so the feature fires” on new {self.context.several}")
        ax.legend(fontsize=8, loc="best", frameon=False)
        return figure


def mean_known(values: np.ndarray) -> float:
    """Mean of what is known; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _one(rules: Rules, at: int) -> Statistic:
    single = Rules(*(values[:, [at]] for values in (rules.has, rules.fires, rules.known)))
    return lambda weights: np.nan_to_num(single.scores(weights)[2][..., 0])


def _mean_last(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is known."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, values, 0).sum(-1) / known.sum(-1))
