"""Recordings, scans and the like that cannot be used: refused, or left out and listed without words of their files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pellucid.data.samples import Finding
from pellucid.errors import DataError

UNUSABLE = "cannot be used"

WORDS = "(words of its file)"
"""Stands in a report where an error quotes: what a file calls something may be a person's name."""

_QUOTED = re.compile(r"""(?<![^\s(])(?:'[^'\n]*'|"[^"\n]*")(?!\w)""")


class FilePlace(NamedTuple):
    """Where a recording is.

    Parameters
    ----------
    sample : str
        What it is called where people read, in reports too.
    path : Path
        Its file.
    shown : str
        What an error calls it: the line of a table, or its path below the folder.
    """

    sample: str
    path: Path
    shown: str


def refused(broken: Sequence[tuple[FilePlace, str]], count: int, name: str) -> DataError:
    """What to say of recordings that cannot be used, of so many of a dataset."""
    place, why = broken[0]
    if len(broken) == count and (same := shared_reason([(one.path.name, told) for one, told in broken])):
        return DataError(f"{name}: {same} (the same for all of its {count:,} recordings)")
    called = f"{place.sample} ({place.shown})"
    if len(broken) == count:
        return DataError(
            f"{name}: none of {count:,} recordings can be used. The first is {called}: {why}. Is this the right folder?"
        )
    return DataError(
        f"{name}: {len(broken):,} of {count:,} recordings cannot be used. The first is {called}: {why}. Mend or remove them, or leave "
        "them out with --skip-broken (option skip_broken = true): the report then lists them"
    )


def shared_reason(broken: Sequence[tuple[str, str]]) -> str:
    """Why several cannot be used, where it is one and the same: a setting, mostly, that none of them can have; else empty.

    Parameters
    ----------
    broken : sequence of (str, str)
        Name and reason of each; a reason may begin with the name.

    Examples
    --------
    >>> shared_reason([("a.edf", "a.edf: has no electrode Cz"), ("b.edf", "b.edf: has no electrode Cz")])
    'has no electrode Cz'
    """
    reasons = {why.removeprefix(f"{name}: ") for name, why in broken}
    return reasons.pop() if len(broken) > 1 and len(reasons) == 1 else ""


def left_out(
    broken: Sequence[tuple[FilePlace, str]], known: Callable[[str], bool], endings: Sequence[str]
) -> tuple[Finding, ...]:
    """Recordings that were left out, for a report: each file by the name that the sample has there.

    Parameters
    ----------
    broken : sequence of (FilePlace, str)
    known, endings
        See :func:`unquoted`.
    """
    return tuple(
        Finding(
            place.sample,
            UNUSABLE,
            unquoted(why.replace(place.path.name, place.sample), place.sample, known, endings),
            "left out",
        )
        for place, why in broken
    )


def unquoted(text: str, own: str, known: Callable[[str], bool], endings: Sequence[str]) -> str:
    """A message without what it quotes: names of files and fields other than ``own`` and words that are known.

    Parameters
    ----------
    text : str
    own : str
        What the recording may be called: names that begin with it stay.
    known : callable
        Whether a quoted word is one of the field (a lead, an electrode) and may stay.
    endings : sequence of str
        Of names of files, without the dot: ``("hea", "dat")``.

    Examples
    --------
    >>> unquoted("r1.hea: 'II' of 'Doe.dat' is not in Doe.hea", "r1", {"II"}.__contains__, ("hea", "dat"))
    "r1.hea: 'II' of (words of its file) is not in (words of its file)"
    """

    def file(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith(own) else WORDS

    def quoted(found: re.Match[str]) -> str:
        inside = found[0][1:-1]
        return found[0] if inside.startswith(own) or known(inside) else WORDS

    files = re.compile(rf"""[^\s'"(]+\.(?:{"|".join(map(re.escape, endings))})(?!\w)""")
    return files.sub(file, _QUOTED.sub(quoted, text))
