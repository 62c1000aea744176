"""Studies: what is asked of which data, with which parts, as data that is checked before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from pellucid import plugins
from pellucid.assignments import assign
from pellucid.data.dataset import Dataset
from pellucid.data.frozen import Frozen, first_problem
from pellucid.data.spec import DataSpec
from pellucid.entries import EncoderEntry, Entry, HeadEntry
from pellucid.errors import StudyError, UnknownComponent, nearest
from pellucid.opening import of_objects, opened
from pellucid.training.settings import TrainingSettings

if TYPE_CHECKING:
    from pellucid.run import Run
    from pellucid.training.loop import Watcher


DOCUMENT = "run.json"
"""Of a run folder."""

NAMED = 5
"""Files of a folder that are named where one of them may be meant."""


class Study(Frozen):
    """A dataset, encoders, heads, protocols and training settings.

    Parameters
    ----------
    name : str
        Names the run folder; the file's name by default.
    title : str
        What is asked, for people.
    dataset : str
    target : str
        What is predicted; may be left out where no head predicts.
    data : str
        Folder or file that holds the dataset, if not in its usual place.
    encoder, head : tuple of Entry
    protocols : tuple of str
        One that splits, and any assessments; ``prediction`` is always made where a head predicts.
    options : mapping of str to mapping
        Options of the dataset and the protocols, by their names.
    training : TrainingSettings
    """

    name: str = Field("study", pattern=r"^[\w][\w .+-]*$")
    title: str = Field(min_length=1)
    dataset: str
    target: str = ""
    data: str = ""
    encoder: tuple[EncoderEntry, ...] = Field(min_length=1)
    head: tuple[HeadEntry, ...] = Field(min_length=1)
    protocols: tuple[str, ...] = ("nested-subject-cv", "explanation-audit")
    options: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], where: str = "study") -> Study:
        """Check plain settings.

        Raises
        ------
        StudyError
            For an unknown key (nearest name given), a missing one, or a value that does not fit; names file and field.
        """
        try:
            study = cls.model_validate(settings)
        except ValidationError as error:
            raise StudyError(f"{where}: {_first_problem(error, settings)}") from None
        study._check_names(where)
        return study

    def _check_names(self, where: str) -> None:
        prefixes = [entry.prefix for entry in self.encoder]
        for entry in self.encoder:
            if not any(entry.reads):
                raise StudyError(f'{where}: encoder {entry.name!r} names no input: write input = "..."')
            if prefixes.count(entry.prefix) > 1:
                raise StudyError(f"{where}: two encoders are called {entry.prefix!r}: give one a label of its own")
            if "." in entry.prefix:
                raise StudyError(
                    f"{where}: encoder label {entry.prefix!r} holds a dot, which separates names in weights files"
                )
        parts = [entry.part for entry in self.head]
        for head in self.head:
            if parts.count(head.part) > 1:
                raise StudyError(f"{where}: two heads are called {head.part!r}: give one a label of its own")
            for name in head.reads:
                if name not in prefixes:
                    known = ", ".join(prefixes)
                    raise StudyError(
                        f"{where}: head {head.part!r} reads {name!r}{nearest(name, prefixes)}; encoders here: {known}"
                    )
        for name in self.protocols:
            if self.protocols.count(name) > 1:
                raise StudyError(f"{where}: protocol {name!r} is named more than once")
        for name in self.options:
            known_names = [self.dataset, *self.protocols, "prediction"]
            if name not in known_names:
                raise StudyError(f"{where}: [options.{name}] fits nothing in this study{nearest(name, known_names)}")

    def training_of(self, entry: Entry) -> TrainingSettings:
        """Training settings with an entry's own ones on top."""
        merged = {**self.training.model_dump(), **entry.training}
        try:
            return TrainingSettings.model_validate(merged)
        except ValidationError as error:
            raise StudyError(f"training of {entry.label or entry.name!r}: {_first_problem(error, merged)}") from None

    def with_settings(self, assignments: Mapping[str, Any]) -> Study:
        """The same study with some settings changed.

        Parameters
        ----------
        assignments : mapping
            Dotted key to value: ``{"training.epochs": 5, "options.nested-subject-cv.folds": 3, "encoder.0.latent": 8}``.
            Options of a dataset or protocol that is no longer asked for go with it, unless they are set here.
        """
        settings = self.settings()
        # Before options are set: those that are set for what is not there are a mistake to be told of.
        names = ("dataset", "protocols")
        for key in sorted(assignments, key=lambda key: key.partition(".")[0] not in names):
            assign(settings, key, assignments[key])
            if key.partition(".")[0] in names:
                asked = [settings["dataset"], *_names(settings["protocols"]), "prediction"]
                settings["options"] = {name: some for name, some in settings["options"].items() if name in asked}
        return Study.from_mapping(settings, "study with --set")

    def skipping_broken(self) -> Study:
        """The same study on the samples whose files can be used; the others are findings of the dataset.

        Raises
        ------
        StudyError
            If its dataset does not know how to leave samples out.
        """
        if not plugins.load("dataset", self.dataset).skips_broken():
            raise StudyError(
                f"dataset {self.dataset!r} cannot leave broken samples out, so --skip-broken fits nothing here: "
                "mend what its error names, or take it out of the data"
            )
        return self.with_settings({f"options.{self.dataset}.skip_broken": True})

    def settings(self) -> dict[str, Any]:
        """Plain settings, as a TOML file would hold them."""
        return self.model_dump(mode="json")

    def open_dataset(self, data: str | Path | None = None, learnt: DataSpec | None = None) -> Dataset:
        """The samples that this study is about, from ``data``, or where it says itself, or from the usual place.

        Those that are part of its target; all, where it has none. With ``learnt`` they are brought to what models have learnt
        from, where the dataset can (:meth:`~pellucid.data.dataset.Dataset.opened_like`).
        """
        options = self.options.get(self.dataset, {})
        found = opened(self.dataset, data or self.data or None, options, learnt).keeping_apart(self.apart)
        return found.labelled(self.target) if self.target else found

    @property
    def apart(self) -> tuple[str, ...]:
        """Group columns that its splitting protocol keeps apart; empty where these are all that the dataset has."""
        for name in self.protocols:
            # A protocol is loaded only where it may have something to say.
            if "apart" in (options := self.options.get(name, {})):
                from pellucid.part import configured
                from pellucid.protocols.base import Splitting

                made = plugins.load("protocol", name)
                if issubclass(made, Splitting):
                    return tuple(made(configured("protocol", name, made.config_type, options)).apart)
        return ()

    def dataset_of(self, objects: Any, learnt: DataSpec | None = None) -> Dataset:
        """Samples without labels from the domain's own objects, with the dataset's options as this study has them.

        With ``learnt`` they are brought to what models have learnt from, where the dataset can.

        Raises
        ------
        DataError
            If the dataset cannot be made from them.
        """
        return of_objects(self.dataset, objects, self.options.get(self.dataset, {}), learnt)

    def run(
        self,
        out: str | Path | None = None,
        data: str | Path | None = None,
        *,
        jobs: int = 1,
        watcher: Watcher | None = None,
    ) -> Run:
        """Fit, score, explain and audit; resumes a run folder that was cut off.

        Parameters
        ----------
        out : path, optional
            The run folder; ``runs/<name>`` by default.
        data : path, optional
            Where the dataset is, if not in its usual place.
        jobs : int
            Folds that are fitted at a time, each in a process of its own with one thread and the data in its memory.
        watcher : Watcher, optional
            Told of progress; draws bars on a terminal by default.
        """
        from pellucid.running import run_study

        if jobs < 1:
            raise StudyError(f"jobs is {jobs}: give the number of folds to fit at a time, 1 or more")
        return run_study(self, Path(out) if out is not None else Path("runs") / self.name, data, watcher, jobs)


def study(name: str | Path | Mapping[str, Any]) -> Study:
    """A study by its installed name, from a TOML file, from a run folder, or from plain settings.

    A run folder's study has exactly the settings that the run had, those that were changed for it included.

    Raises
    ------
    StudyError
        If the file cannot be read or a setting is wrong.
    UnknownComponent
        If there is neither a file nor an installed study of this name.

    Examples
    --------
    >>> study({"title": "t", "dataset": "d", "target": "y", "encoder": [{"name": "identity", "inptu": "x"}], "head": []})
    Traceback (most recent call last):
    pellucid.errors.StudyError: study: head: Tuple should have at least 1 item after validation, not 0 (got [])
    """
    if isinstance(name, Mapping):
        return Study.from_mapping(name)
    if not isinstance(name, str | Path) or not str(name):
        raise StudyError(f"a study is an installed name, a TOML file or plain settings, not {name!r}")
    path = Path(name)
    # An installed study is found beside a folder of its name.
    if path.suffix != ".toml" and (path.is_dir() or not path.exists()):
        try:
            path = plugins.load("study", str(name))
        except UnknownComponent as error:
            if not path.is_dir():
                raise UnknownComponent(f"{error}\nA study can also be a file: pellucid run my-study.toml") from None
    if (path / DOCUMENT).is_file():
        from pellucid.run import Run

        return Run(path).study
    if path.is_dir():
        inside = sorted(one.name for one in path.glob("*.toml"))
        said = f" ({', '.join(inside[:NAMED])} in it)" if inside else ""
        raise StudyError(
            f"{path} is a folder: give the TOML file of a study{said}, a run folder to repeat, or the name of an installed study; "
            "pellucid list names them"
        )
    try:
        settings = tomllib.loads(path.read_text("utf-8"))
    except UnicodeDecodeError:
        raise StudyError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} is not valid TOML: {error}") from error
    return Study.from_mapping({"name": path.stem, **settings}, path.name)


def _names(protocols: Any) -> Sequence[Any]:
    """None where they are no list, which is refused later."""
    return protocols if isinstance(protocols, list | tuple) else ()


def _first_problem(error: ValidationError, settings: Mapping[str, Any]) -> str:
    at, what = first_problem(error)
    *parents, key = map(str, at or ("study",))
    where = ".".join([*parents, key])
    if what == "unknown":
        known = list((TrainingSettings if parents == ["training"] or "epochs" in settings else Study).model_fields)
        return f"unknown key {where!r}{nearest(key, known)}; keys here: {', '.join(known)}"
    return f"{where!r} is missing" if what == "missing" else f"{where}: {what}"
