"""Where things are kept between runs that can be made again: deleting it costs time and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER_VARIABLE = "PELLUCID_CACHE"


def cache_folder() -> Path:
    """Where caches go: ``$PELLUCID_CACHE``, else ``pellucid`` in the user's cache folder."""
    own = os.environ.get(FOLDER_VARIABLE)
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pellucid"
