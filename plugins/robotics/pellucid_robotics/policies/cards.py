"""The card of a policy: what it reads, how it decides, what a person can read and edit in between, and what it reached.

Unknown is absent (None), never an empty text; ``"none"`` says that there is none.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator, model_validator

from pellucid.data.frozen import Frozen
from pellucid.errors import nearest
from pellucid_robotics.policies.results import ResultRow, Text
from pellucid_robotics.policies.words import LEVELS, ActionHead, IntermediateKind, Level1, Level2, Tag

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Slot(Frozen):
    """Numbers of an action that mean the same.

    Parameters
    ----------
    name, unit : str
        A number without a dimension has the unit ``"1"``.
    count : int
        How many there are (of joints, of axes).
    """

    name: Text
    unit: Text
    count: int = Field(default=1, ge=1)


class Reads(Frozen):
    """What a policy reads.

    Parameters
    ----------
    rgb_views, history_len : int, optional
        Cameras, and observations of the past beside the present one.
    depth, proprio, force, language : bool, optional
    """

    rgb_views: int | None = Field(default=None, ge=0)
    depth: bool | None = None
    proprio: bool | None = None
    force: bool | None = None
    language: bool | None = None
    history_len: int | None = Field(default=None, ge=0)


class Intermediate(Frozen):
    """What stands between observation and action.

    Parameters
    ----------
    kind : tuple of str
    human_readable, editable : bool, optional
        By what its authors say; :func:`~pellucid_robotics.policies.capabilities.capabilities` tries it.
    """

    kind: tuple[IntermediateKind, ...] = Field(min_length=1)
    human_readable: bool | None = None
    editable: bool | None = None


class PolicyCard(Frozen):
    """What is known of one policy.

    Parameters
    ----------
    title, about : str
    name : str
        Name and variant in one: cards are told apart by it.
    variant : str, optional
        Which of the sizes or versions of its paper it is.
    year : int
    venue, paper_id : str, optional
        ``paper_id`` is an arXiv number or a DOI.
    code_repo, page : str, optional
        Where code is published, and a page that may have none.
    licence_code, licence_weights : str, optional
    level1, level2 : str
        See :mod:`~pellucid_robotics.policies.words`.
    tags : tuple of str
        What cuts across the levels.
    backbone, vision_encoder, language_encoder : str, optional
    n_params : int, optional
    action_head : str
    action_tokenizer : str, optional
        Needed where actions are tokens.
    action_space : tuple of Slot, optional
    chunk_len : int, optional
        Actions that it decides on at once.
    control_hz : float, optional
    reads : Reads
    embodiments, pretrain_datasets : tuple of str, optional
    intermediate : Intermediate, optional
        Needed of a hierarchical policy.
    requires_gpu_gb : float, optional
        To act, not to be trained.
    sources : tuple of str
        What the facts were read in.
    recalled : tuple of str
        Fields that were written down from memory and looked up nowhere.
    verified_on : date, optional
        When ``sources`` were read.
    results : tuple of ResultRow
    """

    title: Text
    about: Text
    name: Name
    variant: Text | None = None
    year: int = Field(ge=1960, le=2100)
    venue: Text | None = None
    paper_id: Text | None = None
    code_repo: Text | None = None
    page: Text | None = None
    licence_code: Text | None = None
    licence_weights: Text | None = None
    level1: Level1
    level2: Level2
    tags: tuple[Tag, ...] = ()
    backbone: Text | None = None
    n_params: int | None = Field(default=None, gt=0)
    vision_encoder: Text | None = None
    language_encoder: Text | None = None
    action_head: ActionHead
    action_tokenizer: Text | None = None
    action_space: tuple[Slot, ...] | None = Field(default=None, min_length=1)
    chunk_len: int | None = Field(default=None, ge=1)
    control_hz: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    reads: Reads = Reads()
    embodiments: tuple[Text, ...] | None = None
    pretrain_datasets: tuple[Text, ...] | None = None
    intermediate: Intermediate | None = None
    requires_gpu_gb: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    sources: tuple[Text, ...] = ()
    recalled: tuple[str, ...] = ()
    verified_on: datetime.date | None = None
    results: tuple[ResultRow, ...] = ()

    @model_validator(mode="after")
    def _fits_the_taxonomy(self) -> PolicyCard:
        if self.level2 not in LEVELS[self.level1]:
            raise ValueError(
                f"level2: {self.level1} policies are {' or '.join(LEVELS[self.level1])}, not {self.level2}"
            )
        if self.level1 == "hierarchical" and self.intermediate is None:
            raise ValueError("intermediate: a hierarchical policy has one; say of which kind")
        if self.action_head == "ar_token" and self.action_tokenizer is None:
            raise ValueError("action_tokenizer: actions that are tokens need one")
        return self

    @model_validator(mode="after")
    def _says_where_from(self) -> PolicyCard:
        for name in self.recalled:
            if name not in type(self).model_fields:
                raise ValueError(f"recalled: there is no field {name!r}{nearest(name, type(self).model_fields)}")
            if getattr(self, name) in (None, ()):
                raise ValueError(f"recalled: {name} is not known, so nobody recalled it")
        if self.sources and self.verified_on is None:
            raise ValueError("verified_on: say when the sources were read")
        if not self.sources and not self.recalled:
            raise ValueError("sources: say what the facts were read in, or which of them are recalled")
        return self

    @field_validator("results")
    @classmethod
    def _stand_once(cls, rows: tuple[ResultRow, ...]) -> tuple[ResultRow, ...]:
        seen: set[tuple[Any, ...]] = set()
        for row in rows:
            if row.key in seen:
                raise ValueError(f"{row.benchmark} {row.suite}, {row.metric}, {row.recipe!r} stands there twice")
            seen.add(row.key)
        return rows
