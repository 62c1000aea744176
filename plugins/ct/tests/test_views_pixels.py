"""How scans are drawn: the window is named and true, the outline is the mask's, evidence is where it belongs."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from pellucid.data import Image, Volume
from pellucid.regions import Box
from pellucid.views import Marked, Shown
from pellucid_ct.views.pixels import GREY, LUNG, OUTLINE, ct_slice, ct_volume

mpl.use("Agg")

PLANE = Image(channels=("axial",), size=(16, 16), spacing_mm=(2.0, 2.0), units="HU")
PLANES = Image(channels=("axial", "coronal", "sagittal"), size=(16, 16), spacing_mm=(2.0, 2.0), units="HU")
CUBE = Volume(channels=("axial",), size=(16, 16, 16), spacing_mm=(2.0, 2.0, 2.0), units="HU")
GREYS = PLANE.model_copy(update={"units": "grey"})


def drawn(view, values, spec, **more):
    ax = Figure().add_subplot()
    view(ax, values, spec, Shown(**more))
    return ax, [panel for panel in ax.child_axes]


def texts(ax):
    return " ".join(text.get_text() for text in ax.texts)


def test_a_panel_a_channel_and_the_window_named_with_level_and_width():
    ax, panels = drawn(ct_slice, np.zeros((3, 16, 16)), PLANES)
    assert [panel.get_title() for panel in panels] == ["axial", "coronal", "sagittal"]
    assert "lung window: level -600, width 1500 HU" in texts(ax)
    assert all(panel.images[0].get_clim() == (LUNG.low, LUNG.high) for panel in panels)


def test_grey_values_of_an_unknown_window_are_called_that():
    ax, (panel,) = drawn(ct_slice, np.zeros((1, 16, 16)), GREYS)
    assert "grey values: 0 to 255" in texts(ax)
    assert panel.images[0].get_clim() == (GREY.low, GREY.high)


def test_the_outline_is_the_masks():
    mask = np.zeros((1, 16, 16))
    mask[0, 4:9, 6:12] = 1
    _, (panel,) = drawn(ct_slice, np.zeros((1, 16, 16)), PLANE, beside={"mask": mask})
    (contour,) = panel.collections
    assert mpl.colors.to_hex(contour.get_edgecolor()[0]) == OUTLINE
    points = np.concatenate([path.vertices for path in contour.get_paths()])
    assert points.min(0).tolist() == [5.5, 3.5]
    assert points.max(0).tolist() == [11.5, 8.5]


@pytest.mark.parametrize("beside", [{}, {"mask": np.zeros((1, 16, 16))}, {"mask": np.ones((1, 8, 8))}])
def test_no_outline_without_a_mask_of_the_same_grid(beside):
    _, (panel,) = drawn(ct_slice, np.zeros((1, 16, 16)), PLANE, beside=beside)
    assert not panel.collections


def test_a_volume_is_cut_where_the_lesion_is_largest_and_stands_on_its_feet():
    values = np.zeros((1, 16, 16, 16))
    values[0, 3], values[0, :, 5], values[0, :, :, 11] = 1, 2, 3
    mask = np.zeros_like(values)
    mask[0, 3, 5, 8:14] = mask[0, 2:6, 5, 11] = mask[0, 3, 2:9, 11] = 1
    _, panels = drawn(ct_volume, values, CUBE, beside={"mask": mask})
    shown = [np.asarray(panel.images[0].get_array()) for panel in panels]
    assert np.array_equal(shown[0], values[0, 3])
    assert np.array_equal(shown[1], values[0, ::-1, 5])
    assert np.array_equal(shown[2], values[0, ::-1, :, 11])
    (coronal,) = panels[1].collections
    heights = np.concatenate([path.vertices for path in coronal.get_paths()])[:, 1]
    assert heights.max() == pytest.approx(16 - 2 - 0.5)


def test_evidence_of_all_panels_has_one_scale():
    evidence = np.zeros((3, 16, 16))
    evidence[0, 4, 4], evidence[2, 9, 9] = 1.0, -0.5
    _, panels = drawn(ct_slice, np.zeros((3, 16, 16)), PLANES, evidence=evidence)
    layers = [np.asarray(panel.images[1].get_array()) for panel in panels]
    assert layers[0][4, 4, 3] == pytest.approx(2 * layers[2][9, 9, 3])
    assert layers[1][..., 3].max() == 0
    red, _, blue, _ = layers[0][4, 4]
    assert red > blue
    red, _, blue, _ = layers[2][9, 9]
    assert blue > red


def test_thick_slices_are_drawn_as_wide_as_they_are():
    thick = CUBE.model_copy(update={"spacing_mm": (4.0, 2.0, 1.0)})
    _, panels = drawn(ct_volume, np.zeros((1, 16, 16, 16)), thick)
    assert [panel.get_aspect() for panel in panels] == [2.0, 4.0, 2.0]


def test_a_single_marked_place_is_cut_through_and_framed_upright_in_the_whole_planes():
    values = np.zeros((1, 16, 16, 16))
    values[0, 13] = 1
    mask = np.zeros_like(values)
    mask[0, 3, 5, 8:14] = 1
    place = Marked(Box((12, 0, 4), (15, 4, 8)), 0.0)
    _, panels = drawn(ct_volume, values, CUBE, beside={"mask": mask}, regions=(place,))
    shown = [np.asarray(panel.images[0].get_array()) for panel in panels]
    assert np.array_equal(shown[0], values[0, 13])
    assert shown[1][16 - 1 - 13].all()
    boxes = [panel.patches[-1].get_bbox() for panel in panels]
    assert [(box.y0, box.y1) for box in boxes] == [(-0.5, 3.5), (0.5, 3.5), (0.5, 3.5)]
    assert all(sorted(panel.get_ylim()) == [-0.5, 15.5] for panel in panels)
