"""Is a latent organised by class? Clusters and neighbourhoods, learnt on training samples and judged on others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.encoders.base import Encoder
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, Splitting, joined
from pellucid.protocols.latents.agreement import redealt, within_folds
from pellucid.protocols.latents.space import Space
from pellucid.protocols.said import LEARNT_CODE
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import Interval, percentiles, subject_interval, subject_weights

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MARKS = "ox^sDv"
"""Marks of the classes on a map, so that it can be read without colours."""

PERMUTATIONS = 100
"""Re-dealings of labels behind a chance level."""


class LatentClustersConfig(Config):
    """Settings of :class:`LatentClusters`.

    Parameters
    ----------
    most_clusters : int
        Largest number of clusters tried; the one with the best silhouette on training samples is taken.
    neighbours : int
        Training samples that a test sample is compared with.
    replicates : int
        Resamplings of subjects behind the interval of the mutual information.
    """

    most_clusters: int = Field(default=8, ge=2)
    neighbours: int = Field(default=10, ge=1)
    replicates: int = Field(default=200, ge=50)


class LatentClusters(Assessment):
    """Whether samples of one class lie together in the latent that an encoder has learnt, labels not asked.

    For each encoder with parameters (once, where several heads share it):

    - ``cluster_information:<encoder>``: k-means clusters of the training samples' latents, their number by the best
      silhouette; test samples go to the nearest one. The value is the adjusted mutual information of cluster and class,
      within folds: 1 where clusters are classes, about 0 where they know nothing of them.
    - ``neighbour_purity:<encoder>``: the share of a test sample's nearest training samples that are of its own class.

    The baseline does the same with the trivial covariates in place of the latent, with a number of clusters of their
    own. Which of the two tells more is judged by the interval of their difference. Chance for clusters is what labels
    dealt anew to subjects reach (samples of one subject lie together whatever their label, so labels move with them:
    :func:`~pellucid.protocols.latents.agreement.redealt`), for neighbours the share of the class in training. Numbers are
    divided into fifths, of several labels the first is taken.

    A latent can be of use without clusters: this says how it is organised, not how good it is.
    """

    name: ClassVar[str] = "latent-clusters"
    needs_training: ClassVar[bool] = True
    section = LEARNT_CODE
    config_type = LatentClustersConfig
    config: LatentClustersConfig

    def unfit(self, context: Context) -> str:
        """An encoder must have learnt something."""
        if context.encoders is not None and not any(_learns(tags) for tags in context.encoders.values()):
            return "no encoder of this study learns a latent: they hand the data's own numbers on"
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row an encoder and test sample.

        Returns
        -------
        DataFrame
            ``encoder``, ``label``, ``cluster``, ``purity``, ``usual_purity`` (of a random neighbourhood),
            ``baseline_cluster``, ``baseline_purity``, and ``x``, ``y``: the place on a map of the latent.
        """
        import pandas as pd

        train = fold.train
        bins = _classes(fold.dataset, fold.target)
        trained, tested = bins[fold.split.train], bins[fold.split.test]
        chosen = {"most": self.config.most_clusters, "neighbours": self.config.neighbours, "seed": fold.seed}
        tables = []
        for part, prefix, learnt, told in self._latents(fold, train):
            test, model = fold.test(part), fold.models[part]
            seen = train.learned_from | model.learned_from
            space = Space.fitted(learnt, trained, seen, **chosen)
            filled = train.learned_from | fold.trivial.learned_from
            baseline = Space.fitted(fold.trivial.features(train), trained, filled, **chosen)
            place = space.placed(told, tested, test.learned_from, part=f"clusters of {prefix!r}")
            beside = baseline.placed(
                fold.trivial.features(test), tested, test.learned_from, part="clusters of the trivial covariates"
            )
            rows = {
                "part": part,
                "sample": test.frame.index.astype(str),
                "subject": test.subjects,
                "encoder": prefix,
                "label": tested,
                "cluster": place.cluster,
                "purity": place.purity,
                "usual_purity": (trained[None] == tested[:, None]).mean(1),
                "baseline_cluster": beside.cluster,
                "baseline_purity": beside.purity,
                "x": place.map[:, 0],
                "y": place.map[:, 1],
            }
            tables.append(pd.DataFrame(rows))
        return joined(tables)

    @staticmethod
    def _latents(fold: FittedFold, train: Dataset) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
        """Part, encoder's prefix, training and test latents; heads that share an encoder count once."""
        known: dict[str, list[np.ndarray]] = {}
        for part, model in fold.predictors.items():
            test = fold.test(part)
            here, there = model.representation(train).values.numpy(), model.representation(test).values.numpy()
            for prefix, columns in _learnt(model):
                learnt = here[:, columns]
                if any(np.array_equal(learnt, other) for other in known.setdefault(prefix, [])):
                    continue
                known[prefix].append(learnt)
                yield part, prefix, learnt, there[:, columns]

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Mutual information and purity of each latent."""
        results: list[Result | NotMeasured] = []
        for part, encoder, mine in _by_latent(rows, context):
            results.append(self._information(part, encoder, mine, context))
            results.append(self._purity(part, encoder, mine, context))
        return results

    def _information(self, part: str, encoder: str, rows: pd.DataFrame, context: Context) -> Result | NotMeasured:
        folds, subjects = rows["fold"].to_numpy(), rows["subject"].to_numpy(str)
        label, cluster = rows["label"].to_numpy(), rows["cluster"].to_numpy()

        def within(clusters: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
            return within_folds(folds, clusters, labels, weights)

        rival = rows["baseline_cluster"].to_numpy()
        value, baseline = within(cluster, label), within(rival, label)
        rng = np.random.default_rng(context.seed)
        dealt = np.array([within(cluster, redealt(label, subjects, folds, rng)) for _ in range(PERMUTATIONS)])
        if math.isnan(value) or np.isnan(dealt).all():
            return NotMeasured(
                protocol=self.name, part=part, metric=f"cluster_information:{encoder}",
                because="in no fold are test samples of two classes, so that clusters have nothing to agree with",
                helps="have more on the test side, or fewer folds",
            )  # fmt: skip
        weights = subject_weights(subjects, folds, replicates=self.config.replicates, seed=context.seed)
        both = np.array([[within(c, label, row.astype(int)) for c in (cluster, rival)] for row in weights])
        if (weights == weights[0]).all():
            both[:] = np.nan
        # Doubled samples agree with themselves, so replicates lie above the value: the interval is moved back onto it.
        found = percentiles(value, both[:, 0], centred=True)
        beyond = percentiles(value - baseline, both[:, 0] - both[:, 1], centred=True)
        chance = float(np.nanmean(dealt))
        return Result(
            protocol=self.name,
            metric=f"cluster_information:{encoder}",
            part=part,
            value=value,
            low=found.low,
            high=found.high,
            chance=chance,
            baseline=baseline,
            baseline_name=context.baseline_name,
            higher_is_better=True,
            n_samples=len(rows),
            n_subjects=len(np.unique(subjects)),
            sentence=(
                f"Sorted into clusters by {encoder} alone, samples agree with their classes to {value:.2f} (1: clusters are "
                f"the classes); with labels dealt anew to {context.several} {chance:.2f}. "
                + _beside(beyond, f"clusters of {_trivial(context)}", f"{baseline:.2f}")
            ),
        )

    def _purity(self, part: str, encoder: str, rows: pd.DataFrame, context: Context) -> Result:
        subjects, folds = rows["subject"].to_numpy(str), rows["fold"].to_numpy()
        found = subject_interval(rows["purity"].to_numpy(), subjects, folds, seed=context.seed)
        chance, baseline = float(rows["usual_purity"].mean()), float(rows["baseline_purity"].mean())
        gain = (rows["purity"] - rows["baseline_purity"]).to_numpy()
        beyond = subject_interval(gain, subjects, folds, seed=context.seed)
        return Result(
            protocol=self.name,
            metric=f"neighbour_purity:{encoder}",
            part=part,
            value=found.value,
            low=found.low,
            high=found.high,
            chance=chance,
            baseline=baseline,
            baseline_name=context.baseline_name,
            higher_is_better=True,
            n_samples=len(rows),
            n_subjects=len(np.unique(subjects)),
            sentence=(
                f"Of the {self.config.neighbours} training samples nearest to a new one in {encoder}, {found.value:.0%} are of "
                f"its class, of as many random ones {chance:.0%}. "
                + _beside(beyond, f"neighbours in {_trivial(context)}", f"{baseline:.0%}")
            ),
        )

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """A map of each latent: test samples of the first fold, by class."""
        from matplotlib.figure import Figure

        latents = list(_by_latent(rows, context))
        if not latents:
            return {}
        figure = Figure(figsize=(3.4 * len(latents), 3.0), layout="constrained")
        names = _names(context)
        for panel, (_, encoder, mine) in zip(np.atleast_1d(figure.subplots(1, len(latents))), latents, strict=True):
            # Each fold has a latent of its own, and their axes cannot be compared.
            first = mine[mine["fold"] == mine["fold"].min()]
            for value in np.unique(first["label"]):
                some = first[first["label"] == value]
                # A class has a mark of its own beside its colour; open marks leave those below them in sight.
                mark = MARKS[int(value) % len(MARKS)]
                face = {} if mark == "x" else {"facecolors": "none"}
                name = names.get(int(value), f"{int(value)}")
                panel.scatter(
                    some["x"], some["y"], s=14, marker=mark, color=f"C{int(value)}", linewidth=0.8, label=name, **face
                )
            panel.set_title(encoder, fontsize=8)
            panel.set_xlabel("first principal axis", fontsize=7)
            panel.set_ylabel("second principal axis", fontsize=7)
            panel.tick_params(labelsize=7)
            panel.legend(fontsize=6)
        return {"Map of the latent: test samples of the first fold by class, axes learnt on training samples": figure}


def _beside(beyond: Interval, what: str, baseline: str) -> str:
    """Whether the latent tells more than the trivial covariate, in plain words."""
    if beyond.high < 0:
        return f"That is less than {what} alone tell: {baseline}."
    if beyond.low > 0:
        return f"That is more than {what} alone tell: {baseline}."
    return f"It cannot be told apart from what {what} alone tell: {baseline}."


def _trivial(context: Context) -> str:
    return context.baseline_name.removesuffix(" alone") if context.spec.trivial else "a constant"


def _classes(dataset: Dataset, target: str) -> np.ndarray:
    return np.asarray(Splitting.strata(dataset, target)).astype(int)


def _learns(tags: Any) -> bool:
    return bool(tags.trains_alone or set(tags.accepts) != {"vector"})


def _learnt(model: Model) -> Iterator[tuple[str, slice]]:
    start = 0
    for prefix, encoder in model.named_encoders():
        columns = slice(start, start + len(encoder.names))
        start = columns.stop
        if _has_parameters(encoder):
            yield prefix, columns


def _has_parameters(encoder: Encoder) -> bool:
    return any(True for _ in encoder.parameters())


def _names(context: Context) -> dict[int, str]:
    return dict(enumerate(context.spec.target(context.target).class_names()))


def _by_latent(rows: pd.DataFrame, context: Context) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for part, of_part in context.own_rows(rows):
        for encoder, mine in of_part.groupby("encoder", sort=True):
            yield part, str(encoder), mine
