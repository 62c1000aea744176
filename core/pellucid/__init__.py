"""pellucid: representations that a person can read, and a measure of whether what they show is true."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Everything heavy is imported when used: `import pellucid` must stay free of torch.
_HOMES = {
    "evaluate": "pellucid.evaluation",
    "load": "pellucid.run",
    "study": "pellucid.studies",
    "Study": "pellucid.studies",
    "components": "pellucid.plugins",
    "dataset": "pellucid.opening",
    "PellucidError": "pellucid.errors",
    "DataError": "pellucid.errors",
    "RunError": "pellucid.errors",
    "StudyError": "pellucid.errors",
    "LeakageError": "pellucid.errors",
    "UnknownComponent": "pellucid.errors",
    "ContractError": "pellucid.errors",
    "NotMeasurable": "pellucid.errors",
}

__all__ = [
    "ContractError",
    "DataError",
    "LeakageError",
    "NotMeasurable",
    "PellucidError",
    "RunError",
    "Study",
    "StudyError",
    "UnknownComponent",
    "__version__",
    "components",
    "dataset",
    "evaluate",
    "load",
    "study",
]

if TYPE_CHECKING:
    from pellucid.errors import (
        ContractError,
        DataError,
        LeakageError,
        NotMeasurable,
        PellucidError,
        RunError,
        StudyError,
        UnknownComponent,
    )
    from pellucid.evaluation import evaluate
    from pellucid.opening import dataset
    from pellucid.plugins import components
    from pellucid.run import load
    from pellucid.studies import Study, study


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
