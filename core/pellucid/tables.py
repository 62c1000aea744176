"""Tables in a terminal: what is installed, what a component is, what a run found."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pellucid.listing import Description
    from pellucid.plugins import Component, Installed
    from pellucid.result import Result

PIPED_WIDTH = 160
"""Columns where the output is no terminal: wide enough that a summary stays on its line for grep."""


def console(*, errors: bool = False) -> Console:
    """Where a command writes."""
    stream = sys.stderr if errors else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _plain(*columns: str, heads: bool = False) -> Table:
    table = Table(box=None, show_header=heads, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=at == 0)
    return table


def print_overview(out: Console, found: Mapping[str, list[tuple[Component, str]]], here: Installed) -> None:
    """Components by plugin and kind; then the plugins that did not load, each with its reason and mend."""
    for plugin, rows in found.items():
        if not rows:
            continue
        out.print(Text(f"{plugin} {here.versions[plugin]}", style="bold"))
        table = _plain("kind", "name", "what it is for")
        last = ""
        for component, summary in rows:
            table.add_row(f"  {component.kind if component.kind != last else ''}", Text(component.name, style="cyan"), Text(summary))
            last = component.kind
        out.print(table)
        out.print()
    for broken in here.broken:
        out.print(Text(f"{broken.name}: did not load", style="bold red"))
        out.print(f"  why:  {broken.reason}")
        out.print(f"  mend: {broken.mend}")
        out.print()


def print_description(out: Console, description: Description) -> None:
    """The card of one component."""
    component = description.component
    out.print(Text(f"{component.qualified}", style="bold cyan") + Text(f"  {component.kind} of plugin {component.plugin}", style="dim"))
    out.print(Text(description.summary))
    if description.about:
        out.print()
        out.print(Text(description.about))
    if description.facts:
        out.print()
        table = _plain("", "")
        for name, value in description.facts:
            table.add_row(Text(name, style="bold"), Text(value))
        out.print(table)
    if description.options:
        out.print()
        table = _plain("option", "type", "default", "what it does", heads=True)
        for option in description.options:
            table.add_row(Text(option.name, style="cyan"), option.type, option.default, Text(option.about))
        out.print(table)
    if description.references:
        out.print()
        out.print(Text("Paper", style="bold"))
        out.print(Text(description.references))
    out.print()


def print_cards(out: Console, rows: Iterable[Mapping[str, Any]]) -> None:
    """Dataset cards: licence, access, whom to cite, what is here and what is missing."""
    for row in rows:
        out.print(Text(row["name"], style="bold cyan"))
        if row["error"]:
            out.print(Text(f"  this card is wrong: {row['error']}", style="red"))
            continue
        card = row["card"]
        missing = [state for state in row["states"] if state.presence != "here"]
        table = _plain("", "")
        table.add_row("  what", Text(card.title))
        table.add_row("  licence", card.licence)
        table.add_row("  access", f"{card.access}; {card.how}" if missing or not row["states"] else card.access)
        for citation in card.citations:
            table.add_row("  cite", Text(citation))
        for state in row["states"]:
            where = f" ({state.path})" if state.path else ""
            style = "green" if state.presence == "here" else "yellow"
            table.add_row("  file", Text(f"{state.file.path}: {state.presence}{where}", style=style))
        if missing:
            table.add_row("  to mend", Text(card.how, style="yellow"))
        out.print(table)
        out.print()


def print_results(out: Console, results: Iterable[Result], black_boxes: Collection[str] = ()) -> None:
    """Scores, each beside chance and the trivial baseline, then whether each explanation passed its audit.

    Parameters
    ----------
    out : Console
    results : iterable of Result
    black_boxes : collection of str
        Parts that are there to compare with and explain nothing; they are marked.
    """
    results = list(results)
    for protocol in dict.fromkeys(r.protocol for r in results if r.passed is None):
        rows = [r for r in results if r.protocol == protocol and r.passed is None]
        out.print(Text(protocol.replace("-", " ").capitalize(), style="bold"))
        out.print(_scores(rows, black_boxes))
        out.print()
    audits = [r for r in results if r.passed is not None]
    if audits:
        out.print(Text("Can the explanations be believed?", style="bold"))
        table = _plain("model", "check", "outcome", "what was found", heads=True)
        for r in audits:
            outcome = Text("passed", style="green") if r.passed else Text("NOT passed", style="bold red")
            table.add_row(r.part, r.metric, outcome, Text(r.sentence or figure(r)))
        out.print(table)
        out.print()


def _scores(rows: list[Result], black_boxes: Collection[str]) -> Table:
    who = "patients" if max(r.n_subjects for r in rows) else "samples"
    table = _plain("measure", "model", "score", f"95 % interval over {who}", "chance", "trivial baseline", "", heads=True)
    last = ""
    for r in rows:
        name = f"{r.part} (black box)" if r.part in black_boxes else r.part
        direction = "higher is better" if r.higher_is_better else "lower is better"
        interval = f"{r.low:.3f} to {r.high:.3f}"
        baseline = f"{r.baseline:.3f} ({r.baseline_name})"
        table.add_row(
            r.metric if r.metric != last else "", name, f"{r.value:.3f}", interval, f"{r.chance:.3f}", baseline,
            direction if r.metric != last else "",
        )  # fmt: skip
        last = r.metric
    return table


def figure(result: Result) -> str:
    """One score as a phrase."""
    return f"{result.value:.3g} ({result.low:.3g} to {result.high:.3g})"
