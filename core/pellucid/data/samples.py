"""What a dataset gives: the inputs of some samples, one sample with its names, and what was found wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.graphs import Graphs
from pellucid.data.spec import DataSpec
from pellucid.regions import Region

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Arrays:
    """What :meth:`Dataset.read` gives.

    Parameters
    ----------
    inputs : mapping of str to ndarray
        One array per named input, shape ``(sample, *spec.shape)``; :class:`~pellucid.data.graphs.Graphs` for graphs.
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

    def with_gaps(self, name: str) -> Any:
        """An input with NaN where it is masked; whole numbers, which have no NaN, and graphs as they are."""
        values, mask = self.inputs[name], self.masks.get(name)
        if isinstance(values, Graphs):
            return values
        values = np.asarray(values)
        if mask is None or np.issubdtype(values.dtype, np.integer):
            return values
        over_values = np.reshape(mask, np.shape(mask) + (1,) * (values.ndim - np.ndim(mask)))
        return np.where(over_values, values, np.float32(np.nan))


@dataclass(frozen=True)
class Place:
    """Where in another input of the same sample something lies.

    Parameters
    ----------
    input : str
    region : Region
    text : str
        What is there, in a few words: the substructure to read.
    """

    input: str
    region: Region
    text: str = ""


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
