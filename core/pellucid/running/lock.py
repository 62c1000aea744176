"""One run at a time in a folder: two would delete each other's folds."""

from __future__ import annotations

import os
from pathlib import Path

from pellucid.errors import RunError

NAME = ".lock"


class RunLock:
    """Held while a run goes on; released when its process ends, however it ends.

    Parameters
    ----------
    folder : Path
    hold : bool
        Of several processes that train one run together, one holds it.

    Raises
    ------
    RunError
        If another process is at work in the folder.
    """

    def __init__(self, folder: Path, hold: bool = True) -> None:
        self.path = folder / NAME if hold else None

    def __enter__(self) -> None:
        if self.path is None:
            return
        try:
            import fcntl
        except ImportError:  # Windows has no such lock; there two runs at once are the user's to avoid
            self.path = None
            return
        self.file = self.path.open("a+")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.file.seek(0)
            other = self.file.read().strip() or "unknown"
            self.file.close()
            raise RunError(
                f"another process (id {other}) is at work in {self.path.parent}: wait for it, or choose another --out"
            ) from None
        self.file.truncate(0)
        self.file.write(str(os.getpid()))
        self.file.flush()

    def __exit__(self, *_: object) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.file.close()
