"""Which stretches of time are judged for which task, by whom, and that nothing hidden shows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from pellucid.batch import Batch
from pellucid.data import ArrayDataset, DataSpec, Nodes, Regression, Signal
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.rates import NodePaths
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.protocols.audited import told as facts
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.temporal.figure import four_views, most_changing
from pellucid.protocols.temporal.links import TemporalLinks, TemporalLinksConfig
from pellucid.representation import Representation
from pellucid.result import NotMeasured
from pellucid.views.paths import in_two

NODES, BINS = 12, 10
PAIRS = np.column_stack(np.triu_indices(NODES, 1))
FIRST, SECOND = (np.random.default_rng(at).normal(size=(NODES, 2)) for at in (1, 2))
TIMES = np.arange(BINS + 1) / BINS
PLACES = np.where((TIMES < 0.5)[:, None, None], FIRST, SECOND)


def rates(moving):
    far = np.linalg.norm(PLACES[:-1, PAIRS[:, 0]] - PLACES[:-1, PAIRS[:, 1]], axis=-1).T
    found = 3 * np.exp(-(far**2))
    return found if moving else np.repeat(found.mean(1, keepdims=True), BINS, axis=1)


class Telling(Encoder):
    """Knows the true rates, or their means over time."""

    tags = EncoderTags(accepts=("nodes", "signal"), several_inputs=True)
    config_type = EncoderConfig
    pair_name, events_name, names = "pair", "events", ("one", "other")

    def __init__(self, config, moving):
        super().__init__()
        self.config, self.moving = config, moving

    def forward(self, batch: Batch):
        return Representation(batch.inputs["pair"].float(), self.names)

    def expected(self, pairs):
        at = [int(np.flatnonzero((pair == PAIRS).all(1))[0]) for pair in pairs.numpy()]
        return torch.from_numpy(rates(self.moving)[at])

    def paths(self):
        return NodePaths(TIMES, PLACES, np.zeros(NODES), tuple(map(str, range(NODES)))) if self.moving else None


class Silent(Encoder):
    """Knows no rates."""

    tags = Telling.tags
    config_type = EncoderConfig
    names = Telling.names

    def __init__(self, config):
        super().__init__()
        self.config = config

    forward = Telling.forward


def fold(hidden=2, encoders=None, late=0):
    counts = np.random.default_rng(0).poisson(rates(True))
    counts[:, 8:] += late
    events = np.stack([counts, counts / 2, counts / 3], axis=1).astype(np.float32)
    mask = np.broadcast_to(np.arange(BINS) < BINS - hidden, events.shape).copy()
    ids = [f"{a} + {b}" for a, b in PAIRS]
    frame = pd.DataFrame({"pair": ids, "y": counts.sum(1).astype(float)}, index=ids)
    names = tuple(map(str, range(NODES)))
    inputs = {
        "pair": Nodes(roles=("one", "other"), types=("node", "node"), names={"node": names}),
        "events": Signal(channels=("events", "time", "squared time"), length=BINS, rate_hz=BINS, units="1"),
    }
    spec = DataSpec(
        name="met",
        inputs=inputs,
        namespace="met",
        groups=("pair",),
        group_word=("pair", "pairs"),
        seen=("nodes",),
        targets={"y": Regression(names=("y",), units=("1",))},
    )
    data = ArrayDataset(spec, frame, {"pair": PAIRS, "events": events}, {"events": mask})
    order = np.random.default_rng(5).permutation(len(PAIRS))
    split = Split(0, np.sort(order[:40]), np.sort(order[40:46]), np.sort(order[46:]))
    config = EncoderConfig(inputs=inputs)
    encoders = encoders or {"moving": Telling(config, True), "still": Telling(config, False)}
    head = Linear.config_type(units=("one", "other"), target=spec.targets["y"])
    models = {part: Model({"e": one}, Linear(head)) for part, one in encoders.items()}
    for model in models.values():
        model.head.learned_from = data.subset(split.train).learned_from
    tags = {part: model.head.tags for part, model in models.items()}
    return FittedFold(data, "y", split, models, None, 0), Context(spec, "y", tags, "training mean", 0), counts


def test_each_task_is_judged_on_its_own_pairs_and_bins():
    fitted, context, counts = fold()
    protocol = TemporalLinks(TemporalLinksConfig(against=("still",)))
    rows = protocol.examine(fitted)
    results = {(one.metric, one.part): one for one in protocol.conclude(rows.assign(fold=0), context)}
    train, test = fitted.split.train, fitted.split.test
    seen, new = np.arange(BINS) < 8, np.arange(BINS) > 7
    sides = {"completion": (test, seen), "prediction": (train, new), "reconstruction": (train, seen)}
    for task, (pairs, bins) in sides.items():
        cells = np.ix_(pairs, np.flatnonzero(bins))
        labels = counts[cells].ravel() > 0
        for part, moving in (("moving", True), ("still", False)):
            scores = rates(moving)[cells].ravel()
            assert results[f"{task}_auroc", part].value == pytest.approx(roc_auc_score(labels, scores))
            assert results[f"{task}_auprc", part].value == pytest.approx(average_precision_score(labels, scores))
        assert results[f"{task}_auprc", "moving"].chance == pytest.approx(labels.mean())
        assert results[f"{task}_auroc", "moving"].n_subjects == len(pairs)
        if task != "prediction":
            assert results[f"{task}_auroc", "moving"].baseline == results[f"{task}_auroc", "still"].value
            assert (f"{task}_auroc_minus_persistence", "moving") not in results
    said = {task: results[f"{task}_auroc", "moving"].labelled(context.spec.judged_on).judged_on for task in sides}
    assert said == {
        "completion": "unseen pairs, seen nodes",
        "prediction": "unseen times, seen pairs",
        "reconstruction": "seen pairs and times",
    }
    gain = results["completion_auroc_minus_still", "moving"]
    assert gain.value == pytest.approx(
        results["completion_auroc", "moving"].value - results["completion_auroc", "still"].value
    )
    assert gain.low > 0
    assert all(one.higher_is_better for one in results.values())
    assert ("completion_auroc_minus_still", "still") not in results


def test_a_prediction_stands_beside_pairs_that_go_on_as_they_were():
    fitted, context, counts = fold()
    protocol = TemporalLinks(TemporalLinksConfig(against=("still",)))
    rows = protocol.examine(fitted).assign(fold=0)
    results = {(r.metric, r.part): r for r in protocol.conclude(rows, context)}
    of = counts[fitted.split.train]
    # Two bins are hidden, and two before them are what is known last.
    before = rows.loc[(rows["task"] == "prediction") & (rows["part"] == "moving"), "before"]
    assert before.tolist() == np.repeat(of[:, 6:8].sum(1), 2).tolist()
    area = roc_auc_score(of[:, 8:].ravel() > 0, np.repeat(of[:, 6:8].sum(1), 2))
    moving = results["prediction_auroc", "moving"]
    assert area > results["prediction_auroc", "still"].value
    assert (moving.baseline, moving.baseline_name) == (pytest.approx(area), "persistence")
    assert results["prediction_auroc_minus_persistence", "moving"].value == pytest.approx(moving.value - area)


def test_of_many_stretches_the_same_are_drawn_for_all_parts():
    fitted, _, counts = fold()
    rows = TemporalLinks(TemporalLinksConfig(cells=100)).examine(fitted)
    again = TemporalLinks(TemporalLinksConfig(cells=100)).examine(fitted)
    pd.testing.assert_frame_equal(rows, again)
    whole = {"completion": 20 * 8, "prediction": 40 * 2, "reconstruction": 40 * 8}
    for task, cells in whole.items():
        moving, still = (rows[(rows["task"] == task) & (rows["part"] == part)] for part in ("moving", "still"))
        assert len(moving) == min(cells, 100)
        assert not moving.duplicated(["sample", "bin"]).any()
        for column in ("sample", "bin", "label"):
            assert moving[column].tolist() == still[column].tolist()
        at = [fitted.dataset.frame.index.get_loc(one) for one in moving["sample"]]
        assert moving["label"].tolist() == (counts[at, moving["bin"]] > 0).astype(float).tolist()
        assert moving["score"].to_numpy() == pytest.approx(rates(True)[at, moving["bin"]])
        assert moving["before"].isna().all() == (task != "prediction")
    late = dataclasses.replace(fitted, split=dataclasses.replace(fitted.split, fold=1))
    assert facts(TemporalLinks().examine(late), "paths") == []


def test_pairs_whose_distance_changes_the_most_are_drawn():
    places = np.zeros((3, 4, 2))
    places[:, 1, 0], places[:, 2, 1], places[:, 3] = [1, 5, 1], [2, 2, 3], [9, 9]
    paths = NodePaths(np.array([0, 0.5, 1]), places, np.zeros(4), tuple("abcd"))
    far = {(a, b): np.linalg.norm(places[:, a] - places[:, b], axis=1) for a in range(4) for b in range(a + 1, 4)}
    order = sorted(far, key=lambda pair: far[pair].min() - far[pair].max())
    assert most_changing(paths) == order[:3]


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_places_in_a_plane_are_drawn_as_far_from_each_other_as_they_are(width):
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(6, 4, min(width, 2))) * [3.0, 1.0][: min(width, 2)]
    turned = np.linalg.qr(rng.normal(size=(width, width)))[0][: flat.shape[-1]]
    places = flat @ turned + (7.0 if width > 2 else 0.0)
    drawn = in_two(places)
    assert drawn.shape == (6, 4, 2)

    def apart(some):
        some = some.reshape(-1, some.shape[-1])
        return np.linalg.norm(some[:, None] - some, axis=-1)

    assert apart(drawn) == pytest.approx(apart(places), abs=1e-9)
    if width > 2:
        assert np.ptp(drawn[..., 0]) > np.ptp(drawn[..., 1])


def test_paths_levels_and_turns_are_drawn_as_they_are():
    places = PLACES
    paths = NodePaths(TIMES, places, np.arange(NODES) / 10, tuple(map(str, range(NODES))))
    events = np.arange(BINS)
    in_plane, far, parts, turning = four_views(paths, [2, 5], events).axes
    assert len(in_plane.collections) == NODES
    for node, (way, name) in enumerate(zip(in_plane.collections, in_plane.texts, strict=True)):
        corners = [places[0, node], *(segment[1] for segment in way.get_segments())]
        assert np.array(corners) == pytest.approx(places[:, node])
        # Where it ends stands its name.
        assert name.get_text().strip() == str(node)
        assert name.get_position() == pytest.approx(tuple(places[-1, node]))
    assert len(far.lines) == 3
    levels, away, log_rate = (line.get_ydata() for line in parts.lines)
    assert levels == pytest.approx(np.full(400, 0.7))
    assert away[0] == pytest.approx(-((FIRST[2] - FIRST[5]) ** 2).sum())
    assert log_rate == pytest.approx(levels + away)
    heights = np.array([bar.get_height() for bar in parts.patches])
    assert heights / heights.max() == pytest.approx(events / events.max())
    assert [bar.get_x() for bar in parts.patches] == pytest.approx(TIMES[:-1], abs=1e-9)
    assert turning.lines[0].get_ydata() == pytest.approx(paths.turns)
    assert [line.get_xdata()[0] for line in turning.lines[1:]] == pytest.approx(paths.changes())


def test_pairs_that_a_model_has_learnt_from_are_no_completion():
    fitted, _, _ = fold()
    leaky = dataclasses.replace(fitted, split=dataclasses.replace(fitted.split, test=fitted.split.train))
    with pytest.raises(LeakageError):
        TemporalLinks().examine(leaky)


def test_what_is_drawn_shows_no_hidden_event_and_no_test_pair():
    fitted, context, counts = fold(late=5)
    rows = TemporalLinks().examine(fitted)
    told = facts(rows, "paths")
    assert len(told) == 1
    at = int(np.flatnonzero((told[0]["pair"] == PAIRS).all(1))[0])
    assert at in fitted.split.train
    assert told[0]["events"] == [*counts[at, :8], 0, 0]
    assert set(rows[rows["task"] == "completion"]["sample"]) == set(fitted.dataset.frame.index[fitted.split.test])
    (figure,) = TemporalLinks().figures(rows.assign(fold=0), context).values()
    pair = f"{told[0]['pair'][0]} and {told[0]['pair'][1]}"
    assert [ax.get_title() for ax in figure.axes[:4]] == ["paths", "distance", pair, "turns of all nodes"]


def test_where_no_time_is_hidden_nothing_is_predicted_and_the_rest_stands():
    fitted, context, _ = fold(hidden=0)
    protocol = TemporalLinks()
    results = protocol.conclude(protocol.examine(fitted).assign(fold=0), context)
    lacking = [one for one in results if isinstance(one, NotMeasured)]
    assert [(one.metric, one.part) for one in lacking] == [
        ("prediction_auroc", "moving"),
        ("prediction_auroc", "still"),
    ]
    assert "hide no time" in lacking[0].because
    assert len(results) - len(lacking) == 2 * 2 * 2


def test_where_all_hidden_stretches_have_events_that_is_what_is_said():
    fitted, context, _ = fold(late=5)
    protocol = TemporalLinks()
    results = protocol.conclude(protocol.examine(fitted).assign(fold=0), context)
    lacking = [one for one in results if isinstance(one, NotMeasured)]
    assert {one.metric for one in lacking} == {"prediction_auroc"}
    assert lacking[0].because == "all of 80 bins are alike: with an event, or without one"
    assert lacking[0].helps == "ask for shorter bins"


def test_differences_are_taken_pair_by_pair():
    config = EncoderConfig(inputs={})
    fitted, context, _ = fold(encoders={part: Telling(config, True) for part in ("one", "same")})
    protocol = TemporalLinks(TemporalLinksConfig(against=("one",)))
    found = {(r.metric, r.part): r for r in protocol.conclude(protocol.examine(fitted).assign(fold=0), context)}
    for task in ("completion", "prediction", "reconstruction"):
        same, one = found[f"{task}_auroc_minus_one", "same"], found[f"{task}_auroc", "one"]
        assert same.value == same.low == same.high == 0
        assert one.low < one.value < one.high
        assert one.chance == 0.5
        assert same.chance == pytest.approx(0.5 - one.value)


def test_a_part_that_knows_no_rates_is_left_out_of_what_is_said():
    fitted, context, _ = fold()
    rows = TemporalLinks().examine(fitted).assign(fold=0)
    more = dataclasses.replace(context, parts={"silent": context.parts["moving"], **context.parts})
    found = TemporalLinks(TemporalLinksConfig(against=("silent", "still"))).conclude(rows, more)
    without = TemporalLinks(TemporalLinksConfig(against=("still",))).conclude(rows, context)
    assert {one.part for one in found} == {"moving", "still"}
    assert [(one.metric, one.part, one.value) for one in found] == [
        (one.metric, one.part, one.value) for one in without
    ]


def test_models_that_know_no_rates_cannot_be_judged():
    config = EncoderConfig(inputs={})
    fitted, _, _ = fold(encoders={"silent": Silent(config)})
    with pytest.raises(NotMeasurable, match="how many events"):
        TemporalLinks().examine(fitted)


def test_it_fits_no_other_data_and_no_part_that_is_not_there():
    _, context, _ = fold()
    assert "no part here" in TemporalLinks(TemporalLinksConfig(against=("stil",))).unfit(context)
    inputs = {"events": context.spec.inputs["events"]}
    other = dataclasses.replace(context, spec=context.spec.model_copy(update={"inputs": inputs}))
    assert "pairs of nodes" in TemporalLinks().unfit(other)
