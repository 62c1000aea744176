"""Walks through a latent: the way an output rises, and whether what changes on it is reported as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from made_latents import Known, dataset, fold, model
from scipy.stats import spearmanr

from pellucid.data.spec import Binary, Ordinal
from pellucid.encoders.identity import Identity
from pellucid.errors import ContractError
from pellucid.heads.functions.linear import Linear
from pellucid.heads.traversal import LatentTraversal, along, mean_rising, rising, traverse
from pellucid.measures.shape import spiculation
from pellucid.protocols.traversal import walk as latent_walk
from pellucid.protocols.traversal.monotonicity import TraversalMonotonicity, TraversalMonotonicityConfig, mass
from pellucid.protocols.traversal.verdict import Verdict
from pellucid.protocols.traversal.walk import followed, order_of_steps
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


def known(seed: int = 0, widest: int | None = None):
    """Labels go with unit 0, and the sum of a picture goes with it too."""
    random = np.random.default_rng(seed)
    units = random.normal(size=(90, 3)) * np.where(np.arange(3) == widest, 8.0, 1.0)
    labels = (units[:, 0] + 0.3 * random.normal(size=90) > 0).astype(int)
    return dataset(units, labels, np.arange(90) // 2)


def results(data, models, target: str = "y", **options):
    protocol = TraversalMonotonicity(TraversalMonotonicityConfig(**options))
    fitted, context = fold(data, models, target)
    rows = protocol.examine(fitted).assign(fold=0)
    return {(r.part, r.metric): r for r in protocol.conclude(rows, context)}, rows, protocol, context


def test_a_head_that_looks_at_brightness_changes_brightness_and_one_that_looks_at_waves_does_not():
    data = known()
    models = {"bright": model(data, [[1.0, 0.0, 0.0]]), "wave": model(data, [[0.0, 1.0, 0.0]])}
    found, rows, *_ = results(data, models)
    bright, wave = (found[part, "monotonicity:mass"] for part in models)
    assert bright.value == pytest.approx(1.0)
    assert bright.passed
    assert bright.chance < 0.4
    assert "mass of decoded samples rises steadily. (" in bright.sentence
    assert wave.value < 0.3
    assert not wave.passed
    # Sixteen pixels rise by one standard deviation of the training latent a step.
    width = data.read(np.arange(60)).inputs["image"][:, 0, 0, 0].std(ddof=1)
    first = rows[rows["part"] == "bright"]
    assert np.allclose((first["at 2"] - first["at -2"]), 16 * 4 * width, rtol=1e-4)
    assert np.allclose(first["at 0"], first["at -2"] + 16 * 2 * width, atol=1e-3)


def test_a_change_against_the_data_is_not_passed_however_steady():
    data = known()
    found, rows, *_ = results(data, {"dark": model(data, [[-2.0, 0.0, 0.1]])})
    dark = found["dark", "monotonicity:mass"]
    assert (rows["rising"] == -1).all()
    assert (rows["sense"] == 1).all()
    assert dark.value == pytest.approx(-1.0)
    assert dark.passed is False
    assert "mass of decoded samples falls steadily, against the data" in dark.sentence
    assert "among training samples it is higher the more they are “yes”" in dark.sentence


def test_the_sense_is_that_of_measure_and_label_among_training_samples():
    data = known()
    train = np.arange(60)
    measured = data.read(train).inputs["image"].sum((1, 2, 3))
    expected = spearmanr(measured, data.frame["y"].iloc[train]).statistic
    _, rows, *_ = results(data, {"bright": model(data, [[1.0, 0.0, 0.0]])})
    assert np.allclose(rows["association"], expected)
    assert np.allclose(rows["spread"], measured.std())
    # Judged samples must not say in which sense they are judged.
    turned = data.frame["y"].to_numpy().copy()
    turned[60:] = 1 - turned[60:]
    other = dataset(data.read(np.arange(90)).inputs["image"][:, 0, 0, :3], turned, np.arange(90) // 2)
    _, again, *_ = results(other, {"bright": model(other, [[1.0, 0.0, 0.0]])})
    assert np.allclose(again["association"], expected)
    fewer = dataset(data.read(np.arange(90)).inputs["image"][:, 0, 0, :3], 1 - data.frame["y"], np.arange(90) // 2)
    falling, rows, *_ = results(fewer, {"bright": model(fewer, [[-1.0, 0.0, 0.0]])})
    assert (rows["sense"] == -1).all()
    assert falling["bright", "monotonicity:mass"].value == pytest.approx(1.0)
    assert "falls steadily. (" in falling["bright", "monotonicity:mass"].sentence


def test_what_every_direction_does_is_nothing_particular_to_the_model(monkeypatch):
    monkeypatch.setattr(Known, "decode", lambda self, values: values[:, 0, None, None, None].expand(-1, 1, 4, 4))
    data = known()
    found, *_ = results(data, {"bright": model(data, [[1.0, 0.0, 0.0]])})
    bright = found["bright", "monotonicity:mass"]
    assert bright.value == bright.chance == pytest.approx(1.0)
    assert bright.passed is False
    assert (
        "rises steadily, but so it does along 100 % of random directions: nothing particular to the model."
        in bright.sentence
    )


def test_a_change_too_small_to_see_is_not_passed(monkeypatch):
    decode = Known.decode
    monkeypatch.setattr(Known, "decode", lambda self, values: 0.005 * decode(self, values))
    data = known()
    found, rows, *_ = results(data, {"bright": model(data, [[1.0, 0.0, 0.0]])})
    bright, change = found["bright", "monotonicity:mass"], (rows["at 2"] - rows["at -2"]).mean() / rows["spread"].mean()
    assert bright.passed is False
    assert f"but from end to end by {change:.2f} times its spread over training samples only" in bright.sentence
    assert "so it does along" not in bright.sentence


def test_random_directions_are_walked_the_way_the_output_rises():
    data = known()
    models = {"up": model(data, [[1.0, 0.0, 0.0]]), "down": model(data, [[-1.0, 0.0, 0.0]])}
    _, rows, *_ = results(data, models)
    drawn = [f"random {at}" for at in range(50)]
    up, down = (rows.loc[rows["part"] == part, drawn].to_numpy() for part in models)
    assert np.allclose(up, -down)
    clear = np.abs(up.mean(0)) > 0.3
    assert clear.any()
    assert (up.mean(0)[clear] > 0).all()


def test_the_widest_axis_does_not_cancel_over_folds_whichever_way_it_points(monkeypatch):
    data = known(widest=0)
    models = {"bright": model(data, [[1.0, 0.0, 0.0]])}
    found, first, protocol, context = results(data, models)
    widest = latent_walk._widest
    monkeypatch.setattr(latent_walk, "_widest", lambda learnt, scale: -widest(learnt, scale))
    second = protocol.examine(fold(data, models)[0]).assign(fold=1)
    second["subject"] = second["subject"] + " of another fold"
    (both,) = protocol.conclude(pd.concat([first, second], ignore_index=True), context)
    assert found["bright", "monotonicity:mass"].baseline > 0.6
    assert both.baseline == pytest.approx(found["bright", "monotonicity:mass"].baseline)


def test_the_baseline_walks_where_the_latent_is_widest():
    baselines = []
    for widest in (0, 1):
        data = known(widest=widest)
        found, *_ = results(data, {"bright": model(data, [[1.0, 0.0, 0.0]])})
        baselines.append(found["bright", "monotonicity:mass"].baseline)
    assert baselines[0] > 0.6
    assert abs(baselines[1]) < 0.5


def judged(own, random, sense=(1, 1), ends=((0.0, 4.0), (0.0, 4.0)), subjects=12) -> Verdict:
    """Verdict on two folds in which all samples of a fold walk alike; ``random`` is a row of directions a fold."""
    tables = []
    for at in range(2):
        rows = pd.DataFrame({"subject": [f"{at}-{i}" for i in range(subjects)]})
        rows = rows.assign(
            fold=at, rising=own[at], widest=0.5, sense=sense[at], association=0.4 * sense[at], spread=2.0
        )
        rows = rows.assign(**{f"random {k}": value for k, value in enumerate(random[at])})
        tables.append(rows.assign(**{"at -1": ends[at][0], "at 0": 2.0, "at 1": ends[at][1]}))
    found = Verdict.of(pd.concat(tables, ignore_index=True), ["at -1", "at 0", "at 1"], seed=0)
    assert found is not None
    return found


def test_all_three_conditions_are_needed_and_counted_as_said():
    none = [[0.1] * 50] * 2
    good = judged((0.9, 0.95), none)
    assert good.passed
    assert good.p == pytest.approx(1 / 101)
    assert (good.random, good.widest, good.change) == pytest.approx((0.1, 0.5, 2.0))
    # Each direction is compared with the model's own of its own fold; as good counts as good.
    some = judged((0.9, 0.95), [[0.92] * 2 + [0.1] * 48, [0.92] * 2 + [0.95] + [0.1] * 47])
    assert (some.as_good, some.p) == pytest.approx((0.03, 4 / 101))
    assert some.passed
    many = judged((0.9, 0.95), [[0.9] * 5 + [0.1] * 45, [0.1] * 50])
    assert (many.as_good, many.p) == pytest.approx((0.05, 6 / 101))
    assert many.passed is False
    assert judged((0.79, 0.79), none).passed is False
    assert judged((0.9, 0.9), none, ends=((0.0, 0.99), (0.0, 0.99))).passed is False
    assert judged((0.9, 0.9), none, ends=((0.0, 1.0), (0.0, 1.0))).passed
    assert judged((0.9, -0.9), none, sense=(1, -1), ends=((0.0, 4.0), (4.0, 0.0))).passed
    assert judged((0.9, 0.9), none, sense=(1, -1)).passed is False


def test_steps_without_a_measure_are_left_out_and_counted():
    assert order_of_steps(np.array([1.0, np.nan, 2.0, 5.0, np.nan])) == pytest.approx(1.0)
    assert order_of_steps(np.array([np.nan, 3.0, 2.0, 2.0])) == pytest.approx(spearmanr([1, 2, 3], [3, 2, 2]).statistic)
    assert np.isnan(order_of_steps(np.array([1.0, np.nan, 2.0])))
    empty = judged((0.9, 0.9), [[0.1] * 50] * 2, ends=((np.nan, 4.0), (0.0, 4.0)))
    assert empty.empty == pytest.approx(1 / 6)
    assert empty.change == pytest.approx(2.0)
    assert "at 17 % of steps nothing was decoded that could be measured" in empty.sentence("area", "yes")
    assert "nothing was decoded" not in judged((0.9, 0.9), [[0.1] * 50] * 2).sentence("area", "yes")


def test_an_empty_picture_has_no_spiculation():
    assert np.isnan(spiculation(np.zeros((1, 8, 8)))[0])


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
    # The more a picture holds, the more it is of class b; this head has it the other way round.
    assert found["two", "monotonicity:mass:a"].value == pytest.approx(-1.0)
    assert found["two", "monotonicity:mass:b"].value == pytest.approx(-1.0)
    assert "rises" in found["two", "monotonicity:mass:a"].sentence
    assert "falls" in found["two", "monotonicity:mass:b"].sentence
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


def test_order_of_steps_is_that_of_scipy():
    random = np.random.default_rng(0)
    paths = random.integers(0, 5, (50, 9)).astype(float)
    expected = [spearmanr(np.arange(9), path).statistic for path in paths]
    assert np.allclose(order_of_steps(paths), expected)
    assert order_of_steps(np.array([1.0, 1.0, 1.0])) == 0


def test_mass_is_the_sum_of_each_sample():
    values = np.arange(12.0).reshape(2, 1, 2, 3)
    assert mass(values, None).tolist() == [15.0, 51.0]
