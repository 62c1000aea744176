"""Single settings changed by dotted keys, as ``--set`` writes them."""

from __future__ import annotations

from typing import Any

from pellucid.errors import StudyError


def assign(settings: dict[str, Any], key: str, value: Any) -> None:
    """Put a value where a dotted key says, among plain settings.

    Parameters
    ----------
    settings : dict
        Changed in place.
    key : str
        ``encoder.0.latent``: names, and positions in lists.
    value

    Raises
    ------
    StudyError
        If there is no such place.

    Examples
    --------
    >>> settings = {"encoder": [{"name": "vae"}]}
    >>> assign(settings, "encoder.0.latent", 8)
    >>> settings
    {'encoder': [{'name': 'vae', 'latent': 8}]}
    """
    *parents, last = key.split(".")
    at: Any = settings
    for name in parents:
        at = at[int(name)] if isinstance(at, list) and name.isdigit() and int(name) < len(at) else _step(at, name, key)
    if isinstance(at, list):
        if not last.isdigit() or int(last) >= len(at):
            raise StudyError(
                f"--set {key}: {'.'.join(parents)} is a list of {len(at)}; write a position, as in {parents[0]}.0.{last}"
            )
        at[int(last)] = value
    elif isinstance(at, dict):
        at[last] = value
    else:
        raise StudyError(f"--set {key}: {'.'.join(parents)} is {at!r}, which has nothing inside")


def _step(at: Any, name: str, key: str) -> Any:
    if isinstance(at, list):
        raise StudyError(f"--set {key}: {name!r} is no position in a list of {len(at)}; write 0 to {len(at) - 1}")
    if not isinstance(at, dict):
        raise StudyError(f"--set {key}: there is nothing called {name!r} here")
    return at.setdefault(name, {})
