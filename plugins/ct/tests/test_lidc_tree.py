from __future__ import annotations

import re
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from written_lidc import SMALL, Drawn, square, write_scan, write_xml

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid.plugins import Component
from pellucid.testing import datasets as checks
from pellucid_ct.dicom.series import read_series
from pellucid_ct.lidc.archive import cutting
from pellucid_ct.lidc.archive.dataset import Lidc
from pellucid_ct.lidc.archive.options import LidcConfig
from pellucid_ct.scans.crops import PADDING_HU, isotropic_crop
from pellucid_ct.scans.lesions import find_lesions
from pellucid_ct.scans.volume import LesionMask

NAMES = "lidc-idri"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


def ball(slices, row, column, inside):
    """Outlines of the same square on several slices."""
    return [(number, square(row, column, inside), False) for number in slices]


@pytest.fixture
def archive(tmp_path):
    """Two scans of one patient and one of another, with four nodules in all; annotation files lie where they may."""
    folder = tmp_path / "archive"
    one = write_scan(folder / "P1" / "first", patient="Okonkwo-1", seed=1)
    two = write_scan(folder / "P1" / "second", patient="Okonkwo-1", seed=2, spacing=0.6, between=1.25)
    three = write_scan(folder / "P2", patient="Lindqvist-2", seed=3)
    small = Drawn([(2, [(70, 70)], False)], SMALL)
    first = [
        [Drawn(ball((3, 4, 5), 20, 30, 6), {"malignancy": 5, "spiculation": 4}), small],
        [Drawn(ball((4, 5, 6), 20, 32, 6), {"malignancy": 4, "spiculation": 1})],
        [Drawn(ball((9,), 60, 50, 4), {"malignancy": 1})],
    ]
    write_xml(one, first, folder / "annotations" / "1" / "069.xml")
    write_xml(two, [[Drawn(ball((6, 7), 40, 44, 3), {"malignancy": 3})]], folder / "annotations" / "2" / "069.xml")
    ring = [*ball((2, 3), 50, 50, 9), (3, square(53, 53, 3), True)]
    write_xml(three, [[Drawn(ring, {"malignancy": 2})], [Drawn(ring, {"malignancy": 3})]])
    (folder / "annotations" / "radiograph.xml").write_text('<IdriReadMessage xmlns="http://www.nih.gov"/>')
    (folder / "annotations" / "LICENSE").write_text("to be read")
    return folder, (one, two, three)


def native(**options):
    return LidcConfig(crops="native", **{"size": 16, **options})


def located(crop, hu):
    """Slice, row and column of a crop in the scan that it was cut from; None where it is not from it."""
    found = np.argwhere(hu == crop[0, 0])
    height, width = crop.shape
    for z, r, c in found.tolist():
        part = hu[z, r : r + height, c : c + width]
        if part.shape == crop.shape and (part == crop).all():
            return z, r, c
    return None


# --- what was planted is what comes out -------------------------------------------------------------------------------


def test_frame_tells_of_the_nodules_that_were_planted(archive):
    folder, (one, two, three) = archive
    data = Lidc(LidcConfig(size=16), folder)
    assert len(data) == 4
    whose = [pseudonym(scan.patient, NAMES) for scan in (one, one, two, three)]
    assert sorted(data.frame["subject"]) == sorted(whose)
    assert data.frame["scan"].nunique() == 3
    rows = data.frame.sort_values("area_mm2").reset_index(drop=True)
    # Smallest first: 3 x 3 pixels of 0.6 mm, 4 x 4 of 0.8 mm, half of two readers' squares of 6 x 6 (8 x 6), a ring.
    area = [9 * 0.36, 16 * 0.64, 48 * 0.64, 81 * 0.64]
    np.testing.assert_allclose(rows["area_mm2"], area)
    # In the first and last slice one of the two readers stands alone, which is half of them.
    volume = [18 * 0.36 * 1.25, 16 * 0.64 * 2.5, (36 + 48 + 48 + 36) * 0.64 * 2.5, (81 + 81 - 25) * 0.64 * 2.5]
    np.testing.assert_allclose(rows["volume_mm3"], volume, rtol=1e-6)
    np.testing.assert_allclose(np.exp(rows["log_diameter"]), np.sqrt(4 / np.pi * rows["area_mm2"]))
    assert rows["n_readers"].tolist() == [1, 1, 2, 2]
    assert rows["slice_spacing_mm"].round(6).tolist() == [1.25, 2.5, 2.5, 2.5]
    assert rows["concept:malignancy"].tolist() == [3, 1, 4.5, 2.5]
    assert rows["concept:spiculation"].tolist() == [3, 3, 2.5, 3]
    np.testing.assert_array_equal(rows["concept-sd:spiculation"], [np.nan, np.nan, 1.5, 0.0])
    np.testing.assert_array_equal(rows["malignant-vs-benign"], [np.nan, 0, 1, 0])
    assert rows["malignancy"].tolist() == [2, 0, 4, 2]


def test_high_median_takes_the_upper_of_two_middle_ratings(archive):
    data = Lidc(LidcConfig(median="high", size=16), archive[0])
    rows = data.frame.sort_values("area_mm2")
    np.testing.assert_array_equal(rows["malignant-vs-benign"], [np.nan, 0, 1, np.nan])
    assert rows["malignancy"].tolist() == [2, 0, 4, 2]
    assert "the upper" in data.spec.targets["malignant-vs-benign"].about
    assert "not pathology" in data.spec.targets["malignant-vs-benign"].about


def test_native_crop_is_the_planted_square_in_the_scans_own_pixels(archive):
    folder, scans = archive
    data = Lidc(native(), folder)
    arrays = data.read(np.arange(4))
    assert arrays.inputs["pixels"].dtype == arrays.inputs["mask"].dtype == np.float32
    seen = {}
    for crop, mask, area in zip(
        arrays.inputs["pixels"][:, 0], arrays.inputs["mask"][:, 0], data.frame["area_mm2"], strict=True
    ):
        place = next((number, found) for number, scan in enumerate(scans) if (found := located(crop, scan.hu)))
        seen[round(area, 3)] = (*place, mask)
    number, corner, mask = seen[round(9 * 0.36, 3)]
    assert (number, corner[1:]) == (1, (41 - 8, 45 - 8))
    assert corner[0] in (6, 7)
    expected = np.zeros((16, 16))
    expected[7:10, 7:10] = 1
    np.testing.assert_array_equal(mask, expected)
    number, corner, mask = seen[round(16 * 0.64, 3)]
    assert (number, corner) == (0, (9, 62 - 8, 52 - 8))
    expected = np.zeros((16, 16))
    expected[6:10, 6:10] = 1
    np.testing.assert_array_equal(mask, expected)
    number, corner, mask = seen[round(48 * 0.64, 3)]
    assert (number, corner) == (0, (4, 23 - 8, 34 - 8))
    assert mask.sum() == 48
    number, corner, mask = seen[round(81 * 0.64, 3)]
    assert (number, corner) == (2, (2, 54 - 8, 54 - 8))
    assert mask.sum() == 81


def test_hole_and_its_outline_are_outside(archive):
    data = Lidc(native(samples="slices"), archive[0])
    ring = data.frame["area_mm2"].round(3).to_numpy() == round(81 * 0.64, 3)
    masks = data.read(np.flatnonzero(ring)).inputs["mask"][:, 0]
    assert sorted(mask.sum() for mask in masks) == [81 - 25, 81]
    holed = masks[int(np.argmin(masks.sum((1, 2))))]
    assert not holed[6:11, 6:11].any()


def slow_native(inside, size, least):
    """The rule as it is written in the paper's preparation, one slice at a time, with no array tricks."""
    crops = {}
    for z in range(inside.shape[0]):
        pixels = [(r, c) for r in range(inside.shape[1]) for c in range(inside.shape[2]) if inside[z, r, c]]
        if len(pixels) < least:
            continue
        corner = []
        for axis in (0, 1):
            low, high = min(p[axis] for p in pixels), max(p[axis] for p in pixels)
            corner.append((low + high + 1) // 2 - size // 2)
        if all(start >= 0 and start + size <= side for start, side in zip(corner, inside.shape[1:], strict=True)):
            crops[z] = tuple(corner)
    return crops


def test_slices_are_those_of_the_written_rule(tmp_path):
    rng = np.random.default_rng(5)
    folder = tmp_path / "archive"
    scan = write_scan(folder / "scan", slices=8, rows=60, columns=72, seed=4)
    truth = []
    for row, column in ((12, 12), (30, 52), (44, 20)):
        inside, outlines = np.zeros((8, 60, 72), bool), []
        for z in range(1, 7):
            r, c = row + int(rng.integers(-3, 4)), column + int(rng.integers(-3, 4))
            high, wide = int(rng.integers(1, 7)), int(rng.integers(1, 7))
            inside[z, r : r + high, c : c + wide] = True
            outlines.append((z, [(r - 1, c - 1), (r - 1, c + wide), (r + high, c + wide), (r + high, c - 1)], False))
        truth.append((inside, Drawn(outlines)))
    write_xml(scan, [[drawn for _, drawn in truth]])
    data = Lidc(native(samples="slices", size=24), folder)
    expected = [(z, corner, inside) for inside, _ in truth for z, corner in slow_native(inside, 24, 8).items()]
    arrays = data.read(np.arange(len(data)))
    got = []
    for crop, mask in zip(arrays.inputs["pixels"][:, 0], arrays.inputs["mask"][:, 0], strict=True):
        z, r, c = located(crop, scan.hu)
        got.append((z, (r, c)))
        inside = next(one for z_, corner, one in expected if (z_, corner) == (z, (r, c)))
        np.testing.assert_array_equal(mask, inside[z, r : r + 24, c : c + 24])
    assert sorted(got) == sorted((z, corner) for z, corner, _ in expected)
    assert 4 < len(got) < 18
    fewest = sum((inside.sum((1, 2)) >= 8).sum() for inside, _ in truth)
    assert f"{fewest - len(got)} slices are left out, as their crops would leave the image" in data.spec.about


def test_slices_of_a_nodule_share_its_name_and_label(archive):
    data = Lidc(native(samples="slices"), archive[0])
    assert data.frame.groupby("nodule")["subject"].nunique().max() == 1
    # 4 slices of the pair's nodule, 1, 2 of nine pixels, and 2 of the ring.
    assert sorted(data.frame.groupby("nodule").size()) == [1, 2, 2, 4]
    assert data.frame.index.is_unique
    assert "no independent samples" in data.spec.about


def test_nodule_too_near_to_the_edge_is_dropped_from_native_crops_and_counted(archive):
    data = Lidc(native(size=48), archive[0])
    assert len(data) == 3
    assert "1 nodules are left out" in data.spec.about
    assert len(Lidc(LidcConfig(size=48), archive[0])) == 4


@pytest.mark.parametrize(("dimensions", "shape"), [("2", (1, 32, 32)), ("2.5", (3, 32, 32)), ("3", (1, 32, 32, 32))])
def test_isotropic_crops_keep_a_nodules_place_and_size(archive, dimensions, shape):
    data = Lidc(LidcConfig(dimensions=dimensions, size=32, spacing_mm=0.5), archive[0])
    arrays = data.read(np.arange(4))
    assert arrays.inputs["pixels"].shape == arrays.inputs["mask"].shape == (4, *shape)
    masks = arrays.inputs["mask"]
    assert data.spec.inputs["pixels"].spacing_mm == (0.5,) * (3 if dimensions == "3" else 2)
    if dimensions == "3":
        np.testing.assert_allclose(masks.sum((1, 2, 3, 4)) * 0.5**3, data.frame["volume_mm3"], rtol=5e-3)
    planes = masks[:, :, 16] if dimensions == "3" else masks
    centre = np.array([np.argwhere(plane[0] > 0.5).mean(0) for plane in planes])
    np.testing.assert_allclose(centre, 15.5, atol=1.01)
    assert arrays.inputs["pixels"].min() >= PADDING_HU


@pytest.mark.parametrize("dimensions", ["2", "2.5", "3"])
def test_isotropic_crops_are_those_of_the_whole_scan(tmp_path, dimensions):
    """Only a slab of the scan is looked at for each nodule: nothing may change by it."""
    folder = tmp_path / "archive"
    scan = write_scan(folder / "scan", slices=40, rows=60, columns=64, between=1.0, seed=12)
    boxes = [((18, 21), 22, 30, 6), ((2, 4), 30, 40, 4)]
    write_xml(scan, [[Drawn(ball(range(*z), row, column, inside)) for z, row, column, inside in boxes]])
    data = Lidc(LidcConfig(dimensions=dimensions, size=20, spacing_mm=0.9), folder)
    volume = read_series(scan.folder, namespace=NAMES).canonical()
    arrays = data.read(np.arange(2)).inputs
    for z, row, column, inside in boxes:
        labels = np.zeros(volume.hu.shape, np.uint16)
        labels[z[0] : z[1], row : row + inside, column : column + inside] = 1
        mask = LesionMask(labels, volume.geometry)
        (lesion,) = find_lesions(volume, mask)
        whole = isotropic_crop(volume, mask, lesion, dimensions=dimensions, size=20, spacing_mm=0.9)
        at = int(np.argmin(np.abs(data.frame["area_mm2"] - (inside * 0.8) ** 2)))
        np.testing.assert_allclose(arrays["pixels"][at], whole.hu, atol=0.51)
        np.testing.assert_allclose(arrays["mask"][at], whole.mask, atol=0.0021)


def test_isotropic_slices_show_each_slice_centred(archive):
    data = Lidc(LidcConfig(samples="slices", size=24, spacing_mm=0.8), archive[0])
    assert sorted(data.frame.groupby("nodule").size()) == [1, 2, 2, 4]
    pair = data.frame["area_mm2"].round(3).to_numpy() == round(48 * 0.64, 3)
    masks = data.read(np.flatnonzero(pair)).inputs["mask"][:, 0]
    np.testing.assert_allclose(sorted(masks.sum((1, 2))), [36, 36, 48, 48], rtol=0.02)
    for mask in masks:
        np.testing.assert_allclose(np.argwhere(mask > 0.5).mean(0), 11.5, atol=0.6)


def test_patient_on_the_belly_gives_the_same_nodules_as_one_on_the_back(tmp_path):
    frames, arrays = [], []
    drawn = [[Drawn([(4, [(20, 30), (20, 39), (25, 39), (29, 34), (29, 30)], False), (5, square(22, 31, 6), False)])]]
    for turned in (False, True):
        folder = tmp_path / str(turned)
        scan = write_scan(folder / "scan", turned=turned, series="1.2.826.9", seed=6)
        write_xml(scan, drawn, turned=turned)
        data = Lidc(native(samples="slices"), folder)
        frames.append(data.frame)
        arrays.append(data.read(np.arange(len(data))).inputs)
    pd.testing.assert_frame_equal(*frames)
    np.testing.assert_array_equal(arrays[0]["mask"], arrays[1]["mask"])
    np.testing.assert_array_equal(arrays[0]["pixels"], arrays[1]["pixels"])
    assert arrays[0]["mask"].any()


def test_malignancy_is_a_concept_that_restates_every_target(archive):
    spec = Lidc(LidcConfig(), archive[0]).spec
    assert len(spec.concepts.names) == 9
    assert spec.concepts.disagreement
    assert all(spec.concepts.restating(target) == ("malignancy",) for target in spec.targets)
    assert spec.trivial == ("log_diameter",)
    assert "not pathology" in spec.about


CHECKS = [name for name in dir(checks) if name.startswith("dataset_") and not name.endswith("digest")]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "options",
    [{"dimensions": 2.5}, {"dimensions": 3, "size": 16}, {"crops": "native", "samples": "slices", "size": 16}],
    ids=str,
)
def test_contract_of_datasets_is_kept(archive, monkeypatch, check, options):
    monkeypatch.setattr(checks, "opened", lambda component: Lidc(LidcConfig(**options), archive[0]))
    getattr(checks, check)(Component("dataset", "ct", "lidc", "pellucid_ct.lidc.archive.dataset:Lidc"))


def test_opened_twice_it_is_the_same_data(archive):
    one, two = (Lidc(LidcConfig(size=16, cache=False), archive[0]).digest() for _ in range(2))
    assert one == two
    assert Lidc(LidcConfig(size=16, agreement=1.0), archive[0]).digest() != one


# --- reading, keeping -------------------------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """Which folders were read for their pixels."""
    seen = []
    read = cutting.read_series
    monkeypatch.setattr(cutting, "read_series", lambda folder, **given: seen.append(folder) or read(folder, **given))
    return seen


def test_frame_reads_no_pixels_and_each_scan_is_read_once(archive, reads):
    data = Lidc(native(), archive[0])
    assert not reads
    first = data.read(np.array([3, 0, 0, 2, 1]))
    assert len(reads) == len(set(reads)) == 3
    again = Lidc(native(), archive[0]).read(np.array([3, 0, 0, 2, 1]))
    assert len(reads) == 3, "kept crops are not used"
    for name in ("pixels", "mask"):
        np.testing.assert_array_equal(first.inputs[name], again.inputs[name])


def test_only_scans_that_are_asked_for_are_read(archive, reads):
    data = Lidc(native(cache=False), archive[0])
    data.read(np.array([0]))
    assert len(reads) == 1
    data.read(np.array([0]))
    assert len(reads) == 1


def test_changed_file_or_option_is_never_met_by_kept_crops(archive, reads):
    folder, (one, _, _) = archive
    Lidc(native(), folder).read(np.arange(4))
    Lidc(native(size=12), folder).read(np.arange(4))
    assert len(reads) == 6
    for file in one.folder.glob("*.dcm"):
        file.unlink()
    write_scan(one.folder, patient=one.patient, series=one.series, seed=9)
    (folder / "annotations" / "1" / "069.xml").unlink()
    fresh = write_scan(one.folder, patient=one.patient, series=one.series, seed=9)
    write_xml(fresh, [[Drawn(ball((9,), 60, 50, 4))]])
    pixels = Lidc(native(), folder).read(np.arange(3)).inputs["pixels"][:, 0]
    assert len(reads) == 7
    assert sum(located(crop, fresh.hu) is not None for crop in pixels) == 1


def test_several_scans_at_a_time_give_the_same(archive):
    one, two = (Lidc(native(cache=False, jobs=jobs), archive[0]).read(np.arange(4)) for jobs in (1, 2))
    np.testing.assert_array_equal(one.inputs["pixels"], two.inputs["pixels"])


def test_series_that_changed_after_opening_is_refused(archive):
    folder, (one, _, _) = archive
    data = Lidc(native(cache=False), folder)
    shutil.rmtree(one.folder)
    write_scan(one.folder, patient=one.patient, series=one.series, spacing=0.5)
    with pytest.raises(
        DataError, match=r"first: the series has changed since the dataset was opened: row spacing 0.8 mm against 0.5"
    ):
        data.read(np.arange(4))


# --- identity ---------------------------------------------------------------------------------------------------------


def test_nobody_is_named_in_frame_spec_or_kept_files(archive, tmp_path):
    folder, scans = archive
    data = Lidc(native(), folder)
    data.read(np.arange(4))
    told = data.frame.reset_index().to_csv() + data.spec.model_dump_json() + repr(data.spec)
    kept = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert len(kept) == 12  # of each scan: pixels, mask, table, and what says that they belong together
    everything = told.encode() + b"".join(str(file).encode() + file.read_bytes() for file in kept)
    for scan in scans:
        for secret in (scan.patient, scan.series, scan.study, *scan.sops):
            for encoding in ("ascii", "utf-16-le", "utf-32-le"):
                assert secret.encode(encoding) not in everything
    assert data.frame.index.map(lambda name: bool(re.fullmatch(r"nodule-[0-9a-f]{16}", name))).all()


# --- what cannot be used ----------------------------------------------------------------------------------------------


def _other_series(folder, scans):
    other = write_scan(folder.parent / "other", seed=8)
    write_xml(other, [[Drawn(ball((4,), 20, 20, 5))]], scans[2].folder / "069.xml")


def _xml_of_another_scan_under_this_series(folder, scans):
    other = write_scan(folder.parent / "other", seed=8)
    other.series = scans[2].series
    write_xml(other, [[Drawn(ball((4,), 20, 20, 5))]], scans[2].folder / "069.xml")


def _height_of_another_slice(folder, scans):
    path = scans[2].folder / "069.xml"
    path.write_text(path.read_text().replace("<imageZposition>-115<", "<imageZposition>-112.5<", 1))


def _height_without_an_image(folder, scans):
    path = scans[2].folder / "069.xml"
    text = re.sub("<imageSOP_UID>.*?</imageSOP_UID>", "", path.read_text())
    path.write_text(text.replace("<imageZposition>-115<", "<imageZposition>-114<", 1))


def _two_files(folder, scans):
    shutil.copy(scans[2].folder / "069.xml", folder / "copy.xml")


def _beyond(folder, scans):
    write_xml(scans[2], [[Drawn([(3, square(90, 20, 8), False)])]])


def _missing_slice(folder, scans):
    scans[2].files[5].unlink()


def _one_slice_missing_at_the_end(folder, scans):
    scans[2].files[3].unlink()
    for file in scans[2].files[4:]:
        file.unlink()


def _truncated(folder, scans):
    content = scans[2].files[5].read_bytes()
    scans[2].files[5].write_bytes(content[:200])


def _not_square(folder, scans):
    write_scan(scans[2].folder, patient="Lindqvist-2", series=scans[2].series, PixelSpacing=["0.8", "0.7"])


def _coronal(folder, scans):
    shutil.rmtree(scans[2].folder)
    scan = write_scan(scans[2].folder, patient="Lindqvist-2", ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    import pydicom

    for number, file in enumerate(scan.files):
        ds = pydicom.dcmread(file)
        ds.ImagePositionPatient = [0, 2.5 * number, 0]
        ds.save_as(file)
    write_xml(scan, [[Drawn(ball((4,), 20, 20, 5))]])


def _two_patients(folder, scans):
    write_scan(folder / "P3", patient="Lindqvist-3", series=scans[2].series, seed=3)


def _no_xml(folder, scans):
    (scans[2].folder / "069.xml").unlink()


def _bomb(folder, scans):
    (folder / "bomb.xml").write_text('<!DOCTYPE a [<!ENTITY b "b">]><LidcReadMessage/>')


BROKEN = {
    "XML of another series": (_other_series, r"P2: no annotation file names this series .*069\.xml beside it annotates another"),
    "XML names another image": (
        _xml_of_another_scan_under_this_series,
        r"069\.xml, line 25, reading session 1, nodule 1: imageSOP_UID names an image that is not in .*P2",
    ),
    "XML names another height": (
        _height_of_another_slice,
        r"imageZposition is -112.5 mm, but ImagePositionPatient \(0020,0032\) of the image .* says -115 mm",
    ),
    "height where no slice is": (_height_without_an_image, r"imageZposition is -114 mm, but .*P2 has no slice there \(nearest: -115 mm\)"),
    "two files of one series": (_two_files, r"(069|copy)\.xml and .*(069|copy)\.xml: annotate the same series"),
    "outline beyond the image": (_beyond, r"nodule 1: its outline has the pixel in row 9\d, column \d+, beyond the image of 96 x 104"),
    "missing slice": (_missing_slice, r"P2: about 1 slice is missing: by ImagePositionPatient"),
    "annotated slices missing": (_one_slice_missing_at_the_end, r"imageSOP_UID names an image that is not in .*slices are missing"),
    "truncated file": (_truncated, r"P2/\d+\.dcm: .*truncated"),
    "pixels not square": (_not_square, r"P2: PixelSpacing \(0028,0030\) is 0.8 x 0.7 mm, expected square pixels"),
    "not axial": (_coronal, "P2: its slices are not axial"),
    "no annotation": (_no_xml, "P2: no annotation file that can be used names this series"),
    "two patients": (_two_patients, r"P[23]: its series .* is here under several patients \(PatientID \(0010,0020\)\)"),
    "bomb": (_bomb, r"bomb\.xml, line 1: declares a document type"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_used_is_told_at_once_or_left_out(archive, case):
    folder, scans = archive
    spoil, said = BROKEN[case]
    (folder / "broken-too.xml").write_text("<LidcReadMessage>")
    spoil(folder, scans)
    with pytest.raises(DataError, match=said) as error:
        Lidc(LidcConfig(size=16), folder)
    told = str(error.value)
    assert "broken-too.xml, line 1: is not well-formed" in told
    assert "set broken = 'leave out'" in told
    assert not any(secret in told for scan in scans for secret in (scan.patient, scan.series, scan.study, *scan.sops))
    with pytest.warns(RuntimeWarning, match="left out, as they cannot be used"):
        data = Lidc(LidcConfig(size=16, broken="leave out"), folder)
    assert any(re.search(said, problem) for problem in data.left_out)
    whole = case == "bomb"
    assert len(data) == (4 if whole else 3)
    assert bool(re.search("(1 of the 3|2 of the 4) CT series in the folder are left out", data.spec.about)) is not whole
    assert len(data.read(np.arange(len(data))).inputs["pixels"]) == len(data)


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize(("off", "taken"), [(0.6, True), (-0.6, True), (0.65, False), (-0.65, False)])
def test_height_may_differ_by_a_quarter_of_a_slice(tmp_path, off, taken, images):
    """Heights are rounded in many headers; of slices 2.5 mm apart a quarter cannot be mistaken."""
    scan = write_scan(tmp_path / "scan")
    path = write_xml(scan, [[Drawn(ball((3, 4), 20, 30, 6))]])
    text = path.read_text().replace("<imageZposition>-112.5<", f"<imageZposition>{-112.5 + off}<")
    path.write_text(text if images else re.sub("<imageSOP_UID>.*?</imageSOP_UID>", "", text))
    if taken:
        assert Lidc(LidcConfig(size=16), tmp_path).frame["volume_mm3"].tolist() == pytest.approx([72 * 0.64 * 2.5])
    else:
        with pytest.raises(DataError, match="nodule 1: imageZposition is -11"):
            Lidc(LidcConfig(size=16), tmp_path)


def test_annotations_of_series_that_are_not_there_are_passed_over(archive):
    folder, (one, two, _) = archive
    for scan in (one, two):
        shutil.rmtree(scan.folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = Lidc(LidcConfig(size=16), folder)
    assert len(data) == 1
    assert not data.left_out


def test_folder_without_ct_or_without_nodules_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no CT series here \(no DICOM file at all\)"):
        Lidc(data=tmp_path / "empty")
    write_scan(tmp_path / "radiograph", slices=2, Modality="DX")
    with pytest.raises(DataError, match=r"radiograph: no CT series here \(1 of kind DX\)"):
        Lidc(data=tmp_path / "radiograph")
    scan = write_scan(tmp_path / "healthy")
    write_xml(scan, [[], [Drawn([(2, [(3, 3)], False)], SMALL)]])
    with pytest.raises(DataError, match="no reader drew a nodule of 3 mm or more on any of its 1 CT series"):
        Lidc(data=tmp_path / "healthy")
    with pytest.raises(DataError, match="name it with --data DIR"):
        Lidc()


@pytest.mark.parametrize(
    "options", [{"samples": "slices", "dimensions": "3"}, {"crops": "native", "dimensions": "2.5"}, {"dimensions": "4"}]
)
def test_options_that_do_not_fit_each_other_are_refused(options):
    with pytest.raises(ValidationError, match="dimensions"):
        LidcConfig(**options)


def test_dimensions_may_be_written_as_numbers():
    assert [LidcConfig(dimensions=value).dimensions for value in (2, 2.5, 3, "3")] == ["2", "2.5", "3", "3"]
