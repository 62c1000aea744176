"""Batches in which nothing stands twice, and trainings that learn from them."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.training.batching import Samples, batches_of, distinct_batches, watched_batches
from pellucid.training.loop import train
from pellucid.training.settings import TrainingSettings

SENTENCES = np.repeat([f"sentence {at}" for at in range(40)], 10)


def repeats(batches):
    return sum(len(batch) - len(set(SENTENCES[batch])) for batch in batches)


def samples(count=400):
    return Samples(lambda at: Batch({"x": torch.from_numpy(at).float()}), count, lambda name: SENTENCES[:count])


@pytest.mark.parametrize("seed", range(5))
def test_no_batch_repeats_a_sentence_where_ordinary_shuffling_does(seed):
    distinct = batches_of(samples(), TrainingSettings(batch_size=24, distinct="sentence"), seed)
    assert repeats(distinct) == 0
    assert {len(batch) for batch in distinct} == {24}
    # The control: were the setting not read, the first assertion would fail.
    assert repeats(batches_of(samples(), TrainingSettings(batch_size=24), seed)) > 20


def test_every_sample_stands_at_most_once_in_an_epoch_and_few_are_left_out():
    batches = batches_of(samples(), TrainingSettings(batch_size=24, distinct="sentence"), 0)
    counts = Counter(np.concatenate(batches).tolist())
    assert max(counts.values()) == 1
    assert len(counts) >= 0.8 * 400


def test_other_samples_are_left_out_in_another_epoch():
    settings = TrainingSettings(batch_size=24, distinct="sentence")
    first, second = (set(np.concatenate(batches_of(samples(), settings, seed)).tolist()) for seed in (0, 1))
    assert set(range(400)) - first != set(range(400)) - second


def test_what_waits_comes_first_in_the_next_batch():
    values = np.array(["a", "a", "a", "b", "c", "d"])
    assert [b.tolist() for b in distinct_batches(np.arange(6), values, 2, "x")] == [[0, 3], [1, 4], [2, 5]]


def test_fewer_sentences_than_places_are_refused():
    with pytest.raises(DataError, match=r"batches of 41 samples .* 'sentence' cannot be made of 40"):
        batches_of(samples(), TrainingSettings(batch_size=41, distinct="sentence"), 0)


def test_validation_samples_are_looked_at_without_repeats_in_smaller_batches():
    few = watched_batches(samples(60), TrainingSettings(batch_size=24, distinct="sentence"))
    assert {len(batch) for batch in few} == {6}
    assert repeats(few) == 0
    assert [len(b) for b in watched_batches(samples(), TrainingSettings(batch_size=24))] == [256, 144]


class Seen(nn.Module):
    """Remembers what it was shown; its loss is one for every sample."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.batches = []

    def forward(self, batch):
        if self.training:
            self.batches.append(batch.inputs["x"].long().numpy())
        return 1 + self.weight.sum() * 0


def test_training_goes_through_batches_without_repeats_and_counts_what_it_learnt_from():
    objective = Seen()
    settings = TrainingSettings(epochs=3, batch_size=24, distinct="sentence")
    progress = train(objective, samples(), samples(60), settings, stage="seen")
    assert repeats(objective.batches) == 0
    assert len(objective.batches) > 3 * 12
    # A remainder that was not learnt from must not make the loss smaller.
    assert progress.training == [1.0] * 3
    assert progress.validation == [1.0] * 3
