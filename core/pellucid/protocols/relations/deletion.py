"""Take one relation after the other out of graphs, and compare what a model loses with what it says it goes by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Graph
from pellucid.encoders.abilities import WeighsRelations
from pellucid.errors import NotMeasurable
from pellucid.graph_batch import GraphBatch
from pellucid.heads.base import probabilities
from pellucid.model import Model, batches
from pellucid.part import Config
from pellucid.protocols.base import Assessment, Context, FittedFold, rows_of
from pellucid.protocols.prediction.assessment import label_columns
from pellucid.protocols.relations.conclusions import LOSS, SAYS, SHARE, WEIGHT, WHOLE, Deleted
from pellucid.protocols.relations.figures import drawn
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import REPLICATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class RelationDeletionConfig(Config):
    """Settings of :class:`RelationDeletion`.

    Parameters
    ----------
    input : str
        The graphs that relations are taken out of; by default the first input that has relations.
    replicates : int
        Resamplings of subjects behind each interval.
    """

    input: str = ""
    replicates: int = Field(REPLICATES, ge=100)


class RelationDeletion(Assessment):
    """What a model's score loses without the edges of each relation, and whether the model says beforehand which it goes by.

    ``loss:<relation>`` is the leading metric of the target (AUROC; for numbers the mean absolute error, turned round) on the test graphs
    as they are, less that without the relation's edges; nothing is fitted again. Any encoder of graphs will do.

    Of an encoder that weighs relations itself (:class:`~pellucid.encoders.abilities.WeighsRelations`) there is more. ``weight:<choice>`` is
    what a choice weighs on average; its chance is an equal share. ``agreement`` is the rank correlation (Spearman), over relations, of
    what is lost without one and of the mean share of the weights that lie on choices which need it. A weight that does not go with a
    loss is no explanation. With few relations agreement is coarse (over four, chance alone gives 0.8 or more in 4 of 24 orders), and of
    fewer than four it is not given.

    References
    ----------
    Deleting edges of a relation as a test of its weight: one of the ways in which Jain and Wallace (2019), arXiv 1902.10186, ask whether
    attention explains.
    """

    name: ClassVar[str] = "relation-deletion"
    config_type = RelationDeletionConfig
    config: RelationDeletionConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid.testing.example_folds import related_fold

        return related_fold()

    def unfit(self, context: Context) -> str:
        """An input must be graphs with relations."""
        return self._input(context.spec)[1]

    def _input(self, spec: DataSpec) -> tuple[str, str]:
        """Name of the input, or why there is none."""
        fit = [name for name, one in spec.inputs.items() if isinstance(one, Graph) and one.relations]
        if not fit:
            return (
                "",
                f"no input of dataset {spec.name!r} is a graph with several relations, so there is none to take out",
            )
        if self.config.input and self.config.input not in fit:
            return "", f"input {self.config.input!r} is no graph with several relations; there are: {', '.join(fit)}"
        return self.config.input or fit[0], ""

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test sample.

        Returns
        -------
        DataFrame
            Labels; probabilities (or numbers) ``whole:<output>`` and ``without <relation>:<output>``; of encoders that weigh relations,
            ``share:<relation>`` and ``weight <set>:<choice>``.

        Raises
        ------
        NotMeasurable
            If no model reads these graphs.
        """
        import pandas as pd

        name, _ = self._input(fold.dataset.spec)
        spec = fold.dataset.spec.input(name)
        target = fold.dataset.spec.target(fold.target)
        tables = []
        for part, model in fold.predictors.items():
            if not any(name in encoder.config.inputs for _, encoder in model.named_encoders()):
                continue
            test = fold.test(part)
            labels = zip(label_columns(target), test.target_values(fold.target).T, strict=True)
            columns = dict(labels) | _said(model, test, name, spec) | _weights(model, test, name, spec)
            tables.append(rows_of(part, test, columns))
        if not tables:
            raise NotMeasurable(f"no model of this study reads {name!r}", "let a head read it")
        return pd.concat(tables, ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Losses, weights and their agreement."""
        return [result for one in self._by_part(rows, context) for result in one.results()]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Losses beside shares, and weights of choices by class."""
        return drawn(list(self._by_part(rows, context)))

    def _by_part(self, rows: pd.DataFrame, context: Context) -> Iterator[Deleted]:
        for part, own in context.own_rows(rows):
            yield Deleted(own.dropna(axis=1, how="all"), part, context, self.config.replicates)


def relation_names(spec: Graph) -> tuple[str, ...]:
    """What relations are called: ``"author-writes-paper"``."""
    return tuple("-".join(triple) for triple in spec.relations)


@torch.no_grad()
def _said(model: Model, samples: Dataset, name: str, spec: Graph) -> dict[str, np.ndarray]:
    """What a model says of whole graphs, and without each relation, shape (sample,) a column."""
    model.eval()
    found: dict[str, list[Tensor]] = {}
    for batch, _ in batches(samples):
        graphs: GraphBatch = batch.inputs[name]
        assert graphs.edge_types is not None
        for at, relation in ((-1, WHOLE), *((at, f"{LOSS}{one}") for at, one in enumerate(relation_names(spec)))):
            less = graphs if at < 0 else graphs.without_edges(graphs.edge_types == at)
            said = probabilities(model.predictor.config.target, model(batch.with_input(name, less)))
            for column, output in enumerate(model.head.outputs):
                found.setdefault(f"{relation}{SAYS}{output}", []).append(said[:, column])
    return {column: torch.cat(some).double().numpy() for column, some in found.items()}


@torch.no_grad()
def _weights(model: Model, samples: Dataset, name: str, spec: Graph) -> dict[str, np.ndarray]:
    """Weights of choices, and of each relation the share of those that need it."""
    encoders = [
        one for _, one in model.named_encoders() if name in one.config.inputs and isinstance(one, WeighsRelations)
    ]
    if not encoders:
        return {}
    encoder = encoders[0]
    weights = torch.cat([encoder.choice_weights(batch) for batch, _ in batches(samples)]).double().numpy()
    total = weights.sum(1).clip(min=np.finfo(float).tiny)
    found = {}
    for at, relation in enumerate(relation_names(spec)):
        needs = [choice for choice, some in enumerate(encoder.choice_relations) if at in some]
        found[f"{SHARE}{relation}"] = weights[:, needs].sum(1) / total
    for choice, (one, of) in enumerate(zip(encoder.choice_names, encoder.choice_sets, strict=True)):
        found[f"{WEIGHT}{of}:{one}"] = weights[:, choice]
    return found
