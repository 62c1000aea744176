"""What was found out about structures is kept between runs, made by several processes, and made again where it is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid_molecules.featurising import store
from pellucid_molecules.featurising.store import Fingerprints, Keeping, descriptors, structures
from pellucid_molecules.tables.example import molecules

TEXTS = [text for text, _, _ in molecules()] + ["not SMILES", "[Na+].[Cl-]"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path))


def opened(texts=TEXTS, salts="keep", **options):
    return structures(texts, "smiles", salts, Keeping(**options))


def same(one, other):
    at = np.arange(len(one.table))
    first, second = one.graphs(at), other.graphs(at)
    return one.table.equals(other.table) and all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("nodes", "edges", "node_counts", "edge_counts", "edge_values")
    )


def test_a_second_opening_looks_at_no_structure(monkeypatch):
    first = opened()
    monkeypatch.setattr(store, "examined", None)
    assert same(first, opened())
    with pytest.raises(TypeError):
        opened(TEXTS[:-1])
    with pytest.raises(TypeError):
        opened(salts="largest")
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    with pytest.raises(TypeError):
        opened()


def test_what_is_not_to_be_kept_leaves_nothing(tmp_path):
    assert same(opened(), opened(cache=False))
    before = sorted(tmp_path.rglob("*"))
    opened(TEXTS[:9], cache=False)
    assert sorted(tmp_path.rglob("*")) == before


def test_damage_is_said_and_mended(tmp_path):
    first = opened()
    (table,) = tmp_path.glob("molecules-graphs-*/table.parquet")
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    with pytest.warns(UserWarning, match="cannot be used .* made again"):
        assert same(first, opened())


def test_several_processes_find_the_same(monkeypatch):
    monkeypatch.setattr(store, "AT_ONCE", 10)
    smiles = TEXTS[:-2]
    assert same(opened(cache=False), opened(jobs=2, cache=False))
    at = np.arange(len(smiles))
    one, two = (Fingerprints("morgan", smiles, 256, Keeping(jobs=jobs, cache=False)).read(at) for jobs in (1, 2))
    assert np.array_equal(one, two)
    assert one.sum() > 10 * len(smiles)


def test_fingerprints_and_descriptors_are_kept_too(monkeypatch):
    smiles = TEXTS[:-2]
    counts, values = (
        Fingerprints("morgan", smiles, 128, Keeping()).read(np.array([5, 0])),
        descriptors(smiles, Keeping()),
    )
    monkeypatch.setattr(store, "molecule_of", None)
    assert np.array_equal(Fingerprints("morgan", smiles, 128, Keeping()).read(np.array([5, 0])), counts)
    assert np.array_equal(descriptors(smiles, Keeping()), values, equal_nan=True)
    with pytest.raises(TypeError):
        Fingerprints("morgan", smiles, 64, Keeping())
