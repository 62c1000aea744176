"""Free runs judged beside unseen episodes: a model that knows the map, one that is linear, and one that runs away."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from pellucid.batch import Batch
from pellucid.data import ArrayDataset, DataSpec, Regression
from pellucid.data.spec import Trajectory
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.free_running import FreeRun, run_on
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.protocols.audited import told
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.dynamics.followed import followed
from pellucid.protocols.dynamics.free_run import FreeRunConfig, FreeRunning
from pellucid.protocols.dynamics.linear import LinearMap
from pellucid.representation import Representation
from pellucid.testing.example_folds import moving_fold

STEPS, PIECES, EPISODES = 50, 12, 6


def lozi(state):
    x, y = state[..., 0], state[..., 1]
    return torch.stack([1 - 1.7 * x.abs() + y, 0.5 * x], -1)


def data(mask=None):
    """Orbits of the Lozi map, each cut into pieces."""
    state = torch.rand(EPISODES, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.2
    orbit = []
    for at in range(100 + STEPS * PIECES):
        state = lozi(state)
        if at >= 100:
            orbit.append(state)
    paths = torch.stack(orbit, 1).reshape(EPISODES * PIECES, STEPS, 2).transpose(1, 2).float().numpy()
    episodes = np.repeat([f"e{at}" for at in range(EPISODES)], PIECES)
    frame = pd.DataFrame(
        {"episode": episodes, "end": paths[:, 0, -1].astype(float)}, index=[f"s{at}" for at in range(len(paths))]
    )
    spec = DataSpec(
        name="orbits", namespace="orbits", groups=("episode",), group_word=("episode", "episodes"),
        inputs={"path": Trajectory(names=("x", "y"), length=STEPS, dt_s=1.0, units=("1", "1"))},
        targets={"end": Regression(names=("end",), units=("1",))},
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"path": paths}, {} if mask is None else {"path": mask})


class Knows(Encoder):
    """Goes on by a map that it is given, from the values themselves."""

    tags = EncoderTags(accepts=("trajectory",))
    config_type = EncoderConfig
    names, code_names = ("x", "y"), ("left", "right")

    def __init__(self, config, rule):
        super().__init__()
        self.config, self.rule = config, rule

    def states(self, batch: Batch):
        return batch.inputs["path"].transpose(1, 2).double()

    def forward(self, batch: Batch):
        return Representation(batch.inputs["path"][:, :, -1], self.names)

    def free_run(self, start, steps):
        states, lasted = run_on(self.rule, start, steps)
        return FreeRun(states, states, lasted, (states[..., 0] > 0).long())


def fold_of(rule, samples, encoder=None, learned=(0, 1, 2, 3)):
    encoder = encoder or Knows(EncoderConfig(inputs=samples.spec.inputs), rule)
    head = Linear(Linear.config_type(units=("path:x", "path:y"), target=samples.spec.target("end")))
    at = np.arange(len(samples)) // PIECES
    split = Split(0, np.flatnonzero(at < 4), np.array([], int), np.flatnonzero(at >= 4))
    model = Model({"path": encoder}, head)
    head.learned_from = samples.subset(np.flatnonzero(np.isin(at, learned))).learned_from
    fold = FittedFold(samples, "end", split, {"it": model}, None, 0)
    return fold, Context(samples.spec, "end", {"it": head.tags}, "", 0, {"path": encoder.tags}, ("path",))


def concluded(rule, samples=None, **options):
    fold, context = fold_of(rule, samples or data())
    protocol = FreeRunning(FreeRunConfig(replicates=200, **options))
    rows = protocol.examine(fold)
    return rows, {one.metric: one for one in protocol.conclude(rows.assign(fold=0), context)}


def test_a_model_that_knows_the_map_is_at_the_floor_and_beats_all_it_stands_beside():
    _, found = concluded(lozi)
    one = found["error_after_1"]
    # Data are of single precision.
    assert one.value < 1e-10
    assert one.value <= one.high < 1e-10
    assert (one.n_samples, one.n_subjects) == (24, 2)
    assert one.chance == pytest.approx(1.0, abs=0.1)
    assert one.baseline_name == "an affine map from step to step"
    # Chaos: a hair becomes the whole within some tens of steps, and errors grow on the way.
    assert one.value < found["error_after_5"].value < found["error_after_20"].value < 0.1
    for metric in ("state_space_divergence", "spectral_distance"):
        made, floor = found[metric], found[f"{metric}_floor"]
        assert made.value < 1.5 * floor.value
        assert made.value < 0.5 * made.baseline
        assert made.value < 0.5 * made.chance
    assert found["diverged_runs"].value == 0


def test_a_linear_map_is_no_better_than_the_linear_baseline():
    train = followed(data().subset(np.arange(4 * PIECES)), "path")
    fitted = LinearMap.of(train.values)
    # An independent fit by normal equations, in units of the data.
    x = train.values
    before, after = x[:, :-1].reshape(-1, 2), x[:, 1:].reshape(-1, 2)
    design = np.column_stack([before, np.ones(len(before))])
    solved = torch.from_numpy(np.linalg.solve(design.T @ design, design.T @ after))
    rows, found = concluded(lambda z: z @ solved[:2] + solved[2])
    for ahead in (1, 5, 20):
        assert rows[f"model:{ahead}"].to_numpy() == pytest.approx(rows[f"linear:{ahead}"].to_numpy(), rel=1e-6)
    (distances,) = told(rows, "distances")
    assert distances["model"]["state_space_divergence"] == pytest.approx(
        distances["linear"]["state_space_divergence"], rel=0.05
    )
    assert found["state_space_divergence"].value > 3
    back = fitted.raw(fitted.standardised(x))
    assert back == pytest.approx(x)


def test_errors_are_those_of_samples_in_variances_of_training():
    samples = data()
    rows, _ = concluded(lambda z: z * 0.0, samples, horizons=(3,), warming=0.5)
    values = samples.read(np.arange(len(samples))).inputs["path"].transpose(0, 2, 1).astype(float)
    train, first = values[: 4 * PIECES], values[4 * PIECES]
    mean, deviation = train.mean((0, 1)), train.std((0, 1))
    starts = np.unique(np.linspace(24, 46, 20).round().astype(int))
    expected = ((first[starts + 3] / deviation) ** 2).mean()
    assert rows["model:3"].iloc[0] == pytest.approx(expected, rel=1e-6)
    stays = (((first[starts + 3] - first[starts]) / deviation) ** 2).mean()
    assert rows["persistence:3"].iloc[0] == pytest.approx(stays, rel=1e-6)
    assert rows["mean:3"].iloc[0] == pytest.approx((((first[starts + 3] - mean) / deviation) ** 2).mean(), rel=1e-6)


def test_a_model_that_runs_away_is_said_to_and_has_figures_all_the_same():
    _, found = concluded(lambda z: 3 * z)
    assert found["diverged_runs"].value == 1.0
    assert found["state_space_divergence"].value > 5
    assert all(np.isfinite([one.value, one.chance, one.baseline]).all() for one in found.values())


def test_a_model_at_rest_is_as_far_away_as_persistence():
    _, found = concluded(lambda z: z)
    result = found["state_space_divergence"]
    assert result.value == pytest.approx(
        told(concluded(lambda z: z)[0], "distances")[0]["persistence"]["state_space_divergence"]
    )
    assert result.value > 5


def test_transitions_count_the_regions_of_free_runs():
    rows, _ = concluded(lozi)
    (ways,) = told(rows, "transitions")
    assert ways["names"] == ["left", "right"]
    counts = np.array(ways["counts"])
    # Two runs, of as many steps as their episodes have in all.
    assert counts.sum() == 2 * (STEPS * PIECES - 1)
    # Of the Lozi map few states on the left are followed by another on the left.
    assert counts[0, 1] > counts[0, 0]
    (portrait,) = told(rows, "portrait")
    assert portrait["channels"] == ["x", "y"]
    assert len(portrait["made"]) == len(portrait["codes"]) == STEPS * PIECES


def test_samples_with_gaps_are_left_out_and_none_left_is_no_error():
    mask = np.ones((EPISODES * PIECES, 2, STEPS), bool)
    mask[4 * PIECES + 1, 0, 3] = False
    rows, _ = concluded(lozi, data(mask))
    assert "s49" not in set(rows["sample"])
    assert len(rows) == 2 * PIECES - 1
    mask[4 * PIECES :, 0, 3] = False
    with pytest.raises(NotMeasurable, match="none of 24 samples is known throughout"):
        concluded(lozi, data(mask))


def test_horizons_beyond_a_sample_are_left_out_and_all_of_them_are_no_error():
    assert not [one for one in concluded(lozi, horizons=(1, 40))[1] if one == "error_after_40"]
    with pytest.raises(NotMeasurable, match="samples of 50 steps are too short for forecasts of 40"):
        concluded(lozi, horizons=(40, 45))
    _, context = moving_fold()
    # The settings alone say it, before anything is fitted.
    assert "are too short for forecasts of 1000" in FreeRunning(FreeRunConfig(horizons=(1000,))).unfit(context)
    for wrong in (0, -1):
        with pytest.raises(ValidationError, match="horizons"):
            FreeRunConfig(horizons=(1, wrong))


def test_who_was_learnt_from_is_refused_and_who_cannot_run_is_not_measured():
    samples = data()
    with pytest.raises(LeakageError):
        FreeRunning().examine(fold_of(lozi, samples, learned=(4,))[0])
    fold, context = moving_fold()
    still = dataclasses.replace(fold, models={})
    with pytest.raises(NotMeasurable, match="no part reads an encoder that can go on by itself"):
        FreeRunning().examine(still)
    assert FreeRunning().unfit(context) == ""
    assert "reads a signal or a trajectory" in FreeRunning().unfit(dataclasses.replace(context, reads=()))


def test_figures_show_where_it_goes_and_how_regions_follow():
    rows, _ = concluded(lozi)
    _, context = fold_of(lozi, data())
    (caption, figure), (said, strip) = FreeRunning().figures(rows.assign(fold=0), context).items()
    assert "“it”, first fold: a free run beside the episode" in caption
    places, graph = figure.axes
    assert [text.get_text() for text in places.get_legend().get_texts()] == ["data", "left", "right"]
    assert {text.get_text() for text in graph.texts if "stays" in text.get_text()}
    assert any("left" in text.get_text() for text in graph.texts)
    assert "“it”, first fold: a forecast of one episode that was not learnt from; its error" in said
    assert len(strip.axes[0].child_axes) == 2


def test_a_forecast_is_lost_at_the_step_from_which_its_error_is_above_the_tolerance():
    def kicked(state):
        """The map, and from where x is above 0.9 on a wrong one."""
        return torch.where(state[..., :1] > 0.9, state * 0 + 0.1, lozi(state))

    samples = data()
    fold, _ = fold_of(kicked, samples)
    for tolerance in (0.05, 0.1, 0.2, 0.4, 0.8, 1.2):
        (one,) = told(FreeRunning(FreeRunConfig(tolerance=tolerance)).examine(fold).assign(fold=0), "strip")
        real, made = np.array(one["real"]), np.array(one["made"])
        first = samples.read(np.array([4 * PIECES])).inputs["path"][0]
        assert real == pytest.approx(first, abs=1e-5)
        assert one["warm"] == round(0.25 * STEPS)
        state, path = torch.from_numpy(first[:, one["warm"] - 1]).double(), []
        for _ in range(STEPS - one["warm"]):
            state = kicked(state)
            path.append(state.numpy())
        assert np.abs(made.T - np.array(path)).max() < 1e-4
        deviation = samples.read(np.arange(4 * PIECES)).inputs["path"].transpose(0, 2, 1).reshape(-1, 2).std(0)
        errors = np.sqrt((((made.T - real.T[one["warm"] :]) / deviation) ** 2).mean(1))
        beyond = np.flatnonzero(errors > tolerance)
        assert one["lost"] == one["warm"] + beyond[0]
        # Where it says so is before the end, and not at once.
        assert one["warm"] < one["lost"] < STEPS
    assert told(concluded(kicked, samples, tolerance=1e3)[0], "strip")[0]["lost"] is None


def test_a_channel_counts_in_its_own_deviation_far_from_zero_and_as_it_is_where_it_does_not_vary():
    chance = np.random.default_rng(0)
    values = np.stack([1000 + chance.normal(0, 2, (3, 50)), np.full((3, 50), 7.0)], -1)
    found = LinearMap.of(values)
    assert found.deviation == pytest.approx([values[..., 0].std(), 1.0])
    assert found.standardised(values).std((0, 1)) == pytest.approx([1.0, 0.0])


def test_a_caption_counts_the_steps_of_the_forecast_and_not_those_that_were_shown():
    from pellucid.protocols.dynamics.strip import drawn

    _, context = fold_of(lozi, data())
    told_of = {
        "channels": ["x"], "units": ["1"], "left_out": 0, "rate_hz": 10.0, "warm": 3, "tolerance": 0.5,
        "real": [[0.0] * 8], "made": [[0.1, 0.2, 0.9, 0.9, 0.9]],
    }  # fmt: skip
    # Steps 3 and 4 are near, step 5 is the third that was forecast.
    assert "after 3 steps (0.300 s)" in drawn(told_of | {"lost": 5}, context)[0]
    assert "stays below 0.50 standard deviations for all 5 steps" in drawn(told_of | {"lost": None}, context)[0]
