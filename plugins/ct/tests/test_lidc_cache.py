from __future__ import annotations

import hashlib
import re
import zipfile

import numpy as np
import pytest

from pellucid_ct.lidc.shapes import cache as module
from pellucid_ct.lidc.shapes.cache import load_nodules
from pellucid_ct.lidc.shapes.table import Framing


def digest(salt):
    return lambda name: hashlib.blake2b(name.encode(), key=salt, digest_size=8).hexdigest()


@pytest.fixture
def two_patients(sketch):
    for patient in ("Okonkwo, Ada", "Lindqvist, Bo"):
        sketch.square(sketch.annotation(sketch.scan(patient)), 4.0, 10, 20, 5)
    return sketch


@pytest.fixture
def built(monkeypatch):
    """How often a table was built."""
    count = []
    build = module.build_nodules
    monkeypatch.setattr(module, "build_nodules", lambda *given: count.append(1) or build(*given))
    return count


def load(sketch, folder, salt=b"one", **drawing):
    return load_nodules(sketch.path, Framing(**drawing), pseudonym=digest(salt), cache=folder)


def test_second_load_is_the_first_without_building(two_patients, tmp_path, built):
    folder = tmp_path / "cache"
    first, second = load(two_patients, folder), load(two_patients, folder)
    assert len(built) == 1
    assert second.table.equals(first.table)
    assert second.table.index.equals(first.table.index)
    np.testing.assert_array_equal(second.shapes, first.shapes)
    assert second.shapes.dtype == first.shapes.dtype


def test_no_patient_is_named_in_table_or_file(two_patients, tmp_path):
    folder = tmp_path / "cache"
    nodules = load(two_patients, folder)
    assert "patient" not in nodules.table
    assert nodules.table["subject"].tolist() == [digest(b"one")("Okonkwo, Ada"), digest(b"one")("Lindqvist, Bo")]
    (file,) = folder.iterdir()
    with zipfile.ZipFile(file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    for name in ("Okonkwo", "Lindqvist"):
        assert name.encode() not in content
        assert name.encode("utf-32-le") not in content
    assert digest(b"one")("Lindqvist, Bo").encode("utf-32-le") in content


def test_ids_and_scans_are_digests_of_one_salt_and_no_row_numbers(two_patients, tmp_path):
    folder = tmp_path / "cache"
    one, again, two = (load(two_patients, folder, salt).table for salt in (b"one", b"one", b"two"))
    for table in (one, two):
        assert table.index.is_unique
        assert table.index.name == "nodule"
        assert all(re.fullmatch(r"nodule-[0-9a-f]{16}", name) for name in table.index)
        assert all(re.fullmatch(r"scan-[0-9a-f]{16}", name) for name in table["scan"])
    assert list(one.index) == list(again.index)
    assert one.index[0] == f"nodule-{digest(b'one')('lidc-0001-0001')}"
    assert not set(one.index) & set(two.index)
    assert not set(one["scan"]) & set(two["scan"])
    assert not {name.partition("-")[2] for name in one.index} & set(one["subject"])


def test_table_kept_with_row_numbers_by_an_earlier_version_is_not_read(two_patients, tmp_path, built, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", 1)
    load(two_patients, tmp_path / "cache")
    monkeypatch.undo()
    load(two_patients, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_other_salt_drawing_or_database_never_meets_a_kept_file(two_patients, tmp_path, built):
    folder = tmp_path / "cache"
    load(two_patients, folder)
    assert load(two_patients, folder, salt=b"two").table["subject"].iloc[0] == digest(b"two")("Okonkwo, Ada")
    assert load(two_patients, folder, size=16).shapes.shape == (2, 16, 16)
    assert load(two_patients, folder, scale="normalised").shapes.sum() > 100
    two_patients.square(two_patients.annotation(two_patients.scan("P-3")), 4.0, 10, 20, 9)
    assert len(load(two_patients, folder).table) == 3
    assert len(built) == 5
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other", "longer shapes", "longer column"])
def test_damaged_file_is_built_again(two_patients, tmp_path, built, damage):
    folder = tmp_path / "cache"
    first = load(two_patients, folder)
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        with zipfile.ZipFile(file) as archive:
            at = archive.getinfo("shapes.npy").header_offset + 60
        content[at : at + 40] = bytes(40)
    file.write_bytes(
        {"cut": content[: len(content) // 2], "emptied": b"", "other": b"not a cache"}.get(damage, content)
    )
    if damage.startswith("longer"):
        shapes, subjects = (5, 1) if damage == "longer shapes" else (1, 5)
        np.savez(file, shapes=np.zeros((shapes, 2, 2)), nodule=np.array(["a"]), **{"column:subject": ["b"] * subjects})
    again = load(two_patients, folder)
    assert len(built) == 2
    assert again.table.equals(first.table)
    load(two_patients, folder)
    assert len(built) == 2, "the damaged file was replaced"


def test_nothing_half_written_stays_behind(two_patients, tmp_path, monkeypatch):
    folder = tmp_path / "cache"

    def full(stream, **arrays):
        stream.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.np, "savez_compressed", full)
    with pytest.warns(RuntimeWarning, match="was not kept .*no space left"):
        nodules = load(two_patients, folder)
    assert len(nodules.table) == 2
    assert list(folder.iterdir()) == []


def test_folder_that_cannot_be_made_costs_a_warning_only(two_patients, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(RuntimeWarning, match="was not kept"):
        assert len(load(two_patients, tmp_path / "file" / "cache").table) == 2


def test_without_a_folder_nothing_is_kept(two_patients, tmp_path, built):
    for _ in range(2):
        load_nodules(two_patients.path, pseudonym=digest(b"one"))
    assert len(built) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["sketch.sqlite"]


def test_cached_images_and_volumes_differ_in_type_and_survive(two_patients, tmp_path):
    for dimensions, kind in ((2, np.float32), (3, np.uint8)):
        for _ in range(2):
            nodules = load(two_patients, tmp_path / "cache", dimensions=dimensions, size=16)
            assert nodules.shapes.dtype == kind
            assert nodules.shapes.shape == (2,) + (16,) * dimensions
