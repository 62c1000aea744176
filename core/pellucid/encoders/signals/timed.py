"""The input of an encoder that reads channels over time: a signal, or a trajectory."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.data.spec import InputSpec, OverTime
from pellucid.errors import StudyError

OVER_TIME = ("signal", "trajectory")
"""Kinds of input with channels over evenly spaced moments."""


def over_time(inputs: Mapping[str, InputSpec]) -> OverTime:
    """The one input of an encoder, which has channels over time.

    Raises
    ------
    StudyError
        If there are several, or it has none.
    """
    if len(inputs) != 1:
        raise StudyError(f"an encoder of channels over time reads one input, not {', '.join(inputs) or 'none'}")
    ((name, spec),) = inputs.items()
    if not isinstance(spec, OverTime):
        raise StudyError(f"input {name!r} is of kind {spec.kind!r}; this encoder reads {' or '.join(OVER_TIME)}")
    return spec
