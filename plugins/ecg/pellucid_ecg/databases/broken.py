"""Recordings that cannot be used: refused, or left out and listed."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.data.samples import Finding
from pellucid.errors import DataError
from pellucid_ecg.databases.places import Place
from pellucid_ecg.recordings.foreign import unquoted

UNUSABLE = "cannot be used"


def refused(broken: Sequence[tuple[Place, str]], count: int, name: str) -> DataError:
    """What to say of recordings that cannot be used, of so many of a dataset."""
    place, why = broken[0]
    called = f"{place.sample} ({place.shown})"
    if len(broken) == count:
        return DataError(
            f"{name}: none of {count:,} recordings can be used. The first is {called}: {why}. Is this the right folder?"
        )
    return DataError(
        f"{name}: {len(broken):,} of {count:,} recordings cannot be used. The first is {called}: {why}. Mend or remove them, or leave "
        "them out with --skip-broken (option skip_broken = true): the report then lists them"
    )


def left_out(broken: Sequence[tuple[Place, str]]) -> tuple[Finding, ...]:
    """Recordings that were left out, for a report: each file by the name that the sample has there."""
    return tuple(
        Finding(place.sample, UNUSABLE, unquoted(why.replace(place.path.name, place.sample), place.sample), "left out")
        for place, why in broken
    )
