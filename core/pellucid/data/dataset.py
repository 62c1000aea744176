"""Datasets: a frame of samples, a spec, and a way to read some of them. No torch here; batches are made elsewhere."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pellucid.data.published import Published
from pellucid.data.spec import COVARIATES, DataSpec
from pellucid.data.subjects import LearnedFrom
from pellucid.data.table import check_frame, numbers
from pellucid.data.targets import ONE_CLASS_EACH
from pellucid.errors import DataError, StudyError
from pellucid.regions import Region

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Arrays:
    """What :meth:`Dataset.read` gives.

    Parameters
    ----------
    inputs : mapping of str to ndarray
        One array per named input, shape ``(sample, *spec.shape)``.
    masks : mapping of str to ndarray of bool
        True where a value is real. Shape ``(sample,)`` (a whole input is there or missing), or that of the input.
        An input without a mask is complete.
    """

    inputs: Mapping[str, Any]
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One sample with its names: what ``dataset[i]`` gives and ``model.explain`` takes."""

    id: str
    inputs: Mapping[str, Any]
    masks: Mapping[str, np.ndarray]
    row: pd.Series
    spec: DataSpec


@dataclass(frozen=True)
class Finding:
    """Something about one sample that a reader of a score must know: it is broken, or not as it should be.

    Parameters
    ----------
    sample : str
        Id of the sample, or the name of a file that gives none.
    what : str
        In a few words, the same for all samples that have it: ``"flat channel"``.
    where : str
        Channels, seconds, the tag or line of a file.
    done : str
        What was done about it: ``"left out"``, ``"kept"``, or words of the dataset's own (``"masked"``).
    """

    sample: str
    what: str
    where: str = ""
    done: str = "kept"


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

    findings: tuple[Finding, ...] = ()
    """What was found wrong with samples, whether they were left out or kept; printed in every report, kept in run.json."""

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Where in each sample lies what makes this output true, for generated data that know it; None for all others.

        Parameters
        ----------
        output : str
            Name of an output of a target.

        Returns
        -------
        list of tuple of Region, one a sample
            An empty tuple where the output is not true.
        """
        return None

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
            If there is no such target; if nothing is labelled, or all labels are of one class.
        """
        values = self.target_values(target)
        keep = ~np.isnan(values).any(axis=1)
        if not keep.any():
            raise DataError(f"dataset {self.spec.name!r}: no sample has a label in column {target!r}")
        if self.spec.target(target).kind in ONE_CLASS_EACH and len(np.unique(values[keep])) < 2:
            only = values[keep][0, 0]
            raise DataError(
                f"dataset {self.spec.name!r}: all {int(keep.sum())} labels in column {target!r} are {only:g}; "
                "a classifier needs at least two classes"
            )
        found = self.subset(np.flatnonzero(keep))
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

    def concept_values(self) -> np.ndarray:
        """Concept ratings, float64, shape (sample, concept); NaN where nobody rated."""
        if self.spec.concepts is None:
            raise StudyError(f"dataset {self.spec.name!r} has no concepts")
        return numbers(self.frame, [f"concept:{name}" for name in self.spec.concepts.names])

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
        return numbers(self.frame, [f"concept-sd:{name}" for name in self.spec.concepts.names])

    def digest(self) -> str:
        """Digest of the spec, the frame, every input and every mask: the same data gives the same digest."""
        import pandas as pd

        total = hashlib.blake2b(self.spec.model_dump_json().encode(), digest_size=16)
        total.update("\x1f".join(map(str, self.frame.columns)).encode())
        total.update(pd.util.hash_pandas_object(self.frame, index=True).to_numpy().tobytes())
        for start in range(0, len(self), 1024):
            arrays = self.read(np.arange(start, min(start + 1024, len(self))))
            for kind, named in (("input", arrays.inputs), ("mask", arrays.masks)):
                for name in sorted(named):
                    total.update(f"{kind}\x1f{name}\x1f{named[name].dtype}".encode())
                    total.update(np.ascontiguousarray(named[name]).tobytes())
        return total.hexdigest()

    def check(self) -> None:
        """Refuse a frame that does not keep the contract.

        Raises
        ------
        DataError
            Names the column, and the first sample concerned.
        """
        check_frame(self.frame, self.spec)


class Subset(Dataset):
    """Some samples of another dataset, in an order of their own."""

    def __init__(self, source: Dataset, indices: np.ndarray) -> None:
        if len(indices) and (indices.min() < 0 or indices.max() >= len(source)):
            raise IndexError(f"subset asks for samples {indices.min()}..{indices.max()} of {len(source)}")
        # A subset of a subset reads from the root, so that a chain of splits costs one look-up.
        self.source: Dataset = source.source if isinstance(source, Subset) else source
        self.indices: np.ndarray = source.indices[indices] if isinstance(source, Subset) else indices
        self.spec = source.spec
        self.made_by = source.made_by
        self.findings = source.findings

    @cached_property
    def frame(self) -> pd.DataFrame:  # type: ignore[override]
        """Rows of the samples in this subset."""
        return self.source.frame.iloc[self.indices]

    def planted(self, output: str) -> list[tuple[Region, ...]] | None:
        """Of these samples."""
        found = self.source.planted(output)
        return None if found is None else [found[index] for index in self.indices]

    def published(self, target: str) -> tuple[Published, ...]:
        """Those of the source, where no sample that is labelled for the target is left out."""
        scores = self.source.published(target)
        if not scores:
            return ()
        labelled = ~np.isnan(self.source.target_values(target)).any(axis=1)
        return scores if set(np.flatnonzero(labelled)) <= set(self.indices.tolist()) else ()

    def read(self, indices: np.ndarray) -> Arrays:
        """Read from the source."""
        return self.source.read(self.indices[indices])


class ArrayDataset(Dataset):
    """A dataset whose inputs are arrays in memory.

    Parameters
    ----------
    spec : DataSpec
    frame : DataFrame
    inputs : mapping of str to ndarray
        Shape ``(sample, *spec.inputs[name].shape)`` each.
    masks : mapping of str to ndarray of bool, optional

    Raises
    ------
    DataError
        If a shape or a length disagrees with the spec, or a value that is not masked is NaN or infinite.
    """

    def __init__(
        self,
        spec: DataSpec,
        frame: pd.DataFrame,
        inputs: Mapping[str, np.ndarray],
        masks: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.spec, self.frame = spec, frame
        self._inputs, self._masks = dict(inputs), dict(masks or {})
        if set(self._inputs) != set(spec.inputs):
            raise DataError(
                f"dataset {spec.name!r}: inputs {sorted(self._inputs)} do not match the spec's {sorted(spec.inputs)}"
            )
        for name, values in self._inputs.items():
            expected = (len(frame), *spec.inputs[name].shape)
            if values.shape != expected:
                raise DataError(f"dataset {spec.name!r}: input {name!r} has shape {values.shape}, expected {expected}")
            self._inputs[name] = self._finite(name, values)
        for name in self._masks:
            if name not in self._inputs:
                raise DataError(f"dataset {spec.name!r}: a mask is given for {name!r}, which is no input")
        self.check()

    def _finite(self, name: str, values: np.ndarray) -> np.ndarray:
        """The values with zeros where they are masked and not finite: times a mask, NaN would stay NaN."""
        strange = bad = ~np.isfinite(values)
        mask = self._masks.get(name)
        if mask is not None:
            if mask.dtype != bool or mask.shape not in (values.shape[:1], values.shape):
                raise DataError(
                    f"dataset {self.spec.name!r}: the mask of input {name!r} is {mask.dtype} of shape {mask.shape}, expected "
                    f"bool of shape {values.shape[:1]} or {values.shape}"
                )
            bad = strange & mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
        if bad.any():
            first = self.frame.index[int(np.argwhere(bad)[0][0])]
            raise DataError(
                f"dataset {self.spec.name!r}: input {name!r} of sample {first!r} holds NaN or infinity "
                f"({int(bad.sum())} values in all); mask missing values or drop the samples"
            )
        return np.where(strange, 0, values).astype(values.dtype) if strange.any() else values

    def read(self, indices: np.ndarray) -> Arrays:
        """Index the arrays."""
        return Arrays({n: v[indices] for n, v in self._inputs.items()}, {n: m[indices] for n, m in self._masks.items()})


def covariate_arrays(dataset: Dataset, indices: np.ndarray) -> Arrays:
    """The covariates as an input of their own: values with missing ones set to zero, and the mask that says which."""
    values = dataset.covariate_values()[indices]
    known = np.isfinite(values)
    return Arrays({COVARIATES: np.where(known, values, 0.0).astype(np.float32)}, {COVARIATES: known})
