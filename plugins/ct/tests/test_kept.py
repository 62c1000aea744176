"""Crops that are kept come back as they were made, whatever happened to the folder in between."""

from __future__ import annotations

import os
import resource

import numpy as np
import pandas as pd
import pytest

from pellucid.store.rows import Rows
from pellucid_ct.scans.kept import Crops, kept, key_of


def crops(seed: int = 0) -> Crops:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"a": rng.normal(size=3)}, index=pd.Index(["x", "y", "z"], name="lesion_id"))
    return Crops.of(rng.normal(0, 500, (3, 1, 4, 5)), rng.random((3, 1, 4, 5)), table)


def same(one: Crops, other: Crops) -> bool:
    rows = np.array([2, 0, 1])
    return (
        np.array_equal(one.pixels[rows], other.pixels[rows])
        and np.array_equal(one.mask[rows], other.mask[rows])
        and one.table.equals(other.table)
    )


def test_what_is_kept_comes_back_row_by_row(tmp_path):
    made = crops()
    first = kept("k", lambda: made, tmp_path)
    again = kept("k", lambda: pytest.fail("made again"), tmp_path)
    assert isinstance(again.pixels, Rows)
    assert again.pixels.shape == (3, 1, 4, 5)
    assert len(again.mask) == 3
    assert same(made, first)
    assert same(made, again)
    assert np.array_equal(again.pixels[1], made.pixels[1])


def test_numbers_are_rounded_and_stay_in_bounds():
    made = Crops.of(np.array([[1.6, -1e9, 1e9]]), np.array([[0.5, -1.0, 2.0]]), pd.DataFrame({"a": [0]}))
    assert np.asarray(made.pixels).tolist() == [[2, -32768, 32767]]
    assert np.asarray(made.mask).tolist() == [[128, 0, 255]]


@pytest.mark.parametrize("spoil", ["pixels.npy", "mask.npy", "table.parquet", "rows", "kind", "order", "version"])
def test_what_is_damaged_is_made_again(tmp_path, spoil):
    kept("k", crops, tmp_path)
    place = tmp_path / "ct-crops-k"
    if spoil == "rows":
        np.save(place / "pixels.npy", np.zeros((2, 1, 4, 5), np.int16))
        np.save(place / "mask.npy", np.zeros((2, 1, 4, 5), np.uint8))
    elif spoil == "kind":
        np.save(place / "pixels.npy", np.zeros((3, 1, 4, 5), np.float32))
    elif spoil == "order":
        np.save(place / "pixels.npy", np.asfortranarray(np.zeros((3, 1, 4, 5), np.int16)))
    elif spoil == "version":
        with (place / "pixels.npy").open("wb") as file:
            np.lib.format.write_array(file, np.zeros((3, 1, 4, 5), np.int16), version=(2, 0))
    else:
        path = place / spoil
        path.write_bytes(path.read_bytes()[:-7])
    assert same(kept("k", lambda: crops(1), tmp_path), crops(1))
    assert same(kept("k", lambda: pytest.fail("made again"), tmp_path), crops(1))


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        made = kept("k", crops, tmp_path)
    assert same(made, crops())
    assert list(tmp_path.iterdir()) == []


def test_more_scans_are_kept_than_files_may_be_open(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    here = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (here + 20, hard))
    try:
        held = [kept(str(number), crops, tmp_path) for number in range(40)]
        assert all(same(one, crops()) for one in held)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_key_changes_with_files_options_and_salt(tmp_path):
    file = tmp_path / "a"
    file.write_text("1")
    key = key_of([file], {"size": 1}, str)
    assert key == key_of([file], {"size": 1}, str)
    assert key != key_of([file], {"size": 2}, str)
    assert key != key_of([file], {"size": 1}, lambda name: name + "salt")
    os.utime(file, ns=(1, 1))
    assert key != key_of([file], {"size": 1}, str)
