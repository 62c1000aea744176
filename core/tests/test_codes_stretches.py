"""The signals behind n-grams: which stretches are averaged, how they are laid over each other, and how many there are."""

from __future__ import annotations

import numpy as np
import pytest
from made_codes import LINE, PAIR, Made, Written, WrittenInTime, context, data, fold

from pellucid import plugins
from pellucid.protocols.audited import told
from pellucid.protocols.codes import stretches
from pellucid.protocols.codes.audit import CodesAudit, CodesAuditConfig
from pellucid.views.plain import signal
from pellucid.views.stretches import DrawsStretches, Measured, with_stretches

DRAWN: list = []


def draw(axes, means) -> None:
    DRAWN.append(list(means))
    for ax, one in zip(axes, means, strict=True):
        ax.set_title(one.caption)


# What is measured of a signal is the signal, in the middle of each second.
PLAIN = DrawsStretches(
    lambda values, spec: Measured(values[:, None, :], np.array([1.0]), np.arange(values.shape[1]) + 0.5),
    draw,
    lambda spec: f"Mean in {spec.units}.",
)


@with_stretches(PLAIN)
def traces(ax, values, spec, shown) -> None:
    signal(ax, values, spec, shown)


@pytest.fixture(autouse=True)
def seen(monkeypatch):
    DRAWN.clear()
    monkeypatch.setattr(stretches, "view_for", lambda spec, input: traces)


def audited(dataset, kind=Written, **options):
    audit = CodesAudit(CodesAuditConfig(**({"shown": 1, "lines": 1, "replicates": 200, "permutations": 5} | options)))
    made = fold(dataset, kind=kind)
    rows = audit.examine(made).assign(fold=0)
    kept = told(rows, "stretches")[0]
    return audit, rows, kept, dataset.read(made.split.test).inputs["x"], dataset.frame.iloc[made.split.test]


def entry_of(kept, one: str = "yes"):
    (entry,) = [row for row in kept["rows"] if row["class"] == one]
    return entry


def test_behind_a_code_of_a_band_is_all_of_the_signal_in_its_channel_and_nothing_of_the_training_people():
    dataset = data(told=0.5)
    _, _, kept, x, frame = audited(dataset)
    entry = entry_of(kept)
    codes = tuple(int(one) for one in entry["name"].removeprefix("codes ").removeprefix("code ").split("-"))
    assert set(codes) <= set(PAIR)
    at = np.argwhere((x[:, 2, 2:4] == PAIR).all(1))[:, 0]
    expected = x[at, 2].mean(0)
    assert entry["stretches"] == len(at)
    assert entry["subjects"] == frame["subject"].iloc[at].nunique()
    np.testing.assert_allclose(entry["mean"][0], expected, rtol=1e-3)
    np.testing.assert_allclose(kept["usual"], [x.mean()], rtol=1e-3)
    assert entry["times_s"] == (np.arange(LINE) + 0.5).tolist()


def test_a_code_of_a_span_has_what_is_before_and_after_it_as_far_as_the_sample_reaches():
    dataset = data(told=0.5)
    _, _, kept, x, _ = audited(dataset, WrittenInTime)
    entry = entry_of(kept)
    length = len(entry["name"].removeprefix("codes ").removeprefix("code ").split("-"))
    assert entry["covered"] == [0.0, float(length)]
    assert entry["times_s"] == (np.arange(-length, 2 * length) + 0.5).tolist()
    at = np.argwhere((x[:, 2, 2:4] == PAIR).all(1))[:, 0]
    first = 2 if entry["name"] in ("code 7", "codes 7-8") else 3
    expected = x[at, 2, first - length : first + 2 * length].mean(0)
    found = np.array(entry["mean"][0], float)
    assert found[length : 2 * length].tolist() == list(PAIR[first - 2 :][:length])
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_what_lies_outside_of_a_sample_is_in_no_mean():
    dataset = data(told=0.0)
    x = dataset.read(np.arange(len(dataset))).inputs["x"].copy()
    # What tells stands at the very end of a line now, so that nothing is known of what comes after.
    yes = dataset.frame["answer"].to_numpy() == 1
    x[:, 2, 2] = 0
    x[:, 2, 3] = 0
    x[yes, 2, LINE - 1] = PAIR[1]
    dataset = Made(dataset.spec, dataset.frame, {"x": x})
    _, _, kept, tested, _ = audited(dataset, WrittenInTime, longest=1)
    entry = entry_of(kept)
    here = tested[:, 2, LINE - 1] == PAIR[1]
    assert (entry["name"], entry["stretches"]) == ("code 8", here.sum())
    before, covered, after = entry["mean"][0]
    assert before == pytest.approx(tested[here, 2, LINE - 2].mean(), rel=1e-3)
    assert (covered, after) == (8.0, None)


@pytest.mark.parametrize(("kind", "both"), [(Written, False), (WrittenInTime, True)])
def test_of_bands_the_usual_one_alone_is_averaged_and_of_spans_all(kind, both):
    dataset = data(told=0.0)
    x = dataset.read(np.arange(len(dataset))).inputs["x"].copy()
    # Of every second person alone.
    some = np.isin(dataset.subjects, np.unique(dataset.subjects)[::2])
    yes = np.flatnonzero((dataset.frame["answer"].to_numpy() == 1) & some)
    x[:, 2, 2:4] = 0
    x[yes, 2, 1] = PAIR[1]
    # In every second of them the same code stands in another place too.
    x[yes[::2], 2, 4] = PAIR[1]
    _, _, kept, tested, frame = audited(Made(dataset.spec, dataset.frame, {"x": x}), kind, longest=1)
    entry = entry_of(kept)
    at_both = (tested[:, 2] == PAIR[1]).sum(0)
    assert entry["name"] == "code 8"
    assert entry["stretches"] == (at_both[1] + at_both[4] if both else at_both[1])
    assert entry["mean"][0][1] == 8.0
    assert at_both[4] > 0
    assert (
        entry["subjects"] == frame["subject"][(tested[:, 2] == PAIR[1]).any(1)].nunique() < frame["subject"].nunique()
    )


def test_unknown_values_are_in_no_mean(monkeypatch):
    from pellucid.batch import Batch

    dataset = data(told=1.0)
    plain = entry_of(audited(dataset)[2])
    known = Batch.known

    def half(batch, name):
        found = known(batch, name)
        values = batch.inputs[name]
        found = values.new_ones(values.shape, dtype=bool) if found is None else found.clone()
        found[:, :, 0] = False
        return found

    monkeypatch.setattr(Batch, "known", half)
    entry = entry_of(audited(dataset)[2])
    assert entry["mean"][0][0] is None
    assert entry["mean"][0][1:] == plain["mean"][0][1:]


def test_the_figure_stands_after_the_table_and_says_how_many_stretches_and_subjects():
    dataset = data(told=0.5)
    audit, rows, kept, _, _ = audited(dataset)
    entry = entry_of(kept)
    captions = list(audit.figures(rows, context(dataset)))
    table, picture = [one for one in captions if "“yes”" in one]
    assert captions.index(picture) == captions.index(table) + 1
    assert "Mean in 1." in picture
    (mean,) = [one for means in DRAWN for one in means if entry["name"] in one.caption]
    assert f"{entry['stretches']} stretches, {entry['subjects']} subjects" in mean.caption
    assert (mean.covered.low_hz, mean.covered.high_hz) == tuple(entry["covered"])
    np.testing.assert_allclose(mean.mean, np.array(entry["mean"], float))


def test_without_a_view_that_draws_stretches_there_is_no_figure_and_a_view_that_cannot_is_refused(monkeypatch):
    dataset = data(told=0.5)
    monkeypatch.setattr(plugins, "load", lambda kind, name: {"single": signal, "together": traces}[name])
    assert "draws single samples alone" in CodesAudit(CodesAuditConfig(view="single")).unfit(context(dataset))
    assert CodesAudit(CodesAuditConfig(view="together")).unfit(context(dataset)) == ""
    monkeypatch.setattr(stretches, "view_for", lambda spec, input: signal)
    assert audited(dataset, view="together")[2]["view"] == "together"
    audit, rows, kept, _, _ = audited(dataset)
    assert kept is None
    assert len(audit.figures(rows, context(dataset))) == 2
