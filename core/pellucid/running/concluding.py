"""Concluding a run: results from the rows of all folds, the report, and what may now be thrown away."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from pellucid.data.splits import Split
from pellucid.files import sha256, write_json, write_rows
from pellucid.protocols.measuring import Examined, concluded
from pellucid.result import NotMeasured, Result
from pellucid.run import DOCUMENT
from pellucid.running.folds import NOT_MEASURED
from pellucid.running.task import Task
from pellucid.sections import with_digests


def conclude(task: Task, document: dict[str, Any], splits: list[Split], seconds: float) -> None:
    """Turn the folds' rows into results, and the run into a finished one.

    Parameters
    ----------
    task : Task
    document : dict
        Of the run; completed here.
    splits : list of Split
    seconds : float
        How long this process has run.
    """
    import pandas as pd

    from pellucid.gathering.gallery import Gallery
    from pellucid.report import build

    folders = [task.folder / "folds" / str(split.fold) for split in splits]
    results: list[Result] = []
    not_measured: list[NotMeasured] = []
    for name, assessment in task.assessments.items():
        every = [_examined(folder, name) for folder in folders]
        if frames := [one.rows for one in every if one.rows is not None]:
            write_rows(task.folder / "rows" / f"{name}.parquet", pd.concat(frames, ignore_index=True))
        found, lacking = concluded(assessment, every, task.context)
        results += found
        not_measured += lacking
    explanations = pd.concat(
        [pd.read_parquet(folder / "explanations.parquet") for folder in folders], ignore_index=True
    )
    write_rows(task.folder / "explanations.parquet", explanations)
    Gallery.joined(Gallery.load(folder) for folder in folders).save(task.folder)
    final = json.loads((task.folder / "final.json").read_text("utf-8"))
    digests = {"weights.safetensors": final["weights_sha256"]}
    for folder in folders:
        digests[f"folds/{folder.name}/weights.safetensors"] = json.loads((folder / "done.json").read_text("utf-8"))[
            "weights_sha256"
        ]
    written = [
        "explanations.parquet",
        "gallery.json",
        "gallery.npz",
        *(f"rows/{name}.parquet" for name in task.assessments),
    ]
    document |= {
        "state": "finished",
        "files_sha256": {name: sha256(task.folder / name) for name in written if (task.folder / name).is_file()},
        "results": [result.to_json() for result in results],
        "not_measured": [one.to_json() for one in not_measured],
        "parts": {part: {**document["parts"][part], **facts} for part, facts in final["parts"].items()},
        "weights_sha256": digests,
        "duration_s": round(seconds, 1),
    }
    document = with_digests(document)
    # The report is built before the run is called finished, and the folds' own rows go last: a run that is cut off anywhere
    # in here concludes again.
    write_json(task.folder / DOCUMENT, {**document, "state": "concluding"})
    build(task.folder)
    write_json(task.folder / DOCUMENT, document)
    for folder in folders:
        for path in [*folder.glob("*.parquet"), *folder.glob("gallery.*"), *folder.glob(NOT_MEASURED)]:
            path.unlink()
    (task.folder / "final.json").unlink()
    logging.getLogger(__name__).info("finished with %d results", len(results))


def _examined(folder: Path, name: str) -> Examined:
    """What an assessment left of a fold."""
    import pandas as pd

    rows, file = folder / f"{name}.parquet", folder / NOT_MEASURED
    # A fold that an earlier version has completed says nothing of it.
    kept = json.loads(file.read_text("utf-8")) if file.is_file() else []
    own = tuple(one for one in map(NotMeasured.from_json, kept) if one.protocol == name)
    return Examined(pd.read_parquet(rows) if rows.is_file() else None, own)
