"""Interchange: labels with features of their own are exchanged alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_labelled_rows import LOUD, PEOPLE, QUIET, assessed, mixed, model, ravel, rows

from pellucid.protocols.dictionaries.by_labels.labelled import Side
from pellucid.protocols.dictionaries.by_labels.ravel import _pairs


def test_labels_with_features_of_their_own_are_exchanged_alone():
    data = rows()
    found, results = assessed(ravel(), data, model(data))
    one = results["disentanglement"]
    assert one.value > 0.97
    assert one.chance == 0.5
    assert abs(one.baseline - 0.5) < 0.2
    assert one.n_samples == one.n_subjects == PEOPLE / 3
    assert len(found) == 4 * PEOPLE / 3
    # Half of the sources differ in each label.
    assert found["cause_first"].notna().mean() == found["isolation_second"].notna().mean() == 0.5
    _, results = assessed(ravel(), data, model(data, mixed()))
    assert results["disentanglement"].value < 0.8


@pytest.mark.parametrize("seed", range(4))
def test_nobody_is_a_source_of_his_own(seed):
    """Six people with three samples of each combination, so that half of the lots fall on them; of one only who has all there is."""
    people = np.repeat(np.arange(6), 12)
    first, second = np.tile(np.repeat([0.0, 0.0, 1.0, 1.0], 3), 6), np.tile(np.repeat([0.0, 1.0, 0.0, 1.0], 3), 6)
    # Both labels together only the last one has.
    kept = (first + second < 2) | (people == 5)
    people, labels = people[kept], {LOUD: first[kept], QUIET: second[kept]}
    count = len(people)
    who = torch.from_numpy(people).float()[:, None]
    side = Side(
        np.array([f"s{at}" for at in range(count)]), people.astype(str), who, who, who, who, torch.ones(count), labels
    )
    pairs, bases = _pairs(side, (LOUD, QUIET), seed)
    assert (pairs.codes != pairs.source_codes).all()
    np.testing.assert_array_equal(pairs.codes[:, 0].numpy(), people[bases])
    of_source = (2 * pairs.source_labels[:, 0] + pairs.source_labels[:, 1]).numpy()
    # Of three combinations everybody finds somebody else's, of the fourth all but the one who has them.
    assert np.bincount(of_source).tolist() == [count, count, count, int((people != 5).sum())]
