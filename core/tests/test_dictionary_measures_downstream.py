"""What a model loses: against the formula written out, torch's own divergence, and repeated rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pellucid.errors import DataError
from pellucid.measures.dictionaries.downstream import (
    kl_divergence,
    kl_score,
    kl_score_statistic,
    loss_recovered,
    loss_recovered_statistic,
)
from pellucid.statistics.bootstrap import interval, subject_weights


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_loss_recovered_is_the_share_of_the_harm_that_is_spared():
    assert loss_recovered(1.0, 1.0, 5.0) == 1.0
    assert loss_recovered(1.0, 5.0, 5.0) == 0.0
    assert loss_recovered(1.0, 2.0, 5.0) == 0.75
    assert loss_recovered(1.0, 9.0, 5.0) == -1.0
    clean, replaced, ablated = drawn(9).abs(), drawn(9, seed=1).abs() + 1, drawn(9, seed=2).abs() + 3
    by_hand = (ablated.double().mean() - replaced.double().mean()) / (ablated.double().mean() - clean.double().mean())
    assert loss_recovered(clean, replaced, ablated) == pytest.approx(float(by_hand))


@pytest.mark.parametrize("ablated", [1.0, 0.5, math.nan])
def test_where_the_ablation_does_no_harm_nothing_can_be_recovered(ablated):
    with pytest.warns(UserWarning, match="loss_recovered is not defined: the ablation does no harm"):
        assert math.isnan(loss_recovered(1.0, 1.2, ablated))


def test_divergence_is_that_of_torch_and_of_the_sum_written_out():
    clean, new = drawn(6, 4), drawn(6, 4, seed=1)
    found = kl_divergence(clean, new)
    theirs = torch.nn.functional.kl_div(
        new.double().log_softmax(-1), clean.double().log_softmax(-1), reduction="none", log_target=True
    )
    assert found.tolist() == pytest.approx(theirs.sum(-1).tolist())
    p, q = clean[0].double().softmax(0).tolist(), new[0].double().softmax(0).tolist()
    assert float(found[0]) == pytest.approx(sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True)))
    assert (kl_divergence(clean, clean) == 0).all()
    with pytest.raises(DataError, match="clean logits"):
        kl_divergence(clean, new[:3])


def test_a_class_that_cannot_be_counts_nothing():
    clean = torch.tensor([[0.0, 0.0, -torch.inf]])
    assert float(kl_divergence(clean, torch.zeros(1, 3))) == pytest.approx(math.log(3 / 2))
    assert float(kl_divergence(clean, clean)) == 0.0


def test_kl_score_is_the_share_of_the_divergence_that_is_spared():
    assert kl_score(0.5, 2.0) == 0.75
    assert kl_score(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 3.0])) == 0.75
    for nothing in (0.0, -0.1, math.nan):
        with pytest.warns(UserWarning, match="kl_score is not defined"):
            assert math.isnan(kl_score(0.0, nothing))


def test_both_have_intervals_over_subjects():
    clean, replaced, ablated = drawn(40).abs(), drawn(40, seed=1).abs() + 1, drawn(40, seed=2).abs() + 3
    subjects = np.arange(40) % 8
    weights = subject_weights(subjects, replicates=200)
    rows = np.repeat(np.arange(40), weights[5].astype(int))
    recovered, spared = loss_recovered_statistic(clean, replaced, ablated), kl_score_statistic(replaced, ablated)
    assert recovered(weights)[5] == pytest.approx(loss_recovered(clean[rows], replaced[rows], ablated[rows]))
    assert spared(weights)[5] == pytest.approx(kl_score(replaced[rows], ablated[rows]))
    found = interval(recovered, weights)
    assert found.value == pytest.approx(loss_recovered(clean, replaced, ablated))
    assert found.low < found.value < found.high
    slight = loss_recovered_statistic(clean, clean + 0.1, clean + 0.4)
    assert slight(np.ones(40)) == pytest.approx(0.75)
    harmless = loss_recovered_statistic(ablated, replaced, ablated)
    assert np.isnan(harmless(weights)).all()
    assert np.isnan(recovered(np.zeros(40)))
