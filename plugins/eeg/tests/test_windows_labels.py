"""Windows lie where they may, and are of the class that covers them: by counting instants, which no code here does."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from pellucid.errors import DataError
from pellucid_eeg.recordings.recording import Segment, event_table
from pellucid_eeg.windows.classes import ClassesConfig, class_of, labels_named
from pellucid_eeg.windows.labels import contradictions, labelled_events, labels_of
from pellucid_eeg.windows.places import around_events, one_after_the_other


def events(*rows: tuple[float, float, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset_s", "duration_s", "label"])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("covered", [0.3, 0.5, 0.9, 1.0])
def test_a_window_is_of_the_class_that_covers_most_of_it(seed, covered):
    rng = np.random.default_rng(seed)
    otherwise = None if seed % 2 else 2
    # Odd hundredths, so that no share is on the edge of what is asked for.
    rows = [
        (round(rng.uniform(-2, 28), 2) + 0.003, round(rng.uniform(0.1, 6), 2), int(rng.integers(2))) for _ in range(8)
    ]
    table = events(*rows)
    starts = np.arange(0, 28, 1.7)
    found = labels_of(starts, 2.1, table, 3, otherwise=otherwise, covered=covered)
    expected = []
    for start in starts:
        times = start + (np.arange(4000) + 0.5) / 4000 * 2.1
        inside = np.zeros((3, 4000), bool)
        for onset, lasts, label in table.itertuples(index=False):
            inside[int(label)] |= (times >= onset) & (times < onset + lasts)
        if otherwise is not None:
            inside[2] = ~inside.any(0)
        shares = inside.mean(1)
        near = np.sort(shares)[-2:]
        unclear = abs(shares.max() - covered) < 2e-3 and covered < 1
        # At an edge that falls between two instants counting decides nothing.
        expected.append(
            None
            if unclear or near[1] - near[0] < 2e-3
            else shares.argmax()
            if shares.max() >= covered - 1e-12
            else np.nan
        )
    clear = [i for i, one in enumerate(expected) if one is not None]
    assert len(clear) > 8
    np.testing.assert_array_equal(found[clear], np.array([expected[i] for i in clear], float))


def test_an_edge_in_the_middle_of_a_window_counts_for_the_named_class():
    table = events((3.0, 4.0, 1))
    starts = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
    assert labels_of(starts, 2.0, table, 2, otherwise=0).tolist() == [0, 1, 1, 1, 0]
    assert np.isnan(labels_of(starts, 2.0, table, 2, otherwise=0, covered=0.51)[[1, 3]]).all()


def test_a_stretch_that_several_channels_tell_of_counts_once():
    twice = events((0.0, 0.8, 1), (0.2, 0.8, 1), (0.1, 0.3, 1))
    assert np.isnan(labels_of(np.array([0.0]), 2.0, twice, 2, covered=0.6))[0]


def test_moments_cover_nothing_and_are_not_taken_for_stretches():
    with pytest.raises(DataError, match=r'last 0 s.*cut = "events"'):
        labels_of(np.arange(3.0), 1.0, events((1.0, 0.0, 0)), 2)


def test_events_that_nobody_named_go_no_further_and_doubles_count_once():
    table = event_table([1, 2, 2, 3], [0, 0, 0, 1], ["go", "go", "go", "Mr Doe yawned"])
    named = labelled_events(table, {"go": 1})
    assert named.to_numpy().tolist() == [[1, 0, 1], [2, 0, 1]]
    assert contradictions(events((1, 0, 0), (1, 0, 1), (2, 0, 1))).tolist() == [1.0]


@pytest.mark.parametrize("ratio", [Fraction(1), Fraction(1, 2), Fraction(125, 128), Fraction(2)])
def test_windows_one_after_the_other_fill_each_segment_and_cross_none(ratio):
    rate_hz = float(64 * ratio)
    segments = (Segment(0, 640, 0.0), Segment(640, 700, 12.5), Segment(700, 1340, 20.0))
    length = round(2 * rate_hz)
    cut = one_after_the_other(segments, ratio, rate_hz, length, length)
    assert cut.segment.tolist() == [0] * 5 + [2] * 5 or ratio != 1
    for at, start, start_s in zip(cut.segment, cut.start, cut.start_s, strict=True):
        one = segments[at]
        old = (one.stop - one.start - 1) * ratio
        assert start >= 0
        assert start + length - 1 <= old
        assert start_s == pytest.approx(one.onset_s + start / rate_hz)
    assert set(cut.segment.tolist()) == {0, 2}


def test_a_stretch_of_one_sample_has_room_for_a_window_of_one():
    cut = one_after_the_other((Segment(0, 1, 3.0), Segment(1, 1, 5.0)), Fraction(1), 64.0, 1, 1)
    assert cut.segment.tolist() == [0]
    assert cut.start_s.tolist() == [3.0]


# --- classes that somebody names --------------------------------------------------------------------------------------


def named(**options):
    return labels_named(ClassesConfig(**options), "eeg-folder", "events", "")


def test_classes_are_numbered_as_they_come_and_time_without_one_comes_first():
    labels = named(classes={"T1": "left", "T2": "right", "T3": "left", "T4": "none"})
    assert labels.names == ("left", "right", "none")
    assert labels.of == {"T1": 0, "T2": 1, "T3": 0, "T4": 2}
    assert labels.otherwise is None
    labels = named(classes={"sz": "seizure"}, otherwise="background", target="state")
    assert (labels.names, labels.of, labels.otherwise) == (("background", "seizure"), {"sz": 1}, 0)
    assert labels.target == "state"
    labels = named(classes={"sz": "seizure", "bg": "background"}, otherwise="background")
    assert (labels.names, labels.otherwise) == (("seizure", "background"), 1)


@pytest.mark.parametrize("classes", [{}, {"a": "x"}, {"a": "x", "b": "x"}])
def test_fewer_than_two_classes_are_refused(classes):
    with pytest.raises(DataError, match=f"{len(set(classes.values()))} classes are named"):
        named(classes=classes)


@pytest.mark.parametrize("classes", [{"a": "x", "b": " "}, {" ": "x", "b": "y"}])
def test_classes_of_no_name_are_refused(classes):
    with pytest.raises(DataError, match="is empty"):
        named(classes=classes)


@pytest.mark.parametrize("cell", ["REST", "rEst", "Task A"])
def test_a_cell_is_of_the_class_that_it_names_and_other_capitals_are_a_slip(cell):
    labels = named(classes={"rest": "rest", "task a": "task"})
    assert class_of("rest", labels, "a.tsv") == 0
    assert class_of("task a", labels, "a.tsv") == 1
    assert np.isnan(class_of("", labels, "a.tsv"))
    assert np.isnan(class_of("resting", labels, "a.tsv"))
    with pytest.raises(
        DataError, match=rf"a\.tsv: '{cell}' is no class that is named; did you mean '{cell.lower()}'\?"
    ):
        class_of(cell, labels, "a.tsv")


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_window_around_an_event_lies_in_its_segment_or_nowhere():
    segments = (Segment(0, 640, 0.0), Segment(640, 1280, 15.0))
    onsets = np.array([0.05, 5.0, 9.5, 12.0, 15.2, 24.8])
    cut = around_events(segments, Fraction(1), 64.0, 64, onsets, -0.1)
    assert cut.event.tolist() == [1, 4]
    assert cut.segment.tolist() == [0, 1]
    np.testing.assert_allclose(cut.start_s, [4.9, 15.1], atol=1 / 128)
