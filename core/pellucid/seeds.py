"""Seeds from names: what chance depends on is said in words, and nothing else shifts it."""

from __future__ import annotations

import hashlib


def seed_of(*names: object) -> int:
    """The seed that names stand for, of 48 bits.

    Examples
    --------
    >>> seed_of(0, "encoder image", 3) == seed_of("0", "encoder image", "3") != seed_of(0, "encoder image", 4)
    True
    """
    return int.from_bytes(hashlib.blake2b("/".join(map(str, names)).encode(), digest_size=6).digest(), "big")
