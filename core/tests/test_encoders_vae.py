"""Variational auto-encoders over one, two and three axes: divergences, loss, learning, missing values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.distributions import Dirichlet, Normal, kl_divergence

from pellucid.batch import Batch, collate
from pellucid.data.spec import Image, Signal, Volume
from pellucid.encoders.similarity import structural_similarity
from pellucid.encoders.vae import LINEAR_RANGE_SD
from pellucid.encoders.vae_dirichlet import VaeDirichlet, dirichlet_divergence
from pellucid.encoders.vae_gaussian import VaeGaussian, gaussian_divergence
from pellucid.errors import DataError, StudyError
from pellucid.testing.planted import planted

FAMILY = (VaeGaussian, VaeDirichlet)


def picture(side: int = 16) -> Image:
    return Image(channels=("a",), size=(side, side), units="1")


def vae(kind: type, spec, **options):
    torch.manual_seed(0)
    return kind(kind.config_type(inputs={"x": spec}, **{"latent": 4, "width": 4} | options))


def blobs(count: int, side: int = 16, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    row, column = np.mgrid[:side, :side] - (side - 1) / 2
    middle, radius = random.uniform(-2, 2, (2, count, 1, 1)), random.uniform(2, 6, (count, 1, 1))
    soft = 1 / (1 + np.exp(np.hypot(row - middle[0], column - middle[1]) - radius))
    return torch.tensor(soft[:, None], dtype=torch.float32)


def trained(encoder, x: torch.Tensor, steps: int, rate: float = 5e-3):
    torch.manual_seed(0)
    encoder.prepare([Batch({"x": x})])
    optimizer = torch.optim.Adam(encoder.parameters(), rate)
    encoder.train()
    for _ in range(steps):
        loss = encoder.loss(Batch({"x": x[torch.randperm(len(x))[:32]]}))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder.eval()


# --- divergences ------------------------------------------------------------------------------------------------------


def test_gaussian_divergence_is_that_of_the_library():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 100, 6, generator=generator, dtype=torch.float64) * 2
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(torch.zeros(6), torch.ones(6))).sum(1)
    assert torch.allclose(gaussian_divergence(mean, log_variance), expected, atol=1e-8)


def test_dirichlet_divergence_is_that_of_the_library_and_zero_only_between_equals():
    generator = torch.Generator().manual_seed(0)
    a, prior = (torch.rand(100, 5, generator=generator, dtype=torch.float64) * 10 + 1e-2 for _ in range(2))
    ours = dirichlet_divergence(a, prior)
    assert torch.allclose(ours, kl_divergence(Dirichlet(a), Dirichlet(prior)), atol=1e-5)
    assert (ours > 0).all()
    assert dirichlet_divergence(a, a).abs().max() < 1e-9


def test_dirichlet_units_are_shares_and_the_decoder_puts_a_walk_back_among_them():
    encoder = vae(VaeDirichlet, picture()).eval()
    values = encoder(Batch({"x": blobs(6)})).values
    assert (values > 0).all()
    assert torch.allclose(values.sum(1), torch.ones(6))
    assert torch.allclose(encoder.decode(values), encoder.decode(3 * values), atol=1e-5)
    outside = values.clone()
    outside[:, 0] = -0.3
    inside = outside.clamp(min=0)
    assert torch.allclose(encoder.decode(outside), encoder.decode(inside / inside.sum(1, keepdim=True)), atol=1e-5)


def test_dirichlet_values_are_the_mean_of_what_is_drawn():
    encoder = vae(VaeDirichlet, picture()).eval()
    posterior = (torch.tensor([[0.5, 1.0, 3.0, 0.01]]),)
    torch.manual_seed(0)
    drawn = encoder.draw((posterior[0].expand(20000, 4),))
    assert torch.allclose(drawn.mean(0), encoder.centre(posterior)[0], atol=0.01)
    # The concentration of the whole shows in the spread alone: Dir(a) has variance m (1 - m) / (sum(a) + 1).
    mean = encoder.centre(posterior)[0]
    assert torch.allclose(drawn.var(0), mean * (1 - mean) / (posterior[0].sum() + 1), atol=0.005)


# --- structural similarity --------------------------------------------------------------------------------------------


def similarity_in_numpy(x: np.ndarray, y: np.ndarray, value_range: float, window: int) -> float:
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    sides = [min(window, n) for n in x.shape[1:]]
    scores = []
    for channel, *corner in itertools.product(
        *map(range, (len(x), *(n - s + 1 for n, s in zip(x.shape[1:], sides, strict=True))))
    ):
        cut = (channel, *(slice(at, at + side) for at, side in zip(corner, sides, strict=True)))
        p, q = x[cut].ravel(), y[cut].ravel()
        covariance = ((p - p.mean()) * (q - q.mean())).mean()
        luminance = (2 * p.mean() * q.mean() + c1) / (p.mean() ** 2 + q.mean() ** 2 + c1)
        scores.append(luminance * (2 * covariance + c2) / (p.var() + q.var() + c2))
    return float(np.mean(scores))


@pytest.mark.parametrize("shape", [(2, 20), (1, 9, 12), (2, 5, 8, 9)])
@pytest.mark.parametrize("window", [3, 7])
def test_structural_similarity_is_that_of_a_plain_loop(shape, window):
    random = np.random.default_rng(0)
    x, y = random.random((3, *shape)), random.random((3, *shape)) * 0.5
    y[2] = x[2] + 0.05 * y[2]
    ours = structural_similarity(torch.tensor(x), torch.tensor(y), value_range=2.0, window=window)
    expected = [similarity_in_numpy(a, b, 2.0, window) for a, b in zip(x, y, strict=True)]
    assert np.allclose(ours.numpy(), expected, atol=1e-10)
    assert ours[2] > 0.9 > ours[0]


# --- the loss ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAMILY)
def test_the_loss_is_the_formula_of_the_docstring(kind):
    encoder = vae(kind, picture(), alpha=0.3, ssim_weight=0.7, beta=50.0, capacity=2.0).eval()
    x = blobs(5)
    posterior = encoder.posterior(encoder.inward(encoder.down(x)))
    again = encoder.decode(encoder(Batch({"x": x})).values)
    error = (again - x).abs().mean()
    unlike = 1 - structural_similarity(again, x, 1.0).mean()
    weight = 4 * 4 / (16 * 16) ** 2
    expected = 0.3 * error + 0.7 * 0.7 * unlike + 50.0 * weight * (encoder.divergence(posterior).mean() - 2.0).abs()
    assert torch.allclose(encoder.loss(Batch({"x": x})), expected, atol=1e-6)


def test_a_linear_loss_is_taken_in_standard_deviations():
    spec = Signal(channels=("a", "b"), length=40, rate_hz=10.0, units="mV")
    encoder = vae(VaeGaussian, spec, alpha=0.3, beta=0.0)
    x = torch.randn(6, 2, 40) * torch.tensor([5.0, 0.1])[:, None] + torch.tensor([100.0, -1.0])[:, None]
    encoder.prepare([Batch({"x": x[:2]}), Batch({"x": x[2:]})])
    encoder.eval()
    again = encoder.decode(encoder(Batch({"x": x})).values)
    mean, deviation = x.mean((0, 2)), x.transpose(0, 1).flatten(1).std(1, correction=0)
    there, back = ((v - mean[:, None]) / deviation[:, None] for v in (x, again))
    unlike = 1 - structural_similarity(back, there, LINEAR_RANGE_SD).mean()
    expected = 0.3 * (back - there).abs().mean() + 0.7 * 0.2 * unlike
    assert torch.allclose(encoder.loss(Batch({"x": x})), expected, atol=1e-4)


@pytest.mark.parametrize("kind", FAMILY)
def test_draws_are_made_in_training_only(kind):
    encoder, batch = vae(kind, picture()), Batch({"x": blobs(4)})
    encoder.train()
    assert encoder.loss(batch) != encoder.loss(batch)
    encoder.eval()
    assert encoder.loss(batch) == encoder.loss(batch)


@pytest.mark.parametrize("kind", FAMILY)
def test_the_divergence_is_drawn_to_the_capacity(kind):
    x = blobs(64)
    reached = []
    for capacity in (0.0, 5.0):
        encoder = trained(vae(kind, picture(), beta=1e5, capacity=capacity), x, steps=100)
        posterior = encoder.posterior(encoder.inward(encoder.down(x)))
        reached.append(encoder.divergence(posterior).mean().item())
    assert reached == pytest.approx([0.0, 5.0], abs=0.5)


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("input", ["signal", "image", "volume"])
def test_it_learns_to_show_samples_it_has_not_seen(kind, input):
    data = planted((input,), samples=160, subjects=160)
    x = collate(data, np.arange(160)).inputs[input]
    learn, new = x[:128], x[128:]
    encoder = trained(vae(kind, data.spec.inputs[input], latent=6, beta=0.1), learn, steps=150)
    with torch.no_grad():
        again = encoder.decode(encoder(Batch({"x": new})).values)
    assert again.shape == new.shape
    error, of_the_mean = (again - new).abs().mean(), (learn.mean(0) - new).abs().mean()
    assert error < 0.5 * of_the_mean


@pytest.mark.parametrize("size", [(1,), (3,), (17,), (100,)], ids=str)
def test_any_length_comes_back_as_it_went_in(size):
    specs = [Signal(channels=("a", "b"), length=size[0], rate_hz=1.0, units="1")]
    specs.append(Image(channels=("a",), size=(size[0], 9), units="1"))
    specs.append(Volume(channels=("a",), size=(3, size[0], 6), units="1"))
    for spec in specs:
        encoder = vae(VaeGaussian, spec).eval()
        x = torch.rand(2, *spec.shape)
        assert encoder.decode(encoder(Batch({"x": x})).values).shape == x.shape
        assert torch.isfinite(encoder.loss(Batch({"x": x})))


# --- ranges and missing values ----------------------------------------------------------------------------------------


def test_a_window_is_clipped_to_and_decoded_back_into():
    x = blobs(64) * 1400 - 1000
    encoder = trained(vae(VaeGaussian, picture(), window=(-1000.0, 400.0), beta=0.1), x, steps=150)
    values = encoder(Batch({"x": x})).values
    again = encoder.decode(values)
    assert again.min() >= -1000
    assert again.max() <= 400
    assert (again - x).abs().mean() < 100
    beyond = torch.where(x > 390, torch.tensor(3000.0), x)
    within = torch.where(x > 390, torch.tensor(400.0), x)
    assert torch.equal(encoder(Batch({"x": beyond})).values, encoder(Batch({"x": within})).values)


def test_values_outside_of_the_bounds_are_refused_with_the_mend():
    encoder = vae(VaeGaussian, picture())
    with pytest.raises(DataError, match=r"reaches from -9\d\d.* to .* set `window = \[low, high\]`"):
        encoder.prepare([Batch({"x": blobs(2)}), Batch({"x": blobs(4) * 1400 - 1000})])
    encoder.prepare([Batch({"x": blobs(4)})])
    with pytest.raises(DataError, match="is empty; its first number must be smaller"):
        vae(VaeGaussian, picture(), window=(400.0, -1000.0))


def test_a_vector_has_no_grid_and_is_refused():
    spec = planted(("vector",)).spec.inputs["vector"]
    with pytest.raises(StudyError, match="kind 'vector' does not lie on a grid"):
        vae(VaeGaussian, spec)


@pytest.mark.parametrize("kind", FAMILY)
def test_a_missing_input_is_the_prior_mean_and_teaches_nothing(kind):
    encoder = vae(kind, picture(), beta=1000.0).eval()
    x, there = blobs(4), torch.tensor([True, False, True, False])
    values = encoder(Batch({"x": x}, {"x": there})).values
    usual = 0.0 if kind is VaeGaussian else 0.25
    assert (values[~there] == usual).all()
    assert torch.allclose(values[there], encoder(Batch({"x": x[there]})).values, atol=1e-6)
    masked = encoder.loss(Batch({"x": x}, {"x": there}))
    assert torch.allclose(masked, encoder.loss(Batch({"x": x[there]})), atol=1e-7)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_what_stands_under_a_mask_changes_nothing(output):
    encoder = vae(VaeGaussian, picture(), output=output)
    x = blobs(6)
    known = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    spoiled = torch.where(known, x, torch.tensor(1e6))
    encoder.prepare([Batch({"x": spoiled}, {"x": known})])
    clean = Batch({"x": x}, {"x": known})
    if output == "linear":
        assert torch.allclose(encoder.mean[0], x[known].mean(), atol=1e-5)
        assert torch.allclose(encoder.scale[0], x[known].std(correction=0), atol=1e-5)
    encoder.eval()
    dirty = Batch({"x": spoiled}, {"x": known})
    assert torch.equal(encoder(clean).values, encoder(dirty).values)
    assert torch.equal(encoder.loss(clean), encoder.loss(dirty))
