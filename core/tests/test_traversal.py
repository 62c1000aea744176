"""Walks through a latent: the way an output rises, and whether what changes on it is reported as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_latents import dataset, fold, model
from scipy.stats import spearmanr

from pellucid.data.spec import Binary, Ordinal
from pellucid.encoders.identity import Identity
from pellucid.errors import ContractError
from pellucid.heads.functions.linear import Linear
from pellucid.heads.traversal import LatentTraversal, along, mean_rising, rising, traverse
from pellucid.protocols.latent_walk import followed, rank_correlation
from pellucid.protocols.traversal_monotonicity import TraversalMonotonicity, TraversalMonotonicityConfig, mass
from pellucid.representation import Representation

UNITS = tuple(f"x:z{at}" for at in range(4))


def head(**options) -> LatentTraversal:
    torch.manual_seed(0)
    made = LatentTraversal(LatentTraversal.config_type(units=UNITS, target=Binary(names=("no", "yes")), **options))
    made.unit_mean.copy_(torch.tensor([0.0, 5.0, -1.0, 0.3]))
    made.unit_scale.copy_(torch.tensor([1.0, 10.0, 0.1, 2.0]))
    return made.eval()


def somewhere(count: int = 5) -> Representation:
    made = head()
    drawn = torch.randn(count, 4, generator=torch.Generator().manual_seed(1))
    return Representation(made.unit_mean + made.unit_scale * drawn, UNITS)


# --- the head ---------------------------------------------------------------------------------------------------------


def test_no_other_direction_raises_the_output_as_fast():
    made, z = head(), somewhere()
    best = made.direction(z)
    assert torch.allclose(best.norm(dim=1), torch.ones(5))

    def raised(direction: torch.Tensor) -> torch.Tensor:
        ends = made.traverse(z, direction, steps_sd=(-0.01, 0.01))
        down, up = (made(z.with_values(ends[:, at])) for at in range(2))
        return (up - down)[:, 0]

    others = torch.randn(200, 5, 4, generator=torch.Generator().manual_seed(2))
    for other in others / others.norm(dim=2, keepdim=True):
        assert (raised(best) >= raised(other) - 1e-5).all()
    assert (raised(best) > 0).all()


def test_a_step_is_a_standard_deviation_of_the_training_samples():
    made, z = head(), somewhere()
    walked = made.traverse(z, along(1, 5, 4), steps_sd=(-2.0, 0.0, 1.5))
    assert torch.allclose(walked[:, 1], z.values)
    assert torch.allclose(walked[:, 0, 1], z.values[:, 1] - 20)
    assert torch.allclose(walked[:, 2, 1], z.values[:, 1] + 15)
    assert torch.equal(walked[:, :, [0, 2, 3]], z.values[:, None, [0, 2, 3]].expand(-1, 3, -1))
    assert torch.equal(traverse(z.values, along(1, 5, 4), made.unit_scale, (1.5,))[:, 0], walked[:, 2])


def test_units_that_may_not_move_stay():
    made, z = head(), somewhere()
    direction = made.direction(z, units=("x:z0", "x:z3"))
    assert (direction[:, [1, 2]] == 0).all()
    assert torch.allclose(direction.norm(dim=1), torch.ones(5))
    free = made.direction(z)[:, [0, 3]]
    assert torch.allclose(direction[:, [0, 3]], free / free.norm(dim=1, keepdim=True), atol=1e-6)


def test_the_mean_direction_of_a_linear_head_is_its_weights_per_standard_deviation():
    data = dataset(np.zeros((6, 3)), np.arange(6) % 2, np.arange(6))
    made = model(data, [[0.3, -0.4, 0.0]]).head
    z = Representation(torch.randn(7, 3), made.config.units)
    scale = torch.tensor([1.0, 2.0, 5.0])
    expected = torch.tensor([0.3, -0.8, 0.0]) / np.hypot(0.3, 0.8)
    assert torch.allclose(mean_rising(made, z, 0, scale), expected, atol=1e-6)
    assert torch.allclose(rising(made, z, torch.zeros(7, dtype=torch.long), scale), expected.expand(7, 3), atol=1e-6)


def test_the_gap_is_what_the_explanation_leaves_out_and_shrinks_with_steps():
    z = somewhere(40)
    gaps = []
    for steps in (2, 50):
        made = head(steps=steps)
        with torch.no_grad():
            output, baseline = made(z)[:, 0], made(z.with_values(made.unit_mean.expand(40, 4)))[:, 0]
        found = made.explain(z, "yes")
        assert torch.allclose(found.baseline, baseline, atol=1e-6)
        left = output - baseline - found.contributions.sum(1)
        assert torch.allclose(found.gap, left, atol=1e-5)
        gaps.append(float(found.gap.abs().max()))
    assert gaps[1] < 1e-4 < gaps[0]
    with pytest.raises(ContractError, match="no output named 'yess'; did you mean 'yes'"):
        made.direction(z, "yess")


# --- the protocol -----------------------------------------------------------------------------------------------------


def known(seed: int = 0):
    random = np.random.default_rng(seed)
    return dataset(random.normal(size=(90, 3)), np.arange(90) % 2, np.arange(90) // 2)


def results(data, models, target: str = "y", **options):
    protocol = TraversalMonotonicity(TraversalMonotonicityConfig(**options))
    fitted, context = fold(data, models, target)
    rows = protocol.examine(fitted).assign(fold=0)
    return {(r.part, r.metric): r for r in protocol.conclude(rows, context)}, rows, protocol, context


def test_a_head_that_looks_at_brightness_changes_brightness_and_one_that_looks_at_waves_does_not():
    data = known()
    models = {"bright": model(data, [[1.0, 0.0, 0.0]]), "wave": model(data, [[0.0, 1.0, 0.0]])}
    models["dark"] = model(data, [[-2.0, 0.0, 0.1]])
    found, rows, *_ = results(data, models)
    bright, wave, dark = (found[part, "monotonicity:mass"] for part in models)
    assert bright.value == pytest.approx(1.0)
    assert bright.passed
    assert bright.chance < 0.7
    assert "rising steadily" in bright.sentence
    assert wave.value < 0.3
    assert not wave.passed
    assert dark.value == pytest.approx(1.0)
    assert "falling steadily" in dark.sentence
    assert (rows.loc[rows["part"] == "dark", "rising"] == -1).all()
    # Sixteen pixels rise by one standard deviation of the training latent a step.
    width = data.read(np.arange(60)).inputs["image"][:, 0, 0, 0].std(ddof=1)
    first = rows[rows["part"] == "bright"]
    pictures = data.read(np.arange(60, 90)).inputs["image"]
    spread = mass(pictures, None).std()
    assert f"by {16 * 4 * width / spread:.1f} times its spread over samples" in bright.sentence
    assert np.allclose((first["at 2"] - first["at -2"]), 16 * 4 * width, rtol=1e-4)
    assert np.allclose(first["at 0"], first["at -2"] + 16 * 2 * width, atol=1e-3)


def test_chance_is_the_same_figure_for_random_directions():
    data = known()
    found, rows, *_ = results(data, {"bright": model(data, [[1.0, 0.0, 0.0]])}, random_directions=3)
    columns = rows[["random 0", "random 1", "random 2"]]
    assert found["bright", "monotonicity:mass"].chance == pytest.approx(columns.mean().abs().mean())
    assert columns.abs().mean().mean() > columns.mean().abs().mean()


def test_the_baseline_walks_where_the_latent_is_widest():
    random = np.random.default_rng(0)
    for widest, expected in ((0, 1.0), (1, None)):
        units = random.normal(size=(90, 3)) * np.where(np.arange(3) == widest, 8.0, 1.0)
        data = dataset(units, np.arange(90) % 2, np.arange(90))
        found, *_ = results(data, {"bright": model(data, [[1.0, 0.0, 0.0]])})
        baseline = found["bright", "monotonicity:mass"].baseline
        assert baseline == pytest.approx(1.0, abs=0.35) if expected else baseline < 0.6


def test_a_head_that_does_not_look_at_the_latent_gives_no_figure():
    data = known()
    found, rows, *_ = results(data, {"blind": model(data, [[0.0, 0.0, 0.0]])})
    assert not found
    assert rows["rising"].isna().all()


def test_each_output_of_several_classes_is_followed_on_its_own():
    data = known()
    models = {"two": model(data, [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], target="kinds")}
    found, rows, protocol, context = results(data, models, target="kinds")
    assert set(found) == {("two", "monotonicity:mass:a"), ("two", "monotonicity:mass:b")}
    assert "rising" in found["two", "monotonicity:mass:a"].sentence
    assert "falling" in found["two", "monotonicity:mass:b"].sentence
    assert len(protocol.figures(rows, context)) == 1


def test_of_ordered_classes_the_middle_step_is_followed():
    data = known()
    made = model(data, [[1.0, 0.0, 0.0]])
    made.head = Linear(Linear.config_type(units=made.head.config.units, target=Ordinal(names=("a", "b", "c", "d"))))
    assert followed(made) == ("above b",)


def test_a_study_without_a_decoder_is_told_so_beforehand():
    data = known()
    _, context = fold(data, {"bright": model(data, [[1.0, 0.0, 0.0]])})
    assert TraversalMonotonicity().unfit(context) == ""
    blind = type(context)(context.spec, context.target, context.parts, context.baseline_name, 0, {"x": Identity.tags})
    assert "no encoder of this study decodes" in TraversalMonotonicity().unfit(blind)


def test_rank_correlation_is_that_of_scipy():
    random = np.random.default_rng(0)
    paths = random.integers(0, 5, (50, 9)).astype(float)
    expected = [spearmanr(np.arange(9), path).statistic for path in paths]
    assert np.allclose(rank_correlation(paths), expected)
    assert rank_correlation(np.array([1.0, 1.0, 1.0])) == 0
    assert np.isnan(rank_correlation(np.array([1.0, np.nan, 2.0])))


def test_mass_is_the_sum_of_each_sample():
    values = np.arange(12.0).reshape(2, 1, 2, 3)
    assert mass(values, None).tolist() == [15.0, 51.0]
