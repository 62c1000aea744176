"""What could not be measured, in words: each with its reason and with what would help."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pellucid.report import words
from pellucid.result import NotMeasured
from pellucid.wording import sentence_case


@dataclass(frozen=True)
class Line:
    """One entry as the page shows it."""

    what: str
    where: str
    because: str
    helps: str


def lines(entries: Iterable[NotMeasured]) -> tuple[Line, ...]:
    """Entries for a table: what was asked for, in which folds, why it is not there, and what would help."""
    return tuple(
        Line(sentence_case(_what(one, one.protocol.replace("-", " "))), one.where or "the test samples",
             sentence_case(one.because), sentence_case(one.helps))
        for one in entries
    )  # fmt: skip


def in_words(one: NotMeasured) -> str:
    """An entry in a line.

    Examples
    --------
    >>> from pellucid.result import NotMeasured
    >>> in_words(NotMeasured(protocol="iis", part="sae", because="one class alone", helps="test more", folds=(0,), of_folds=2))
    'iis of “sae”, fold 1 of 2: one class alone. What would help: test more.'
    """
    where = f", {one.where}" if one.where else ""
    helps = f" What would help: {one.helps}." if one.helps else ""
    return f"{_what(one, one.protocol)}{where}: {one.because}.{helps}"


def _what(one: NotMeasured, name: str) -> str:
    metric = f", {words.metric_name(one.metric, one.protocol).lower()}" if one.metric else ""
    return f"{name}{f' of “{one.part}”' if one.part else ''}{metric}"
