"""Names of samples as tensors: what a part that remembers training samples keeps of them with its weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.errors import ContractError

ID_BYTES = 128
"""Room for a sample's id among the weights."""


def encoded_ids(samples: Sequence[str]) -> Tensor:
    """Ids as padded bytes, uint8, shape (sample, 128), so that they can be kept with the weights.

    Raises
    ------
    ContractError
        If an id is longer than that.
    """
    encoded = torch.zeros(len(samples), ID_BYTES, dtype=torch.uint8)
    for at, name in enumerate(samples):
        plain = name.encode()
        if len(plain) > ID_BYTES:
            raise ContractError(
                f"sample id {name!r} is longer than the {ID_BYTES} bytes that can be kept of it with weights"
            )
        encoded[at, : len(plain)] = torch.tensor(list(plain), dtype=torch.uint8)
    return encoded


def decoded_ids(encoded: Tensor) -> tuple[str, ...]:
    """Inverse of :func:`encoded_ids`.

    Examples
    --------
    >>> decoded_ids(encoded_ids(["record 7", ""]))
    ('record 7', '')
    """
    return tuple(bytes(row.tolist()).rstrip(b"\0").decode() for row in encoded)
