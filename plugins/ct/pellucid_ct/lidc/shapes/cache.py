"""The finished table and shapes, kept between runs. Neither a patient nor a row of the database is named in it."""

from __future__ import annotations

import hashlib
import json
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.errors import RunError
from pellucid.files import sha256, writing
from pellucid_ct.lidc.annotations.database import find_database, read_database
from pellucid_ct.lidc.shapes.table import Framing, Nodules, build_nodules

FORMAT = 2
"""To be raised whenever the table or the shapes come out differently: older caches are then not found."""

_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def load_nodules(
    path: str | Path | None = None,
    framing: Framing | None = None,
    *,
    pseudonym: Callable[[str], str],
    cache: Path | None = None,
) -> Nodules:
    """Nodules with patients' names replaced, from the cache where it has them.

    Parameters
    ----------
    path : path, optional
        See :func:`~pellucid_ct.lidc.annotations.database.find_database`.
    framing : Framing, optional
    pseudonym : callable
        Replaces a name by a keyed digest; called once for each patient, scan and nodule.
    cache : Path, optional
        Folder to keep the result in. The file's name is made from the database's SHA-256, the framing, :data:`FORMAT`
        and what ``pseudonym`` makes of a constant, so that other data, options or salts never meet. A damaged file is
        built again; a folder that cannot be written costs a warning. Without a folder nothing is kept.

    Returns
    -------
    Nodules
        As :func:`~pellucid_ct.lidc.shapes.table.build_nodules` makes them, with the column ``subject`` in the place of
        ``patient``. Sample ids are ``nodule-<digest>`` and scans ``scan-<digest>``: as numbers of rows of a public
        database they would tell anybody who the subjects are, whatever the salt.

    Raises
    ------
    DataError
        See :func:`~pellucid_ct.lidc.annotations.database.read_database`.
    """
    framing = framing or Framing()
    if cache is None:
        return _without_names(build_nodules(read_database(path), framing), pseudonym)
    found = find_database(path)
    file = cache / f"lidc-shapes-{_key(sha256(found), framing, pseudonym)}.npz"
    kept = _read(file)
    if kept is not None:
        return kept
    nodules = _without_names(build_nodules(read_database(found), framing), pseudonym)
    try:
        _write(file, nodules)
    except (OSError, RunError) as error:
        warnings.warn(
            f"{file.name} was not kept ({error}); the next run will build it again", RuntimeWarning, stacklevel=2
        )
    return nodules


def _key(database: str, framing: Framing, pseudonym: Callable[[str], str]) -> str:
    parts = {
        "format": FORMAT,
        "database": database,
        "framing": asdict(framing),
        "salt": pseudonym("which salt is this?"),
    }
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=12).hexdigest()


def _without_names(nodules: Nodules, pseudonym: Callable[[str], str]) -> Nodules:
    patients, scans = nodules.table["patient"], nodules.table["scan"]
    table = nodules.table.drop(columns="patient")
    table.insert(0, "subject", patients.map({name: pseudonym(name) for name in patients.unique()}))
    table["scan"] = scans.map({number: f"scan-{pseudonym(f'scan {number}')}" for number in scans.unique()})
    table.index = pd.Index([f"nodule-{pseudonym(name)}" for name in table.index], name=table.index.name)
    return Nodules(table, nodules.shapes)


def _write(file: Path, nodules: Nodules) -> None:
    columns: dict[str, Any] = {}
    for name, values in nodules.table.items():
        array = values.to_numpy()
        columns[f"column:{name}"] = array if array.dtype.kind in "iuf" else array.astype(np.str_)
    index = nodules.table.index.to_numpy().astype(np.str_)
    # A file object, as savez would add ".npz" to the temporary name.
    with writing(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, shapes=nodules.shapes, nodule=index, **columns)


def _read(file: Path) -> Nodules | None:
    try:
        with np.load(file, allow_pickle=False) as stored:
            columns = {
                name.removeprefix("column:"): stored[name] for name in stored.files if name.startswith("column:")
            }
            shapes, index = stored["shapes"], stored["nodule"]
    except _DAMAGED:
        return None
    if (
        "subject" not in columns
        or len(shapes) != len(index)
        or any(len(values) != len(index) for values in columns.values())
    ):
        return None
    return Nodules(pd.DataFrame(columns, index=pd.Index(index, name="nodule")), shapes)
