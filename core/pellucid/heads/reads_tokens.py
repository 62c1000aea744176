"""Heads that read tokens: which set of them is meant."""

from __future__ import annotations

from collections.abc import Collection

from pellucid.errors import StudyError, nearest


def chosen_tokens(head: str, asked: str, sets: Collection[str], *, what: str = "tokens") -> str:
    """The set of tokens that a head reads: the one that is named, or the only one.

    Parameters
    ----------
    head : str
        Its name in a study, for the message.
    asked : str
        What the option ``tokens_name`` says; may be empty where there is one set.
    sets : collection of str
        Names of the sets that the head can read.
    what : str
        What they are, for the message.

    Raises
    ------
    StudyError
        If there is no such set, or it is not said which of several.

    Examples
    --------
    >>> chosen_tokens("linear-tokens", "", ["signal"]), chosen_tokens("linear-tokens", "slow", ["slow", "fast"])
    ('signal', 'slow')
    """
    name = asked or (next(iter(sets)) if len(sets) == 1 else "")
    if name not in sets:
        raise StudyError(
            f"head {head!r} reads one set of {what}, and is told {name!r}{nearest(name, sets)}: name one with the option "
            f"tokens_name; {what} here: {', '.join(sets) or 'none'}"
        )
    return name
