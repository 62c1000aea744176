"""The prepared store gives back what was written to it, whatever happens in between, and never half of it."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_stores import SAMPLES, holds, make_slowly, values

from pellucid.errors import DataError, RunError
from pellucid.files import sha256
from pellucid.store import prepared as module
from pellucid.store import preparing
from pellucid.store.prepared import Preparing, made_from, prepared
from pellucid.store.rows import Rows


def one_by_one(seed: int = 0):
    signals, masks, table = values(seed)

    def make(store: Preparing) -> pd.DataFrame:
        for signal, mask in zip(signals, masks, strict=True):
            store.add(signal=signal, mask=mask)
        store.notes["left out"] = ["s9"]
        return table

    return make


def never(store: Preparing) -> pd.DataFrame:
    pytest.fail("made again")


def test_samples_written_one_by_one_come_back_in_the_order_asked_for(tmp_path):
    first = prepared(tmp_path / "store", "k", one_by_one())
    again = prepared(tmp_path / "store", "k", never)
    assert holds(first)
    assert holds(again)
    assert len(again) == SAMPLES
    assert again.notes == {"left out": ["s9"]}
    assert list(again.read(np.array([1]), ["mask"])) == ["mask"]
    assert [path.name for path in tmp_path.iterdir()] == ["store-k"]
    again.verify()


def test_several_samples_at_once_are_the_same_as_one_by_one(tmp_path):
    signals, masks, table = values()

    def make(store: Preparing) -> pd.DataFrame:
        store.extend(signal=signals[:3], mask=masks[:3])
        store.extend(signal=np.asfortranarray(signals[3:]), mask=masks[3:])
        return table

    assert holds(prepared(tmp_path / "store", "k", make))


def test_rows_are_those_of_numpy(tmp_path):
    array = np.arange(60).reshape(12, 5).astype(">i2")
    np.save(tmp_path / "a.npy", array)
    rows = Rows(tmp_path / "a.npy")
    for index in (
        3,
        -1,
        slice(2, 9, 3),
        slice(0, 9, 2),
        np.array([], int),
        np.array([5, 6, 7, 0, 0, 1, -2]),
        np.arange(12) % 3 == 0,
    ):
        assert np.array_equal(rows[index], array[index])
    assert rows[np.arange(4)].dtype == array.dtype
    for index in (12, -13, np.array([0, 12]), np.array([0, -13])):
        with pytest.raises(IndexError, match=r"of 12 in a\.npy"):
            rows[index]


def test_the_arrays_are_files_that_numpy_maps(tmp_path):
    store = prepared(tmp_path / "store", "k", one_by_one())
    assert np.array_equal(np.load(store.arrays["signal"].path, mmap_mode="r"), values()[0])


def test_a_store_is_sent_to_another_process_by_its_place(tmp_path):
    store = prepared(tmp_path / "store", "k", one_by_one())
    store.read(np.arange(3))
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    assert holds(pickle.loads(sent))


def test_a_read_sample_is_the_readers_own(tmp_path):
    store = prepared(tmp_path / "store", "k", one_by_one())
    read = store.read(np.array([3]))["signal"]
    read[:] = 0
    assert holds(store)


@pytest.mark.parametrize("spoil", ["signal.npy", "mask.npy", "table.parquet", "prepared.json"])
@pytest.mark.parametrize("how", ["cut", "removed", "emptied"])
def test_what_is_damaged_is_made_again(tmp_path, spoil, how):
    prepared(tmp_path / "store", "k", one_by_one())
    path = tmp_path / "store-k" / spoil
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3] if how == "cut" else b"")
    with pytest.warns(UserWarning, match="store-k cannot be used"):
        assert holds(prepared(tmp_path / "store", "k", one_by_one(1)), seed=1)
    assert holds(prepared(tmp_path / "store", "k", never), seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["store-k"]


def test_another_array_table_or_format_in_its_place_is_not_taken_for_it(tmp_path):
    place = tmp_path / "store-k"

    def other_array() -> None:
        np.save(place / "signal.npy", np.zeros((SAMPLES, 5, 2), np.float32))

    def other_table() -> None:
        values(3)[2].to_parquet(place / "table.parquet")

    def other_format() -> None:
        said = json.loads((place / "prepared.json").read_text())
        (place / "prepared.json").write_text(json.dumps({**said, "format": 0}))

    def a_list() -> None:
        (place / "prepared.json").write_text("[]")

    def a_file() -> None:
        module.shutil.rmtree(place)
        place.write_text("a file where the folder should be")

    prepared(tmp_path / "store", "k", one_by_one())
    for seed, spoil in enumerate((other_array, other_table, other_format, a_list, a_file), 1):
        spoil()
        with pytest.warns(UserWarning, match="store-k cannot be used"):
            assert holds(prepared(tmp_path / "store", "k", one_by_one(seed)), seed), spoil.__name__


@pytest.mark.parametrize("name", ["signal", "mask"])
@pytest.mark.parametrize("at", [-1, 150], ids=["last byte", "a byte within"])
def test_one_bit_that_the_disk_lost_is_noticed_said_and_made_again_from_the_source(tmp_path, monkeypatch, name, at):
    store = prepared(tmp_path / "store", "k", one_by_one())
    path = store.arrays[name].path
    status, content = path.stat(), bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    monkeypatch.setattr(module, "_verified", set())  # as in a new process
    with pytest.warns(
        UserWarning, match=rf"store-k cannot be used \({name}\.npy is not what was written\); it is made"
    ):
        again = prepared(tmp_path / "store", "k", one_by_one())
    assert holds(again)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert holds(prepared(tmp_path / "store", "k", never))
        prepared(tmp_path / "store", "other", one_by_one())  # where nothing was, nothing is damaged


def test_a_store_is_read_through_once_in_a_process_unless_its_files_change(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_verified", set())
    read = []
    monkeypatch.setattr(module, "sha256", lambda path: (read.append(path.name), sha256(path))[1])
    prepared(tmp_path / "store", "k", one_by_one())
    for _ in range(3):
        read.clear()
        prepared(tmp_path / "store", "k", never)
        assert read == ["table.parquet"]
    os.utime(tmp_path / "store-k" / "mask.npy", ns=(1, 1))
    prepared(tmp_path / "store", "k", never)
    assert read == ["table.parquet", "table.parquet", "mask.npy"]


def test_a_maker_that_fails_leaves_nothing(tmp_path):
    def fails(store: Preparing) -> pd.DataFrame:
        store.add(signal=np.zeros(3))
        raise DataError("record 2 is broken")

    with pytest.raises(DataError, match="record 2"):
        prepared(tmp_path / "store", "k", fails)
    assert list(tmp_path.iterdir()) == []
    assert holds(prepared(tmp_path / "store", "k", one_by_one()))


def test_samples_that_do_not_fit_each_other_are_refused(tmp_path):
    good = {"signal": np.zeros((2, 3), np.float32), "mask": np.ones((2, 3), bool)}

    def tried(*samples: dict, rows: int = 2) -> str:
        def make(store: Preparing) -> pd.DataFrame:
            for sample in samples:
                store.add(**sample)
            return pd.DataFrame({"a": range(rows)})

        with pytest.raises(DataError) as caught:
            prepared(tmp_path / "store", "k", make)
        assert list(tmp_path.iterdir()) == []
        return str(caught.value)

    assert "shape (3, 2)" in tried(good, {**good, "signal": np.zeros((3, 2), np.float32)})
    assert "float64" in tried(good, {**good, "signal": np.zeros((2, 3))})
    assert "['signal']" in tried(good, {"signal": good["signal"]})
    assert "the table has 3 rows" in tried(good, good, rows=3)
    assert "object" in tried({"signal": np.array([None, 1])})
    assert "cannot name an array" in tried({"../signal": np.zeros(2)})

    def unequal(store: Preparing) -> pd.DataFrame:
        store.extend(signal=np.zeros((3, 2)), mask=np.zeros((2, 2)))
        return pd.DataFrame({"a": range(3)})

    with pytest.raises(DataError, match="3 of signal, 2 of mask"):
        prepared(tmp_path / "store", "k", unequal)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_error_that_says_what_to_do(tmp_path, monkeypatch):
    class Full:
        def __init__(self, *_: object) -> None:
            self.count = 0

        def extend(self, _: object) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    monkeypatch.setattr(preparing, "RowsWriter", Full)
    with pytest.raises(RunError, match="no space left on the disk"):
        prepared(tmp_path / "store", "k", one_by_one())
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_when_the_file_is_closed_leaves_nothing(tmp_path, monkeypatch):
    opening = Path.open

    class Full(io.BufferedWriter):
        def close(self) -> None:
            io.BufferedWriter.close(self)
            raise OSError(28, "No space left on device")

        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    def full(path, mode="r", *rest, **options):
        if path.suffix == ".npy" and mode == "wb":
            file = opening(path, mode, *rest, **options)
            file.write(b"")
            return Full(file.detach())
        return opening(path, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(RunError, match="no space left on the disk"):
        prepared(tmp_path / "store", "k", one_by_one())
    assert list(tmp_path.iterdir()) == []


def test_notes_that_were_changed_are_made_again(tmp_path):
    prepared(tmp_path / "store", "k", one_by_one())
    path = tmp_path / "store-k" / "prepared.json"
    for content in (path.read_text().replace('"notes": {', '"notes": {"more": 1,'), "[" * 100_000):
        path.write_text(content)
        with pytest.warns(UserWarning, match="store-k cannot be used"):
            assert holds(prepared(tmp_path / "store", "k", one_by_one(1)), seed=1)


def test_facts_are_the_same_in_any_order(tmp_path):
    prepared(tmp_path / "store", "k", one_by_one())
    path = tmp_path / "store-k" / "prepared.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(said.items()))))
    assert holds(prepared(tmp_path / "store", "k", never))
    assert made_from({"rate": 100, "leads": 12}) == made_from({"leads": 12, "rate": 100}) != made_from({"rate": 100})


def test_a_place_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="PELLUCID_CACHE"):
        prepared(tmp_path / "file" / "store", "k", one_by_one())


def test_a_file_that_becomes_shorter_is_an_error_and_not_the_end_of_the_process(tmp_path):
    store = prepared(tmp_path / "store", "k", one_by_one())
    store.read(np.arange(3))
    path = store.arrays["signal"].path
    os.truncate(path, path.stat().st_size - 5)
    for read in (lambda: store.read(np.array([SAMPLES - 1])), lambda: store.arrays["signal"][SAMPLES - 1]):
        with pytest.raises(DataError, match="became shorter"):
            read()
    path.unlink()
    for read in (lambda: store.read(np.array([0])), lambda: store.arrays["signal"][0]):
        with pytest.raises(DataError, match="cannot be read"):
            read()


@pytest.mark.parametrize("there", ["nothing", "damaged"])
def test_processes_that_make_the_same_store_at_once_all_read_a_whole_one(tmp_path, there):
    if there == "damaged":
        prepared(tmp_path / "store", "k", one_by_one(1))
        (tmp_path / "store-k" / "mask.npy").write_bytes(b"")
    # Not forked: a fork takes the locks of other libraries' threads along, and none of the threads that would open them.
    context = multiprocessing.get_context("spawn")
    together, results = context.Barrier(3), context.Queue()
    workers = [context.Process(target=make_slowly, args=(tmp_path / "store", together, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=120) for _ in workers] == [True] * 3
    for worker in workers:
        worker.join(30)
    assert [path.name for path in tmp_path.iterdir()] == ["store-k"]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path):
    old, young = tmp_path / ".store-k.old", tmp_path / ".store-k.young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "signal.npy").write_bytes(b"half")
    for path in (old / "signal.npy", old):
        os.utime(path, (1, 1))
    os.utime(young, (1, 1))
    prepared(tmp_path / "store", "k", one_by_one())
    assert sorted(path.name for path in tmp_path.iterdir()) == [".store-k.young", "store-k"]


def test_a_key_changes_with_facts_and_files(tmp_path):
    file = tmp_path / "a"
    file.write_text("1")
    key = made_from({"rate": 100}, [file])
    assert key == made_from({"rate": 100}, [file])
    assert key != made_from({"rate": 500}, [file])
    assert key != made_from({"rate": 100})
    os.utime(file, ns=(1, 1))
    assert key != made_from({"rate": 100}, [file])
    os.utime(file, ns=(2, 2))
    (tmp_path / "b").write_text("1")
    os.utime(tmp_path / "b", ns=(2, 2))
    assert made_from({}, [file]) != made_from({}, [tmp_path / "b"])
