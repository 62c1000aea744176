"""What descriptions are made of, and what is wrong with one that is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from pellucid.errors import DataError, nearest


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


def first_problem_told(error: ValidationError, described: type[BaseModel]) -> str:
    """The same as one phrase with the place in front, positions from 1; of an unknown key with the nearest of those there are.

    Parameters
    ----------
    error : ValidationError
    described : type
        What was to be described; may have descriptions within.
    """
    at, what = first_problem(error)
    where = ".".join(str(step + 1) if isinstance(step, int) else step for step in at) or described.__name__.lower()
    if what == "unknown":
        return f"{where}: there is no such field{nearest(str(at[-1]), _within(described, at[:-1]).model_fields)}"
    return f"{where}: is missing" if what == "missing" else f"{where}: {what}"


def _within(described: type[BaseModel], at: tuple[int | str, ...]) -> type[BaseModel]:
    for step in at:
        if step in described.model_fields:
            described = next(_descriptions(described.model_fields[str(step)].annotation), described)
    return described


def _descriptions(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _descriptions(inner)


Described = TypeVar("Described", bound=BaseModel)


def read_toml(path: Path, described: type[Described], called: str) -> Described:
    """A description from a TOML file.

    Parameters
    ----------
    path : Path
    described : type
    called : str
        What it is, for messages: ``"card"``.

    Raises
    ------
    DataError
        Names the file and the field; for an unknown field the nearest known one.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{called} {path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{called} {path}: is not valid TOML: {error}") from None
    try:
        return described.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{called} {path}: {first_problem_told(error, described)}") from None
