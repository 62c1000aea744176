"""Made-up motions as points: a state, what is done, and how the state changes or what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import DataSpec, Frozen, Regression, Vector
from pellucid.errors import DataError
from pellucid_datasets.dynamics.systems import SYSTEMS, Floats, simulated

NAME = "dynamics-synthetic"

SystemName = Literal["lorenz63", "roessler", "lozi", "van-der-pol", "lorenz96"]


class DynamicsSyntheticConfig(Frozen):
    """Settings of :class:`DynamicsSynthetic`.

    Parameters
    ----------
    system : {"lorenz63", "roessler", "lozi", "van-der-pol", "lorenz96"}
    episodes : int
        Each starts somewhere else.
    steps : int
        Samples of an episode.
    dt : float, optional
        Time between two, the system's own by default.
    integrator : {"rk4", "euler"}
        How the system is moved. Next states of ``"euler"`` have known equations; those of ``"rk4"`` have none in closed form.
    derivatives : {"differences", "smoothed", "exact"}
        How the rates of change are had: from neighbouring samples, from a cubic through ``window`` samples (states are then smoothed by
        it too), or from the equations.
    window : int
        Samples of a smoothing window, odd.
    noise : float
        Standard deviation of noise on the states, as a share of each one's own.
    outliers : float
        Share of the episodes whose labels are broken: normal errors of ten standard deviations are added.
    seed : int
    """

    system: SystemName = "lorenz63"
    episodes: int = Field(default=20, ge=2)
    steps: int = Field(default=500, ge=8)
    dt: float | None = Field(default=None, gt=0)
    integrator: Literal["rk4", "euler"] = "rk4"
    derivatives: Literal["differences", "smoothed", "exact"] = "differences"
    window: int = Field(default=21, ge=5)
    noise: float = Field(default=0.0, ge=0)
    outliers: float = Field(default=0.0, ge=0, lt=0.5)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> DynamicsSyntheticConfig:
        if self.derivatives == "smoothed" and (self.window % 2 == 0 or self.window > self.steps):
            raise ValueError(
                f"window must be odd and no longer than an episode of {self.steps} steps, got {self.window}"
            )
        if SYSTEMS[self.system].discrete and self.dt is not None:
            raise ValueError(f"{self.system} is a map and has no time between steps; leave dt out")
        return self


class DynamicsSynthetic(ArrayDataset):
    """Points of motions whose equations are known, grouped by episode.

    The input ``state`` holds states and controls. The target ``rate`` is the rate of change of each state (``dx/dt``); a map has none. The
    target ``next`` is each state one step later. The last sample of an episode is left out, as nothing follows it.

    Raises
    ------
    DataError
        If a folder is given: nothing is read. If a motion leaves what numbers can hold.

    Examples
    --------
    >>> data = DynamicsSynthetic(DynamicsSyntheticConfig(episodes=2, steps=20))
    >>> data.true_equations("rate")["dx/dt"]
    {'x': -10.0, 'y': 10.0}
    """

    config_type = DynamicsSyntheticConfig

    def __init__(self, config: DynamicsSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        config = config or DynamicsSyntheticConfig()
        self.config = config
        self.system = SYSTEMS[config.system]
        self.dt = config.dt or self.system.dt
        count = len(self.system.states)
        with np.errstate(all="ignore"):
            try:
                motion = simulated(
                    self.system,
                    episodes=config.episodes,
                    steps=config.steps,
                    dt=self.dt,
                    seed=config.seed,
                    method=config.integrator,
                )
            except FloatingPointError as error:
                raise DataError(f"dataset {NAME!r}: {error}") from None
        seen = motion.noisy(config.noise, count, config.seed) if config.noise else motion.values
        later = seen[:, 1:, :count]
        columns: dict[str, np.ndarray] = {}
        if not self.system.discrete:
            seen, rates = self._rates(seen, motion.values)
            columns |= _columns("rate", [f"d{name}/dt" for name in self.system.states], rates[:, :-1])
        columns |= _columns("next", list(self.system.states), later)
        if config.outliers:
            columns = _with_outliers(columns, config)
        each = config.steps - 1
        episodes = [f"{config.system}-{config.seed}-{one}" for one in range(config.episodes)]
        frame = pd.DataFrame(
            {"episode": np.repeat(episodes, each), "time": np.tile(np.arange(each) * self.dt, config.episodes)}
            | columns,
            index=pd.Index([f"{one}@{at}" for one in episodes for at in range(each)], name="sample"),
        )
        values = seen[:, :-1].reshape(-1, len(self.system.names)).astype(np.float32)
        super().__init__(self._spec(), frame, {"state": values})

    def true_equations(self, target: str) -> Mapping[str, Mapping[str, float]]:
        """Of each output the coefficient of each term; see :class:`pellucid.data.abilities.KnowsEquations`."""
        if target == "rate" and not self.system.discrete:
            return {f"d{name}/dt": dict(terms) for name, terms in self.system.equations.items()}
        if target == "next" and self.system.discrete:
            return {name: dict(terms) for name, terms in self.system.equations.items()}
        if target == "next" and self.config.integrator == "euler":
            return self.system.euler_map(self.dt)
        return {}

    def _rates(self, seen: Floats, clean: Floats) -> tuple[Floats, Floats]:
        """States as they are handed on, and rates, shape (episode, step, state)."""
        count = len(self.system.states)
        if self.config.derivatives == "exact":
            return seen, self.system.change(clean)
        states = seen[..., :count]
        if self.config.derivatives == "differences":
            return seen, np.gradient(states, self.dt, axis=1, edge_order=2)
        from scipy.signal import savgol_filter

        smooth = savgol_filter(states, self.config.window, 3, axis=1)
        rates = savgol_filter(states, self.config.window, 3, deriv=1, delta=self.dt, axis=1)
        return np.concatenate([smooth, seen[..., count:]], -1), rates

    def _spec(self) -> DataSpec:
        system, config = self.system, self.config
        rates = tuple(f"d{name}/dt" for name in system.states)
        targets = {}
        if not system.discrete:
            targets["rate"] = Regression(
                names=rates, units=("1",) * len(rates), about=f"rates of change, {config.derivatives}"
            )
        targets["next"] = Regression(names=system.states, units=("1",) * len(system.states), about="one step later")
        return DataSpec(
            name=NAME,
            inputs={"state": Vector(names=system.names, units=("1",) * len(system.names))},
            targets=targets,
            groups=("episode",),
            namespace=NAME,
            group_word=("episode", "episodes"),
            about="Made up from known equations. A score here tells about the method, not about a machine.",
        )


def _columns(target: str, names: list[str], values: Floats) -> dict[str, np.ndarray]:
    return {f"{target}:{name}": values[..., at].ravel() for at, name in enumerate(names)}


def _with_outliers(columns: dict[str, np.ndarray], config: DynamicsSyntheticConfig) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([config.seed, 2])
    broken = np.zeros(config.episodes, bool)
    broken[rng.permutation(config.episodes)[: round(config.outliers * config.episodes)]] = True
    hit = np.repeat(broken, config.steps - 1)
    return {name: values + 10 * values.std() * rng.normal(size=len(values)) * hit for name, values in columns.items()}
