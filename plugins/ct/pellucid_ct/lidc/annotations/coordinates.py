"""Contours as text: ``x,y`` in whole pixels, one vertex a line.

``x`` is the column and ``y`` the row of the DICOM image, as in the XML files of the LIDC (Armato et al. 2011,
doi:10.1118/1.3528204), and are turned into ``(row, column)`` here. Checked against 300 slices of the CT crops in the
repository MaximoDouglas/pulmonary-nodule-classification: masks overlap them by 0.79 (intersection by union) this way
round and by 0.58 the other; the crops' own fill keeps half of the outline, so 1 cannot be reached.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError

LAST = 511
"""Largest coordinate: CT slices of LIDC-IDRI have 512 x 512 pixels. Contours much larger would take minutes to fill."""

_LONGEST = len(str(LAST))
_VERTEX = rf"[0-9]{{1,{_LONGEST}}},[0-9]{{1,{_LONGEST}}}"
_CONTOUR = re.compile(rf"{_VERTEX}(\n{_VERTEX})*")


def parse_coordinates(texts: pd.Series, where: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Read the vertices of many contours.

    Parameters
    ----------
    texts : Series of str
        One contour each, by row id.
    where : str
        File and table, for messages.

    Returns
    -------
    points : ndarray of int32, shape (point, 2)
        Row and column of all vertices, one contour after the other.
    first : ndarray of int64, shape (contour + 1,)
        Where each contour begins, and the number of points.

    Raises
    ------
    DataError
        If a contour is missing or empty, is not such text, or leaves the image; names the row id.

    Examples
    --------
    >>> points, first = parse_coordinates(pd.Series(["10,20\\n11,21", "5,6"]), "example")
    >>> points.tolist(), first.tolist()
    ([[20, 10], [21, 11], [6, 5]], [0, 2, 3])
    """
    values = texts.tolist()
    # All in one pass; only when the whole is not right, the first wrong row is looked for.
    points = _parse("\n".join(values)) if all(isinstance(text, str) for text in values) else None
    if points is None:
        _refuse(texts, where)
    assert points is not None, "the two readings of coordinates disagree"
    lines = np.array([text.count("\n") + 1 for text in values], np.int64)
    return points, np.concatenate([[0], np.cumsum(lines)])


def _refuse(texts: pd.Series, where: str) -> None:
    for row, text in texts.items():
        if isinstance(text, str) and _CONTOUR.fullmatch(text):
            # Named by itself, as it may stand far behind the beginning of a long text.
            outside = next((vertex for vertex in text.split("\n") if max(map(int, vertex.split(","))) > LAST), None)
            said = None if outside is None else f"has the vertex {outside!r}"
        elif isinstance(text, str):
            said = "is empty" if not text else f"is {text!r}" if len(text) <= 40 else f"is {text[:40]!r}..."
        else:
            said = "is missing" if pd.isna(text) else f"is {text!r}"
        if said is not None:
            raise DataError(
                f"{where}, row id {row}, field 'coords': {said}, "
                f"expected lines of 'x,y' in whole pixels from 0 to {LAST}"
            )


def _parse(text: str) -> npt.NDArray[np.int32] | None:
    # Digits and separators are checked as bytes first: np.fromstring alone would accept "1, 2" and stop at "1;2".
    try:
        characters = np.frombuffer(text.encode("ascii"), np.uint8)
    except UnicodeEncodeError:
        return None
    marks = np.flatnonzero((characters < ord("0")) | (characters > ord("9")))
    lengths = np.diff(marks, prepend=-1, append=len(characters)) - 1
    if len(marks) % 2 == 0 or lengths.min() < 1 or lengths.max() > _LONGEST:
        return None
    if (characters[marks[0::2]] != ord(",")).any() or (characters[marks[1::2]] != ord("\n")).any():
        return None
    numbers = np.fromstring(text.replace("\n", ","), np.int32, sep=",")
    if numbers.max() > LAST:
        return None
    return np.ascontiguousarray(numbers.reshape(-1, 2)[:, ::-1])
