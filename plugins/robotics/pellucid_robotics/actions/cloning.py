"""The dataset ``action-chunks``: moments of recorded episodes, and the actions that followed them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, JsonValue

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec, Frozen, Regression, Vector
from pellucid.errors import DataError, StudyError
from pellucid_robotics.trajectories.windows import GROUP, EpisodeWindows

NAME = "action-chunks"


class ActionChunksConfig(Frozen):
    """Options of :class:`ActionChunks`.

    Parameters
    ----------
    source : str
        Dataset of episodes: ``adroit-door``, ``lerobot-tree``, ``trajectory-arrays`` ...
    options : mapping
        Its options.
    chunk : int
        Actions that follow, from the moment's own on.
    history : int
        Moments whose states are read: the sample's own and those before; before the begin of an episode its first one stands.
    stride : int
        Steps from one sample to the next in an episode.
    actions : tuple of str
        Which actions are asked for, all by default.
    """

    source: str = "adroit-door"
    options: Mapping[str, JsonValue] = Field(default_factory=dict)
    chunk: int = Field(default=8, ge=1)
    history: int = Field(default=1, ge=1)
    stride: int = Field(default=4, ge=1)
    actions: tuple[str, ...] = ()


class ActionChunks(ArrayDataset):
    """What a policy is cloned from: the states at a moment of an episode (``state``), and the actions of the next steps (``chunk``).

    Episodes are those of another dataset, from which the group, its names and its units come: a model that has learnt from an episode
    here is refused on it there. The last steps of an episode, of which a whole chunk is not left, are no samples.

    Parameters
    ----------
    config : ActionChunksConfig, optional
    data : Path
        Where the other dataset is.

    Raises
    ------
    DataError
        If its episodes have no states or no actions, or none is long enough.
    """

    config_type = ActionChunksConfig

    def __init__(self, config: ActionChunksConfig | None = None, data: Path | None = None) -> None:
        from pellucid.opening import opened

        config = config or ActionChunksConfig()
        self._become(opened(config.source, data, config.options), config)

    @classmethod
    def of_dataset(cls, source: Dataset, config: ActionChunksConfig | None = None) -> ActionChunks:
        """Of episodes that are open already."""
        made = cls.__new__(cls)
        made._become(source, config or ActionChunksConfig())
        return made

    @classmethod
    def example_data(cls) -> Dataset:
        """Of made-up demonstrations."""
        from pellucid_robotics.trajectories.hdf5 import AlohaHdf5

        made = cls.of_dataset(AlohaHdf5.example_data(), ActionChunksConfig(chunk=2, stride=2))
        # The card speaks of no dataset in particular.
        made.spec = made.spec.model_copy(update={"namespace": NAME})
        return made

    def _become(self, source: Dataset, config: ActionChunksConfig) -> None:
        if not isinstance(source, EpisodeWindows):
            raise StudyError(f"{NAME}: {source.spec.name!r} is no dataset of episodes of this plugin")
        episodes = source.episodes
        wanted = config.actions or episodes.actions
        strange = [name for name in wanted if name not in episodes.actions]
        states = [name for name in episodes.names if name not in episodes.actions]
        if strange or not wanted or not states:
            what = f"no action {strange[0]!r}" if strange else "no actions" if not wanted else "no states"
            raise DataError(
                f"{NAME}: {source.spec.name!r} has {what}; its actions: {', '.join(episodes.actions) or 'none'}"
            )
        at = {name: place for place, name in enumerate(episodes.names)}
        own, done = [at[name] for name in states], [at[name] for name in wanted]
        # What groups are called where names are digests: a window of each episode says it.
        called = dict(zip(source._at[:, 0].tolist(), source.frame[GROUP], strict=True))
        rows, chunks, groups, ids = [], [], [], []
        for place, episode in enumerate(episodes.episodes):
            moments = np.arange(0, len(episode) - config.chunk + 1, config.stride)
            if place not in called or not len(moments):
                continue
            before = np.maximum(moments[:, None] - np.arange(config.history), 0)
            rows.append(episode.values[before][:, :, own].reshape(len(moments), -1))
            chunks.append(
                episode.values[moments[:, None] + np.arange(config.chunk)][:, :, done].reshape(len(moments), -1)
            )
            groups += [called[place]] * len(moments)
            ids += [f"{called[place]}@{moment}" for moment in moments]
        if not rows:
            raise DataError(
                f"{NAME}: no episode of {source.spec.name!r} has {config.chunk} steps; choose a shorter chunk"
            )
        unit = dict(zip(episodes.names, episodes.units, strict=True))
        names = tuple(f"{name} at step {step + 1}" for step in range(config.chunk) for name in wanted)
        inputs = tuple(
            name if not step else f"{name}, {step} before" for step in range(config.history) for name in states
        )
        frame = pd.DataFrame(
            np.concatenate(chunks).astype(np.float64),
            columns=[f"chunk:{name}" for name in names] if len(names) > 1 else ["chunk"],
            index=pd.Index(ids, name="sample"),
        )
        frame.insert(0, GROUP, groups)
        spec = DataSpec(
            name=NAME,
            inputs={"state": Vector(names=inputs, units=tuple(unit[name] for name in states) * config.history)},
            targets={
                "chunk": Regression(
                    names=names,
                    units=tuple(unit[name] for name in wanted) * config.chunk,
                    about=f"the actions of the next {config.chunk} steps",
                )
            },
            groups=(GROUP,),
            group_word=source.spec.group_word,
            namespace=source.spec.namespace,
            views={"state": "robotics/action-table"},
            about=source.spec.about,
        )
        self.config: Any = config
        self.findings = source.findings
        super().__init__(spec, frame, {"state": np.concatenate(rows).astype(np.float32)})
