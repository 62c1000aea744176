"""Do explanations point at what makes a label true? Measured where the data know: those that were made up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.data.relabelled import Relabelled
from pellucid.errors import NotMeasurable
from pellucid.heads.base import Head
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.explanations.kinds import KIND, PlaceKinds
from pellucid.protocols.explanations.place_areas import TOLD, WAYS, place_areas, reference
from pellucid.protocols.fit_again import fit_again
from pellucid.result import Result
from pellucid.statistics.bootstrap import REPLICATES, Interval, subject_interval
from pellucid.training.fit import Sides

if TYPE_CHECKING:
    import pandas as pd

NAME = "place-truth"

SHUFFLED = "the same model, learnt from shuffled labels"

MOST = 1000
"""Training samples a fold that the rates of kinds of place are counted on."""


class PlaceTruthConfig(Config):
    """Settings of :class:`PlaceTruth`.

    Parameters
    ----------
    samples : int
        At most so many test samples a fold and output, drawn at random among those in which something was planted.
    shuffles : int
        In the first fold each model is fitted so many times more, each time on labels shuffled anew: what one of them says is
        a coin's throw, as whatever sticks out is for the label or against it by chance.
    references : tuple of str
        Post-hoc methods by name (``"gnn-explainer"``) whose word on places is judged too, of every model that they fit.
    reference_samples : int
        Of the samples, at most so many that references are asked about: most of them learn something anew for each.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    samples: int = Field(200, ge=1)
    shuffles: int = Field(5, ge=1)
    references: tuple[str, ...] = ()
    reference_samples: int = Field(40, ge=1)
    replicates: int = Field(REPLICATES, ge=100)


class PlaceTruth(Assessment):
    """How well the places of a sample are put in order: those that make its label true before all others.

    Only for data that know where the truth lies (:meth:`~pellucid.data.dataset.Dataset.planted`). Places are nodes of a graph,
    or the windows of :func:`~pellucid.attribution.region_map`; those count as true that overlap a planted region, edges too, by either end.

    - ``place_auroc``: by what the model itself says that each place adds, where its output is a sum over places;
    - ``place_auroc_counted``: by what it says that numbers add which were counted at places (substructures of a molecule);
    - ``place_auroc_removal``: by how much the output falls without each place, of any model;
    - ``place_auroc_<reference>``: by what a method named in ``references`` says of a model that it looks at from outside.

    All are areas under the ROC curve over the places of one sample, and means over samples. What makes a number what it is may
    raise or lower it, so for a target of numbers places are put in order by how much they change it, whichever way. Chance is one
    half. There are two baselines, and the better one stands beside a result. One is the same model learnt from labels that were
    shuffled among the training samples, in the mean over several of them. The other is no model: places in the order of how often
    those of their kind are true among the training samples (oxygen first; see
    :class:`~pellucid.protocols.explanations.kinds.PlaceKinds`), a part of its own as well. Passed means that the true model's
    interval lies above both, and above chance. References stand beside, and pass nothing.
    """

    name: ClassVar[str] = NAME
    needs_training: ClassVar[bool] = True
    fits_models: ClassVar[bool] = True
    config_type = PlaceTruthConfig
    config: PlaceTruthConfig

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """Data that do not know where the truth lies."""
        for name in self.config.references:
            plugins.find("attribution", name)
        outputs = dataset.spec.target(context.target).outputs
        if all(dataset.planted(output) is None for output in outputs):
            return (
                f"it compares places with those that make a label true, and dataset {dataset.spec.name!r} does not know them; "
                "generated data do"
            )
        return ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part, output and test sample: areas by each way, of the model and of its like learnt from shuffled labels.

        Raises
        ------
        NotMeasurable
            If no test sample has something planted that is not everywhere.
        """
        import pandas as pd

        tables = []
        for part, model in fold.predictors.items():
            test = fold.test(part)
            copies = self.config.shuffles if fold.split.fold == 0 else 0
            shuffled = [self._shuffled(fold, part, model, at) for at in range(copies)]
            for output in model.head.outputs:
                truth = test.planted(output)
                if truth is None:
                    continue
                rng = np.random.default_rng([fold.seed, fold.split.fold])
                some = np.flatnonzero([bool(where) for where in truth])
                some = np.sort(rng.permutation(some)[: self.config.samples])
                if len(some):
                    where, kinds = [truth[at] for at in some], self._kinds(fold, output)
                    asked: dict[str, Any] = {
                        "references": {name: reference(name) for name in self.config.references},
                        "most": self.config.reference_samples,
                    }
                    columns = place_areas(model, test.subset(some), output, where, kinds=kinds, **asked)
                    every = [place_areas(one, test.subset(some), output, where, **asked) for one in shuffled]
                    columns |= {
                        f"{way}_shuffled": np.mean([e[way] for e in every], axis=0)
                        for way in (*WAYS, *self.config.references)
                        if every and way in columns
                    }
                    tables.append(rows_of(part, test.subset(some), columns).assign(output=output))
        if not tables:
            raise NotMeasurable(
                "no test sample of this fold knows which of its places make a label true",
                helps="a study on generated data, or more samples of the label",
            )
        return pd.concat(tables, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """One result a part and way of scoring places, and one of the kind of place alone."""
        found = [one for part in context.predictors for one in self._of(rows[rows["part"] == part], part, context)]
        return found + self._kind_alone(rows, context)

    def _kinds(self, fold: FittedFold, output: str) -> PlaceKinds | None:
        learnt = fold.train
        truth = learnt.planted(output) or []
        some = np.flatnonzero([bool(where) for where in truth])
        some = np.sort(np.random.default_rng([fold.seed, fold.split.fold, 1]).permutation(some)[:MOST])
        return PlaceKinds(learnt.subset(some), [truth[at] for at in some]) if len(some) else None

    def _kind_alone(self, rows: pd.DataFrame, context: Context) -> list[Result]:
        """How well the kind of place alone puts places in order, whose places are the same for all models of one way."""
        for part in context.predictors:
            own = rows[rows["part"] == part]
            for way in WAYS:
                if f"{way}_kind" not in own or not np.isfinite(own[f"{way}_kind"].to_numpy(float)).any():
                    continue
                known = own[np.isfinite(own[f"{way}_kind"].to_numpy(float))]
                found = self._interval(known, f"{way}_kind", context)
                return [
                    Result(
                        protocol=NAME, metric="place_auroc", part=KIND, value=found.value, low=found.low, high=found.high,
                        chance=0.5, baseline=0.5, baseline_name="any order", higher_is_better=True, n_samples=len(known),
                        n_subjects=known["subject"].nunique(),
                    )
                ]  # fmt: skip
        return []

    def _interval(self, rows: pd.DataFrame, column: str, context: Context) -> Interval:
        return subject_interval(
            rows[column].to_numpy(float), rows["subject"].to_numpy(), rows["fold"].to_numpy(),
            replicates=self.config.replicates, seed=context.seed,
        )  # fmt: skip

    def _shuffled(self, fold: FittedFold, part: str, model: Model, at: int) -> Model:
        seed = f"{fold.seed}/{NAME}/{at}"
        train, validation = (
            Relabelled.shuffled(side, fold.target, seed=seed) for side in (fold.train, fold.validation)
        )
        return fit_again(model, part, Sides(train, validation, fold.target), fold.training, seed=seed)

    def _of(self, rows: pd.DataFrame, part: str, context: Context) -> Iterator[Result]:
        every = {**WAYS, **{name: TOLD.format(name) for name in self.config.references}}
        for way, told in every.items():
            if way not in rows or not np.isfinite(values := rows[way].to_numpy(float)).any():
                continue
            known = np.isfinite(values)
            own = rows[known]
            found = self._interval(own, way, context)
            beside = {name: _mean(rows, f"{way}_{end}") for name, end in ((SHUFFLED, "shuffled"), (KIND, "kind"))}
            best = max(beside, key=lambda one: beside[one])
            baseline = beside[best]
            name = "place_auroc" if way == "own" else f"place_auroc_{way.replace('-', '_')}"
            yield Result(
                protocol=NAME,
                metric=name,
                part=part,
                value=found.value,
                low=found.low,
                high=found.high,
                chance=0.5,
                baseline=baseline,
                baseline_name=best,
                higher_is_better=True,
                n_samples=len(own),
                n_subjects=own["subject"].nunique(),
                passed=bool(found.low > max(0.5, baseline)) if way in WAYS and np.isfinite(found.low) else None,
                sentence=f"By {told}, a place that makes the label true comes before one that does not in {found.value:.1%} of "
                f"pairs; chance is 50 %, {SHUFFLED}, reaches {beside[SHUFFLED]:.1%}, and the {KIND} {beside[KIND]:.1%}.",
            )


def _mean(rows: pd.DataFrame, column: str) -> float:
    """Mean of what is known of a baseline; one half where nothing is."""
    values = rows[column].to_numpy(float) if column in rows else np.empty(0)
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.5
