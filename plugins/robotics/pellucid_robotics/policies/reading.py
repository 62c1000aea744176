"""Cards from files, and whether a result is of a benchmark as that benchmark's card has it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pellucid import plugins
from pellucid.data.frozen import read_toml
from pellucid.errors import DataError, nearest
from pellucid_robotics.policies.benchmarks import BenchmarkCard, CorpusCard
from pellucid_robotics.policies.cards import PolicyCard
from pellucid_robotics.policies.results import ResultRow
from pellucid_robotics.policies.words import AVERAGE

AnyCard = TypeVar("AnyCard", PolicyCard, BenchmarkCard, CorpusCard)

_CALLED: dict[type, str] = {PolicyCard: "policy", BenchmarkCard: "benchmark", CorpusCard: "corpus"}


def read(path: Path, described: type[AnyCard]) -> AnyCard:
    """A card from a TOML file that has its name.

    Raises
    ------
    DataError
        Names the file and the field.
    """
    card = read_toml(path, described, _CALLED[described])
    if card.name != path.stem:
        raise DataError(f"{_CALLED[described]} {path}: name: is {card.name!r}, but the file is called {path.name!r}")
    return card


def policies() -> tuple[PolicyCard, ...]:
    """Cards of all installed policies, by name."""
    return tuple(read(path, PolicyCard) for path in _files("policy"))


def corpora() -> tuple[CorpusCard, ...]:
    """Cards of all installed corpora, by name."""
    return tuple(read(path, CorpusCard) for path in _files("corpus"))


@lru_cache(maxsize=1)
def benchmarks() -> dict[str, BenchmarkCard]:
    """Cards of all installed benchmarks, by name."""
    return {card.name: card for card in (read(path, BenchmarkCard) for path in _files("benchmark"))}


def _files(kind: str) -> list[Path]:
    return [plugins.resource(one.target) for _, one in sorted(plugins.components(kind).items())]


def misplaced(row: ResultRow) -> str:
    """Why a result is none of its benchmark's, or an empty string."""
    known = benchmarks()
    if row.benchmark not in known:
        return f"there is no card of benchmark {row.benchmark!r}{nearest(row.benchmark, known)}"
    card = known[row.benchmark]
    suites = [suite.name for suite in card.suites]
    for suite in row.over if row.suite == AVERAGE else (row.suite,):
        if suite not in suites:
            return f"{card.name} has no suite {suite!r}{nearest(suite, suites)}; suites: {', '.join(suites)}"
    for what, given, allowed in (("split", row.split, card.splits), ("metric", row.metric, card.metrics)):
        if given not in allowed:
            return f"{card.name} has no {what} {given!r}{nearest(given, allowed)}; there is {', '.join(allowed)}"
    return ""
