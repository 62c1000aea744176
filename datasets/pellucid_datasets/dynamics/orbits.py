"""Made-up motions as stretches of orbits, and on which side they are a little later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from pellucid.data.arrays import ArrayDataset
from pellucid.data.made_up import refuse_folder
from pellucid.data.spec import Binary, DataSpec, Frozen, Regression, Trajectory
from pellucid.errors import DataError
from pellucid_datasets.dynamics.points import SystemName
from pellucid_datasets.dynamics.systems import SYSTEMS, simulated

NAME = "orbits-synthetic"


class OrbitsSyntheticConfig(Frozen):
    """Settings of :class:`OrbitsSynthetic`.

    Parameters
    ----------
    system : {"lorenz63", "roessler", "lozi", "van-der-pol", "lorenz96"}
    episodes : int
        Orbits, each from a start of its own.
    samples : int
        Stretches of an orbit, one after the other.
    length : int
        Steps of a stretch.
    ahead : int
        How many steps after a stretch the targets are.
    dt : float, optional
        Time from one step to the next, the system's own by default. A unit of a system's time counts as a second, a step of a map too.
    noise : float
        Standard deviation of noise on the states that are shown, as a share of each one's own; targets have none.
    seed : int
    """

    system: SystemName = "lorenz63"
    episodes: int = Field(default=20, ge=2)
    samples: int = Field(default=5, ge=1)
    length: int = Field(default=200, ge=2)
    ahead: int = Field(default=10, ge=1)
    dt: float | None = Field(default=None, gt=0)
    noise: float = Field(default=0.0, ge=0)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> OrbitsSyntheticConfig:
        if SYSTEMS[self.system].discrete and self.dt is not None:
            raise ValueError(f"{self.system} is a map and has no time between steps; leave dt out")
        return self


class OrbitsSynthetic(ArrayDataset):
    """Stretches of orbits of known systems, grouped by orbit.

    The input ``orbit`` holds the states (and controls) of each step. The target ``later`` is each state some steps after the stretch, the
    target ``side`` whether the first state is then above its median over all orbits.

    Raises
    ------
    DataError
        If a folder is given: nothing is read. If a motion leaves what numbers can hold.

    Examples
    --------
    >>> data = OrbitsSynthetic(OrbitsSyntheticConfig(episodes=2, samples=3, length=20))
    >>> len(data), data[0].inputs["orbit"].shape
    (6, (3, 20))
    """

    config_type = OrbitsSyntheticConfig

    def __init__(self, config: OrbitsSyntheticConfig | None = None, data: Path | None = None) -> None:
        refuse_folder(NAME, data)
        self.config = config = config or OrbitsSyntheticConfig()
        self.system = system = SYSTEMS[config.system]
        self.dt = config.dt or system.dt
        count, whole = len(system.states), config.samples * config.length
        with np.errstate(all="ignore"):
            try:
                motion = simulated(
                    system, episodes=config.episodes, steps=whole + config.ahead, dt=self.dt, seed=config.seed
                )
            except FloatingPointError as error:
                raise DataError(f"dataset {NAME!r}: {error}") from None
        seen = motion.noisy(config.noise, count, config.seed) if config.noise else motion.values
        orbits = seen[:, :whole].reshape(-1, config.length, len(system.names)).transpose(0, 2, 1).astype(np.float32)
        at = config.length * np.arange(1, config.samples + 1) - 1 + config.ahead
        later = motion.values[:, at, :count].reshape(-1, count)
        side = (later[:, 0] > np.median(motion.values[..., 0])).astype(float)
        names = [f"{config.system}-{config.seed}-{one}" for one in range(config.episodes)]
        frame = pd.DataFrame(
            {"episode": np.repeat(names, config.samples), "side": side}
            | {f"later:{name}": later[:, place] for place, name in enumerate(system.states)},
            index=pd.Index(
                [f"{one}@{start}" for one in names for start in range(0, whole, config.length)], name="sample"
            ),
        )
        super().__init__(self._spec(), frame, {"orbit": orbits})

    def _spec(self) -> DataSpec:
        system, config = self.system, self.config
        when = f"{config.ahead} steps after the stretch"
        first = system.states[0]
        path = Trajectory(
            names=system.names,
            actions=system.controls,
            length=config.length,
            dt_s=self.dt,
            units=("1",) * len(system.names),
        )
        return DataSpec(
            name=NAME,
            inputs={"orbit": path},
            targets={
                "side": Binary(
                    names=(f"low {first}", f"high {first}"), about=f"whether {first} is above its median {when}"
                ),
                "later": Regression(names=system.states, units=("1",) * len(system.states), about=f"the states {when}"),
            },
            groups=("episode",),
            namespace=NAME,
            group_word=("orbit", "orbits"),
            views={"orbit": "phase-portrait"},
            about="Made up from known equations. A score here tells about the method, not about a machine.",
        )
