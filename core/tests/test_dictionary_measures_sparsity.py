"""Sparsity: loops over entries, planted dead features, and the running form against all rows at once."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from pellucid.errors import DataError
from pellucid.measures.dictionaries import sparsity
from pellucid.measures.dictionaries.sparsity import RunningSparsity
from pellucid.statistics.bootstrap import interval, subject_weights


def made(rows=50, features=12, seed=0, share=0.4):
    generator = torch.Generator().manual_seed(seed)
    on = torch.rand(rows, features, generator=generator) < share
    on[:, 0] = True
    return torch.where(on, torch.rand(rows, features, generator=generator) + 0.1, 0.0)


def by_loops(codes):
    rows = codes.double().tolist()
    features = len(rows[0])
    on = [sum(code > 0 for code in row) for row in rows]
    lengths = [math.sqrt(sum(code**2 for code in row)) for row in rows]
    most = math.sqrt(features)
    seen = [sum(row[j] > 0 for row in rows) for j in range(features)]
    return {
        "l0": sum(on) / len(rows),
        "l1": sum(map(sum, rows)) / len(rows),
        "hoyer": sum((most - sum(row) / s) / (most - 1) for row, s in zip(rows, lengths, strict=True)) / len(rows),
        "frac_alive": sum(count > 0 for count in seen) / features,
        "dead_fraction": sum(count == 0 for count in seen) / features,
        "density": [count / len(rows) for count in seen],
    }


def test_each_measure_is_that_of_loops():
    codes = made(share=0.02)
    expected = by_loops(codes)
    assert 0 < expected["dead_fraction"] < 1
    for name in ("l0", "l1", "hoyer", "frac_alive"):
        assert getattr(sparsity, name)(codes) == pytest.approx(expected[name], rel=1e-12), name
    assert sparsity.dead_fraction(codes, least_rows=50) == pytest.approx(expected["dead_fraction"])
    assert sparsity.density(codes).tolist() == pytest.approx(expected["density"])


def test_one_feature_alone_is_sparsest_and_all_alike_are_not_sparse():
    assert sparsity.hoyer(torch.eye(5)) == pytest.approx(1.0)
    assert sparsity.hoyer(-torch.ones(2, 5)) == pytest.approx(0.0)
    assert sparsity.hoyer(torch.tensor([[3.0, 4.0]])) == pytest.approx((2**0.5 - 7 / 5) / (2**0.5 - 1))


def test_a_feature_is_called_dead_only_after_enough_rows():
    codes = torch.zeros(50_000, 3)
    codes[:, 0] = 1
    codes[-1, 1] = 1
    assert sparsity.dead_fraction(codes) == pytest.approx(1 / 3)
    with pytest.warns(UserWarning, match="49999 rows were seen and 50000 are needed"):
        assert math.isnan(sparsity.dead_fraction(codes[1:]))
    with pytest.warns(UserWarning, match="49 rows were seen and 50000 are needed"):
        sparsity.dead_fraction(codes[:49])
    with pytest.warns(UserWarning, match="1 rows were seen and 60000 are needed"):
        sparsity.dead_fraction(torch.zeros(1, 6000))
    assert sparsity.frac_alive(codes[:10]) == pytest.approx(1 / 3)


def test_codes_with_signs_are_warned_about_or_counted_by_size():
    codes = torch.tensor([[1.0, -2.0, 0.0], [0.0, -3.0, 0.0]])
    with pytest.warns(UserWarning, match="signed=True"):
        assert sparsity.l0(codes) == 0.5
    with pytest.warns(UserWarning, match="signed=True"):
        assert sparsity.l1(codes) == -2.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sparsity.l0(codes, signed=True) == 1.5
        assert sparsity.l1(codes, signed=True) == 3.0
        assert sparsity.density(codes, signed=True).tolist() == [0.5, 1.0, 0.0]
        assert sparsity.frac_alive(codes, signed=True) == pytest.approx(2 / 3)
        assert sparsity.dead_fraction(codes, signed=True, least_rows=2) == pytest.approx(1 / 3)
        running = RunningSparsity(signed=True, least_rows=2)
        running.add(codes, ["a", "b"])
        assert running.result()["l1"] == 3.0
        assert running.result()["l0"] == 1.5
    with pytest.warns(UserWarning, match="signed=True") as told:
        RunningSparsity().add(codes)
    assert len(told) == 1


def test_one_negative_code_is_enough_to_warn_and_none_is_not():
    with pytest.warns(UserWarning, match="signed=True"):
        assert sparsity.l0(torch.tensor([[-1.0]])) == 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sparsity.l0(torch.tensor([[0.5, 0.0]])) == 1.0


def test_running_sums_give_what_all_rows_give_and_parts_make_the_whole():
    codes = made(rows=90, share=0.03)
    subjects = np.random.default_rng(0).integers(0, 8, 90)
    one, other = RunningSparsity(least_rows=90), RunningSparsity(least_rows=90)
    for rows in torch.arange(60).split(13):
        one.add(codes[rows], subjects[rows])
    other.add(codes[60:], subjects[60:])
    one.add(codes[:0])
    one.merge(other)
    one.merge(RunningSparsity())
    expected = by_loops(codes)
    assert one.density.tolist() == pytest.approx(expected.pop("density"))
    assert one.result() == pytest.approx(expected)
    fresh = RunningSparsity(least_rows=1)
    fresh.merge(one)
    assert fresh.result() == pytest.approx(expected)
    other.add(codes[:60])
    assert fresh.density.tolist() == one.density.tolist()


@pytest.mark.parametrize("name", ["l0", "l1", "hoyer"])
def test_a_weight_counts_the_rows_of_its_subject_that_many_times(name):
    codes = made(rows=40)
    subjects = np.arange(40) % 6
    running = RunningSparsity()
    running.add(codes, subjects)
    weights = np.random.default_rng(2).integers(0, 4, (4, 6)).astype(float)
    for replicate, value in zip(weights, running.statistic(name)(weights), strict=True):
        times = dict(zip(running.subjects, replicate, strict=True))
        rows = np.repeat(np.arange(40), [int(times[str(subject)]) for subject in subjects])
        assert value == pytest.approx(getattr(sparsity, name)(codes[rows]))
    found = interval(running.statistic(name), subject_weights(running.subjects, replicates=100))
    assert found.low < found.value < found.high


def test_what_is_not_defined_is_nan_and_said():
    codes = made()
    for name in ("l0", "l1", "hoyer", "frac_alive"):
        with pytest.warns(UserWarning, match=f"{name} is not defined"):
            assert math.isnan(getattr(sparsity, name)(codes[:0]))
    with pytest.warns(UserWarning, match="density is not defined"):
        assert sparsity.density(codes[:0]).isnan().all()
    with pytest.warns(UserWarning, match="nothing was added"):
        assert all(math.isnan(value) for value in RunningSparsity().result().values())
    codes[3] = 0
    running = RunningSparsity()
    running.add(codes)
    with pytest.warns(UserWarning, match="hoyer is not defined: a row has nothing on"):
        assert math.isnan(sparsity.hoyer(codes))
    with pytest.warns(UserWarning, match="hoyer is not defined: a row has nothing on"):
        assert math.isnan(running.result()["hoyer"])
    with pytest.warns(UserWarning, match="one feature only"):
        assert math.isnan(sparsity.hoyer(codes[:3, :1]))
    assert math.isnan(running.statistic("l0")(np.zeros(1)))
    assert np.isnan(RunningSparsity().statistic("l0")(np.ones((3, 0)))).tolist() == [True] * 3


def test_what_does_not_fit_is_refused():
    codes = made()
    running = RunningSparsity()
    running.add(codes)
    with pytest.raises(DataError, match="codes of 11 features after codes of 12"):
        running.add(codes[:, 1:])
    with pytest.raises(DataError, match="expected \\(row, feature\\)"):
        sparsity.l0(codes[0])
    with pytest.raises(DataError, match="no running measure of sparsity"):
        running.statistic("dead_fraction")
