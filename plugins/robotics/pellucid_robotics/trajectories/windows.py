"""Windows of episodes: samples of one length, none of which reaches from one episode into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.samples import Arrays, Finding
from pellucid.data.spec import DataSpec, Frozen, MultiClass, Regression, Trajectory
from pellucid.data.subjects import pseudonym
from pellucid.errors import DataError, abridged, nearest
from pellucid_robotics.trajectories.episodes import Episodes

INPUT = "trajectory"
GROUP = "episode"


class EpisodesConfig(Frozen):
    """How episodes are cut, in every dataset of episodes.

    Parameters
    ----------
    length : int, optional
        Steps of a sample. By default the longest episode, so that each episode is one sample.
    stride : int, optional
        Steps from the begin of a sample to that of the next one in the same episode. By default ``length``.
    padding : bool
        Whether what is left at the end of an episode, and episodes that are shorter than a sample, are filled with masked steps.
        Otherwise they are left out, which the report says.
    one_step : {"refuse", "leave out"}
        What to do with an episode of one step.
    """

    length: int | None = Field(default=None, ge=2)
    stride: int | None = Field(default=None, ge=1)
    padding: bool = True
    one_step: Literal["refuse", "leave out"] = "refuse"


def windows(
    lengths: Sequence[int], length: int, stride: int | None = None, *, padding: bool = True
) -> npt.NDArray[np.int64]:
    """Where windows of one length begin in episodes.

    Parameters
    ----------
    lengths : sequence of int
        Steps of each episode.
    length, stride, padding
        See :class:`EpisodesConfig`.

    Returns
    -------
    ndarray of int, shape (window, 2)
        Episode and first step. With padding the last window of an episode may reach beyond its end, and every step lies in a window if
        the stride is not longer than the window.

    Examples
    --------
    >>> windows([5, 2], 2, padding=False).tolist(), windows([5], 2).tolist()
    ([[0, 0], [0, 2], [1, 0]], [[0, 0], [0, 2], [0, 4]])
    """
    stride = stride or length
    found = []
    for episode, steps in enumerate(lengths):
        start = 0
        while start + length <= steps:
            found.append((episode, start))
            start += stride
        # What the last whole window did not reach.
        if padding and start < steps and (start == 0 or start - stride + length < steps):
            found.append((episode, start))
    return np.array(found, np.int64).reshape(-1, 2)


class EpisodeWindows(Dataset):
    """Windows of episodes, as samples; the group of a sample is its episode."""

    episodes: Episodes
    config: Any

    def _take(
        self,
        name: str,
        episodes: Episodes,
        config: EpisodesConfig,
        *,
        classes: Sequence[str] = (),
        target: str = "label",
        namespace: str = "",
        about: str = "",
        group_word: tuple[str, str] = ("episode", "episodes"),
        people: bool = False,
        view: str = "",
    ) -> None:
        """Become the windows of these episodes.

        Parameters
        ----------
        name : str
        episodes : Episodes
        config : EpisodesConfig
        classes : sequence of str
            What episodes may be of, in this order; by default whatever labels there are, by name.
        target : str
            What the label is called.
        namespace : str
            Where names of episodes come from; ``name`` by default.
        about : str
        group_word : (str, str)
        people : bool
            Whether digests stand for names of episodes, as these may say who moved.
        view : str
            What draws an episode; the core's plain view by default.
        """
        given = {one.name for one in episodes.episodes}
        self.episodes = episodes = episodes.without_single_steps(config.one_step == "leave out", name)
        lengths = [len(one) for one in episodes.episodes]
        self._length = config.length or max(lengths)
        self._at = windows(lengths, self._length, config.stride, padding=config.padding)
        if not len(self._at):
            raise DataError(
                f"{name}: no episode has {self._length} steps, the longest has {max(lengths)}; choose a shorter length, or padding = true"
            )
        self._padded = bool((np.array(lengths)[self._at[:, 0]] < self._at[:, 1] + self._length).any())
        space = namespace or name

        def shown(episode: str) -> str:
            return pseudonym(episode, space) if people and episode in given else episode

        called = [shown(one.name) for one in episodes.episodes]
        lost = [called[at] for at in range(len(lengths)) if at not in set(self._at[:, 0].tolist())]
        if lost:
            short = Finding(name, f"{len(lost)} episodes are shorter than a sample", abridged(lost), "left out")
            self.findings = (*self.findings, short)
        self.findings = (*self.findings, *(replace(one, sample=shown(one.sample)) for one in episodes.findings))
        columns: dict[str, Any] = {
            GROUP: [
                called[at] if not episodes.episodes[at].group or people else episodes.episodes[at].group
                for at in self._at[:, 0]
            ]
        }
        targets: dict[str, Any] = {}
        labels = [one.label for one in episodes.episodes]
        classes = tuple(classes) or tuple(sorted({label for label in labels if label}))
        if len(classes) > 1:
            for one in episodes.episodes:
                if one.label and one.label not in classes:
                    raise DataError(
                        f"{one.shown}: is said to be {one.label!r}{nearest(one.label, classes)}; expected one of {', '.join(classes)}"
                    )
            number = {label: float(at) for at, label in enumerate(classes)}
            columns[target] = [number.get(labels[at], np.nan) for at in self._at[:, 0]]
            targets[target] = MultiClass(names=tuple(classes))
        if all(one.rewards is not None for one in episodes.episodes):
            columns["reward"] = [self._reward(at, start) for at, start in self._at]
            targets["reward"] = Regression(names=("reward",), units=("1",), about="mean reward of a step")
        once = np.bincount(self._at[:, 0], minlength=len(lengths)) == 1
        ids = [called[at] if once[at] else f"{called[at]} from step {start}" for at, start in self._at]
        self.frame = pd.DataFrame(columns, index=pd.Index(ids, name="sample"))
        self.spec = DataSpec(
            name=name,
            inputs={
                INPUT: Trajectory(
                    names=episodes.names,
                    actions=episodes.actions,
                    length=self._length,
                    dt_s=episodes.dt_s,
                    units=episodes.units,
                )
            },
            targets=targets,
            groups=(GROUP,),
            group_word=group_word,
            views={INPUT: view} if view else {},
            namespace=space,
            about=about,
        )
        self.check()

    @classmethod
    def opened_like(cls, config: Any, data: Path | None, learnt: DataSpec) -> Dataset:
        """Open other episodes, cut into samples as long as those that models have learnt from."""
        return cls(_as_long(config, learnt), data)  # type: ignore[call-arg]

    @classmethod
    def of_objects_like(cls, objects: Any, config: Any, learnt: DataSpec) -> Dataset:
        """Other episodes that are in memory, cut into samples as long as those that models have learnt from."""
        return cls.of_objects(objects, _as_long(config, learnt))

    def _reward(self, at: int, start: int) -> float:
        rewards = self.episodes.episodes[at].rewards
        assert rewards is not None
        return float(np.mean(rewards[start : start + self._length]))

    @property
    def group_of_episode(self) -> dict[int, str]:
        """By the position of each episode that samples are of, what its group is called: a digest, where names may say who moved."""
        return dict(zip(self._at[:, 0].tolist(), self.frame[GROUP], strict=True))

    def read(self, indices: npt.NDArray[np.integer]) -> Arrays:
        """Cut the windows; a mask says which steps there are, if any window of the dataset is padded."""
        names = len(self.episodes.names)
        values = np.zeros((len(indices), names, self._length), np.float32)
        mask = np.zeros((len(indices), names, self._length), bool)
        for row, index in enumerate(indices):
            at, start = self._at[index]
            own = self.episodes.episodes[at].values[start : start + self._length]
            values[row, :, : len(own)] = own.T
            mask[row, :, : len(own)] = True
        return Arrays({INPUT: values}, {INPUT: mask} if self._padded else {})


def _as_long(config: Any, learnt: DataSpec) -> Any:
    trajectory = learnt.inputs.get(INPUT)
    if not isinstance(config, EpisodesConfig) or not isinstance(trajectory, Trajectory):
        return config
    # The longest episode decides how long samples are, and among others another is the longest.
    return config.model_copy(update={"length": trajectory.length})
