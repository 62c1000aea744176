"""Files beside a table of links: names and numbers one a line, and what a user knows of nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pellucid.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def lines_of(path: Path) -> list[str]:
    """Lines of a file, of which none may be empty."""
    if not path.is_file():
        raise DataError(f"{path} is not there: a set's folder holds adj.txt, drugs.txt and microbes.txt")
    try:
        found = [line.strip() for line in path.read_text("utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError:
        raise DataError(f"{path.name}: is no text in UTF-8; save it in UTF-8") from None
    # Others count lines: without an empty one all after it would be something else.
    if "" in found:
        raise DataError(f"{path.name}, line {found.index('') + 1}: is empty")
    return found


def links_of(path: Path, drugs: int, microbes: int) -> np.ndarray:
    """Numbers of a drug and a microbe from 0, shape (link, 2), from a file that counts from 1."""
    found = []
    for number, line in enumerate(lines_of(path), 1):
        words = line.split()
        known = len(words) in (2, 3) and all(word.isdecimal() for word in words[:2])
        if not known or words[2:] not in ([], ["0"], ["1"]):
            raise DataError(f"{path.name}, line {number}: {line!r} should be the number of a drug, of a microbe, and 1")
        drug, microbe = int(words[0]), int(words[1])
        if not (1 <= drug <= drugs and 1 <= microbe <= microbes):
            raise DataError(
                f"{path.name}, line {number}: drug {drug} of {drugs}, microbe {microbe} of {microbes}, counted from 1"
            )
        if len(words) < 3 or words[2] != "0":
            found.append((drug - 1, microbe - 1))
    if not found:
        raise DataError(f"{path.name} holds no link")
    return np.unique(np.array(found, np.int64), axis=0)


def numbers_of(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """All but the first column, NaN where a cell is empty."""
    import pandas as pd

    found = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce")
    strange = np.argwhere(((found.isna() & table.iloc[:, 1:].notna()) | np.isinf(found)).to_numpy(bool))
    if len(strange):
        row, column = strange[0]
        raise DataError(
            f"{name}, line {row + 2}, column {str(found.columns[column])!r}: is no number; write a number, or nothing where it is not known"
        )
    return found


def table_at(path: Path) -> pd.DataFrame:
    """A table with its types as they look."""
    import pandas as pd

    if not path.is_file():
        raise DataError(f"{path} is not a file: give a CSV or parquet table")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}") from None
