"""Classes that a user names: what stands in events, tables or names of folders, and what it is to be called."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from pellucid.errors import DataError
from pellucid_eeg.windows.settings import WindowsConfig
from pellucid_eeg.windows.sources import Labels

__all__ = ["ClassesConfig", "class_of", "labels_named"]


class ClassesConfig(WindowsConfig):
    """Options of a dataset whose classes a user names.

    Parameters
    ----------
    classes : mapping of str to str
        What stands there (a description, a cell, a folder's name), and the name of its class. Classes are numbered as they come:
        of two, the second is the one that is looked for. Nothing else of what stands there goes further.
    otherwise : str
        Class of time that no named event covers, with ``cut = "fixed"``; it comes first where it is not among the classes.
    target : str
        What the target is called.
    """

    classes: Mapping[str, str] = Field(default_factory=dict)
    otherwise: str = ""
    target: str = Field(default="label", pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")

    @model_validator(mode="after")
    def _target_is_free(self) -> ClassesConfig:
        if self.target in ("subject", "recording", "split", "start_s"):
            raise ValueError(f"target cannot be called {self.target!r}: that is a column of its own")
        if self.otherwise and self.cut == "events":
            raise ValueError('otherwise is for cut = "fixed": around events there is no time without one')
        return self


def labels_named(config: ClassesConfig, name: str, by: str, about: str) -> Labels:
    """The classes that a configuration names.

    Parameters
    ----------
    config : ClassesConfig
    name : str
        Of the dataset, for messages.
    by : {"events", "recording"}
        See :class:`~pellucid_eeg.windows.sources.Labels`.
    about : str
        What a label is, in a few words.

    Raises
    ------
    DataError
        If there are fewer than two.
    """
    values = list(dict.fromkeys(config.classes.values()))
    if config.otherwise and config.otherwise not in values:
        values = [config.otherwise, *values]
    if len(values) < 2:
        raise DataError(
            f"{name}: {len(values)} classes are named, and two are the least; say what stands in the data and what it is to be "
            f'called: [options.{name}.classes] with lines such as "T1" = "left"'
        )
    if any(not one.strip() for one in (*values, *config.classes)):
        raise DataError(f"{name}: a class, or what stands for one, is empty in [options.{name}.classes]")
    otherwise = values.index(config.otherwise) if config.otherwise else None
    return Labels(
        config.target,
        tuple(values),
        {key: values.index(one) for key, one in config.classes.items()},
        by,
        otherwise,
        about,
    )


def class_of(cell: str, labels: Labels, where: str) -> float:
    """The number of the class that a cell stands for; NaN for an empty one, or one that nobody named.

    Parameters
    ----------
    cell : str
        Of a table, or a folder's name.
    labels : Labels
    where : str
        For the message.

    Raises
    ------
    DataError
        If it differs from a name only in capitals: it is taken for a slip.
    """
    if cell in labels.of:
        return float(labels.of[cell])
    if alike := [one for one in labels.of if one.casefold() == cell.casefold()]:
        raise DataError(f"{where}: {cell!r} is no class that is named; did you mean {alike[0]!r}?")
    return float("nan")
