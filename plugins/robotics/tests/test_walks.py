"""Walks in mazes: what is true of the mazes, and that samples are walks in them."""

import numpy as np
import pytest

from pellucid.data.subset import Subset
from pellucid.errors import DataError, LeakageError
from pellucid_robotics.maps.mazes import KnowsMaze, cube, room
from pellucid_robotics.maps.minigrid import MinigridWalks, MinigridWalksConfig, explored
from pellucid_robotics.maps.walks import AliasedCube, AliasedCubeConfig, AliasedRoom, AliasedRoomConfig

SMALL = {
    AliasedRoom: AliasedRoomConfig(walks=20, steps=30),
    AliasedCube: AliasedCubeConfig(edge=2, observations=3, walks=20, steps=30),
    MinigridWalks: MinigridWalksConfig(environment="MiniGrid-SimpleCrossingS9N1-v0", walks=20, steps=30),
}


@pytest.mark.parametrize("made", SMALL, ids=lambda one: one.registered)
def test_every_step_is_a_move_of_the_maze_and_shows_what_is_seen_there(made):
    data = made(SMALL[made])
    maze = data.maze
    walks = data.read(np.arange(len(data)))
    seen, done = walks.inputs["walk"].astype(int).transpose(1, 0, 2)
    for at, name in enumerate(data.frame.index):
        places = data.walked(name)
        assert (maze.moves[places[:-1], done[at, :-1]] == places[1:]).all()
        assert (maze.seen[places] == seen[at]).all()
        after = maze.moves[places[-1], done[at, -1]]
        assert maze.seen[after] == data.frame["next"].iloc[at]
        assert np.allclose(walks.inputs["place"][at].T, maze.at[places])
    assert (maze.moves < len(maze)).all()


def test_a_walk_is_one_of_its_seed_and_known_in_another_draw():
    few, more = AliasedRoom(AliasedRoomConfig(walks=5, seed=3)), AliasedRoom(AliasedRoomConfig(walks=10))
    assert set(few.frame["walk"]) < set(more.frame["walk"])
    row = more.frame.index.get_loc("walk 4")
    assert np.array_equal(few[1].inputs["walk"], more[row].inputs["walk"])
    with pytest.raises(LeakageError):
        few.learned_from.refuse(more.learned_from, part="it")
    other = AliasedRoom(AliasedRoomConfig(walks=10, room_seed=1))
    assert not set(other.frame["walk"]) & set(more.frame["walk"])
    few.learned_from.refuse(other.learned_from, part="it")


def test_a_part_of_the_walks_knows_the_maze_and_its_own_walks():
    data = AliasedRoom(SMALL[AliasedRoom])
    part = data.subset(np.array([7, 2]))
    assert isinstance(part, Subset)
    knows = part.ability(KnowsMaze)
    assert knows is data
    assert np.array_equal(knows.walked(part.frame.index[0]), data.walked("walk 7"))


@pytest.mark.parametrize("seed", range(5))
def test_a_room_has_its_patch_twice_and_walls_all_around(seed):
    maze = room(5, 6, 20, (2, 2), np.random.default_rng(seed))
    look = maze.seen.reshape(5, 6)
    corners = [look[r : r + 2, c : c + 2].tobytes() for r in range(4) for c in range(5)]
    # Of twenty observations no patch of four stands twice by chance.
    assert len(corners) - len(set(corners)) >= 1
    # Each cell has as many moves as neighbours; what leads there leads back.
    assert (maze.moves >= 0).sum() == 2 * (5 * 5 + 4 * 6)
    for start, action, stop in maze.edges:
        assert maze.moves[stop, action ^ 1] == start
    assert maze.distances.max() == 4 + 5


def test_a_patch_that_does_not_fit_is_refused():
    with pytest.raises(DataError, match="does not fit twice"):
        AliasedRoom(AliasedRoomConfig(rows=3, columns=3, patch=(2, 3)))
    with pytest.raises(DataError, match="is none"):
        AliasedRoom(AliasedRoomConfig(patch=(0, 2)))
    assert len(AliasedRoom(AliasedRoomConfig(patch=(0, 0), walks=2)).maze) == 30


def test_on_a_cube_every_action_is_possible_everywhere_and_can_be_taken_back():
    maze = cube(3, 5, np.random.default_rng(0))
    assert len(maze) == 6 * 9 * 4
    assert len(np.unique(maze.cells)) == 54
    for action in range(4):
        assert (np.sort(maze.moves[:, action]) == np.arange(len(maze))).all()
        assert (maze.moves[maze.moves[:, action], action ^ 1] == np.arange(len(maze))).all()
    # Straight on for four edges one is back where one was, facing the same way.
    there = np.arange(len(maze))
    for _ in range(4 * 3):
        there = maze.moves[there, 0]
    assert (there == np.arange(len(maze))).all()
    # What is seen belongs to the cell.
    assert all(len(set(maze.seen[maze.cells == cell])) == 1 for cell in range(54))


def test_around_a_corner_of_a_cube_one_comes_back_facing_another_way():
    maze = cube(1, 5, np.random.default_rng(0))
    # One cell a face: three steps around a corner lead to the first cell again.
    place = 0
    around = next(
        plan for plan in ((a, b, c) for a in range(4) for b in range(4) for c in range(4))
        if maze.cells[maze.after(place, plan)] == maze.cells[place]
    )  # fmt: skip
    assert maze.after(place, around) != place


def test_mazes_of_minigrid_are_what_the_environment_does():
    import gymnasium

    name = "MiniGrid-SimpleCrossingS9N1-v0"
    maze = explored(name, 3, 5)
    environment = gymnasium.make(name).unwrapped
    environment.agent_view_size = 5
    environment.reset(seed=3)
    rng, place, sights = np.random.default_rng(0), 0, {}
    for _ in range(300):
        sight = environment.gen_obs()["image"].tobytes()
        assert sights.setdefault(int(maze.seen[place]), sight) == sight
        action = rng.choice(np.flatnonzero(maze.moves[place] >= 0))
        environment.step_count = 0
        _, _, ended, _, _ = environment.step(int(action))
        assert not ended
        place = int(maze.moves[place, action])
        at = (*environment.agent_pos, environment.agent_dir)
        assert tuple(np.floor(maze.at[place] + 0.5).astype(int)) == at[:2]
    assert len(set(sights.values())) == len(sights) > 10


def test_nobody_walks_where_an_episode_ends():
    import gymnasium

    name = "MiniGrid-LavaCrossingS9N1-v0"
    maze = explored(name, 1, 3)
    environment = gymnasium.make(name).unwrapped
    environment.reset(seed=1)
    walked = {tuple(np.floor(at + 0.5).astype(int)) for at in maze.at}
    kinds = {}
    for x in range(environment.width):
        for y in range(environment.height):
            cell = environment.grid.get(x, y)
            kinds.setdefault("floor" if cell is None else cell.type, set()).add((x, y))
    assert {"goal", "lava", "wall"} <= set(kinds)
    # The lava has one gap, so that all of the floor can be reached.
    assert walked == kinds["floor"]


def test_what_is_no_maze_is_refused():
    with pytest.raises(DataError, match="did you mean 'MiniGrid-FourRooms-v0'"):
        explored("MiniGrid-FourRoom-v0", 0, 3)
    with pytest.raises(DataError, match="changes while one walks"):
        explored("MiniGrid-Dynamic-Obstacles-5x5-v0", 0, 3)
    with pytest.raises(DataError, match="give an odd number"):
        MinigridWalks(MinigridWalksConfig(view=4))
    with pytest.raises(DataError, match="is made up and reads no file"):
        AliasedRoom(data="somewhere")
