"""How a run is repeated: the command that stands in its document and in its report."""

from __future__ import annotations

import shlex

from pellucid import plugins
from pellucid.errors import PellucidError
from pellucid.running.task import Task
from pellucid.studies import Study, study


def repeated_by(task: Task) -> str:
    """The command that asks the same again, given where the run folder lies.

    By name where it is an installed study as it is; else by the run folder, whose document has the settings. Folders are
    named without what is above them: a report travels, and the place of somebody's data is nobody's business.
    """
    folder = task.folder.resolve().name
    words = ["pellucid", "run", task.study.name]
    if not _is_installed(task.study):
        # A bare name may be that of an installed study too.
        words = ["pellucid", "run", f"./{folder}", "--out", f"{folder}-again"]
    return shlex.join([*words, *(["--data", "DIR"] if task.data else [])])


def _is_installed(asked: Study) -> bool:
    try:
        place = plugins.load("study", asked.name)
        return study(place).settings() == asked.settings()
    except PellucidError:
        return False
