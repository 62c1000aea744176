"""Heads that draw: schedules and samplers against closed forms, and answers that are answers."""

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Regression
from pellucid.heads.drawing.conditional_vae import ConditionalVae, ConditionalVaeConfig
from pellucid.heads.drawing.diffusion import Diffusion, DiffusionConfig
from pellucid.heads.drawing.schedule import denoised, squared_cosine, visited
from pellucid.heads.neighbours.mean import NeighbourMean, NeighbourMeanConfig
from pellucid.representation import Representation

SAMPLERS = ("ddpm", "ddim", "dpm-solver++")
TARGET = Regression(names=("a", "b"), units=("m", "rad"))


@pytest.mark.parametrize("steps", [50, 100, 1000])
def test_the_schedule_is_the_squared_cosine_with_bounded_steps(steps):
    left = squared_cosine(steps).numpy()
    beta = 1 - left / np.concatenate([[1.0], left[:-1]])
    assert beta.max() <= 0.999 + 1e-12
    time = np.arange(1, steps + 1) / steps
    wave = np.cos((time + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    assert left[:-1] == pytest.approx(wave[:-1], abs=1e-12)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("few", [1, 2, 5, 50])
def test_an_oracle_gives_its_answer_from_whatever_noise(sampler, few):
    chance = torch.Generator().manual_seed(0)
    truth = torch.randn(20, 6, generator=chance)
    for scale in (1.0, 10.0):
        noise = scale * torch.randn(20, 6, generator=chance)
        found = denoised(noise, lambda x, t: truth, squared_cosine(50), few, sampler, lambda: torch.randn(20, 6))
        assert (found - truth).abs().max() < 1e-5


def gaussian(mean, deviation, left):
    """What is to be expected of values of a normal distribution, given them with noise."""

    def clean(x, t):
        a = float(left[t])
        return mean + a**0.5 * deviation**2 / (a * deviation**2 + 1 - a) * (x - a**0.5 * mean)

    return clean


@pytest.mark.parametrize(("sampler", "few"), [("ddpm", 1000), ("ddim", 1000), ("dpm-solver++", 50)])
def test_samplers_give_back_a_normal_distribution(sampler, few):
    left, chance = squared_cosine(1000), torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 1, generator=chance)
    clean = gaussian(2.0, 0.5, left)
    found = denoised(noise, clean, left, few, sampler, lambda: torch.randn(20_000, 1, generator=chance))
    assert found.mean().item() == pytest.approx(2.0, abs=0.02)
    assert found.std().item() == pytest.approx(0.5, abs=0.02)


def test_the_second_order_sampler_is_nearer_to_the_end_than_the_first_in_as_few_steps():
    left, noise = squared_cosine(1000), torch.linspace(-2, 2, 41)[:, None]
    clean = gaussian(0.0, 0.3, left)
    best = denoised(noise, clean, left, 1000, "ddim")
    off = {
        name: (denoised(noise, clean, left, 20, name) - best).abs().max().item() for name in ("ddim", "dpm-solver++")
    }
    assert off["dpm-solver++"] < 0.5 * off["ddim"]


def test_steps_that_are_visited_go_from_the_last_to_the_first():
    for steps, few in [(50, 5), (50, 50), (10, 3), (7, 20)]:
        found = visited(steps, few)
        assert (found[0], len(found)) == (steps - 1, min(few, steps))
        assert found == sorted(set(found), reverse=True)


def two_answers(count=2000):
    """Of a number x both x + 1 and x - 1 are right; the second output is twice the first."""
    chance = torch.Generator().manual_seed(1)
    x = torch.randn(count, 1, generator=chance)
    y = x + torch.where(torch.rand(count, 1, generator=chance) < 0.5, -1.0, 1.0)
    y = y + 0.1 * torch.randn(count, 1, generator=chance)
    ids = tuple(f"s{at}" for at in range(count))
    return Representation(x, ("x:x",)), Batch({"x": x}, targets=torch.cat([y, 2 * y], 1), samples=ids)


def fitted(head, z, batch, steps=2000):
    torch.manual_seed(0)
    head.prepare([(z, batch)])
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(z), (256,))
        optimizer.zero_grad()
        head.loss(z.rows(rows), batch.rows(rows)).backward()
        optimizer.step()
        falling.step()
    return head.eval()


@pytest.fixture(scope="module")
def trained():
    z, batch = two_answers()
    torch.manual_seed(0)
    diffusion = Diffusion(
        DiffusionConfig(units=z.names, target=TARGET, hidden=(64, 64), sampler_steps=20, scaling="deviation")
    )
    vae = ConditionalVae(ConditionalVaeConfig(units=z.names, target=TARGET, hidden=(64,), latent=2, kl_weight=0.1))
    return z, fitted(diffusion, z, batch), fitted(vae, z, batch)


def off(z, values):
    return (values[..., 0] - z.values[:, 0]).detach()


def test_draws_of_a_diffusion_are_either_answer_and_so_is_what_it_says(trained):
    z, head, _ = trained
    drawn = off(z, head.draw(z, 20, seed=3))
    # Measured 0.89 near either answer, 0.44 of them above, and 0.94 of what it says itself.
    assert ((drawn.abs() - 1).abs() < 0.5).double().mean() > 0.85
    assert 0.3 < (drawn > 0).double().mean() < 0.7
    assert ((off(z, head(z)).abs() - 1).abs() < 0.5).double().mean() > 0.9


def test_a_latent_of_zero_lies_between_the_answers_and_draws_do_not(trained):
    z, _, head = trained
    drawn = off(z, head.draw(z, 20, seed=3))
    middle = ((off(z, head(z)).abs() - 1).abs() < 0.5).double().mean()
    each = ((drawn.abs() - 1).abs() < 0.5).double().mean()
    # Measured 0.75 and 0.01.
    assert each > 0.7
    assert middle < 0.1
    assert 0.2 < (drawn > 0).double().mean() < 0.8


def test_outputs_that_belong_together_are_drawn_together(trained):
    z, head, _ = trained
    drawn = head.draw(z, 20, seed=0)
    assert (drawn[..., 1] - 2 * drawn[..., 0]).abs().mean() < 0.3


def test_what_a_draw_is_explained_by_says_how_much_is_left(trained):
    z, head, _ = trained
    found = head.explain(z.rows(slice(0, 40)), "a")
    total = found.baseline + found.contributions.sum(1) + found.gap
    assert torch.allclose(total, found.output, atol=1e-5)
    # Where no answer jumps on the way the integral holds: the median is 0.005, the largest 1.8.
    assert found.gap.abs().median() < 0.1


def test_draws_in_ranges_stay_in_the_range_of_the_training_samples():
    z, batch = two_answers(100)
    torch.manual_seed(0)
    head = Diffusion(DiffusionConfig(units=z.names, target=TARGET, hidden=(16,)))
    head.prepare(
        [(z.rows(slice(0, 50)), batch.rows(slice(0, 50))), (z.rows(slice(50, 100)), batch.rows(slice(50, 100)))]
    )
    drawn = head.draw(z, 10)
    assert (drawn <= batch.targets.amax(0) + 1e-5).all()
    assert (drawn >= batch.targets.amin(0) - 1e-5).all()


def test_one_scale_learns_outputs_that_hardly_vary_in_that_of_the_others():
    z, batch = two_answers(100)
    head = ConditionalVae(ConditionalVaeConfig(units=z.names, target=TARGET, one_scale=True))
    head.prepare([(z, batch)])
    assert head.scale.tolist() == pytest.approx([batch.targets[:, 1].std(correction=0).item()] * 2, rel=1e-4)


def neighbours(count=3):
    z, batch = two_answers(200)
    head = NeighbourMean(NeighbourMeanConfig(units=z.names, target=TARGET, neighbours=count))
    head.finish(
        [(z.rows(slice(0, 120)), batch.rows(slice(0, 120))), (z.rows(slice(120, 200)), batch.rows(slice(120, 200)))]
    )
    return head, z, batch


def test_the_mean_of_neighbours_is_what_another_library_says():
    from sklearn.neighbors import KNeighborsRegressor

    head, z, batch = neighbours()
    asked = Representation(torch.linspace(-2, 2, 17)[:, None], z.names)
    other = KNeighborsRegressor(3).fit(z.values.numpy(), batch.targets.numpy()).predict(asked.values.numpy())
    assert head(asked).detach().numpy() == pytest.approx(other, abs=1e-5)


def test_each_neighbour_is_named_and_adds_its_share():
    head, z, batch = neighbours()
    asked = Representation(torch.tensor([[0.1], [1.0]]), z.names)
    found = head.explain(asked, "b")
    assert found.gap.abs().max() < 1e-6
    for row in range(2):
        for rank, evidence in enumerate(found.evidence[row]):
            source = batch.samples.index(evidence.source)
            share = (batch.targets[source, 1] - batch.targets[:, 1].mean()) / 3
            assert found.contributions[row, rank].item() == pytest.approx(share.item(), abs=1e-5)
    nearest = (z.values[:, 0] - 0.1).abs().argmin()
    assert found.evidence[0][0].source == batch.samples[int(nearest)]


def test_a_neighbour_that_is_the_sample_itself_is_no_distance_away():
    head, z, batch = neighbours(1)
    assert head.nearest(z)[0].abs().max() == 0
    assert torch.allclose(head(z), batch.targets, atol=1e-5)


def test_noise_is_taken_away_in_no_more_steps_than_there_are():
    with pytest.raises(ValueError, match="sampler_steps = 20 is more than noise_steps = 10"):
        DiffusionConfig(units=("x",), target=TARGET, noise_steps=10, sampler_steps=20)
