"""Vector quantisation: nearest codes, gradients, codes that nobody uses, what is not known, weights on disk."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import entropy
from torch import nn

from pellucid.encoders.quantiser import QuantiserSettings, VectorQuantiser, perplexity

CORNERS = torch.tensor([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0], [4.0, 4.0]])


def layer(codebook: torch.Tensor = CORNERS, **options) -> VectorQuantiser:
    made = VectorQuantiser(codebook.shape[1], QuantiserSettings(codes=len(codebook), **{"restart_steps": 0} | options))
    made.codebook.data = codebook.clone()
    return made


def around_corners(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return CORNERS[torch.randint(4, (count,), generator=generator)] + torch.randn(count, 2, generator=generator)


# --- codes and gradients ----------------------------------------------------------------------------------------------


def test_each_latent_gets_the_code_that_is_nearest_by_a_distance_computed_apart():
    generator = torch.Generator().manual_seed(0)
    codebook, latents = torch.randn(32, 5, generator=generator), torch.randn(7, 11, 5, generator=generator)
    found = layer(codebook)(latents)
    assert torch.equal(found.codes, torch.cdist(latents, codebook.expand(7, -1, -1)).argmin(-1))
    assert torch.equal(found.values, codebook[found.codes])


def test_the_loss_is_that_of_the_paper():
    latents = around_corners(50)
    found = layer(codebook_weight=0.7, commitment=0.2).train()(latents)
    distance = (latents - CORNERS[found.codes]).square().mean()
    assert float(found.loss) == pytest.approx(float((0.7 + 0.2) * distance), rel=1e-5)


def test_gradients_pass_straight_through_to_the_latent_and_not_to_the_codebook():
    quantiser, latents = layer(), around_corners(50).requires_grad_()
    towards = torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    (quantiser(latents).values * towards).sum().backward()
    assert torch.equal(latents.grad, towards)
    assert quantiser.codebook.grad is None or not quantiser.codebook.grad.any()


def test_the_codebook_learns_from_the_second_term_alone_and_the_latent_from_the_third():
    for weights in ({"codebook_weight": 1.0, "commitment": 0.0}, {"codebook_weight": 0.0, "commitment": 0.25}):
        quantiser, latents = layer(**weights), around_corners(50).requires_grad_()
        found = quantiser(latents)
        found.loss.backward()
        moved = CORNERS[found.codes]
        if weights["commitment"]:
            assert not quantiser.codebook.grad.any()
            assert torch.allclose(latents.grad, 0.25 * 2 * (latents - moved).detach() / 100)
        else:
            assert not latents.grad.any()
            by_hand = torch.zeros(4, 2).index_add(0, found.codes, 2 * (moved - latents).detach() / 100)
            assert torch.allclose(quantiser.codebook.grad, by_hand, atol=1e-6)


def test_codes_move_to_the_middle_of_what_they_stand_for():
    quantiser = layer(CORNERS + 1.2).train()
    optimizer = torch.optim.Adam(quantiser.parameters(), 0.05)
    for step in range(400):
        optimizer.zero_grad()
        quantiser(around_corners(256, step)).loss.backward()
        optimizer.step()
    # The clouds overlap a little, so that middles of what is nearest lie a little outside.
    assert (quantiser.codebook - CORNERS).abs().max() < 0.25


# --- what is not known ------------------------------------------------------------------------------------------------


def test_what_is_not_known_has_no_code_no_value_and_no_part_in_loss_and_use():
    latents, known = (
        around_corners(40).reshape(4, 10, 2),
        torch.rand(4, 10, generator=torch.Generator().manual_seed(0)) < 0.6,
    )
    absurd = torch.where(known[..., None], latents, torch.full_like(latents, 1e4))
    quantiser, alone = layer().train(), layer().train()
    found, apart = quantiser(absurd.requires_grad_(), known), alone(latents[known])
    assert (found.codes[~known] == -1).all()
    assert not found.values[~known].any()
    assert torch.equal(found.codes[known], apart.codes)
    assert float(found.loss) == pytest.approx(float(apart.loss), rel=1e-6)
    assert torch.equal(quantiser.uses, alone.uses)
    found.loss.backward()
    assert not absurd.grad[~known].any()


def test_a_batch_of_which_nothing_is_known_costs_nothing_and_restarts_nothing():
    quantiser = layer(restart_steps=1, restart_share=0.2).train()
    found = quantiser(around_corners(5), torch.zeros(5, dtype=torch.bool))
    quantiser.settle()
    assert float(found.loss) == 0
    assert torch.equal(quantiser.codebook.data, CORNERS)


# --- codes that nobody uses -------------------------------------------------------------------------------------------

FAR = torch.cat([CORNERS, torch.full((2, 2), 50.0)])


def steps(quantiser: VectorQuantiser, count: int) -> None:
    for step in range(count):
        quantiser(around_corners(64, step))
        quantiser.settle()


def test_codes_that_are_hardly_used_are_put_where_latents_are_and_others_stay():
    quantiser = layer(FAR, restart_steps=5, restart_share=0.01).train()
    torch.manual_seed(0)
    steps(quantiser, 4)
    assert torch.equal(quantiser.codebook.data, FAR)
    assert quantiser.uses.sum() == 4 * 64
    steps(quantiser, 1)
    assert torch.equal(quantiser.codebook.data[:4], CORNERS)
    latest = around_corners(64, 0)
    for code in quantiser.codebook.data[4:]:
        assert (latest == code).all(1).any()
    assert int(quantiser.restarts) == 2
    assert not quantiser.uses.any()


def test_use_is_counted_over_all_the_steps_that_are_looked_at_and_not_over_the_latest():
    quantiser = layer(restart_steps=3, restart_share=0.1).train()
    for latents in (CORNERS[[3, 3, 3]], CORNERS[[2, 2, 1]], CORNERS[[0, 0, 0]]):
        quantiser(latents)
        quantiser.settle()
    # One use of nine is 11 %.
    assert int(quantiser.restarts) == 0
    assert torch.equal(quantiser.codebook.data, CORNERS)


def test_a_code_at_the_very_share_stays_and_one_below_it_does_not():
    quantiser = layer(restart_steps=1, restart_share=0.125).train()
    torch.manual_seed(0)
    quantiser(CORNERS[[0, 0, 0, 0, 1, 2, 2, 2]])
    quantiser.settle()
    assert torch.equal(quantiser.codebook.data[:3], CORNERS[:3])
    assert int(quantiser.restarts) == 1


def test_nothing_is_put_elsewhere_in_evaluation_or_where_it_is_turned_off():
    for quantiser in (layer(FAR, restart_steps=1, restart_share=0.01).eval(), layer(FAR, restart_steps=0).train()):
        steps(quantiser, 3)
        assert torch.equal(quantiser.codebook.data, FAR)


def test_the_same_seed_puts_codes_at_the_same_places():
    books = []
    for seed in (0, 0, 1):
        quantiser = layer(FAR, restart_steps=2, restart_share=0.01).train()
        torch.manual_seed(seed)
        steps(quantiser, 2)
        books.append(quantiser.codebook.data)
    assert torch.equal(books[0], books[1])
    assert not torch.equal(books[0], books[2])


def test_a_collapsed_codebook_recovers():
    # All codes far on one side: without restarts one code stands for everything.
    alone = torch.full((16, 2), 40.0) + 0.01 * torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    used = []
    for options in ({}, {"restart_steps": 20, "restart_share": 0.01}):
        quantiser = layer(alone, **options).train()
        optimizer = torch.optim.Adam(quantiser.parameters(), 0.01)
        torch.manual_seed(0)
        for step in range(200):
            optimizer.zero_grad()
            quantiser(around_corners(64, step)).loss.backward()
            optimizer.step()
            quantiser.settle()
        codes = quantiser.eval()(around_corners(2000, 999)).codes
        used.append(float(perplexity(torch.bincount(codes, minlength=16))))
    assert used[0] < 2
    assert used[1] > 8


def test_more_codes_than_latents_of_the_latest_batch_can_be_put_elsewhere():
    quantiser = layer(torch.full((40, 2), 50.0), restart_steps=1, restart_share=0.02).train()
    latents = around_corners(6)
    quantiser(latents)
    quantiser.settle()
    places = {tuple(code) for code in quantiser.codebook.data.tolist()}
    assert places == {tuple(latent) for latent in latents.tolist()} | {(50.0, 50.0)}


def test_a_share_that_equal_use_would_not_reach_is_refused():
    with pytest.raises(ValueError, match=r"2000 codes that are used alike have 0\.0005 each"):
        QuantiserSettings(codes=2000)
    assert QuantiserSettings(codes=2000, restart_steps=0).codes == 2000


# --- beginnings and weights -------------------------------------------------------------------------------------------


def test_codes_begin_as_latents_drawn_alike_from_all_batches():
    quantiser = VectorQuantiser(1, QuantiserSettings(codes=500))
    quantiser.begin(torch.arange(start, start + 100.0)[:, None] for start in range(0, 1000, 100))
    begun = quantiser.codebook.data[:, 0]
    assert len(begun.unique()) == 500
    assert begun.min() >= 0
    assert 420 < begun.mean() < 580
    again = VectorQuantiser(1, QuantiserSettings(codes=500))
    again.begin(torch.arange(start, start + 100.0)[:, None] for start in range(0, 1000, 100))
    assert torch.equal(again.codebook, quantiser.codebook)


def test_codes_beyond_the_latents_and_those_that_begin_as_noise_stay_as_they_are():
    few, noise = (
        VectorQuantiser(2, QuantiserSettings(codes=8)),
        VectorQuantiser(2, QuantiserSettings(codes=4, start="noise")),
    )
    before, noisy = few.codebook.data.clone(), noise.codebook.data.clone()
    few.begin([CORNERS])
    noise.begin([CORNERS])
    assert {tuple(code) for code in few.codebook.data[:4].tolist()} == {tuple(corner) for corner in CORNERS.tolist()}
    assert torch.equal(few.codebook.data[4:], before[4:])
    assert torch.equal(noise.codebook.data, noisy)


def test_weights_on_disk_hold_the_codes_and_where_training_goes_on(tmp_path):
    quantiser = layer(FAR, restart_steps=5, restart_share=0.01).train()
    steps(quantiser, 3)
    save_file(quantiser.state_dict(), tmp_path / "weights.safetensors")
    again = VectorQuantiser(2, quantiser.settings).train()
    again.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    for one in (quantiser, again):
        torch.manual_seed(0)
        steps(one, 2)
    assert int(again.restarts) == 2
    assert torch.equal(again.codebook, quantiser.codebook)


def test_perplexity_is_the_exponential_of_the_entropy():
    counts = torch.randint(0, 50, (3, 64), generator=torch.Generator().manual_seed(0))
    expected = [float(torch.tensor(entropy(row)).exp()) for row in counts.numpy()]
    assert perplexity(counts).tolist() == pytest.approx(expected)
    assert isinstance(VectorQuantiser(2, QuantiserSettings()), nn.Module)
