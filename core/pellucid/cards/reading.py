"""What a card says: who may use some data, whom to cite, and which files it is made of.

A card is a TOML file that a plugin names (``Plugin.cards``). It is read, checked and shown without reading any data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pellucid import plugins
from pellucid.cards.files import CardArchive, CardFile, Sums
from pellucid.data.frozen import Frozen, read_toml
from pellucid.errors import DataError, nearest

Access = Literal["open", "registered", "credentialed", "request", "own", "embedded", "generated"]

ACCESS = {
    "open": "anybody may download it",
    "registered": "free, after registration with its owner",
    "credentialed": "granted by its owner to people who say who they are and sign an agreement",
    "request": "may be passed on, but no server offers these files: they come from who holds them",
    "own": "your own data: it stays where it is",
    "embedded": "inside an installed package: nothing to download",
    "generated": "made by this software: nothing to download",
}
"""What each way of access means, in words."""

_DOI = re.compile(r"10\.\d{4,9}/\S+")


class Card(Frozen):
    """What a data steward must know of a dataset.

    Parameters
    ----------
    title, name : str
        ``name`` is the registered name of the dataset.
    namespace : str
        Where subjects' names come from; the same as in the dataset's spec.
    about : str
        What one sample is.
    licence, licence_url : str
    attribution : str
        What the licence asks to be said, the changes made to the original included.
    citations : tuple of str
    papers : tuple of str
        DOIs of the papers that describe the data.
    access : str
        One of :data:`ACCESS`.
    how : str
        What to type or where to ask.
    files : tuple of CardFile
    archives : tuple of CardArchive
        What some of the files come in.
    sums : Sums, optional
        Where the server keeps a list of all files with their digests; then the card lists none.
    retriever : str
        The owner's own program that downloads it, where files are not served, and listed, one by one.
    about_bytes : int, optional
        Roughly its size, where its files are not listed.
    page : str
        Address of the page that describes it.
    creators : tuple of str
    published, version : str
        A date (or a year), and the number of this state of the data; catalogues understand MAJOR.MINOR.PATCH.
    subject_key : str
        Which field tells people apart.
    label_caveat : str
        What the labels are not.
    units : mapping of str to str
        Unit of each quantity.
    """

    title: str = Field(min_length=1)
    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    namespace: str = Field(min_length=1)
    about: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    licence_url: str = ""
    attribution: str = ""
    citations: tuple[str, ...] = Field(min_length=1)
    papers: tuple[str, ...] = ()
    access: Access
    how: str = Field(min_length=1)
    files: tuple[CardFile, ...] = ()
    archives: tuple[CardArchive, ...] = ()
    sums: Sums | None = None
    retriever: str = ""
    about_bytes: int | None = Field(default=None, gt=0)
    page: str = Field(default="", pattern=r"^(https?://\S+)?$")
    creators: tuple[str, ...] = ()
    published: str = Field(default="", pattern=r"^(\d{4}(-\d{2}-\d{2})?)?$")
    version: str = ""
    subject_key: str = Field(min_length=1)
    label_caveat: str = Field(min_length=1)
    units: dict[str, str] = Field(min_length=1)

    @field_validator("papers")
    @classmethod
    def _are_dois(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for doi in value:
            if not _DOI.fullmatch(doi):
                raise ValueError(f"{doi!r} is no DOI: write it as '10.1234/abc', without an address in front")
        return value

    @model_validator(mode="after")
    def _files_fit_access(self) -> Card:
        if self.access in ("generated", "own") and self.files:
            raise ValueError(
                f"{'generated data' if self.access == 'generated' else 'your own data'} has no files to list"
            )
        if self.sums is not None and (self.files or self.access != "open"):
            raise ValueError("a card with [sums] lists no files, and anybody may have them: access = 'open'")
        if self.access in ("open", "embedded") and not self.files and not self.retriever and self.sums is None:
            raise ValueError(f"access = {self.access!r} needs at least one [[files]] entry: what has to be here?")
        if self.access == "embedded" and not all(file.package for file in self.files):
            raise ValueError("access = 'embedded' needs 'package' in every [[files]] entry")
        return self

    @model_validator(mode="after")
    def _files_and_archives_fit(self) -> Card:
        # Some disks do not tell "A.csv" from "a.csv".
        _refuse_twice("files", (file.path.casefold() for file in self.files))
        _refuse_twice("files", (f"{file.archive}: {file.inside}" for file in self.files if file.archive))
        _refuse_twice("archives", (archive.name.casefold() for archive in self.archives))
        known = {archive.name for archive in self.archives}
        for file in self.files:
            if file.archive is not None and file.archive not in known:
                raise ValueError(
                    f"files: {file.path}: there is no archive {file.archive!r}{nearest(file.archive, known)}"
                )
            if file.archive is not None and file.url is not None:
                raise ValueError(f"files: {file.path}: has a url and an archive; it comes from one of them")
        unused = known - {file.archive for file in self.files}
        if unused:
            raise ValueError(f"archives: {min(unused)}: no [[files]] entry comes from it")
        return self


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what}: {name} is listed twice")
        seen.add(name)


def read_card(path: Path) -> Card:
    """Read and check one card.

    Raises
    ------
    DataError
        Names the file and the field; for an unknown field the nearest known one.
    """
    card = read_toml(path, Card, "card")
    if card.name != path.stem:
        raise DataError(
            f"card {path}: name: is {card.name!r}, but the file is called {path.name!r}; give both one name"
        )
    return card


def card(name: str) -> Card:
    """The installed card of a dataset, by bare or qualified name, or the card in a file whose name ends with ``.toml``.

    A name may lack its hyphens: people write ``ptbxl`` for ``ptb-xl``.
    """
    if name.endswith(".toml"):
        return read_card(Path(name))
    known = plugins.components("card").values()
    if not any(name in (one.name, one.qualified) for one in known):
        alike = [one for one in known if name.casefold().replace("-", "") == one.name.replace("-", "")]
        name = alike[0].qualified if len(alike) == 1 else name
    return read_card(plugins.load("card", name))
