from __future__ import annotations

import os
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_lidc import SMALL, Drawn, Scan, ratings, square, write_xml, xml_text

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.lidc.annotations import xml as module
from pellucid_ct.lidc.annotations.rasterise import crossed
from pellucid_ct.lidc.annotations.xml import OtherXmlError, read_xml

NAMES = "lidc-idri"


@pytest.fixture
def scan(tmp_path):
    """A series that is named but not written: the reader looks at the XML alone."""
    z = [-120.0 + 2.5 * i for i in range(12)]
    sops = [f"1.2.826.77.{i}" for i in range(12)]
    return Scan(tmp_path, "Phantom-1", "1.2.826.55.1", "1.2.826.44", np.zeros((12, 96, 96)), z, sops, [], 0.8)


def reading(text, tmp_path):
    path = tmp_path / "069.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_xml(path, namespace=NAMES)


def one(scan, outlines=None, given=None):
    """The text of a file with one nodule of one reader."""
    drawn = Drawn(outlines or [(3, square(20, 30, 5), False)], given if given is not None else {})
    return xml_text(scan, [[drawn]])


def test_drawings_and_ratings_are_what_was_written(scan, tmp_path):
    first = Drawn([(3, square(20, 30, 5), False), (4, square(20, 30, 7), False), (4, square(22, 32, 1), True)])
    second = Drawn([(9, [(50, 60), (50, 64), (54, 64), (54, 60)], False)], {"malignancy": 5, "calcification": 6})
    read = read_xml(write_xml(scan, [[first], [], [first, second]]), namespace=NAMES)
    assert len(read.drawings) == 3
    assert [len(drawing.contours) for drawing in read.drawings] == [3, 3, 1]
    assert read.drawings[2].ratings == ratings(malignancy=5, calcification=6)
    last = read.drawings[2].contours[0]
    assert last.points.tolist() == [[50, 60], [50, 64], [54, 64], [54, 60]]
    assert (last.z_mm, last.inclusion) == (-97.5, True)
    assert [contour.inclusion for contour in read.drawings[0].contours] == [True, True, False]
    assert read.series == pseudonym(scan.series, NAMES)
    assert last.image == pseudonym(scan.sops[9], NAMES)
    assert len({drawing.name for drawing in read.drawings}) == 3


def test_small_nodules_and_outlines_without_ratings_are_left_out_and_counted(scan, tmp_path):
    point = Drawn([(3, [(10, 10)], False)], SMALL)
    unrated = Drawn([(3, square(20, 30, 5), False)], SMALL)
    rated_point = Drawn([(3, [(10, 10)], False), (4, [(10, 10)], False)])
    whole = Drawn([(5, square(20, 30, 5), False)])
    read = reading(xml_text(scan, [[point, unrated], [whole, rated_point]]), tmp_path)
    assert (len(read.drawings), read.small) == (1, 3)
    empty = re.sub(r"<characteristics>.*?</characteristics>", "<characteristics/>", one(scan), flags=re.DOTALL)
    assert (reading(empty, tmp_path).drawings, reading(empty, tmp_path).small) == ([], 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("SeriesInstanceUid", "CTSeriesInstanceUid"),
        lambda text: text.replace("SeriesInstanceUid", "SeriesInstanceUID"),
        lambda text: text.replace(' xmlns="http://www.nih.gov"', ""),
        lambda text: text.replace("TRUE", " true\n"),
        lambda text: text.replace("<subtlety>", "<Subtlety>").replace("</subtlety>", "</Subtlety>"),
        lambda text: text.encode("utf-16").replace("UTF-8".encode("utf-16-le"), "UTF-16".encode("utf-16-le")),
    ],
)
def test_spellings_that_occur_are_understood(scan, tmp_path, change):
    plain, other = reading(one(scan), tmp_path), reading(change(one(scan)), tmp_path)
    assert other.series == plain.series
    assert other.drawings[0].ratings == plain.drawings[0].ratings
    np.testing.assert_array_equal(other.drawings[0].contours[0].points, plain.drawings[0].contours[0].points)


def _first(pattern, replacement):
    return lambda text: re.sub(pattern, replacement, text, count=1, flags=re.DOTALL)


BAD = {
    "empty outline": (_first(r"<edgeMap>.*</edgeMap>", ""), r"line 25, reading session 1, nodule 1: its outline is empty"),
    "no outline at all": (_first(r"<roi>.*</roi>", ""), r"line 12, reading session 1, nodule 1: it is rated but has no outline"),
    "holes alone": (_first("TRUE", "FALSE"), r"line 12, .*nodule 1: its outlines enclose no pixel"),
    "coordinate in words": (_first("<xCoord>29", "<xCoord>left"), r"line 25, .*vertex 1 of its outline .*whole xCoord and yCoord"),
    "negative coordinate": (_first("<yCoord>19", "<yCoord>-1"), "vertex 1 of its outline"),
    "fraction": (_first("<yCoord>19", "<yCoord>19.5"), "vertex 1 of its outline"),
    "coordinate missing": (_first("<yCoord>19</yCoord>", ""), "vertex 1 of its outline"),
    "coordinate huge": (_first("<yCoord>19", "<yCoord>99999999999"), "vertex 1 of its outline"),
    "no height": (_first(r"<imageZposition>-112.5</imageZposition>", ""), "line 25, .*imageZposition is missing or no number"),
    "height not finite": (_first("<imageZposition>-112.5", "<imageZposition>inf"), "imageZposition is missing or no number"),
    "neither in nor out": (_first("TRUE", "MAYBE"), "inclusion is missing, or neither TRUE nor FALSE"),
    "rating too high": (_first("<spiculation>3", "<spiculation>6"), r"nodule 1: its rating spiculation is 6, expected .* 1 to 5"),
    "rating too low": (_first("<margin>3", "<margin>0"), "its rating margin is 0, expected a whole number from 1 to 5"),
    "calcification": (_first("<calcification>3", "<calcification>7"), "its rating calcification is 7, expected .* 1 to 6"),
    "rating in words": (_first("<texture>3", "<texture>solid"), "its rating texture is no whole number"),
    "rating missing": (_first("<malignancy>3</malignancy>", ""), "its rating malignancy is missing"),
    "no series": (_first("<SeriesInstanceUid>.*</SeriesInstanceUid>", ""), "ResponseHeader names no series"),
    "two series": (_first("</ResponseHeader>", "<SeriesInstanceUid>1.2.9</SeriesInstanceUid></ResponseHeader>"), "more than one"),
    "truncated": (lambda text: text[: len(text) // 2], r"line \d+: is not well-formed XML"),
    "not XML": (lambda text: "patient,nodule\n1,2\n", "line 1: is not well-formed XML"),
    "nothing": (lambda text: "", "line 1: is not well-formed XML"),
    "two roots": (lambda text: text + "<a/>", r"line \d+: is not well-formed XML"),
    "unknown encoding": (_first("UTF-8", "ISO-7777"), "is (in no known encoding|not well-formed XML)"),
    "bytes that are no text": (lambda text: text.encode().replace(b"Nodule", b"\xff\xfe\xfd"), "is not well-formed XML"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_right_is_refused_with_file_line_and_place(scan, tmp_path, case):
    change, said = BAD[case]
    with pytest.raises(DataError, match=said) as error:
        reading(change(one(scan)), tmp_path)
    told = str(error.value)
    assert told.startswith("069.xml")
    assert not isinstance(error.value, OtherXmlError)
    assert not any(uid in told for uid in (scan.series, scan.study, *scan.sops))


BOMB = "<!DOCTYPE a [\n" + "".join(
    f'<!ENTITY x{i + 1} "{f"&x{i};" * 10}">\n' if i else '<!ENTITY x1 "ha">\n' for i in range(9)
)


@pytest.mark.parametrize(
    "prolog",
    [BOMB + "]>", '<!DOCTYPE a SYSTEM "file:///etc/passwd">', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'],
)
def test_entities_are_never_expanded_nor_fetched(scan, tmp_path, prolog):
    text = one(scan).replace("<LidcReadMessage", prolog + "\n<LidcReadMessage").replace("Nodule 001", "&x9;")
    with pytest.raises(DataError, match=r"069\.xml, line 2: declares a document type"):
        reading(text, tmp_path)


def test_file_beyond_bounds_is_refused_before_it_fills_the_memory(scan, tmp_path, monkeypatch):
    path = tmp_path / "069.xml"
    path.touch()
    os.truncate(path, module.MOST_BYTES + 1)
    with pytest.raises(DataError, match=r"069\.xml: has 16 MB, beyond"):
        read_xml(path, namespace=NAMES)
    nested = "<LidcReadMessage>" + "<a>" * 50_000
    with pytest.raises(DataError, match=r"069\.xml, line 1: more elements, or elements deeper"):
        reading(nested, tmp_path)
    monkeypatch.setattr(module, "_MOST_ELEMENTS", 100)
    with pytest.raises(DataError, match="more elements, or elements deeper"):
        reading(one(scan), tmp_path)


@pytest.mark.parametrize(
    ("hole", "left"), [(square(20, 30, 4), False), (square(21, 31, 2), False), (square(22, 32, 1), True)]
)
def test_nodule_that_its_holes_leave_nothing_of_is_refused(scan, tmp_path, hole, left):
    """A hole takes its outline with it: of 4 x 4 pixels one of 2 x 2 takes all."""
    outlines = [(3, square(20, 30, 4), False), (3, hole, True)]
    if left:
        assert len(reading(one(scan, outlines), tmp_path).drawings) == 1
    else:
        with pytest.raises(DataError, match="nodule 1: its outlines enclose no pixel"):
            reading(one(scan, outlines), tmp_path)
    elsewhere = [(3, square(20, 30, 4), False), (4, hole, True)]
    assert len(reading(one(scan, elsewhere), tmp_path).drawings) == 1


def test_outlines_that_would_take_years_to_fill_are_refused_at_once(scan, tmp_path):
    wide = [(3, [(0, 0), (1023, 1023), (0, 1)], False)] * 200
    began = time.perf_counter()
    with pytest.raises(DataError, match=r"nodule 1: outlines so many and so large are in no annotation file"):
        reading(one(scan, wide), tmp_path)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '<IdriReadMessage xmlns="http://www.nih.gov"><a/></IdriReadMessage>',
            "069.xml: annotations of a chest radiograph",
        ),
        ("<html><body/></html>", r"069\.xml: XML of another kind"),
    ],
)
def test_xml_of_another_kind_is_told_apart(tmp_path, text, said):
    with pytest.raises(OtherXmlError, match=said):
        reading(text, tmp_path)


def test_file_that_may_not_be_read_is_told(tmp_path):
    with pytest.raises(DataError, match=r"gone\.xml: cannot be read \(No such file"):
        read_xml(tmp_path / "gone.xml", namespace=NAMES)


def test_changed_bytes_end_in_a_refusal_or_a_reading(scan, tmp_path):
    text = bytearray(one(scan).encode())
    rng = np.random.default_rng(11)
    told = []
    for _ in range(300):
        changed = bytearray(text)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(changed)))
            changed[at : at + int(rng.integers(0, 3))] = bytes(rng.integers(0, 256, int(rng.integers(0, 3)), np.uint8))
        try:
            reading(bytes(changed), tmp_path)
        except DataError as error:
            told.append(str(error))
    assert 100 < len(told) < 300
    assert all(message.startswith("069.xml") for message in told)


# --- outlines that cross themselves -----------------------------------------------------------------------------------

EIGHT = [(10, 10), (10, 20), (30, 10), (30, 20)]
TWICE = [*square(20, 30, 5), *square(20, 30, 5)]


@pytest.mark.parametrize("points", [EIGHT, TWICE])
def test_outline_without_one_meaning_is_refused(scan, tmp_path, points):
    outlines = [(3, square(20, 30, 5), False), (4, points, False)]
    with pytest.raises(DataError, match=r"line 130, reading session 1, nodule 1: its outline crosses itself"):
        reading(one(scan, outlines), tmp_path)


PINCHED = [(10, 10), (10, 20), (20, 15), (30, 20), (30, 10), (20, 15)]
OVERSHOT = [*square(20, 30, 5), (19, 30), (18, 30), (19, 30)]


@pytest.mark.parametrize("points", [PINCHED, OVERSHOT])
def test_outline_that_touches_itself_or_overshoots_is_taken(scan, tmp_path, points):
    assert len(reading(one(scan, [(4, points, False)]), tmp_path).drawings) == 1


def test_no_real_outline_is_refused_though_some_cross_themselves(lidc):
    assert not crossed(lidc.points, lidc.first).any()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=9))
def test_crossing_is_what_the_winding_number_by_angles_says(points):
    polygon = np.array(points)
    turns = []
    for row in range(10):
        for column in range(10):
            if not _on(polygon, row, column):
                ray = (polygon[:, 1] - column) + 1j * (polygon[:, 0] - row)
                turns.append(round(float(np.angle(np.roll(ray, -1) / ray).sum() / (2 * np.pi))))
    expected = any(abs(t) > 1 for t in turns) or (1 in turns and -1 in turns)
    assert crossed(polygon, np.array([0, len(polygon)])).tolist() == [expected]


def _on(polygon, row, column):
    """Whether a pixel lies on an edge."""
    for (r0, c0), (r1, c1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        along = (r1 - r0) * (column - c0) - (c1 - c0) * (row - r0)
        if along == 0 and min(r0, r1) <= row <= max(r0, r1) and min(c0, c1) <= column <= max(c0, c1):
            return True
    return False
