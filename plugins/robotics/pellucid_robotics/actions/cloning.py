"""The dataset ``action-chunks``: moments of recorded episodes, and the actions that followed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, JsonValue, ValidationError

from pellucid.data.arrays import ArrayDataset
from pellucid.data.dataset import Dataset
from pellucid.data.frozen import first_problem
from pellucid.data.spec import DataSpec, Frozen, Regression, Vector
from pellucid.errors import DataError, StudyError, nearest
from pellucid_robotics.actions.chunks import KnowsBodies
from pellucid_robotics.actions.embodiment import Embodiment
from pellucid_robotics.actions.slots import SIDES, SLOTS, place
from pellucid_robotics.trajectories.windows import GROUP, INPUT, EpisodeWindows

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
    slots : mapping of str to str
        Names of the episodes and their slots in the unified space. States and actions that have one are brought there, in its units, and
        are called by it; all others are left out. Inputs ``mask`` and ``rate`` then go along.
    grippers : mapping of str to (float, float)
        Of names in slots of grippers, their numbers where these are closed and open.
    frames : mapping of str to str
        Of each side with a pose of its end effector, what it is measured from.
    """

    source: str = "adroit-door"
    options: Mapping[str, JsonValue] = Field(default_factory=dict)
    chunk: int = Field(default=8, ge=1)
    history: int = Field(default=1, ge=1)
    stride: int = Field(default=4, ge=1)
    actions: tuple[str, ...] = ()
    slots: Mapping[str, str] = Field(default_factory=dict)
    grippers: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    frames: Mapping[str, str] = Field(default_factory=dict)


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
        self._check(source, config)
        episodes, called = source.episodes, source.group_of_episode
        state, action = _states_and_actions(source, config)
        rows, chunks, groups, ids = [], [], [], []
        for nth, episode in enumerate(episodes.episodes):
            moments = np.arange(0, len(episode) - config.chunk + 1, config.stride)
            if nth not in called or not len(moments):
                continue
            before = np.maximum(moments[:, None] - np.arange(config.history), 0)
            rows.append(state.taken(episode.values[before]).reshape(len(moments), -1))
            chunks.append(
                action.taken(episode.values[moments[:, None] + np.arange(config.chunk)]).reshape(len(moments), -1)
            )
            groups += [called[nth]] * len(moments)
            ids += [f"{called[nth]}@{moment}" for moment in moments]
        if not rows:
            raise DataError(
                f"{NAME}: no episode of {source.spec.name!r} has {config.chunk} steps; choose a shorter chunk"
            )
        names = tuple(f"{name} at step {step + 1}" for step in range(config.chunk) for name in action.called)
        inputs = tuple(
            f"{name}, {step} before" if step else name for step in range(config.history) for name in state.called
        )
        specs = {"state": Vector(names=inputs, units=state.units * config.history)}
        arrays = {"state": np.concatenate(rows).astype(np.float32)}
        if config.slots:
            specs |= {"mask": Vector(names=action.called), "rate": Vector(names=("rate_hz",), units=("Hz",))}
            arrays |= {"mask": np.ones((len(ids), len(action.called)), np.float32)}
            arrays |= {"rate": np.full((len(ids), 1), 1 / episodes.dt_s, np.float32)}
        frame = pd.DataFrame(
            np.concatenate(chunks).astype(np.float64),
            columns=[f"chunk:{name}" for name in names] if len(names) > 1 else ["chunk"],
            index=pd.Index(ids, name="sample"),
        )
        frame.insert(0, GROUP, groups)
        spec = DataSpec(
            name=NAME,
            inputs=specs,
            targets={
                "chunk": Regression(
                    names=names,
                    units=action.units * config.chunk,
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
        self._body = {"dt_s": episodes.dt_s, "slots": action.called}
        super().__init__(spec, frame, arrays)

    @staticmethod
    def _check(source: EpisodeWindows, config: ActionChunksConfig) -> None:
        """What options name must be there, before anything is read of the episodes."""
        known = source.episodes.names
        for own in (*config.slots, *config.grippers):
            if own not in known:
                raise DataError(f"{NAME}: {source.spec.name!r} has no {own!r}{nearest(own, known)}")
        if idle := [own for own in config.grippers if own not in config.slots]:
            raise StudyError(f"{NAME}: grippers name {idle[0]!r}, which has no slot; add it to slots")
        if strange := [side for side in config.frames if side not in SIDES]:
            raise StudyError(f"{NAME}: frames are of the sides {' and '.join(SIDES)}, not of {strange[0]!r}")
        if twice := [name for name, count in Counter(config.actions).items() if count > 1]:
            raise StudyError(f"{NAME}: actions name {twice[0]!r} twice")

    def ability(self, kind: Any) -> Any:
        """Of bodies nothing is known without slots."""
        return None if kind is KnowsBodies and not self.config.slots else super().ability(kind)

    def bodies(self, rows: npt.NDArray[np.integer]) -> list[Mapping[str, Any]]:
        """See :class:`~pellucid_robotics.actions.chunks.KnowsBodies`."""
        return [self._body] * len(rows)


def _states_and_actions(source: EpisodeWindows, config: ActionChunksConfig) -> tuple[_Part, _Part]:
    """What is read and what is asked for; refused where there is nothing of one of them."""
    episodes = source.episodes
    wanted = config.actions or episodes.actions
    strange = [name for name in wanted if name not in episodes.actions]
    states = [name for name in episodes.names if name not in episodes.actions]
    if strange or not wanted or not states:
        what = f"no action {strange[0]!r}" if strange else "no actions" if not wanted else "no states"
        raise DataError(
            f"{NAME}: {source.spec.name!r} has {what}; its actions: {', '.join(episodes.actions) or 'none'}"
        )
    state, action = (
        _Part(source, config, [one for one in some if not config.slots or one in config.slots])
        for some in (states, wanted)
    )
    if lacking := [what for what, part in (("states", state), ("actions", action)) if not part.names]:
        raise DataError(f"{NAME}: none of the {lacking[0]} of {source.spec.name!r} has a slot")
    return state, action


class _Part:
    """States or actions of episodes, as they are or in slots."""

    def __init__(self, source: EpisodeWindows, config: ActionChunksConfig, names: list[str]) -> None:
        every = source.episodes
        self.names, self._at = names, [every.names.index(name) for name in names]
        self.called, self.units = tuple(names), tuple(every.units[at] for at in self._at)
        self._robot: Embodiment | None = None
        if config.slots and names:
            chosen = {own: config.slots[own] for own in names}
            sides = {
                side: at for side, at in config.frames.items() if any(f"{side}_eef" in one for one in chosen.values())
            }
            try:
                self._robot = Embodiment.of_trajectory(
                    source.spec.name, source.spec.input(INPUT), chosen, grippers=config.grippers, frames=sides
                )
            except ValidationError as error:
                raise StudyError(f"{NAME}: {first_problem(error)[1]}") from None
            self.called = tuple(chosen.values())
            self.units = tuple(SLOTS[place(name)].unit for name in self.called)

    def taken(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """From shape (..., step, name) of an episode."""
        own = values[..., self._at]
        if self._robot is None:
            return own
        packed = self._robot.pack({name: own[..., at] for at, name in enumerate(self.names)})
        return packed.values[..., [place(name) for name in self.called]]
