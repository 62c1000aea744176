"""Crystals of one's own: files and labels that belong together, faults by file and line, and structures from memory."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from pellucid.errors import DataError
from pellucid_molecules.crystals.core_mof import CoreMof, CoreMofConfig
from pellucid_molecules.crystals.crystal import Crystal
from pellucid_molecules.crystals.folder import CifFolder, CifFolderConfig
from pellucid_molecules.crystals.frameworks import made_up


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "crystals"
    place.mkdir()
    rows = ["file,cavity,kind"]
    for at in range(8):
        text = made_up(at)[0]
        (place / f"m{at}.cif").write_text(text)
        rows.append(f"m{7 - at},{made_up(7 - at)[1]:.4f},{'ab'[at % 2]}")
    (place / "labels.csv").write_text("\n".join(rows) + "\n")
    return place


def labelled(folder, **options):
    return CifFolder(
        CifFolderConfig(**{"table": "labels.csv", "targets": ("cavity",), "units": {"cavity": "angstrom"}} | options),
        folder,
    )


def test_labels_stand_beside_the_structure_that_the_table_names(folder):
    data = labelled(folder)
    assert list(data.frame.index) == [f"m{at}" for at in range(7, -1, -1)]
    cells = data.read(np.arange(8)).inputs["cell"]
    for at in range(8):
        edge = float(made_up(7 - at)[0].split("_cell_length_a ")[1].split()[0])
        assert cells[at, 0] == pytest.approx(edge, abs=1e-3)
        assert data.frame["cavity"].iloc[at] == pytest.approx(made_up(7 - at)[1], abs=1e-3)
    assert data.spec.targets["cavity"].units == ("angstrom",)


def test_without_a_table_every_file_is_a_sample(folder):
    data = CifFolder(CifFolderConfig(), folder)
    assert list(data.frame.index) == [f"m{at}" for at in range(8)]
    assert data.spec.targets == {}


def test_who_is_of_one_framework_can_be_said(folder):
    assert set(labelled(folder, framework="kind").frame["framework"]) == {"a", "b"}


def test_a_structure_that_cannot_be_used_is_refused_by_file_and_line_or_left_out(folder):
    text = made_up(3)[0]
    lines = len(text.splitlines())
    (folder / "m3.cif").write_text(text + "C9 C 0.5 0.5 0.5 0.25\n")
    with pytest.raises(
        DataError, match=rf"1 of 8 structures cannot be used\. The first is m3\.cif, line {lines + 1}: an atom with occ"
    ):
        labelled(folder)
    data = labelled(folder, skip_broken=True)
    assert len(data) == 7
    assert "m3" not in data.frame.index
    assert data.frame["cavity"].loc["m2"] == pytest.approx(made_up(2)[1], abs=1e-3)
    edge = float(made_up(2)[0].split("_cell_length_a ")[1].split()[0])
    at = list(data.frame.index).index("m2")
    assert data.read(np.array([at])).inputs["cell"][0, 0] == pytest.approx(edge, abs=1e-3)
    (finding,) = data.findings
    assert finding.sample == "m3"
    assert "occupancy 0.25" in finding.where


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("m9,1,a", r"line 10, column 'file': there is no file m9\.cif"),
        ("m4,1,a", r"line 10, column 'file': m4 stands in line 5 too"),
    ],
)
def test_a_table_that_does_not_fit_the_files_is_refused_by_line(folder, row, said):
    with (folder / "labels.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(DataError, match=said):
        labelled(folder)


def test_a_folder_without_structures_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no file that ends in \.cif"):
        CifFolder(CifFolderConfig(), tmp_path)
    with pytest.raises(DataError, match="--data"):
        CifFolder(CifFolderConfig())


def test_structures_of_pymatgen_are_those_of_their_files(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structures = [Structure.from_file(folder / f"m{at}.cif") for at in (2, 5)]
    files = CifFolder(CifFolderConfig(), folder)
    given = CoreMof.of_objects(structures, CoreMofConfig())
    paths = CoreMof.of_objects([folder / "m2.cif", str(folder / "m5.cif")], CoreMofConfig())
    for at, row in enumerate((2, 5)):
        wanted = files[row].inputs
        for found in (given[at].inputs, paths[at].inputs):
            for name in ("composition", "pores", "cell"):
                np.testing.assert_allclose(found[name], wanted[name], atol=1e-3)
            assert len(found["crystal"].edges) == len(wanted["crystal"].edges)
    assert given.frame["framework"].tolist() == ["given-1", "given-2"]


def test_objects_that_are_no_crystals_are_refused_by_number(folder):
    disordered = Structure(Lattice.cubic(5), [{"Zn": 0.5, "Cu": 0.5}], [[0, 0, 0]])
    with pytest.raises(DataError, match=r"crystal 2 of 2: site 1 is filled in part"):
        CifFolder.of_objects([folder / "m1.cif", disordered], CifFolderConfig())
    with pytest.raises(DataError, match="crystal 1 of 1 is a dict"):
        CifFolder.of_objects({}, CifFolderConfig())
    near = Structure(Lattice.cubic(5), ["Zn", "O"], [[0, 0, 0], [0, 0, 0.02]])
    with pytest.raises(DataError, match=r"atoms 1 and 2 overlap, 0\.10 angstrom apart"):
        CifFolder.of_objects(near, CifFolderConfig())


@pytest.mark.parametrize(
    ("edges", "places", "said"),
    [
        ((9.0, 9.0, 1e-6), 0.0, "crystal 2 of 2: the cell has opposite faces 1e-06 angstrom apart"),
        ((9.0, 9.0, 5e5), 0.0, "crystal 2 of 2: the cell has an edge of 500000 angstrom"),
        ((9.0, 9.0, np.nan), 0.0, "crystal 2 of 2: an edge of the cell is no number"),
        ((9.0, 9.0, 9.0), np.nan, "crystal 2 of 2: the place of atom 1 is no number"),
    ],
)
@pytest.mark.parametrize("kind", ["pymatgen", "own"])
def test_structures_from_memory_have_the_bounds_of_those_of_files(edges, places, said, kind):
    made = {
        "pymatgen": lambda cell, fractions: Structure(Lattice(cell), ["Si"], fractions),
        "own": lambda cell, fractions: Crystal(np.array([14]), fractions, cell),
    }[kind]
    good = made(9.0 * np.eye(3), np.zeros((1, 3)))
    with pytest.raises(DataError, match=said):
        CifFolder.of_objects([good, made(np.diag(edges), np.full((1, 3), places))], CifFolderConfig())


def test_structures_from_memory_have_no_more_atoms_than_those_of_files():
    many = Crystal(np.full(100_001, 6), np.zeros((100_001, 3)), 500.0 * np.eye(3))
    with pytest.raises(DataError, match="crystal 1 of 1: has 100,001 atoms in a cell, more than 100,000"):
        CifFolder.of_objects(many, CifFolderConfig())
