"""Crystals: read as pymatgen reads them, with neighbours and pores that can be worked out by hand, and faults by file and line."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid_molecules.crystals.cif import crystal_of, read_cif
from pellucid_molecules.crystals.crystal import Crystal, cell_of
from pellucid_molecules.crystals.descriptors import (
    composition,
    composition_input,
    metal_neighbours,
    pore_numbers,
    pores_input,
)
from pellucid_molecules.crystals.elements import MASSES, NUMBERS, RADII_ANGSTROM, SYMBOLS
from pellucid_molecules.crystals.images import closest_pair, neighbours
from pellucid_molecules.crystals.pores import comes_through, free_path_radius, grid_shape, pores, surface_distance

HEAD = """data_made
{group}
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha {alpha}
_cell_angle_beta {beta}
_cell_angle_gamma {gamma}
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
CELL = {"a": 7.1, "b": 8.3, "c": 9.7, "alpha": 82.0, "beta": 103.5, "gamma": 95.0}
CUBE = {"a": 5.0, "b": 5.0, "c": 5.0, "alpha": 90.0, "beta": 90.0, "gamma": 90.0}
P1 = "_symmetry_space_group_name_H-M 'P 1'"


def cif(atoms, cell=CUBE, group=P1):
    return HEAD.format(**cell, group=group) + "".join(f"{line}\n" for line in atoms)


def drawn(seed, count=14):
    """Atoms of a triclinic cell, no two of them near each other."""
    rng = np.random.default_rng(seed)
    cell = cell_of([CELL["a"], CELL["b"], CELL["c"]], [CELL["alpha"], CELL["beta"], CELL["gamma"]])
    places = []
    while len(places) < count:
        place = rng.random(3).round(5)
        gaps = np.array(places).reshape(-1, 3) - place
        if not (np.linalg.norm((gaps - gaps.round()) @ cell, axis=1) < 1.2).any():
            places.append(place)
    elements = rng.choice(["C", "O", "N", "H", "Zn", "Cl"], count)
    lines = [
        f"{e}{i} {e} {x:.5f} {y:.5f} {z:.5f} 1.0" for i, (e, (x, y, z)) in enumerate(zip(elements, places, strict=True))
    ]
    return cif(lines, CELL)


def of_pymatgen(text):
    from pymatgen.core import Structure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Structure.from_str(text, fmt="cif")


def in_order_of(found, wanted):
    """Which of pymatgen's atoms, which are sorted by element, each atom is."""
    gaps = found.fractions[:, None] - wanted.frac_coords
    return np.abs(gaps - gaps.round()).sum(2).argmin(1)


@pytest.mark.parametrize("seed", range(3))
def test_cell_places_and_density_are_those_of_pymatgen(seed):
    text = drawn(seed)
    found, wanted = crystal_of(text, "made.cif"), of_pymatgen(text)
    np.testing.assert_allclose(found.parameters, wanted.lattice.parameters, atol=1e-6)
    order = in_order_of(found, wanted)
    assert found.numbers.tolist() == [wanted[at].specie.Z for at in order]
    mine = neighbours(found, 6.0)
    # pymatgen may turn the cell; between atoms nothing changes.
    theirs = wanted.distance_matrix[np.ix_(order, order)]
    for atom in range(len(found)):
        near = mine.distances_angstrom[mine.edges[:, 1] == atom].min()
        assert near == pytest.approx(np.delete(theirs[atom], atom).min(), abs=1e-5)
    assert found.density_g_cm3 == pytest.approx(float(wanted.density), rel=1e-3)


@pytest.mark.parametrize("radius", [3.0, 8.0, 12.0])
def test_neighbours_with_their_images_are_those_of_pymatgen(radius):
    text = drawn(7)
    crystal, wanted = crystal_of(text, "made.cif"), of_pymatgen(text)
    found, order = neighbours(crystal, radius), in_order_of(crystal, wanted)
    centre, other, _, distance = wanted.get_neighbor_list(radius)
    edges = order[found.edges]
    mine = sorted(zip(edges[:, 1], edges[:, 0], found.distances_angstrom.round(5), strict=True))
    theirs = sorted(zip(centre, other, distance.round(5), strict=True))
    assert len(mine) == len(theirs) > 30
    np.testing.assert_allclose(np.array(mine, float), np.array(theirs, float), atol=2e-5)


def test_an_atom_alone_in_a_cell_has_its_six_images_for_neighbours():
    crystal = crystal_of(cif(["Zn1 Zn 0 0 0 1"]), "one.cif")
    found = neighbours(crystal, 5.5)
    assert found.edges.tolist() == [[0, 0]] * 6
    np.testing.assert_allclose(found.distances_angstrom, 5.0)
    assert {tuple(one) for one in found.shifts.tolist()} == {
        (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)
    }  # fmt: skip
    # Beyond the edges come the twelve over the faces' diagonals, 7.07 angstrom away.
    assert len(neighbours(crystal, 7.2).edges) == 18
    assert len(neighbours(crystal, 7.2, nearest=6).edges) == 6
    assert neighbours(crystal, 7.2, nearest=6).distances_angstrom.max() == pytest.approx(5.0)


def test_shifts_say_in_which_cell_a_neighbour_is():
    crystal = crystal_of(drawn(2), "made.cif")
    found = neighbours(crystal, 6.0)
    there = crystal.fractions[found.edges[:, 0]] + found.shifts
    gaps = (there - crystal.fractions[found.edges[:, 1]]) @ crystal.cell
    np.testing.assert_allclose(np.linalg.norm(gaps, axis=1), found.distances_angstrom, atol=1e-9)


def test_symmetry_that_is_written_out_gives_all_atoms_as_pymatgen_has_them():
    operations = "_symmetry_space_group_name_H-M 'P -1'\nloop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'-x, -y, -z'"
    # Sodium lies on the centre and is one atom, not two.
    text = cif(["Na1 Na 0 0 0 1", "O1 O 0.21 0.13 0.34 1.0"], CELL, operations)
    found, wanted = crystal_of(text, "made.cif"), of_pymatgen(text)
    assert sorted(found.numbers) == sorted(site.specie.Z for site in wanted) == [8, 8, 11]
    mine = neighbours(found, 6.0).distances_angstrom
    theirs = wanted.get_neighbor_list(6.0)[3]
    np.testing.assert_allclose(np.sort(mine), np.sort(theirs), atol=1e-6)


def test_a_shift_of_the_symmetry_is_a_shift():
    operations = "loop_\n_space_group_symop_operation_xyz\nx,y,z\n'1/2+x,-y,z+.25'"
    found = crystal_of(cif(["C1 C 0.1 0.2 0.3 1"], CELL, operations), "made.cif")
    np.testing.assert_allclose(found.fractions, [[0.1, 0.2, 0.3], [0.6, 0.8, 0.55]], atol=1e-9)


def test_what_writers_add_does_not_matter():
    text = cif(["C1' C4+ 0.1(2) .2 -0.3(1) 1.0 # a note", "", "# a line", "D1 D 0.5 0.5 0.5 ?"])
    text = "# head\r\n\n_publ_text\n;\nloop_ of no meaning\n_cell_length_a 3\n;\n" + text.replace("\n", "\r\n")
    found = crystal_of(text, "made.cif")
    assert found.numbers.tolist() == [6, 1]
    np.testing.assert_allclose(found.fractions[0], [0.1, 0.2, 0.7])
    assert found.parameters[0] == pytest.approx(5.0)


def test_a_note_behind_a_value_is_no_part_of_it():
    text = cif(["C1 C 0 0 0 1"]).replace("_cell_length_a 5.0", "_cell_length_a 7.5(2) # measured, 'cold'")
    found = crystal_of(text.replace("P 1'", "P 1' # all atoms"), "made.cif")
    assert found.parameters[0] == pytest.approx(7.5)


@pytest.mark.parametrize(
    ("atoms", "said"),
    [
        (
            ["Zn1 Zn 0 0 0 1", "O1 O 0.5 0.5 0.5 0.5"],
            r"made\.cif, line 17: an atom with occupancy 0\.5; a disordered structure",
        ),
        (
            ["Zn1 Zn 0 0 0 1", "Zn2 Zn 0.99 0 0 1"],
            r"made\.cif, line 16: this atom overlaps that of line 17, 0\.05 angstrom away",
        ),
        (["Zn1 Zn 0 0 0 1", "X1 Xx 0.5 0 0 1"], r"made\.cif, line 17: there is no element 'Xx'"),
        (["Zn1 Zn 0 0 0 1", "O1 O 0.5 ? 0 1"], r"made\.cif, line 17: _atom_site_fract_y is '\?', no number"),
        (["Zn1 Zn 0 0 0 1", "O1 O 0.5 0 0"], r"made\.cif, line 17: 5 values, but atoms have 6"),
        ([], r"made\.cif: holds no atoms"),
    ],
)
def test_a_structure_that_cannot_be_used_is_refused_by_file_and_line(atoms, said):
    with pytest.raises(DataError, match=said):
        crystal_of(cif(atoms), "made.cif")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("_cell_length_a 5.0\n", ""), "does not say _cell_length_a"),
        (("_cell_length_a 5.0", "_cell_length_a 0"), r"line 3: there is no cell with lengths \[0"),
        (("_cell_angle_gamma 90.0", "_cell_angle_gamma 200"), "there is no cell with"),
        (
            ("_cell_length_a 5.0", "_cell_length_a 1e9"),
            r"line 3: the cell has an edge of 1e\+09 angstrom; edges are up to 1000",
        ),
        (("_cell_length_a 5.0", "_cell_length_a 0.0001"), "line 3: the cell has opposite faces 0.0001 angstrom apart"),
        (("_cell_angle_gamma 90.0", "_cell_angle_gamma 0.01"), "line 3: the cell has opposite faces 0.00087"),
        (("P 1", "F m -3 m"), r"line 2: names the space group 'F m -3 m' and does not write out its operations"),
        (("_cell_length_b 5.0", "_cell_length_b wide"), r"line 4: _cell_length_b is 'wide', no number"),
    ],
)
def test_a_cell_or_symmetry_that_says_too_little_is_refused(change, said):
    with pytest.raises(DataError, match=said):
        crystal_of(cif(["Zn1 Zn 0 0 0 1"]).replace(*change), "made.cif")


def test_two_structures_in_one_file_are_refused():
    text = cif(["Zn1 Zn 0 0 0 1"])
    with pytest.raises(DataError, match="line 17: begins a second structure"):
        crystal_of(text + text, "made.cif")


@pytest.mark.parametrize("data", ["", "\x00\xff\xfe", "no CIF at all", "loop_\n" * 5, "data_\n_cell_length_a"])
def test_a_file_that_is_no_structure_is_refused_by_name(tmp_path, data):
    path = tmp_path / "strange.cif"
    path.write_bytes(data.encode("latin-1"))
    with pytest.raises(DataError, match=r"strange\.cif"):
        read_cif(path)


def test_elements_weigh_what_pymatgen_says():
    from pymatgen.core import Element

    theirs = np.array([float(Element(symbol).atomic_mass) for symbol in SYMBOLS[:92]])
    # Of elements without a stable isotope tables choose one or another.
    stable = [at for at in range(92) if at + 1 not in (43, 61, *range(84, 90))]
    assert np.abs(MASSES[1:93] / theirs - 1)[stable].max() < 1e-3
    assert [Element(symbol).Z for symbol in SYMBOLS] == list(range(1, 119)) == [NUMBERS[one] for one in SYMBOLS]


def simple_cubic(edge, copies=1):
    """One zinc atom a cube, in a cell of several cubes."""
    at = np.stack(np.meshgrid(*(np.arange(copies),) * 3, indexing="ij"), -1).reshape(-1, 3) / copies
    return Crystal(np.full(len(at), 30), at, copies * edge * np.eye(3))


@pytest.mark.parametrize("copies", [1, 2])
def test_the_pores_of_a_cubic_lattice_are_as_geometry_has_them(copies):
    edge, radius = 8.0, RADII_ANGSTROM[30]
    found = pores(simple_cubic(edge, copies))
    # In the middle of a cube the corners are half its diagonal away, in the middle of a face half that of the face.
    assert found.largest_sphere_angstrom == pytest.approx(np.sqrt(3) * edge - 2 * radius, abs=1e-4)
    assert found.free_path_angstrom == pytest.approx(np.sqrt(2) * edge - 2 * radius, abs=1e-4)
    full = 1 - 4 / 3 * np.pi * radius**3 / edge**3
    assert found.free_fraction[0] == pytest.approx(full, abs=0.02)
    assert (np.diff(found.free_fraction) <= 0).all()


def test_distances_in_a_large_empty_cell_reach_as_far_as_they_must():
    crystal = simple_cubic(40.0)
    distance = surface_distance(crystal, (8, 8, 8))
    assert distance.max() == pytest.approx(np.sqrt(3) * 20 - RADII_ANGSTROM[30], abs=1e-4)


@pytest.mark.parametrize("seed", range(2))
def test_distances_are_those_to_all_images_one_by_one(seed):
    crystal = crystal_of(drawn(seed), "made.cif")
    shape = (5, 6, 7)
    shifts = np.stack(np.meshgrid(*(np.arange(-3, 4),) * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    atoms = (crystal.fractions + shifts).reshape(-1, 3) @ crystal.cell
    radii = np.tile(RADII_ANGSTROM[crystal.numbers], len(shifts))
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1).reshape(-1, 3) @ crystal.cell
    wanted = (np.linalg.norm(grid[:, None] - atoms, axis=2) - radii).min(1)
    np.testing.assert_allclose(surface_distance(crystal, shape).ravel(), wanted, atol=1e-5)


def test_a_closed_cavity_lets_nothing_through_and_a_tunnel_that_turns_does():
    closed = np.zeros((6, 6, 6), bool)
    closed[1:5, 1:5, 1:5] = True
    assert not comes_through(closed)
    tunnel = np.zeros((6, 6, 6), bool)
    tunnel[:, 2, 2] = True
    assert comes_through(tunnel)
    tunnel[3, 2, 2] = False
    assert not comes_through(tunnel)
    # Around the broken place: out at one face of the cell and in at the other.
    tunnel[2:5, 2, :] = True
    assert comes_through(tunnel)


def test_a_loop_that_comes_back_to_where_it_began_is_no_way_through():
    # It crosses a face of the cell and goes back over the same one.
    loop = np.zeros((4, 6, 3), bool)
    loop[[0, 3], 1, 1] = loop[[0, 3], 4, 1] = True
    loop[0, 1:5, 1] = loop[3, 1:5, 1] = True
    loop[3, 2:4, 1] = False
    assert not comes_through(loop)


def test_a_way_that_winds_twice_before_it_is_back_comes_through():
    # Two tunnels along the first axis, each leaving where the other comes in one row further.
    grid = np.full((4, 4, 3), -1.0)
    grid[0:4, 0, 1] = 2.0
    grid[3, 0:3, 1] = 2.0
    grid[3, 0, 1] = 2.0
    grid[0:4, 2, 1] = 2.0
    grid[0, 2, 1] = 1.0
    assert free_path_radius(grid) == pytest.approx(2.0)


def test_grids_of_large_cells_are_coarser_and_never_too_many_points():
    assert grid_shape(simple_cubic(5.0)) == (10, 10, 10)
    assert 25_000 < np.prod(grid_shape(simple_cubic(60.0))) < 50_000


@pytest.mark.parametrize("seed", range(8))
def test_the_widest_way_through_is_that_of_trying_all_widths(seed):
    rng = np.random.default_rng(seed)
    grid = rng.integers(0, 4 + seed, (4, 5, 3)).astype(float)
    open_ = [value for value in np.unique(grid) if comes_through(grid >= value)]
    assert free_path_radius(grid) == max(open_)


# --- numbers of a crystal ----------------------------------------------------------------------------------------------


def told(crystal):
    names, values = composition_input().names, composition(crystal)
    assert len(names) == len(values)
    return dict(zip(names, values.tolist(), strict=True))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_crystal_is_made_of_is_what_pymatgen_says(seed):
    text = drawn(seed, count=20)
    found, wanted = told(crystal_of(text, "made.cif")), of_pymatgen(text)
    fractions = wanted.composition.fractional_composition
    assert found["density"] == pytest.approx(float(wanted.density), rel=1e-3)
    assert found["atoms"] == 20
    assert found["atoms in 1000 cubic angstrom"] == pytest.approx(20_000 / wanted.volume, rel=1e-5)
    heavy = sum(site.specie.Z > 1 for site in wanted)
    assert found["heavy atoms in 1000 cubic angstrom"] == pytest.approx(1000 * heavy / wanted.volume, rel=1e-5)
    for element in ("H", "C", "N", "O", "Cl", "F"):
        assert found[f"share of {element}"] == pytest.approx(fractions[element], abs=1e-6)
    assert found["share of metals"] == pytest.approx(fractions["Zn"], abs=1e-6)
    assert fractions["Zn"] > 0
    assert found["share of other nonmetals"] == pytest.approx(0, abs=1e-6)
    assert found["metals: Zn"] == 1
    around = [
        sum(not other.specie.is_metal and other.specie.Z > 1 for other in wanted.get_neighbors(site, 2.7))
        for site in wanted
        if site.specie.symbol == "Zn"
    ]
    assert max(around) > 0
    assert found["neighbours of a metal"] == pytest.approx(np.mean(around))
    assert found["fewest neighbours of a metal"] == min(around)


def test_metals_are_told_by_their_shares_and_without_any_they_have_no_neighbours():
    elements = ["La", "Lu", "Hf", "Zn", "Cu", "Cu", "Zn", "Zn", "Se", "O"]
    places = np.column_stack([np.arange(10) / 10, np.zeros(10), np.zeros(10)])
    found = told(Crystal(np.array([NUMBERS[one] for one in elements]), places, 50 * np.eye(3)))
    assert found["share of metals"] == pytest.approx(0.8)
    assert found["share of other nonmetals"] == pytest.approx(0.1)
    shares = {"Zn": 3 / 8, "Cu": 2 / 8, "lanthanides": 2 / 8, "others": 1 / 8, "Fe": 0}
    assert {one: found[f"metals: {one}"] for one in shares} == pytest.approx(shares)
    assert sum(value for name, value in found.items() if name.startswith("metals: ")) == pytest.approx(1)
    assert found["neighbours of a metal"] == found["fewest neighbours of a metal"] == 0
    one = told(Crystal(np.array([30, 8]), places[:2], 50 * np.eye(3)))
    assert (one["metals: Zn"], one["share of metals"], one["atoms"]) == (1, 0.5, 2)
    bare = told(Crystal(np.array([6, 1]), places[:2], 50 * np.eye(3)))
    assert np.isnan(bare["neighbours of a metal"])
    assert np.isnan(bare["fewest neighbours of a metal"])
    assert all(value == 0 for name, value in bare.items() if name.startswith("metals: "))


def test_neighbours_of_a_metal_are_heavy_nonmetals_within_reach_images_too():
    # Zinc between two oxygens, one of them over the cell's edge; hydrogen, zinc and an oxygen too far do not count.
    numbers = np.array([30, 8, 8, 1, 30, 8])
    places = np.array([[0.5, 5, 5], [2.5, 5, 5], [9.0, 5, 5], [0.5, 6, 5], [0.5, 5, 7.5], [0.5, 7.75, 5]]) / 10
    crystal = Crystal(numbers, places, 10 * np.eye(3))
    assert metal_neighbours(crystal).tolist() == [2, 0]
    assert told(crystal)["neighbours of a metal"] == 1
    assert told(crystal)["fewest neighbours of a metal"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_closest_pair_is_that_of_pymatgen(seed):
    text = drawn(seed)
    crystal, wanted = crystal_of(text, "made.cif"), of_pymatgen(text)
    order = in_order_of(crystal, wanted)
    distances = wanted.distance_matrix[np.ix_(order, order)] + 99 * np.eye(len(order))
    one, other, apart = closest_pair(crystal, 6.0)
    assert apart == pytest.approx(distances.min(), abs=1e-5)
    assert one < other
    assert distances[one, other] == pytest.approx(apart, abs=1e-5)
    assert closest_pair(crystal, distances.min() - 0.01) == (0, 0, float("inf"))


def test_numbers_of_pores_stand_under_their_names():
    found = pores(simple_cubic(9.0))
    named = dict(zip(pores_input().names, pore_numbers(found).tolist(), strict=True))
    assert named["largest sphere"] == pytest.approx(found.largest_sphere_angstrom)
    assert named["largest sphere that comes through"] == pytest.approx(found.free_path_angstrom)
    # The centre of a ball can be where it touches no atom.
    shape = grid_shape(simple_cubic(9.0))
    corners = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1)
    apart = np.linalg.norm(np.minimum(corners, 1 - corners) * 9.0, axis=-1) - RADII_ANGSTROM[30]
    for radius in (0.0, 1.0, 3.0):
        share = named[f"volume for the centre of a ball of radius {radius:g} angstrom"]
        assert share == pytest.approx((apart >= radius).mean(), abs=0.01)
    assert found.centre == pytest.approx([0.5] * 3)
