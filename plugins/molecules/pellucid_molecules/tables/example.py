"""A table of a few made-up molecules whose labels follow from their structure, to try datasets on."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CORES = (
    "c1ccc({})cc1",
    "c1cc({})ccn1",
    "C1CCC({})CC1",
    "C1CCN({})C1",
    "c1cc({})cs1",
    "CCC({})CO",
    "C1=CCC({})O1",
    "c1ccc2cc({})ccc2c1",
)
"""Seven rings and a chain, each with one place for a group."""

GROUPS = ("C", "C(C)C", "CO", "CC(=O)O", "C[N+](=O)[O-]", "CC[N+](=O)[O-]", "C(F)(F)F", "CC#N")

WEIGHTS = {"C": 12.0, "N": 14.0, "O": 16.0, "S": 32.0, "F": 19.0}
"""In g/mol, about: the made-up label ``weight`` leaves hydrogens out."""


def molecules() -> list[tuple[str, int, float]]:
    """SMILES, whether there is a nitro group, and the weight of atoms beside hydrogen."""
    texts = [core.format(group) for core in CORES for group in GROUPS]
    return [
        (text, int("[N+](=O)[O-]" in text), sum(WEIGHTS.get(letter.upper(), 0.0) for letter in text)) for text in texts
    ]


@contextmanager
def example(
    labels: Sequence[str], smiles: str = "smiles", file: str = "molecules.csv", identity: str = ""
) -> Iterator[Path]:
    """A folder with a table of them; every column of labels is yes or no, but ``weight``.

    Parameters
    ----------
    labels : sequence of str
        Columns. One that is called ``weight`` holds numbers.
    smiles, file, identity : str
        What the column of SMILES, the table and a column of names are called.
    """
    with tempfile.TemporaryDirectory(prefix="pellucid-") as name:
        with (Path(name) / file).open("w", encoding="utf-8", newline="") as table:
            rows = csv.writer(table)
            rows.writerow([smiles, *([identity] if identity else []), *labels])
            for at, (text, nitro, weight) in enumerate(molecules()):
                rows.writerow(
                    [text, *([f"m{at}"] if identity else []), *(nitro if one != "weight" else weight for one in labels)]
                )
        yield Path(name)
