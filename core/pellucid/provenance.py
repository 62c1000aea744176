"""Provenance: what a figure came from, said in the run's document."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable
from typing import Any

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.data.splits import Split
from pellucid.errors import UnknownComponent

NAMED = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "safetensors", "accelerate")


def versions() -> dict[str, str]:
    """Versions of Python, of the libraries that decide figures, and of every plugin that is loaded."""
    found = {"python": platform.python_version()}
    for name in NAMED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {f"plugin {name}": version for name, version in plugins.installed().versions.items()}


def card_of(dataset: str) -> dict[str, Any] | None:
    """The dataset's card as plain values, or None where no plugin brings one."""
    from pellucid.cards import card

    try:
        return card(dataset).model_dump(mode="json")
    except UnknownComponent:
        return None


def cohort(dataset: Dataset, target: str, splits: Iterable[Split]) -> list[dict[str, Any]]:
    """Subjects, samples and, where there is a target, label balance by fold and side: one row each, class names as keys."""
    column = dataset.spec.groups[0]
    spec, values = (dataset.spec.target(target), dataset.target_values(target)) if target else (None, None)
    rows = []
    for split in splits:
        for side in ("train", "validation", "test"):
            at = getattr(split, side)
            row: dict[str, Any] = {"fold": split.fold, "side": side}
            row |= {"subjects": int(dataset.frame[column].iloc[at].nunique()), "samples": len(at)}
            rows.append(row if spec is None or values is None else row | spec.balance(values[at]))
    return rows
