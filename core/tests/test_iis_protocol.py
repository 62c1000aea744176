"""The interpretability score as an assessment: areas from rows, who chooses, planted groups, and what it says of nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data import ArrayDataset, Binary, DataSpec, MultiClass, MultiLabel, Regression, Split, Vector
from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError
from pellucid.heads.functions.linear import Linear
from pellucid.heads.mlp import Mlp
from pellucid.model import Model
from pellucid.protocols.audited import told, told_once
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.interpretability.retained import Retained
from pellucid.protocols.interpretability.score import Iis, IisConfig

UNITS, PEOPLE = 16, 500
QUICK = {"concepts": 20, "epochs": 8, "learning_rates": (1e-2, 1e-1), "batch_size": 64, "ratios": (0.0, 0.5, 0.9, 0.98)}


def dataset(*, apart: float = 5.0, turned: bool = False, seed: int = 0) -> ArrayDataset:
    """Two samples a person, eight groups in two classes. Turned: on the test side, people from 350 on, labels are the others."""
    random = np.random.default_rng(seed)
    person = np.arange(2 * PEOPLE) // 2
    group = random.integers(8, size=PEOPLE)[person]
    x = random.normal(size=(len(person), UNITS)) + apart * np.eye(UNITS)[group]
    y = (group % 2).astype(float)
    y = np.where((person >= 350) & turned, 1 - y, y)
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in person], "y": y}, index=[f"s{at}" for at in range(len(person))]
    )
    spec = DataSpec(
        name="d", namespace="d", inputs={"x": Vector(names=tuple(f"u{at}" for at in range(UNITS)))},
        targets={"y": Binary(names=("no", "yes"))},
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"x": (7 * x + 3).astype(np.float32)})


def fold_of(data: ArrayDataset) -> FittedFold:
    encoder = Identity(Identity.config_type(inputs={"x": data.spec.input("x")}))
    names = tuple(f"x:u{at}" for at in range(UNITS))
    models = {
        part: Model({"x": encoder}, head(head.config_type(units=names, target=data.spec.target("y")))).eval()
        for part, head in (("linear", Linear), ("mlp", Mlp))
    }
    return FittedFold(data, "y", Split(0, np.arange(600), np.arange(600, 700), np.arange(700, 1000)), models, None, 0)


def context(data: ArrayDataset, target: str = "y") -> Context:
    return Context(data.spec, target, {"linear": Linear.tags, "mlp": Mlp.tags}, "", 0)


def concluded(data: ArrayDataset, **options):
    protocol = Iis(IisConfig(**{**QUICK, **options}))
    rows = protocol.examine(fold_of(data)).assign(fold=0)
    return rows, {r.metric: r for r in protocol.conclude(rows, context(data))}


def test_scores_are_areas_under_the_retention_of_the_rows():
    data = dataset()
    rows, found = concluded(data)
    standard = rows["standard"].mean()
    assert found["standard_accuracy"].value == pytest.approx(standard)
    assert standard > 0.9
    for name, value in (("kept", found["iis"].value), ("random", found["iis"].baseline)):
        retained = [rows[f"{name}:{ratio:g}"].mean() / standard for ratio in QUICK["ratios"]]
        area = sum((a + b) / 2 * w for a, b, w in zip(retained, retained[1:], (0.5, 0.4, 0.08), strict=False))
        assert value == pytest.approx(area)
    assert found["iis_norm"].value == pytest.approx(found["iis"].value / 0.98)
    assert found["iis"].low < found["iis"].value < found["iis"].high
    (usual,) = told(rows, "usual")
    assert found["iis"].chance == pytest.approx(0.98 * usual / standard)
    assert found["iis_norm"].chance == pytest.approx(usual / standard)
    assert (rows["part"] == "linear").all(), "heads that read the same representation count once"
    assert found["iis"].n_subjects == 150


def test_concepts_that_are_groups_keep_more_than_random_directions():
    _, found = concluded(dataset())
    score = found["iis"]
    assert score.passed
    assert score.value > 0.9
    assert score.value > score.baseline + 0.05
    assert "; the concepts keep more than random directions do (a score higher by" in score.sentence
    assert concluded(dataset(), library="prototype")[1]["iis"].value > score.chance + 0.2


def test_of_few_concepts_one_speaks_to_the_end():
    rows, found = concluded(dataset(), concepts=8)
    assert told(rows, "concepts") == [8]
    # Eight concepts, 98 % of them silent: the strongest one still tells the group.
    assert rows["kept:0.98"].mean() > 0.9
    assert found["iis"].value > 0.9


def test_test_labels_choose_nothing():
    straight, _ = concluded(dataset())
    turned, _ = concluded(dataset(turned=True))
    right = [c for c in straight if c.startswith(("kept:", "random:", "standard"))]
    assert len(right) == 9
    pd.testing.assert_frame_equal(1 - straight[right], turned[right])


def test_validation_subjects_of_the_training_side_choose(monkeypatch):
    from pellucid.protocols.interpretability import score

    seen, curves = [], []

    def watched(train, validation, test, concepts, **options):
        seen.append((train, validation, test))
        curves.append(original(train, validation, test, concepts, **options))
        return curves[-1]

    original = score.retention_curve
    monkeypatch.setattr(score, "retention_curve", watched)
    rows, _ = concluded(dataset())
    for name, curve in zip(("kept", "random"), curves, strict=True):
        for ratio, accuracy in zip(curve.ratios, curve.accuracies, strict=True):
            assert rows[f"{name}:{ratio:g}"].mean() == pytest.approx(accuracy)
        assert rows["standard"].mean() == pytest.approx(curve.standard)
    train, validation, test = seen[0]
    assert len(train.x) + len(validation.x) == 600
    assert len(test.x) == 300
    # People with two samples each stand on one side with both.
    assert len(train.x) % 2 == len(validation.x) % 2 == 0
    assert len(validation.x) == pytest.approx(120, abs=10)
    # Learnt from the learning subjects alone: these are exactly standardised, the others not.
    torch.testing.assert_close(train.x.mean(0), torch.zeros(UNITS), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.x.std(0, unbiased=False), torch.ones(UNITS), atol=1e-5, rtol=0)
    assert float(validation.x.mean(0).abs().max()) > 1e-3


def test_where_nothing_can_be_read_it_says_so():
    _, found = concluded(dataset(apart=0.0))
    assert found["iis"].passed is None
    assert "there is little to retain" in found["iis"].sentence
    assert found["standard_accuracy"].value < 0.65


@pytest.mark.filterwarnings("error")
def test_chance_above_all_that_could_be_retained_is_said():
    data = dataset()
    rows, _ = concluded(data)
    # Right in a fifth of the cases, where always saying the most frequent class is in a quarter or more.
    worse = rows.assign(standard=(np.arange(len(rows)) % 5 == 0).astype(float))
    found = {r.metric: r for r in Iis(IisConfig(**QUICK)).conclude(worse, context(data))}
    assert found["iis"].chance > 0.98
    assert (
        f"Chance ({found['iis'].chance:.2f}) is then above what retaining everything gives (0.98)"
        in found["iis"].sentence
    )
    assert found["iis"].passed is None
    assert "is then above" not in concluded(data)[1]["iis"].sentence
    none_right = rows.assign(standard=0.0)
    *lacking, standard = Iis(IisConfig(**QUICK)).conclude(none_right, context(data))
    assert [one.metric for one in lacking] == ["iis", "iis_norm"]
    assert f"right about none of {len(rows)} test samples" in lacking[0].because
    assert standard.value == 0
    assert Iis(IisConfig(**QUICK)).figures(none_right, context(data))


def test_subjects_of_whom_nothing_is_right_have_no_share_that_is_retained():
    rows = pd.DataFrame(
        {"part": "it", "fold": 0, "sample": ["a", "b", "c"], "subject": ["p", "q", "r"], "standard": [0.0, 0.0, 1.0]}
        | {f"{name}:{ratio}": [1.0, 0.0, 1.0] for name in ("kept", "random") for ratio in ("0", "0.5")}
    )
    rows = told_once(rows, {"concepts": 2, "usual": 0.5})
    retained = Retained(rows, "it", context(dataset()), 100)
    drawn = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(retained.retention("kept", 0.5)(drawn), [np.nan, 1, 2])
    interval = {one.metric: one for one in retained.results()}["iis"]
    assert np.isfinite([interval.value, interval.low, interval.high]).all()


def test_targets_that_are_not_classes_are_refused_before_anything_is_fitted():
    data = dataset()
    targets = {
        "age": Regression(names=("age",), units=("years",)),
        "both": MultiLabel(names=("a", "b")),
        "three": MultiClass(names=("a", "b", "c")),
    }
    data.spec = data.spec.model_copy(update={"targets": data.spec.targets | targets})
    said = {target: Iis().unfit(context(data, target)) for target in ("y", "three", "age", "both", "")}
    assert said["y"] == said["three"] == ""
    assert "of kind 'regression'" in said["age"]
    assert "of kind 'multilabel'" in said["both"]
    assert said[""]
    for ratios in ((0.5,), (0.5, 0.5), (0.2, 1.0)):
        with pytest.raises(ValueError, match="two or more different shares"):
            IisConfig(ratios=ratios)


def test_known_people_are_refused_and_the_figure_has_both_libraries():
    data = dataset()
    fold = fold_of(data)
    rows, _ = concluded(data)
    (figure,) = Iis().figures(rows, context(data)).values()
    assert [line.get_label() for line in figure.axes[0].lines[:2]] == ["concepts", "random directions"]
    np.testing.assert_allclose(
        figure.axes[0].lines[0].get_ydata()[-1], rows["kept:0.98"].mean() / rows["standard"].mean()
    )
    fold.models["linear"].head.learned_from = data.subset(range(600)).learned_from
    with pytest.raises(LeakageError):
        Iis().examine(dataclasses.replace(fold, split=dataclasses.replace(fold.split, test=np.arange(600))))


def test_units_count_alike_however_small_their_numbers_and_however_far_from_zero():
    data = dataset()
    x = (data.read(np.arange(len(data))).inputs["x"].astype(np.float64) - 3) / 7
    other = ArrayDataset(data.spec, data.frame, {"x": (np.logspace(-9, 3, UNITS) * (30 + x)).astype(np.float32)})
    plain, moved = (concluded(each, epochs=4, learning_rates=(1e-1,))[1] for each in (data, other))
    for name in ("iis", "standard_accuracy"):
        assert moved[name].value == pytest.approx(plain[name].value, abs=0.02)


def planted_rows(standard: int, kept: tuple[int, ...], random: tuple[int, ...], usual: float) -> pd.DataFrame:
    """A hundred people: the first so many are right, at shares of 0, 0.5 and 0.9."""

    def first(count: int) -> np.ndarray:
        return (np.arange(100) < count).astype(float)

    names = [str(at) for at in range(100)]
    columns = {
        f"{name}:{ratio:g}": first(count)
        for name, counts in (("kept", kept), ("random", random))
        for ratio, count in zip((0.0, 0.5, 0.9), counts, strict=True)
    }
    rows = pd.DataFrame(
        {"part": "linear", "fold": 0, "sample": names, "subject": names, "standard": first(standard), **columns}
    )
    return told_once(rows, {"concepts": 7, "usual": usual})


def test_what_is_kept_is_told_beside_random_directions_and_whether_it_is_shown():
    said = context(dataset())
    one = {r.metric: r for r in Iis().conclude(planted_rows(80, (80, 76, 60), (70, 40, 20), 0.3), said)}
    # Trapezia over 0.5 and 0.4 of (1, 0.95, 0.75) and (0.875, 0.5, 0.25).
    assert one["iis"].value == pytest.approx(0.5 * 0.975 + 0.4 * 0.85)
    assert one["iis"].baseline == pytest.approx(0.5 * 0.6875 + 0.4 * 0.375)
    assert one["iis"].chance == pytest.approx(0.9 * 0.3 / 0.8)
    assert one["iis_norm"].value == pytest.approx(one["iis"].value / 0.9)
    assert one["iis_norm"].baseline == pytest.approx(one["iis"].baseline / 0.9)
    assert one["iis"].passed is True
    assert one["iis_norm"].passed is None
    assert one["iis"].sentence.startswith(
        "With 90% of 7 concepts silent in each sample, a linear classifier keeps 75% of"
    )
    assert "(80%); the concepts keep more than random directions do (a score higher by 0.334," in one["iis"].sentence
    assert (one["standard_accuracy"].value, one["standard_accuracy"].chance) == (0.8, 0.3)
    same = {r.metric: r for r in Iis().conclude(planted_rows(80, (80, 76, 60), (80, 76, 60), 0.3), said)}
    assert same["iis"].passed is False
    assert (
        "that the concepts keep more than random directions do is not shown (a score higher by 0.000"
        in same["iis"].sentence
    )


@pytest.mark.parametrize(("usual", "trivial", "enough"), [(0.5, 75, 76), (0.25, 50, 51)])
def test_what_is_half_way_to_right_or_twice_the_usual_at_most_is_little_to_retain(usual, trivial, enough):
    for standard, little in ((trivial, True), (enough, False)):
        (one, *_) = Iis().conclude(planted_rows(standard, (30, 20, 10), (20, 10, 5), usual), context(dataset()))
        assert ("there is little to retain" in one.sentence) == little
        assert (one.passed is None) == little


def test_retention_is_drawn_with_its_intervals_and_the_most_frequent_class():
    rows = planted_rows(80, (80, 76, 60), (70, 40, 20), 0.3)
    (figure,) = Iis().figures(rows, context(dataset())).values()
    (panel,) = figure.axes
    kept, random, usual = panel.lines
    assert panel.get_title() == "linear"
    np.testing.assert_allclose(kept.get_xydata(), [[0, 1], [0.5, 0.95], [0.9, 0.75]])
    np.testing.assert_allclose(random.get_ydata(), [0.875, 0.5, 0.25])
    np.testing.assert_allclose(usual.get_ydata(), 0.3 / 0.8)
    bars = panel.collections[0].get_segments()
    assert all(low[1] <= value <= high[1] for (low, high), value in zip(bars, kept.get_ydata(), strict=True))
    assert bars[2][0][1] < 0.75 < bars[2][1][1]
    assert panel.get_ylim()[0] == 0
    assert Iis().figures(rows[:0], context(dataset())) == {}
