"""Features over places: planted patterns are found where samples lie and where positions do, and nothing where chance deals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made_layers import axis_dictionary, context_of, fold_of, layer_folder
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pellucid.activations.places import axes_of, position_neighbours
from pellucid.data import ArrayDataset, DataSpec, Image, Signal, Vector
from pellucid.data.spec import Graph, Text, Trajectory, Volume
from pellucid.errors import DataError, LeakageError, NotMeasurable
from pellucid.heads.functions.linear import Linear
from pellucid.measures.neighbours import grid_neighbours, nearest_neighbours, sequence_neighbours
from pellucid.measures.spatial import moran_test
from pellucid.protocols.audited import told
from pellucid.protocols.base import Context
from pellucid.protocols.dictionaries.places.placed import on_globe, over_coordinates, over_positions
from pellucid.protocols.dictionaries.places.spatial import SpatialAutocorrelation, SpatialAutocorrelationConfig
from pellucid.statistics.false_discovery import benjamini_hochberg
from pellucid.views.patterns import Grid, draw_pattern, draw_scatter

UNITS = 10
SIGNAL = Signal(channels=("I", "II", "V1"), length=400, rate_hz=100.0, units="mV")
IMAGE = Image(channels=("grey",), size=(64, 64), spacing_mm=(0.5, 0.5), units="1")


def assessed(folder, made, **settings):
    protocol = SpatialAutocorrelation(SpatialAutocorrelationConfig(**{"permutations": 999, **settings}))
    assert protocol.unfit(context_of(folder)) == ""
    rows = protocol.examine(fold_of(folder, made)).assign(fold=0)
    (result,) = protocol.conclude(rows, context_of(folder))
    return rows, result, protocol


def towns(place: Path, count: int = 240, *, each: int = 1, turn: bool = True, seed: int = 0):
    """Units 0 to 2 are bumps over the plane, unit 3 is on in a few places, all others by lot; turned, but for unit 3."""
    random = np.random.default_rng(seed)
    x, y = random.random((2, count))
    centres = np.array([[0.2, 0.3], [0.7, 0.7], [0.8, 0.2]])
    true = random.random((count, UNITS)) * (random.random((count, UNITS)) < 0.5)
    true[:, :3] = np.exp(-((np.stack([x, y], 1)[:, None] - centres) ** 2).sum(2) / (2 * 0.15**2))
    true[:, 3] = 0
    true[random.choice(count, 12, replace=False), 3] = 1
    basis, others = np.eye(UNITS), np.flatnonzero(np.arange(UNITS) != 3)
    if turn:
        basis[np.ix_(others, others)] = np.linalg.qr(random.normal(size=(UNITS - 1, UNITS - 1)))[0]
    samples = pd.DataFrame(
        {"subject": [f"p{at // each}" for at in range(count)], "x_mm": 100 * x, "y_mm": 100 * y},
        index=[f"s{at}" for at in range(count)],
    )
    spec = DataSpec(
        targets={}, name="towns", namespace="t", inputs={"numbers": Vector(names=("n",))},
        covariates=Vector(names=("x_mm", "y_mm")),
    )  # fmt: skip
    folder = layer_folder(place, (true @ basis)[:, None], (1,), spec, samples)
    made = axis_dictionary(UNITS)
    with torch.no_grad():
        for name in ("directions", "weight"):
            getattr(made.head, name).copy_(torch.from_numpy(basis.astype(np.float32)))
    return folder, made, true, samples


def layer(
    place: Path, spec, shape, mean, *, people: int = 30, each: int = 2, keep=None, noise: float = 0.4, seed: int = 0
):
    """Samples that follow a mean map, shape (position, unit), each with its own noise."""
    random = np.random.default_rng(seed)
    count = people * each
    values = np.abs(mean + noise * random.normal(size=(count, *mean.shape)))
    samples = pd.DataFrame(
        {"subject": [f"p{at // each}" for at in range(count)]}, index=[f"s{at}" for at in range(count)]
    )
    data = DataSpec(targets={}, name="d", namespace="t", inputs={"x": spec})
    return layer_folder(place, values, shape, data, samples, keep), values


# --- where samples lie ------------------------------------------------------------------------------------------------


def test_features_of_a_region_are_found_and_chance_finds_none(tmp_path):
    folder, made, true, samples = towns(tmp_path / "acts")
    rows, result, _ = assessed(folder, made, coordinates=("x_mm", "y_mm"))
    q = np.array(told(rows, "q")[0])
    assert set(np.flatnonzero(q <= 0.05)) == {0, 1, 2}
    assert result.value == 3
    assert result.chance < 0.5
    assert np.isnan(q[3]), "active at 12 places"
    assert "Left out: 1 active at fewer than 20" in result.sentence
    # By another path: the plain measure of the planted codes, and of what the layer says.
    near = nearest_neighbours(samples[["x_mm", "y_mm"]].to_numpy(), 8)
    with pytest.warns(UserWarning, match="1 are active at fewer"):
        known = moran_test(true.astype(np.float32).astype(float), near, permutations=9)
    np.testing.assert_allclose(told(rows, "i")[0], known.values, atol=1e-4)
    said = folder.read(np.argsort(folder.sources)).inputs["activations"]
    turned = moran_test(np.delete(said, 3, axis=1), near, permutations=999)
    assert abs(result.baseline - (benjamini_hochberg(turned.p_two_sided) <= 0.05).sum()) <= 1
    assert set(rows["sample"]) == set(samples.index)
    assert result.n_subjects == 240
    assert np.isnan(result.low)


def test_chance_is_the_mean_count_over_places_dealt_anew(tmp_path):
    folder, made, true, samples = towns(tmp_path / "acts")
    # At a rate of false discoveries of a half chance finds some.
    _, result, _ = assessed(folder, made, coordinates=("x_mm", "y_mm"), false_discoveries=0.5, dealings=100)
    near = nearest_neighbours(samples[["x_mm", "y_mm"]].to_numpy(), 8)
    random = np.random.default_rng(5)
    counts = []
    for _ in range(100):
        dealt = np.delete(true, 3, axis=1)[random.permutation(len(true))]
        counts.append((benjamini_hochberg(moran_test(dealt, near, permutations=199).p_two_sided) <= 0.5).sum())
    assert result.chance == pytest.approx(np.mean(counts), abs=4 * np.std(counts) / np.sqrt(50))
    assert 0.2 < result.chance < result.value


def test_samples_at_one_place_are_one_place_and_people_count_alike(tmp_path):
    random = np.random.default_rng(1)
    count = 200
    site, person = random.integers(25, size=count), random.integers(6, size=count)
    centre = random.random((25, 2))
    samples = pd.DataFrame(
        {"subject": [f"p{one}" for one in person], "x_mm": centre[site, 0], "y_mm": centre[site, 1]},
        index=[f"s{at}" for at in range(count)],
    )
    samples.loc["s7", "x_mm"] = np.nan
    values = random.random((count, 3, UNITS))
    spec = DataSpec(
        targets={},
        name="d",
        namespace="t",
        inputs={"n": Vector(names=("n",))},
        covariates=Vector(names=("x_mm", "y_mm")),
    )
    folder = layer_folder(tmp_path / "acts", values, (3,), spec, samples)
    placed = over_coordinates(axis_dictionary(UNITS), folder, ("x_mm", "y_mm"), 4, degrees=False, draw=None)
    table = samples.assign(value=values[:, :, 4].mean(1)).dropna()
    by_person = table.groupby(["x_mm", "y_mm", "subject"])["value"].mean()
    expected = by_person.groupby(["x_mm", "y_mm"]).mean()
    assert len(placed.codes) == len(expected)
    np.testing.assert_array_equal(placed.where, np.array(expected.index.to_list()))
    np.testing.assert_allclose(placed.codes[:, 4], expected, atol=1e-6)
    np.testing.assert_allclose(placed.units[:, 4], expected, atol=1e-6)
    assert placed.without == 1
    assert len(placed.samples) == count - 1
    np.testing.assert_array_equal(placed.where[placed.at], samples.loc[placed.samples, ["x_mm", "y_mm"]])
    _, result, _ = assessed(folder, axis_dictionary(UNITS), coordinates=("x_mm", "y_mm"), one_a_subject=False)
    assert "1 samples have no coordinates" in result.sentence


def test_what_is_alike_within_a_person_is_no_pattern_of_places(tmp_path):
    random = np.random.default_rng(2)
    people, each = 60, 6
    home = random.random((people, 2)).repeat(each, 0)
    where = home + 0.01 * random.normal(size=home.shape)
    own = random.random((people, UNITS)).repeat(each, 0)
    samples = pd.DataFrame(
        {"subject": np.arange(people).repeat(each).astype(str), "x_mm": where[:, 0], "y_mm": where[:, 1]},
        index=[f"s{at}" for at in range(people * each)],
    )
    spec = DataSpec(
        targets={},
        name="d",
        namespace="t",
        inputs={"n": Vector(names=("n",))},
        covariates=Vector(names=("x_mm", "y_mm")),
    )
    folder = layer_folder(tmp_path / "acts", own[:, None], (1,), spec, samples)
    made = axis_dictionary(UNITS)
    rows, result, _ = assessed(folder, made, coordinates=("x_mm", "y_mm"), neighbours=4)
    assert result.value == 0
    assert len(rows) == result.n_samples == people
    assert rows["subject"].is_unique
    _, all_of_them, _ = assessed(folder, made, coordinates=("x_mm", "y_mm"), neighbours=4, one_a_subject=False)
    assert all_of_them.value == UNITS


def test_places_on_both_sides_of_the_date_line_are_neighbours():
    where = np.array([[0.0, 179.5], [0.0, -179.5], [0.0, 170.0], [0.0, -170.0]])
    near = nearest_neighbours(on_globe(where), 1).toarray()
    assert near.argmax(1).tolist() == [1, 0, 0, 1]
    degrees = np.random.default_rng(0).uniform(-1, 1, (40, 2)) * [85, 180]
    latitude, longitude = np.radians(degrees).T
    # The great circle, by the formula for small angles.
    half = (
        np.sin((latitude[:, None] - latitude) / 2) ** 2
        + np.cos(latitude)[:, None] * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    )
    np.fill_diagonal(half, np.inf)
    assert (nearest_neighbours(on_globe(degrees), 1).toarray().argmax(1) == half.argmin(1)).all()


# --- where positions lie ----------------------------------------------------------------------------------------------


def test_a_feature_of_one_time_is_found_over_the_layers_positions(tmp_path):
    positions = 40
    mean = np.full((positions, UNITS), 0.5)
    mean[:, 2] = np.exp(-((np.arange(positions) - 12) ** 2) / 18)
    mean[:, 5] = 1.0 + 0.5 * (-1.0) ** np.arange(positions)
    folder, values = layer(tmp_path / "acts", SIGNAL, (positions,), mean, noise=0.1)
    rows, result, _ = assessed(folder, axis_dictionary(UNITS))
    q, found = np.array(told(rows, "q")[0]), np.array(told(rows, "i")[0])
    assert set(np.flatnonzero(q <= 0.05)) == {2, 5}
    assert found[2] > 0.8
    assert found[5] < -0.8
    assert "more alike than by chance in 1, less alike in 1" in result.sentence
    assert told(rows, "shown")[0] == [2, 5]
    maps = np.array(told(rows, "maps")[0]).reshape(2, positions)
    np.testing.assert_allclose(maps, values.mean(0).T[[2, 5]], atol=1e-6)
    assert (rows["place"] == -1).all()
    assert set(rows["sample"]) == set(folder.samples.index)


def test_neighbours_that_are_less_alike_are_a_pattern_too_and_figures_are_means_over_folds(tmp_path):
    mean = np.full((40, UNITS), 0.5)
    bump = np.exp(-((np.arange(40) - 17) ** 2) / 18)
    mean[:, 2], mean[:, 7] = 0.5 + 0.4 * (-1.0) ** np.arange(40), bump
    folder, _ = layer(tmp_path / "one", SIGNAL, (40,), mean, noise=0.1)
    rows, result, protocol = assessed(folder, axis_dictionary(UNITS))
    assert result.value == 2
    assert "more alike than by chance in 1, less alike in 1." in result.sentence
    i = np.array(told(rows, "i")[0])
    assert i[2] < -0.5 < 0.5 < i[7]
    assert told(rows, "shown")[0] == [7, 2]
    # On another fold four other features have one, over fewer positions.
    mean = np.full((30, UNITS), 0.5)
    mean[:, [1, 4, 5, 6]] = bump[:30, None]
    folder, _ = layer(tmp_path / "other", SIGNAL, (30,), mean, people=20, noise=0.1, seed=1)
    more, other, _ = assessed(folder, axis_dictionary(UNITS))
    assert other.value == 4
    both = pd.concat([rows, more.assign(fold=1, subject="other " + more["subject"])], ignore_index=True)
    (found,) = protocol.conclude(both, context_of(folder))
    assert found.value == 3
    for name in ("chance", "baseline"):
        assert getattr(found, name) == pytest.approx((getattr(result, name) + getattr(other, name)) / 2)
    assert (found.n_samples, found.n_subjects) == (60 + 40, 30 + 20)
    assert found.sentence.startswith("3 of the 10 features")
    assert "have a pattern over 35 places" in found.sentence
    # More alike in one and in four, less alike in one and in none.
    assert "more alike than by chance in 2.5, less alike in 0.5." in found.sentence
    (figure,) = protocol.figures(both, context_of(folder)).values()
    assert [ax.get_title().split(":")[0] for ax in figure.axes if ax.axison] == ["f7", "f2"]


def test_positions_that_no_sample_has_are_no_places_and_people_count_alike(tmp_path):
    positions, people, each = 30, 5, 3
    random = np.random.default_rng(0)
    keep = random.random((people * each, positions)) < 0.6
    keep[:, 7] = False
    folder, values = layer(
        tmp_path / "acts", SIGNAL, (positions,), np.ones((positions, UNITS)), people=people, each=each, keep=keep
    )
    placed = over_positions(axis_dictionary(UNITS), folder)
    assert placed.where[:, 0].tolist() == [at for at in range(positions) if at != 7]
    for row, at in enumerate(placed.where[:, 0].astype(int)):
        own = [values[p * each : (p + 1) * each, at, 3][keep[p * each : (p + 1) * each, at]] for p in range(people)]
        assert placed.codes[row, 3] == pytest.approx(np.mean([one.mean() for one in own if len(one)]), abs=1e-6)
    # Beside the gap there is a neighbour on one side only.
    six = placed.where[:, 0].tolist().index(6)
    assert placed.neighbours[[six]].nonzero()[1].tolist() == [six - 1]


def test_cells_of_a_layer_have_four_neighbours_unless_corners_are_asked_for(tmp_path):
    folder, values = layer(tmp_path / "acts", IMAGE, (4, 5), np.ones((20, UNITS)), people=4)
    for options, diagonal in (({}, False), ({"diagonal": True}, True)):
        placed = over_positions(axis_dictionary(UNITS), folder, **options)
        expected = grid_neighbours((4, 5), diagonal=diagonal).toarray()
        np.testing.assert_allclose(placed.neighbours.toarray(), expected)
    np.testing.assert_allclose(placed.codes, values.mean(0), atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "shape", "axes"),
    [
        (SIGNAL, (25,), ("time",)),
        (SIGNAL, (3, 25), ("channel", "time")),
        (SIGNAL, (5, 25), ("position", "time")),
        (SIGNAL, (3, 5, 25), ("position",) * 3),
        (IMAGE, (8, 8), ("row", "column")),
        (IMAGE, (64,), ("position",)),
        (Volume(channels=("ct",), size=(8, 8, 8), units="HU"), (2, 4, 4), ("slice", "row", "column")),
        (Trajectory(names=("x",), length=9, dt_s=0.1, units=("m",)), (9,), ("step",)),
        (Trajectory(names=("x",), length=9, dt_s=0.1, units=("m",)), (1, 3), ("channel", "step")),
        (Text(vocabulary=9, length=12), (12,), ("token",)),
        (Vector(names=("a", "b")), (2,), ("position",)),
        (Graph(node_features=("z",)), (7,), ("position",)),
        (None, (4,), ("position",)),
        (SIGNAL, (), ()),
    ],
)
def test_axes_of_a_layer_are_those_of_its_input(spec, shape, axes):
    assert axes_of(spec, shape) == axes


def test_neighbours_are_those_of_time_and_space_and_those_that_are_linked():
    def same(found, expected):
        np.testing.assert_allclose(found.toarray(), expected.toarray())

    same(position_neighbours(SIGNAL, (25,)), sequence_neighbours(np.zeros(25)))
    same(position_neighbours(IMAGE, (4, 5), diagonal=True), grid_neighbours((4, 5), diagonal=True))
    same(position_neighbours(SIGNAL, (3, 25)), sequence_neighbours(np.arange(3).repeat(25)))
    linked = position_neighbours(SIGNAL, (3, 4), [("I", "V1")]).toarray() > 0
    assert np.flatnonzero(linked[1]).tolist() == [0, 2, 9]
    assert np.flatnonzero(linked[5]).tolist() == [4, 6]
    assert np.flatnonzero(position_neighbours(SIGNAL, (3,), [("I", "V1")]).toarray()[0]).tolist() == [2]
    assert np.flatnonzero(position_neighbours(SIGNAL, (3,), [("0", "2")]).toarray()[0]).tolist() == [1, 2]
    assert np.flatnonzero(
        position_neighbours(Graph(node_features=("z",)), (4,), [("0", "3")]).toarray()[3]
    ).tolist() == [0]
    for shape, links, message in (
        ((7,), [], "stand in no order"),
        ((7,), [("0", "7")], "numbers 0 to 6"),
        ((7,), [("0", "V1")], "no axis of this layer"),
    ):
        with pytest.raises(DataError, match=message):
            position_neighbours(None, shape, links)
    with pytest.raises(DataError, match="channels are I, II, V1"):
        position_neighbours(SIGNAL, (3, 4), [("I", "V9")])


def test_linked_channels_are_neighbours_of_a_feature(tmp_path):
    names = tuple(f"c{at}" for at in range(24))
    ring = [(names[at], names[(at + 7) % 24]) for at in range(24)]
    order = [(7 * at) % 24 for at in range(24)]
    mean = np.full((24, UNITS), 0.5)
    mean[order, 1] = 1 + np.cos(np.arange(24) / 24 * 2 * np.pi)
    spec = Signal(channels=names, length=100, rate_hz=10.0, units="mV")
    folder, _ = layer(tmp_path / "acts", spec, (24,), mean, noise=0.1)
    rows, result, protocol = assessed(folder, axis_dictionary(UNITS), links=tuple(ring))
    assert result.value == 1
    assert told(rows, "shown")[0] == [1]
    (figure,) = protocol.figures(rows, context_of(folder)).values()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(names)


# --- the contract -----------------------------------------------------------------------------------------------------


def test_settings_that_the_data_do_not_have_are_refused_before_anything_is_fitted(tmp_path):
    folder, made, _, _ = towns(tmp_path / "acts", 60)
    context = context_of(folder)

    def said(**settings):
        return SpatialAutocorrelation(SpatialAutocorrelationConfig(**settings)).unfit(context)

    assert "no covariate z_mm; there are: x_mm, y_mm" in said(coordinates=("x_mm", "z_mm"))
    assert "latitude and longitude" in said(coordinates=("x_mm",), degrees=True)
    assert said(coordinates=("x_mm", "y_mm"), degrees=True) == ""
    alone = Context(folder.spec, "", {"linear": Linear.tags}, "prevalence", 0)
    assert "is a dictionary" in SpatialAutocorrelation().no_head(alone)
    with pytest.raises(DataError, match=r"60 places .* too few for 60 nearest"):
        assessed(folder, made, coordinates=("x_mm", "y_mm"), neighbours=60)
    plain = ArrayDataset(folder.spec, folder.frame, {"activations": np.zeros((60, UNITS), np.float32)})
    with pytest.raises(DataError, match="no positions in a layer"):
        over_positions(made, plain)


def test_what_no_fitting_could_mend_is_refused_and_what_a_test_side_lacks_is_said(tmp_path):
    folder, made, _, _ = towns(tmp_path / "towns", 60)
    heads = {"topk": made.head}

    def said(data, **settings):
        return SpatialAutocorrelation(SpatialAutocorrelationConfig(**settings)).unfit_for(data, heads, context_of(data))

    where = {"coordinates": ("x_mm", "y_mm")}
    assert said(folder, **where) == ""
    assert said(folder, **where, neighbours=60) == "its data have 60 places, too few for 60 neighbours each"
    assert "there are 60 places, and a feature must be active at 61" in said(folder, **where, least_active=61)
    short, _ = layer(tmp_path / "short", SIGNAL, (12,), np.ones((12, UNITS)))
    assert "there are 12 places, and a feature must be active at 20" in said(short)
    assert said(short, least_active=12) == ""
    assert "no positions V9 - I to link" in said(short, links=(("V9", "I"),))
    # Of all places there are enough, of those on the test side not.
    few = np.flatnonzero(folder.sources < 30)
    protocol = SpatialAutocorrelation(SpatialAutocorrelationConfig(**where, least_active=40, permutations=99))
    with pytest.raises(NotMeasurable, match="none of 10 features is active at 40 of 30 places or more"):
        protocol.examine(fold_of(folder, made, few))
    positions, _ = layer(
        tmp_path / "apart", SIGNAL, (40,), np.ones((40, UNITS)), keep=np.arange(40) % 2 + np.zeros((60, 1)) > 0
    )
    with pytest.raises(NotMeasurable, match="rows are of 20 positions of the layer, of which none is beside another"):
        SpatialAutocorrelation().examine(fold_of(positions, axis_dictionary(UNITS)))


def test_subjects_that_the_model_has_learnt_from_are_refused(tmp_path):
    from pellucid.data import LearnedFrom

    folder, made, _, _ = towns(tmp_path / "acts", 60)
    folder.made_by = LearnedFrom.of({"subject": ["p3"]}, "t")
    with pytest.raises(LeakageError):
        assessed(folder, made, coordinates=("x_mm", "y_mm"))


@pytest.mark.parametrize(
    ("spec", "shape", "panels"),
    [(SIGNAL, (40,), 1), (SIGNAL, (3, 20), 2), (IMAGE, (8, 8), 2),
     (Volume(channels=("ct",), size=(8, 8, 8), units="HU"), (3, 4, 4), 2)],
)  # fmt: skip
def test_maps_of_the_strongest_features_can_be_drawn_from_rows_that_were_kept(tmp_path, spec, shape, panels):
    grid = np.indices(shape)
    apart = sum((axis - length / 3) ** 2 for axis, length in zip(grid, shape, strict=True)).ravel()
    mean = np.full((apart.size, UNITS), 0.5)
    mean[:, 4] = np.exp(-apart / 8)
    folder, values = layer(tmp_path / "acts", spec, shape, mean, noise=0.1)
    rows, result, protocol = assessed(folder, axis_dictionary(UNITS))
    assert result.value >= 1
    rows.to_parquet(tmp_path / "rows.parquet")
    (figure,) = protocol.figures(pd.read_parquet(tmp_path / "rows.parquet"), context_of(folder)).values()
    FigureCanvasAgg(figure).draw()
    first = figure.axes[0]
    assert first.get_title().startswith("f4: I 0.")
    drawn = first.images[0].get_array() if first.images else first.lines[0].get_ydata()
    whole = values.mean(0)[:, 4].reshape(shape)
    np.testing.assert_allclose(drawn, whole[shape[0] // 2] if len(shape) == 3 else whole, atol=1e-5)
    if len(shape) == 3:
        assert "middle slice (2 of 3)" in first.get_title()
    assert len(figure.axes) >= panels


def test_a_map_is_as_large_as_what_it_is_of():
    grid = Grid.of(IMAGE, (8, 4))
    assert (grid.extent, grid.spacing_is_known) == ((32.0, 32.0), True)
    plain = Grid.of(Image(channels=("grey",), size=(20, 30), units="1"), (5, 6))
    assert (plain.extent, plain.spacing_is_known) == ((20.0, 30.0), False)
    assert Grid.of(SIGNAL, (3, 20)).extent == (3.0, 4.0)
    assert Grid.of(Text(vocabulary=9, length=12), (6,)).extent == (12.0,)
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    axis = Figure().subplots()
    draw_pattern(axis, np.arange(32.0), grid)
    assert axis.get_xlabel() == "columns (mm)"
    assert axis.images[0].get_extent() == [0.0, 32.0, 32.0, 0.0]


def test_a_scatter_has_north_up_and_each_place_once(tmp_path):
    folder, made, _, samples = towns(tmp_path / "acts", turn=False)
    rows, _, protocol = assessed(folder, made, coordinates=("x_mm", "y_mm"))
    (figure,) = protocol.figures(rows, context_of(folder)).values()
    FigureCanvasAgg(figure).draw()
    assert figure.axes[0].get_xlabel() == "x_mm"
    points = figure.axes[0].collections[0].get_offsets()
    assert sorted(map(tuple, np.asarray(points).tolist())) == sorted(
        map(tuple, samples[["x_mm", "y_mm"]].to_numpy().tolist())
    )
    rows, _, protocol = assessed(folder, made, coordinates=("x_mm", "y_mm"), degrees=True)
    (figure,) = protocol.figures(rows, context_of(folder)).values()
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("y_mm", "x_mm")


def pattern(values, grid: Grid):
    """A drawn pattern's axes, and those of its colour bar if it has one."""
    figure = Figure()
    draw_pattern(figure.subplots(), np.asarray(values, float), grid)
    FigureCanvasAgg(figure).draw()
    return figure.axes


def test_a_pattern_over_time_is_a_curve_whose_values_stand_in_the_middle_of_their_stretches():
    (ax,) = pattern([1.0, 3.0, 2.0, 0.5], Grid.of(SIGNAL, (4,)))
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1, 3, 2, 0.5])
    assert ax.get_xlim() == (0, 4)
    assert ax.get_ylim()[0] == 0
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "mean code")
    (ax,) = pattern([1.0, -3.0, np.nan, 0.5], Grid.of(SIGNAL, (4,)))
    assert ax.get_ylim()[0] < -3
    (ax,) = pattern(np.arange(6.0), Grid.of(Text(vocabulary=9, length=12), (6,)))
    np.testing.assert_allclose(ax.lines[0].get_xdata(), np.arange(1, 12, 2))
    assert ax.get_xlabel() == "token"


def test_positions_that_are_no_time_and_no_space_are_bars_in_their_order():
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    for shape in ((6,), (1, 6), (6, 1, 1)):
        (ax,) = pattern(values, Grid.of(None, shape))
        assert [one.get_height() for one in ax.patches] == values.tolist()
        assert ax.get_xlabel() == "position of the layer"
    for shape in ((2, 1, 3), (2, 3, 1)):
        plane = pattern(values, Grid.of(None, shape))[0]
        np.testing.assert_array_equal(plane.images[0].get_array(), values.reshape(2, 3))


def test_three_axes_that_are_no_space_are_laid_out_one_after_the_other():
    values = np.arange(3 * 5 * 25.0)
    (ax,) = pattern(values, Grid.of(SIGNAL, (3, 5, 25)))
    assert [one.get_height() for one in ax.patches] == values.tolist()


def test_channels_are_named_bars_from_the_top_down():
    (ax,) = pattern([2.0, 0.5, 1.0], Grid.of(SIGNAL, (3,), by_channel=True))
    assert [one.get_width() for one in ax.patches] == [2.0, 0.5, 1.0]
    assert [one.get_text() for one in ax.get_yticklabels()] == ["I", "II", "V1"]
    assert ax.get_ylim() == (2.5, -0.5)
    many = tuple(f"c{at}" for at in range(25))
    for count in (24, 25):
        spec = Signal(channels=many[:count], length=400, rate_hz=100.0, units="mV")
        (ax,) = pattern(np.ones(count), Grid.of(spec, (count,), by_channel=True))
        assert ([one.get_text() for one in ax.get_yticklabels()] == list(many[:count])) == (count == 24)


def test_channels_over_time_are_a_picture_with_seconds_below_and_names_beside():
    values = np.arange(60.0)
    ax, _ = pattern(values, Grid.of(SIGNAL, (3, 20)))
    np.testing.assert_array_equal(ax.images[0].get_array(), values.reshape(3, 20))
    assert ax.images[0].get_extent() == [0.0, 4.0, 2.5, -0.5]
    assert [one.get_text() for one in ax.get_yticklabels()] == ["I", "II", "V1"]
    assert ax.get_xlabel() == "time (s)"
    # White is nothing: from there to the largest, or to as far on both sides.
    assert ax.images[0].get_clim() == (0, 59)
    signed, _ = pattern(values - 50, Grid.of(SIGNAL, (3, 20)))
    assert signed.images[0].get_clim() == (-50, 50)
    assert signed.images[0].get_cmap().name != ax.images[0].get_cmap().name
    zero, _ = pattern(0 * values, Grid.of(SIGNAL, (3, 20)))
    assert zero.images[0].get_clim() == (0, 1)


def test_a_drawing_asks_for_room_by_what_it_shows():
    signal = Signal(channels=tuple(f"c{at}" for at in range(30)), length=400, rate_hz=100.0, units="mV")
    assert Grid.of(SIGNAL, (40,)).size_in == (3.4, 1.6)
    assert Grid.of(IMAGE, (8, 8)).size_in == (2.6, 2.2)
    few, many = (Grid.of(one, (len(one.channels), 20)).size_in for one in (SIGNAL, signal))
    assert few == (3.4, 1.8)
    assert many == pytest.approx((3.4, 0.15 * 24 + 0.6))
    bars = [Grid.of(one, (len(one.channels),), by_channel=True).size_in for one in (SIGNAL, signal)]
    assert bars[0] == (2.6, 1.6)
    assert bars[1] == pytest.approx((2.6, 0.17 * 24 + 0.6))


def test_one_coordinate_is_drawn_with_the_code_above_it():
    ax = Figure().subplots()
    draw_scatter(ax, np.array([0.5, -2.0, 1.0]), np.array([[3.0], [1.0], [2.0]]), ("depth_mm",))
    assert sorted(zip(ax.lines[0].get_xdata(), ax.lines[0].get_ydata(), strict=True)) == [(1, -2), (2, 1), (3, 0.5)]
    assert ax.get_xlabel() == "depth_mm"


def test_the_strongest_places_are_drawn_last():
    ax = Figure().subplots()
    where = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    draw_scatter(ax, np.array([0.5, -2.0, 1.0]), where, ("x_mm", "y_mm"))
    (points,) = ax.collections
    np.testing.assert_array_equal(points.get_offsets(), where[[0, 2, 1]])
    np.testing.assert_array_equal(points.get_array(), [0.5, 1.0, -2.0])
    assert points.get_clim() == (-2, 2)
    sizes = {}
    for count in (10, 100, 1000):
        ax = Figure().subplots()
        draw_scatter(ax, np.ones(count), np.random.default_rng(0).random((count, 2)), ("x_mm", "y_mm"))
        sizes[count] = ax.collections[0].get_sizes()[0]
    assert sizes == {10: 28, 100: 18, 1000: 4}


def test_four_maps_stand_in_two_rows_and_the_rest_is_empty(tmp_path):
    positions = 40
    mean = np.full((positions, UNITS), 0.5)
    for unit in (1, 4, 6, 8):
        mean[:, unit] = np.exp(-((np.arange(positions) - 4 * unit) ** 2) / 18)
    folder, values = layer(tmp_path / "acts", SIGNAL, (positions,), mean, noise=0.1)
    rows, result, protocol = assessed(folder, axis_dictionary(UNITS))
    assert result.value == 4
    (figure,) = protocol.figures(rows, context_of(folder)).values()
    assert [ax.axison for ax in figure.axes] == [True] * 4 + [False] * 2
    shown = [int(one) for one in told(rows, "shown")[0]]
    assert sorted(shown) == [1, 4, 6, 8]
    for ax, unit in zip(figure.axes, shown, strict=False):
        np.testing.assert_allclose(ax.lines[0].get_ydata(), values.mean(0)[:, unit], atol=1e-6)
        assert ax.get_title() == f"f{unit}: I {told(rows, 'i')[0][unit]:.2f}"
    i = np.array(told(rows, "i")[0])[shown]
    assert (np.diff(i) <= 0).all()
