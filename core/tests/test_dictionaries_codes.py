"""Sparse codes: the same numbers and gradients as dense ones, and what each rule makes of them."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from made_dictionaries import names, unit
from torch.overrides import TorchFunctionMode

from pellucid.batch import Batch
from pellucid.heads.dictionaries import (
    BatchTopK,
    Gated,
    JumpRelu,
    MatchingPursuit,
    Matryoshka,
    OrthogonalMatchingPursuit,
    Relu,
    TopK,
    Variational,
    sparse,
)
from pellucid.heads.dictionaries.sparse import (
    above,
    encoded,
    strongest_of_batch,
    strongest_of_row,
    without_radial_gradient,
)
from pellucid.representation import Representation

STEPPED = (BatchTopK, Gated, JumpRelu, Matryoshka, MatchingPursuit, OrthogonalMatchingPursuit, Relu, TopK, Variational)

ROWS, UNITS, FEATURES = 40, 7, 23


def made(head: type, features: int = FEATURES, seed: int = 0, **options):
    torch.manual_seed(seed)
    return head(head.config_type(units=names(UNITS), features=features, **options))


def few(head: type) -> dict[str, int]:
    """Fewer codes than units, where a rule has a number of them: beyond, pursuits chase rounding errors."""
    return {"k": 3} if "k" in head.config_type.model_fields else {}


def some_rows(count: int = 400, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3.0 + 5.0 * torch.randn(count, UNITS, generator=generator)


def seen(rows: torch.Tensor) -> Representation:
    return Representation(rows, names(UNITS))


def fixed(found: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(found, dtype=torch.bool).scatter(1, found.topk(3, dim=1).indices, True)


def of_batch(found: torch.Tensor) -> torch.Tensor:
    flat = torch.zeros(found.numel(), dtype=torch.bool)
    flat[found.reshape(-1).topk(3 * len(found)).indices] = True
    return flat.reshape(found.shape)


THRESHOLD = torch.linspace(-0.5, 1.5, FEATURES)

CHOICES = {
    "fixed k": (strongest_of_row(3), fixed),
    "batch k": (strongest_of_batch(3), of_batch),
    "one threshold": (above(torch.tensor(0.8)), lambda found: found > 0.8),
    "a threshold each": (above(THRESHOLD), lambda found: found > THRESHOLD),
}


@pytest.mark.parametrize("sampled", [True, False], ids=["sampled", "gathered"])
@pytest.mark.parametrize("name", CHOICES)
def test_sparse_codes_have_the_values_and_gradients_of_dense_ones(name, sampled, monkeypatch):
    if sampled and not sparse._samples_products(torch.device("cpu")):
        pytest.skip("this build of torch does not sample products")
    monkeypatch.setattr(sparse, "_samples_products", lambda device: sampled)
    choose, mask = CHOICES[name]
    torch.manual_seed(0)
    x, weight, bias = torch.randn(ROWS, UNITS), torch.randn(FEATURES, UNITS), 0.3 * torch.randn(FEATURES)
    atoms, wanted = unit(torch.randn(FEATURES, UNITS)), torch.randn(ROWS, UNITS)
    losses, gradients = [], []
    for dense in (True, False):
        leaves = [one.clone().requires_grad_() for one in (x, weight, bias, atoms)]
        if dense:
            found = torch.addmm(leaves[2], leaves[0], leaves[1].T)
            rebuilt = (found * mask(found.detach())).relu() @ leaves[3]
        else:
            codes = encoded(*leaves[:3], choose)
            assert len(codes.features) < ROWS * FEATURES / 2 or "threshold" in name
            rebuilt = codes.with_values(codes.values.relu()).decoded(leaves[3])
        loss = (rebuilt - wanted).square().sum()
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append([leaf.grad for leaf in leaves])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for dense, one in zip(*gradients, strict=True):
        assert float(dense.abs().max()) > 0
        assert float((dense - one).abs().max() / dense.abs().max()) < 1e-5


class Placed(TorchFunctionMode):
    """Refuses a tensor that is made on the default device: it would stand beside others on an accelerator."""

    MAKERS = frozenset(
        getattr(torch, name)
        for name in ("arange", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "randperm", "tensor",
                     "zeros")
    )  # fmt: skip

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self.MAKERS and (kwargs or {}).get("device") is None:
            raise AssertionError(f"{func.__name__} without a device")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("gathered", [True, False])
@pytest.mark.parametrize("head", STEPPED)
def test_a_step_makes_no_tensor_without_saying_where(head, gathered, monkeypatch):
    # The look whether torch samples products is made where rows are, once.
    sparse._samples_products.cache_clear()
    if gathered:
        monkeypatch.setattr(sparse, "_samples_products", lambda device: False)
    noise = {"noise": "learned"} if head is Variational else {}
    one, rows = made(head, **few(head), **noise), seen(some_rows())
    one.prepare([(rows, Batch({}))])
    with pytest.raises(AssertionError, match="zeros without a device"), Placed():
        torch.zeros(3)
    for dead in (False, True):
        if dead and hasattr(one, "since"):
            one.since[:4] = 10**9
        with Placed():
            one.train().loss(rows, Batch({})).backward()
            one.settle()
            one.eval().loss(rows, Batch({}))
            one.encode(rows.values)


@pytest.mark.parametrize("gathered", [True, False])
def test_gradients_make_no_tensor_without_saying_where(gathered, monkeypatch):
    """Called as torch calls them: it looks at modes forwards alone."""
    sparse._samples_products.cache_clear()
    if gathered:
        monkeypatch.setattr(sparse, "_samples_products", lambda device: False)
    torch.manual_seed(0)
    x, weight = torch.randn(ROWS, UNITS), torch.randn(FEATURES, UNITS)
    codes = encoded(x, weight, torch.zeros(FEATURES), strongest_of_row(3))
    for function, saved, gradient in (
        (sparse._Encode, (x, weight, codes.starts, codes.features), torch.ones_like(codes.values)),
        (sparse._Decode, (codes.values, weight, codes.starts, codes.features), torch.ones_like(x)),
    ):
        about = SimpleNamespace(saved_tensors=saved, needs_input_grad=(True,) * 6)
        with Placed():
            found = function.backward(about, gradient)
        assert sum(one is not None and bool(one.abs().sum() > 0) for one in found) >= 2


def test_rows_without_a_code_are_decoded_to_nothing():
    torch.manual_seed(0)
    x, weight = torch.randn(6, UNITS), torch.randn(FEATURES, UNITS)
    x[2] = x[5] = 0
    codes = encoded(x, weight, torch.zeros(FEATURES), above(torch.tensor(0.1)))
    rebuilt = codes.decoded(weight)
    assert torch.allclose(rebuilt, codes.dense() @ weight, atol=1e-5)
    assert (rebuilt[[2, 5]] == 0).all()
    assert (rebuilt[[0, 1, 3, 4]] != 0).any(1).all()


def test_a_gradient_along_an_atom_is_left_out_and_no_other():
    torch.manual_seed(0)
    atoms = unit(torch.randn(5, UNITS)).requires_grad_()
    push = torch.randn(5, UNITS)
    (without_radial_gradient(atoms) * push).sum().backward()
    assert float(torch.linalg.vecdot(atoms.grad, atoms.detach()).abs().max()) < 1e-6
    across = push - torch.linalg.vecdot(push, atoms.detach())[:, None] * atoms.detach()
    assert torch.allclose(atoms.grad, across, atol=1e-6)


@pytest.mark.parametrize("head", STEPPED, ids=lambda head: head.__name__)
def test_folding_the_scale_in_leaves_codes_in_the_units_of_the_representation(head):
    rows = some_rows()
    one = made(head, **few(head))
    one.prepare([(seen(rows), Batch({"x": rows}))])
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    one.settle()
    if head in (BatchTopK, Matryoshka):
        one.threshold.fill_(0.4)
    one.eval()
    assert float(one.scale) > 3
    before, offset, rebuilt = one.encode(rows), one.offset.clone(), one.reconstruct(rows)
    spread = one.spread(rows) if head is Variational else None
    one.fold()
    assert float(one.scale) == 1
    assert (before != 0).any()
    assert torch.allclose(one.encode(rows), before, rtol=1e-4, atol=1e-4)
    assert torch.allclose(one.offset, offset, rtol=1e-5)
    assert torch.allclose(one.reconstruct(rows), rebuilt, rtol=1e-4, atol=1e-4)
    if spread is not None:
        assert torch.allclose(one.spread(rows), spread, rtol=1e-4)


def test_a_learnt_spread_is_told_in_the_units_of_the_representation():
    rows = some_rows()
    one = made(Variational, noise="learned")
    one.prepare([(seen(rows), Batch({"x": rows}))])
    torch.nn.init.normal_(one.spread_weight, std=0.2)
    before, scale = one.spread(rows), float(one.scale)
    one.fold()
    assert torch.allclose(one.spread(rows), before, rtol=1e-4)
    # Bounds of the log variance are those of the scale that it was learnt in.
    assert scale * 0.05 < float(before.min()) < float(before.max()) < scale * 2.72


@pytest.mark.parametrize("head", STEPPED, ids=lambda head: head.__name__)
def test_codes_scale_with_what_is_read(head):
    """Learnt and folded at ten times the size, the same rows have ten times the codes."""
    found = []
    for size in (1.0, 10.0):
        rows = size * some_rows()
        one = made(head, **few(head))
        one.prepare([(seen(rows), Batch({"x": rows}))])
        if head in (BatchTopK, Matryoshka):
            one.threshold.fill_(0.4)
        one.fold()
        found.append(one.eval().encode(rows) / size)
    assert (found[0] != 0).any()
    assert torch.allclose(*found, rtol=1e-3, atol=1e-3)


def test_a_jump_and_its_step_have_the_gradients_of_the_band():
    from pellucid.heads.dictionaries.jump_relu import _Jump, _Step

    found = torch.tensor([[0.5], [0.9], [1.1], [2.0]], requires_grad=True)
    threshold, width = torch.tensor([1.0], requires_grad=True), 0.4
    codes = _Jump.apply(found, threshold, width)
    assert codes.flatten().tolist() == pytest.approx([0, 0, 1.1, 2.0])
    (torch.tensor([[1.0], [2.0], [3.0], [4.0]]) * codes).sum().backward()
    # Two rows, with 2 and 3, lie in a band of 0.4 around the threshold of 1: -1 * (2 + 3) / 0.4.
    assert float(threshold.grad) == pytest.approx(-12.5)
    assert found.grad.flatten().tolist() == [0, 0, 3, 4]
    threshold.grad = found.grad = None
    _Step.apply(found, threshold, width).sum().backward()
    assert float(threshold.grad) == pytest.approx(-5.0)
    assert found.grad is None


def test_a_gate_says_whether_and_a_magnitude_how_much():
    one = made(Gated)
    rows = torch.randn(50, UNITS)
    with torch.no_grad():
        one.stretch.copy_(torch.linspace(-1, 1, FEATURES))
        one.magnitude.fill_(0.2)
        one.bias.copy_(torch.linspace(-0.5, 0.5, FEATURES))
    gate = rows @ one.weight.T + one.bias
    magnitude = (rows @ (one.weight * one.stretch.exp()[:, None]).T + one.magnitude).relu()
    assert torch.allclose(one.active(rows), (gate > 0) * magnitude, atol=1e-5)


def test_gates_learn_from_a_decoder_that_does_not():
    one = made(Gated, l1=0.0)
    apart = torch.randn(50, UNITS)
    _, penalty = one.learnt(apart)
    expected = (apart - (apart @ one.weight.T + one.bias).relu() @ one.atoms).square().sum(1).mean()
    assert float(penalty.detach()) == pytest.approx(float(expected), rel=1e-5)
    penalty.backward()
    assert one.directions.grad is None
    assert one.centre.grad is None
    assert (one.weight.grad != 0).any()


@pytest.mark.parametrize("noise", ["none", "unit", "learned"])
def test_a_variational_code_is_its_mean_outside_of_training(noise):
    rows = some_rows()
    one = made(Variational, noise=noise, k=4, warm_up=0.0)
    one.prepare([(seen(rows), Batch({"x": rows}))])
    one.train()
    batch = Batch({"x": rows})
    drawn = [float(one.loss(seen(rows), batch)) for _ in range(2)]
    assert (drawn[0] == drawn[1]) is (noise == "none")
    one.eval()
    assert torch.equal(one.encode(rows), one.encode(rows))
    assert float(one.loss(seen(rows), batch)) == float(one.loss(seen(rows), batch))
    mean = (rows / one.scale - one.centre) @ one.weight.T + one.bias
    kept = mean.relu() * fixed_of(mean.relu(), 4)
    assert torch.allclose(one.encode(rows), kept.detach() * one.scale, atol=1e-4)


def fixed_of(found: torch.Tensor, k: int) -> torch.Tensor:
    return torch.zeros_like(found, dtype=torch.bool).scatter(1, found.abs().topk(k, dim=1).indices, True)


def test_drawn_codes_keep_their_signs():
    one = made(Variational, noise="unit", k=4)
    codes, _ = one.train().learnt(torch.zeros(200, UNITS))
    assert (codes.values < 0).any()
    assert (codes.values > 0).any()
    # The four farthest of 23 standard Gaussians.
    assert float(codes.values.abs().min()) > 0.3
    assert 0.4 < float((codes.values < 0).float().mean()) < 0.6


def test_a_penalty_grows_over_passes_and_is_whole_where_epochs_are_compared():
    rows = some_rows(100)
    one = made(Relu, l1=5.0, warm_up=2.0, auxiliary=0.0)
    one.prepare([(seen(rows), Batch({"x": rows}))])
    batch, penalties = Batch({"x": rows}), []
    for _ in range(4):
        one.train()
        penalties.append(float(one.learnt(rows / one.scale - one.centre)[1]))
        one.loss(seen(rows), batch)
    whole = float(one.eval().learnt(rows / one.scale - one.centre)[1])
    assert penalties == pytest.approx([0.0, whole / 2, whole, whole])
    one.seen.zero_()
    assert float(one.learnt(rows / one.scale - one.centre)[1]) == pytest.approx(whole)


def test_nested_dictionaries_explain_a_row_without_the_rest():
    one = made(Matryoshka, features=16, nested=(0.25, 1.0), auxiliary=0.0, k=5)
    rows = torch.randn(60, UNITS)
    one.train()
    codes = one.active(rows).dense()
    expected = [(rows - codes[:, :size] @ one.directions[:size]).square().sum(1).mean() for size in one.config.sizes]
    assert one.config.sizes == (4, 16)
    assert float(one.loss(seen(rows), Batch({"x": rows}))) == pytest.approx(float(sum(expected)) / 2, rel=1e-5)
    assert all(a < b for a, b in pairwise(one.config.sizes))


def test_the_threshold_of_a_batch_is_a_running_mean_of_its_weakest_codes():
    one = made(BatchTopK, k=3)
    one.train()
    weakest = []
    for seed in range(3):
        codes = one.active(some_rows(seed=seed))
        weakest.append(float(codes.values[codes.values > 0].min()))
        one.note(codes)
    expected = weakest[0]
    for value in weakest[1:]:
        expected = 0.999 * expected + 0.001 * value
    assert float(one.threshold) == pytest.approx(expected, rel=1e-5)
    one.eval()
    codes = one.active(some_rows()).dense()
    assert float(codes[codes > 0].min()) > expected
