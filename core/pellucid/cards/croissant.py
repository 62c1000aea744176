"""Dataset cards as Croissant 1.0, the JSON-LD by which catalogues and search engines know datasets.

Croissant asks for less than a card says, and has no word for some of it: what a label is not goes to the Responsible AI part of the
vocabulary, units and how to get the data into the description.

References
----------
Akhtar et al. (2024), Croissant: a metadata format for ML-ready datasets, doi:10.1145/3650203.3663326.
"""

from __future__ import annotations

from typing import Any

from pellucid.cards import ACCESS, Card
from pellucid.cards.files import CardArchive, CardFile, Content

CONFORMS_TO = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]

FORMATS = {
    "csv": "text/csv", "tsv": "text/tab-separated-values", "txt": "text/plain", "md": "text/markdown", "json": "application/json",
    "jsonl": "application/jsonlines", "parquet": "application/x-parquet", "sqlite": "application/vnd.sqlite3", "dcm": "application/dicom",
    "zip": "application/zip", "npz": "application/zip", "tar": "application/x-tar", "gz": "application/gzip", "tgz": "application/gzip",
    "xz": "application/x-xz", "txz": "application/x-xz", "bz2": "application/x-bzip2", "tbz2": "application/x-bzip2",
    "png": "image/png", "xml": "application/xml", "edf": "application/edf",
}  # fmt: skip
"""Media types by the end of a name; of others nothing is claimed."""

_TERMS = ("column", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes", "jsonPath", "key", "md5",
          "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "separator", "source", "subField",
          "transform", "citeAs", "isLiveDataset", "equivalentProperty", "samplingRate")  # fmt: skip


def croissant(card: Card) -> dict[str, Any]:
    """A card as a Croissant document, plain values for JSON.

    A file that no address serves is named by its path, as Croissant does for files that lie beside the document.

    Parameters
    ----------
    card : Card
    """
    document: dict[str, Any] = {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": card.name,
        "alternateName": card.title,
        "description": _description(card),
        "license": card.licence_url or card.licence,
        "url": card.page or (f"https://doi.org/{card.papers[0]}" if card.papers else None),
        "citeAs": "\n".join(card.citations),
        "creator": [{"@type": "sc:Organization", "name": name} for name in card.creators],
        "datePublished": card.published,
        "version": card.version,
        "isAccessibleForFree": True if card.access in ("open", "embedded", "generated") else None,
        "conditionsOfAccess": f"{card.access}: {ACCESS[card.access]}. {card.how}",
        "creditText": card.attribution,
        "distribution": [*map(_archive, card.archives), *map(_file, card.files)],
        "rai:dataLimitations": card.label_caveat,
        "rai:personalSensitiveInformation": f"People are told apart by: {card.subject_key}",
    }
    return {key: value for key, value in document.items() if value not in (None, "", [])}


def _description(card: Card) -> str:
    units = "; ".join(f"{name}: {unit}" for name, unit in card.units.items())
    return "\n\n".join([" ".join(card.about.split()), f"Units: {units}."])


def _archive(archive: CardArchive) -> dict[str, Any]:
    return _object(archive, archive.name, archive.url)


def _file(file: CardFile) -> dict[str, Any]:
    found = _object(file, file.path, file.inside if file.archive else file.url or file.path)
    if file.archive:
        found["containedIn"] = {"@id": file.archive}
    if file.package:
        found["description"] = f"inside the Python package {file.package}"
    return found


def _object(content: Content, name: str, address: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": address,
        "contentSize": f"{content.bytes} B",
        "encodingFormat": FORMATS.get(name.rpartition(".")[2].lower(), "application/octet-stream"),
        "sha256": content.sha256,
    }


def _context() -> dict[str, Any]:
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        **{term: f"cr:{term}" for term in _TERMS},
    }
