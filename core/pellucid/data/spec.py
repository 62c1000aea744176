"""What a dataset holds, said once and frozen: inputs with shapes and units, targets with names, concepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from pellucid.data.concepts import Concepts
from pellucid.data.frozen import Frozen
from pellucid.data.inputs import (
    Graph,
    Image,
    InputSpec,
    Nodes,
    OverTime,
    Sentences,
    Signal,
    Text,
    Trajectory,
    Vector,
    Volume,
)
from pellucid.data.targets import Binary, Links, MultiClass, MultiLabel, Ordinal, Regression, Target
from pellucid.errors import StudyError, nearest

__all__ = [
    "COVARIATES",
    "Binary",
    "Concepts",
    "DataSpec",
    "Frozen",
    "Graph",
    "Image",
    "InputSpec",
    "Links",
    "MultiClass",
    "MultiLabel",
    "Nodes",
    "Ordinal",
    "OverTime",
    "Regression",
    "Sentences",
    "Signal",
    "Target",
    "Text",
    "Trajectory",
    "Vector",
    "Volume",
]  # fmt: skip

COVARIATES = "covariates"
"""Name of the input that a dataset's covariates form: any encoder of vectors can read them like a measured input."""


class DataSpec(Frozen):
    """Frozen description of a dataset.

    Parameters
    ----------
    name : str
        The dataset's registered name.
    inputs : mapping of str to InputSpec
        Named inputs: one for most data, several for multimodal data. ``"covariates"`` is reserved.
    targets : mapping of str to Target
        What can be predicted; the frame has one column per target, ``NaN`` where a sample is not part of it.
    groups : tuple of str
        Frame columns that must not stand on both sides of a split; ``"subject"`` first for patients.
    namespace : str
        Where subject names come from (``"lidc-idri"``). Datasets of the same people share it, so that a model trained on
        one refuses to be scored on the other.
    covariates : Vector, optional
        Frame columns that describe a sample (age, size, spacing). They form an input of their own.
    trivial : tuple of str
        The covariates of the trivial baseline that every score stands beside. Empty: the baseline is the prevalence.
    concepts : Concepts, optional
        Human ratings.
    texts : mapping of str to Sentences
        Texts in plain words that belong to the samples.
    views : mapping of str to str
        For an input, the plugin's view that draws it (``{"shape": "ct/lesion"}``); without one the core draws it plainly.
    measures : mapping of str to tuple of str
        For an input, the plugin's measures that say what changes in it (``{"shape": ("core/outline-area",)}``).
    group_word : (str, str)
        What one and what several members of the first group are called where people read: ``("patient", "patients")``.
    seen : tuple of str
        Whom a split does *not* keep apart though one could think so, in words (``("subjects",)``); every result says so.
    about : str
        What a reader of a score must know, in a sentence or two; printed in every report.
    """

    name: str
    inputs: Mapping[str, InputSpec]
    targets: Mapping[str, Target]
    groups: tuple[str, ...] = ("subject",)
    namespace: str
    covariates: Vector | None = None
    trivial: tuple[str, ...] = ()
    concepts: Concepts | None = None
    texts: Mapping[str, Sentences] = Field(default_factory=dict)
    views: Mapping[str, str] = Field(default_factory=dict)
    measures: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    group_word: tuple[str, str] = ("subject", "subjects")
    seen: tuple[str, ...] = ()
    about: str = ""

    @model_validator(mode="after")
    def _names_agree(self) -> DataSpec:
        if COVARIATES in self.inputs:
            raise ValueError(f"the input name {COVARIATES!r} is reserved for the frame's covariates")
        known = self.covariates.names if self.covariates else ()
        for name in self.trivial:
            if name not in known:
                raise ValueError(f"trivial baseline reads {name!r}, which is no covariate{nearest(name, known)}")
        if not self.groups:
            raise ValueError("a dataset needs at least one group column: whom must a split keep together?")
        for concept, targets in (self.concepts.restates if self.concepts else {}).items():
            for name in targets:
                if name not in self.targets:
                    raise ValueError(
                        f"concept {concept!r} is said to restate {name!r}, which is no target{nearest(name, self.targets)}"
                    )
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Frame columns of groups, labels, covariates and ratings, each once; those of texts stand apart (``Sentences.columns``)."""
        labels = [column for name, target in self.targets.items() for column in target.columns(name)]
        covariates = self.covariates.names if self.covariates else ()
        ratings = (*self.concepts.columns, *self.concepts.spread_columns) if self.concepts else ()
        return tuple(dict.fromkeys([*self.groups, *labels, *covariates, *ratings]))

    def input(self, name: str) -> Any:
        """The spec of one input, the covariates included.

        Raises
        ------
        StudyError
            If there is no such input; the nearest name is given.
        """
        known: dict[str, Any] = dict(self.inputs)
        if self.covariates is not None:
            known[COVARIATES] = self.covariates
        if name not in known:
            raise StudyError(
                f"dataset {self.name!r} has no input {name!r}{nearest(name, known)}; it has: {', '.join(known)}"
            )
        return known[name]

    def target(self, name: str) -> Any:
        """The spec of one target.

        Raises
        ------
        StudyError
            If there is no such target; the nearest name is given.
        """
        if name not in self.targets:
            known = ", ".join(self.targets)
            raise StudyError(
                f"dataset {self.name!r} has no target {name!r}{nearest(name, self.targets)}; it has: {known}"
            )
        return self.targets[name]

    def sentences(self, name: str) -> Sentences:
        """The spec of one text.

        Raises
        ------
        StudyError
            If there is no such text; the nearest name is given.
        """
        if name not in self.texts:
            known = ", ".join(self.texts) or "none"
            raise StudyError(f"dataset {self.name!r} has no text {name!r}{nearest(name, self.texts)}; it has: {known}")
        return self.texts[name]

    def word_of(self, group: str) -> tuple[str, str]:
        """What one and what several members of a group column are called."""
        return self.group_word if group == self.groups[0] else (group, f"{group}s")

    def keeping_apart(self, groups: Sequence[str], within: Sequence[str] = ()) -> DataSpec:
        """The spec of the data where a protocol keeps these group columns apart and no others, which every result then says.

        Parameters
        ----------
        groups : sequence of str
        within : sequence of str
            Columns of which each member lies within one member of these, so that it is new where that is: pairs of an unseen drug.

        Raises
        ------
        StudyError
            If one of them is no group column; the nearest name is given.
        """
        for group in groups:
            if group not in self.groups:
                raise StudyError(
                    f"dataset {self.name!r} has no group column {group!r} to keep apart{nearest(group, self.groups)}; it has: "
                    f"{', '.join(self.groups)}"
                )
        if not groups or set(groups) == set(self.groups):
            return self
        rest = tuple(self.word_of(group)[1] for group in self.groups if group not in (*groups, *within))
        return self.model_copy(
            update={"groups": tuple(groups), "group_word": self.word_of(groups[0]), "seen": (*self.seen, *rest)}
        )

    @property
    def judged_on(self) -> str:
        """Who is new to a model that is judged, where it is not simply people nothing was learnt from; else empty.

        Examples
        --------
        >>> spec = DataSpec(name="x", inputs={}, targets={}, namespace="x", groups=("subject", "sentence"))
        >>> spec.keeping_apart(["sentence"]).judged_on
        'unseen sentences, seen subjects'
        >>> spec.judged_on
        ''
        >>> spec.model_copy(update={"groups": ("person", "device", "site"), "group_word": ("person", "people")}).judged_on
        'unseen people, devices and sites'
        """
        if not self.seen and "subject" in self.groups:
            return ""
        *most, last = (self.word_of(group)[1] for group in self.groups)
        new = f"{', '.join(most)} and {last}" if most else last
        return f"unseen {new}" + (f", seen {' and '.join(self.seen)}" if self.seen else "")

    def asked(self, target: str) -> DataSpec:
        """The spec of the data where one target is asked for: without the concepts that it is made of.

        A sentence in ``about`` says which were left out.
        """
        self.target(target)
        restating = self.concepts.restating(target) if self.concepts else ()
        if not restating:
            return self
        assert self.concepts is not None
        return self.model_copy(
            update={
                "concepts": self.concepts.without(restating),
                "about": f"{self.about} {_left_out(restating, target)}".strip(),
            }
        )


def _left_out(concepts: tuple[str, ...], target: str) -> str:
    names = " and ".join(f"“{name.replace('_', ' ')}”" for name in concepts)
    if len(concepts) == 1:
        return f"The rating {names} is not among the concepts here: “{target}” is made of it."
    return f"The ratings {names} are not among the concepts here: “{target}” is made of them."
