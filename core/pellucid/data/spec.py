"""What a dataset holds, said once and frozen: inputs with shapes and units, targets with names, concepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator

from pellucid.data.concepts import Concepts
from pellucid.data.frozen import Frozen
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
    "Ordinal",
    "Regression",
    "Signal",
    "Target",
    "Text",
    "Trajectory",
    "Vector",
    "Volume",
]  # fmt: skip

COVARIATES = "covariates"
"""Name of the input that a dataset's covariates form: any encoder of vectors can read them like a measured input."""


# --- inputs -----------------------------------------------------------------------------------------------------------


class Signal(Frozen):
    """Channels over time; a sample has shape ``(channel, time)``.

    ``preparation`` is the dataset's record of what was done to the recordings (filters, reference ...), where it keeps one.
    """

    kind: Literal["signal"] = "signal"
    channels: tuple[str, ...]
    length: int = Field(gt=0)
    rate_hz: float = Field(gt=0)
    units: str
    preparation: Mapping[str, JsonValue] = Field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), self.length)


class Image(Frozen):
    """Channels over a plane; a sample has shape ``(channel, row, column)``.

    A channel named ``"mask"`` holds how much of each pixel is covered, 0 to 1.
    """

    kind: Literal["image"] = "image"
    channels: tuple[str, ...]
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None = None
    units: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), *self.size)


class Volume(Frozen):
    """Channels over space; a sample has shape ``(channel, slice, row, column)``."""

    kind: Literal["volume"] = "volume"
    channels: tuple[str, ...]
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    units: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.channels), *self.size)


class Vector(Frozen):
    """Named numbers; a sample has shape ``(name,)``. One unit for all, or one for each name."""

    kind: Literal["vector"] = "vector"
    names: tuple[str, ...]
    units: str | tuple[str, ...] = "1"

    @model_validator(mode="after")
    def _one_unit_a_name(self) -> Vector:
        if isinstance(self.units, tuple) and len(self.units) != len(self.names):
            raise ValueError(f"{len(self.names)} names but {len(self.units)} units")
        if len(set(self.names)) != len(self.names):
            raise ValueError("names must differ from each other")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (len(self.names),)


class Trajectory(Frozen):
    """Named states (and actions) over time steps; a sample has shape ``(step, name)``."""

    kind: Literal["trajectory"] = "trajectory"
    names: tuple[str, ...]
    length: int = Field(gt=0)
    dt_s: float = Field(gt=0)
    units: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (self.length, len(self.names))


class Text(Frozen):
    """Tokens of a closed vocabulary; a sample has shape ``(position,)``, int64, padded and masked."""

    kind: Literal["text"] = "text"
    vocabulary: int = Field(gt=0)
    length: int = Field(gt=0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (self.length,)


class Graph(Frozen):
    """A graph with named node and edge features; its size differs between samples, so it has no fixed shape."""

    kind: Literal["graph"] = "graph"
    node_features: tuple[str, ...]
    edge_features: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Empty: graphs have no common shape."""
        return ()


InputSpec = Annotated[Signal | Image | Volume | Vector | Trajectory | Text | Graph, Field(discriminator="kind")]

# --- the whole --------------------------------------------------------------------------------------------------------


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
    views : mapping of str to str
        For an input, the plugin's view that draws it (``{"shape": "ct/lesion"}``); without one the core draws it plainly.
    measures : mapping of str to tuple of str
        For an input, the plugin's measures that say what changes in it (``{"shape": ("core/outline-area",)}``).
    group_word : (str, str)
        What one and what several members of the first group are called where people read: ``("patient", "patients")``.
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
    views: Mapping[str, str] = Field(default_factory=dict)
    measures: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    group_word: tuple[str, str] = ("subject", "subjects")
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
