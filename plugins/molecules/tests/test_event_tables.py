"""Tables of events: what is read, what is refused, in which bin an event is, and what is hidden."""

import numpy as np
import pandas as pd
import pytest

from pellucid.errors import DataError
from pellucid_molecules.events.pairs import Clock, EventPairs, bin_of
from pellucid_molecules.events.synthetic import EventsSynthetic, EventsSyntheticConfig
from pellucid_molecules.events.table import EventTable, EventTableConfig

ROWS = [("c", "a", 20.0), ("a", "b", 0.0), ("b", "a", 5.0), ("a", "b", 7.0), ("b", "c", 10.0)]


def table(folder, rows=ROWS, name="events.csv", columns=("source", "target", "time")):
    frame = pd.DataFrame(rows, columns=list(columns))
    path = folder / name
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, index=False)
    return path


def opened(path, **options):
    return EventTable(EventTableConfig(**{"bins": 4, "hidden": 0.0, "people": False, **options}), path)


@pytest.mark.parametrize("name", ["events.csv", "events.parquet"])
def test_events_of_a_pair_are_summed_in_the_bins_they_belong_to(tmp_path, name):
    data = opened(table(tmp_path, name=name))
    assert list(data.frame.index) == ["a + b", "a + c", "b + c"]
    events = data.read(np.array([0, 1, 2])).inputs["events"]
    # Time runs from 0 to 20 in four bins: 5 and 10 lie on edges, 20 at the end.
    assert events[0, 0].tolist() == [1, 2, 0, 0]
    assert events[0, 1] == pytest.approx([0, 0.4, 0, 0])
    assert events[0, 2] == pytest.approx([0, 0.16, 0, 0])
    assert events[1, 0].tolist() == [0, 0, 0, 1]
    assert events[1, 1] == pytest.approx([0, 0, 0, 1])
    assert events[2, 0].tolist() == [0, 0, 1, 0]
    assert data.frame["events"].to_numpy() == pytest.approx(np.log1p([3, 1, 1]))


def test_an_event_on_an_edge_belongs_to_the_right_whatever_the_rounding():
    for bins in (3, 7, 10, 49, 100, 365):
        edges = np.arange(bins + 1) / bins
        assert bin_of(edges, bins).tolist() == [*range(bins), bins - 1]
        assert bin_of(np.nextafter(edges[1:], 0), bins).tolist() == list(range(bins))


def test_rows_in_no_order_are_put_in_order_and_the_report_says_so(tmp_path):
    found = opened(table(tmp_path)).findings
    assert [(one.what, one.done) for one in found] == [("1 events are earlier than the row before", "put in order")]
    ordered = opened(table(tmp_path, rows=sorted(ROWS, key=lambda row: row[2]), name="other.csv"))
    assert ordered.findings == ()
    assert ordered.digest() == opened(table(tmp_path)).digest()


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [("1", 1), ("s", 1), ("min", 60), ("h", 60 * 60), ("day", 24 * 3600), ("year", 365.25 * 24 * 3600)],
)
def test_a_rate_is_bins_in_a_second_whatever_the_unit(tmp_path, unit, seconds):
    assert opened(table(tmp_path), unit=unit).spec.inputs["events"].rate_hz == pytest.approx(4 / (20 * seconds))


def test_when_time_begins_makes_no_difference(tmp_path):
    late = [(one, other, time + 100) for one, other, time in ROWS]
    one, other = opened(table(tmp_path), hidden=0.25), opened(table(tmp_path, late, "late.csv"), hidden=0.25)
    assert other.clock == Clock(100.0, 120.0, "s")
    assert one.spec.inputs["events"].rate_hz == other.spec.inputs["events"].rate_hz
    at = np.arange(3)
    assert np.array_equal(one.read(at).inputs["events"], other.read(at).inputs["events"])


def test_of_all_time_some_must_be_left_to_learn_from(tmp_path):
    path = table(tmp_path)
    with pytest.raises(DataError, match="all of 4 bins are hidden; hide a smaller share"):
        opened(path, hidden=0.9)
    late = {"ends": np.array([[0, 1], [1, 2]]), "times": np.array([0.9, 1.0]), "clock": Clock(), "bins": 4}
    with pytest.raises(DataError, match="no event in the time that may be learnt from"):
        EventPairs(name="late", namespace="late", about="", nodes=("a", "b", "c"), hidden=0.25, **late)
    # Whole bins, as many as come nearest: 0.6 of four are two.
    assert opened(path, hidden=0.6).hidden_bins.tolist() == [False, False, True, True]


def test_any_pairs_in_any_order_have_their_own_events(tmp_path):
    rng = np.random.default_rng(0)
    ends = np.array([rng.choice(7, 2, replace=False) for _ in range(300)])
    times = rng.random(300)
    data = opened(table(tmp_path, [(f"n{a}", f"n{b}", time) for (a, b), time in zip(ends, times, strict=True)]), bins=5)
    at = rng.permutation(np.repeat(np.arange(len(data)), 2))
    arrays = data.read(at)
    when = (times - times.min()) / (times.max() - times.min()) * 5
    for (one, other), events in zip(arrays.inputs["pair"], arrays.inputs["events"], strict=True):
        own = when[(np.sort(ends, 1) == sorted((one, other))).all(1)]
        inside = [own[(own >= low) & ((own < low + 1) | (low == 4))] - low for low in range(5)]
        assert events[0].tolist() == [len(some) for some in inside]
        assert events[1] == pytest.approx([some.sum() for some in inside], abs=1e-5)
        assert events[2] == pytest.approx([(some**2).sum() for some in inside], abs=1e-5)


def test_units_of_time_are_kept(tmp_path):
    spec = opened(table(tmp_path), unit="h").spec.inputs["events"]
    assert spec.rate_hz == pytest.approx(4 / (20 * 3600))
    assert (spec.preparation["start"], spec.preparation["stop"], spec.preparation["unit"]) == (0.0, 20.0, "h")


def test_the_end_of_time_is_masked_and_not_in_the_label(tmp_path):
    data = opened(table(tmp_path), hidden=0.25)
    arrays = data.read(np.arange(3))
    assert arrays.masks["events"][:, 0].tolist() == [[True, True, True, False]] * 3
    assert arrays.inputs["events"][1, 0].tolist() == [0, 0, 0, 1]
    assert data.frame["events"].to_numpy() == pytest.approx(np.log1p([3, 0, 1]))


def test_names_of_people_leave_the_table_nowhere(tmp_path):
    rows = [("Anna Berg", "Bo Lind", 1.0), ("Bo Lind", "Cecilia Ek", 2.0)]
    data = opened(table(tmp_path, rows), people=True)
    told = data.frame.to_csv() + data.spec.model_dump_json()
    assert not any(name in told for name in ("Anna", "Lind", "Cecilia"))
    assert "Bo Lind" in opened(table(tmp_path, rows)).frame.to_csv()


def test_an_event_of_a_node_with_itself_is_refused_or_left_out(tmp_path):
    path = table(tmp_path, [*ROWS, ("b", "b", 3.0)])
    with pytest.raises(DataError, match=r"row 6: both ends are the same node .*self_events"):
        opened(path)
    data = opened(path, self_events="leave out")
    assert data.findings[0].what == "1 events of a node with itself"
    assert data.findings[0].where == "first in row 6"
    assert data.read(np.arange(3)).inputs["events"][:, 0].sum() == 5


def test_nodes_with_few_events_are_left_out_and_said(tmp_path):
    rows = [*ROWS, ("a", "d", 3.0), ("d", "b", 4.0), ("e", "a", 6.0)]
    data = opened(table(tmp_path, rows), least_events=2)
    assert data.spec.inputs["pair"].names["node"] == ("a", "b", "c", "d")
    assert "1 nodes with fewer than 2 events" in [one.what for one in data.findings]
    with pytest.raises(DataError, match=r"no event is left; .*least_events"):
        opened(table(tmp_path, rows), least_events=100)


@pytest.mark.parametrize(
    ("rows", "columns", "told"),
    [
        ([("a", "b", "soon"), ("b", "c", "2")], ("source", "target", "time"), "line 2, column 'time'.*is no number"),
        ([("a", "b", ""), ("b", "c", "2")], ("source", "target", "time"), "line 2, column 'time'"),
        ([("a", None, 1), ("b", "c", 2)], ("source", "target", "time"), "line 2, column 'target'.*is empty"),
        ([("a", "b", 1), ("b", "c", 2)], ("source", "target", "times"), "no column 'time'.*'times'"),
        ([("a", "b", 2), ("b", "c", 2)], ("source", "target", "time"), "all 2 events are at one time"),
        (
            [("a", "b", 1), ("b", "c", -1e308), ("c", "a", 1e308)],
            ("source", "target", "time"),
            "a time is -1e.308; times are 1e.20 at",
        ),
        ([("a", "b", 1), ("b", "a", 2)], ("source", "target", "time"), "2 nodes have 1 pairs"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(tmp_path, rows, columns, told):
    with pytest.raises(DataError, match=told):
        opened(table(tmp_path, rows, columns=columns))


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("time", [1.0, np.nan], "row 2, column 'time': is empty"),
        ("time", [np.inf, 2.0], "row 1, column 'time': is no number"),
        ("time", ["1", "2"], "column 'time': holds no numbers"),
        ("source", [None, "a"], "row 1, column 'source': is empty"),
    ],
)
def test_a_wrong_parquet_table_is_refused_with_its_row(tmp_path, column, value, told):
    frame = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "time": [1.0, 2.0]})
    frame[column] = value
    frame.to_parquet(tmp_path / "events.parquet")
    with pytest.raises(DataError, match=rf"events\.parquet, {told}"):
        opened(tmp_path / "events.parquet")


def test_a_table_that_is_none_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="name the table, or its folder, with --data"):
        EventTable()
    with pytest.raises(DataError, match=r"events\.csv: is not there"):
        opened(tmp_path)
    (tmp_path / "events.txt").write_text("a,b,1")
    with pytest.raises(DataError, match=r"events\.txt: is none of \.csv, \.tsv, \.parquet"):
        opened(tmp_path / "events.txt")
    (tmp_path / "events.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"events\.parquet: is no parquet table that can be read"):
        opened(tmp_path / "events.parquet")
    table(tmp_path, name="more.parquet", columns=("sorce", "target", "time"))
    with pytest.raises(DataError, match=r"there is no column 'source'; did you mean 'sorce'.*the option one names it"):
        opened(tmp_path / "more.parquet")
    table(tmp_path)
    assert len(opened(tmp_path)) == 3


def test_made_up_events_read_no_folder_and_are_as_many_as_asked(tmp_path):
    with pytest.raises(DataError, match="reads no file"):
        EventsSynthetic(data=tmp_path)
    for seed in range(3):
        data = EventsSynthetic(EventsSyntheticConfig(seed=seed))
        assert len(data.drawn.times) == pytest.approx(4000, abs=200)
        events = data.read(np.arange(len(data))).inputs["events"]
        assert events[:, 0].sum() == len(data.drawn.times)
