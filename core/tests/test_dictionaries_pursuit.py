"""Matching pursuit beside a plain one, its algebra, its path, and least squares that are never negative."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_dictionaries import names, unit
from scipy.optimize import nnls

from pellucid.batch import Batch
from pellucid.heads.dictionaries import MatchingPursuit, OrthogonalMatchingPursuit, pursuit
from pellucid.heads.dictionaries.nonnegative import nonnegative_least_squares
from pellucid.representation import Representation

UNITS = 12


def made(head: type = MatchingPursuit, features: int = 40, seed: int = 0, **options):
    torch.manual_seed(seed)
    one = head(head.config_type(units=names(UNITS), features=features, **options)).eval()
    with torch.no_grad():
        one.centre.normal_()
    return one


def pursued(x: np.ndarray, atoms: np.ndarray, seen: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Matching pursuit as one would write it down, row by row."""
    codes, left = np.zeros((len(x), len(atoms))), x.astype(float).copy()
    for row in range(len(x)):
        for _ in range(steps):
            alike = seen.astype(float) @ left[row]
            at = int(alike.argmax())
            if alike[at] <= 0:
                break
            codes[row, at] += alike[at]
            left[row] -= alike[at] * atoms[at]
    return codes, left


@pytest.mark.parametrize("gram", [True, False], ids=["products of atoms", "products anew"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_codes_are_those_of_a_plain_pursuit(steps, tied, gram, monkeypatch):
    monkeypatch.setattr(pursuit, "GRAM_FEATURES", 4096 if gram else 0)
    one = made(tied=tied)
    if not tied:
        with torch.no_grad():
            one.weight.add_(0.1 * torch.randn_like(one.weight))
    rows = torch.randn(256, UNITS, generator=torch.Generator().manual_seed(2))
    apart = (rows - one.offset).numpy()
    seen = one.atoms.numpy() if tied else one.weight.detach().numpy()
    expected, _ = pursued(apart, one.atoms.numpy(), seen, steps)
    found = one.encode(rows, k=steps).numpy()
    assert np.abs(found - expected).max() < 1e-5
    assert (found > 0).any()


def test_each_step_leaves_what_is_at_right_angles_and_never_more():
    one = made(features=30)
    rows = torch.randn(200, UNITS, dtype=torch.float32)
    path = one.path(rows, k=6)
    left = rows - one.offset
    for step in range(6):
        atoms = one.atoms[path.features[:, step]]
        left = left - path.codes[:, step, None] * atoms
        there = path.codes[:, step] > 0
        assert float((left * atoms).sum(1)[there].abs().max()) < 1e-5
        assert torch.allclose(left.square().sum(1), path.left[:, step + 1], atol=1e-4)
        assert torch.allclose(path.left[:, step] - path.left[:, step + 1], path.codes[:, step].square(), atol=1e-4)
    assert (path.left.diff(dim=1) <= 1e-6).all()
    assert torch.allclose(one.reconstruct(rows) + 0 * left, one.decode(one.encode(rows)), atol=1e-6)
    assert torch.allclose(one.decode(one.encode(rows, k=6)) + left, rows, atol=1e-5)


def test_it_stops_where_nothing_correlates_positively():
    one = made(features=2)
    with torch.no_grad():
        one.directions.zero_()
        one.directions[0, 0] = one.directions[1, 1] = 1.0
    rows = one.offset + torch.tensor([[-1.0, -2.0, *[0.0] * (UNITS - 2)], [3.0, -1.0, *[0.0] * (UNITS - 2)]])
    path = one.path(rows, k=4)
    assert path.codes.tolist() == [[0, 0, 0, 0], [pytest.approx(3.0, rel=1e-5), 0, 0, 0]]


def test_an_atom_met_twice_has_the_sum_of_its_codes():
    one = made(features=2)
    side = torch.zeros(UNITS)
    side[:2] = torch.tensor([-0.6, 0.8])
    with torch.no_grad():
        one.directions.zero_()
        one.directions[0, 0] = 1.0
        one.directions[1] = side
    rows = one.offset + torch.cat([torch.tensor([[1.0, 1.0]]), torch.zeros(1, UNITS - 2)], 1)
    path = one.path(rows, k=3)
    assert path.features[0].tolist() == [0, 1, 0]
    assert one.encode(rows, k=3)[0].tolist() == pytest.approx([1.48, 0.8], rel=1e-5)


def test_the_loss_is_the_squared_error_and_its_gradient_that_of_the_chosen_atoms():
    one = made(k=4, dropout=0.0)
    rows = torch.randn(64, UNITS)
    one.train()
    loss = one.loss(Representation(rows, names(UNITS)), Batch({"x": rows}))
    left = rows - one.reconstruct(rows)
    assert float(loss.detach()) == pytest.approx(float(left.square().sum(1).mean()), rel=1e-5)
    loss.backward()
    # Finite differences along a direction that keeps atoms at unit length to first order, where no choice changes.
    step = torch.randn_like(one.directions)
    step -= torch.linalg.vecdot(step, one.atoms)[:, None] * one.atoms
    step *= 1e-3 / step.norm()
    told = float((one.directions.grad * step).sum())
    around = []
    for sign in (1, -1):
        moved = made(k=4, dropout=0.0).double()
        with torch.no_grad():
            moved.directions.copy_(one.directions.double() + sign * step.double())
            moved.centre.copy_(one.centre.double())
        wide = Representation(rows.double(), names(UNITS))
        around.append(float(moved.loss(wide, Batch({"x": rows.double()}))))
    assert told == pytest.approx((around[0] - around[1]) / 2, rel=2e-2)


def test_atoms_are_left_out_in_the_first_passes_of_training_alone():
    one = made(dropout=0.75, dropout_passes=2.0, features=200)
    rows = torch.randn(400, UNITS)
    one.prepare([(Representation(rows, names(UNITS)), Batch({"x": rows}))])
    whole = one.encode(rows)
    one.train()
    used = []
    for _ in range(3):
        features = one._pursued(rows / one.scale - one.centre, 4)[0]
        used.append(len(features.unique()))
        one.loss(Representation(rows, names(UNITS)), Batch({"x": rows}))
    assert max(used[:2]) < 90 < used[2]
    assert one._without() is None
    one.eval()
    assert torch.equal(one.encode(rows), whole)
    # Back in training it is still there, if the first passes are not over.
    one.seen.zero_()
    assert one.train()._without() is not None
    assert one.eval()._without() is None


@pytest.mark.parametrize("head", [MatchingPursuit, OrthogonalMatchingPursuit])
def test_evidence_is_the_path_and_contributions_leave_what_it_leaves(head):
    one = made(head, k=3)
    z = Representation(torch.randn(20, UNITS), names(UNITS))
    found = one.explain(z)
    path = one.path(z.values)
    assert torch.allclose(found.gap, path.left[:, -1], atol=1e-4)
    for row in range(20):
        told = found.evidence[row]
        assert [piece.unit for piece in told] == [f"f{at}" for at in path.features[row, : len(told)].tolist()]
        assert told[0].text.startswith("step 1: code ")
        assert told[-1].text.endswith(f"leaves {float(path.left[row, len(told)] / path.left[row, 0]):.1%}")


def test_an_explanation_gives_each_atom_the_squared_length_that_it_took():
    one = made(k=5)
    z = Representation(torch.randn(20, UNITS), names(UNITS))
    path = one.path(z.values)
    expected = torch.zeros(20, 40).scatter_add(1, path.features, path.codes.square())
    assert torch.allclose(one.explain(z).contributions, expected, atol=1e-4)


def test_the_orthogonal_one_solves_for_all_codes_on_the_atoms_that_it_met():
    one = made(OrthogonalMatchingPursuit, k=5)
    rows = torch.randn(100, UNITS)
    path = one.path(rows)
    codes, apart = one.encode(rows), (rows - one.offset).numpy()
    assert all(len(set(row)) == 5 for row in path.features.tolist())
    for row in range(100):
        some = path.features[row].numpy()
        expected, error = nnls(one.atoms.numpy()[some].T.astype(float), apart[row].astype(float))
        assert np.abs(codes[row].numpy()[some] - expected).max() < 1e-4
        assert float(path.left[row, -1]) == pytest.approx(error**2, abs=1e-4)
    # More steps than units: once a row is explained, nothing more is met.
    exact = one.path(rows, k=20)
    there = exact.codes > 0
    assert (there.sum(1) <= UNITS).all()
    # Never worse than steps alone, with the same atoms in the first two of them.
    plain = made(MatchingPursuit, k=5).path(rows)
    assert (path.left[:, :3] <= plain.left[:, :3] + 1e-5).all()
    assert float(path.left[:, -1].mean()) < float(plain.left[:, -1].mean())


@pytest.mark.parametrize("count", [1, 3, 9])
def test_least_squares_that_are_never_negative_agree_with_scipy(count):
    generator = torch.Generator().manual_seed(count)
    atoms = unit(torch.randn(150 * count, UNITS, generator=generator)).reshape(150, count, UNITS)
    if count > 1:
        atoms[:, 1] = atoms[:, 0] + 0.05 * torch.randn(150, UNITS, generator=generator)
    x = torch.randn(150, UNITS, generator=generator)
    found = nonnegative_least_squares(atoms @ atoms.transpose(1, 2), (atoms @ x[:, :, None])[:, :, 0])
    expected = np.stack(
        [nnls(a.T.astype(float), y.astype(float))[0] for a, y in zip(atoms.numpy(), x.numpy(), strict=True)]
    )
    assert (found >= 0).all()
    assert np.abs(found.numpy() - expected).max() < 1e-3
    assert (expected == 0).any()


def test_equal_atoms_share_what_one_would_have():
    atoms = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    found = nonnegative_least_squares(atoms @ atoms.transpose(1, 2), torch.tensor([[2.0, 2.0]]))
    assert float(found.sum()) == pytest.approx(2.0)
