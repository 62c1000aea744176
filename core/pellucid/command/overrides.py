"""Settings of a study that are given in a command."""

from __future__ import annotations

from typing import Any

from pellucid.errors import StudyError


def overrides(settings: list[str], called: str = "--set", example: str = "training.epochs=5") -> dict[str, Any]:
    """Parse ``key=value`` settings; a value is TOML where it can be (``5``, ``true``, ``[1, 2]``), else plain text.

    Raises
    ------
    StudyError
        For a setting without ``=``.

    Examples
    --------
    >>> overrides(["training.epochs=5", "title=Short run"])
    {'training.epochs': 5, 'title': 'Short run'}
    """
    import tomllib

    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            raise StudyError(f"{called} {setting}: write it as key=value, for example {called} {example}")
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value
    return found
