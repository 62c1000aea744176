"""Reads the table of published scores that the plugin ships."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from pellucid.data.published import Published

FILE = "ptbxl.json"


def published(dataset: str, target: str, *, split: str = "") -> tuple[Published, ...]:
    """Published scores of one task, best first.

    Parameters
    ----------
    dataset : str
        ``"ptb-xl"``, or ``"icbeb2018"`` (the public part of CPSC2018).
    target : str
        As the dataset ``ptb-xl`` names its targets: ``"statements"``, ``"diagnostic"``, ``"subclass"``, ``"superclass"``,
        ``"form"``, ``"rhythm"``.
    split : str
        Frame column of the official split; the scores are drawn beside runs that were split by it.

    Returns
    -------
    tuple of Published
        Empty where nothing is known of the task.

    Examples
    --------
    >>> best = published("ptb-xl", "superclass")[0]
    >>> best.name, best.metric, best.value, best.uncertainty, best.tag
    ('resnet1d_wang', 'auroc', 0.93, 0.005, 'verified')
    """
    table = _table()
    found = []
    for score in table["scores"].get(f"{dataset}/{target}", ()):
        source = table["sources"][score["source"]]
        note = "; ".join(filter(None, (score.get("note", ""), source["note"])))
        facts = {name: score[name] for name in ("name", "metric", "value", "uncertainty")}
        found.append(Published(**facts, source=source["cite"], tag=source["tag"], note=note, split=split))
    return tuple(sorted(found, key=lambda one: (one.metric, -one.value)))


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads((files("pellucid_ecg.leaderboard") / FILE).read_text("utf-8"))
    return table
