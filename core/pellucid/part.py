"""What encoders and heads share: a frozen config, statistics learnt from training subjects, a record of whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pellucid.data.frozen import Frozen, first_problem, first_problem_told
from pellucid.data.subjects import LearnedFrom
from pellucid.errors import StudyError, nearest


class Config(Frozen):
    """Settings of a part: validated, frozen, saved as JSON beside the weights."""


class Part(nn.Module):
    """A module that is built from a config alone and knows whom it has learnt from."""

    config_type: ClassVar[type[Config]]
    config: Any

    grown: ClassVar[tuple[str, ...]] = ()
    """Names of parameters and buffers whose size the training samples decide: they take the size of what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.learned_from = LearnedFrom()
        self.origin = ""
        """What made the samples it has learnt from, where a model did; see :attr:`pellucid.data.dataset.Dataset.origin`."""

    def grow(self, name: str, values: Tensor) -> None:
        """Give one of :attr:`grown` other values, of whatever size."""
        if name in self._parameters:
            self._parameters[name] = nn.Parameter(values, requires_grad=values.is_floating_point())
        else:
            self._buffers[name] = values

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for name in self.grown:
            if (found := state_dict.get(f"{prefix}{name}")) is not None:
                self.grow(name, torch.empty_like(found))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def settle(self) -> None:
        """Put parameters back where they must lie (atoms of unit length); called after each step. Default: nothing."""


def configured(
    kind: str,
    name: str,
    config_type: type[Config],
    options: Mapping[str, Any],
    *,
    beside: Sequence[str] = (),
    **facts: Any,
) -> Any:
    """Make a config from a study's options and the facts that the data gives.

    Parameters
    ----------
    kind, name : str
        What is configured, for messages.
    config_type : type of Config
    options : mapping
        What the user wrote.
    beside : sequence of str
        Keys that stand beside the options where they are written; one of them may have been meant.
    **facts
        Fields that the data decides (input specs, target); a user cannot set them.

    Raises
    ------
    StudyError
        For an unknown option (nearest name given) or a value that does not fit.
    """
    open_fields = [field for field in config_type.model_fields if field not in facts]
    for key in options:
        if key not in open_fields:
            known = ", ".join(open_fields) or "none"
            raise StudyError(
                f"{kind} {name!r} has no option {key!r}{nearest(key, [*open_fields, *beside])}; options: {known}"
            )
    try:
        return config_type(**facts, **options)
    except ValidationError as error:
        at, what = first_problem(error)
        if what == "unknown":
            # Within an option that has options of its own.
            raise StudyError(f"{kind} {name!r}: {first_problem_told(error, config_type)}") from None
        raise StudyError(f"{kind} {name!r}: {'.'.join(map(str, at)) or 'settings'}: {what}") from None
