"""What descriptions are made of, and what is wrong with one that is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError


class Frozen(BaseModel):
    """A description that cannot change and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(NamedTuple):
    """What is wrong with a description.

    Parameters
    ----------
    at : tuple of int or str
        Keys, and positions from 0, that lead to it; empty where a rule is about the whole.
    what : str
        ``"unknown"`` of a key that there is not, ``"missing"``, or the words of the rule that is broken and what was given.
    """

    at: tuple[int | str, ...]
    what: str


def first_problem(error: ValidationError) -> Problem:
    """The problem to tell of, among all that pydantic found.

    Examples
    --------
    >>> class Grip(Frozen):
    ...     force_n: float
    >>> for settings in ({"force": 1}, {}, {"force_n": "much"}):
    ...     try:
    ...         Grip(**settings)
    ...     except ValidationError as error:
    ...         print(*first_problem(error))
    ('force',) unknown
    ('force_n',) missing
    ('force_n',) Input should be a valid number, unable to parse string as a number (got 'much')
    """
    # A misspelt key makes the right one missing as well; the misspelling is the thing to say.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    if first["type"] in ("extra_forbidden", "missing"):
        return Problem(first["loc"], "unknown" if first["type"] == "extra_forbidden" else "missing")
    # A rule about several settings is given all of them; its message says which it means.
    got = "" if isinstance(first.get("input"), Mapping) else f" (got {first.get('input')!r})"
    return Problem(first["loc"], f"{first['msg'].removeprefix('Value error, ')}{got}")
