"""What was tried on a model of a run, kept in its folder: an edit that nobody can look up did not happen."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from pellucid.edits.activations import Edit
from pellucid.errors import RunError
from pellucid.files import writing
from pellucid.run import read_document

NAME = "edits.jsonl"


def record(run: str | Path, layer: str, edit: Edit, found: dict[str, Any]) -> Path:
    """Note an edit and what came of it in a run folder; the run's own files stay as they are.

    Parameters
    ----------
    run : path
    layer : str
        Full path, as :func:`~pellucid.edits.activations.applied` gives it.
    edit : Edit
    found : dict
        Plain values: what was measured with the edit and without.

    Returns
    -------
    Path
        The file, one JSON object a line.

    Raises
    ------
    RunError
        If it is no run folder, or what was found is not plain.
    """
    folder = Path(run)
    read_document(folder)
    try:
        line = json.dumps(
            {"when": time.strftime("%Y-%m-%d"), "layer": layer, **edit.describe(), "found": found}, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise RunError(f"what was found cannot be kept as JSON ({error}): give numbers and text") from None
    path = folder / NAME
    before = path.read_text("utf-8") if path.exists() else ""
    with writing(path) as temporary:
        temporary.write_text(f"{before}{line}\n", "utf-8")
    return path


def recorded(run: str | Path) -> list[dict[str, Any]]:
    """All edits that were noted in a run folder, oldest first.

    Raises
    ------
    RunError
        If a line is no edit any more; names it.
    """
    path, found = Path(run) / NAME, []
    if not path.exists():
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise RunError(f"{path} is not UTF-8 text: it was damaged; restore it") from None
    for number, line in enumerate(lines, start=1):
        try:
            one = json.loads(line)
        except ValueError:
            one = None
        if not isinstance(one, dict) or "edit" not in one:
            raise RunError(
                f"{path}, line {number}, is no edit that was noted ({line[:40]!r}): it was changed or damaged; restore it, or "
                "take the line out"
            )
        found.append(one)
    return found
