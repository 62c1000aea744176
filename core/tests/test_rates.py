"""Paths of nodes: where they are between edges, what a rate is made of, when company changes."""

import numpy as np
import pytest

from pellucid.encoders.rates import NodePaths


def turned(seed=0, nodes=6, bins=10):
    """Nodes that stand, walk from 0.4 to 0.6, and stand again."""
    rng = np.random.default_rng(seed)
    before, after = rng.normal(size=(2, nodes, 2)) * 3
    times = np.arange(bins + 1) / bins
    share = np.clip((times - 0.4) / 0.2, 0, 1)[:, None, None]
    return NodePaths(times, (1 - share) * before + share * after, rng.normal(size=nodes), tuple("abcdef"[:nodes]))


def test_between_two_edges_nodes_walk_straight():
    paths = turned()
    middle = paths.at(0.5)
    assert middle == pytest.approx((paths.places[0] + paths.places[-1]) / 2)
    assert paths.at(np.array([0.0, 0.45, 1.0])) == pytest.approx(
        np.stack([paths.places[0], 0.75 * paths.places[0] + 0.25 * paths.places[-1], paths.places[-1]])
    )


def test_parts_of_a_log_rate_are_levels_and_the_squared_distance():
    paths = turned()
    away = paths.places[0, 1] - paths.places[0, 4]
    parts = paths.log_rate(1, 4, np.array([0.0, 1.0]))
    assert parts["distance"][0] == pytest.approx(-(away @ away))
    assert parts["one"] == pytest.approx([paths.levels[1]] * 2)
    assert parts["other"] == pytest.approx([paths.levels[4]] * 2)


def test_nodes_turn_when_they_begin_and_when_they_end_their_walk():
    paths = turned()
    assert paths.changes() == pytest.approx([0.4, 0.6])
    assert paths.half_way() == pytest.approx(0.5, abs=0.03)
    assert paths.speeds[:4] == pytest.approx(0, abs=1e-9)


def straight(*, bins=4):
    """One node stands, the other goes away from it at speed 2 along one axis, in unequal bins."""
    times = np.linspace(0, 1, bins + 1) ** 2
    places = np.zeros((bins + 1, 2, 2))
    places[:, 1, 0] = 2 * times
    return NodePaths(times, places, np.zeros(2), ("a", "b"))


def test_company_has_changed_by_half_in_the_middle_of_any_two_times():
    paths = straight()
    assert paths.half_way() == pytest.approx(0.5, abs=1e-3)
    assert paths.half_way(0.2, 0.6) == pytest.approx(0.4, abs=1e-3)
    assert paths.half_way(stop=0.5) == pytest.approx(0.25, abs=1e-3)


def test_speeds_and_turns_are_those_of_the_steps_whatever_their_length():
    paths = straight()
    assert paths.speeds == pytest.approx(np.tile([0.0, 2.0], (4, 1)))
    assert paths.turns == pytest.approx(np.zeros(3))
    places = paths.places.copy()
    # From the second edge on the other node goes along the second axis, at speed 1.
    places[2:, 1] = [places[1, 1] + [0, time - paths.times[1]] for time in paths.times[2:]]
    turned_once = NodePaths(paths.times, places, paths.levels, paths.names)
    assert turned_once.speeds[:, 1] == pytest.approx([2, 1, 1, 1])
    # Its velocity changes by (-2, 1); the mean square over both nodes is 5 / 2.
    assert turned_once.turns == pytest.approx([np.sqrt(5 / 2), 0, 0])
    assert turned_once.changes() == pytest.approx([paths.times[1]])


def test_only_what_stands_out_of_all_turns_is_a_change():
    velocity = np.cumsum([0.0, 1, -1.1, 0.9, -1, 1.2, -4, 1])
    times = np.arange(9) / 8
    places = np.zeros((9, 3, 1))
    places[1:, 0, 0] = np.cumsum(velocity) / 8
    paths = NodePaths(times, places, np.zeros(3), tuple("abc"))
    assert paths.turns * np.sqrt(3) == pytest.approx([1, 1.1, 0.9, 1, 1.2, 4, 1])
    assert paths.changes() == pytest.approx([6 / 8])
    # Turns are 1 in the middle and lie 0.1 from it; 1.2 is two of these away.
    # The last but one is 30 away; of fewer than 6 none is a change unless somebody says so.
    assert paths.changes(29) == pytest.approx([6 / 8])
    assert len(paths.changes(31)) == 0
    assert paths.changes(1.9) == pytest.approx([5 / 8, 6 / 8])
    assert len(NodePaths(times[[0, 8]], places[[0, 8]], np.zeros(3), tuple("abc")).changes()) == 0


def test_two_nodes_that_cross_are_nearest_where_they_do():
    places = np.array([[[0.0, 0.0], [4.0, 1.0]], [[4.0, 0.0], [0.0, 1.0]]])
    paths = NodePaths(np.array([0.0, 1.0]), places, np.zeros(2), ("a", "b"))
    assert paths.nearest(0, 1) == pytest.approx(0.5)
    assert paths.distance(0, 1, 0.5) == pytest.approx(1.0)


def test_paths_that_were_turned_mirrored_and_shifted_are_laid_on_each_other_again():
    paths = turned()
    mirror = np.array([[0.0, 1.0], [1.0, 0.0]])
    other = NodePaths(paths.times, paths.places @ mirror + [5.0, -2.0], paths.levels, paths.names)
    assert other.aligned(paths).places == pytest.approx(paths.places)
    stretched = NodePaths(paths.times, 2 * paths.places, paths.levels, paths.names).aligned(paths)
    assert np.abs(stretched.places - paths.places).max() > 0.5
