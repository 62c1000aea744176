"""Run folders: what a study leaves behind, readable in ten years with no server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pellucid.data.same_inputs import differing, differs_from
from pellucid.data.spec import COVARIATES, DataSpec
from pellucid.errors import DataError, RunError, nearest
from pellucid.files import sha256
from pellucid.model import Model
from pellucid.result import NotMeasured, Result, Results
from pellucid.sections import refuse_changed
from pellucid.studies import DOCUMENT, Study
from pellucid.weights import load_models, read_about

if TYPE_CHECKING:
    import pandas as pd

    from pellucid.data.dataset import Dataset

FORMAT = 1
"""Version of the run folder. A folder of another one is refused."""

KEYS = {
    "state": str,
    "study": dict,
    "dataset": dict,
    "parts": dict,
    "results": list,
    "weights_sha256": dict,
}
"""What every document has, and of which kind."""


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

    def refuse_unfinished(self) -> None:
        """Refuse a run that has not come to its end, with how it does.

        Raises
        ------
        RunError
        """
        if self.finished:
            return
        if stopped := self.document.get("stopped"):
            raise RunError(
                f"{self.path} has stopped and is not finished: {stopped}. Change what it says in the study, and run that into another "
                "--out"
            )
        raise RunError(
            f"{self.path} is not finished: pellucid run {self.path} --out {self.path} continues it, with the same --data"
        )

    @property
    def study(self) -> Study:
        """What was asked."""
        return Study.from_mapping(self.document["study"], str(self.path / DOCUMENT))

    @property
    def results(self) -> Results:
        """All results; empty until the run is finished."""
        return Results((Result.from_json(r) for r in self.document["results"]), self.not_measured)

    @property
    def not_measured(self) -> tuple[NotMeasured, ...]:
        """What was asked for and could not be measured on these data, and why; also in ``results.not_measured``."""
        # Folders of earlier versions do not say.
        return tuple(NotMeasured.from_json(one) for one in self.document.get("not_measured", ()))

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
        return pd.read_parquet(verified(self.path, self.document, f"rows/{protocol}.parquet"))

    def explanations(self) -> pd.DataFrame:
        """Explanations of all test samples, one row a part, sample and unit."""
        import pandas as pd

        return pd.read_parquet(verified(self.path, self.document, "explanations.parquet"))

    @property
    def learnt(self) -> DataSpec:
        """The description of the data that its models have learnt from.

        Raises
        ------
        RunError
            If it is not there, or none.
        """
        try:
            return DataSpec.model_validate(self.document["dataset"]["spec"])
        except (KeyError, TypeError, ValidationError):
            raise RunError(f"{self.path / DOCUMENT} lacks a proper 'dataset': it was changed; restore it") from None

    def models(self, fold: int | None = None) -> dict[str, Model]:
        """The models, by part: those fitted on all subjects, or those of one fold."""
        name = "weights.safetensors" if fold is None else f"folds/{fold}/weights.safetensors"
        digests = self.document["weights_sha256"]
        if name not in digests:
            raise RunError(
                f"{self.path} has no {name}; the run is {self.document['state']}, with files {', '.join(digests) or 'none'}"
            )
        models = load_models(self.path / name, digests[name])[0]
        for model in models.values():
            model.opens = self._opened
            model.head.origin = self.document["dataset"].get("origin", "")
        return models

    def _opened(self, objects: Any) -> Dataset:
        """Samples from the domain's own objects, in the units that the models have learnt."""
        learnt = self.learnt
        opened = self.study.dataset_of(objects, learnt)
        for name, spec in _described(opened.spec).items():
            if (there := _described(learnt).get(name)) is not None:
                _refuse_other(name, spec, there, self.path)
        return opened

    def kept(self) -> dict[str, Any]:
        """What is kept beside the final models: the trivial baseline, and what is usual among the training samples."""
        name = "weights.safetensors"
        return read_about(self.path / name, self.document["weights_sha256"].get(name))


def _described(spec: DataSpec) -> dict[str, Any]:
    return {**spec.inputs, COVARIATES: spec.covariates} if spec.covariates is not None else dict(spec.inputs)


def _refuse_other(name: str, here: Any, learnt: Any, path: Path) -> None:
    """Refuse other channels or names, another order of them, another rate, spacing, length: values would be taken for what they are not."""
    if differing(here, learnt) == ("units",) and isinstance(here.units, str) and isinstance(learnt.units, str):
        raise DataError(
            f"input {name!r} is in {here.units}, but the models of {path} have learnt from values in {learnt.units}: what they say of "
            "it would mean nothing. Give it in the same unit, and say so"
        )
    if told := differs_from(here, learnt):
        raise DataError(
            f"input {name!r} is not what the models of {path} have learnt from: it has {told}; give what has the same, in the same order"
        )


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
        If it is none, or results, cohort or subjects in it are not those that the run wrote.
    """
    path = folder / DOCUMENT
    if not folder.is_dir():
        raise RunError(f"{folder} is no folder; pellucid run STUDY --out {folder} makes one")
    try:
        document = json.loads(path.read_text("utf-8"))
        version = document["format"]
    except FileNotFoundError:
        raise RunError(f"{folder} holds no {DOCUMENT}, so it is no run folder") from None
    except UnicodeDecodeError:
        raise RunError(f"{path} is not UTF-8 text: it was damaged; restore it, or run the study again") from None
    except (KeyError, TypeError):
        raise RunError(f"{path} says no format, so it is not the document of a run") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read as a run's document: {error}") from None
    if version != FORMAT:
        raise RunError(
            f"{folder} was written in run format {version!r}; this pellucid reads format {FORMAT}. "
            "Use the version named in its run.json, or run the study again into another folder"
        )
    for key, kind in KEYS.items():
        if not isinstance(document.get(key), kind):
            raise RunError(
                f"{path} lacks a proper {key!r}: it was changed or damaged; restore it, or run the study again"
            )
    assert isinstance(document, dict)
    refuse_changed(document, path)
    return document


def verified(folder: Path, document: Mapping[str, Any], name: str) -> Path:
    """Path of one of a run's files, unless it was changed after the run wrote it.

    Raises
    ------
    RunError
        If it is missing or its SHA-256 is not the recorded one.
    """
    path, recorded = folder / name, document.get("files_sha256", {}).get(name)
    if not path.is_file():
        raise RunError(f"{path} is missing; the run is {document['state']}. Restore it, or run the study again")
    if recorded is not None and sha256(path) != recorded:
        raise RunError(
            f"{path} is not the file that the run wrote: it was changed or damaged afterwards; restore it, or run again"
        )
    return path
