"""What some encoders can do beside encoding, asked for by protocols: an encoder has an ability if it has its methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from pellucid.batch import Batch

if TYPE_CHECKING:
    import numpy as np

    from pellucid.encoders.free_running import FreeRun
    from pellucid.encoders.rates import NodePaths


@runtime_checkable
class WeighsRelations(Protocol):
    """An encoder of graphs with several relations that says of each sample how much it went by which.

    A choice is what it weighs: a relation, a chain of them, or none. Choices stand in sets (one a layer), and within each set their
    weights add up to one.
    """

    @property
    def choice_names(self) -> tuple[str, ...]:
        """Names of the choices, those of a set one after the other."""

    @property
    def choice_sets(self) -> tuple[int, ...]:
        """Of each choice, which set it stands in, from 0."""

    @property
    def choice_relations(self) -> tuple[tuple[int, ...], ...]:
        """Of each choice, which of the spec's relations it needs; empty where none."""

    def choice_weights(self, batch: Batch) -> Tensor:
        """Weights of the choices, shape (sample, choice); 0 where a sample's input is missing."""


@runtime_checkable
class WithPatches(Protocol):
    """An encoder that can show what stands behind each token: numbers along an axis."""

    patch_axis: str
    """What the axis is, with its unit: ``"frequency (Hz)"``."""

    patch_values: str
    """What the numbers are, with their unit."""

    def patches(self, batch: Batch) -> Tensor:
        """Shape (sample, token, value)."""

    def patch_positions(self) -> Tensor:
        """Where along the axis each value is, shape (token, value); NaN where it is padding."""


@runtime_checkable
class KnowsLinks(Protocol):
    """An encoder that can be asked which links it knows, and what it would say without some of them."""

    @property
    def pair_name(self) -> str:
        """Name of the input that says which two nodes a sample is about."""

    def known_links(self) -> np.ndarray:
        """Numbers of the nodes of each link it knows, int64, shape (link, 2)."""

    def without_links(self, links: np.ndarray) -> Any:
        """A copy that does not know these links."""


@runtime_checkable
class KnowsRates(Protocol):
    """An encoder that says of two nodes how many events to expect in each bin of time, whether they were learnt from or not."""

    @property
    def pair_name(self) -> str:
        """Name of the input that says which two nodes a sample is about."""

    @property
    def events_name(self) -> str:
        """Name of the input that holds events: number in each bin first, masked where a bin is hidden from learning."""

    def expected(self, pairs: Tensor) -> Tensor:
        """Expected number of events in each bin, float64, shape (pair, bin), of the nodes in ``pairs``, shape (pair, 2)."""

    def paths(self) -> NodePaths | None:
        """The paths of its nodes; None where they have none."""


@runtime_checkable
class HasPrompts(Protocol):
    """An encoder that reads inputs which say under which conditions something was recorded, and are no part of it."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """Names of these inputs. Zeros mean that nothing is said. Protocols ask what a score owes to prompts alone."""


@runtime_checkable
class RunsFree(Protocol):
    """An encoder that is a model of how its input moves, and can go on without it."""

    @property
    def input_name(self) -> str:
        """Name of the input, which has channels over time."""

    @property
    def code_names(self) -> tuple[str, ...]:
        """Names of its regions, in the order of their codes; empty where it has none."""

    def states(self, batch: Batch) -> Tensor:
        """Its state at each step while it sees the input up to there, shape (sample, step, unit)."""

    def free_run(self, start: Tensor, steps: int) -> FreeRun:
        """Go on from some states, shape (run, unit), for so many steps that it sees nothing of."""


@runtime_checkable
class ForecastsLevels(Protocol):
    """An encoder that says after each step of a trajectory what it will see next, of names that are one of several levels."""

    @property
    def input_name(self) -> str:
        """Name of the input, a trajectory with levels."""

    def forecasts(self, batch: Batch) -> Mapping[str, Tensor]:
        """Of each state the logarithm of the chance of each level at the next step, shape (sample, step, level).

        What it says at a step rests on the steps up to there and on what was done at it, and on nothing later.
        """
