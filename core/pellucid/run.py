"""Run folders: what a study leaves behind, readable in ten years with no server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.data.dataset import Dataset
from pellucid.errors import RunError, nearest
from pellucid.model import Model
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.result import Result, Results
from pellucid.studies import Study
from pellucid.weights import load_models

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""Version of the run folder. A folder of another one is refused."""

DOCUMENT = "run.json"


class Run:
    """A run folder, finished or under way.

    Parameters
    ----------
    path : Path

    Raises
    ------
    RunError
        If it is no run folder, or one of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.document = read_document(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.document['state']})"

    @property
    def finished(self) -> bool:
        """Whether all of it is there."""
        return bool(self.document["state"] == "finished")

    @property
    def study(self) -> Study:
        """What was asked."""
        return Study.from_mapping(self.document["study"], str(self.path / DOCUMENT))

    @property
    def results(self) -> Results:
        """All results; empty until the run is finished."""
        return Results(Result.from_json(r) for r in self.document["results"])

    @property
    def report(self) -> Path:
        """The report's path."""
        return self.path / "report.html"

    def rows(self, protocol: str) -> pd.DataFrame:
        """Rows per sample behind an assessment's results."""
        import pandas as pd

        path = self.path / "rows" / f"{protocol}.parquet"
        if not path.is_file():
            here = sorted(p.stem for p in path.parent.glob("*.parquet"))
            raise RunError(
                f"{self.path} has no rows of {protocol!r}{nearest(protocol, here)}; it has: {', '.join(here) or 'none'}"
            )
        return pd.read_parquet(path)

    def explanations(self) -> pd.DataFrame:
        """Explanations of all test samples, one row a part, sample and unit."""
        import pandas as pd

        return pd.read_parquet(self.path / "explanations.parquet")

    def models(self, fold: int | None = None) -> dict[str, Model]:
        """The models, by part: those fitted on all subjects, or those of one fold."""
        name = "weights.safetensors" if fold is None else f"folds/{fold}/weights.safetensors"
        digests = self.document["weights_sha256"]
        if name not in digests:
            raise RunError(
                f"{self.path} has no {name}; the run is {self.document['state']}, with files {', '.join(digests) or 'none'}"
            )
        return load_models(self.path / name, digests[name])[0]

    def baseline(self, dataset: Dataset) -> TrivialBaseline:
        """The trivial baseline, fitted on all subjects of the run."""
        about = load_models(self.path / "weights.safetensors", self.document["weights_sha256"]["weights.safetensors"])[
            1
        ]
        return TrivialBaseline.from_json(about["baseline"], dataset.spec, self.study.target)


def load(run: str | Path, head: str | None = None, fold: int | None = None) -> Model:
    """Load a model of a finished run.

    Parameters
    ----------
    run : path
    head : str, optional
        The part's name; may be left out where the run has one.
    fold : int, optional
        The model of one fold, that has not seen the fold's test subjects; by default the one fitted on all subjects.

    Raises
    ------
    RunError
        If there is no such run, part or fold, or the weights are not those that the run wrote.
    """
    models = Run(run).models(fold)
    if head is None and len(models) == 1:
        return next(iter(models.values()))
    if head is None or head not in models:
        asked = "name one of its models" if head is None else f"no model named {head!r}{nearest(head, models)}"
        raise RunError(f"{run}: {asked}; it has: {', '.join(models)}")
    return models[head]


def read_document(folder: Path) -> dict[str, Any]:
    """``run.json`` of a folder.

    Raises
    ------
    RunError
    """
    path = folder / DOCUMENT
    if not folder.is_dir():
        raise RunError(f"{folder} is no folder; pellucid run STUDY --out {folder} makes one")
    try:
        document = json.loads(path.read_text("utf-8"))
        version = document["format"]
    except FileNotFoundError:
        raise RunError(f"{folder} holds no {DOCUMENT}, so it is no run folder") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read as a run's document: {error!r}") from error
    if version != FORMAT:
        raise RunError(
            f"{folder} was written in run format {version!r}; this pellucid reads format {FORMAT}. "
            "Use the version named in its run.json, or run the study again into another folder"
        )
    assert isinstance(document, dict)
    return document
