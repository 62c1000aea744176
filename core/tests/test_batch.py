"""What a batch knows of its masks: of values, of whole inputs, and none."""

from __future__ import annotations

import torch

from pellucid.batch import Batch

X = torch.arange(12.0).reshape(3, 2, 2)


def test_an_input_without_a_mask_is_complete():
    assert Batch({"x": X}).known("x") is None
    assert Batch({"x": X}).present("x") is None


def test_a_mask_of_samples_counts_for_all_their_values():
    batch = Batch({"x": X}, {"x": torch.tensor([True, False, True])})
    assert batch.known("x").shape == X.shape
    assert X[batch.known("x")].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert batch.present("x").tolist() == [True, False, True]


def test_a_sample_is_there_if_any_of_its_values_is():
    known = torch.zeros(3, 2, 2, dtype=torch.bool)
    known[1, 0, 1] = True
    batch = Batch({"x": X}, {"x": known})
    assert torch.equal(batch.known("x"), known)
    assert batch.present("x").tolist() == [False, True, False]
