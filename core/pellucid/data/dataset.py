"""Datasets: a frame of samples, a spec, and a way to read some of them. No torch here; batches are made elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from pellucid.data.digest import digest_of
from pellucid.data.labels import labelled_rows
from pellucid.data.published import Published
from pellucid.data.samples import Arrays, Finding, Place, Sample
from pellucid.data.spec import DataSpec
from pellucid.data.subjects import LearnedFrom
from pellucid.data.table import check_frame, numbers
from pellucid.errors import DataError, StudyError
from pellucid.regions import Region

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pellucid.data.subset import Subset

Kind = TypeVar("Kind")


class Dataset(ABC):
    """Indexable samples, a frame with one row a sample, and a spec.

    The frame's index is the sample id (unique strings). Its columns are the group columns, one column per target
    (``NaN`` where a sample is not part of it; ``target:name`` for multi-label ones), the covariates, and
    ``concept:<name>`` for each concept, with ``concept-sd:<name>`` where raters' disagreement is known. Reading the frame
    reads no signal.

    A registered dataset class has a ``config_type`` (a frozen :class:`~pellucid.data.spec.Frozen`) and is built as
    ``Class(config, data)``: ``data`` is the folder or file that the user names with ``--data``, or ``None`` for the
    place where the dataset usually is.
    """

    config_type: ClassVar[type[Any]]
    spec: DataSpec
    frame: pd.DataFrame

    made_by: LearnedFrom = LearnedFrom()
    """Whom the model that made these samples has learnt from, where a model made them (activations, latents). Whatever is
    fitted on such samples is refused on those subjects too."""

    origin: str = ""
    """What made these samples, where a model did: another model's are not the same inputs, though they look alike."""

    findings: tuple[Finding, ...] = ()
    """What was found wrong with samples, whether they were left out or kept; printed in every report, kept in run.json."""

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Where in each sample lies what makes this output true, for generated data that know it.

        Parameters
        ----------
        output : str
            Name of an output of a target.

        Returns
        -------
        list of tuple of Region, one a sample, or None
            An empty tuple where the output is not true. None where nobody knows: for data that were not generated, and for an
            output of which the dataset has not heard (the other one of yes and no, say). It raises nothing.
        """
        return None

    def ability(self, kind: type[Kind]) -> Kind | None:
        """This dataset as something that it is beside a dataset, or None.

        What protocols ask that need more than samples: the environment in which they were collected, the equations behind them, the
        layer whose rows they are. A part of a dataset, and one that shows another's samples changed, answer with the dataset behind
        them, whose samples stand in its own order.

        Parameters
        ----------
        kind : type
            A class or a runtime-checkable protocol.
        """
        return self if isinstance(self, kind) else None

    def places(self, input: str, index: int) -> Mapping[str, tuple[Place, ...]]:
        """Where in a sample the numbers of an input were counted, for numbers that were; none by default.

        Parameters
        ----------
        input : str
            An input of named numbers.
        index : int
            Position of the sample.

        Returns
        -------
        mapping of str to tuple of Place
            By name; a number that is 0, or was counted nowhere, has no entry.
        """
        return {}

    def published(self, target: str) -> tuple[Published, ...]:
        """Published scores that runs on these very samples may stand beside; none by default.

        A dataset that was opened in part, or whose samples are not those of the publications, gives none.

        Parameters
        ----------
        target : str
            Name of a target.
        """
        return ()

    @classmethod
    def skips_broken(cls) -> bool:
        """Whether it can leave out samples whose files cannot be used: if it has an option ``skip_broken``."""
        return "skip_broken" in cls.config_type.model_fields

    @classmethod
    def of_objects(cls, objects: Any, config: Any) -> Dataset:
        """Samples without labels from the domain's own objects: open scans, recordings, molecules.

        What ``model.predict`` and ``model.explain`` call for whatever is neither a dataset nor a sample. A dataset that
        can be made from such objects overrides it.

        Raises
        ------
        DataError
            If this dataset cannot be made from them; says what it takes.
        """
        raise DataError(f"{cls.__name__} cannot be made from a {type(objects).__name__}; open a dataset and give that")

    @classmethod
    def opened_like(cls, config: Any, data: Path | None, learnt: DataSpec) -> Dataset:
        """Open data for models that have learnt from data of another description.

        What ``pellucid evaluate`` calls. A dataset whose samples can be brought to other channels or another rate overrides
        it, and says in its findings what was done. By default data are opened as they are.

        Parameters
        ----------
        config : Frozen
            Options of the dataset, as the models' study has them.
        data : Path, optional
        learnt : DataSpec
            What the models have learnt from.
        """
        opened: Dataset = cls(config, data)  # type: ignore[call-arg]
        return opened

    @classmethod
    def of_objects_like(cls, objects: Any, config: Any, learnt: DataSpec) -> Dataset:
        """:meth:`of_objects` for models that have learnt from data of this description; what the two call by default is the same."""
        return cls.of_objects(objects, config)

    @abstractmethod
    def read(self, indices: np.ndarray) -> Arrays:
        """Read the inputs of some samples, in the order asked for.

        Parameters
        ----------
        indices : ndarray of int, shape (sample,)
            Positions in the frame.
        """

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        arrays = self.read(np.array([index]))
        return Sample(
            id=str(self.frame.index[index]),
            inputs={name: value[0] for name, value in arrays.inputs.items()},
            masks={name: value[0] for name, value in arrays.masks.items()},
            row=self.frame.iloc[index],
            spec=self.spec,
        )

    @property
    def subjects(self) -> np.ndarray:
        """Whom each sample is of, str, shape (sample,): the first of the group columns."""
        return self.frame[self.spec.groups[0]].astype(str).to_numpy()

    @property
    def learned_from(self) -> LearnedFrom:
        """The record that a part carries once it has learnt from these samples."""
        return LearnedFrom.of({c: self.frame[c] for c in self.spec.groups}, self.spec.namespace)

    def subset(self, indices: np.ndarray | Sequence[int]) -> Subset:
        """Some of the samples by position, in the order given.

        Raises
        ------
        TypeError
            For a mask of true and false: as numbers it would name the samples 0 and 1.
        IndexError
            For a position that does not exist.
        """
        from pellucid.data.subset import Subset

        at = np.asarray(indices)
        if at.dtype == bool:
            raise TypeError("a subset is asked for by positions, not by a mask: use np.flatnonzero(mask)")
        return Subset(self, at.astype(np.int64))

    def labelled(self, target: str) -> Subset:
        """The samples that are part of a target, without the concepts that it is made of.

        Whatever is learnt, audited and written down of a study starts from here, so that no step of it sees a concept
        that restates the target; :attr:`~pellucid.data.spec.DataSpec.about` says which were left out.

        Raises
        ------
        StudyError, DataError
            If there is no such target; if nothing is labelled, all labels are of one class, or a number is beyond single precision.
        """
        found = self.subset(labelled_rows(self, target))
        found.spec = self.spec.asked(target)
        return found

    def target_values(self, target: str) -> np.ndarray:
        """Labels of a target, float64, shape (sample, column); NaN where a sample is not part of it."""
        return numbers(self.frame, self.target_columns(target))

    def target_columns(self, target: str) -> list[str]:
        """Frame columns that hold a target."""
        return list(self.spec.target(target).columns(target))

    def covariate_values(self, names: Sequence[str] | None = None) -> np.ndarray:
        """Covariates, float64, shape (sample, name); NaN where missing."""
        if self.spec.covariates is None:
            raise StudyError(f"dataset {self.spec.name!r} has no covariates")
        return numbers(self.frame, list(names or self.spec.covariates.names))

    def text_values(self, name: str) -> list[tuple[str, ...]]:
        """A text of each sample, its variants after it.

        Raises
        ------
        StudyError
            If there is no such text.
        """
        columns = self.spec.sentences(name).columns(name)
        return list(zip(*(self.frame[column].astype(str) for column in columns), strict=True))

    def keeping_apart(self, groups: Sequence[str]) -> Dataset:
        """The same samples for a protocol that keeps these group columns apart alone; all results say so.

        Raises
        ------
        StudyError
            See :meth:`pellucid.data.spec.DataSpec.keeping_apart`.
        """
        spec = self.spec.keeping_apart(groups)
        if spec is self.spec:
            return self
        spec = self.spec.keeping_apart(
            groups, [c for c in self.spec.groups if c not in groups and self._within(c, groups)]
        )
        found = self.subset(np.arange(len(self)))
        found.spec = spec
        return found

    def _within(self, column: str, groups: Sequence[str]) -> bool:
        """Whether each member of a group column lies within one member of one of these."""
        return any(bool((self.frame.groupby(column)[group].nunique() <= 1).all()) for group in groups)

    def concept_values(self) -> np.ndarray:
        """Concept ratings, float64, shape (sample, concept); NaN where nobody rated."""
        if self.spec.concepts is None:
            raise StudyError(f"dataset {self.spec.name!r} has no concepts")
        return numbers(self.frame, self.spec.concepts.columns)

    def concept_disagreement(self) -> np.ndarray:
        """How far the raters of each sample were apart, float64, shape (sample, concept).

        Population standard deviations in the ratings' units; NaN where one person alone rated, or nobody.

        Raises
        ------
        StudyError
            If the dataset does not say.
        """
        if self.spec.concepts is None or not self.spec.concepts.disagreement:
            raise StudyError(f"dataset {self.spec.name!r} does not say how far raters disagree on concepts")
        return numbers(self.frame, self.spec.concepts.spread_columns)

    def digest(self) -> str:
        """Digest of the spec, the frame, every input and every mask: the same data gives the same digest."""
        return digest_of(self)

    def check(self) -> None:
        """Refuse a frame that does not keep the contract.

        Raises
        ------
        DataError
            Names the column, and the first sample concerned.
        """
        check_frame(self.frame, self.spec)
