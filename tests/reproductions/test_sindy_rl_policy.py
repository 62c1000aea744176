"""SINDy-RL, Nature Communications 2025: a policy learnt in sparse equations, and the true steps that it takes.

The equations themselves, and their recovery on systems that are known, are in ``test_sindy_rl.py``. Where a threshold of the acceptance is
missed, the figure that was measured stands beside it here and in ``docs/systems.md``.
"""

import dataclasses

import numpy as np
import pytest

from pellucid_robotics.rl.distil import DistilSettings, distil, visited
from pellucid_robotics.rl.dyna import DynaSettings, at_random, learn, learn_in_model
from pellucid_robotics.rl.environments import ENVIRONMENTS
from pellucid_robotics.rl.learner import LearnerSettings
from pellucid_robotics.rl.model_free import ModelFreeSettings, learn_without_model
from pellucid_robotics.rl.surrogate import SparseSettings, SurrogateSettings, fit
from pellucid_robotics.rl.systems import SYSTEMS
from pellucid_robotics.rl.transitions import returns
from pellucid_robotics.rl.vector import ModelEpisodes, Scale, mixed_starts

pytestmark = pytest.mark.reproduction

MAKE, PENDULUM = ENVIRONMENTS["pendulum"], SYSTEMS["pendulum"]()
TASK = PENDULUM.task
UNSEEN = range(20)
"""Seeds of episodes that policies are judged from; loops begin theirs above a million."""


@pytest.fixture(scope="module")
def learnt():
    """A policy that was learnt in equations of 1,000 true steps: 800 at random, 200 its own."""
    return learn(MAKE, TASK, at_random(MAKE, TASK, 800, 0), DynaSettings(rounds=2), 0)


# --- 2: what is learnt in equations, beside the same learner in the true equations and without any ------------------------------


@pytest.fixture(scope="module")
def possible(learnt):
    """Mean return of the same learner in the true equations."""
    policy = learn_in_model(PENDULUM, TASK, learnt.seen, DynaSettings(), 20, 0)
    return returns(MAKE, TASK, policy, UNSEEN).mean()


def test_a_policy_learnt_in_equations_is_as_good_as_one_learnt_in_the_true_ones(learnt, possible):
    assert learnt.rounds[-1].true_steps == len(learnt.seen) == 1000
    # Measured 159.2 beside 161.4: a share of 0.99. Asked 0.8.
    assert possible > 140
    assert returns(MAKE, TASK, learnt.policy, UNSEEN).mean() >= 0.8 * possible


def test_the_same_learner_with_two_thousand_true_steps_and_no_equations_has_learnt_nothing(possible):
    found = []

    def looked(steps, policy):
        found.append(returns(MAKE, TASK, policy, UNSEEN).mean())
        return True

    settings = ModelFreeSettings(limit=2000, every=2000)
    assert learn_without_model(MAKE, TASK, settings, LearnerSettings(), 0, looked) == 2000
    # Measured 13, a share of 0.08. Asked below 0.5.
    assert found[0] < 0.5 * possible


# --- 3: the way back to the circle -------------------------------------------------------------------------------------------


def length(surrogate, steps=200):
    """How far the length of cosine and sine is from 1 at most."""
    surrogate = dataclasses.replace(surrogate, low=np.full(3, -np.inf), high=np.full(3, np.inf))
    rng = np.random.default_rng(0)
    states, worst = PENDULUM.starts(rng, 16), 0.0
    for _ in range(steps):
        states, _, _ = surrogate.step(states, rng.uniform(-1, 1, (16, 1)))
        worst = max(worst, float(np.abs(np.hypot(states[:, 0], states[:, 1]) - 1).max()))
    return worst


def test_cosine_and_sine_stay_on_the_circle_and_without_the_way_back_they_do_not(learnt):
    surrogate = learnt.fitted.surrogate
    assert length(surrogate) < 1e-6
    assert length(dataclasses.replace(surrogate, projected=False)) > 1e-2


# --- 4: the policy as a polynomial ------------------------------------------------------------------------------------------


def test_a_polynomial_of_the_third_degree_does_what_the_network_does(learnt):
    states, episodes = visited(MAKE, TASK, learnt.policy, range(5_000_000, 5_000_020))
    sparse = distil(TASK, learnt.policy, states, episodes, DistilSettings(), 0)
    kept = returns(MAKE, TASK, sparse, UNSEEN).mean() / returns(MAKE, TASK, learnt.policy, UNSEEN).mean()
    print(sparse.terms, "terms:", sparse.equations())
    # Measured 0.97 with 15 terms, all that are offered, where the network has 4,481 numbers.
    assert kept >= 0.9
    assert 0 < sparse.terms <= 15
    # A higher threshold keeps no more terms.
    for alpha in {one.alpha for one in sparse.swept}:
        terms = [one.terms for one in sorted(sparse.swept, key=lambda one: one.threshold) if one.alpha == alpha]
        assert terms == sorted(terms, reverse=True)
    assert min(one.terms for one in sparse.swept) < 15


# --- 5: the guard -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [3.0, 1e6, -1e30])
def test_a_learner_never_sees_what_is_no_number_however_unstable_the_equations(learnt, times):
    fitted = learnt.fitted.surrogate
    unstable = dataclasses.replace(
        fitted, next_state=times * fitted.next_state, low=np.full(3, -1e300), high=np.full(3, 1e300)
    )
    for surrogate in (unstable, dataclasses.replace(unstable, low=fitted.low, high=fitted.high)):
        starts = mixed_starts(learnt.seen.states, learnt.seen.states, 0.5)
        episodes = ModelEpisodes(surrogate, TASK, starts, Scale.of(learnt.seen), 8, 0)
        over = 0
        for at in range(1000):
            seen, rewards, done, infos = episodes.step(np.full((8, 1), (-1.0) ** at))
            assert np.isfinite(seen).all()
            assert np.isfinite(rewards).all()
            assert np.isfinite(surrogate.step(episodes.states, np.ones((8, 1)))[0]).all()
            ended = [one for one, info in enumerate(infos) if done[one] and not info["TimeLimit.truncated"]]
            assert (rewards[ended] == 0).all()
            over += len(ended)
        # Within bounds that nothing reaches in an episode none leaves; within those of the task all do.
        assert over > 0 or surrogate is unstable


# --- how many true steps (nightly) -------------------------------------------------------------------------------------------

PLANS = {
    "pendulum": (400, DynaSettings(rounds=9), SparseSettings(degree=3, threshold=1e-3)),
    "cartpole": (1000, DynaSettings(rounds=6, iterations=30, on_policy=400), SparseSettings(degree=3, threshold=2e-3)),
}
"""Of each system: random true steps, the loop, and how equations are found."""


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("system", PLANS)
def test_equations_save_true_steps(system, seed):
    make, known = ENVIRONMENTS[system], SYSTEMS[system]()
    task, (random, plan, sparse) = known.task, PLANS[system]
    settings = plan.model_copy(update={"surrogate": SurrogateSettings(dynamics=sparse)})
    begun = at_random(make, task, random, seed)
    ideal = learn_in_model(known, task, begun.transitions, settings, 40, seed)
    target = 0.8 * returns(make, task, ideal, UNSEEN).mean()

    def there(_, policy):
        return returns(make, task, policy, UNSEEN).mean() >= target

    rounds = learn(make, task, begun, settings, seed, lambda one: there(0, one.policy)).rounds
    assert there(0, rounds[-1].policy)
    needs = {"equations": rounds[-1].true_steps}
    for algorithm, limit in (("ppo", 400_000), ("sac", 40_000)):
        every = 2000 if algorithm == "ppo" else 500
        free = ModelFreeSettings(algorithm=algorithm, limit=limit, every=every)
        needs[algorithm] = learn_without_model(make, task, free, LearnerSettings(), seed, there)
    print(system, seed, "target", round(target, 1), needs)
    # Asked: at least five times fewer than without a model, by the same learner.
    assert needs["ppo"] >= 5 * needs["equations"]


def test_the_equations_of_the_reward_are_the_true_ones(learnt):
    (terms,) = [learnt.fitted.reward.terms("reward")]
    truth = {"1": 0.5, "cos": 0.5, "omega^2": -0.005, "u^2": -0.005}
    assert set(terms) == set(truth)
    assert all(abs(terms[name] / one - 1) < 0.01 for name, one in truth.items())
    assert fit(TASK, learnt.seen, SurrogateSettings(), 1).reward.terms("reward").keys() == truth.keys()
