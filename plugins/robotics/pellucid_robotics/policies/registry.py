"""Policies side by side: chosen by what their cards say, compared where their results are of the same thing, counted and printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pellucid.data.frozen import first_problem_told
from pellucid.errors import DataError, nearest
from pellucid.fields import flattened, narrowed
from pellucid.phrases import yes_or_no
from pellucid_robotics.policies.cards import PolicyCard
from pellucid_robotics.policies.reading import misplaced, policies
from pellucid_robotics.policies.results import ResultRow
from pellucid_robotics.policies.words import AVERAGE, LEVELS

ROUNDED = 0.00101
"""How far an average may be from that of its parts because all are printed in tenths of a percent."""


@dataclass
class Registry:
    """Cards of policies by name, each once.

    Parameters
    ----------
    cards : dict of str to PolicyCard
        Filled by :meth:`register`.

    Examples
    --------
    >>> registry = Registry.installed()
    >>> registry.query(level1="hierarchical", intermediate="keypoint")
    ('rekep',)
    """

    cards: dict[str, PolicyCard] = field(default_factory=dict)

    @classmethod
    def installed(cls) -> Registry:
        """All cards that are installed."""
        registry = cls()
        for card in policies():
            registry.register(card)
        return registry

    def register(self, card: PolicyCard | Mapping[str, Any]) -> PolicyCard:
        """Add a card.

        Raises
        ------
        DataError
            If it is not valid, its name is taken, or a result is none of its benchmark's.
        """
        if not isinstance(card, PolicyCard):
            try:
                card = PolicyCard.model_validate(card)
            except ValidationError as error:
                raise DataError(f"policy: {first_problem_told(error, PolicyCard)}") from None
        if card.name in self.cards:
            raise DataError(f"policy {card.name}: there is one of that name; a variant has a name of its own")
        for row in card.results:
            if problem := misplaced(row):
                raise DataError(f"policy {card.name}: {problem}")
        self.cards[card.name] = card
        return card

    def query(self, **where: Any) -> tuple[str, ...]:
        """Names of policies of which all that is asked for holds, in order.

        Parameters
        ----------
        **where
            A field and a value, as in ``pellucid list policies --where`` (:func:`pellucid.fields.chosen`); ``True`` is yes.

        Raises
        ------
        UnknownComponent
            For a field or value that no card has, with the nearest.
        """
        fields = {name: flattened(_plain(card)) for name, card in sorted(self.cards.items())}
        asked = [(name, yes_or_no(v) if isinstance(v, bool) else str(v)) for name, v in where.items()]
        return tuple(narrowed(fields, asked, several="policies"))

    def compare(
        self, benchmark: str, suite: str, *, split: str | None = None, metric: str | None = None
    ) -> tuple[tuple[str, ResultRow], ...]:
        """Results that are of the same suite, split and metric, best first, each with the name of its policy.

        Parameters
        ----------
        benchmark, suite : str
        split, metric : str, optional
            Needed where there are several.

        Raises
        ------
        DataError
            If results of several suites, splits or metrics, or averages over other suites, would stand side by side, or there are none.
        """
        if suite is None:
            raise DataError(f"say which suite of {benchmark}: results of one say nothing of another")
        if not isinstance(suite, str):
            raise DataError(
                f"{' and '.join(map(str, suite))} are different suites: results of one say nothing of another; compare each alone"
            )
        rows = [
            (name, row)
            for name, card in sorted(self.cards.items())
            for row in card.results
            if row.benchmark == benchmark
        ]
        if not rows:
            known = {row.benchmark for card in self.cards.values() for row in card.results}
            raise DataError(f"no policy here has a result on {benchmark!r}{nearest(benchmark, known)}")
        for what, asked in (("suite", suite), ("split", split), ("metric", metric)):
            there = sorted({getattr(row, what) for _, row in rows})
            if asked is not None and asked not in there:
                raise DataError(
                    f"no policy here has a result on {benchmark} with {what} {asked!r}{nearest(asked, there)}; there is {', '.join(there)}"
                )
            if asked is None and len(there) > 1:
                raise DataError(
                    f"results on {benchmark} {suite} are of several {what}s, which do not compare: choose {what} = {' or '.join(there)}"
                )
            rows = [(name, row) for name, row in rows if asked is None or getattr(row, what) == asked]
        if len(meant := {tuple(sorted(row.over)) for _, row in rows}) > 1:
            told = " and ".join(", ".join(one) for one in sorted(meant))
            raise DataError(f"averages over different suites do not compare: {told}")
        return tuple(sorted(rows, key=lambda one: (-one[1].value, one[0], one[1].key)))

    def averages_apart(self) -> tuple[str, ...]:
        """Averages that are not the mean of the rows that they are said to be of, in words.

        Rows are matched by policy, split, metric, recipe and source; an average whose rows are not all here is left out.
        """
        found = []
        for name, card in sorted(self.cards.items()):
            for row in card.results:
                if row.suite != AVERAGE:
                    continue
                of = {other.suite: other.value for other in card.results if other.key == _with_suite(row, other.suite)}
                if not set(row.over) <= set(of):
                    continue
                mean = sum(of[suite] for suite in row.over) / len(row.over)
                if abs(mean - row.value) > ROUNDED:
                    found.append(
                        f"{name}: {row.benchmark} average is given as {row.value:.4g}, "
                        f"its {len(row.over)} suites average {mean:.4g} ({row.source})"
                    )
        return tuple(found)

    def coverage(self) -> dict[str, float]:
        """Share of cards that do not say it, by field in the order of the card."""
        count = len(self.cards)
        return {
            name: sum(_unsaid(getattr(card, name)) for card in self.cards.values()) / count if count else 1.0
            for name in PolicyCard.model_fields
        }

    def taxonomy_table(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Names of policies by both levels; a place that nobody has is empty."""
        return {
            (level1, level2): tuple(
                sorted(n for n, c in self.cards.items() if (c.level1, c.level2) == (level1, level2))
            )
            for level1, seconds in LEVELS.items()
            for level2 in seconds
        }

    def as_markdown(self) -> str:
        """A table of all policies, the same whatever the order in which they were registered; ``?`` is what is not known."""
        lines = [
            "| policy | year | level | intermediate | editable | action head | parameters | chunk | code | its licence | of weights |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for name, card in sorted(self.cards.items()):
            between = card.intermediate
            # What decides in one piece has nothing in between, unless its card says so.
            none = "-" if card.level1 == "monolithic" else None
            cells = (
                name, card.year, f"{card.level1}, {card.level2}", none if between is None else ", ".join(between.kind),
                none if between is None else _word(between.editable), card.action_head,
                None if card.n_params is None else f"{card.n_params / 1e6:,.0f} M", card.chunk_len,
                "published" if card.code_repo else None, card.licence_code, card.licence_weights,
            )  # fmt: skip
            lines.append(f"| {' | '.join('?' if cell is None else str(cell) for cell in cells)} |")
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        """All cards as JSON, by name."""
        return json.dumps([_plain(card) for _, card in sorted(self.cards.items())], indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Registry:
        """Cards that :meth:`to_json` wrote.

        Raises
        ------
        DataError
            If it is no such text, or a card in it is not valid.
        """
        try:
            cards = json.loads(text)
        except (json.JSONDecodeError, TypeError) as error:
            raise DataError(f"policies: is not valid JSON: {error}") from None
        if not isinstance(cards, list):
            raise DataError(f"policies: expected a list of cards, got a {type(cards).__name__}")
        registry = cls()
        for card in cards:
            registry.register(card)
        return registry

    def __iter__(self) -> Iterator[PolicyCard]:
        return iter(card for _, card in sorted(self.cards.items()))

    def __len__(self) -> int:
        return len(self.cards)


def _plain(card: PolicyCard) -> dict[str, Any]:
    return card.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def _with_suite(row: ResultRow, suite: str) -> tuple[Any, ...]:
    return row.benchmark, suite, *row.key[2:]


def _unsaid(value: Any) -> bool:
    if hasattr(value, "model_dump"):
        return all(one is None for one in value.model_dump().values())
    return value is None or value == ()


def _word(value: bool | None) -> str | None:
    return None if value is None else yes_or_no(value)
