"""Averaging of weights and the one-cycle schedule: what is kept, by hand; and that a resumed training does not notice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_training import fitted
from test_fit import Stop, numbers
from torch import nn

from pellucid.training.averaging import RunningMean
from pellucid.training.fit import Session
from pellucid.training.loop import train
from pellucid.training.settings import TrainingSettings


class Walking(nn.Module):
    """Each step pushes its one number up by the learning rate, and it remembers where it was judged."""

    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.zeros(()))
        self.was: list[float] = []
        self.judged: list[float] = []

    def forward(self, batch):
        (self.was if self.training else self.judged).append(float(self.at.detach()))
        return -self.at if self.training else (self.at - 0.5).abs()


def by_hand(path: np.ndarray, steps: float) -> float:
    """Weights of the steps written out: equal for as many as the mean is long, then older ones fade by one factor."""
    share = [max(1 / steps, 1 / (at + 1)) for at in range(len(path))]
    weights = [own * np.prod([1 - later for later in share[at + 1 :]]) for at, own in enumerate(share)]
    assert sum(weights) == pytest.approx(1)
    return float(np.dot(weights, path))


@pytest.mark.parametrize("steps", [1, 2.5, 7, 100])
def test_the_mean_is_that_of_the_last_steps(steps):
    module = nn.Linear(3, 2)
    mean, path = RunningMean(module, steps), []
    torch.manual_seed(0)
    for _ in range(20):
        for parameter in module.parameters():
            parameter.data.normal_()
        path.append(module.weight.detach().double().numpy().copy())
        mean.add()
    expected = [[by_hand(np.array(path)[:, i, j], steps) for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(mean.values["weight"], expected, atol=1e-6)
    if steps == 1:
        assert torch.equal(mean.values["weight"], module.weight)
    if steps == 100:
        np.testing.assert_allclose(mean.values["weight"], np.mean(path, axis=0), atol=1e-6)


def test_numbers_that_stay_are_not_changed_by_averaging_and_counters_are_no_means():
    module = nn.BatchNorm1d(2)
    module.weight.data.fill_(1 / 3)
    mean = RunningMean(module, 4)
    for _ in range(10):
        module(torch.randn(8, 2))
        mean.add()
    assert torch.equal(mean.values["weight"], module.weight)
    assert int(mean.values["num_batches_tracked"]) == 10
    assert not torch.equal(mean.values["running_mean"], module.running_mean)


def test_a_module_shows_the_mean_for_a_while_and_has_its_own_numbers_again_even_after_an_error():
    module = nn.Linear(1, 1)
    mean = RunningMean(module, 2)
    module.weight.data.fill_(5.0)
    with mean.shown():
        assert module.weight.item() != 5.0
    assert module.weight.item() == 5.0

    def failing() -> None:
        with mean.shown():
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert module.weight.item() == 5.0


@pytest.mark.parametrize("watched", [True, False], ids=["validation", "no validation"])
def test_the_mean_is_what_is_judged_and_kept_while_the_steps_go_on_from_where_they_were(watched):
    walking = Walking()
    settings = TrainingSettings(
        epochs=12, batch_size=2, learning_rate=0.02, schedule="constant", patience=None, averaging=1.5
    )
    progress = train(walking, numbers(8), numbers(4) if watched else None, settings, stage="walk")
    after = np.array([*walking.was[1:], np.nan])
    # Adam's steps are of the learning rate's size: had the mean been taken back into the walk, they would be shorter.
    np.testing.assert_allclose(np.diff(walking.was), 0.02, rtol=1e-3)
    after[-1] = after[-2] + 0.02
    means = [by_hand(after[: 4 * epoch], 6) for epoch in range(1, 13)]
    # Without validation samples nothing is judged, and the last mean is kept.
    np.testing.assert_allclose(walking.judged, means if watched else [], atol=1e-5)
    kept = progress.best_epoch - 1
    assert kept == (int(np.abs(np.array(means) - 0.5).argmin()) if watched else 11)
    assert float(walking.at.detach()) == pytest.approx(means[kept], abs=1e-5)


@pytest.mark.parametrize("averaging", [0.0, 1.5])
def test_the_last_epoch_is_kept_if_asked_for_although_an_earlier_one_was_better(averaging):
    settings = TrainingSettings(
        epochs=12, batch_size=2, learning_rate=0.02, schedule="constant", patience=2, averaging=averaging
    )
    best, last = Walking(), Walking()
    stopped = train(best, numbers(8), numbers(4), settings, stage="walk")
    progress = train(last, numbers(8), numbers(4), settings.model_copy(update={"keep": "last"}), stage="walk")
    assert stopped.best_epoch < stopped.epoch < 12
    assert (progress.best_epoch, progress.epoch) == (12, 12)
    assert progress.validation[-1] > min(progress.validation)
    assert float(last.at.detach()) > float(best.at.detach()) + 0.1


def test_the_rate_of_one_cycle_rises_for_a_quarter_and_falls_to_nothing():
    walking = Walking()
    settings = TrainingSettings(epochs=10, batch_size=2, learning_rate=0.01, schedule="one-cycle", patience=None)
    train(walking, numbers(16), None, settings, stage="walk")
    rate = np.diff(walking.was)  # the last step is not seen
    top = int(rate.argmax())
    assert top == pytest.approx(0.25 * 80, abs=1)
    assert rate[top] == pytest.approx(0.01, rel=0.01)
    assert (np.diff(rate[:top]) > 0).all()
    assert (np.diff(rate[top:]) < 0).all()
    assert rate[0] == pytest.approx(0.04 * 0.01, rel=0.01)
    assert rate[-1] < 0.01 * 0.01


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_a_resumed_training_with_averaging_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, schedule):
    settings = TrainingSettings(epochs=12, patience=None, batch_size=16, averaging=3, schedule=schedule)
    whole, _ = fitted(settings)
    with pytest.raises(KeyboardInterrupt):
        fitted(settings, Session(tmp_path, Stop(5)))
    resumed, _ = fitted(settings, Session(tmp_path))
    plain, _ = fitted(settings.model_copy(update={"averaging": 0.0}))
    for name, expected in whole.head.state_dict().items():
        assert torch.equal(expected, resumed.head.state_dict()[name]), name
    assert any(not torch.equal(v, plain.head.state_dict()[name]) for name, v in whole.head.state_dict().items())
