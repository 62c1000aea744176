"""Made-up events as a dataset: no download, and it is known where each node is at any time."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import Frozen
from pellucid_datasets.meetings import Plan, meet
from pellucid_molecules.events.pairs import Clock, EventPairs

NAME = "events-synthetic"


class EventsSyntheticConfig(Frozen):
    """Settings of :class:`EventsSynthetic`.

    Parameters
    ----------
    groups, members : int
        Groups of nodes, and how many nodes each has.
    events : float
        How many to expect.
    swap : float
        When nodes change their groups, in [0, 1].
    apart : float
        Distance between groups; where it is 0 nothing changes.
    bins : int
        Of time.
    hidden : float
        Share of the time, at its end, that is hidden from learning.
    seed : int
    """

    groups: int = Field(default=3, ge=2, le=20)
    members: int = Field(default=4, ge=2, le=50)
    events: float = Field(default=4000.0, ge=50, le=1e6)
    swap: float = Field(default=0.5, gt=0, lt=1)
    apart: float = Field(default=2.2, ge=0, le=10)
    bins: int = Field(default=20, ge=2, le=1000)
    hidden: float = Field(default=0.1, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)


class EventsSynthetic(EventPairs):
    """Events between nodes in groups, most of which change half-way; all pairs, held out by pair.

    ``drawn`` says where each node is at any time, and how often any two of them meet
    (:class:`pellucid_datasets.meetings.Meetings`).

    Raises
    ------
    DataError
        If a folder is given: nothing is read, and numbers must not pass for those of the folder's data.
    """

    config_type = EventsSyntheticConfig

    def __init__(self, config: EventsSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        self.config = config = config or EventsSyntheticConfig()
        plan = Plan(config.groups, config.members, events=config.events, swap=config.swap, apart=config.apart)
        self.drawn = meet(config.seed, plan)
        super().__init__(
            name=NAME,
            namespace=NAME,
            about="Made up: nodes of one group meet often, and at a known time most of them change their group.",
            nodes=[f"node {at:02d}" for at in range(config.groups * config.members)],
            ends=self.drawn.ends,
            times=self.drawn.times,
            clock=Clock(),
            bins=config.bins,
            hidden=config.hidden,
        )

    @classmethod
    def example_data(cls) -> Dataset:
        """A few nodes."""
        return cls(EventsSyntheticConfig(events=600, bins=8, hidden=0.25))
