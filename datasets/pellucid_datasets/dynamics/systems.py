"""Systems of few equations: each as a sum of terms, from which both the motion and the truth are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Equations = Mapping[str, Mapping[str, float]]
"""Of each state, the coefficient of each term: ``{"x": {"y": 10.0, "x": -10.0}}``."""


@dataclass(frozen=True)
class System:
    """States that change by known equations.

    Parameters
    ----------
    states : tuple of str
    equations : mapping of str to mapping of str to float
        Of each state its rate of change, or of a map its next value. Terms are products (``"x^2*y"``, ``"1"``), where ``"|x|"`` is a
        factor too.
    low, high : tuple of float
        Where episodes start, uniformly in each state.
    dt : float
        From one sample to the next that shows the motion well, in the system's own time.
    controls : tuple of str
        What is done to it: each is drawn anew every few steps, uniformly from -1 to 1.
    discrete : bool
        Whether it is a map.
    settle : int
        Steps that are left out at the start of an episode, until it moves as it always does.
    """

    states: tuple[str, ...]
    equations: Equations
    low: tuple[float, ...]
    high: tuple[float, ...]
    dt: float
    controls: tuple[str, ...] = ()
    discrete: bool = False
    settle: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """States, then controls."""
        return (*self.states, *self.controls)

    def change(self, values: Floats) -> Floats:
        """Rates of change of the states, or of a map their next values.

        Parameters
        ----------
        values : ndarray, shape (..., state and control)
        """
        column = {name: values[..., at] for at, name in enumerate(self.names)}
        found = np.zeros((*values.shape[:-1], len(self.states)))
        for at, state in enumerate(self.states):
            for term, coefficient in self.equations[state].items():
                found[..., at] += coefficient * _worth(term, column)
        return found

    def step(self, values: Floats, dt: float, method: Literal["rk4", "euler"]) -> Floats:
        """The next states, with controls held; a map has its own steps."""
        if self.discrete:
            return self.change(values)
        states, controls = values[..., : len(self.states)], values[..., len(self.states) :]

        def rate(where: Floats) -> Floats:
            return self.change(np.concatenate([where, controls], -1))

        first = rate(states)
        if method == "euler":
            return states + dt * first
        second = rate(states + dt / 2 * first)
        third = rate(states + dt / 2 * second)
        fourth = rate(states + dt * third)
        return states + dt / 6 * (first + 2 * second + 2 * third + fourth)

    def euler_map(self, dt: float) -> Equations:
        """The next value of each state as Euler's method has it: the state, and a step of its rate."""
        found = {}
        for state, terms in self.equations.items():
            later = {term: dt * one for term, one in terms.items()}
            later[state] = later.get(state, 0.0) + 1.0
            found[state] = later
        return found


def _worth(term: str, column: Mapping[str, Floats]) -> Floats | float:
    whole: Floats | float = 1.0
    for factor in term.split("*") if term != "1" else ():
        name, _, power = factor.partition("^")
        one = np.abs(column[name.strip("|")]) if name.startswith("|") else column[name]
        whole = whole * one ** int(power or 1)
    return whole


def lorenz96(count: int = 6, force: float = 8.0) -> System:
    """A ring of states, each moved by its neighbours."""
    states = tuple(f"x{at + 1}" for at in range(count))

    def product(one: int, other: int) -> str:
        # Factors stand in the order of the states, as a library names them.
        return "*".join(states[at] for at in sorted((one % count, other % count)))

    equations = {
        state: {"1": force, state: -1.0, product(at - 1, at + 1): 1.0, product(at - 1, at - 2): -1.0}
        for at, state in enumerate(states)
    }
    return System(states, equations, (force - 2,) * count, (force + 2,) * count, dt=0.01, settle=500)


SYSTEMS: Mapping[str, System] = {
    "lorenz63": System(
        ("x", "y", "z"),
        {"x": {"x": -10.0, "y": 10.0}, "y": {"x": 28.0, "y": -1.0, "x*z": -1.0}, "z": {"z": -8 / 3, "x*y": 1.0}},
        (-15, -20, 10),
        (15, 20, 40),
        dt=0.002,
        settle=500,
    ),
    "roessler": System(
        ("x", "y", "z"),
        {"x": {"y": -1.0, "z": -1.0}, "y": {"x": 1.0, "y": 0.2}, "z": {"1": 0.2, "z": -5.7, "x*z": 1.0}},
        (-5, -5, 0),
        (5, 5, 1),
        dt=0.01,
        settle=1000,
    ),
    "lozi": System(
        ("x", "y"),
        {"x": {"1": 1.0, "|x|": -1.7, "y": 1.0}, "y": {"x": 0.5}},
        (-0.1, -0.1),
        (0.1, 0.1),
        dt=1.0,
        discrete=True,
        settle=100,
    ),
    "van-der-pol": System(
        ("x", "v"),
        {"x": {"v": 1.0}, "v": {"v": 2.0, "x^2*v": -2.0, "x": -1.0, "u": 1.0}},
        (-2, -2),
        (2, 2),
        dt=0.01,
        controls=("u",),
    ),
    "lorenz96": lorenz96(),
}
"""By name. Lorenz (1963), doi:10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2; Roessler (1976), doi:10.1016/0375-9601(76)90101-8; Lozi (1978),
doi:10.1051/jphyscol:1978505; van der Pol (1926); Lorenz (1996), Predictability: a problem partly solved. None has a unit: time and states
are numbers."""

HELD = 20
"""Steps for which a control keeps its value."""


@dataclass(frozen=True)
class Motion:
    """Episodes of a system.

    Parameters
    ----------
    values : ndarray, shape (episode, step, state and control)
        As they are; the last step has no successor.
    """

    values: Floats

    def noisy(self, share: float, states: int, seed: int) -> Floats:
        """The values with normal noise on the states, in standard deviations of each over all episodes; controls are known."""
        rng = np.random.default_rng([seed, 1])
        found = self.values.copy()
        size = self.values[..., :states].std(axis=(0, 1))
        found[..., :states] += share * size * rng.normal(size=found[..., :states].shape)
        return found


def simulated(
    system: System,
    *,
    episodes: int,
    steps: int,
    dt: float,
    seed: int,
    method: Literal["rk4", "euler"] = "rk4",
    inner: int = 1,
) -> Motion:
    """Let a system move, each episode from a start of its own.

    Parameters
    ----------
    system : System
    episodes, steps : int
    dt : float
        Between two steps.
    seed : int
        Of starts and controls; the first episodes are the same however many there are.
    method : {"rk4", "euler"}
    inner : int
        Steps of the method between two that are kept.

    Raises
    ------
    FloatingPointError
        If a motion leaves what numbers can hold.

    Examples
    --------
    >>> simulated(SYSTEMS["lorenz63"], episodes=2, steps=5, dt=0.01, seed=0).values.shape
    (2, 5, 3)
    """
    drawn = [np.random.default_rng([seed, 0, one]) for one in range(episodes)]
    states = np.stack([rng.uniform(system.low, system.high) for rng in drawn])
    whole = system.settle + steps
    held = -(-whole // HELD)
    controls = np.stack([rng.uniform(-1, 1, (held, len(system.controls))) for rng in drawn])
    found = np.empty((episodes, steps, len(system.names)))
    for at in range(whole):
        now = np.concatenate([states, controls[:, at // HELD]], -1)
        if at >= system.settle:
            found[:, at - system.settle] = now
        for _ in range(inner):
            states = system.step(np.concatenate([states, controls[:, at // HELD]], -1), dt / inner, method)
    if not np.isfinite(found).all():
        raise FloatingPointError(f"a motion grew without end: take a smaller step than {dt:g}, or rk4 for euler")
    return Motion(found)
