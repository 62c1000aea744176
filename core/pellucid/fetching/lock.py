"""One download at a time in a folder: two would write into each other's parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.errors import DataError


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder while the block runs; it is released when the process ends, however it ends, and leaves nothing behind.

    The folder itself is locked. Where a system or a network disk cannot do that, two downloads at once are the user's to avoid;
    what they leave is verified all the same.

    Raises
    ------
    DataError
        If another process is at work in the folder.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"another process is downloading into {folder}: wait for it, or choose another --to"
            ) from None
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
