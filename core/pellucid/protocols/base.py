"""The contract of protocols: splitting ones own the split and the fit, assessments own a measurement.

A study names one splitting protocol and any number of assessments. For each fold the runner fits every model on the
training subjects, hands the fitted fold to :meth:`Assessment.examine`, keeps the rows it returns in the run folder, and
at the end gives the rows of all folds to :meth:`Assessment.conclude`. Rows are per sample, so intervals can be had over
subjects, and a run that was cut off continues with the rows it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split, components_of
from pellucid.errors import StudyError
from pellucid.part import Config
from pellucid.protocols.fold import Context, FittedFold
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import NotMeasured, Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from pellucid.heads.base import Head

__all__ = ["Assessment", "Context", "FittedFold", "Protocol", "Splitting", "joined", "rows_of"]


class Protocol(ABC):  # noqa: B024 - its two kinds below have the abstract methods
    """What splitting protocols and assessments share: settings."""

    config_type: ClassVar[type[Config]] = Config

    def __init__(self, config: Config | None = None) -> None:
        self.config: Any = config if config is not None else self.config_type()


FINAL_VALIDATION = 0.2
"""Share of all subjects by which the models fitted on everybody stop and choose their thresholds, where nobody says another."""


class Splitting(Protocol):
    """A protocol that owns the split."""

    @property
    def validation(self) -> float:
        """Share of a training side that is kept for early stopping and thresholds."""
        return FINAL_VALIDATION

    @property
    def apart(self) -> tuple[str, ...]:
        """Group columns that it keeps apart; empty where these are all that the dataset has."""
        return ()

    @abstractmethod
    def splits(self, dataset: Dataset, target: str, seed: int) -> Iterator[Split]:
        """Folds of a labelled dataset; no group stands on two sides of one."""

    @staticmethod
    def sets(dataset: Dataset) -> np.ndarray:
        """Number of the set of samples that must stay together, shape (sample,).

        Raises
        ------
        StudyError
            If everything hangs together, though each group column alone could be split by.
        """
        groups = dataset.spec.groups
        found = components_of(dataset.frame[list(groups)].to_numpy(object))
        if len(groups) > 1 and len(found) and not found.any() and dataset.frame[list(groups)].nunique().min() > 1:
            choices = " or ".join(f'apart = ["{group}"]' for group in groups)
            raise StudyError(
                f"dataset {dataset.spec.name!r}: through its group columns {', '.join(groups)} every sample hangs together with every "
                f"other, so no part of it can be held out. Say who is to be new to the models, with an option of the protocol that "
                f"splits: {choices}; each result then says what was kept apart"
            )
        return found

    @staticmethod
    def strata(dataset: Dataset, target: str) -> np.ndarray:
        """A class for each sample to balance folds by: the label, the first of several labels, or quintiles of a number.

        All are of one class where the study has no target.
        """
        if not target:
            return np.zeros(len(dataset))
        return np.asarray(dataset.spec.target(target).strata(dataset.target_values(target)))


Gathered = tuple[tuple[dict[str, Any], ...], dict[str, np.ndarray], str]
"""Facts as plain values, arrays by name, and what could not be shown; see :func:`pellucid.gathering.features.gather`."""


class Assessment(Protocol):
    """A measurement of fitted models on subjects that they have not learnt from."""

    name: ClassVar[str]
    about: ClassVar[Literal["target", "text", "dictionary", "any"]] = "target"
    """Which heads it is about: those that predict a target, are aligned with a text, are dictionaries, or any. A study without
    such a head cannot have it (:meth:`no_head`)."""

    needs_training: ClassVar[bool] = False
    """Whether it looks at the training samples themselves (``fold.train``), so that a finished run cannot be assessed without them."""

    metrics: ClassVar[Mapping[str, MetricWords]] = {}
    """What its metrics are called where people read, by their names without what they are of; those of predictions are known."""

    section: ClassVar[Section | None] = None
    """Where its results stand in a report; None among all else that was examined."""

    fits_models: ClassVar[bool] = False
    """Whether it fits models of its own while a fold is examined, which several processes cannot do together: of these one examines."""

    def no_head(self, context: Context) -> str:
        """Why a study has nothing that this could be about, or an empty string. Asked before :meth:`unfit`, for all alike."""
        tags = context.parts.values()
        if self.about == "target" and not context.predictors:
            return "none of its heads predicts a target"
        if self.about == "text" and not any(one.learns == "texts" for one in tags):
            return "none of its heads is aligned with a text (aligned-text is one)"
        if self.about == "dictionary" and not any(one.family == "dictionary" for one in tags):
            return "no head of this study is a dictionary; add one, for example sae-topk"
        return ""

    of_training: ClassVar[str] = ""
    """Why rows are of training samples too, where an assessment judges what was hidden within these."""

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context] | None:
        """A fold of small models on planted data to try it on, where those of :mod:`pellucid.testing.folds` do not carry it."""
        return None

    def unfit(self, context: Context) -> str:
        """Why this assessment cannot be made in a study, or an empty string. Asked before anything is fitted."""
        return ""

    def unfit_for(self, dataset: Dataset, heads: Mapping[str, Head], context: Context) -> str:
        """The same where it takes the data themselves, or untrained heads, to tell: settings that no fitting could make work.

        Parameters
        ----------
        dataset : Dataset
            All labelled samples.
        heads : mapping of str to Head
            By part name, not fitted yet.
        context : Context
        """
        return ""

    def apart(self, context: Context) -> Sequence[str]:
        """Parts each of which is measured without regard to any other, so that one that cannot be measured costs no other.

        Default: none, all models are measured together.
        """
        return ()

    def gathered(self, fold: FittedFold, context: Context) -> Gathered | None:
        """What the report shows of single features of this fold, for an assessment that decides which. Default: none."""
        return None

    @abstractmethod
    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """Rows of one fold: at least ``part``, ``sample`` and ``subject``; plain columns that parquet can hold.

        Raises
        ------
        NotMeasurable
            If the fold's samples cannot carry the measurement. The run goes on, and says why; see
            :mod:`pellucid.protocols.measuring`.
        """

    @abstractmethod
    def conclude(self, rows: pd.DataFrame, context: Context) -> Sequence[Result | NotMeasured]:
        """Results from the rows of all folds; these have a column ``fold`` beside those of :meth:`examine`.

        Of a metric that has no value on these rows a :class:`~pellucid.result.NotMeasured` stands in its place.
        """

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """Figures for the report, by caption. Default: none."""
        return {}


def rows_of(part: str, samples: Dataset, columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Rows of one part: names of samples and subjects beside what was measured, shape (sample,) a column."""
    import pandas as pd

    frame = samples.frame
    names = {
        "part": part,
        "sample": frame.index.astype(str),
        "subject": samples.subjects,
    }
    return pd.DataFrame(names | dict(columns))


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of several parts below each other; of none, a table without rows that has the columns every one has."""
    import pandas as pd

    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["part", "sample", "subject"])
