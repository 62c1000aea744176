"""Files that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import RunError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; moved to ``path`` when the block ends well, removed when it does not.

    Raises
    ------
    RunError
        If the disk is full or the folder cannot be written; names the file and what to do.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(
                f"no space left on the disk while writing {path}: free some and run the same command again, "
                "it goes on from what is complete"
            ) from error
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; choose a place that you may write to"
        ) from error
    finally:
        # Where the folder itself could not be made there is nothing to remove, and the first error is the one to tell.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def refuse_below_a_file(path: Path) -> None:
    """Refuse a path that leads through something that is no folder.

    Raises
    ------
    RunError
    """
    for above in path.absolute().parents:
        if above.exists():
            if not above.is_dir():
                raise RunError(f"cannot write {path}: {above} is no folder; choose a place that you may write to")
            return


def write_json(path: Path, document: Any) -> None:
    """Write JSON atomically."""
    with writing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")


def write_rows(path: Path, rows: pd.DataFrame) -> None:
    """Write a frame as parquet, whole or not at all."""
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    with writing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def sha256(path: Path) -> str:
    """Digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
