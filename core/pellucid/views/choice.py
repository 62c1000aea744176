"""Which view draws an input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid import plugins
from pellucid.views.contract import View
from pellucid.views.plain import DEFAULT

if TYPE_CHECKING:
    from pellucid.data.spec import DataSpec


def view_for(spec: DataSpec, input: str) -> View:
    """The view that draws an input: the one the dataset names, else the core's for its kind.

    Raises
    ------
    StudyError
        If the dataset has no such input.
    UnknownComponent
        If the view that it names is not installed.
    """
    kind = spec.input(input).kind
    return plugins.load("view", spec.views[input]) if input in spec.views else DEFAULT[kind]
