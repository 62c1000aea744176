"""Whatever became of a file, opening the data gives windows or one error of ours, which quotes no free words."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from test_database_muse import made as muse_file
from written_trees import NAMES, bids_tree, tree_of_events, tusz_tree

from pellucid.errors import DataError
from pellucid_eeg.databases.bids import BidsEeg, BidsEegConfig
from pellucid_eeg.databases.folder import EegFolder, EegFolderConfig
from pellucid_eeg.databases.muse import MuseN170, MuseN170Config
from pellucid_eeg.databases.tuh import Tuh, TuhConfig
from pellucid_eeg.preparing.record import Preparation

TAPPING = {"rest": "rest", "tapping": "tapping"}
PREPARED = Preparation(electrodes=NAMES, high_pass_hz=1.0, rate_hz=32)
GROUPS = {
    "labels": "participants",
    "column": "group",
    "classes": {"control": "a", "patient": "b"},
    "covariates": ("age",),
}


def folder(root: Path) -> EegFolder:
    return EegFolder(EegFolderConfig(classes=TAPPING, preparation=PREPARED, cache=False), root)


def bids(root: Path, **options: object) -> BidsEeg:
    return BidsEeg(BidsEegConfig(**{"classes": TAPPING, "cache": False, **options}), root)


def tuh(root: Path) -> Tuh:
    return Tuh(TuhConfig(labels="seizure", preparation=PREPARED, cache=False), root)


KINDS = {
    "eeg-folder": (lambda root: tree_of_events(root, 1, 20.0), folder),
    "bids-eeg": (lambda root: bids_tree(root, ("1", "2"), 20.0), bids),
    "bids-eeg, groups": (lambda root: bids_tree(root, ("1", "2"), 20.0), lambda root: bids(root, **GROUPS)),
    "tuh-eeg": (lambda root: tusz_tree(root, 1), tuh),
    "tuh-eeg, tse": (lambda root: tusz_tree(root, 1, ".tse"), tuh),
    "muse-n170": (lambda root: muse_file(root, count=600), lambda root: MuseN170(MuseN170Config(cache=False), root)),
}
TRIALS = 40


def damaged(content: bytes, rng: np.random.Generator, table: bool) -> bytes:
    """Cut, overwritten, doubled or with a cell replaced; mostly where a head or table stands."""
    way = rng.integers(5)
    at = int(rng.integers(len(content) if way == 0 or table else min(len(content), 3000)))
    if way == 0:
        return content[:at]
    if way == 1:
        return content[:at] + bytes(rng.integers(0, 256, int(rng.integers(1, 9)), np.uint8)) + content[at + 4 :]
    if way == 2:
        return content[:at] + content[at // 2 :]
    words = [b"nan", b"-1", b"1e999", b"\t", b"n/a", b"", b"\xff\xfe", b"9" * 30, b"\n\n", b'"', b"{", b",,"]
    return content[:at] + words[int(rng.integers(len(words)))] + content[at + int(rng.integers(6)) :]


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_give_windows_or_an_error_of_ours(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))
    write, opened = KINDS[name]
    whole = tmp_path / "whole"
    write(whole)
    files = [path.relative_to(whole) for path in sorted(whole.rglob("*")) if path.is_file()]
    assert len(opened(whole))
    refused = 0
    for trial in range(TRIALS):
        rng = np.random.default_rng([trial, len(name)])
        root = tmp_path / f"trial{trial}"
        shutil.copytree(whole, root)
        victim = root / files[int(rng.integers(len(files)))]
        table = victim.suffix not in (".edf", ".gz")
        victim.write_bytes(damaged(victim.read_bytes(), rng, table))
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                data = opened(root)
            except DataError:
                refused += 1
            else:
                assert np.isfinite(data.read(np.arange(len(data))).inputs["eeg"]).all()
        shutil.rmtree(root)
    assert refused > TRIALS // 10
    assert not list(Path(tmp_path).glob("cache/*"))
