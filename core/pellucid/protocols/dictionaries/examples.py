"""Examples of both kinds, one sample a subject, with what a layer says at each position and the strongest code there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.errors import DataError, NotMeasurable
from pellucid.measures.output_codes import NONE_ACTIVE
from pellucid.model import Model
from pellucid.protocols.dictionaries.codes import coded, label_called, label_names, labels_and_ratings
from pellucid.protocols.dictionaries.pooled import POSITION, SOURCE
from pellucid.statistics.drawing import one_a_subject

NO_POSITIONS = "these rows do not say which sample and position they are of: collect activations"


@dataclass(frozen=True, eq=False)
class Examples:
    """Samples, one a subject, with what a layer says at each position.

    Parameters
    ----------
    samples, subjects : ndarray of str, shape (example,)
    positive : ndarray of bool, shape (example,)
    positions : ndarray of int, shape (position,)
        Those that are real in every example.
    codes : ndarray of int, shape (example, position)
        The strongest feature, :data:`~pellucid.measures.output_codes.NONE_ACTIVE` where there is none.
    rows : ndarray, shape (example, position, unit)
    """

    samples: np.ndarray
    subjects: np.ndarray
    positive: np.ndarray
    positions: np.ndarray
    codes: np.ndarray
    rows: np.ndarray


def examples(model: Model, data: Dataset, label: str, seed: int = 0) -> tuple[str, Examples]:
    """The label that was meant, and examples of both kinds; ``seed`` draws one sample of each subject.

    Raises
    ------
    StudyError
        If there is no such label.
    DataError
        If rows have no positions.
    NotMeasurable
        If examples are all of one kind, or no position is in all examples.
    """
    frame, name = data.frame, label_meant(label, data.spec)
    said = labels_and_ratings(data)[name]
    if SOURCE not in frame:
        raise DataError(NO_POSITIONS)
    sources, positions = frame[SOURCE].astype(str).to_numpy(), frame[POSITION].to_numpy(int)
    subjects = data.subjects
    first = np.unique(sources, return_index=True)[1]
    chosen = np.sort(sources[one_a_subject(subjects, seed, first[np.isfinite(said[first])])])
    kinds = np.unique(said[np.isin(sources, chosen)])
    if len(kinds) < 2:
        whom = (
            "none" if not len(kinds) else f"{len(chosen)}, all with it" if kinds[0] else f"{len(chosen)}, none with it"
        )
        raise NotMeasurable(
            f"examples with and without “{name}” are compared, but among the test samples there are {whom}",
            "name another label in [options.code-circuits], or test on more",
        )
    here = np.flatnonzero(np.isin(sources, chosen))
    every, of, counts = np.unique(positions[here], return_inverse=True, return_counts=True)
    whole = counts == len(chosen)
    if not whole.any():
        raise NotMeasurable(
            "no position is there in all examples, as the others are masked in some, or not all rows were read",
            "read all rows (leave out most = ...), or samples of one length",
        )
    here, of = here[whole[of]], (np.cumsum(whole) - 1)[of[whole[of]]]
    example = np.searchsorted(chosen, sources[here])
    codes = np.full((len(chosen), int(whole.sum())), NONE_ACTIVE)
    first = here[np.unique(example, return_index=True)[1]]
    rows = None
    for at, x, found in coded(model, data.subset(here)):
        size, code = found.abs().max(1)
        codes[example[at], of[at]] = np.where(size.numpy() > 0, code.numpy(), NONE_ACTIVE)
        if rows is None:
            rows = np.zeros((*codes.shape, x.shape[1]))
        rows[example[at], of[at]] = x.numpy()
    assert rows is not None
    return name, Examples(chosen, subjects[first], said[first] == 1, every[whole], codes, rows)


def label_meant(asked: str, spec: DataSpec) -> str:
    """The label that a study means by its name, its beginning or a short name; the first there is where it names none.

    Raises
    ------
    StudyError
        If there is none of this name.
    """
    begun = [name for name in label_names(spec) if name.startswith(asked)]
    return begun[0] if begun else label_called(asked, spec)
