"""A dataset of arrays in memory, checked against its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pellucid.data.dataset import Dataset
from pellucid.data.graphs import Graphs
from pellucid.data.samples import Arrays
from pellucid.data.spec import DataSpec
from pellucid.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.data.inputs import Graph, Trajectory


class ArrayDataset(Dataset):
    """A dataset whose inputs are arrays in memory.

    Parameters
    ----------
    spec : DataSpec
    frame : DataFrame
    inputs : mapping of str to ndarray or Graphs
        Shape ``(sample, *spec.inputs[name].shape)`` each; graphs as :class:`~pellucid.data.graphs.Graphs`.
    masks : mapping of str to ndarray of bool, optional

    Raises
    ------
    DataError
        If what is given is no array of real numbers, a shape or a length disagrees with the spec, or a value that is not masked is
        NaN or infinite.
    """

    def __init__(
        self,
        spec: DataSpec,
        frame: pd.DataFrame,
        inputs: Mapping[str, np.ndarray | Graphs],
        masks: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.spec, self.frame = spec, frame
        self._inputs: dict[str, Any] = dict(inputs)
        self._masks = dict(masks or {})
        if set(self._inputs) != set(spec.inputs):
            raise DataError(
                f"dataset {spec.name!r}: inputs {sorted(self._inputs)} do not match the spec's {sorted(spec.inputs)}"
            )
        for name, values in self._inputs.items():
            if spec.inputs[name].kind == "graph":
                self._check_graphs(name, values)
                continue
            if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
                found = (
                    f"an array of {values.dtype}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
                )
                raise DataError(
                    f"dataset {spec.name!r}: input {name!r} is {found}; make it a numpy array of real numbers"
                )
            expected = (len(frame), *spec.inputs[name].shape)
            if values.shape != expected:
                raise DataError(f"dataset {spec.name!r}: input {name!r} has shape {values.shape}, expected {expected}")
            self._inputs[name] = self._finite(name, values)
            if spec.inputs[name].kind == "trajectory":
                self._check_levels(name, self._inputs[name])
        for name in self._masks:
            if name not in self._inputs:
                raise DataError(f"dataset {spec.name!r}: a mask is given for {name!r}, which is no input")
        self.check()

    def _check_graphs(self, name: str, values: Any) -> None:
        where = f"dataset {self.spec.name!r}: input {name!r}"
        if not isinstance(values, Graphs):
            raise DataError(f"{where} is of kind graph, but a {type(values).__name__} is given; make it a Graphs")
        if len(values) != len(self.frame):
            raise DataError(f"{where} has {len(values)} graphs for {len(self.frame)} samples")
        values.check(cast("Graph", self.spec.inputs[name]), where)

    def _check_levels(self, name: str, values: np.ndarray) -> None:
        spec, mask = cast("Trajectory", self.spec.inputs[name]), self._masks.get(name)
        known = (
            True if mask is None else np.broadcast_to(mask.reshape(mask.shape + (1,) * (3 - mask.ndim)), values.shape)
        )
        if (found := spec.no_level(values, known)) is not None:
            sample, which, step = found
            value = values[sample, spec.names.index(which), step]
            raise DataError(
                f"dataset {self.spec.name!r}: input {name!r} of sample {self.frame.index[sample]!r} has {which!r} = {value:g} at step "
                f"{step}, which is none of its levels 0 to {len(spec.levels[which]) - 1}"
            )

    def _finite(self, name: str, values: np.ndarray) -> np.ndarray:
        """The values with zeros where they are masked and not finite: times a mask, NaN would stay NaN."""
        strange = bad = ~np.isfinite(values)
        mask = self._masks.get(name)
        if mask is not None:
            if not isinstance(mask, np.ndarray):
                raise DataError(
                    f"dataset {self.spec.name!r}: the mask of input {name!r} is a {type(mask).__name__}; make it a numpy array of bool"
                )
            if mask.dtype != bool or mask.shape not in (values.shape[:1], values.shape):
                raise DataError(
                    f"dataset {self.spec.name!r}: the mask of input {name!r} is {mask.dtype} of shape {mask.shape}, expected "
                    f"bool of shape {values.shape[:1]} or {values.shape}"
                )
            bad = strange & mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
        if bad.any():
            first = self.frame.index[int(np.argwhere(bad)[0][0])]
            raise DataError(
                f"dataset {self.spec.name!r}: input {name!r} of sample {first!r} holds NaN or infinity "
                f"({int(bad.sum())} values in all); mask missing values or drop the samples"
            )
        return np.where(strange, 0, values).astype(values.dtype) if strange.any() else values

    def read(self, indices: np.ndarray) -> Arrays:
        """Index the arrays."""
        return Arrays({n: v[indices] for n, v in self._inputs.items()}, {n: m[indices] for n, m in self._masks.items()})
