"""What was found in the data: samples that were left out, and samples that were kept although something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.wording import plural, sentence_case

EXAMPLES = 3
LEFT_OUT, KEPT = "left out", "kept"


@dataclass(frozen=True)
class Found:
    """Samples about which the same was found, and with which the same was done."""

    what: str
    done: str
    samples: int
    examples: str


def grouped(findings: Iterable[Mapping[str, Any]], examples: int = EXAMPLES) -> tuple[Found, ...]:
    """Findings by what they say and what was done; those left out first, then the most frequent.

    Parameters
    ----------
    findings : iterable of mapping
        ``sample``, ``what``, ``where`` and ``done`` each, as ``run.json`` keeps them.
    examples : int
        Samples of each kind that are named.

    Examples
    --------
    >>> flat = {"what": "flat channel", "done": "kept"}
    >>> found = grouped([{**flat, "sample": "a", "where": "I"}, {**flat, "sample": "a", "where": "II"}])
    >>> found[0].samples, found[0].examples
    (1, 'a (I; II)')
    """
    kinds: dict[tuple[str, str], dict[str, list[str]]] = {}
    for one in findings:
        places = kinds.setdefault((one["what"], one["done"]), {}).setdefault(str(one["sample"]), [])
        if one.get("where"):
            places.append(str(one["where"]))
    found = [_found(what, done, samples, examples) for (what, done), samples in kinds.items()]
    return tuple(sorted(found, key=lambda one: (one.done.casefold() != LEFT_OUT, -one.samples)))


def counted(findings: Iterable[Mapping[str, Any]]) -> str:
    """How many samples were left out and how many kept, in a sentence; nothing where there are no findings."""
    sides: dict[bool, set[str]] = {True: set(), False: set()}
    for one in findings:
        sides[one["done"].casefold() == LEFT_OUT].add(str(one["sample"]))
    out, kept = sides[True], sides[False] - sides[True]
    told = []
    if out:
        told.append(f"{plural(len(out), 'sample')} could not be used and {_was(out)} left out.")
    if kept:
        told.append(f"{plural(len(kept), 'sample')} {_was(kept)} used although something was found in {_them(kept)}.")
    return " ".join(told)


def _was(samples: set[str]) -> str:
    return "was" if len(samples) == 1 else "were"


def _them(samples: set[str]) -> str:
    return "it" if len(samples) == 1 else "them"


def _found(what: str, done: str, samples: Mapping[str, list[str]], named: int) -> Found:
    everywhere = {tuple(dict.fromkeys(places)) for places in samples.values()}
    if len(samples) > named and len(everywhere) == 1 and (places := next(iter(everywhere))):
        return Found(sentence_case(what), done, len(samples), f"in all of them {'; '.join(places)}")
    first = [f"{sample} ({'; '.join(dict.fromkeys(places))})" if places else sample
             for sample, places in list(samples.items())[:named]]  # fmt: skip
    more = len(samples) - len(first)
    examples = ", ".join(first) + (f" and {more:,} more" if more else "")
    return Found(sentence_case(what), done, len(samples), examples)
