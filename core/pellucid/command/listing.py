"""What ``pellucid list`` and ``pellucid info`` say: read from plugins' records, docstrings, settings and cards.

:func:`overview` imports no component and nothing heavy; :func:`describe` imports the one component it describes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from pellucid import plugins
from pellucid.command.docstrings import parameters, sections
from pellucid.errors import PellucidError, UnknownComponent, nearest
from pellucid.fields import chosen
from pellucid.kinds import KINDS, kind_called
from pellucid.phrases import yes_or_no
from pellucid.plugins import Component


def overview(kind: str | None = None, where: Sequence[str] = ()) -> dict[str, list[tuple[Component, str]]]:
    """Components with their one-line summaries, by plugin.

    Parameters
    ----------
    kind : str, optional
        One of :attr:`pellucid.plugins.Installed.kinds`, singular or plural.
    where : sequence of str
        ``"field=value"``, all of which must hold; of kinds whose components are files (:mod:`pellucid.fields`).

    Raises
    ------
    UnknownComponent
        If there is no such kind, field or value.
    """
    wanted = None if kind is None else _kind(kind)
    if where:
        if wanted is None:
            raise UnknownComponent("--where chooses within one kind: pellucid list cards --where access=open")
        kept = set(chosen(wanted, map(_condition, where)))
    found: dict[str, list[tuple[Component, str]]] = {plugin.name: [] for plugin in plugins.installed().plugins}
    for component in plugins.components().values():
        if wanted in (None, component.kind) and (not where or component.qualified in kept):
            found[component.plugin].append((component, _summary(component)))
    return found


def _kind(word: str) -> str:
    kinds = plugins.installed().kinds
    if (kind := kind_called(word, kinds)) is None:
        raise UnknownComponent(f"no kind {word!r}{nearest(word, kinds)}; kinds: {', '.join(kinds)}")
    return kind.name


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise UnknownComponent(f"--where {text}: write it as field=value, for example --where access=open")
    return name.strip(), value.strip()


def _summary(component: Component) -> str:
    # One component whose file is gone must not hide the others; `pellucid info` and `check` say more.
    try:
        return plugins.summary(component)
    except (PellucidError, OSError, SyntaxError, ValueError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"


@dataclass(frozen=True)
class Option:
    """One setting of a component."""

    name: str
    type: str
    default: str
    about: str


@dataclass(frozen=True)
class Description:
    """What is known of a component.

    Parameters
    ----------
    component : Component
    summary, about : str
        The docstring's first line, and the rest of its prose.
    references : str
        The docstring's ``References`` section, or a card's papers.
    facts : tuple of (str, str)
        Name and value, in the order to be shown.
    options : tuple of Option
    """

    component: Component
    summary: str
    about: str = ""
    references: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    options: tuple[Option, ...] = field(default_factory=tuple)


def describe(component: Component) -> Description:
    """Everything that a reader needs to choose and use one component."""
    if component.kind == "card":
        return _describe_card(component)
    if component.kind == "study":
        return _describe_study(component)
    if component.kind not in KINDS and plugins.installed().kinds[component.kind].is_file:
        return _describe_file(component)
    made = plugins.load(component.kind, component.qualified)
    parts = sections(made.__doc__)
    summary, _, about = parts[""].partition("\n")
    facts = list(_tags(made))
    if component.kind == "dataset":
        facts += _dataset_facts(component)
    return Description(
        component, summary, about.strip(), parts.get("References", ""), tuple(facts), tuple(_options(made)),
    )  # fmt: skip


def _describe_card(component: Component) -> Description:
    from pellucid.cards import ACCESS, read_card, states

    card = read_card(plugins.resource(component.target))
    facts = [
        ("licence", f"{card.licence} {card.licence_url}".strip()),
        ("attribution", card.attribution),
        ("access", f"{card.access}: {ACCESS[card.access]}"),
        ("how to get it", card.how),
        ("subject key", card.subject_key),
        ("the label", card.label_caveat),
        *((f"unit of {name}", unit) for name, unit in card.units.items()),
        *(("cite", citation) for citation in card.citations),
        *(("file", f"{s.file.path} ({s.file.bytes:,} bytes): {s.presence}") for s in states(card)),
    ]
    references = "\n".join(f"doi:{paper}" for paper in card.papers)
    said = tuple((name, " ".join(value.split())) for name, value in facts if value)
    return Description(component, card.title, " ".join(card.about.split()), references, said)


def _describe_study(component: Component) -> Description:
    import tomllib

    path = plugins.resource(component.target)
    text = path.read_text("utf-8")
    content = tomllib.loads(text)
    facts: list[tuple[str, str]] = [
        (key, str(content[key])) for key in ("dataset", "target", "protocols") if key in content
    ]
    facts += [("encoder", f"{e.get('name')} reads {e.get('input')}") for e in content.get("encoder", [])]
    facts += [("head", f"{h.get('label', h.get('name'))}") for h in content.get("head", [])]
    return Description(component, str(content.get("title", "")), facts=(*facts, ("file", str(path))))


def _describe_file(component: Component) -> Description:
    """Of a kind that a plugin adds: every field as it stands."""
    import tomllib

    content = tomllib.loads(plugins.resource(component.target).read_text("utf-8"))
    title, about = (str(content.pop(key, "")) for key in ("title", "about"))
    facts = []
    for key, value in content.items():
        several = isinstance(value, list) and value and isinstance(value[0], Mapping)
        facts += [(key.replace("_", " "), _told(one)) for one in (value if several else [value])]
    return Description(component, title, " ".join(about.split()), facts=tuple(facts))


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key.replace('_', ' ')} {_told(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value))
    return yes_or_no(value) if isinstance(value, bool) else " ".join(str(value).split())


def _tags(made: Any) -> Iterator[tuple[str, str]]:
    tags = getattr(made, "tags", None)
    for name, value in vars(tags).items() if tags is not None else ():
        said = _told(value)
        yield name.replace("_", " "), said


def _dataset_facts(component: Component) -> Iterator[tuple[str, str]]:
    """Shapes and units from the data itself where it is here; otherwise the reason why not."""
    from pellucid.opening import dataset

    try:
        data = dataset(component.qualified)
    except PellucidError as error:
        yield "shapes", f"not known before the data is here: {error}"
        return
    spec = data.spec
    yield "samples", f"{len(data):,}"
    for group in spec.groups:
        yield "kept together", f"{group} ({data.frame[group].nunique():,})"
    inputs = dict(spec.inputs) | ({"covariates": spec.covariates} if spec.covariates else {})
    for name, one in inputs.items():
        yield f"input {name}", f"{one.kind} {one.shape}, {_units(one)}"
    for name, target in spec.targets.items():
        count = int(data.frame[name].notna().sum()) if name in data.frame else len(data)
        yield (
            f"target {name}",
            f"{target.kind} ({', '.join(getattr(target, 'names', target.outputs))}), {count:,} labelled",
        )
    if spec.concepts:
        ranges = zip(spec.concepts.names, spec.concepts.low, spec.concepts.high, strict=True)
        yield "concepts", ", ".join(f"{name} ({low:g} to {high:g})" for name, low, high in ranges)
    if spec.trivial:
        yield "trivial baseline", " + ".join(spec.trivial)
    if spec.about:
        yield "mind", spec.about


def _units(one: Any) -> str:
    units = getattr(one, "units", "no units")
    said = units if isinstance(units, str) else ", ".join(f"{n} [{u}]" for n, u in zip(one.names, units, strict=True))
    for extra, unit in (("rate_hz", "Hz"), ("spacing_mm", "mm apart")):
        value = getattr(one, extra, None)
        if value is not None:
            said += f", {' x '.join(f'{v:g}' for v in value) if isinstance(value, tuple) else f'{value:g}'} {unit}"
    return said


def _options(made: Any) -> Iterator[Option]:
    config = getattr(made, "config_type", None)
    if config is None:
        return
    from pellucid.encoders.base import EncoderConfig
    from pellucid.heads.base import HeadConfig

    about: dict[str, str] = {}
    decided_by_data: set[str] = set()
    for base in reversed(config.__mro__):
        about |= parameters(vars(base).get("__doc__"))
        if base in (EncoderConfig, HeadConfig):
            decided_by_data |= set(base.model_fields)
    for name, one in config.model_fields.items():
        if name in decided_by_data:
            continue
        default = "required" if one.is_required() else str(one.get_default(call_default_factory=True))
        yield Option(name, _type(one.annotation), default, one.description or about.get(name, ""))


def _type(annotation: Any) -> str:
    if annotation is type(None):
        return "nothing"
    arguments = [
        _type(a) if isinstance(a, type) or get_origin(a) else repr(a) for a in get_args(annotation) if a is not ...
    ]
    origin = get_origin(annotation)
    if origin is None:
        return getattr(annotation, "__name__", str(annotation))
    if "Union" in str(origin) or "Literal" in str(origin):
        return " or ".join(arguments)
    return f"{origin.__name__} of {', '.join(arguments)}"
