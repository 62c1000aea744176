"""Cards of what policies are tried on and of what they are trained on."""

from __future__ import annotations

import datetime

from pydantic import Field, field_validator, model_validator

from pellucid.data.frozen import Frozen
from pellucid_robotics.policies.cards import Name, Slot
from pellucid_robotics.policies.results import Text
from pellucid_robotics.policies.words import AVERAGE, Metric


class Suite(Frozen):
    """Tasks of a benchmark that are counted together.

    Parameters
    ----------
    name : str
    tasks : int, optional
    episodes_per_task, max_steps : int, optional
        As the benchmark, or its usual evaluation, sets them.
    about : str, optional
    """

    name: Name
    tasks: int | None = Field(default=None, ge=1)
    episodes_per_task: int | None = Field(default=None, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    about: Text | None = None


class Facts(Frozen):
    """What cards of both kinds say."""

    title: Text
    about: Text
    name: Name
    year: int | None = Field(default=None, ge=1960, le=2100)
    paper_id: Text | None = None
    code_repo: Text | None = None
    licence: Text | None = None
    sources: tuple[Text, ...] = ()
    recalled: tuple[str, ...] = ()
    verified_on: datetime.date | None = None

    @model_validator(mode="after")
    def _says_where_from(self) -> Facts:
        if self.sources and self.verified_on is None:
            raise ValueError("verified_on: say when the sources were read")
        if not self.sources and not self.recalled:
            raise ValueError("sources: say what the facts were read in, or which of them are recalled")
        return self


class BenchmarkCard(Facts):
    """A benchmark: its suites, its splits, and what success is.

    Parameters
    ----------
    title, about, name : str
    year : int, optional
    paper_id, code_repo, licence : str, optional
    success : str, optional
    metrics : tuple of str
    splits : tuple of str
        What is trained on and what is tried, where there are several ways; else ``"standard"``.
    control_hz : float, optional
    suites : tuple of Suite
    sources, recalled, verified_on
        As on the card of a policy.
    """

    success: Text | None = None
    metrics: tuple[Metric, ...] = Field(min_length=1)
    splits: tuple[Text, ...] = Field(default=("standard",), min_length=1)
    control_hz: float | None = Field(default=None, gt=0)
    suites: tuple[Suite, ...] = Field(min_length=1)

    @field_validator("suites")
    @classmethod
    def _stand_once(cls, suites: tuple[Suite, ...]) -> tuple[Suite, ...]:
        names = [suite.name for suite in suites]
        if len(set(names)) < len(names) or AVERAGE in names:
            raise ValueError(f"each suite has a name of its own, and none is called {AVERAGE!r}")
        return suites


class CorpusCard(Facts):
    """What policies are trained on.

    Parameters
    ----------
    title, about, name : str
    year : int, optional
    paper_id, code_repo, licence : str, optional
    episodes : int, optional
    hours, fps : float, optional
    embodiments, modalities : tuple of str, optional
    action_space : tuple of Slot, optional
    split_unit : str, optional
        What is held out together: ``"episode"``, ``"scene"``, ``"object"``, ``"task"``.
    sources, recalled, verified_on
        As on the card of a policy.
    """

    episodes: int | None = Field(default=None, gt=0)
    hours: float | None = Field(default=None, gt=0)
    fps: float | None = Field(default=None, gt=0)
    embodiments: tuple[Text, ...] | None = None
    modalities: tuple[Text, ...] | None = None
    action_space: tuple[Slot, ...] | None = Field(default=None, min_length=1)
    split_unit: Text | None = None
