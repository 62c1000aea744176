"""What the data commands print: cards, the terms of a dataset, what was fetched, what a folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from pellucid.cards import ACCESS, Card
from pellucid.cards.inside import shown

if TYPE_CHECKING:
    from pellucid.cards.verification import Verification
    from pellucid.fetching import Fetched


def print_cards(out: Console, rows: Iterable[Mapping[str, Any]]) -> None:
    """Dataset cards: licence, access, whom to cite, what is here and what is missing."""
    for row in rows:
        out.print(Text(row["name"], style="bold cyan"))
        if row["error"]:
            out.print(Text(f"  this card is wrong: {row['error']}", style="red"))
            continue
        card = row["card"]
        missing = [state for state in row["states"] if state.presence != "here"]
        table = _pairs()
        table.add_row("  what", Text(card.title))
        table.add_row("  licence", card.licence)
        how = " ".join(card.how.split())
        table.add_row("  access", Text(f"{card.access}; {how}" if missing or not row["states"] else card.access))
        for citation in card.citations:
            table.add_row("  cite", Text(citation))
        for state in row["states"]:
            where = f" ({state.path})" if state.path else ""
            style = "green" if state.presence == "here" else "yellow"
            table.add_row("  file", Text(f"{state.file.path}: {state.presence}{where}", style=style))
        if missing:
            table.add_row("  to mend", Text(how, style="yellow"))
        out.print(table)
        out.print()


def print_terms(out: Console, card: Card) -> None:
    """Licence, access, and what the licence asks to be said."""
    out.print(Text(f"{card.name}: {card.title}", style="bold"))
    table = _pairs()
    table.add_row("  licence", f"{card.licence} ({card.licence_url})" if card.licence_url else card.licence)
    table.add_row("  access", f"{card.access}: {ACCESS[card.access]}")
    if card.attribution:
        table.add_row("  say", Text(_flowing(card.attribution)))
    for citation in card.citations:
        table.add_row("  cite", Text(citation))
    out.print(table)
    out.print()


def print_why_not(out: Console, card: Card, reason: str) -> None:
    """That nothing is downloaded, why, and whom to ask."""
    out.print(Text(f"Nothing was downloaded: {reason}.", style="yellow"))
    out.print(Text(_flowing(card.how)))


def print_fetched(out: Console, fetched: Fetched, to: Path) -> None:
    """What is here now."""
    counts = []
    if fetched.new:
        counts.append(f"{_files(len(fetched.new))} fetched ({decimal(sum(file.bytes or 0 for file in fetched.new))})")
    if fetched.here:
        counts.append(f"{_files(len(fetched.here))} here already")
    out.print(Text(f"{', '.join(counts)}. Each has the SHA-256 of {fetched.vouched_by}.", style="green"))
    out.print(f"To use it: --data {to}", soft_wrap=True)


WORDS = {
    "missing": "missing",
    "other size": "wrong: has another size than the card says",
    "other content": "wrong: has the right size, but its SHA-256 is not the card's",
    "unreadable": "cannot be read: no permission, or a broken disk",
}
"""What is said of a file that is not as it should be."""


def print_verification(out: Console, card: Card, found: Verification) -> None:
    """Each file that is missing, wrong or too much, and a sentence that sums up."""
    for state in found.wrong:
        size = ""
        if state.presence == "other size" and state.path is not None:
            size = f" ({state.path.stat().st_size:,} instead of {state.file.bytes:,} bytes)"
        out.print(Text(f"  {shown(state.file.path)}: {WORDS[state.presence]}{size}", style="yellow"), soft_wrap=True)
    for name in found.extra:
        out.print(Text(f"  {shown(name)}: extra: the card does not list it", style="yellow"), soft_wrap=True)
    for name in found.unfinished:
        out.print(
            Text(f"  {shown(name)}: an unfinished download; data fetch goes on with it", style="dim"), soft_wrap=True
        )
    if found.beside:
        out.print(Text(f"  beside the data, and no part of it: {', '.join(map(shown, found.beside))}", style="dim"))
    right, count = len(found.states) - len(found.wrong), len(found.states)
    all_of_them = "its one file is" if count == 1 else f"all {count:,} files are"
    said = all_of_them if right == count else f"{right:,} of {count:,} files {'is' if right == 1 else 'are'}"
    said = f"{card.name}: {said} here and as the card says"
    if found.as_described:
        out.print(Text(f"{said}.", style="green"))
        return
    counts = {word: sum(s.presence == word for s in found.wrong) for word in ("missing", "unreadable")}
    counts["wrong"] = len(found.wrong) - sum(counts.values())
    counts["extra"] = len(found.extra)
    out.print(Text(f"{said}; {', '.join(f'{n} {word}' for word, n in counts.items() if n)}.", style="bold yellow"))
    if found.other_content_throughout:
        out.print(
            Text(
                "Every name is right and no content is: this may be another dataset of the same layout. The card cannot vouch for "
                "it, but models can read it: pellucid evaluate RUN --data DIR"
            )
        )
    elif found.wrong:
        out.print(Text(_flowing(card.how)))


def _files(n: int) -> str:
    return "1 file" if n == 1 else f"{n:,} files"


def _flowing(text: str) -> str:
    return " ".join(text.split())


def _pairs() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
