"""Pictures of molecules: what is drawn follows the graph, evidence and places, in shades of grey too."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from rdkit import Chem

from pellucid.data.graphs import Graphs
from pellucid.regions import Subgraph, TimeSpan
from pellucid.views import PLAIN, Marked, Shown, inches
from pellucid_molecules.featurising.codes import molecule_input
from pellucid_molecules.featurising.graphs import graphs_of
from pellucid_molecules.views.depiction import HALO, depiction
from pellucid_molecules.views.structure import laid_out

SPEC = molecule_input()
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def graph(text):
    return graphs_of([Chem.MolFromSmiles(text)])


def drawn(values, shown=PLAIN):
    """The axes and the picture in shades of grey."""
    figure = Figure(figsize=inches(depiction, values, SPEC, shown))
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    depiction(ax, values, SPEC, shown)
    canvas.draw()
    return ax, np.asarray(canvas.buffer_rgba())[..., :3] @ np.array([0.299, 0.587, 0.114])


def letters(ax):
    return sorted(text.get_text() for text in ax.child_axes[0].texts)


def lines(ax):
    return sum(len(one.get_segments()) for one in ax.child_axes[0].collections)


@pytest.mark.parametrize(
    ("text", "written", "count"),
    [
        ("C", ["CH₄"], 0),
        ("CCO", ["OH"], 2),
        ("C[N+](C)(C)C", ["N⁺"], 4),
        ("[O-]C(=O)C", ["O", "O⁻"], 4),
        ("N#CC", ["N"], 4),
        ("[Ca+2]", ["Ca²⁺"], 0),
        ("[CH3]", ["CH₃•"], 0),
        ("c1ccccc1", [], 9),
        ("[Na+].[Cl-]", ["Cl⁻", "Na⁺"], 0),
    ],
)
def test_letters_and_lines_are_those_of_the_formula(text, written, count):
    ax, _ = drawn(graph(text))
    assert letters(ax) == sorted(written)
    assert lines(ax) == count


def test_hydrogens_stand_on_the_free_side():
    layout = laid_out(graph("NCCCCCO"))
    ax, _ = drawn(graph("NCCCCCO"))
    names = {atom.GetSymbol(): layout.places[atom.GetIdx()][0] for atom in layout.molecule.GetAtoms()}
    left, right = sorted("NO", key=names.__getitem__)
    found = letters(ax)
    assert {"N": "H₂N", "O": "HO"}[left] in found
    assert {"N": "NH₂", "O": "OH"}[right] in found


def discs(ax):
    return [one for one in ax.child_axes[0].patches if isinstance(one, Circle)]


def test_discs_lie_on_the_atoms_that_evidence_names_and_say_in_which_direction():
    values = graph(ASPIRIN)
    places = laid_out(values).places
    evidence = np.zeros(13, np.float32)
    evidence[[2, 8]] = 2.0, -1.0
    ax, _ = drawn(values, Shown(evidence=evidence))
    found = {tuple(np.round(one.center, 3)): one for one in discs(ax)}
    up, down = (found[tuple(np.round(places[at], 3))] for at in (2, 8))
    assert len(found) == 2
    assert up.get_linestyle() in ("-", "solid")
    assert down.get_linestyle() in ("--", "dashed")
    # Orange has more red than blue.
    assert up.get_facecolor()[0] > up.get_facecolor()[2]
    assert down.get_facecolor()[0] < down.get_facecolor()[2]
    bar = ax.child_axes[1]
    assert [tick.get_text() for tick in bar.get_xticklabels()] == ["-2", "0", "+2"]


def test_evidence_of_features_is_summed_and_that_of_bonds_drawn_between_atoms():
    values = graph("CCO")
    one, _ = drawn(values, Shown(evidence=np.array([1.0, 0.0, -1.0])))
    spread = np.zeros((3, 9))
    spread[0, [0, 4]], spread[2, 8] = 0.5, -1.0
    other, _ = drawn(values, Shown(evidence=spread))
    assert [disc.get_facecolor() for disc in discs(one)] == [disc.get_facecolor() for disc in discs(other)]
    both = Graphs.of(np.zeros((3, 9)), values.edges, np.eye(4, 3))
    ax, picture = drawn(values, Shown(evidence=both))
    assert len(ax.child_axes[0].lines) == 2
    assert not np.allclose(picture, drawn(values, Shown(evidence=np.zeros(3)))[1])


def test_evidence_of_another_shape_is_left_out():
    values = graph(ASPIRIN)
    for evidence in (np.ones(12), np.ones((1, 2, 3)), np.zeros(())):
        assert not discs(drawn(values, Shown(evidence=evidence))[0])


def test_marked_places_are_rings_that_differ_in_grey_by_their_sign():
    values = graph(ASPIRIN)
    place = Subgraph((10, 11, 12), ((10, 11), (10, 12)))
    pictures = [drawn(values)[1], *(drawn(values, Shown(regions=(Marked(place, w),)))[1] for w in (1.0, -1.0, 0.0))]
    for at, one in enumerate(pictures):
        for other in pictures[at + 1 :]:
            assert np.abs(one - other).max() > 50
    ax, _ = drawn(values, Shown(regions=(Marked(place, 1.0, "acid"),)))
    assert "acid" in letters(ax)
    places = laid_out(values).places[[10, 11, 12]]
    assert np.allclose(sorted(map(tuple, places)), sorted(one.center for one in discs(ax)))
    assert all(one.radius == HALO for one in discs(ax))


def test_a_place_alone_is_seen_whole_with_what_is_around_it_in_grey():
    values = graph("CCCCCCCCCCCCCCCCCC(=O)O")
    place = Subgraph((17, 18, 19), ((17, 18), (17, 19)))
    ax, picture = drawn(values, Shown(only=place))
    inside = ax.child_axes[0]
    (left, right), (low, high) = inside.get_xlim(), inside.get_ylim()
    places = laid_out(values).places
    seen = (places[:, 0] > left) & (places[:, 0] < right) & (places[:, 1] > low) & (places[:, 1] < high)
    assert seen[[17, 18, 19]].all()
    assert not seen[:8].any()
    assert picture.shape != drawn(values)[1].shape
    colours = {tuple(np.round(c[:3], 2)) for one in inside.collections for c in one.get_colors()}
    assert len(colours) == 2


@pytest.mark.parametrize("text", ["", "C", "[Na+].[Cl-]", "C" * 150, "*", "N->[Pt](<-N)(Cl)Cl"])
def test_any_molecule_can_be_drawn_and_stays_within_a_page(text):
    values = graphs_of([Chem.MolFromSmiles(text)])
    before = values.nodes.copy()
    odd = Shown(
        evidence=np.full(len(values.nodes), np.nan),
        caption="a caption",
        regions=(Marked(Subgraph((0, 99), ((0, 99), (0, 0))), 1.0), Marked(TimeSpan(("x",), 0, 1))),
        only=Subgraph((99,)),
    )
    for shown in (PLAIN, odd):
        width, height = inches(depiction, values, SPEC, shown)
        assert width <= 7.5
        assert height <= 7.5
        assert drawn(values, shown)[1].min() < 128
    assert np.array_equal(before, values.nodes)


def test_letters_on_the_strongest_colour_can_be_read():
    from matplotlib.colors import to_rgb

    from pellucid.views import INK

    def lightness(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    ax, _ = drawn(graph("OCN"), Shown(evidence=np.array([1.0, 0.0, -1.0])))
    for disc in discs(ax):
        ratio = (lightness(disc.get_facecolor()[:3]) + 0.05) / (lightness(INK) + 0.05)
        assert ratio >= 4.5
