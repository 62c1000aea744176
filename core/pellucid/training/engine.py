"""The engine under the loop: one laptop core, a GPU, or many machines, by accelerate with no change of code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pellucid.training.settings import TrainingSettings

if TYPE_CHECKING:
    from accelerate import Accelerator


def engine(settings: TrainingSettings) -> Accelerator:
    """The accelerator of this process.

    ``torchrun --nproc_per_node 2`` and ``accelerate launch`` start several processes; started plainly there is one.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    # accelerate keeps one precision for a whole process and refuses another; two studies in a notebook may differ.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != settings.mixed_precision:
        AcceleratorState._reset_state()
    handlers = [DistributedDataParallelKwargs(find_unused_parameters=True)] if processes() > 1 else []
    return Accelerator(mixed_precision=settings.mixed_precision, kwargs_handlers=handlers)


def processes() -> int:
    """How many processes a launcher has started to train each model together; known before any of them has begun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def described(accelerator: Accelerator) -> str:
    """``"2 processes on cpu"``: a launcher that quietly started one process is seen at once."""
    count = accelerator.num_processes
    return f"{count} process{'es' if count > 1 else ''} on {accelerator.device.type}"
