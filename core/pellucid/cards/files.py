"""What a card says of a file: where it is served and where it belongs, how large it is, and which bytes it has."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pellucid.cards.inside import why_unsafe
from pellucid.data.spec import Frozen

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
"""Endings of the archives that can be unpacked."""


class Content(Frozen):
    """Bytes that a card vouches for.

    Parameters
    ----------
    sha256 : str
        Digest of the content, 64 hexadecimal digits.
    bytes : int
        Its size.
    url : str, optional
        Where exactly these bytes are served, by HTTPS or HTTP.
    """

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    url: str | None = None

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return None if value is None else _checked_address(value)


def _checked_address(value: str) -> str:
    parts = urlsplit(value)
    # Asking for the port is what checks it.
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise ValueError("write an address as 'https://host/path', without a user's name in it")
    if not value.isprintable() or " " in value:
        raise ValueError("write an address with %20 for a space")
    return value


class Sums(Frozen):
    """A list of digests that a server keeps beside its files: of a dataset of so many that no card could list them.

    Without a digest of the list itself, it vouches for what arrives being what the server has, and not for who wrote it.

    Parameters
    ----------
    url : str
        The folder, ending with ``/``; the list and all files are below it.
    name : str
        The list: a line a file, the SHA-256, space, and the path.
    sha256 : str, optional
        Digest of the list.
    """

    url: str = Field(pattern=r"/$")
    name: str = Field(default="SHA256SUMS.txt", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return _checked_address(value)


class CardFile(Content):
    """One file of a dataset: :class:`Content` and where it belongs.

    Parameters
    ----------
    path : str
        Below the data folder that a user gives, or below ``package`` where that is named. Of a package's file, its
        name alone counts in a user's folder. Parts are separated by ``/``.
    package : str, optional
        The installed Python package that carries the file; it is found without being imported.
    archive : str, optional
        Name of the archive on the same card that it is unpacked from.
    member : str, optional
        Its name inside that archive, where it differs from ``path``.
    """

    path: str
    package: str | None = None
    archive: str | None = None
    member: str | None = None

    @field_validator("path", "member")
    @classmethod
    def _stay_inside(cls, value: str | None) -> str | None:
        why = why_unsafe(value) if value is not None else ""
        if why:
            raise ValueError(f"{why}; a card names files below its folder: no absolute path, no '..'")
        return value

    @property
    def inside(self) -> str:
        """Its name inside its archive."""
        return self.member or self.path


class CardArchive(Content):
    """An archive that files of a card are unpacked from: :class:`Content`, of which ``url`` is needed, and a name.

    Parameters
    ----------
    name : str
        What files call it; its ending (one of :data:`ARCHIVES`) says its format.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    url: str

    @field_validator("name")
    @classmethod
    def _can_be_unpacked(cls, value: str) -> str:
        if not value.lower().endswith(ARCHIVES):
            raise ValueError(f"the name of an archive ends with one of {', '.join(ARCHIVES)}")
        return value
