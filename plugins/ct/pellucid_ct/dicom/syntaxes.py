"""Transfer syntaxes: how the elements and pixels of a file are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Syntax:
    """A transfer syntax.

    Parameters
    ----------
    uid : str
    name : str
        For messages.
    explicit, big, deflated : bool
        Elements tell their type; the high byte comes first; all after the file's own group is a deflate stream.
    coded : str
        Coding of the pixels: "" (as they are), "rle", "jpeg", "jpeg-ls", "jpeg2000" or "unknown".
    """

    uid: str
    name: str
    explicit: bool = True
    big: bool = False
    deflated: bool = False
    coded: str = ""


META = Syntax("", "file meta information")
"""How a file's own group, 0002, is always written."""

UNKNOWN = Syntax("", "a transfer syntax that no CT image has here", coded="unknown")
"""Any other: most are of films and colour pictures, and their elements are explicit, little endian."""

_UID = "1.2.840.10008.1.2"

SYNTAXES = {
    syntax.uid.encode(): syntax
    for syntax in (
        Syntax(_UID, "Implicit VR Little Endian", explicit=False),
        Syntax(f"{_UID}.1", "Explicit VR Little Endian"),
        Syntax(f"{_UID}.1.99", "Deflated Explicit VR Little Endian", deflated=True),
        Syntax(f"{_UID}.2", "Explicit VR Big Endian", big=True),
        Syntax(f"{_UID}.5", "RLE Lossless", coded="rle"),
        Syntax(f"{_UID}.4.51", "JPEG Extended", coded="jpeg"),
        Syntax(f"{_UID}.4.57", "JPEG Lossless (process 14)", coded="jpeg"),
        Syntax(f"{_UID}.4.70", "JPEG Lossless (selection value 1)", coded="jpeg"),
        Syntax(f"{_UID}.4.80", "JPEG-LS Lossless", coded="jpeg-ls"),
        Syntax(f"{_UID}.4.81", "JPEG-LS Near-lossless", coded="jpeg-ls"),
        Syntax(f"{_UID}.4.90", "JPEG 2000 Lossless", coded="jpeg2000"),
        Syntax(f"{_UID}.4.91", "JPEG 2000", coded="jpeg2000"),
        Syntax(f"{_UID}.4.201", "High-Throughput JPEG 2000 Lossless", coded="jpeg2000"),
        Syntax(f"{_UID}.4.202", "High-Throughput JPEG 2000 with RPCL, Lossless", coded="jpeg2000"),
        Syntax(f"{_UID}.4.203", "High-Throughput JPEG 2000", coded="jpeg2000"),
    )
}
"""Those that are read, by the bytes of their UID (DICOM PS3.6, annex A)."""
