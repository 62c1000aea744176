"""Opening datasets by their registered names: from files, or from a domain's own objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid import plugins
from pellucid.data.dataset import Dataset
from pellucid.data.spec import DataSpec
from pellucid.errors import PellucidError
from pellucid.part import configured

__all__ = ["dataset", "of_objects", "opened"]


def dataset(name: str, data: str | Path | None = None, **options: Any) -> Dataset:
    """Open a registered dataset.

    Parameters
    ----------
    name : str
    data : path, optional
        Folder or file that holds it, if not in its usual place.
    **options
        As ``pellucid info NAME`` lists them.
    """
    return opened(name, data, options)


def opened(name: str, data: str | Path | None, options: Mapping[str, Any], learnt: DataSpec | None = None) -> Dataset:
    """Open a registered dataset by its options; with ``learnt`` brought to what models have learnt from.

    Parameters
    ----------
    name : str
    data : path, optional
        Folder or file that holds it, if not in its usual place.
    options : mapping
        As ``pellucid info NAME`` lists them.
    learnt : DataSpec, optional
        See :meth:`~pellucid.data.dataset.Dataset.opened_like`.

    Raises
    ------
    PellucidError
        If there is no such place, or the dataset cannot be opened there.
    """
    made = plugins.load("dataset", name)
    folder = None if data is None else Path(data)
    if folder is not None and not folder.exists():
        raise PellucidError(f"{folder} does not exist: --data names the folder or file that holds {name!r}")
    config = configured("dataset", name, made.config_type, options)
    found: Dataset = made(config, folder) if learnt is None else made.opened_like(config, folder, learnt)
    found.check()
    return found


def of_objects(name: str, objects: Any, options: Mapping[str, Any], learnt: DataSpec | None = None) -> Dataset:
    """Samples without labels from the domain's own objects; with ``learnt`` brought to what models have learnt from.

    Parameters
    ----------
    name : str
        Of the dataset.
    objects
        What its ``of_objects`` takes.
    options : mapping
        As ``pellucid info NAME`` lists them.
    learnt : DataSpec, optional
        See :meth:`~pellucid.data.dataset.Dataset.of_objects_like`.

    Raises
    ------
    DataError
        If the dataset cannot be made from them.
    """
    made = plugins.load("dataset", name)
    config = configured("dataset", name, made.config_type, options)
    found: Dataset = (
        made.of_objects(objects, config) if learnt is None else made.of_objects_like(objects, config, learnt)
    )
    found.check()
    return found
