"""Codes of whole samples: of each feature the strongest over a sample's positions, and where it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from pellucid.data.dataset import Dataset
from pellucid.model import Model
from pellucid.protocols.dictionaries.codes import LABEL, coded, labels_and_ratings
from pellucid.statistics.association import Associations, with_label, with_rating
from pellucid.statistics.drawing import one_a_subject

if TYPE_CHECKING:
    import pandas as pd

SOURCE, POSITION = "source", "position"
"""Frame columns of collected rows: which sample, and where in it."""

LAST = torch.tensor(np.iinfo(np.int32).max, dtype=torch.int32)
"""Behind every position: where a feature is not strongest."""


@dataclass(frozen=True)
class Pooled:
    """Samples by features.

    Parameters
    ----------
    samples, subjects : ndarray of str, shape (sample,)
    codes : ndarray, float32, shape (sample, feature)
        The strongest of each feature over the sample's positions; 0 where it is nowhere.
    places : ndarray of int32, shape (sample, feature)
        At which position, the first of those that are equally strong; -1 where nowhere.
    counts : ndarray of int64, shape (feature,)
        Rows with a code.
    rows : int
        Of all samples.
    attributes : dict of str to ndarray, shape (sample,)
        Labels and ratings; see :func:`~pellucid.protocols.dictionaries.codes.labels_and_ratings`.
    seed : int
        By which :attr:`one_a_subject` is drawn.
    """

    samples: np.ndarray
    subjects: np.ndarray
    codes: np.ndarray
    places: np.ndarray
    counts: np.ndarray
    rows: int
    attributes: dict[str, np.ndarray]
    seed: int = 0

    @classmethod
    def of(cls, model: Model, data: Dataset, *, raw: bool = False, sign: int = 1, seed: int = 0) -> Pooled:
        """Codes of a dataset; ``raw``: the representation's own units instead, the largest value of each, times ``sign``."""
        frame = data.frame
        source, names = whole_samples(data)
        position = frame[POSITION].to_numpy(np.int32) if SOURCE in frame else np.zeros(len(frame), np.int32)
        codes: torch.Tensor | None = None
        places, counts = torch.zeros(0), torch.zeros(0)
        for at, x, found in coded(model, data):
            values = sign * x if raw else found.abs()
            if codes is None:
                shape = (len(names), values.shape[1])
                codes = torch.full(shape, -torch.inf)
                places, counts = torch.full(shape, -1, dtype=torch.int32), torch.zeros(shape[1], dtype=torch.int64)
            counts += (found != 0).sum(0) if not raw else len(x)
            # Rows of a sample follow each other only by chance: each batch first by itself, then against what was before.
            of, inverse = np.unique(source[at], return_inverse=True)
            index = torch.from_numpy(inverse)[:, None].expand_as(values)
            best = torch.full((len(of), values.shape[1]), -torch.inf).scatter_reduce(0, index, values, "amax")
            is_best = values == best[torch.from_numpy(inverse)]
            where = torch.where(is_best, torch.from_numpy(position[at])[:, None], LAST)
            there = LAST.expand(best.shape).clone().scatter_reduce(0, index, where, "amin")
            before, place = codes[torch.from_numpy(of)], places[torch.from_numpy(of)]
            # Of positions that are equally strong the first, in whatever pieces they come.
            first_of_both = torch.where(best == before, torch.minimum(there, place), place)
            codes[torch.from_numpy(of)] = torch.maximum(best, before)
            places[torch.from_numpy(of)] = torch.where(best > before, there, first_of_both)
        assert codes is not None
        first = np.unique(source, return_index=True)[1]
        attributes = {name: values[first] for name, values in labels_and_ratings(data).items()}
        subjects = data.subjects[first]
        if not raw:
            places[codes == 0] = -1
        return cls(names, subjects, codes.numpy(), places.numpy(), counts.numpy(), len(frame), attributes, seed)

    @classmethod
    def of_units(cls, model: Model, data: Dataset, seed: int = 0) -> Pooled:
        """The representation's own units twice: the largest value of each over a sample's positions, then of what it is times -1."""
        both = [cls.of(model, data, raw=True, sign=sign, seed=seed) for sign in (1, -1)]
        codes, places = (np.concatenate([getattr(one, name) for one in both], axis=1) for name in ("codes", "places"))
        return replace(both[0], codes=codes, places=places, counts=np.concatenate([one.counts for one in both]))

    @cached_property
    def one_a_subject(self) -> np.ndarray:
        """Position of one sample of each subject, by lot: see :func:`~pellucid.statistics.drawing.one_a_subject`."""
        return one_a_subject(self.subjects, self.seed)

    def associations(self, name: str, values: np.ndarray | None = None) -> Associations:
        """Of all features with a label or a rating (or with other ``values`` of it), one sample a subject."""
        values = self.attributes[name] if values is None else values
        at = self.one_a_subject
        at = at[np.isfinite(values[at])]
        test = with_label if name.startswith(LABEL) else with_rating
        return test(self.codes[at], values[at])

    def table(self) -> pd.DataFrame:
        """One row a sample: the features that it has, how strongly and where, and what was said of it."""
        import pandas as pd

        has = [np.flatnonzero(row) for row in self.codes]
        return pd.DataFrame(
            {
                "sample": self.samples,
                "subject": self.subjects,
                "features": [some.tolist() for some in has],
                "codes": [self.codes[at, some].astype(float).tolist() for at, some in enumerate(has)],
                "places": [self.places[at, some].tolist() for at, some in enumerate(has)],
            }
            | {f"said:{name}": values for name, values in self.attributes.items()}
        )


def whole_samples(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Number of each row's sample, from 0 in order of the name, and the names; each row is one where rows have no source."""
    frame = data.frame
    if SOURCE not in frame:
        return np.arange(len(frame)), frame.index.astype(str).to_numpy()
    names, numbers = np.unique(frame[SOURCE].astype(str).to_numpy(), return_inverse=True)
    return numbers, names
