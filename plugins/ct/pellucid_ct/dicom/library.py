"""pydicom and highdicom, used so that no word of theirs gets out: what they raise, warn or log quotes headers, and a header
may name a patient."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.errors import DataError, PellucidError

if TYPE_CHECKING:
    from pydicom import Dataset

_LIBRARIES = ("pydicom", "highdicom")
_SILENT = logging.CRITICAL + 1


@contextmanager
def silenced() -> Iterator[None]:
    """Neither a warning nor a line of log from the libraries in this block; what they raise goes on."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        # The level of their loggers is that of this one: those below it would still speak if this one alone were disabled.
        logger.setLevel(_SILENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Let whatever a library raises or says in this block end in one :class:`DataError` that quotes no value."""
    try:
        with silenced():
            yield
    except PellucidError:
        raise
    except MemoryError:
        raise DataError(f"{what} (not enough memory)") from None
    except Exception as error:  # noqa: BLE001 - hundreds of kinds, from struct.error to the libraries' own
        raise DataError(f"{what} ({type(error).__name__})") from None


def read_header(path: Path, *keywords: str) -> Dataset:
    """A DICOM file without its pixels; those elements alone whose keywords are given, or all.

    Raises
    ------
    DataError
        If it is missing, truncated or of another kind.
    """
    import pydicom

    with refusing(_unread(path)):
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(keywords) or None)


def read_values(path: Path, *keywords: str) -> tuple[str, ...]:
    """Some elements of a DICOM file as text; empty where one is missing.

    Raises
    ------
    DataError
        As :func:`read_header`, or if a value cannot be decoded.
    """
    header = read_header(path, *keywords)
    # Values are decoded when they are asked for, so also here a library may complain about one and quote it.
    with refusing(_unread(path)):
        return tuple(str(header.get(keyword) or "") for keyword in keywords)


def _unread(path: Path) -> str:
    return f"{path.name}: cannot be read as DICOM; it is missing, truncated or of another kind"
