"""Reconstruction: worked examples, loops over entries, and the running form against two passes and repeated rows."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from pellucid.errors import DataError
from pellucid.measures.dictionaries import reconstruction as measures
from pellucid.measures.dictionaries import running_reconstruction
from pellucid.measures.dictionaries.reconstruction import DEFAULT, MEASURES
from pellucid.measures.dictionaries.running import STATISTICS, RunningMeasures
from pellucid.measures.dictionaries.running_reconstruction import RunningReconstruction
from pellucid.measures.dictionaries.subject_moments import SubjectMoments
from pellucid.statistics.bootstrap import interval, subject_weights

A = torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([[2.0, 1.0], [0.0, 3.0]])
B = torch.tensor([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]]), torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])


def made(rows=41, units=5, seed=0, offset=2.0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, units, generator=generator) * torch.arange(1, units + 1) + offset
    return x, 0.8 * x + 0.5 * torch.randn(rows, units, generator=generator) + 0.3


def by_loops(x, found):
    """Every measure entry by entry, in Python numbers."""
    x, found = x.double().tolist(), found.double().tolist()
    rows, units = len(x), len(x[0])
    mean = [sum(row[u] for row in x) / rows for u in range(units)]
    grand = sum(mean) / units
    bias = [sum(a[u] - b[u] for a, b in zip(x, found, strict=True)) / rows for u in range(units)]
    error = [sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) for a, b in zip(x, found, strict=True)]
    away = [sum((a[u] - mean[u]) ** 2 for u in range(units)) for a in x]
    length = [math.sqrt(sum(p * p for p in a)) for a in x]
    other = [math.sqrt(sum(q * q for q in b)) for b in found]
    product = [sum(p * q for p, q in zip(a, b, strict=True)) for a, b in zip(x, found, strict=True)]
    centred = sum((a[u] - b[u] - bias[u]) ** 2 for a, b in zip(x, found, strict=True) for u in range(units))
    return {
        "explained_variance": 1 - sum(error) / sum(away),
        "fvu": sum(error) / sum(away),
        "ev_legacy": sum(1 - e / w for e, w in zip(error, away, strict=True)) / rows,
        "frac_variance_explained": 1 - centred / sum(away),
        "r2_global_mean": 1 - sum(error) / sum((p - grand) ** 2 for a in x for p in a),
        "nmse": sum(e / s**2 for e, s in zip(error, length, strict=True)) / rows,
        "mse": sum(error) / rows,
        "cossim": sum(p / (s * t) for p, s, t in zip(product, length, other, strict=True)) / rows,
        "l2_ratio": sum(t / s for s, t in zip(length, other, strict=True)) / rows,
        "rel_recon_bias": sum(t * t for t in other) / sum(product),
    }


def test_first_worked_example():
    assert measures.explained_variance(*A) == pytest.approx(0.8, abs=1e-6)
    assert measures.fvu(*A) == pytest.approx(0.2, abs=1e-6)


def test_second_worked_example_tells_the_relatives_apart():
    assert measures.explained_variance(*B) == pytest.approx(0.625, abs=1e-6)
    assert measures.frac_variance_explained(*B) == pytest.approx(1.0, abs=1e-6)
    assert measures.r2_global_mean(*B) == pytest.approx(1 - 3 / 14, abs=1e-6)
    assert round(measures.r2_global_mean(*B), 4) == 0.7857
    with pytest.warns(UserWarning, match="ev_legacy is not defined: a row of x is the mean"):
        assert math.isnan(measures.ev_legacy(*B))


def test_predicting_the_mean_scores_zero_exactly_and_a_perfect_reconstruction_one():
    x, _ = made()
    x = x.double()
    mean = x.mean(0).expand_as(x)
    assert measures.explained_variance(x, mean) == 0.0
    assert measures.fvu(x, mean) == 1.0
    assert measures.explained_variance(x, x) == 1.0
    running = RunningReconstruction()
    for rows in torch.arange(len(x)).split(7):
        running.add(x[rows], mean[rows], rows.tolist())
    assert running.result()["explained_variance"] == pytest.approx(0.0, abs=1e-12)
    # What the default is for: of the relatives, one gives credit for the mean row.
    assert measures.r2_global_mean(x, mean) > 0.01


@pytest.mark.parametrize("name", MEASURES)
def test_each_measure_is_that_of_loops(name):
    x, found = made()
    assert MEASURES[name](x, found) == pytest.approx(by_loops(x, found)[name], rel=1e-12)


def test_the_default_is_explained_variance_and_every_measure_has_a_running_form():
    assert DEFAULT == "explained_variance" == next(iter(MEASURES))
    assert list(RunningReconstruction().statistic()(np.ones((2, 0)))) == pytest.approx([np.nan] * 2, nan_ok=True)
    assert set(MEASURES) <= set(STATISTICS)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_running_sums_give_what_two_passes_give_even_far_from_zero(offset):
    x, found = made(rows=203, offset=offset)
    running = RunningReconstruction()
    rng = np.random.default_rng(0)
    subjects = rng.integers(0, 9, len(x))
    for rows in torch.from_numpy(rng.permutation(len(x))).split(17):
        running.add(x[rows], found[rows], subjects[rows])
    result = running.result()
    assert list(result) == list(MEASURES)
    for name in MEASURES:
        if name != "ev_legacy":
            assert result[name] == pytest.approx(MEASURES[name](x, found), rel=1e-11), name


def test_the_legacy_measure_alone_depends_on_batches():
    x, found = made(rows=40)
    # The stream drifts, so that its halves have other means.
    x, found = x + 3 * (torch.arange(40)[:, None] < 20), found + 3 * (torch.arange(40)[:, None] < 20)
    whole, halves = RunningReconstruction(), RunningReconstruction()
    whole.add(x, found)
    halves.add(x[:20], found[:20])
    halves.add(x[20:], found[20:])
    assert whole.result()["ev_legacy"] == pytest.approx(measures.ev_legacy(x, found), rel=1e-12)
    mean = (measures.ev_legacy(x[:20], found[:20]) + measures.ev_legacy(x[20:], found[20:])) / 2
    assert halves.result()["ev_legacy"] == pytest.approx(mean, rel=1e-12)
    assert abs(mean - measures.ev_legacy(x, found)) > 0.01
    assert halves.result()["nmse"] == pytest.approx(whole.result()["nmse"], rel=1e-12)


@pytest.mark.parametrize("name", [name for name in MEASURES if name != "ev_legacy"])
def test_a_weight_counts_the_rows_of_its_subject_that_many_times(name):
    x, found = made(rows=60, offset=0.0)
    subjects = np.random.default_rng(1).integers(0, 7, len(x))
    # Subjects differ in their means, as real ones do.
    x = x + torch.from_numpy(subjects)[:, None]
    running = RunningReconstruction()
    for rows in torch.arange(len(x)).split(11):
        running.add(x[rows], found[rows], subjects[rows])
    weights = np.random.default_rng(2).integers(0, 4, (5, len(running.subjects))).astype(float)
    counted = running.statistic(name)(weights)
    assert counted.shape == (5,)
    for replicate, value in zip(weights, counted, strict=True):
        times = dict(zip(running.subjects, replicate, strict=True))
        rows = np.repeat(np.arange(len(x)), [int(times[str(subject)]) for subject in subjects])
        assert value == pytest.approx(MEASURES[name](x[rows], found[rows]), rel=1e-10)


def test_parts_seen_by_several_workers_make_the_whole():
    x, found = made(rows=50)
    subjects = np.arange(50) % 6
    whole, one, other = RunningReconstruction(), RunningReconstruction(), RunningReconstruction()
    whole.add(x, found, subjects)
    one.add(x[:10], found[:10], subjects[:10] % 3)
    one.add(x[10:30], found[10:30], subjects[10:30])
    other.add(x[30:], found[30:], subjects[30:])
    whole = RunningReconstruction()
    whole.add(x, found, np.concatenate([subjects[:10] % 3, subjects[10:]]))
    one.merge(other)
    one.merge(RunningReconstruction())
    assert sorted(one.subjects) == sorted(whole.subjects) == list("012345")
    weights = np.random.default_rng(0).integers(0, 3, 6).astype(float)
    order = [list(whole.subjects).index(name) for name in one.subjects]
    for name in MEASURES:
        if name != "ev_legacy":
            assert one.statistic(name)(weights) == pytest.approx(whole.statistic(name)(weights[np.argsort(order)]))
    empty = RunningReconstruction()
    empty.merge(one)
    assert empty.result() == one.result()


def test_an_interval_over_subjects_is_wider_where_subjects_differ():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 4, generator=generator)
    subjects = np.arange(400) // 20
    noise = torch.randn(400, 4, generator=generator)
    alike = RunningReconstruction()
    alike.add(x, x + 0.5 * noise, subjects)
    unlike = RunningReconstruction()
    unlike.add(x, x + noise * torch.from_numpy(subjects % 2)[:, None], subjects)
    widths = []
    for running in (alike, unlike):
        found = interval(running.statistic(), subject_weights(running.subjects, replicates=300))
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("name", ["explained_variance", "fvu", "frac_variance_explained", "ev_legacy"])
def test_what_does_not_vary_has_no_explained_variance(name):
    # 0.1 has no exact mean in floating point: what is left after centring is rounding.
    x = torch.full((33, 3), 0.1, dtype=torch.float64) * torch.tensor([1.0, 3.0, 7.0])
    with pytest.warns(UserWarning, match=f"{name} is not defined"):
        assert math.isnan(MEASURES[name](x, x + 0.1))
    running = RunningReconstruction()
    running.add(x, x + 0.1, np.arange(33) % 4)
    running.add(x[:5], x[:5] + 0.1)
    assert math.isnan(running.statistic(name)(np.ones(5)))
    assert running.statistic("mse")(np.ones(5)) == pytest.approx(0.03)


def test_rounding_of_constant_rows_is_no_variance_whatever_their_size():
    for scale in (1e-3, 1.0, 1e6):
        x = scale * torch.rand(1, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64).expand(101, 50)
        running = RunningReconstruction()
        for rows in torch.arange(101).split(13):
            running.add(x[rows], 0.5 * x[rows], (rows**2 % 7).tolist())
        assert math.isnan(running.statistic("explained_variance")(np.ones(len(running.subjects))))
        with pytest.warns(UserWarning, match="x does not vary"):
            assert math.isnan(measures.explained_variance(x, 0.5 * x))


def test_entries_that_are_all_equal_have_no_global_variance():
    x = torch.full((9, 3), 0.1, dtype=torch.float64)
    with pytest.warns(UserWarning, match="r2_global_mean is not defined: all entries"):
        assert math.isnan(measures.r2_global_mean(x, x + 1))
    running = RunningReconstruction()
    running.add(x, x + 1)
    assert math.isnan(running.statistic("r2_global_mean")(np.ones(1)))


@pytest.mark.parametrize("name", ["nmse", "cossim", "l2_ratio"])
def test_rows_without_length_leave_row_measures_undefined(name):
    x, found = made()
    x[3] = 0
    with pytest.warns(UserWarning, match=f"{name} is not defined"):
        assert math.isnan(MEASURES[name](x, found))
    running = RunningReconstruction()
    running.add(x, found)
    with pytest.warns(UserWarning, match=name):
        result = running.result()
    assert math.isnan(result[name])
    assert result["explained_variance"] == pytest.approx(measures.explained_variance(x, found))


def test_a_reconstruction_of_zeros_has_no_bias_and_no_direction():
    x, _ = made()
    with pytest.warns(UserWarning, match="rel_recon_bias"):
        assert math.isnan(measures.rel_recon_bias(x, 0 * x))
    assert measures.l2_ratio(x, 0 * x) == 0.0
    assert measures.rel_recon_bias(x, 0.5 * x) == pytest.approx(0.5)


@pytest.mark.parametrize("name", MEASURES)
def test_without_rows_or_with_unknown_numbers_nothing_is_defined(name):
    x, found = made()
    with pytest.warns(UserWarning, match=f"{name} is not defined"):
        assert math.isnan(MEASURES[name](x[:0], found[:0]))
    found[2, 1] = torch.nan
    with pytest.warns(UserWarning, match=f"{name} is not defined"):
        assert math.isnan(MEASURES[name](x, found))
    running = RunningReconstruction()
    running.add(x, found)
    running.add(x[:0], found[:0])
    assert math.isnan(running.statistic(name)(np.ones(1)))


def test_nothing_added_is_said_once_for_each_measure():
    with pytest.warns(UserWarning, match="nothing was added") as told:
        result = RunningReconstruction().result()
    assert all(math.isnan(value) for value in result.values())
    assert len(told) == len(MEASURES)
    assert all(each.filename == running_reconstruction.__file__ for each in told)


def test_a_warning_points_at_the_caller():
    with pytest.warns(UserWarning, match="explained_variance") as told:
        measures.explained_variance(torch.zeros(3, 2), torch.zeros(3, 2))
    assert told[0].filename == __file__


def test_what_is_fine_is_said_nothing_about():
    x, found = made()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        running = RunningReconstruction()
        running.add(x, found, np.arange(len(x)))
        running.result()
        running.statistic()(np.zeros((2, len(x))))
        for measure in MEASURES.values():
            measure(x, found)


def test_what_does_not_fit_is_refused():
    x, found = made()
    for one, other in ((x, found[:-1]), (x[0], found[0]), (x[None], found[None])):
        with pytest.raises(DataError, match=r"x has shape .* and reconstruction"):
            measures.explained_variance(one, other)
    running = RunningReconstruction()
    with pytest.raises(DataError, match="one subject for each row"):
        running.add(x, found, ["a"])
    running.add(x, found)
    with pytest.raises(DataError, match="rows of 4 columns after rows of 5"):
        running.add(x[:, :4], found[:, :4])
    with pytest.raises(DataError, match="did you mean 'explained_variance'"):
        running.statistic("explained_varience")


def test_gradients_and_halves_do_no_harm():
    x, found = made()
    assert measures.mse(x.requires_grad_(), found) == pytest.approx(by_loops(x, found)["mse"])
    half = x.detach().bfloat16(), found.bfloat16()
    assert measures.explained_variance(*half) == pytest.approx(by_loops(*half)["explained_variance"], rel=1e-12)


def test_moments_under_weights_are_those_of_repeated_rows():
    rng = np.random.default_rng(0)
    rows, subjects = rng.normal(5, 2, (30, 3)), np.arange(30) % 4
    moments = SubjectMoments()
    for part in np.array_split(np.arange(30), 4):
        moments.add(torch.from_numpy(rows[part]), subjects[part])
    weights = np.array([0.0, 3.0, 1.0, 2.0])
    repeated = rows[np.repeat(np.arange(30), weights[subjects].astype(int))]
    found = moments.weighted(weights)
    assert found.mass == len(repeated)
    assert found.mean == pytest.approx(repeated.mean(0))
    assert found.squares == pytest.approx(((repeated - repeated.mean(0)) ** 2).sum())
    assert found.about(1.5) == pytest.approx(((repeated - 1.5) ** 2).sum())
    assert np.isnan(moments.weighted(np.zeros(4)).mean).all()


def test_one_running_form_measures_reconstruction_and_sparsity_together():
    x, found = made(rows=30)
    codes = (x - 2).clamp(min=0)
    subjects = np.arange(30) % 5
    running, other = RunningMeasures(least_rows=30), RunningMeasures(least_rows=30)
    running.add(x[:10], found[:10], codes[:10], subjects[:10])
    other.add(x[10:], found[10:], codes[10:], subjects[10:])
    running.merge(other)
    result = running.result()
    assert result["mse"] == pytest.approx(measures.mse(x, found))
    assert result["l0"] == pytest.approx(float((codes > 0).double().sum(1).mean()))
    assert result["dead_fraction"] == 0.0
    weights = subject_weights(running.subjects, replicates=50)
    for name in ("l0", "mse"):
        assert interval(running.statistic(name), weights).value == pytest.approx(result[name])
    assert running.statistic()(np.ones(5)) == result[DEFAULT]
    assert set(result) == {*STATISTICS, "frac_alive", "dead_fraction"}
    with pytest.raises(DataError, match="did you mean 'l0'"):
        running.statistic("L0")
    with pytest.raises(DataError, match="rows differ: x 30, reconstruction 30, codes 29"):
        running.add(x, found, codes[1:])
    assert math.isnan(running.statistic("mse")(np.zeros(5)))
    assert running.sparsity.signed is False
    assert RunningMeasures(signed=True).sparsity.signed is True
