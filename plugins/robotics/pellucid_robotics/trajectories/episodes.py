"""Episodes: recordings of different length of the same states and actions, checked as they come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pellucid.data.samples import Finding
from pellucid.errors import DataError, abridged, nearest

TOLERANCE = 0.05
"""How far a time step may be from the usual one, as a share of it."""


@dataclass(frozen=True)
class Episode:
    """One recording from its begin to its end.

    Parameters
    ----------
    name : str
        What people call it.
    values : ndarray of float, shape (step, name)
        States and actions, in the order of :attr:`Episodes.names`.
    label : str
        What it is of, where that is known; empty where it is not.
    rewards : ndarray of float, shape (step,), optional
    where : str
        What an error calls it: its file, and its place in it. Its name by default.
    group : str
        What must not stand on both sides of a split with it; its name by default.
    """

    name: str
    values: npt.NDArray[np.floating]
    label: str = ""
    rewards: npt.NDArray[np.floating] | None = None
    where: str = ""
    group: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shown(self) -> str:
        """What an error calls it."""
        return self.where or self.name


@dataclass(frozen=True)
class Episodes:
    """Episodes of the same states and actions, at the same pace.

    Parameters
    ----------
    names : tuple of str
        States and actions.
    actions : tuple of str
        Those of the names that were done and not observed.
    units : tuple of str
        One a name.
    dt_s : float
        From one step to the next.
    episodes : tuple of Episode
    findings : tuple of Finding
        What a reader of a score must know of them.

    Raises
    ------
    DataError
        If names, actions and units do not fit each other, there is no episode, two have one name, or a value is NaN or infinite: names
        the episode, the step (from 0) and the name.
    """

    names: tuple[str, ...]
    actions: tuple[str, ...]
    units: tuple[str, ...]
    dt_s: float
    episodes: tuple[Episode, ...]
    findings: tuple[Finding, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.episodes:
            raise DataError("there is no episode")
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise DataError(f"names must differ from each other, and {abridged(twice)} stands more than once")
        for action in self.actions:
            if action not in self.names:
                raise DataError(
                    f"there is no action {action!r}{nearest(action, self.names)}; names: {abridged(self.names, 20)}"
                )
        if len(self.units) != len(self.names):
            raise DataError(f"{len(self.names)} names but {len(self.units)} units; there must be one for each")
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise DataError(f"steps are {self.dt_s:g} s apart; that must be more than 0")
        for episode in self.episodes:
            self._check(episode)
        if twice := [name for name, count in Counter(one.name for one in self.episodes).items() if count > 1]:
            raise DataError(f"two episodes have the same name: {abridged(twice)}")

    def __len__(self) -> int:
        return len(self.episodes)

    @property
    def states(self) -> tuple[str, ...]:
        """The names that are no actions."""
        return tuple(name for name in self.names if name not in self.actions)

    def _check(self, episode: Episode) -> None:
        values = episode.values
        if values.ndim != 2 or values.shape[1] != len(self.names):
            raise DataError(
                f"{episode.shown}: has shape {values.shape}, expected steps and {len(self.names)} names "
                f"({abridged(self.names, 8)})"
            )
        if not len(values):
            raise DataError(f"{episode.shown}: has no step")
        if values.dtype.kind not in "fiu":
            raise DataError(f"{episode.shown}: holds {values.dtype}, expected numbers")
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            step, column = bad[0]
            what = "NaN" if np.isnan(values[step, column]) else "infinite"
            raise DataError(
                f"{episode.shown}, step {step}: {self.names[column]!r} is {what} ({len(bad):,} values of this episode in all); mend the "
                "recording, or leave the episode out"
            )
        beyond = np.argwhere(np.abs(values) > np.finfo(np.float32).max)
        if len(beyond):
            step, column = beyond[0]
            raise DataError(
                f"{episode.shown}, step {step}: {self.names[column]!r} is {values[step, column]:g}, beyond single precision"
            )
        if episode.rewards is not None and (
            len(episode.rewards) != len(values) or not np.isfinite(episode.rewards).all()
        ):
            raise DataError(
                f"{episode.shown}: {len(values)} steps but {len(episode.rewards)} rewards, or one is no number"
            )

    def without_single_steps(self, keep_out: bool, name: str) -> Episodes:
        """These without episodes of one step, in which nothing moves.

        Parameters
        ----------
        keep_out : bool
            Whether they are left out and listed, or refused.
        name : str
            Of the dataset, for messages.

        Raises
        ------
        DataError
            If they are refused, or nothing is left.
        """
        short = [one for one in self.episodes if len(one) == 1]
        if not short:
            return self
        if not keep_out:
            raise DataError(
                f"{short[0].shown}: has one step, in which nothing moves ({len(short):,} of {len(self):,} episodes have); leave them out "
                f'with one_step = "leave out" in [options.{name}]'
            )
        if len(short) == len(self):
            raise DataError(f"{short[0].shown}: has one step, as have all episodes; nothing moves in them")
        found = tuple(Finding(one.name, "an episode of one step", "", "left out") for one in short)
        rest = tuple(one for one in self.episodes if len(one) > 1)
        return Episodes(self.names, self.actions, self.units, self.dt_s, rest, (*self.findings, *found))

    def transitions(self) -> Iterator[tuple[Episode, npt.NDArray[np.floating], npt.NDArray[np.floating]]]:
        """Of each episode all names at each step but the last, and the states one step later."""
        states = [self.names.index(name) for name in self.states]
        for episode in self.episodes:
            yield episode, episode.values[:-1], episode.values[1:, states]


def steady_dt(times_s: npt.ArrayLike, where: str, tolerance: float = TOLERANCE) -> float:
    """The time between steps, if it is the same throughout.

    Parameters
    ----------
    times_s : array_like, shape (step,)
    where : str
        File and episode, for messages.
    tolerance : float
        How far a step may be from the usual one (the median), as a share of it.

    Raises
    ------
    DataError
        If a time is no number, time does not go forward, or a step is longer or shorter: says which is the first.

    Examples
    --------
    >>> round(steady_dt([0.0, 0.1, 0.2, 0.301], "episode 1"), 3)
    0.1
    """
    times = np.asarray(times_s, np.float64)
    if len(times) < 2:
        raise DataError(f"{where}: has one time, which does not say how far apart steps are; say dt_s")
    if not np.isfinite(times).all():
        raise DataError(f"{where}, step {int(np.argmin(np.isfinite(times)))}: time is no number")
    between = np.diff(times)
    usual = float(np.median(between))
    back = between <= 0
    if back.any():
        step = int(back.argmax()) + 1
        raise DataError(
            f"{where}, step {step}: time goes from {times[step - 1]:g} s to {times[step]:g} s; it must go forward"
        )
    off = np.abs(between - usual) > tolerance * usual
    if off.any():
        step = int(off.argmax()) + 1
        raise DataError(
            f"{where}, step {step}: {between[step - 1]:g} s after the last one, where {usual:g} s is usual ({int(off.sum())} steps are "
            f"off by more than {tolerance:.0%}); resample it to even steps, cut it where it was interrupted, or raise dt_tolerance"
        )
    return float(between.mean())


def common_dt(found: Sequence[tuple[str, float]], tolerance: float = TOLERANCE) -> float:
    """The time between steps that several episodes have in common.

    Raises
    ------
    DataError
        If one has another: names it.
    """
    usual = float(np.median([dt for _, dt in found]))
    for where, dt in found:
        if abs(dt - usual) > tolerance * usual:
            raise DataError(
                f"{where}: steps are {dt:g} s apart, where {usual:g} s is usual; resample it to the pace of the others"
            )
    return usual
