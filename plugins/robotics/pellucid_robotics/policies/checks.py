"""What every card of a policy, a benchmark and a corpus keeps; run by ``pellucid check``."""

from __future__ import annotations

from typing import TypeVar

from pellucid import plugins
from pellucid.plugins import Component
from pellucid.testing.instances import need
from pellucid_robotics.policies.benchmarks import BenchmarkCard, CorpusCard
from pellucid_robotics.policies.cards import PolicyCard
from pellucid_robotics.policies.reading import misplaced, read

_Card = TypeVar("_Card", PolicyCard, BenchmarkCard, CorpusCard)


def _complete(component: Component, described: type[_Card]) -> _Card:
    card = read(plugins.resource(component.target), described)
    need(card.name == component.name, component, f"is about {card.name!r}")
    return card


def policy_is_complete(component: Component) -> None:
    """It is valid, and has the name by which it is installed."""
    _complete(component, PolicyCard)


def policy_results_are_of_known_suites(component: Component) -> None:
    """Its results name installed benchmarks with a suite, a split and a metric that these have."""
    for row in _complete(component, PolicyCard).results:
        problem = misplaced(row)
        need(not problem, component, problem)


def benchmark_is_complete(component: Component) -> None:
    """It is valid, and has the name by which it is installed."""
    _complete(component, BenchmarkCard)


def corpus_is_complete(component: Component) -> None:
    """It is valid, and has the name by which it is installed."""
    _complete(component, CorpusCard)
