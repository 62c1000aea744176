"""Fields of components that are files, and choosing components by them.

A card, a study or whatever a plugin adds as files is a table of fields; it is read as such, without the code that checks it, so that
choosing is as free as listing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pellucid import plugins
from pellucid.errors import PellucidError, UnknownComponent, abridged, nearest
from pellucid.kinds import kind_called
from pellucid.phrases import yes_or_no
from pellucid.plugins import Component

Values = tuple[str, ...]

SHORT = 40
"""Characters beyond which a value is prose and is not offered for another."""


def flattened(content: Mapping[str, Any]) -> dict[str, Values]:
    """Values as text, by the dotted path of keys that leads to them; of a list all that are in it.

    Examples
    --------
    >>> flattened({"year": 2024, "grip": {"kind": ["pinch", "hook"]}, "results": [{"suite": "a"}, {"suite": "b"}]})
    {'year': ('2024',), 'grip.kind': ('pinch', 'hook'), 'results.suite': ('a', 'b')}
    """
    found: dict[str, list[str]] = {}
    for path, value in _leaves(content, ""):
        found.setdefault(path, []).append(value)
    return {path: tuple(dict.fromkeys(values)) for path, values in found.items()}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, path)
    elif value is not None:
        yield path, yes_or_no(value) if isinstance(value, bool) else str(value)


def asked_of(fields: Mapping[str, Values], name: str) -> Values:
    """Values of the fields that a name means: the field of that path or last key, or all that stand under it.

    Examples
    --------
    >>> fields = {"grip.kind": ("pinch",), "grip.force_n": ("2",)}
    >>> asked_of(fields, "kind"), asked_of(fields, "grip"), asked_of(fields, "year")
    (('pinch',), ('pinch', '2'), ())
    """
    return tuple(
        value
        for path, values in fields.items()
        if path == name or path.startswith(f"{name}.") or path.endswith(f".{name}")
        for value in values
    )


def is_among(wanted: str, values: Iterable[str]) -> bool:
    """Whether a value is one of these: capitals do not count, numbers are compared as numbers, and true is yes."""
    same = _comparable(wanted)
    return any(_comparable(value) == same for value in values)


def _comparable(value: str) -> str | float:
    value = value.strip().casefold()
    try:
        return float(value)
    except ValueError:
        return {"true": "yes", "false": "no"}.get(value, value)


def narrowed(items: Mapping[str, Mapping[str, Values]], where: Iterable[tuple[str, str]], *, several: str) -> list[str]:
    """Names of those of which all that is asked for holds.

    Parameters
    ----------
    items : mapping of str to mapping
        Fields (:func:`flattened`) by name.
    where : iterable of (str, str)
        Field and value.
    several : str
        What they are called: ``"cards"``.

    Raises
    ------
    UnknownComponent
        For a field or a value that none of them has, with the nearest that some have.
    """
    kept = list(items)
    for name, wanted in where:
        values = {item: asked_of(fields, name) for item, fields in items.items()}
        known = sorted({value for some in values.values() for value in some})
        if not known:
            names = {name for fields in items.values() for path in fields for name in _names_of(path)}
            raise UnknownComponent(
                f"none of the {several} here has a field {name!r}{nearest(name, names)}\n"
                f"Fields: {', '.join(sorted({path.partition('.')[0] for fields in items.values() for path in fields}))}"
            )
        if not is_among(wanted, known):
            short = [value for value in known if len(value) <= SHORT]
            told = f"\nValues: {abridged(short, 20)}" if short else ""
            raise UnknownComponent(f"none of the {several} here has {name} = {wanted!r}{nearest(wanted, known)}{told}")
        kept = [item for item in kept if is_among(wanted, values[item])]
    return kept


def _names_of(path: str) -> Iterator[str]:
    """All that :func:`asked_of` would take for it, save what stands in the middle of a longer path."""
    keys = path.split(".")
    yield keys[-1]
    yield from (".".join(keys[:count]) for count in range(1, len(keys) + 1))


def chosen(kind: str, where: Iterable[tuple[str, str]]) -> dict[str, Component]:
    """Components of a kind, by qualified name, of which all that is asked for holds.

    Parameters
    ----------
    kind : str
        Singular or plural, of those whose components are files.
    where : iterable of (str, str)
        Field and value. A field is named by its path (``intermediate.kind``), its last key (``kind``), or the table that it stands in
        (``intermediate``: any field of it).

    Raises
    ------
    UnknownComponent
        For a kind, a field or a value that there is not, with the nearest.
    """
    kinds = plugins.installed().kinds
    one = kind_called(kind, kinds)
    if one is None or not one.is_file:
        files = ", ".join(k.plural for k in kinds.values() if k.is_file)
        why = (
            f"there is no kind {kind!r}"
            if one is None
            else f"{one.plural} are no files, and have no fields to choose by"
        )
        raise UnknownComponent(f"{why}; what can be chosen by fields: {files}")
    components = plugins.components(one.name)
    fields = {}
    for name, component in components.items():
        # One that cannot be read has no fields; listing without a choice shows it with the reason.
        try:
            fields[name] = fields_of(component)
        except (PellucidError, OSError, ValueError):
            continue
    return {name: components[name] for name in narrowed(fields, where, several=one.plural)}


def fields_of(component: Component) -> dict[str, Values]:
    """Fields of one component that is a file."""
    return flattened(tomllib.loads(plugins.resource(component.target).read_text("utf-8")))
