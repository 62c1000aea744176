"""One digest of all that a dataset holds: the same data gives the same digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.blocks import index_blocks
from pellucid.data.graphs import Graphs

if TYPE_CHECKING:
    from pellucid.data.dataset import Dataset

AT_ONCE = 1024
"""Samples read at once; the digest is of blocks of so many, so that another number would be another digest."""


def digest_of(dataset: Dataset) -> str:
    """Digest of the spec, the frame, every input and every mask."""
    import pandas as pd

    total = hashlib.blake2b(dataset.spec.model_dump_json().encode(), digest_size=16)
    total.update("\x1f".join(map(str, dataset.frame.columns)).encode())
    total.update(pd.util.hash_pandas_object(dataset.frame, index=True).to_numpy().tobytes())
    for at in index_blocks(len(dataset), AT_ONCE):
        arrays = dataset.read(at)
        for kind, named in (("input", arrays.inputs), ("mask", arrays.masks)):
            for name in sorted(named):
                for part, values in _arrays(named[name]):
                    total.update(f"{kind}\x1f{name}{part}\x1f{values.dtype}".encode())
                    total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def _arrays(values: Any) -> Iterator[tuple[str, np.ndarray]]:
    """What an input is made of: itself, or the arrays of its graphs."""
    if isinstance(values, Graphs):
        yield from values.arrays().items()
    else:
        yield "", values
