"""Episodes that are collected: from seeds, by a policy, and from environments that break off."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pellucid.errors import ContractError, DataError
from pellucid_robotics.trajectories.gym import GymEpisodes, GymEpisodesConfig


class Line(gymnasium.Env):
    """A point that moves by what is done; it breaks off in one seed, and says NaN in another."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,))
    action_space = spaces.Box(-1.0, 1.0, (1,))
    dt = 0.25

    def reset(self, *, seed=None, options=None):
        self.seed, self.at, self.x = seed, 0, 0.0
        if seed == 3:
            raise RuntimeError("no connection")
        return np.array([self.x]), {}

    def step(self, action):
        self.at += 1
        self.x += float(action[0])
        if self.seed == 1 and self.at == 4:
            raise RuntimeError("the simulation diverged")
        return np.array([np.nan if self.seed == 2 and self.at == 3 else self.x]), self.x, False, False, {}


def test_a_seed_gives_the_same_episode_alone_and_among_others():
    some = GymEpisodes(GymEpisodesConfig(episodes=3, steps=20, seed=4))
    alone = GymEpisodes(GymEpisodesConfig(episodes=1, steps=20, seed=5))
    assert list(some.frame.index) == ["seed 4", "seed 5", "seed 6"]
    # The same seed of another environment is another episode.
    assert some.frame["episode"].iloc[0] == "Pendulum-v1 seed 4"
    assert np.array_equal(some[1].inputs["trajectory"], alone[0].inputs["trajectory"])
    assert not np.array_equal(some[0].inputs["trajectory"], some[1].inputs["trajectory"])


def test_steps_are_what_the_environment_said_and_what_was_done_on_it():
    data = GymEpisodes(GymEpisodesConfig(environment="CartPole-v1", episodes=2, steps=50))
    spec = data.spec.inputs["trajectory"]
    assert spec.names == ("position", "speed", "angle", "angular speed", "push right")
    assert spec.units[0] == "m"
    assert spec.dt_s == pytest.approx(0.02)
    for at, episode in enumerate(data.episodes.episodes):
        environment = gymnasium.make("CartPole-v1")
        seen, _ = environment.reset(seed=at)
        for row in episode.values:
            assert row[:4] == pytest.approx(seen)
            seen, *_ = environment.step(int(row[4]))


def test_a_policy_of_ones_own_decides_what_is_done():
    data = GymEpisodes.collected(Line(), GymEpisodesConfig(episodes=1, steps=5), lambda seen: np.array([0.5 - seen[0]]))
    assert data[0].inputs["trajectory"].tolist() == [[0, 0.5, 0.5, 0.5, 0.5], [0.5, 0, 0, 0, 0]]
    assert "policy of the user's own" in data.spec.about


def test_what_was_gathered_before_an_environment_breaks_off_is_kept_and_told():
    data = GymEpisodes.collected(Line(), GymEpisodesConfig(episodes=5, steps=6))
    assert {one.name: len(one) for one in data.episodes.episodes} == {
        "seed 0": 6,
        "seed 1": 3,
        "seed 2": 3,
        "seed 4": 6,
    }
    assert [(one.sample, one.where, one.done) for one in data.findings] == [
        ("seed 1", "at step 3: RuntimeError: the simulation diverged", "kept up to there"),
        ("seed 2", "at step 3: observation and action hold NaN or infinite numbers", "kept up to there"),
        ("seed 3", "at step 0: RuntimeError: no connection", "left out"),
    ]
    # Steps of the episodes that broke off are real, and what follows is masked.
    mask = data.read(np.array([1])).masks["trajectory"][0]
    assert mask.all(0).tolist() == [True] * 3 + [False] * 3
    with pytest.raises(DataError, match="gathered nothing; at step 0: RuntimeError: no connection"):
        GymEpisodes.collected(Line(), GymEpisodesConfig(episodes=1, seed=3))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CartPol-v1", r"no environment 'CartPol-v1'; did you mean 'CartPole-v"),
        ("os:CartPole-v1", "names a module to import"),
        ("Blackjack-v1", "observations are Tuple.*expected a list of numbers"),
    ],
)
def test_an_environment_that_cannot_be_used_is_refused(name, message):
    with pytest.raises(DataError, match=message):
        GymEpisodes(GymEpisodesConfig(environment=name))


def test_steps_without_a_time_are_asked_for():
    class Still(Line):
        dt = None

    with pytest.raises(DataError, match="does not say how far apart steps are; say dt_s"):
        GymEpisodes.collected(Still(), GymEpisodesConfig(episodes=1, steps=3))
    assert (
        GymEpisodes.collected(Still(), GymEpisodesConfig(episodes=1, steps=3, dt_s=2.0)).spec.inputs["trajectory"].dt_s
        == 2
    )


@pytest.mark.parametrize("which", ["terminated", "truncated"])
def test_nothing_is_gathered_behind_the_end_of_an_episode(which):
    class Ends(Line):
        def step(self, action):
            seen, reward, terminated, truncated, info = super().step(action)
            over = self.at == 3
            return (
                seen,
                reward,
                terminated or (over and which == "terminated"),
                truncated or (over and which == "truncated"),
                info,
            )

    data = GymEpisodes.collected(Ends(), GymEpisodesConfig(episodes=1, steps=9))
    assert len(data.episodes.episodes[0]) == 3
    assert not data.findings


def test_one_step_before_an_environment_broke_off_is_no_episode():
    class Once(Line):
        def step(self, action):
            if self.at == 1:
                raise RuntimeError("no connection")
            return super().step(action)

    with pytest.raises(DataError, match="gathered nothing; at step 1: RuntimeError"):
        GymEpisodes.collected(Once(), GymEpisodesConfig(episodes=1, steps=9))


def test_a_policy_that_says_another_number_of_numbers_is_told_how_many():
    with pytest.raises(DataError, match="observation and action are 3 numbers, expected 2"):
        GymEpisodes.collected(Line(), GymEpisodesConfig(episodes=1), lambda seen: [0.0, 0.0])
    with pytest.raises(ContractError, match="expected an environment of gymnasium that is open, got str"):
        GymEpisodes.collected("Pendulum-v1")
