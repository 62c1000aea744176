import numpy as np
import pytest
from scipy.stats import binomtest

from pellucid.errors import DataError
from pellucid.statistics.proportions import wilson


@pytest.mark.parametrize(("count", "of"), [(0, 1), (0, 10), (3, 10), (10, 10), (193, 250), (1270, 1500)])
def test_the_interval_is_that_of_scipy(count, of):
    theirs = binomtest(count, of).proportion_ci(method="wilson")
    assert wilson(count / of, of)[1:] == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_all_and_none_of_ten_leave_room():
    assert round(wilson(1, 10).low, 3) == 0.722
    assert round(wilson(0, 10).high, 3) == 0.278
    assert (wilson(1, 200).high, wilson(0, 200).low) == (1.0, 0.0)


def test_it_holds_the_truth_about_as_often_as_it_says():
    drawn = np.random.default_rng(0).binomial(40, 0.9, 2000)
    within = [low <= 0.9 <= high for _, low, high in (wilson(k / 40, 40) for k in drawn)]
    # Measured 0.934.
    assert 0.92 < np.mean(within) < 0.98


@pytest.mark.parametrize(("share", "count"), [(1.3, 10), (-0.1, 10), (0.5, 0), (float("nan"), 10)])
def test_what_is_no_share_of_trials_is_refused(share, count):
    with pytest.raises(DataError):
        wilson(share, count)
