"""Layers of a model by name: found, called, and their outputs laid out as rows with positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.errors import ContractError, nearest

ACTIVATIONS = "activations"
"""Name of the input that collected rows form."""

Channels = Literal["first", "last"]

UNITS_FIRST = (
    nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd,
)  # fmt: skip
"""Modules that keep units (channels) before positions."""

UNITS_LAST = (nn.Linear, nn.LayerNorm, nn.RNNBase, nn.MultiheadAttention, nn.Embedding)
"""Modules that keep units after positions."""


def find_layer(model: nn.Module, layer: str) -> str:
    """Full path of a module.

    Parameters
    ----------
    model : nn.Module
    layer : str
        The path as in ``model.named_modules()``, or the end of it where only one module has that. ``encoder`` stands for the
        one encoder of a model.

    Raises
    ------
    ContractError
        If there is no such module (the nearest is named), or several.
    """
    known = [name for name, _ in model.named_modules() if name]
    if layer in known:
        return layer
    ends = [name for name in known if name.endswith(f".{layer}")]
    if not ends and layer.split(".")[0] == "encoder":
        rest = layer.removeprefix("encoder")
        ends = [
            name for name in known if name.startswith("encoders.") and name == f"encoders.{name.split('.')[1]}{rest}"
        ]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise ContractError(f"several modules are called {layer!r}: write one of {', '.join(ends[:8])}")
    # Ends of paths as long as what was written, so that the nearest is not lost behind a long beginning.
    parts = layer.count(".") + 1
    tails = {".".join(name.split(".")[-parts:]) for name in known}
    hint = nearest(layer, sorted(tails)) or nearest(layer, known)
    raise ContractError(f"the model has no module {layer!r}{hint}; pellucid activations RUN lists all of them")


def channels_of(module: nn.Module) -> Channels | None:
    """Where a module keeps units in outputs of three axes, by the last module inside it that tells; None if none does."""
    for part in reversed(list(module.modules())):
        if isinstance(part, UNITS_FIRST):
            return "first"
        if isinstance(part, UNITS_LAST):
            return "last"
    return None


@dataclass(frozen=True)
class Layout:
    """How outputs of a layer are laid out as rows.

    Parameters
    ----------
    channels : {"first", "last"}, optional
        Where units stand in outputs of three axes; None: it is not known.
    """

    channels: Channels | None

    def positions(self, output: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """To shape (sample, position, unit), and the shape of the positions.

        Raises
        ------
        ContractError
            If an output of three axes can be read in two ways.
        """
        if output.ndim == 2:
            return output[:, None], ()
        if output.ndim == 1:
            return output[:, None, None], ()
        if output.ndim == 3 and self.channels is None:
            raise ContractError(
                f"an output of shape {tuple(output.shape)} may be (sample, position, unit) or (sample, unit, position): say "
                'channels="last" or channels="first" (--channels on the command line)'
            )
        if output.ndim == 3 and self.channels == "last":
            return output, (output.shape[1],)
        return output.flatten(2).transpose(1, 2), tuple(output.shape[2:])


@contextmanager
def watching(model: nn.Module, layer: str) -> Iterator[Callable[[], Tensor]]:
    """Evaluation mode, without gradients, with a hook on a layer: the function gives what it said in the last call.

    Afterwards the model is as it was.

    Raises
    ------
    ContractError
        By the function: if the layer was not called exactly once, or did not return one tensor.
    """
    seen: list[object] = []
    module = dict(model.named_modules())[layer]
    handle = module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    training = {name: part.training for name, part in model.named_modules()}

    def said() -> Tensor:
        found = list(seen)
        seen.clear()
        if len(found) != 1:
            raise ContractError(
                f"module {layer!r} was called {len(found)} times for one batch; collect one that is called once"
            )
        if not isinstance(found[0], Tensor):
            raise ContractError(
                f"module {layer!r} returns a {type(found[0]).__name__}, not one tensor; collect one inside it"
            )
        return found[0].detach()

    try:
        model.eval()
        with torch.no_grad():
            yield said
    finally:
        handle.remove()
        for name, part in model.named_modules():
            part.training = training[name]


def real_positions(batch: Batch, name: str, shape: tuple[int, ...]) -> Tensor | None:
    """Which positions of a layer lie wholly in what is real of an input, bool, shape (sample, position); None: all do.

    A place of the input is real if any of its channels is.

    Parameters
    ----------
    batch : Batch
    name : str
        Of the input that the layer's positions lie in.
    shape : tuple of int
        Of the positions: as many axes as the input has beside its channels, each divided evenly.
    """
    if name not in batch.masks:
        return None
    mask = batch.masks[name]
    if mask.ndim == 1 or not shape:
        there = batch.present(name)
        assert there is not None
        return there[:, None].expand(-1, max(1, math.prod(shape)))
    real = mask.any(1) if mask.ndim == len(shape) + 2 else mask
    pool = (nn.functional.adaptive_max_pool1d, nn.functional.adaptive_max_pool2d, nn.functional.adaptive_max_pool3d)
    gaps: Tensor = pool[len(shape) - 1]((~real).float()[:, None], shape if len(shape) > 1 else shape[0])  # type: ignore[operator]
    return gaps.flatten(1) == 0
