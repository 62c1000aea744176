"""What dictionaries keep of rows that they have not learnt from, at which sparsity, and which features are dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import collate
from pellucid.data.blocks import index_blocks
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.heads.dictionaries.centre import sampled
from pellucid.measures.dictionaries.matching import coherence
from pellucid.measures.dictionaries.subject_moments import MomentsBySubject, SubjectMoments
from pellucid.model import Model
from pellucid.part import Config
from pellucid.protocols.audited import AuditedRows, told_once
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dictionaries.codes import ROWS, OfDictionaries, coded, dictionaries, dictionary_parts
from pellucid.result import NotMeasured, Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import REPLICATES, Interval, Statistic
from pellucid.views.drawing import LOWERS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class DictionaryMetricsConfig(Config):
    """Settings of :class:`DictionaryMetrics`.

    Parameters
    ----------
    replicates : int
        Resamplings of subjects behind each interval.
    """

    replicates: int = Field(REPLICATES, ge=100)


class DictionaryMetrics(OfDictionaries):
    """Reconstruction, sparsity and dead features of dictionaries, over subjects that neither they nor their model have seen.

    - ``explained_variance``: one less the squared error over the squared distance from the mean, over all rows. Beside it
      what as many principal components explain as a row has codes on average, learnt on the training side.
    - ``cossim``: cosine of a row and its reconstruction, with the same beside it.
    - ``l0``: codes that are not zero, mean over rows; beside it all features.
    - ``alive``: features with a code in any test row. With few rows rare features look dead.
    - ``coherence``: the largest cosine of two atoms; beside it that of as many random directions.

    References
    ----------
    Formulas: :mod:`pellucid.measures.dictionaries.reconstruction`.
    """

    name: ClassVar[str] = "dictionary-metrics"
    needs_training: ClassVar[bool] = True
    config_type = DictionaryMetricsConfig
    config: DictionaryMetricsConfig

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and subject with sums over the subject's rows; what is of a whole fold is told once."""
        import pandas as pd

        return pd.concat([_sums(fold, part, model) for part, model in dictionaries(fold).items()], ignore_index=True)

    def conclude(self, rows: pd.DataFrame, context: Context) -> list[Result | NotMeasured]:
        """Every measure of every dictionary."""
        results: list[Result | NotMeasured] = []
        for part, own in context.own_rows(rows):
            results += SummedRows(own, part, context, self.config.replicates).results()
        return results

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Explained variance against codes a row, where there are several dictionaries."""
        parts = [part for part in dictionary_parts(context) if (rows["part"] == part).any()]
        if len(parts) < 2:
            return {}
        return {"What each dictionary keeps, and with how many codes a row": _trade_off(rows, parts, context)}


# Not RunningMeasures of pellucid.measures.dictionaries: what a fold examines is kept as a table until all folds are there, and
# a row without any code, whose cosine those measures leave undefined, counts here as a cosine of 0 and not as no result.
def _sums(fold: FittedFold, part: str, model: Model) -> pd.DataFrame:
    import pandas as pd

    head, test = model.head, fold.test(part)
    assert isinstance(head, Dictionary)
    subjects = test.subjects
    names, subject = np.unique(subjects, return_inverse=True)
    units, features = len(head.config.units), head.config.features
    found = {name: np.zeros(len(names)) for name in ("rows", "error", "cosine", "l0", "pca_error", "pca_cosine")}
    moments = SubjectMoments()
    on = torch.zeros(features, dtype=torch.int64)
    codes_a_row = mean_l0(fold, model)
    components = max(1, min(units, round(codes_a_row)))
    mean, basis = components_of(fold, model, components)
    for at, x, codes in coded(model, test):
        of = subject[at]
        back = head.decode(codes)
        x64 = x.double()
        plain = mean + (x64 - mean) @ basis @ basis.T
        columns = {
            "rows": torch.ones(len(x)),
            "error": (x64 - back).square().sum(1),
            "cosine": torch.cosine_similarity(x64, back.double()),
            "l0": (codes != 0).sum(1),
            "pca_error": (x64 - plain).square().sum(1),
            "pca_cosine": torch.cosine_similarity(x64, plain),
        }
        for name, values in columns.items():
            found[name] += np.bincount(of, values.double().numpy(), len(names))
        moments.add(x64, subjects[at])
        on += (codes != 0).sum(0)
    chance = torch.nn.functional.normalize(
        torch.randn(head.atoms.shape, generator=torch.Generator().manual_seed(seed_of(fold.seed, "random directions"))),
        dim=1,
    )
    rows = pd.DataFrame(
        {
            "part": part, "sample": names, "subject": names, **found,
            "mean": list(moments.of(names).mean), "spread": moments.of(names).squares,
        }
    )  # fmt: skip
    return told_once(
        rows,
        {
            "features": features, "alive": float((on > 0).double().mean()), "coherence": float(coherence(head.atoms)),
            "random_coherence": float(coherence(chance)), "components": components,
        },
    )  # fmt: skip


@torch.no_grad()
def mean_l0(fold: FittedFold, model: Model) -> float:
    """Codes that are not zero, mean over the first 4096 rows of the training side: no more are read."""
    train = fold.dataset.subset(fold.split.train[:ROWS])
    counts = [float((codes != 0).sum(1).double().mean()) for _, _, codes in coded(model, train)]
    return counts[0]


@torch.no_grad()
def components_of(fold: FittedFold, model: Model, count: int) -> tuple[Tensor, Tensor]:
    """Mean and leading principal components of the training rows, float64, shapes (unit,) and (unit, component)."""
    train = fold.train
    seen = sampled(model.encode(collate(train, at)).values for at in index_blocks(len(train), ROWS))
    mean = seen.mean.double()
    apart = seen.rows.double() - mean
    vectors = torch.linalg.eigh(apart.T @ apart).eigenvectors
    return mean, vectors[:, -count:]


class SummedRows(AuditedRows):
    """Results of one dictionary from sums by subject."""

    protocol = DictionaryMetrics.name

    def results(self) -> Iterator[Result | NotMeasured]:
        """All of them."""
        rows, features = self.rows, int(self.once_a_fold("features")[0])
        l0, components = self.mean("l0"), self.counted("components")
        few = f"{components} principal component{'' if components == '1' else 's'}"
        kept, plain = self.explained("error"), self.explained("pca_error")
        if np.isfinite(self.value(kept)):
            yield self._of_all_rows(
                "explained_variance", self.interval(kept), True, 0.0, self.value(plain), few,
                f"With {self.value(l0):.1f} codes a row, “{self.part}” keeps {self.value(kept):.1%} of the variance of rows that nothing "
                f"was learnt from; as many principal components keep {self.value(plain):.1%}.",
            )  # fmt: skip
        else:
            yield NotMeasured(
                protocol=self.protocol, part=self.part, metric="explained_variance",
                because=f"the {int(rows['rows'].sum())} test rows do not differ, so that there is nothing to explain",
                helps="test more of them",
            )  # fmt: skip
        cosine, plain_cosine = self.mean("cosine"), self.mean("pca_cosine")
        yield self._of_all_rows("cossim", self.interval(cosine), True, 0.0, self.value(plain_cosine), few)
        yield self._of_all_rows("l0", self.interval(l0), False, float(features), float(features), "all features")
        alive = float(np.average(self.of_each_fold("alive"), weights=rows["rows"]))
        yield self._of_all_rows(
            "alive", Interval.fixed(alive), True, 0.0, 1.0, "all features",
            f"{alive:.0%} of its {features} features have a code in some test row; rare features need many rows to be seen.",
        )  # fmt: skip
        near, random = (float(self.of_each_fold(name).mean()) for name in ("coherence", "random_coherence"))
        yield self._of_all_rows("coherence", Interval.fixed(near), False, random, random, "as many random directions")

    def explained(self, error: str) -> Statistic:
        """Explained variance, of the squared errors in a column."""
        wrong = self.column(error)
        moments = MomentsBySubject(self.column("rows"), np.stack(self.rows["mean"].tolist()), self.column("spread"))

        def at(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray(1 - weights @ wrong / moments.weighted(weights).squares)

        return at

    def mean(self, name: str) -> Statistic:
        """Mean over collected rows, of the sums in a column."""
        rows, values = self.column("rows"), self.column(name)

        def at(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray((weights @ values) / (weights @ rows))

        return at

    def _of_all_rows(
        self, metric: str, found: Interval, higher: bool, chance: float, baseline: float, name: str, sentence: str = ""
    ) -> Result:
        """A result whose samples are the rows that were summed."""
        result = self.result(
            metric, found, higher=higher, chance=chance, baseline=baseline, baseline_name=name, sentence=sentence
        )
        return replace(result, n_samples=int(self.rows["rows"].sum()))


def _trade_off(rows: pd.DataFrame, parts: list[str], context: Context) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    ax = figure.subplots()
    for part in parts:
        own = SummedRows(rows[rows["part"] == part], part, context, 100)
        x, y = own.value(own.mean("l0")), own.value(own.explained("error"))
        ax.plot(x, y, "o", color=LOWERS)
        ax.annotate(part, (x, y), xytext=(5, 4), textcoords="offset points", fontsize=8)
    ax.set_xlabel("codes a row (fewer are easier to read)")
    ax.set_ylabel("explained variance")
    ax.margins(0.18)
    return figure
