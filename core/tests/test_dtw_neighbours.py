"""Dynamic time warping against a plain reference, and the head that goes by the nearest training sample of each class."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.batch import Batch, collate
from pellucid.data.arrays import ArrayDataset
from pellucid.data.spec import Binary, DataSpec, MultiClass, Trajectory
from pellucid.encoders.signals.steps import Steps, StepsConfig
from pellucid.errors import DataError
from pellucid.heads.neighbours import warping
from pellucid.heads.neighbours.dtw import DtwNeighbours, DtwNeighboursConfig
from pellucid.heads.neighbours.warping import warped
from pellucid.part import configured
from pellucid.representation import Representation, Tokens, TokenShape


def reference(one, other, band=1.0):
    """The recursion as it is printed: a table of n by m cells."""
    n, m = len(one), len(other)
    width = max(math.ceil(band * max(n, m)), abs(n - m))
    table = np.full((n + 1, m + 1), np.inf)
    table[0, 0] = 0
    for i in range(n):
        for j in range(m):
            if abs(i - j) <= width:
                cost = ((one[i] - other[j]) ** 2).sum()
                table[i + 1, j + 1] = cost + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return math.sqrt(table[n, m])


@pytest.mark.parametrize("band", [0.0, 0.2, 0.5, 1.0])
def test_distances_are_those_of_the_printed_recursion(band):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(3, 9, 2)), rng.normal(size=(4, 9, 2))
    found = warped(torch.tensor(one), torch.tensor(other), band)
    expected = [[reference(a, b, band) for b in other] for a in one]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    if band == 0:
        np.testing.assert_allclose(found, np.sqrt(((one[:, None] - other) ** 2).sum((2, 3))))


def test_series_of_other_lengths_are_compared_by_what_they_have(monkeypatch):
    # In blocks too: a whole table would not fit for long series.
    monkeypatch.setattr(warping, "CELLS", 100)
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(4, 8, 2)), rng.normal(size=(5, 11, 2))
    rows, columns = np.array([8, 3, 1, 6]), np.array([11, 4, 1, 8, 2])
    found = warped(torch.tensor(one), torch.tensor(other), 0.2, (torch.tensor(rows), torch.tensor(columns)))
    expected = [
        [reference(a[:n], b[:m], 0.2) for b, m in zip(other, columns, strict=True)]
        for a, n in zip(one, rows, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def bumps(count, seed, *, shift=4):
    """Series with a bump, at another time in each: class 0 up, class 1 down, class 2 twice."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    series = rng.normal(size=(count, 24, 2)) * 0.05
    for at, label in enumerate(labels):
        begin = 4 + rng.integers(0, shift + 1)
        for start, height in ((begin, -1.0 if label == 1 else 1.0), (begin + 8, 1.0 if label == 2 else 0.0)):
            series[at, start : start + 3, 0] += height
    return series.astype(np.float32), labels


def represented(series, known=None):
    x = torch.as_tensor(series)
    tokens = Tokens(x, known=known)
    return Representation(x.mean(1), ("a", "b"), {"x": tokens})


def fitted(series, labels, **options):
    target = MultiClass(names=("up", "down", "twice"))
    shape = {"x": TokenShape(count=series.shape[1], width=series.shape[2])}
    config = configured(
        "head", "dtw-neighbours", DtwNeighboursConfig, options, units=("a", "b"), tokens=shape, target=target
    )
    head = DtwNeighbours(config)
    samples = tuple(f"train {at}" for at in range(len(series)))
    batch = Batch({"x": torch.as_tensor(series)}, targets=torch.tensor(labels)[:, None].float(), samples=samples)
    head.finish([(represented(series), batch)])
    return head.eval()


def test_the_likeliest_class_is_that_of_the_nearest_training_sample():
    train, labels = bumps(30, 0)
    test, truth = bumps(30, 1)
    head = fitted(train, labels, band=0.5)
    logits = head(represented(test))
    nearest = [labels[np.argmin([reference(a, b, 0.5) for b in train])] for a in test]
    assert logits.argmax(1).tolist() == nearest
    assert (logits.argmax(1).numpy() == truth).all()
    # By two examples of a class that it may warp it is still right; step by step, a bump at another time is like none.
    few = [fitted(train[:6], labels[:6], band=band)(represented(test)).argmax(1).numpy() for band in (0.5, 0.0)]
    assert (few[0] == truth).mean() == 1
    assert (few[1] == truth).mean() < 0.9


def test_evidence_is_the_nearest_training_sample_of_each_class():
    train, labels = bumps(30, 0)
    test, _ = bumps(4, 1)
    head = fitted(train, labels, band=0.5)
    found = head.explain(represented(test), "down")
    for sample, evidence in enumerate(found.evidence):
        for label, one in enumerate(evidence):
            own = np.flatnonzero(labels == label)
            far = [reference(test[sample], train[at], 0.5) for at in own]
            assert one.source == f"train {own[int(np.argmin(far))]}"
            assert one.text == f"distance {min(far):.3g}"
    # Nearness to one class speaks for it, and against all others.
    away = found.contributions[1]
    assert away[1] > 0
    assert float(found.gap.detach().abs().max()) < 1e-5


def test_what_a_distance_is_worth_is_fitted_on_samples_that_are_not_their_own_neighbours():
    train, labels = bumps(30, 0)
    sure = fitted(train, labels, band=0.5).slope
    mixed = fitted(train, np.random.default_rng(3).permutation(labels), band=0.5).slope
    # Each sample is at distance 0 from itself: a head that looked at that would be sure of shuffled labels too.
    assert mixed < sure / 20


def test_what_stands_behind_the_last_known_step_changes_nothing():
    train, labels = bumps(12, 0)
    head = fitted(train, labels)
    known = torch.ones(1, 24, dtype=torch.bool)
    known[0, 18:] = False
    test = train[:1].copy()
    other = test.copy()
    other[0, 18:] = 99
    assert torch.equal(head(represented(test, known)), head(represented(other, known)))
    assert not torch.equal(head(represented(other)), head(represented(test)))


def moving(seed=0, names=("x", "y"), mask=None):
    rng = np.random.default_rng(seed)
    values = rng.normal([[3.0], [-1.0]], [[2.0], [0.5]], size=(20, 2, 12)).astype(np.float32)
    spec = DataSpec(
        name="moving",
        inputs={"path": Trajectory(names=names, length=12, dt_s=0.1, units=("m", "m"))},
        targets={"late": Binary(names=("no", "yes"))},
        groups=("episode",),
        namespace="moving",
    )
    frame = pd.DataFrame(
        {"episode": [f"e{at}" for at in range(20)], "late": [0.0, 1.0] * 10}, [f"s{at}" for at in range(20)]
    )
    return ArrayDataset(spec, frame, {"path": values}, {"path": mask} if mask is not None else None)


def test_steps_are_in_standard_deviations_of_their_channel_and_know_where_they_lie():
    data = moving()
    encoder = Steps(StepsConfig(inputs=data.spec.inputs))
    batch = collate(data, range(20), "late")
    encoder.prepare([batch])
    z = encoder.eval()(batch)
    tokens = z.of("")
    every = tokens.values.flatten(0, 1)
    np.testing.assert_allclose(every.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(every.std(0, correction=0), 1, atol=1e-5)
    back = tokens.values.transpose(1, 2) * encoder.scale[:, None] + encoder.mean[:, None]
    np.testing.assert_allclose(back, batch.inputs["path"], atol=1e-5)
    assert [(r.start, r.stop) for r in tokens.regions] == [(at, at + 1) for at in range(12)]


def test_masked_steps_are_no_tokens_and_do_not_count():
    mask = np.ones((20, 2, 12), bool)
    mask[:, :, 8:] = False
    data = moving(mask=mask)
    encoder = Steps(StepsConfig(inputs=data.spec.inputs))
    batch = collate(data, range(20), "late")
    encoder.prepare([batch])
    plain = batch.inputs["path"][:, :, :8]
    np.testing.assert_allclose(encoder.mean, plain.mean((0, 2)), atol=1e-5)
    tokens = encoder.eval()(batch).of("")
    assert tokens.there[0].tolist() == [True] * 8 + [False] * 4
    assert (tokens.values[:, 8:] == 0).all()


def test_it_is_out_of_date_once_an_encoder_says_something_else():
    train, labels = bumps(12, 0)
    head, then, now = fitted(train, labels), torch.zeros(16, dtype=torch.uint8), torch.ones(16, dtype=torch.uint8)
    empty = DtwNeighbours(head.config)
    assert "seen no training samples" in empty.stale(then)
    head.remember(then)
    assert head.stale(then) == ""
    assert "encoder has changed" in head.stale(now)


def test_a_class_without_training_samples_is_refused_by_name():
    train, labels = bumps(12, 0)
    with pytest.raises(DataError, match="none of twice"):
        fitted(train[labels < 2], labels[labels < 2])
