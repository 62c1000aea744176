"""Which positions of a layer tell examples that pose a task from those that do not: by the codes of a dictionary there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.errors import StudyError
from pellucid.heads.base import Head
from pellucid.measures.circuits import Kind, PermutationNull, difference_null, permutation_null
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import told, told_once
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.codes import OfDictionaries, dictionaries, label_names
from pellucid.protocols.dictionaries.examples import NO_POSITIONS, examples, label_meant
from pellucid.protocols.dictionaries.pooled import SOURCE
from pellucid.result import Result
from pellucid.views.drawing import LOWERS, RAISES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MEANS = "positions found by the difference of means"

FEWEST = 10
"""Examples of each kind below which divergence of codes was seen to find nothing."""

MOST_PAIRED = 64
"""Positions of which pairs are looked at."""


class CodeCircuitsConfig(Config):
    """Settings of :class:`CodeCircuits`.

    Parameters
    ----------
    label : str
        What makes a sample a positive example: a label as reports name it, ``"is yes (y)"``, its beginning, or a short name as
        ``"y"`` or ``"y:yes"``. The first there is by default.
    kind : {"js", "jaccard", "count"}
        The score; see :func:`~pellucid.measures.circuits.node_scores`.
    edges : bool
        Whether pairs of positions are scored too, where there are no more than 64.
    permutations : int
        How often labels are dealt anew.
    false_alarms : float
        By which chance any position at all may be called found in data without a circuit.
    """

    label: str = ""
    kind: Kind = "js"
    edges: bool = False
    permutations: int = Field(200, ge=50)
    false_alarms: float = Field(0.05, gt=0, lt=1)


class CodeCircuits(OfDictionaries):
    """Positions of a layer whose codes differ between positive and negative examples, and the same without codes.

    Components are the positions of the layer: places in time or space, words, or the heads of a module that says (sample, head,
    width). Each has, of each example, one code: the feature of the study's dictionary that is strongest there, or none. Of each
    subject one sample, drawn by lot, is an example; none of them has been learnt from.

    - ``found``: positions whose z against labels dealt anew exceeds what the largest z of any position does by the chance of
      ``false_alarms``; beside it how many the length of the difference of class means finds by the same test. Chance is how many
      such positions there are with labels dealt anew.
    - ``edges``: pairs of positions in the same way; beside it pairs of positions that were both found.

    Rows keep z of each position, and rank them. With the tests of this library on planted circuits the difference of means is as
    good or better wherever means differ at all: believe codes where they find what it does not.

    References
    ----------
    O'Neill and Bui (2024), arXiv 2405.12522. Deviations: the dictionary is the study's own, learnt on other people; scores are
    divergences of code histograms, ranked by permutation; see :mod:`pellucid.measures.circuits`.
    """

    name: ClassVar[str] = "code-circuits"
    config_type = CodeCircuitsConfig
    config: CodeCircuitsConfig

    def unfit(self, context: Context) -> str:
        """There must be a dictionary, and the label."""
        if not label_names(context.spec):
            return "its data have no yes-or-no label that could tell positive from negative examples"
        try:
            label_meant(self.config.label, context.spec)
        except StudyError as error:
            return str(error)
        return ""

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """Rows must say which sample and position they are of."""
        return "" if SOURCE in dataset.frame else NO_POSITIONS

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and example: ``positive``, and ``codes`` with the code of each position.

        Told once of a part and fold are, of each position, ``positions``, ``score``, ``z``, ``found``, and for the difference of means
        ``difference``, ``difference_z`` and ``difference_found``.
        """
        import pandas as pd

        return pd.concat([self._examined(fold, part, model) for part, model in dictionaries(fold).items()])

    def _examined(self, fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
        import pandas as pd

        test = fold.test(part)
        name, some = examples(model, test, self.config.label, fold.seed)
        nodes = permutation_null(
            some.codes, some.positive, self.config.kind, permutations=self.config.permutations, seed=fold.seed
        )
        means = difference_null(some.rows, some.positive, permutations=self.config.permutations, seed=fold.seed)
        found, plain = self._found(nodes), self._found(means)
        lists = {
            "positions": some.positions, "score": nodes.scores, "z": nodes.z, "found": found, "difference": means.scores,
            "difference_z": means.z, "difference_found": plain,
        }  # fmt: skip
        fixed: dict[str, object] = {
            "label": name, "nodes": found.sum(), "nodes_chance": self._by_chance(nodes), "means": plain.sum(),
            "components": len(found), "edges": np.nan, "edges_chance": np.nan, "both": np.nan,
        }  # fmt: skip
        if self.config.edges and 1 < len(found) <= MOST_PAIRED:
            upper = np.triu_indices(len(found), 1)
            edges = permutation_null(
                some.codes, some.positive, self.config.kind, edges=True,
                permutations=self.config.permutations, seed=fold.seed,
            )  # fmt: skip
            fixed["edges"], fixed["edges_chance"] = self._found(edges)[upper].sum(), self._by_chance(edges)
            fixed["both"] = (found[upper[0]] & found[upper[1]]).sum()
        rows = pd.DataFrame(
            {"part": part, "sample": some.samples, "subject": some.subjects, "positive": some.positive,
             "codes": some.codes.tolist()}
        )  # fmt: skip
        return told_once(rows, {**lists, **fixed})

    def _found(self, null: PermutationNull) -> np.ndarray:
        bound = np.quantile(null.largest, 1 - self.config.false_alarms)
        return np.nan_to_num(null.z, nan=-np.inf) > bound

    def _by_chance(self, null: PermutationNull) -> float:
        """Mean count with labels dealt anew, of positions or of pairs."""
        above = null.dealt_z > np.quantile(null.largest, 1 - self.config.false_alarms)
        return float(above.reshape(len(above), -1).sum(1).mean())

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """How many positions (and pairs) stand out; of several folds the mean."""
        results = []
        for part, own in context.own_rows(rows):
            labels = told(own, "label")

            def mean(name: str, own: pd.DataFrame = own) -> float:
                return float(np.mean(told(own, name)))

            label, components = labels[0], int(mean("components"))
            # Each fold compares its own examples: those of another make none of them surer.
            kinds = own.groupby(["fold", own["positive"].astype(bool)]).size().unstack(fill_value=0)
            fewest = int(kinds.to_numpy().min())
            where = " in a fold" if len(labels) > 1 else ""
            few = f" With {fewest} examples of one kind{where} that says little." if fewest < FEWEST else ""
            sentence = (
                f"The codes of “{part}” at {mean('nodes'):.0f} of {components} positions tell samples for which “{label}” holds "
                f"from the others; the difference of means, without codes, finds {mean('means'):.0f}.{few}"
            )
            common: dict[str, Any] = {"protocol": self.name, "part": part, "low": float("nan"), "high": float("nan"),
                      "higher_is_better": True, "n_samples": len(own), "n_subjects": int(own["subject"].nunique())}  # fmt: skip
            results.append(
                Result(metric="found", value=mean("nodes"), chance=mean("nodes_chance"), baseline=mean("means"),
                       baseline_name=MEANS, sentence=sentence, **common)
            )  # fmt: skip
            if np.isfinite(mean("edges")):
                results.append(
                    Result(metric="edges", value=mean("edges"), chance=mean("edges_chance"), baseline=mean("both"),
                           baseline_name="pairs of positions found alone", **common)
                )  # fmt: skip
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """z of each position, by codes and by the difference of means."""
        found = {}
        for part, own in context.own_rows(rows):
            caption = f"Where “{part}” has other codes in positive examples, beside the difference of means"
            found[caption] = _by_position(own[own["fold"] == own["fold"].min()])
        return found


def _by_position(rows: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    ax = figure.subplots()
    positions = told(rows, "positions")[0]
    for name, column, colour in (("codes", "z", LOWERS), ("difference of means", "difference_z", RAISES)):
        ax.plot(positions, told(rows, column)[0], ".-", color=colour, label=name)
    ax.set_xlabel("position")
    ax.set_ylabel("z against labels dealt anew")
    ax.legend(fontsize=8, frameon=False)
    return figure
