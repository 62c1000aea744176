"""Plugins: what is installed, found through entry points, named without importing anything heavy.

A plugin is a frozen record of import strings. Listing reads the records and, for the one-line summaries, the source
text of the named classes; only :func:`load` imports a component's module.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

from pellucid.errors import ContractError, UnknownComponent, nearest
from pellucid.kinds import KINDS, Kind
from pellucid.packages import package_folder as package_folder
from pellucid.packages import resource as resource
from pellucid.packages import source_of

API = 1
"""Version of the plugin contract. A plugin made for another one is listed as broken, with this as the reason."""

ENTRY_POINTS = "pellucid.plugins"


def _frozen(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(mapping))


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What one distribution adds: names and import strings, so that listing is free.

    Parameters
    ----------
    name : str
        Short name of the domain, such as ``"ct"``; the first part of qualified names (``"ct/lidc-shapes"``).
    api : int
        The :data:`API` that the plugin was written for.
    encoders, heads, datasets, protocols, views, measures, attributions : mapping of str to str
        Component name to ``"module:Class"`` (for measures and views ``"module:function"``).
    studies, cards : mapping of str to str
        Name to ``"package/path/file.toml"``: data files inside an importable package.
    added : mapping of Kind to mapping of str to str
        Kinds of component that its domain needs and the core does not know, each with its components. Another plugin may offer
        components of an equal kind.
    mend : str
        What to type when the plugin does not load, shown beside the reason.
    """

    name: str
    api: int
    encoders: Mapping[str, str] = field(default_factory=dict)
    heads: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[str, str] = field(default_factory=dict)
    studies: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    measures: Mapping[str, str] = field(default_factory=dict)
    attributions: Mapping[str, str] = field(default_factory=dict)
    cards: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[Kind, Mapping[str, str]] = field(default_factory=dict)
    mend: str = ""

    def __post_init__(self) -> None:
        for part in fields(self):
            if isinstance(getattr(self, part.name), Mapping):
                object.__setattr__(self, part.name, _frozen(getattr(self, part.name)))
        added = {kind: _frozen(components) for kind, components in self.added.items()}
        object.__setattr__(self, "added", MappingProxyType(added))

    def of_kind(self, kind: str) -> Mapping[str, str]:
        """Names and import strings of one kind."""
        if kind in KINDS:
            return getattr(self, KINDS[kind].plural)
        return next((components for one, components in self.added.items() if one.name == kind), {})


@dataclass(frozen=True)
class Component:
    """One thing a plugin offers."""

    kind: str
    plugin: str
    name: str
    target: str

    @property
    def qualified(self) -> str:
        """``plugin/name``."""
        return f"{self.plugin}/{self.name}"

    def __str__(self) -> str:
        return self.qualified


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that is installed but did not load, and why."""

    name: str
    reason: str
    mend: str


@dataclass(frozen=True)
class Installed:
    """Everything found at one look: plugins that loaded and plugins that did not."""

    plugins: tuple[Plugin, ...]
    versions: Mapping[str, str]
    broken: tuple[BrokenPlugin, ...]

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """The core's kinds by name, then those that plugins add."""
        return {**KINDS, **{kind.name: kind for plugin in self.plugins for kind in plugin.added}}


@lru_cache(maxsize=1)
def installed() -> Installed:
    """Find the plugins of this environment. Cached; :func:`refresh` looks again."""
    plugins: dict[str, Plugin] = {}
    versions: dict[str, str] = {}
    broken: list[BrokenPlugin] = []
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda p: (p.name != "core", p.name)):
        distribution = point.dist.name if point.dist else point.value
        mend = f"reinstall it with its requirements: pip install --force-reinstall {distribution}"
        try:
            plugin = point.load()
        except Exception as error:  # noqa: BLE001 - whatever a foreign plugin raises is shown, and must not hide the others
            broken.append(BrokenPlugin(point.name, f"{type(error).__name__}: {error}", mend))
            continue
        if not isinstance(plugin, Plugin):
            broken.append(BrokenPlugin(point.name, f"{point.value} is a {type(plugin).__name__}, not a Plugin", mend))
        elif plugin.api != API:
            mend = f"install a version of {distribution} made for api {API}, or the pellucid that has api {plugin.api}"
            broken.append(BrokenPlugin(point.name, f"made for plugin api {plugin.api}; this is api {API}", mend))
        elif plugin.name in plugins:
            broken.append(
                BrokenPlugin(
                    point.name, f"a plugin named {plugin.name!r} is already here", f"pip uninstall {distribution}"
                )
            )
        elif taken := _taken(plugin, plugins.values()):
            broken.append(
                BrokenPlugin(point.name, taken, f"ask its author for another name, or pip uninstall {distribution}")
            )
        else:
            plugins[plugin.name] = plugin
            versions[plugin.name] = point.dist.version if point.dist else "?"
    return Installed(tuple(plugins.values()), _frozen(versions), tuple(broken))


def _taken(plugin: Plugin, others: Iterable[Plugin]) -> str:
    """That a kind which a plugin adds is called as another kind is; empty where none is."""
    known = [*KINDS.values(), *(kind for other in others for kind in other.added)]
    for kind in plugin.added:
        for other in known:
            if kind != other and {kind.name, kind.plural} & {other.name, other.plural}:
                return f"adds a kind {kind.name!r} (several: {kind.plural!r}), but there is another one called so"
        known.append(kind)
    return ""


def refresh() -> Installed:
    """Look for plugins again, after an installation in the running process."""
    importlib.invalidate_caches()
    installed.cache_clear()
    return installed()


def components(kind: str | None = None) -> dict[str, Component]:
    """Qualified name to component, of one kind or of all. Imports no component.

    Keys carry the kind where no ``kind`` is asked for (``"encoder:core/cnn"``), as a dataset and its card share a name.
    """
    found = {}
    for item in _walk():
        if kind is None:
            found[f"{item.kind}:{item.qualified}"] = item
        elif item.kind == kind:
            found[item.qualified] = item
    return found


def _walk() -> Iterator[Component]:
    here = installed()
    for plugin in here.plugins:
        for kind in here.kinds:
            for name, target in plugin.of_kind(kind).items():
                yield Component(kind, plugin.name, name, target)


def find(kind: str, name: str) -> Component:
    """The component of a kind by bare (``"additive"``) or qualified (``"core/additive"``) name.

    Raises
    ------
    UnknownComponent
        If no plugin offers it (the nearest name and the plugins that did not load are named), or if two plugins offer
        the bare name.
    """
    known = components(kind)
    if name in known:
        return known[name]
    same = [item for item in known.values() if item.name == name]
    if len(same) == 1:
        return same[0]
    if same:
        raise UnknownComponent(
            f"{name!r} is offered by several plugins: write one of {', '.join(i.qualified for i in same)}"
        )
    names = {item.qualified for item in known.values()} | {item.name for item in known.values()}
    here = installed()
    loaded = ", ".join(f"{p.name} {here.versions[p.name]}" for p in here.plugins) or "none"
    message = f"no {kind} named {name!r}{nearest(name, names)}\nLoaded plugins: {loaded}."
    for plugin in here.broken:
        message += f" Plugin {plugin.name!r} did not load: {plugin.reason} ({plugin.mend})."
    raise UnknownComponent(message)


def named(name: str) -> list[Component]:
    """All components of a name, bare or qualified, of any kind (a dataset and its card share one).

    Raises
    ------
    UnknownComponent
        With the nearest name, and the plugins that did not load.
    """
    everything = list(components().values())
    same = [c for c in everything if name in (c.qualified, c.name, f"{c.kind}:{c.qualified}", f"{c.kind}:{c.name}")]
    if same:
        return same
    known = {c.name for c in everything} | {c.qualified for c in everything}
    message = f"nothing named {name!r} is installed{nearest(name, known)}\n'pellucid list' shows what is."
    for plugin in installed().broken:
        message += f" Plugin {plugin.name!r} did not load: {plugin.reason} ({plugin.mend})."
    raise UnknownComponent(message)


def load(kind: str, name: str) -> Any:
    """Import a component: a class or function, or the path of the file where its kind is one."""
    component = find(kind, name)
    if installed().kinds[kind].is_file:
        return resource(component.target)
    module, _, attribute = component.target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        plugin = component.plugin
        raise UnknownComponent(
            f"{kind} {component.qualified!r} is installed but does not import: {error} "
            f"(reinstall plugin {plugin!r} with its requirements)"
        ) from error
    except AttributeError as error:
        raise ContractError(
            f"plugin {component.plugin!r} names {component.target!r}, but {module} has no {attribute!r}"
        ) from error


def summary(component: Component) -> str:
    """What the component is for, in a line, read from its source or file and not by importing it."""
    if installed().kinds[component.kind].is_file:
        import tomllib

        return str(tomllib.loads(resource(component.target).read_text("utf-8")).get("title", ""))
    module, _, attribute = component.target.partition(":")
    source = source_of(module)
    if source is None:
        return ""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""
