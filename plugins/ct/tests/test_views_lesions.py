"""Views of lesions and ratings: what is drawn is where it is, as large as it is, and as far apart as readers are."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from pellucid.data import Image, Vector, Volume
from pellucid.regions import Box
from pellucid.views import INK, LOWERS, PLAIN, RAISES, Marked, Shown, view_for
from pellucid_ct.lidc.annotations.nodules import RATING_NAMES
from pellucid_ct.lidc.shapes.dataset import LidcShapes, LidcShapesConfig
from pellucid_ct.views.lesions import lesion, lesion_volume, ratings

SIZE = 32


def disc(radius: float, shift: int = 0) -> np.ndarray:
    rows, columns = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    return (np.hypot(rows, columns - shift) <= radius).astype(np.float32)[None]


def image(spacing: float | None = 2.0) -> Image:
    return Image(
        channels=("mask",), size=(SIZE, SIZE), spacing_mm=spacing and (spacing, spacing), units="share covered"
    )


def axis():
    return Figure().add_subplot()


def outline(ax) -> np.ndarray:
    (path,) = [p for c in ax.collections for p in c.get_paths() if len(p.vertices)]
    return path.vertices


@pytest.mark.parametrize("radius", [4.0, 9.0])
def test_the_outline_is_drawn_around_the_lesion(radius):
    ax = axis()
    lesion(ax, disc(radius), image(), PLAIN)
    distance = np.hypot(*(outline(ax) - (SIZE - 1) / 2).T)
    assert distance.mean() == pytest.approx(radius, abs=0.6)


def test_a_lesion_at_the_edge_of_the_frame_keeps_a_closed_outline():
    ax = axis()
    lesion(ax, disc(6, shift=14), image(), PLAIN)
    points = outline(ax)
    np.testing.assert_allclose(points[0], points[-1])
    assert points[:, 0].max() > SIZE - 1


def test_an_empty_mask_is_drawn_without_an_outline():
    ax = axis()
    lesion(ax, np.zeros((1, SIZE, SIZE), np.float32), image(), PLAIN)
    assert not any(len(p.vertices) for c in ax.collections for p in c.get_paths())


@pytest.mark.parametrize(("radius", "share"), [(2.0, 0.25), (5.0, 0.5), (12.0, 1.0)])
def test_a_small_lesion_is_shown_larger_but_never_cut(radius, share):
    ax = axis()
    lesion(ax, disc(radius), image(), PLAIN)
    left, right = ax.get_xlim()
    assert right - left == pytest.approx(SIZE * share)
    points = outline(ax)
    assert left < points[:, 0].min()
    assert points[:, 0].max() < right


@pytest.mark.parametrize("radius", [2.0, 12.0])
def test_the_scale_bar_is_as_long_as_it_says(radius):
    ax = axis()
    lesion(ax, disc(radius), image(spacing=1.75), PLAIN)
    (bar,) = ax.lines
    (label,) = [text.get_text() for text in ax.texts]
    assert np.ptp(bar.get_xdata()) * 1.75 == pytest.approx(float(label.split()[0]))
    assert label.split()[1] == "mm"


def test_without_a_spacing_no_length_is_claimed():
    ax = axis()
    lesion(ax, disc(5), image(spacing=None), PLAIN)
    assert not ax.lines
    assert not ax.texts


def test_evidence_is_shown_inside_the_lesion_only_and_by_its_sign():
    evidence = np.ones((1, SIZE, SIZE))
    evidence[:, :, : SIZE // 2] = -1
    ax = axis()
    lesion(ax, disc(8), image(), Shown(evidence=evidence))
    layer = np.asarray(ax.images[1].get_array())
    assert (layer[..., 3] > 0).sum() == disc(8).sum()
    assert layer[16, 20, 0] > layer[16, 20, 2], "raising is orange: more red than blue"
    assert layer[16, 10, 2] > layer[16, 10, 0], "lowering is blue"


def test_evidence_is_as_strong_as_a_pixel_is_covered():
    mask, evidence = np.zeros((1, SIZE, SIZE), np.float32), np.ones((1, SIZE, SIZE))
    mask[0, 14:18, 14:18], mask[0, 14:18, 18] = 1.0, 0.25
    ax = axis()
    lesion(ax, mask, image(), Shown(evidence=evidence))
    layer = np.asarray(ax.images[1].get_array())
    assert layer[15, 18, 3] == pytest.approx(layer[15, 15, 3] / 4)


def test_a_volume_shows_the_largest_slice_of_each_plane():
    values = np.zeros((1, SIZE, SIZE, SIZE), np.float32)
    values[0, 10] = disc(8)[0]
    values[0, 20] = disc(3)[0]
    ax = axis()
    lesion_volume(
        ax, values, Volume(channels=("mask",), size=(SIZE,) * 3, spacing_mm=(1.0, 1.0, 1.0), units="share"), PLAIN
    )
    axial, coronal, sagittal = ax.child_axes
    np.testing.assert_array_equal(axial.images[0].get_array(), disc(8)[0])
    assert coronal.images[0].get_array().sum() == values[0][:, SIZE // 2].sum()
    assert {a.get_xlim() for a in (axial, coronal, sagittal)} == {axial.get_xlim()}


def test_a_volume_and_a_place_in_it_stand_upright():
    values = np.zeros((1, SIZE, SIZE, SIZE), np.float32)
    values[0, 4, 10:20, 12:20] = values[0, 3, 15, 15] = 1.0
    spec = Volume(channels=("mask",), size=(SIZE,) * 3, spacing_mm=(1.0, 1.0, 1.0), units="share")
    ax = axis()
    place = Marked(Box((3, 10, 12), (5, 20, 20)), 0.0)
    lesion_volume(ax, values, spec, Shown(regions=(place,)))
    for panel in ax.child_axes[1:]:
        assert np.flatnonzero(np.asarray(panel.images[0].get_array()).any(1)).max() == SIZE - 1 - 3
        box = panel.patches[-1].get_bbox()
        assert (box.y0, box.y1) == (SIZE - 5 - 0.5, SIZE - 3 - 0.5)


def test_ratings_stand_on_their_scale_with_the_readers_disagreement():
    spec = Vector(names=("margin", "calcification", "margin:sd", "calcification:sd"), units="rating")
    ax = axis()
    ratings(ax, np.array([4.5, 6.0, 1.0, np.nan], np.float32), spec, PLAIN)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["margin", "calcification"]
    scales = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 5]
    assert [list(scale) for scale in scales] == [[1, 5], [1, 6]]
    whiskers = [list(line.get_xdata()) for line in ax.lines if line.get_linewidth() == pytest.approx(1.4)]
    assert whiskers == [[3.5, 5.0]], "cut at the end of the scale; none where one reader rated"
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in marks] == [[4.5], [6.0]]
    assert {line.get_color() for line in marks} == {INK}
    assert [text.get_text() for text in ax.texts] == ["4.5", "6.0"]


def test_a_rating_that_nobody_gave_is_said_to_be_missing():
    ax = axis()
    ratings(ax, np.array([np.nan, np.nan], np.float32), Vector(names=("margin", "margin:sd"), units="rating"), PLAIN)
    assert [text.get_text() for text in ax.texts] == ["not rated"]


def test_evidence_of_ratings_colours_by_sign():
    ax = axis()
    values, evidence = np.array([2.0, 3.0], np.float32), np.array([0.5, -0.5])
    ratings(ax, values, Vector(names=("margin", "texture"), units="rating"), Shown(evidence=evidence))
    assert [line.get_color() for line in ax.lines if line.get_marker() == "o"] == [RAISES, LOWERS]


@pytest.mark.parametrize(("dimensions", "drawn"), [(2, lesion), (3, lesion_volume)])
def test_the_dataset_names_views_that_are_installed(dimensions, drawn, one_nodule):
    spec = LidcShapes(LidcShapesConfig(dimensions=dimensions, cache=False), one_nodule.path).spec
    assert view_for(spec, "shape") is drawn
    assert view_for(spec, "ratings") is ratings
    ax = axis()
    ratings(ax, np.full(len(spec.inputs["ratings"].names), 2.0, np.float32), spec.inputs["ratings"], PLAIN)
    assert len(ax.get_yticklabels()) == len(RATING_NAMES)
