"""What pellucid raises. Every message says what was asked, what was found, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class PellucidError(Exception):
    """Base of every error that pellucid raises on purpose."""


class DataError(PellucidError):
    """Data that cannot be used as it is: names the file, record or field, and the mend."""


class NotMeasurable(DataError):
    """These data cannot carry a measurement; an assessment raises it while it examines, and the run goes on without it.

    Settings that cannot work are no such thing: they are refused before anything is fitted.

    Parameters
    ----------
    because : str
        What is lacking, with counts; half a sentence.
    helps : str
        What would help; half a sentence in the imperative.
    """

    def __init__(self, because: str, helps: str = "") -> None:
        super().__init__(f"{because}: {helps}" if helps else because)
        self.because, self.helps = because, helps


class StudyError(PellucidError):
    """A study that cannot run as written: unknown key, unfit components, impossible setting."""


class RunError(PellucidError):
    """A run folder that cannot be read or continued: other version, tampered weights, other settings."""


class LeakageError(PellucidError):
    """A learnt part would be scored on subjects it has learnt from."""


class UnknownComponent(PellucidError):
    """No installed plugin offers a component of this name."""


class ContractError(PellucidError):
    """A component does not keep the contract of its kind."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest known name, or an empty string.

    Examples
    --------
    >>> nearest("aditive", ["additive", "mlp"])
    "; did you mean 'additive'?"
    """
    matches = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def abridged(items: Sequence[object], most: int = 5, *, between: str = ", ") -> str:
    """Items for a message: the first ones, and how many more there are.

    Examples
    --------
    >>> abridged(["Cz", "Pz", "Oz", "Fz"], 2), abridged(["Cz", "Pz"], 2)
    ('Cz, Pz and 2 more', 'Cz, Pz')
    """
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return between.join(map(str, items[:most])) + more
