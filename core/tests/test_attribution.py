"""Attribution: captum as the reference, planted places, and memory that stays within a budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pellucid.attribution import attribute, region_map, training_mean
from pellucid.attribution.gradients import gradient_times_input, integrated_gradients
from pellucid.attribution.memory import rows_at_once, still
from pellucid.attribution.occlusion import occlusion, windows
from pellucid.batch import Batch
from pellucid.data import ArrayDataset, Binary, DataSpec, Image, Signal, Vector
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.identity import Identity
from pellucid.errors import ContractError
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.regions import Box, TimeSpan
from pellucid.representation import Representation

YES = Binary(names=("no", "yes"))


class Flat(Encoder):
    """Every number of an input as a unit."""

    tags = EncoderTags(accepts=("signal", "image", "vector"))
    config_type = EncoderConfig

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.shape = next(iter(config.inputs.values())).shape

    @property
    def names(self):
        return tuple(f"n{at}" for at in range(int(np.prod(self.shape))))

    def forward(self, batch):
        return Representation(self.read(batch).flatten(1).float(), self.names)


def network(inputs=12):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(inputs, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 8), nn.GELU(), nn.Linear(8, 3)
    )


def linear_model(spec, weight):
    """A model that is a weighted sum of its input's numbers."""
    encoder = Flat(EncoderConfig(inputs={"x": spec}))
    head = Linear(Linear.config_type(units=tuple(f"x:{n}" for n in encoder.names), target=YES))
    head.weight.data = weight.flatten()[None] / 10
    return Model({"x": encoder}, head)


@pytest.mark.parametrize("rows", [1, 3, 7, 40, 1000, None])
def test_integrated_gradients_are_those_of_captum_whatever_the_chunks(rows):
    from captum.attr import IntegratedGradients

    model = network()
    x, base = torch.randn(7, 12), torch.randn(7, 12)
    found = integrated_gradients(lambda v, at: model(v)[:, 1], x, base, steps=20, module=model, rows=rows)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    model.eval()
    peer, delta = IntegratedGradients(model).attribute(x, base, target=1, n_steps=20, return_convergence_delta=True)
    torch.testing.assert_close(found.values, peer, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.gap, -delta, atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(found.output, model(x)[:, 1])
    torch.testing.assert_close(found.baseline, model(base)[:, 1])


def test_gradient_x_input_is_that_of_captum():
    from captum.attr import InputXGradient

    model = network().eval()
    x = torch.randn(5, 12)
    found = gradient_times_input(lambda v, at: model(v)[:, 0], x, torch.zeros_like(x), rows=2)
    torch.testing.assert_close(found.values, InputXGradient(model).attribute(x.requires_grad_(), target=0))
    assert found.gap.abs().max() > 1e-3


@pytest.mark.parametrize(("window", "stride"), [((1, 4), (1, 4)), ((2, 5), (1, 3)), ((3, 10), (3, 10))])
@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_occlusion_spreads_each_fall_evenly(window, stride, rows):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 4), nn.Tanh(), nn.Linear(4, 1)).eval()
    x, base = torch.randn(3, 3, 10), torch.randn(3, 3, 10)
    found = occlusion(lambda v, at: model(v)[:, 0], x, base, window, stride=stride, module=model, rows=rows)
    total, cover = torch.zeros_like(x), torch.zeros(3, 10)
    for part in windows((3, 10), window, stride):
        mask = torch.zeros(3, 10)
        mask[part] = 1
        fall = model(x)[:, 0] - model(torch.where(mask > 0, base, x))[:, 0]
        total += fall[:, None, None] * mask / mask.sum()
        cover += mask
    torch.testing.assert_close(found.values, (total / cover).detach(), atol=1e-6, rtol=1e-5)


def test_occlusion_in_single_windows_agrees_with_captum():
    from captum.attr import Occlusion

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 4), nn.Tanh(), nn.Linear(4, 1)).eval()
    x = torch.randn(3, 3, 10)
    peer = Occlusion(model).attribute(x, sliding_window_shapes=(1, 2), strides=(1, 2), baselines=0)
    found = occlusion(lambda v, at: model(v)[:, 0], x, torch.zeros_like(x), (1, 2))
    torch.testing.assert_close(found.values * 2, peer, atol=1e-6, rtol=1e-5)


def test_windows_cover_everything():
    for shape, window, stride in (((7,), (3,), (2,)), ((5, 9), (2, 4), (2, 4)), ((3,), (8,), (8,)), ((6,), (4,), (1,))):
        cover = torch.zeros(shape)
        for part in windows(shape, window, stride):
            cover[part] += 1
        assert (cover > 0).all()
        if window == stride:
            assert (cover == 1).all()
    with pytest.raises(ContractError, match="unseen"):
        windows((9,), (2,), (3,))
    with pytest.raises(ContractError, match="unseen"):
        windows((9,), (2,), (0,))
    for window, stride in (((2, 2), None), ((2,), (1, 1))):
        with pytest.raises(ContractError, match="one number an axis"):
            windows((9,), window, stride)


def test_rows_at_once_follow_what_a_row_costs():
    small, large = nn.Linear(100, 100), nn.Sequential(nn.Linear(100, 10_000), nn.ReLU(), nn.Linear(10_000, 1))
    x = torch.zeros(4, 100)
    rows = [rows_at_once(lambda v, at, m=m: m(v).sum(1), x, budget_bytes=2**20) for m in (small, large)]
    # The wide network keeps ten thousand numbers a row (in and out of the ReLU at least once), the small one a hundred.
    assert rows[0] > 500
    assert 5 <= rows[1] <= 30
    assert rows_at_once(lambda v, at: large(v).sum(1), x, budget_bytes=1) == 1
    # A batch that fits into four budgets is not split, a larger one is.
    assert rows_at_once(lambda v, at: v.exp().sum(1), torch.zeros(35, 1000), budget_bytes=80_000) == 35
    assert rows_at_once(lambda v, at: v.exp().sum(1), torch.zeros(90, 1000), budget_bytes=80_000) == 40


def test_no_more_rows_are_evaluated_at_once_than_the_budget_allows():
    model, seen = network(), []

    def function(values, at):
        assert len(values) == len(at)
        seen.append(len(values))
        return model(values)[:, 0]

    x = torch.randn(50, 12)
    integrated_gradients(function, x, torch.zeros_like(x), steps=10, module=model, rows=20)
    occlusion(function, x, torch.zeros_like(x), (1,), module=model, rows=20)
    assert max(seen) == 20


def test_still_puts_everything_back():
    model = network()
    model[0].weight.requires_grad_(False)
    model[2].eval()
    with still(model):
        assert not model.training
        assert not any(p.requires_grad for p in model.parameters())
    assert [m.training for m in model.children()] == [True, True, False, True, True, True]
    assert [p.requires_grad for p in model.parameters()] == [False] + [True] * 5


@pytest.mark.parametrize("method", ["integrated-gradients", "gradient-x-input", "occlusion"])
def test_every_method_is_exact_on_a_linear_model_and_says_against_what(method):
    torch.manual_seed(0)
    spec = Signal(channels=("I", "II"), length=6, rate_hz=10, units="mV")
    weight = torch.randn(2, 6)
    model = linear_model(spec, weight)
    x, usual = torch.randn(4, 2, 6), torch.randn(2, 6)
    found = attribute(model, Batch({"x": x}), method=method, baseline=usual, baseline_name="training mean")
    torch.testing.assert_close(found.values, (x - usual) * weight, atol=1e-5, rtol=1e-4)
    assert found.gap.abs().max() < 1e-5
    assert (found.input, found.target, found.baseline_name) == ("x", "yes", "training mean")
    assert attribute(model, Batch({"x": x}), method=method).baseline_name == "zeros"


def test_other_inputs_and_masks_stay_with_their_samples():
    """The output is a product of two inputs, so mixing up samples would change it."""

    class Product(nn.Module):
        head = Linear(Linear.config_type(units=("x",), target=YES))

        def forward(self, batch):
            there = batch.masks["y"].float()
            return (batch.inputs["x"].sum(1) * batch.inputs["y"].sum(1) * there)[:, None]

    torch.manual_seed(0)
    x, y, there = torch.randn(9, 3), torch.randn(9, 2), torch.rand(9) > 0.3
    batch = Batch({"x": x, "y": y}, {"y": there})
    for method in ("integrated-gradients", "occlusion"):
        found = attribute(Product(), batch, input="x", method=method)
        torch.testing.assert_close(found.values, x * (y.sum(1) * there)[:, None], atol=1e-5, rtol=1e-4)


def test_a_region_map_finds_the_planted_place():
    spec = Signal(channels=("I", "II", "III"), length=80, rate_hz=100, units="mV")
    weight = torch.zeros(3, 80)
    weight[1, 20:30] = 1.0
    weight[2, 70:80] = -0.2
    found = region_map(linear_model(spec, weight), Batch({"x": torch.ones(2, 3, 80)}))
    assert found.strongest(0, top=2) == [
        (TimeSpan(("II",), 0.2, 0.3), pytest.approx(10, rel=1e-4)),
        (TimeSpan(("III",), 0.7, 0.8), pytest.approx(-2, rel=1e-4)),
    ]
    assert found.values.shape == (2, 3, 80)
    assert found.values[0, 1, 25] == pytest.approx(10, rel=1e-4)
    assert found.values[0, 0].abs().max() < 1e-5


def test_a_region_map_of_an_image_has_boxes():
    spec = Image(channels=("a", "b"), size=(16, 8), units="1")
    weight = torch.zeros(2, 16, 8)
    weight[:, 4:6, 7] = 1.0
    found = region_map(linear_model(spec, weight), Batch({"x": torch.ones(1, 2, 16, 8)}))
    assert found.strongest(0, top=1) == [(Box((4, 7), (6, 8)), pytest.approx(4, rel=1e-4))]


def test_what_cannot_be_attributed_is_refused_in_words():
    model = linear_model(Vector(names=("a", "b")), torch.ones(2))
    batch = Batch({"x": torch.ones(1, 2)})
    with pytest.raises(ContractError, match="did you mean 'x'"):
        attribute(model, batch, input="xx")
    with pytest.raises(ContractError, match="did you mean 'occlusion'"):
        attribute(model, batch, method="oclusion")
    with pytest.raises(ContractError, match="no places"):
        region_map(model, batch)
    with pytest.raises(ContractError, match="whole numbers"):
        attribute(model, Batch({"x": torch.ones(1, 2, dtype=torch.int64)}))
    with pytest.raises(ContractError, match=r"baseline of shape \(3,\)"):
        attribute(model, batch, baseline=torch.ones(3))


def test_the_training_mean_leaves_out_what_is_masked():
    spec = DataSpec(name="s", namespace="s", inputs={"x": Vector(names=("a", "b"))}, targets={"y": YES})
    frame = pd.DataFrame({"subject": list("abc"), "y": [0.0, 1.0, 0.0]}, index=["0", "1", "2"])
    known = np.array([[True, True], [True, False], [False, False]])
    dataset = ArrayDataset(spec, frame, {"x": np.array([[1, 5], [3, 99], [99, 99]], np.float32)}, {"x": known})
    assert training_mean(dataset, "x").tolist() == [2.0, 5.0]


def test_a_model_with_a_real_encoder_is_explained_in_the_input_s_own_numbers():
    encoder = Identity(Identity.config_type(inputs={"x": Vector(names=("a", "b"))}))
    encoder.prepare([Batch({"x": torch.tensor([[0.0, 10.0], [2.0, 30.0]])})])
    head = Linear(Linear.config_type(units=("x:a", "x:b"), target=YES))
    head.weight.data = torch.tensor([[0.1, 0.2]])
    found = attribute(Model({"x": encoder}, head), Batch({"x": torch.tensor([[2.0, 40.0]])}))
    torch.testing.assert_close(found.values, torch.tensor([[2.0, 8.0]]))
    assert found.baseline.item() == pytest.approx(-1 - 4)
