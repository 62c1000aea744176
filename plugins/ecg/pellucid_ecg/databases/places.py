"""Where recordings are: the files of a record."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pellucid.errors import DataError
from pellucid.loading.table_file import below
from pellucid.loading.unusable import FilePlace
from pellucid_ecg.wfdb_files.headers import header_path, read_header

__all__ = ["FilePlace", "below", "files_of"]


def files_of(path: Path) -> list[Path]:
    """The files that a recording is made of, as far as they are there."""
    if path.suffix == ".mat":
        return [path] if os.path.isfile(path) else []
    header = Path(header_path(path))
    found = [one for end in (".hea", ".dat", ".mat") if os.path.isfile(one := header.with_suffix(end))]
    if len(found) == 1 and found[0] == header:
        # Data under another name than the record's.
        with suppress(DataError):
            named = {line.file for line in read_header(header).signals}
            found += [one for file in sorted(named) if os.path.isfile(one := header.parent / file)]
    return found
