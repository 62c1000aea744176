"""Fingerprints of parts: whether what was remembered of an encoder still belongs to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pellucid.part import Part

if TYPE_CHECKING:
    from pellucid.model import Model

BYTES = 16

HEAD = "head"
"""Where a model keeps its head."""


def origin(layer: str, model: str) -> str:
    """What made rows of activations: a layer of the model with a fingerprint, in hexadecimal digits."""
    return f"layer {layer} of model {model}"


def layer_fingerprint(model: Model, layer: str) -> str:
    """Fingerprint of what decides what a layer says: of the encoders, and for a layer inside the head of that too.

    Parameters
    ----------
    model : Model
    layer : str
        Full path of the module.
    """
    return hexadecimal([*model.named_encoders(), *([(HEAD, model.head)] if in_head(layer) else [])])


def in_head(layer: str) -> bool:
    """Whether a layer is the head or inside it, by its full path.

    Examples
    --------
    >>> in_head("head.layers.0"), in_head("encoders.image.head")
    (True, False)
    """
    return layer.partition(".")[0] == HEAD


def hexadecimal(parts: Iterable[tuple[str, Part]]) -> str:
    """:func:`fingerprint` as text."""
    return bytes(fingerprint(parts).tolist()).hex()


def fingerprint(parts: Iterable[tuple[str, Part]]) -> Tensor:
    """Digest of the names, settings, parameters and statistics of parts.

    Parameters
    ----------
    parts : iterable of (str, Part)

    Returns
    -------
    Tensor of uint8, shape (16,)
        Equal exactly where every number is.
    """
    total = hashlib.blake2b(digest_size=BYTES)
    for name, part in parts:
        total.update(f"{name}\x1f{part.config.model_dump_json()}".encode())
        for key, value in part.state_dict().items():
            plain = value.detach().cpu().contiguous()
            total.update(f"\x1f{key}\x1f{plain.dtype}".encode())
            total.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return torch.frombuffer(bytearray(total.digest()), dtype=torch.uint8).clone()
