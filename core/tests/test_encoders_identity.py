"""Named numbers as they are: standardised on training samples, missing ones at the mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Vector
from pellucid.encoders.identity import Identity, IdentityConfig
from pellucid.errors import DataError, StudyError

NAMES = ("age", "dose", "always seven")


def identity(**options) -> Identity:
    return Identity(IdentityConfig(inputs={"x": Vector(names=NAMES)}, **options))


def drawn(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    values = np.column_stack([random.normal(1e4, 3, count), random.exponential(2, count), np.full(count, 7.0)])
    return torch.tensor(values, dtype=torch.float32), torch.tensor(random.random((count, 3)) < 0.8)


def in_batches(values: torch.Tensor, mask: torch.Tensor | None = None, size: int = 7) -> list[Batch]:
    masks = [{}] * len(values) if mask is None else [{"x": part} for part in mask.split(size)]
    return [Batch({"x": part}, some) for part, some in zip(values.split(size), masks, strict=False)]


def test_units_are_in_standard_deviations_from_the_mean_of_known_training_values():
    values, known = drawn(200)
    encoder = identity()
    encoder.prepare(in_batches(values, known))
    units = encoder(Batch({"x": values}, {"x": known})).values
    for column in range(2):
        mine, there = values[:, column].double(), known[:, column]
        expected = (mine - mine[there].mean()) / mine[there].std(correction=0)
        assert torch.allclose(units[there, column].double(), expected[there], atol=1e-3)


def test_a_missing_number_is_the_training_mean_whatever_stands_in_its_place():
    values, known = drawn(50)
    encoder = identity()
    encoder.prepare(in_batches(values, known))
    spoiled = torch.where(known, values, torch.tensor(1e9))
    for one in (values, spoiled):
        units = encoder(Batch({"x": one}, {"x": known})).values
        assert (units[~known] == 0).all()
    again = identity()
    again.prepare(in_batches(spoiled, known))
    assert torch.equal(again.mean, encoder.mean)
    assert torch.equal(again.scale, encoder.scale)


def test_a_mask_of_whole_samples_hides_all_their_numbers():
    values, _ = drawn(4)
    encoder = identity()
    encoder.prepare([Batch({"x": values})])
    units = encoder(Batch({"x": values}, {"x": torch.tensor([True, False, True, False])})).values
    assert (units[[1, 3]] == 0).all()
    assert (units[[0, 2], 0] != 0).all()


def test_a_constant_is_centred_and_a_later_change_stays_of_its_own_size():
    values, _ = drawn(30)
    encoder = identity()
    encoder.prepare([Batch({"x": values})])
    assert (encoder(Batch({"x": values})).values[:, 2] == 0).all()
    later = values.clone()
    later[:, 2] = 9.0
    assert torch.allclose(encoder(Batch({"x": later})).values[:, 2], torch.tensor(2.0))


def test_columns_are_taken_by_name_in_the_order_asked_for():
    values, known = drawn(20)
    encoder = identity(columns=("dose", "age"), indicators=True)
    assert encoder.names == ("dose", "age", "dose is missing", "age is missing")
    encoder.prepare([Batch({"x": values}, {"x": known})])
    units = encoder(Batch({"x": values}, {"x": known})).values
    assert torch.equal(units[:, 2:] == 1, ~known[:, [1, 0]])
    there = known[:, 1]
    assert torch.corrcoef(torch.stack([units[there, 0], values[there, 1]]))[0, 1] > 0.999


def test_an_unknown_column_is_refused_with_the_nearest_name():
    with pytest.raises(StudyError, match="no number named 'dosis'; did you mean 'dose'"):
        identity(columns=("dosis",))


def test_a_number_that_nobody_in_training_has_is_refused_by_name():
    values, _ = drawn(10)
    known = torch.ones_like(values, dtype=torch.bool)
    known[:, 1] = False
    with pytest.raises(DataError, match="'dose' is known in no training sample"):
        identity().prepare([Batch({"x": values}, {"x": known})])


def test_numbers_can_be_handed_on_as_they_are():
    spec = Vector(names=("a", "b"))
    encoder = Identity(IdentityConfig(inputs={"x": spec}, standardised=False))
    values = torch.tensor([[1.0, 10.0], [3.0, 0.0]])
    batch = Batch({"x": values}, {"x": torch.tensor([[True, True], [True, False]])})
    encoder.prepare([batch])
    assert torch.equal(encoder(batch).values, torch.tensor([[1.0, 10.0], [3.0, 10.0]]))
    assert torch.equal(encoder.undone(values), values)
