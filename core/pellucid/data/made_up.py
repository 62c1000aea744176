"""Datasets that are made up and not read."""

from __future__ import annotations

from pathlib import Path

from pellucid.errors import DataError


def refuse_folder(name: str, data: Path | None) -> None:
    """Refuse a folder for a dataset that is made up: somebody thinks that it would be read.

    Raises
    ------
    DataError
        If there is one.
    """
    if data is not None:
        raise DataError(
            f"{data}: {name!r} is made up and reads no file; leave the data out, or name a dataset that reads it"
        )
