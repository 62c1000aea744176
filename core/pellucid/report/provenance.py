"""The report's last section: where data, code and figures come from, and the study's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid.report.folder import RunFolder
from pellucid.run import DOCUMENT
from pellucid.wording import sentence_case


@dataclass(frozen=True)
class Fact:
    """A line of the provenance table."""

    name: str
    text: str
    lines: tuple[str, ...] = field(default=())


def facts(run: RunFolder) -> list[Fact]:
    """Where data, code and figures come from."""
    document, data = run.document, run.document["dataset"]
    card = data.get("card") or {}
    citations = card.get("citations") or card.get("citation") or ()
    citations = (citations,) if isinstance(citations, str) else tuple(citations)
    lines = [
        Fact("Data", card.get("title") or data.get("name", "")),
        Fact("Licence of the data", " ".join(filter(None, (card.get("licence"), card.get("licence_url"))))),
        Fact("Attribution", card.get("attribution", "")),
        Fact("Please cite", "", citations + tuple(f"doi:{doi}" for doi in card.get("papers") or ())),
        Fact("What the labels are not", card.get("label_caveat", "")),
        Fact("Access", card.get("how") or card.get("access", "")),
        Fact("Digest of the data", str(data.get("digest", ""))),
        Fact(sentence_case(run.spec.group_word[1]), _subjects(run)),
        Fact("To repeat it", _repeated(document)),
        Fact("Seed", str(document.get("seed", ""))),
        Fact("Started", str(document.get("started", ""))),
        Fact("Took", _duration(document.get("duration_s"))),
        Fact("Computed on", _machine(document)),
        Fact("Versions", ", ".join(f"{name} {version}" for name, version in (document.get("versions") or {}).items())),
        Fact("Format of the run folder", str(document.get("format", ""))),
    ]  # fmt: skip
    return [fact for fact in lines if fact.text or fact.lines]


def settings(run: RunFolder) -> str:
    """The study's settings as text."""
    return json.dumps(run.document["study"], indent=2, ensure_ascii=False)


def _subjects(run: RunFolder) -> str:
    rows = [row for row in run.document.get("cohort") or [] if row.get("side") == "test"]
    if not rows:
        return ""
    counts = ", ".join(f"{row['subjects']:,}" for row in rows)
    return f"kept as keyed digests, not as names; tested in each fold: {counts}. No test {run.spec.group_word[0]} was learnt from."


def _repeated(document: Mapping[str, Any]) -> str:
    command = document.get("command") or ""
    told = command if isinstance(command, str) else " ".join(command)
    words = told.split()
    where = (
        f", beside this run folder, whose {DOCUMENT} has the settings"
        if "--out" in words
        else f", with the settings in {DOCUMENT}"
    )
    return told + where + ("; DIR is the folder with the data" if words[-2:] == ["--data", "DIR"] else "")


def _machine(document: Mapping[str, Any]) -> str:
    processes = int(document.get("processes") or 1)
    return f"{document.get('device') or 'cpu'}, {'one process' if processes == 1 else f'{processes} processes'}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
