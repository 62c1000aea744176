"""The annotation files of LIDC-IDRI: what up to four readers drew and rated of one scan, as XML.

Layout as the archive describes it (Armato et al. 2011, doi:10.1118/1.3528204; McNitt-Gray et al. 2007,
doi:10.1016/j.acra.2007.07.021): a ``LidcReadMessage`` has one ``readingSession`` a reader; each nodule of it, an
``unblindedReadNodule``, has ratings (``characteristics``) and one ``roi`` a slice, whose ``edgeMap`` elements are the
vertices: whole pixels, the first ones outside the nodule. Nodules below 3 mm have one point and no ratings.
Marks of other lesions (``nonNodule``) have no outline. Neither kind is read.

A file is not trusted: it may not declare entities, and is bounded in size, depth and number of elements.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.database import RATING_RANGES
from pellucid_ct.lidc.annotations.rasterise import crossed, interior_pixels, outline_pixels
from pellucid_ct.lidc.annotations.readings import Contour, Drawing, Reading

ROOT = "LidcReadMessage"
RADIOGRAPHS = "IdriReadMessage"
"""Root of the files that annotate chest radiographs."""

MOST_BYTES = 16 * 2**20
"""The largest file of the archive's kind has about 2 MB."""

_FARTHEST = 1023
"""Largest coordinate: images of LIDC-IDRI have 512 x 512 pixels."""

_MOST_PIXELS = 2**23
"""Pixels in the boxes around all outlines of a file: they are filled to be checked, and a file of a megabyte could ask for
hours of it. The outlines of one scan of LIDC-IDRI come to 201,204 at most."""

_MOST_ELEMENTS = 1_000_000
_DEEPEST = 16
_LINE = "line"

_ROI, _Z, _IMAGE, _INCLUSION, _EDGE, _X, _Y = (
    "roi",
    "imagezposition",
    "imagesop_uid",
    "inclusion",
    "edgemap",
    "xcoord",
    "ycoord",
)
_SESSION, _NODULE, _RATED = "readingsession", "unblindedreadnodule", "characteristics"
_SERIES = ("seriesinstanceuid", "ctseriesinstanceuid")
_RATINGS = {name.lower(): name for name in RATING_RANGES}
_NAMED = frozenset({_SESSION, _NODULE, _RATED, _ROI})
"""Elements that errors name, so that the tree keeps their lines."""


class OtherXmlError(DataError):
    """An XML file that is no annotation of a CT scan of LIDC-IDRI; its root element says so."""


def read_xml(path: Path, *, namespace: str, where: str | None = None) -> Reading:
    """Read and check one annotation file.

    Parameters
    ----------
    path : Path
    namespace : str
        Where names come from; UIDs are replaced by :func:`pellucid.data.pseudonym` as those of the images are.
    where : str, optional
        How messages name the file; by default its name.

    Raises
    ------
    OtherXmlError
        If the file is XML of something else (annotations of chest radiographs among it).
    DataError
        If the file cannot be read, is not well-formed, declares a document type or entities, is out of bounds, or
        holds a value that cannot be right; names file and line, and the reading session and nodule where there is one.

    Notes
    -----
    An outline that crosses itself is refused where it encloses pixels in both senses, or some of them twice, as a figure
    of eight does: what it encloses has no one meaning. Of the 41,406 outlines of LIDC-IDRI 59 cross themselves and
    1,257 pass a pixel twice, and none of them is such a figure: drawn by hand, they overshoot or touch.
    """
    where = where or path.name
    root = _tree(path, where)
    header = next((child for child in root if child.tag == "responseheader"), root)
    series = {text for child in header if child.tag in _SERIES and (text := _text(child))}
    if len(series) != 1:
        raise DataError(
            f"{where}: ResponseHeader names {'more than one series' if series else 'no series'} (SeriesInstanceUid), so "
            "nobody can tell which scan was annotated; get the file again"
        )
    name = pseudonym(series.pop(), namespace)
    drawings, small, pixels = [], 0, 0
    for session, reading in enumerate((child for child in root if child.tag == _SESSION), start=1):
        for position, mark in enumerate((child for child in reading if child.tag == _NODULE), start=1):
            # Neither the file's ids of nodules nor UIDs are named in messages: their places in the file are.
            which = f"reading session {session}, nodule {position}"
            drawing = _drawing(mark, f"{name} {session} {position}", where, which, namespace)
            if drawing is None:
                small += 1
                continue
            pixels += sum(int((np.ptp(contour.points, axis=0) + 1).prod()) for contour in drawing.contours)
            if pixels > _MOST_PIXELS:
                raise DataError(
                    f"{drawing.place}: outlines so many and so large are in no annotation file; get it again"
                )
            _refuse_meaningless(drawing)
            drawings.append(drawing)
    return Reading(where, name, name, drawings, small)


def _drawing(mark: Element, name: str, where: str, which: str, namespace: str) -> Drawing | None:
    place = f"{where}, line {mark.get(_LINE)}, {which}"
    rois = [child for child in mark if child.tag == _ROI]
    rated = [child for child in mark if child.tag == _RATED]
    texts = {child.tag: _text(child) for element in rated for child in element if child.tag in _RATINGS}
    if not any(texts.values()) or (rois and all(sum(e.tag == _EDGE for e in roi) == 1 for roi in rois)):
        return None
    ratings = {name: _rating(name, texts.get(tag, ""), place) for tag, name in _RATINGS.items()}
    if not rois:
        raise DataError(f"{place}: it is rated but has no outline (roi); a reader's nodule needs a contour")
    contours = [_contour(roi, f"{where}, line {roi.get(_LINE)}, {which}", namespace) for roi in rois]
    return Drawing(name, place, ratings, contours)


def _rating(name: str, text: str, place: str) -> int:
    low, high = RATING_RANGES[name]
    value = int(text) if _whole(text) else None
    if value is None or not low <= value <= high:
        said = "is missing" if not text else "is no whole number" if value is None else f"is {value}"
        raise DataError(f"{place}: its rating {name} {said}, expected a whole number from {low} to {high}")
    return value


def _contour(roi: Element, place: str, namespace: str) -> Contour:
    texts = {child.tag: _text(child) for child in roi if child.tag in (_Z, _IMAGE, _INCLUSION)}
    z = _number(texts.get(_Z, ""))
    if z is None:
        raise DataError(f"{place}: imageZposition is missing or no number, expected the z of a slice in mm")
    inclusion = texts.get(_INCLUSION, "").upper()
    if inclusion not in ("TRUE", "FALSE"):
        raise DataError(f"{place}: inclusion is missing, or neither TRUE nor FALSE (a hole)")
    image = pseudonym(texts[_IMAGE], namespace) if texts.get(_IMAGE) else ""
    vertices: list[tuple[int, int]] = []
    for edge in (child for child in roi if child.tag == _EDGE):
        at = {child.tag: _text(child) for child in edge}
        pair = (at.get(_Y, ""), at.get(_X, ""))
        if not all(map(_whole, pair)):
            raise DataError(
                f"{place}: vertex {len(vertices) + 1} of its outline (edgeMap) has no whole xCoord and yCoord from 0 to "
                f"{_FARTHEST}"
            )
        vertices.append((int(pair[0]), int(pair[1])))
    if not vertices:
        raise DataError(f"{place}: its outline is empty (roi without edgeMap); a reader's nodule needs a contour")
    return Contour(z, inclusion == "TRUE", np.array(vertices, np.int32), place, image)


def _refuse_meaningless(drawing: Drawing) -> None:
    contours = drawing.contours
    points = np.concatenate([contour.points for contour in contours])
    first = np.concatenate([[0], np.cumsum([len(contour.points) for contour in contours])])
    wrong = crossed(points, first)
    if wrong.any():
        raise DataError(
            f"{contours[int(np.argmax(wrong))].place}: its outline crosses itself, so that what it encloses has no one "
            f"meaning ({int(wrong.sum())} such outlines in this nodule); get the file again, or redraw it"
        )
    hole = np.array([not contour.inclusion for contour in contours])
    _, level = np.unique([contour.z_mm for contour in contours], return_inverse=True)

    def marked(found: tuple[Any, Any, Any], holes: bool) -> npt.NDArray[np.int64]:
        contour, row, column = (values[hole[found[0]] == holes] for values in found)
        return (level[contour] * (_FARTHEST + 1) + row) * (_FARTHEST + 1) + column

    inside = interior_pixels(points, first)
    left_out = np.concatenate([marked(inside, True), marked(outline_pixels(points, first), True)])
    if np.isin(marked(inside, False), left_out).all():
        raise DataError(
            f"{drawing.place}: its outlines enclose no pixel, expected a nodule with an area (outlines run outside the nodule)"
        )


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_FARTHEST)) and int(text) <= _FARTHEST


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


# --- parsing ----------------------------------------------------------------------------------------------------------


def _tree(path: Path, where: str) -> Element:
    """The elements of a file, tags in lower case without namespace: the archive's spelling varies."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(
                f"{where}: has {size / 2**20:.0f} MB, beyond the {MOST_BYTES // 2**20} MB of the largest annotation file"
            )
        with path.open("rb") as stream:
            return _Parser(where).parse(stream)
    except expat.ExpatError as error:
        raise DataError(
            f"{where}, line {error.lineno}: is not well-formed XML ({expat.ErrorString(error.code)}); get the file again"
        ) from None
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror}); check that you may open it") from None
    except (LookupError, ValueError):
        raise DataError(f"{where}: is in no known encoding; get the file again") from None


class _Parser:
    """An expat parser that builds elements, keeps their lines and refuses what an annotation file never has."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._declared
        self.parser.EntityDeclHandler = self._declared
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.builder = TreeBuilder()
        self.parser.CharacterDataHandler = self.builder.data
        self.depth = self.count = 0

    def parse(self, stream: Any) -> Element:
        self.parser.ParseFile(stream)
        return self.builder.close()

    def _declared(self, *_: object) -> None:
        raise DataError(
            f"{self.where}, line {self.parser.CurrentLineNumber}: declares a document type or an entity, which annotation "
            "files never do and which may hide an attack; the file was not read"
        )

    def _start(self, name: str, _: object) -> None:
        tag = name.rpartition("}")[2]
        if self.depth == 0 and tag != ROOT:
            what = "annotations of a chest radiograph" if tag == RADIOGRAPHS else "XML of another kind"
            raise OtherXmlError(f"{self.where}: {what}, expected a file whose root element is {ROOT}")
        self.depth, self.count = self.depth + 1, self.count + 1
        if self.depth > _DEEPEST or self.count > _MOST_ELEMENTS:
            raise DataError(
                f"{self.where}, line {self.parser.CurrentLineNumber}: more elements, or elements deeper in each other, than "
                "an annotation file has; the file was not read"
            )
        tag = tag.lower()
        self.builder.start(tag, {_LINE: str(self.parser.CurrentLineNumber)} if tag in _NAMED else {})

    def _end(self, name: str) -> None:
        self.depth -= 1
        self.builder.end(name.rpartition("}")[2].lower())
