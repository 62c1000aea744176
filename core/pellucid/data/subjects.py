"""Who a learnt part has learnt from: keyed digests of group names, joined when parts are composed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.errors import LeakageError, RunError

SALT_VARIABLE = "PELLUCID_SALT"


def salt() -> bytes:
    """The key of all digests: the environment variable ``PELLUCID_SALT``, else a public constant.

    With the public constant a digest hides a name from a reader, not from somebody who guesses names and tries them: a
    hospital sets its own secret. All runs that are to know each other's subjects need the same one.
    """
    return hashlib.blake2b(os.environ.get(SALT_VARIABLE, "pellucid-public").encode(), digest_size=32).digest()


def salt_fingerprint() -> str:
    """Tells two salts apart without revealing either."""
    return hashlib.blake2b(b"fingerprint", key=salt(), digest_size=6).hexdigest()


def pseudonym(name: object, namespace: str) -> str:
    """Replace a subject's name at the loader's door: a keyed digest, the same for the same person and salt.

    Parameters
    ----------
    name : object
        Whatever the files call the subject; its :func:`group_name` is digested.
    namespace : str
        Where the name comes from, so that patient 7 of one hospital is not patient 7 of another.

    Examples
    --------
    >>> pseudonym("P-7", "here") == pseudonym("P-7", "here") != pseudonym("P-7", "there")
    True
    """
    return hashlib.blake2b(f"{namespace}\x1f{group_name(name)}".encode(), key=salt(), digest_size=8).hexdigest()


def group_name(value: object) -> str:
    """A group's name as text: whole numbers alike, however a table happened to store them.

    A column of whole numbers becomes floats as soon as one of its rows is missing. Patient 7 of one table is patient 7.0
    of another then; as two names, the one would be learnt from and the other tested.

    Examples
    --------
    >>> group_name(7), group_name(7.0), group_name(np.float32(7)), group_name("007")
    ('7', '7', '7', '007')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True)
class LearnedFrom:
    """The subjects a part has learnt from, as digests: one set per group column.

    The empty record is that of a part that has learnt from nobody.
    """

    digests: Mapping[str, frozenset[str]] = field(default_factory=dict)
    fingerprint: str = field(default_factory=salt_fingerprint)
    namespaces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, groups: Mapping[str, Iterable[object]], namespace: str) -> LearnedFrom:
        """From group columns of a frame (``{"subject": frame["subject"], ...}``)."""
        digests = {c: frozenset(_digest(namespace, c, value) for value in set(values)) for c, values in groups.items()}
        return cls(digests, namespaces=frozenset([namespace] if any(digests.values()) else []))

    def __or__(self, other: LearnedFrom) -> LearnedFrom:
        """Joined record of composed parts."""
        if not other:
            return self
        if not self:
            return other
        if self.fingerprint != other.fingerprint:
            raise RunError(_OTHER_SALT)
        columns = {*self.digests, *other.digests}
        return LearnedFrom(
            {c: self.digests.get(c, frozenset()) | other.digests.get(c, frozenset()) for c in columns},
            self.fingerprint,
            self.namespaces | other.namespaces,
        )

    def __bool__(self) -> bool:
        return any(self.digests.values())

    def knows(self, groups: Mapping[str, Sequence[object] | np.ndarray], namespace: str) -> np.ndarray:
        """Which rows of group columns name a member that has been learnt from, bool, shape (row,).

        Parameters
        ----------
        groups : mapping of str to sequence or ndarray
            Group columns of a frame, of one length.
        namespace : str
        """
        rows = next(map(len, groups.values()), 0)
        known = np.zeros(rows, bool)
        for column, values in groups.items():
            digests = self.digests.get(column, frozenset())
            met = {value: _digest(namespace, column, value) in digests for value in set(values)}
            known |= np.fromiter((met[value] for value in values), bool, rows)
        return known

    def shared_with(self, other: LearnedFrom) -> dict[str, int]:
        """How many members of each group column stand in both."""
        if self and other and self.fingerprint != other.fingerprint:
            raise RunError(_OTHER_SALT)
        same_people = self.namespaces & other.namespaces
        if self and other and same_people and not set(self.digests) & set(other.digests):
            raise RunError(
                f"both have subjects of {', '.join(sorted(same_people))}, but by columns of other names ({', '.join(self.digests)}; "
                f"{', '.join(other.digests)}), so leakage cannot be ruled out: name the group columns alike"
            )
        common = {c: len(self.digests[c] & other.digests.get(c, frozenset())) for c in self.digests}
        return {column: count for column, count in common.items() if count}

    def refuse(self, other: LearnedFrom, *, part: str, action: str = "scored on") -> None:
        """Raise if any member of ``other`` has been learnt from.

        Raises
        ------
        LeakageError
            Names the part and the number of subjects.
        RunError
            If the two were digested with different salts, so that nobody can tell.
        """
        shared = self.shared_with(other)
        if shared:
            counts = ", ".join(f"{n} of {len(other.digests[c])} in column {c!r}" for c, n in shared.items())
            raise LeakageError(
                f"{part} would be {action} subjects it has learnt from: {counts}. "
                "Fit it inside the protocol, on the training subjects of each fold alone."
            )

    def to_json(self) -> dict[str, object]:
        """Plain lists, for ``run.json`` and the weights' header."""
        return {
            "salt": self.fingerprint,
            "namespaces": sorted(self.namespaces),
            "digests": {c: sorted(d) for c, d in sorted(self.digests.items())},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> LearnedFrom:
        """Inverse of :meth:`to_json`.

        Raises
        ------
        RunError
            If the record is not what :meth:`to_json` writes: without it nobody can tell who was learnt from.
        """
        digests, fingerprint = data.get("digests"), data.get("salt")
        if not isinstance(digests, Mapping) or not isinstance(fingerprint, str):
            raise RunError(f"a record of whom a part has learnt from lacks 'digests' or 'salt': it has {sorted(data)}")
        namespaces = frozenset(map(str, data.get("namespaces", ())))  # type: ignore[call-overload]
        return cls({str(c): frozenset(map(str, d)) for c, d in digests.items()}, fingerprint, namespaces)


_OTHER_SALT = (
    f"subjects were digested with another salt, so leakage cannot be ruled out: set {SALT_VARIABLE} to the value that "
    "the run was made with"
)


def _digest(namespace: str, column: str, value: object) -> str:
    named = f"{namespace}\x1f{column}\x1f{group_name(value)}"
    return hashlib.blake2b(named.encode(), key=salt(), digest_size=8).hexdigest()
