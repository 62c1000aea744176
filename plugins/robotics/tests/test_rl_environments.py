"""The swing-ups: by an integration of their own, from seeds, and as points that never reach across a reset."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from scipy.integrate import solve_ivp

from pellucid.errors import ContractError, DataError, StudyError
from pellucid_robotics.rl.dataset import RandomSteps, RandomStepsConfig, SwingUpConfig, SwingUpSteps
from pellucid_robotics.rl.dyna import at_random
from pellucid_robotics.rl.environments import ENVIRONMENTS
from pellucid_robotics.rl.systems import SYSTEMS
from pellucid_robotics.rl.tasks import HasEnvironment, Task
from pellucid_robotics.rl.transitions import gather, returns
from pellucid_robotics.rl.vector import SafeEnvironment, Scale


def pendulum(_, y, u):
    # A rod of length l and mass m about its end: m l^2 / 3 * angle'' = m g l / 2 sin(angle) + torque.
    return [y[1], (9.81 / 2 * np.sin(y[0]) + 2 * u) / (1 / 3)]


def cartpole(_, y, u):
    # Lagrange's two equations for a rod of half length h on a cart, solved as a linear system of both accelerations.
    cart, pole, h = 1.0, 0.1, 0.5
    sine, cosine = np.sin(y[1]), np.cos(y[1])
    matrix = [[cart + pole, pole * h * cosine], [pole * h * cosine, 4 / 3 * pole * h**2]]
    forces = [10 * u + pole * h * y[3] ** 2 * sine, pole * 9.81 * h * sine]
    return [y[2], y[3], *np.linalg.solve(matrix, forces)]


@pytest.mark.parametrize(("name", "equations"), [("pendulum", pendulum), ("cartpole", cartpole)])
def test_an_environment_moves_as_its_equations_say(name, equations):
    environment, rng = ENVIRONMENTS[name](), np.random.default_rng(0)
    environment.reset(seed=3)
    truth = environment.inner[0].copy()
    for _ in range(60):
        action = rng.uniform(-1, 1, 1)
        state, _, over, _, _ = environment.step(action)
        found = solve_ivp(equations, (0, environment.dt), truth, args=(action[0],), rtol=1e-10, atol=1e-12)
        truth = found.y[:, -1]
        assert state == pytest.approx(environment.system.seen(truth[None])[0], abs=2e-4)
        assert not over


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_one_of_gymnasium_and_a_seed_gives_the_same_episode(name):
    check_env(ENVIRONMENTS[name](), skip_render_check=True)
    make, task = ENVIRONMENTS[name], ENVIRONMENTS[name]().task
    first, again = (returns(make, task, None, [4, 5, 6]) for _ in range(2))
    assert np.array_equal(first, again)
    assert first[1] == returns(make, task, None, [5])[0]
    assert len(set(first)) == 3


@pytest.mark.parametrize("name", SYSTEMS)
def test_many_at_once_move_as_one_alone(name):
    system, environment = SYSTEMS[name](), ENVIRONMENTS[name]()
    state, _ = environment.reset(seed=1)
    states, actions = np.repeat(state[None], 3, 0), np.array([[-1.0], [0.3], [7.0]])
    following, rewards, left = system.step(states, actions)
    for at, action in enumerate(actions):
        environment.reset(seed=1)
        one, reward, over, _, _ = environment.step(action)
        assert one == pytest.approx(following[at])
        assert (reward, over) == (pytest.approx(rewards[at]), left[at])


def test_no_step_of_the_dataset_reaches_across_a_reset():
    data = SwingUpSteps(SwingUpConfig(episodes=5, steps=30, seed=2))
    values, labels = data.read(np.arange(len(data))).inputs["state"], data.target_values("next")
    episodes = data.frame["episode"].to_numpy()
    assert len(data) == 150
    for at in range(len(data) - 1):
        goes_on = np.allclose(labels[at], values[at + 1, :3], atol=1e-5)
        assert goes_on == (episodes[at] == episodes[at + 1])
    # Each next state is what the environment says of this state and action, the last of an episode too.
    following, _, _ = data.true_model().step(values[:, :3].astype(float), values[:, 3:].astype(float))
    assert labels == pytest.approx(following, abs=1e-4)


def test_the_environment_behind_is_reached_from_any_part_of_the_data():
    data = SwingUpSteps(SwingUpConfig(episodes=4, steps=10, seed=7))
    part = data.subset(np.arange(20, 40)).subset(np.arange(5, 15))
    behind = part.ability(HasEnvironment)
    assert behind.task.name == "pendulum-swingup"
    assert behind.seed_of_episode(part.subjects[0]) == 9
    found = behind.transitions_of(list(part.frame.index))
    assert found.states == pytest.approx(part.read(np.arange(10)).inputs["state"][:, :3], abs=1e-5)
    start, _ = behind.environment().reset(seed=9)
    assert behind.transitions_of(["pendulum-swingup 9@0"]).states[0] == pytest.approx(start)
    with pytest.raises(DataError, match="no sample 'pendulum-swingup 9@10'"):
        behind.transitions_of(["pendulum-swingup 9@10"])


class Fragile(gymnasium.Env):
    """A number that grows by what is done; it breaks in one seed, and says NaN in another."""

    observation_space = spaces.Box(-np.inf, np.inf, (1,))
    action_space = spaces.Box(-1.0, 1.0, (1,))
    task = Task("fragile", ("x",), ("m",), ("u",), ("m",), dt_s=0.1, steps=6)

    def reset(self, *, seed=None, options=None):
        self.seed, self.at, self.x = seed, 0, 0.0
        if seed == 3:
            raise RuntimeError("no connection")
        return np.array([self.x]), {}

    def step(self, action):
        self.at += 1
        self.x += float(action[0])
        if self.seed == 1 and self.at == 4:
            raise RuntimeError("the motor is hot")
        return np.array([np.nan if self.seed == 2 and self.at == 3 else self.x]), self.x, False, False, {}


def test_steps_before_an_environment_breaks_are_kept_and_those_that_failed_are_counted():
    found = gather(Fragile(), Fragile.task, None, 100, seeds=range(5), rng=np.random.default_rng(0))
    episodes, counts = np.unique(found.transitions.episodes, return_counts=True)
    assert dict(zip(episodes, counts, strict=True)) == {"episode 0": 6, "episode 1": 3, "episode 2": 2, "episode 4": 6}
    # Two steps that failed, and a start that failed, were asked of the environment too.
    assert found.steps == 17 + 2 + 1
    assert [one.partition(":")[0] for one in found.findings] == [
        "episode 1 broke off after 3 steps",
        "episode 2 broke off after 2 steps",
        "episode 3 broke off after 0 steps",
    ]
    same = found.transitions.episodes[1:] == found.transitions.episodes[:-1]
    assert found.transitions.following[:-1][same] == pytest.approx(found.transitions.states[1:][same])
    data = RandomSteps(Fragile, Fragile.task, RandomStepsConfig(episodes=5, steps=6))
    assert [one.done for one in data.findings] == ["kept up to there", "kept up to there", "left out"]
    with pytest.raises(DataError, match=r"nothing was gathered.*no connection"):
        gather(Fragile(), Fragile.task, None, 5, seeds=[3], rng=np.random.default_rng(0))


def test_chance_holds_its_actions_as_those_are_held_that_equations_are_learnt_from():
    done = []

    class Watched(ENVIRONMENTS["pendulum"]):
        def step(self, action):
            done.append(float(action[0]))
            return super().step(action)

    returns(Watched, Watched().task, None, [3])
    data, apart = SwingUpSteps(SwingUpConfig(episodes=2, steps=200)), np.flatnonzero(np.diff(done)) + 1
    assert apart.tolist() == list(range(8, 200, 8))
    assert apart.tolist() == (np.flatnonzero(np.diff(data.seen.actions[:200, 0])) + 1).tolist()


def test_returns_end_where_an_environment_breaks():
    found = returns(Fragile, Fragile.task, lambda states: np.full((len(states), 1), 5.0), [0, 1, 2])
    # Actions are cut off at 1: 1 + 2 + ... + 6, then 1 + 2 + 3, and the third step's reward of the one that says NaN is not paid.
    assert found.tolist() == [21, 6, 3]


def test_a_start_that_fails_returns_nothing_and_a_reward_that_is_no_number_ends_an_episode():
    closed = []

    class Unpaid(Fragile):
        def step(self, action):
            state, reward, *rest = super().step(action)
            return state, np.nan if self.seed == 5 and self.at == 3 else reward, *rest

        def close(self):
            closed.append(self.seed)

    found = returns(Unpaid, Fragile.task, lambda states: np.ones((len(states), 1)), [0, 3, 5])
    assert found.tolist() == [21, 0, 3]
    assert sorted(closed) == [0, 3, 5]
    # What was opened is closed where nothing comes of it, too.
    with pytest.raises(DataError, match="no episode can be begun"):
        returns(Unpaid, Fragile.task, None, [3])
    assert len(closed) == 4


def test_an_environment_that_never_begins_has_no_return_and_is_told_once():
    class Dead(Fragile):
        def reset(self, *, seed=None, options=None):
            raise RuntimeError("the motor is off")

    with pytest.raises(DataError, match="no episode can be begun; RuntimeError: the motor is off"):
        returns(Dead, Fragile.task, None, [1, 2])
    with pytest.raises(DataError, match=r"nothing was gathered; random .*the motor is off and 199 more") as told:
        at_random(Dead, Fragile.task, 200, seed=0)
    assert len(str(told.value)) < 200
    # One that begins sometimes goes on with those.
    assert returns(Fragile, Fragile.task, lambda states: np.ones((len(states), 1)), [0, 3]).tolist() == [21, 0]
    safe = SafeEnvironment(Dead(), Fragile.task, Scale(np.zeros(1), np.ones(1)), [1, 2])
    with pytest.raises(DataError, match="no episode can be begun"):
        safe.reset()


def test_actions_that_are_no_numbers_are_the_policys_fault():
    for said, message in (
        (lambda states: np.full((len(states), 1), np.nan), "NaN"),
        (lambda states: np.zeros(7), r"\(7,\)"),
    ):
        with pytest.raises(ContractError, match=f"the policy says .*{message}"):
            returns(Fragile, Fragile.task, said, [0])
        with pytest.raises(ContractError, match=f"the policy says .*{message}"):
            gather(Fragile(), Fragile.task, said, 5, seeds=[0], rng=np.random.default_rng(0))
    for wrong in ({"steps": 0}, {"steps": 5, "hold": 0}, {"steps": 5, "seed": -1}):
        with pytest.raises(StudyError, match="expected 1 or more"):
            at_random(Fragile, Fragile.task, **{"seed": 0} | wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": ()}, "one unit"),
        ({"angles": (("x", "sine"),)}, "angles name 'sine'"),
        ({"dt_s": 0.0}, "steps of 0.0 s"),
        ({"bounds": ((0.0, 1.0), (0.0, 1.0))}, "2 bounds for 1 states"),
        ({"bounds": ((1.0, 0.0),)}, "'x' is bounded from 1.0 to 0.0"),
        ({"dt_s": float("inf")}, "steps of inf s"),
        ({"limit": 0.0}, "limit is 0.0"),
        ({"limit": float("nan")}, "limit is nan"),
        ({"states": ("u",)}, "'u' stands twice"),
        ({"actions": (), "action_units": ()}, "a state and an action"),
        ({"angles": (("x", "x"),)}, "pairs of two states"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(change, message):
    with pytest.raises(StudyError, match=message):
        Task(
            **(
                {
                    "name": "t",
                    "states": ("x",),
                    "units": ("m",),
                    "actions": ("u",),
                    "action_units": ("N",),
                    "dt_s": 0.1,
                    "steps": 5,
                }
                | change
            )
        )


def test_what_is_paid_is_what_the_systems_say():
    pendulum, cartpole = (SYSTEMS[name]() for name in ("pendulum", "cartpole"))
    # Upright at rest; hanging at 2 rad/s with half of the motor.
    states = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 2.0]])
    assert pendulum.reward(states, np.array([[0.0], [0.5]])) == pytest.approx([1.0, -0.005 * 4 - 0.005 * 0.25])
    # Upright 2 m beside the middle; level, with all of the motor.
    states = np.array([[2.0, 1.0, 0.0, 3.0, 4.0], [0.0, 0.0, 1.0, 0.0, 0.0]])
    assert cartpole.reward(states, np.array([[0.0], [1.0]])) == pytest.approx([1 - 0.02 * 4, 0.5 - 0.005])


@pytest.mark.parametrize(("name", "off"), [("pendulum", 0.3), ("cartpole", 0.1)])
def test_episodes_begin_hanging_and_nearly_at_rest(name, off):
    system = SYSTEMS[name]()
    inner = system.begin(np.random.default_rng(0), 2000)
    hanging = [np.pi, 0] if name == "pendulum" else [0, np.pi, 0, 0]
    assert inner.mean(0) == pytest.approx(hanging, abs=0.03)
    assert np.abs(inner - hanging).max(0) == pytest.approx([off] * len(hanging), abs=0.01)
    assert system.seen(inner)[:, system.task.states.index("cos")].max() < -0.9
    assert system.seen(system.inner_of(system.seen(inner))) == pytest.approx(system.seen(inner))


def test_a_state_beyond_its_bounds_is_said():
    system = SYSTEMS["cartpole"]()
    fast, slow = [2.9, -1.0, 0.0, 10.0, 0.0], [2.9, -1.0, 0.0, 0.0, 0.0]
    left_side = [-2.9, -1.0, 0.0, -10.0, 0.0]
    assert system.step(np.array([fast, slow, left_side]), np.zeros((3, 1)))[2].tolist() == [True, False, True]


def test_a_task_without_bounds_has_infinite_ones_for_each_state():
    task = Task("t", ("x", "y"), ("m", "m"), ("u",), ("N",), dt_s=0.1, steps=1)
    assert task.low.tolist() == [-np.inf, -np.inf]
    assert task.high.tolist() == [np.inf, np.inf]


def test_random_actions_are_held_and_those_of_a_policy_are_shaken():
    found = gather(Fragile(), Fragile.task, None, 6, seeds=[0], rng=np.random.default_rng(0), hold=3)
    actions = found.transitions.actions[:, 0]
    assert [len(set(actions[:3])), len(set(actions[3:])), len(set(actions))] == [1, 1, 2]
    drawn = [
        gather(
            Fragile(), Fragile.task, lambda states: np.full((len(states), 1), 0.2), 6 * 200,
            seeds=range(4, 204), rng=np.random.default_rng(0), noise=noise,
        ).transitions.actions
        for noise in (0.0, 0.1)
    ]  # fmt: skip
    assert (drawn[0] == 0.2).all()
    assert (drawn[1].mean(), drawn[1].std()) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.1, abs=0.01))


@pytest.mark.parametrize("ends", [(True, False), (False, True)])
def test_an_episode_ends_when_the_environment_says_so_and_actions_are_new_at_each_step(ends):
    class Short(Fragile):
        def step(self, action):
            state, reward, _, _, told = super().step(action)
            return state, reward, *(one and self.at == 2 for one in ends), told

    found = gather(Short(), Fragile.task, None, 4, seeds=[4, 5, 6], rng=np.random.default_rng(0)).transitions
    assert found.episodes.tolist() == ["episode 4"] * 2 + ["episode 5"] * 2
    assert len(set(found.actions[:, 0])) == 4
    calm = gather(Short(), Fragile.task, lambda states: states * 0 + 0.5, 2, seeds=[4], rng=np.random.default_rng(0))
    assert (calm.transitions.actions == 0.5).all()
