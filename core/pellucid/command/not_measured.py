"""What could not be measured, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from pellucid.report.unmeasured import in_words
from pellucid.result import NotMeasured


def print_not_measured(out: Console, entries: Sequence[NotMeasured]) -> None:
    """What was asked for and is not among the results, each with its reason; nothing where all was measured."""
    if not entries:
        return
    out.print(Text("Not measured", style="bold yellow"))
    for one in entries:
        out.print(Text(f"  {in_words(one)}"))
    out.print()
