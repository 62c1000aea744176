"""Codes of the test side, row by row: what assessments of dictionaries look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pellucid.batch import collate
from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.errors import StudyError, nearest
from pellucid.heads.base import Head
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.model import Model
from pellucid.protocols.base import Assessment, Context, FittedFold

ROWS = 4096
"""Rows whose codes are in memory at once."""

LABEL = "is "
"""How names of labels begin; all other names are ratings."""


def dictionaries(fold: FittedFold) -> dict[str, Model]:
    """The models of a fold whose head is a dictionary."""
    return {part: model for part, model in fold.models.items() if isinstance(model.head, Dictionary)}


def dictionary_parts(context: Context) -> list[str]:
    """Names of such models."""
    return [part for part, tags in context.parts.items() if tags.family == "dictionary"]


def untrained_dictionaries(heads: Mapping[str, Head]) -> dict[str, Dictionary]:
    """Those of a study's heads that are dictionaries."""
    return {part: head for part, head in heads.items() if isinstance(head, Dictionary)}


class OfDictionaries(Assessment):
    """An assessment of dictionaries, each for itself."""

    about = "dictionary"

    def apart(self, context: Context) -> Sequence[str]:
        """Every dictionary."""
        return dictionary_parts(context)


@torch.no_grad()
def coded(model: Model, data: Dataset) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Positions in the data, representations and codes, some rows at a time."""
    head = model.eval().head
    for at in index_blocks(len(data), ROWS):
        x = model.encode(collate(data, at)).values
        yield at, x, head.encode(x)  # type: ignore[operator]


def labels_and_ratings(data: Dataset) -> Mapping[str, np.ndarray]:
    """What people said of samples, by name: yes-or-no labels as 0 and 1, steps, numbers and ratings as they are.

    Returns
    -------
    mapping of str to ndarray, shape (sample,)
        NaN where nobody said. Names of labels begin with ``is``; all others are ratings.
    """
    found: dict[str, np.ndarray] = {}
    for name, target in data.spec.targets.items():
        values = data.target_values(name)
        labels = {label_name(one, name): column for one, column in target.labels(values).items()}
        found |= labels or dict(zip(target.columns(name), values.T, strict=True))
    if data.spec.concepts is not None:
        ratings = data.concept_values()
        found |= {f"concept {one}": ratings[:, at] for at, one in enumerate(data.spec.concepts.names)}
    return found


def label_name(one: str, target: str) -> str:
    """Name of a yes-or-no label of a target."""
    return f"{LABEL}{one} ({target})"


def label_names(spec: DataSpec) -> dict[str, tuple[str, ...]]:
    """Names of all yes-or-no labels that data have, and the shorter ways in which a study may name each.

    Examples
    --------
    >>> from pellucid.data import Binary, DataSpec, Vector
    >>> spec = DataSpec(
    ...     name="d", namespace="d", inputs={"x": Vector(names=("a",))}, targets={"ill": Binary(names=("no", "yes"))}
    ... )
    >>> label_names(spec)
    {'is yes (ill)': ('yes', 'ill:yes', 'ill')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, target in spec.targets.items():
        if target.kind == "binary":
            one = target.names[1]
            found[label_name(one, name)] = (one, f"{name}:{one}", name)
        else:
            labels = target.labels(np.empty((0, len(target.columns(name)))))
            found |= {label_name(one, name): (one, f"{name}:{one}") for one in labels}
    return found


def label_called(asked: str, spec: DataSpec) -> str:
    """The label that a study means.

    Raises
    ------
    StudyError
        If there is none of this name, or several are called so.
    """
    known = label_names(spec)
    found = [label for label, ways in known.items() if asked in (label, label.removeprefix(LABEL), *ways)]
    if len(found) == 1:
        return found[0]
    if found:
        raise StudyError(f"{asked!r} may mean any of {', '.join(found)}: write one of these")
    ways = [way for label, short in known.items() for way in (*short, label)]
    raise StudyError(
        f"its data have no yes-or-no label {asked!r}{nearest(asked, ways)}; labels: "
        f"{', '.join(label.removeprefix(LABEL) for label in known) or 'none'}"
    )
