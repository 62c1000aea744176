"""How a protocol speaks in a report: what its metrics are called, and under which heading its results stand."""

from __future__ import annotations

from dataclasses import dataclass

BEFORE_CASES, AFTER_CASES = 0, 100
"""Orders of sections: those below the second stand before what models look at and before single cases, all others after these."""


@dataclass(frozen=True)
class MetricWords:
    """A metric for a reader who does not know it.

    Parameters
    ----------
    name : str
        What the page calls it.
    meaning : str
        Half a sentence beside it: what it says, what is best.
    """

    name: str
    meaning: str


@dataclass(frozen=True)
class Section:
    """A place of the report.

    Parameters
    ----------
    anchor : str
        By which it is linked to; protocols with the same one stand in one section.
    title : str
        Its heading.
    introduction : str
        What is asked, and why, before any result. Empty where protocols share the section: each then stands under its own name.
    order : int
        Sections stand in this order; see :data:`AFTER_CASES`.
    measures : str
        What the table of scores is called.
    """

    anchor: str
    title: str
    introduction: str = ""
    order: int = AFTER_CASES
    measures: str = "Measures"


LEARNT_CODE = Section("code", "What the learnt code holds")
"""Of protocols that examine what an encoder has learnt; a VAE's strips stand here too."""
