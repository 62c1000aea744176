"""Policies learnt in equations: what the equations are made of, what the loop counts, and what a learner is kept from."""

import dataclasses
import json
import tomllib
from importlib.resources import files

import numpy as np
import pytest
from test_rl_environments import Fragile

import pellucid
from pellucid.errors import DataError, StudyError
from pellucid_robotics.rl.distil import DistilSettings, distil, visited_in_model
from pellucid_robotics.rl.dyna import DynaSettings, at_random, learn
from pellucid_robotics.rl.environments import ENVIRONMENTS
from pellucid_robotics.rl.learner import LearnerSettings, NetworkPolicy, learner
from pellucid_robotics.rl.model_free import ModelFreeSettings, learn_without_model
from pellucid_robotics.rl.policy_learning import PolicyLearning, PolicyLearningConfig
from pellucid_robotics.rl.surrogate import SparseSettings, SurrogateSettings, fit, project
from pellucid_robotics.rl.systems import SYSTEMS
from pellucid_robotics.rl.tasks import Task
from pellucid_robotics.rl.transitions import Transitions, target_of
from pellucid_robotics.rl.vector import ModelEpisodes, Scale, mixed_starts

MAKE, TASK = ENVIRONMENTS["pendulum"], SYSTEMS["pendulum"].task
SMALL = LearnerSettings(width=8, episodes=8, rollout_steps=16, batch_size=32, epochs=2)


def line(steps=400, noise=0.0):
    """Steps of a system whose equations are known: x' = 0.9 x + 0.2 y u, y' = y + 0.5 u, paid 1 - x^2 - 0.1 u^2."""
    rng = np.random.default_rng(0)
    states, actions = rng.normal(size=(steps, 2)), rng.uniform(-1, 1, (steps, 1))
    x, y, u = *states.T, actions[:, 0]
    after = np.stack([0.9 * x + 0.2 * y * u, y + 0.5 * u], 1) + rng.normal(0, noise, (steps, 2))
    episodes = np.array([f"e{at // 20}" for at in range(steps)])
    task = Task("line", ("x", "y"), ("m", "m"), ("u",), ("1",), dt_s=0.1, steps=20)
    return task, Transitions(states, actions, after, 1 - x**2 - 0.1 * u**2, episodes)


def test_equations_of_next_state_and_reward_are_found():
    task, seen = line(noise=0.01)
    fitted = fit(task, seen, SurrogateSettings(dynamics=SparseSettings(degree=2, threshold=0.05)), 0)
    assert {name: dict(fitted.dynamics.terms(f"next {name}")) for name in "xy"} == {
        "x": pytest.approx({"x": 0.9, "y*u": 0.2}, abs=0.01),
        "y": pytest.approx({"y": 1.0, "u": 0.5}, abs=0.01),
    }
    assert fitted.reward.terms("reward") == pytest.approx({"1": 1.0, "x^2": -1.0, "u^2": -0.1}, abs=1e-4)
    assert fitted.dynamics.equations()["next x"].startswith("next x [m] = 0.")
    # A step of the surrogate is what its equations say.
    states, rewards, _ = fitted.surrogate.step(seen.states[:9], seen.actions[:9])
    assert states == pytest.approx(seen.following[:9], abs=0.06)
    assert rewards == pytest.approx(seen.rewards[:9], abs=1e-4)


def test_an_action_beyond_the_limit_counts_as_the_limit_and_bounds_come_from_what_was_seen():
    task, seen = line()
    surrogate = fit(task, seen, SurrogateSettings(margin=0.25), 0).surrogate
    most, beyond = (surrogate.step(seen.states[:3], np.full((3, 1), one))[0] for one in (1.0, 9.0))
    assert np.array_equal(most, beyond)
    every = np.concatenate([seen.states, seen.following])
    assert surrogate.high - every.max(0) == pytest.approx(0.25 * np.ptp(every, axis=0))


def test_a_state_that_leaves_its_bounds_stays_pays_nothing_and_is_told():
    task, seen = line()
    surrogate = fit(task, seen, SurrogateSettings(), 0).surrogate
    states = np.array([[0.1, 0.1], [0.1, 1e200], [np.nan, 0.0]])
    following, rewards, left = surrogate.step(states, np.ones((3, 1)))
    assert left.tolist() == [False, True, True]
    assert np.array_equal(following[1], states[1])
    assert rewards[1:].tolist() == [0, 0]


def test_a_step_pays_no_more_than_half_a_range_beyond_what_was_seen():
    task, seen = line()
    surrogate = fit(task, seen, SurrogateSettings(), 0).surrogate
    wide = dataclasses.replace(surrogate, low=np.full(2, -1e9), high=np.full(2, 1e9))
    _, rewards, left = wide.step(np.array([[1e4, 0.0], [0.0, 0.0]]), np.zeros((2, 1)))
    assert not left.any()
    assert rewards == pytest.approx([seen.rewards.min() - 0.5 * np.ptp(seen.rewards), 1.0], abs=1e-3)


def test_a_learner_sees_large_rewards_in_standard_deviations_and_small_ones_as_they_are():
    task, seen = line()
    large = dataclasses.replace(seen, rewards=100 * seen.rewards)
    assert Scale.of(large).reward == pytest.approx(100 * seen.rewards.std())
    assert Scale.of(dataclasses.replace(seen, rewards=seen.rewards / 100)).reward == 1
    paid = []
    for some in (seen, large):
        model = fit(task, some, SurrogateSettings(), 0).surrogate
        episodes = ModelEpisodes(model, task, mixed_starts(seen.states[:1], seen.states[:1], 0.0), Scale.of(some), 2, 0)
        paid.append(episodes.step(np.full((2, 1), 0.5))[1])
    assert paid[0] * Scale.of(seen).reward == pytest.approx(paid[1] * seen.rewards.std(), rel=1e-3)


def test_cosine_and_sine_are_brought_back_and_other_numbers_are_not_touched():
    states = np.array([[3.0, 4.0, 7.0], [0.0, 0.0, 1.0], [-1e-3, 0.0, 2.0]])
    project(states, ((0, 1),))
    assert states.tolist() == [[pytest.approx(0.6), pytest.approx(0.8), 7.0], [0, 0, 1], [-1, 0, 2]]


def test_runs_of_a_surrogate_end_with_their_episode():
    task, seen = line(steps=60)
    errors = fit(task, seen, SurrogateSettings(), 0).surrogate.squares(seen, 25)
    known = np.isfinite(errors).sum(1)
    # Twenty steps an episode: a run from its first state is judged twenty times, one from its last once.
    assert known.tolist() == [*range(20, 0, -1)] * 3
    # These states do not follow each other, so that only the first step is foreseen.
    assert errors[:, 0].max() < 1e-10 < 0.1 < errors[0, 1]


def test_what_cannot_be_fitted_is_refused():
    task, seen = line(steps=5)
    with pytest.raises(DataError, match="5 training samples do not determine"):
        fit(task, seen, SurrogateSettings(), 0)
    odd = Task("odd", ("x*y", "y"), ("1", "1"), ("u",), ("1",), 0.1, 5)
    with pytest.raises(StudyError, match="'x\\*y' would make products"):
        fit(odd, line()[1], SurrogateSettings(), 0)


def test_the_loop_counts_every_true_step_and_keeps_random_steps():
    told = []
    settings = DynaSettings(learner=SMALL, rounds=3, iterations=1, on_policy=50, kept=60)

    def watch(one):
        told.append((one.true_steps, one.surrogate_steps))
        return False

    made = []

    def counted():
        made.append(MAKE())
        step = made[-1].step
        made[-1].steps = 0

        def one(action):
            made[-1].steps += 1
            return step(action)

        made[-1].step = one
        return made[-1]

    learnt = learn(counted, TASK, at_random(MAKE, TASK, 300, 0), settings, 0, watch)
    assert told == [(300, 128), (350, 256), (400, 384)]
    # Whatever the environment was asked for beside the random steps stands in the count.
    assert sum(one.steps for one in made) == 100
    assert len(learnt.seen) == 400
    names = learnt.seen.episodes
    assert sum(one.startswith("random") for one in names) == 300
    same = names[1:] == names[:-1]
    assert learnt.seen.following[:-1][same] == pytest.approx(learnt.seen.states[1:][same])
    assert not np.isclose(learnt.seen.following[:-1][~same], learnt.seen.states[1:][~same]).all(1).any()
    assert len(learnt.begins) == len(np.unique(names))


def test_the_same_seed_learns_the_same_policy():
    settings = DynaSettings(learner=SMALL, rounds=2, iterations=1, on_policy=20)
    weights = [
        learn(MAKE, TASK, at_random(MAKE, TASK, 300, 1), settings, seed).policy.layers[0][0] for seed in (5, 5, 6)
    ]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_a_loop_goes_on_in_an_environment_that_breaks():
    class Breaking(Fragile):
        def reset(self, *, seed=None, options=None):
            return super().reset(seed=None if seed is None else seed % 4, options=options)

    sparse = SurrogateSettings(dynamics=SparseSettings(degree=1))
    learnt = learn(
        Breaking, Fragile.task, at_random(Breaking, Fragile.task, 80, 0),
        DynaSettings(learner=SMALL, rounds=2, iterations=1, on_policy=30, surrogate=sparse), 0,
    )  # fmt: skip
    assert any("the motor is hot" in one for one in learnt.findings)
    assert any("no connection" in one for one in learnt.findings)
    assert learnt.rounds[-1].true_steps > len(learnt.seen)
    looks = []
    steps = learn_without_model(
        Breaking, Fragile.task, ModelFreeSettings(limit=200, every=100, episodes=2, rollout_steps=50, batch_size=50), SMALL, 0,
        lambda at, policy: bool(looks.append((at, policy(np.zeros((1, 1)))))),
    )  # fmt: skip
    assert steps == 200
    assert [at for at, _ in looks] == [100, 200]
    assert all(np.isfinite(action).all() for _, action in looks)


def test_episodes_of_a_model_end_with_the_task_and_say_what_they_ended_with():
    system = SYSTEMS["pendulum"]()
    start = np.array([[-1.0, 0.0, 0.0]])
    episodes = ModelEpisodes(system, TASK, mixed_starts(start, start, 0.0), Scale(np.zeros(3), np.ones(3)), 4, 0)
    episodes.reset()
    episodes.at[:] = 0
    for at in range(TASK.steps):
        seen, _, done, infos = episodes.step(np.full((4, 1), 0.5))
        assert done.all() == (at == TASK.steps - 1)
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert seen == pytest.approx(np.repeat(start, 4, 0))
    assert not np.allclose(infos[0]["terminal_observation"], start[0])
    # The next episode has all its steps again.
    assert not any(episodes.step(np.full((4, 1), 0.5))[2].any() for _ in range(TASK.steps - 1))
    assert episodes.step(np.full((4, 1), 0.5))[2].all()


class Cubic:
    """A policy that is a polynomial."""

    def raw(self, states):
        return (2 * states[:, 0] - 3 * states[:, 0] ** 2 * states[:, 1])[:, None]

    def __call__(self, states):
        return np.clip(self.raw(states), -1, 1)


def test_a_policy_is_written_as_the_polynomial_that_it_is_and_cut_off_at_the_limit():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 2000)
    states = np.stack([np.cos(angle), np.sin(angle), rng.normal(0, 1, 2000)], 1)
    episodes = np.array([f"e{at // 100}" for at in range(2000)])
    sparse = distil(TASK, Cubic(), states, episodes, DistilSettings(slack=0.1), 0)
    assert sparse.head.terms("u") == pytest.approx({"cos": 2.0, "cos^2*sin": -3.0}, abs=1e-3)
    assert sparse.terms == 2
    assert min(one.error for one in sparse.swept) < 1e-6
    assert sparse(states) == pytest.approx(Cubic()(states), abs=1e-3)
    assert np.abs(sparse(10 * states)).max() == 1
    assert sparse.equations()["u"] == "u [2 N m] = 2 cos - 3 cos^2*sin"


def test_a_network_without_the_learner_does_what_the_learner_does():
    import torch

    task = dataclasses.replace(TASK, limit=2.0)
    start = np.array([[-1.0, 0.0, 0.0]])
    scale = Scale(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0]))
    ppo = learner(ModelEpisodes(SYSTEMS["pendulum"](), task, mixed_starts(start, start, 0.0), scale, 4, 0), SMALL, 0)
    with torch.no_grad():
        ppo.policy.action_net.weight.mul_(300)
    policy, states = NetworkPolicy.of(ppo, scale, task), np.random.default_rng(0).normal(0, 2, (50, 3))
    said = ppo.predict(scale(states).astype(np.float32), deterministic=True)[0]
    # The learner's actions are in limits.
    assert policy(states) == pytest.approx(2 * said, abs=1e-4)
    assert np.abs(policy.raw(states)).max() > 2 == np.abs(policy(states)).max()
    assert policy.size == 3 * 8 + 8 + 8 * 8 + 8 + 8 + 1


def test_of_returns_below_0_nothing_is_a_share():
    assert target_of(160.0, 0.8) == pytest.approx(128)
    assert target_of(-160.0, 0.8) == pytest.approx(-192)
    fold, context = PolicyLearning.example_fold()
    protocol = PolicyLearning(PolicyLearningConfig(**PolicyLearning.example_options()))
    rows = protocol.examine(fold).assign(fold=0)
    paid = [
        name
        for name in rows
        if name in ("random", "policy", "free", "known", "distilled") or name.startswith(("round:", "look:"))
    ]
    found = {
        one.metric: one for one in protocol.conclude(rows.assign(**{name: rows[name] - 1000 for name in paid}), context)
    }
    assert "has no share" in found["share_of_known"].because
    assert "%" not in found["distilled_return"].sentence
    assert f"where it has {found['return'].value:.4g}" in found["distilled_return"].sentence
    usual = {one.metric: one for one in protocol.conclude(rows, context)}
    assert usual["share_of_known"].value == pytest.approx(rows["policy"].mean() / rows["known"].mean())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study = tomllib.loads((files("pellucid_robotics") / "studies/robotics-swingup.toml").read_text("utf-8"))
    study["options"]["policy-learning"] = {
        "rounds": 2, "iterations": 10, "on_policy": 100, "ahead": 10, "model_free": {"limit": 1024, "every": 512},
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("runs") / "swingup"
    return pellucid.study(study).run(folder), folder


@pytest.mark.nightly
def test_the_study_tells_what_was_learnt_and_what_it_took(run):
    found = {
        one["metric"]: one
        for one in json.loads((run[1] / "run.json").read_text("utf-8"))["results"]
        if one["protocol"] == "policy-learning"
    }
    assert found["return"]["n_subjects"] == 20
    assert found["return"]["low"] > 4 * max(found["return"]["chance"], found["return"]["baseline"])
    assert "Learnt in 1,100 true steps, 1,000 of them random" in found["return"]["sentence"]
    assert found["true_steps_to_target"]["value"] <= 1100
    assert "has not reached it after 1,536 true steps" in found["saving"]["sentence"]
    assert found["distilled_terms"]["value"] <= 15
    assert found["error_after_10"]["high"] < 0.1 < found["error_after_10"]["baseline"]
    page = (run[1] / "report.html").read_text("utf-8")
    assert "What a policy learns in the equations" in page
    assert "next omega [rad s-1] = " in page
    assert "reward = 0.5 + 0.5 cos - 0.005 omega^2" in page
    assert "u [2 N m] = " in page


def test_errors_are_in_deviations_of_what_followed_and_end_with_the_episode():
    task, seen = line(steps=60)
    surrogate = fit(task, seen, SurrogateSettings(), 0).surrogate
    squares = surrogate.squares(seen, 25)
    assert np.isfinite(squares[:, :20]).any(0).all()
    assert np.isnan(squares[:, 20:]).all()
    said = surrogate.step(seen.states, seen.actions)[0]
    off = ((said + 1 - seen.following) / seen.following.std(0)) ** 2
    shifted = dataclasses.replace(seen, following=seen.following - 1)
    assert surrogate.squares(shifted, 1)[:, 0] == pytest.approx(off.mean(1), rel=1e-6)


def test_states_of_an_episode_in_a_model_end_where_it_leaves():
    class Drifts:
        def step(self, states, actions):
            after = states + actions
            left = after[:, 0] > 3
            return np.where(left[:, None], states, after), np.zeros(len(states)), left

    task = Task("drift", ("x",), ("m",), ("u",), ("m",), dt_s=0.1, steps=4)
    states, episodes = visited_in_model(
        Drifts(), task, lambda states: np.ones((len(states), 1)), np.array([[0.0], [2.0]])
    )
    of = {name: states[episodes == name, 0].tolist() for name in np.unique(episodes)}
    assert of == {"modelled 0": [0.0, 1.0, 2.0, 3.0], "modelled 1": [2.0, 3.0]}


def test_the_latest_steps_are_the_last_ones_gathered():
    seen = line(steps=60)[1]
    assert np.array_equal(seen.last(25).states, seen.states[35:])
    assert len(seen.last(100)) == 60
