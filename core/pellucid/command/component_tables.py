"""Tables in a terminal of what is there: components that are installed, the card of one, layers of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pellucid.command.tables import console, plain

if TYPE_CHECKING:
    from pellucid.command.listing import Description
    from pellucid.plugins import Component, Installed


def print_overview(out: Console, components: Mapping[str, list[tuple[Component, str]]], installed: Installed) -> None:
    """Components by plugin and kind; then the plugins that did not load, each with its reason and mend."""
    for plugin, rows in components.items():
        if not rows:
            continue
        out.print(Text(f"{plugin} {installed.versions[plugin]}", style="bold"))
        table = plain("kind", "name", "what it is for")
        last = ""
        for component, summary in rows:
            table.add_row(
                f"  {component.kind if component.kind != last else ''}",
                Text(component.name, style="cyan"),
                Text(summary),
            )
            last = component.kind
        out.print(table)
        out.print()
    for broken in installed.broken:
        out.print(Text(f"{broken.name}: did not load", style="bold red"))
        out.print(f"  why:  {broken.reason}")
        out.print(f"  mend: {broken.mend}")
        out.print()


def print_description(out: Console, description: Description) -> None:
    """The card of one component."""
    component = description.component
    out.print(
        Text(f"{component.qualified}", style="bold cyan")
        + Text(f"  {component.kind} of plugin {component.plugin}", style="dim")
    )
    out.print(Text(description.summary))
    if description.about:
        out.print()
        out.print(Text(description.about))
    if description.facts:
        out.print()
        table = plain("", "")
        for name, value in description.facts:
            table.add_row(Text(name, style="bold"), Text(value))
        out.print(table)
    if description.options:
        out.print()
        table = plain("option", "type", "default", "what it does", heads=True)
        for option in description.options:
            table.add_row(Text(option.name, style="cyan"), option.type, option.default, Text(option.about))
        out.print(table)
    if description.references:
        out.print()
        out.print(Text("Paper", style="bold"))
        out.print(Text(description.references))
    out.print()


def show_installed(kind: str | None, where: Sequence[str] = ()) -> None:
    """Print what is installed, or what of one kind fits, and which plugins did not load and why."""
    from pellucid import plugins
    from pellucid.command import listing

    print_overview(console(), listing.overview(kind, where), plugins.installed())


def print_layers(out: Console, layers: Iterable[tuple[str, str, tuple[int, ...]]]) -> None:
    """Layers of a model with what they say of one sample."""
    table = plain("layer", "module", "of one sample", heads=True)
    for name, kind, shape in layers:
        table.add_row(name, kind, " x ".join(map(str, shape)) or "one number")
    out.print(table)
