"""The assessment of maps on encoders whose codes are known: those of true places, of what is seen, and of nothing."""

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import NotMeasurable
from pellucid.protocols.base import Context
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.result import NotMeasured
from pellucid.testing.folds import fitted
from pellucid_robotics.maps.cognitive_map import CognitiveMap
from pellucid_robotics.maps.mazes import room
from pellucid_robotics.maps.planning import MapPlanning, MapPlanningConfig
from pellucid_robotics.maps.problems import Problem, planned, problems, walked_again, wandered
from pellucid_robotics.maps.walks import NEXT, AliasedRoom, AliasedRoomConfig

DATA = AliasedRoom(AliasedRoomConfig(walks=240, steps=60, room_seed=2))
SPLIT = Split(0, np.arange(160), np.arange(160, 170), np.arange(170, 240))


class Told(Encoder):
    """Gives each step the code that a function has for it; what is forecast is what the maze has there."""

    tags = EncoderTags(accepts=("trajectory",), gives_codes=True)
    config_type = EncoderConfig
    config: EncoderConfig
    sets = ("",)

    def __init__(self, tell, size):
        super().__init__()
        self.config = EncoderConfig(inputs={"walk": DATA.spec.input("walk")})
        self.tell, self.size = tell, size

    @property
    def names(self):
        return ("nothing",)

    @property
    def token_shapes(self):
        return {name: TokenShape(count=60, width=1, codebook=self.size) for name in self.sets}

    def forward(self, batch):
        codes = torch.from_numpy(np.stack([self.tell(name) for name in batch.samples]))
        places = self.config.inputs["walk"].regions([[(at, at + 1) for at in range(60)]])
        parts = {"": codes} if len(self.sets) == 1 else {"1": codes // 6, "2": codes % 6}
        tokens = {name: Tokens(one[..., None].float(), places, one, input="walk") for name, one in parts.items()}
        return Representation(torch.zeros(len(batch), 1), self.names, tokens)


class ToldInTwo(Told):
    sets = ("1", "2")


def true_place(name):
    return DATA.walked(name)


def duplicated(name):
    rng = np.random.default_rng(int(name.split()[1]))
    return 2 * DATA.walked(name) + rng.integers(0, 2, 60)


def seen(name):
    return DATA.maze.seen[DATA.walked(name)]


def lot(name):
    return np.random.default_rng(int(name.split()[1])).integers(0, 30, 60)


def measured(encoder, **options):
    study = {
        "encoder": [{"input": "walk", "name": "identity"}],
        "head": [{"name": "linear"}],
        "training": {"epochs": 1},
    }
    fold, context = fitted(study, DATA, NEXT, made={"walk": encoder}, split=SPLIT)
    protocol = MapPlanning(MapPlanningConfig(**options))
    rows = protocol.examine(fold)
    return {one.metric: one for one in protocol.conclude(rows.assign(fold=0), context)}, rows, (protocol, fold, context)


@pytest.mark.parametrize(
    "encoder", [Told(true_place, 30), Told(duplicated, 60), ToldInTwo(true_place, 6)], ids=["places", "two codes a place", "two sets"]
)  # fmt: skip
def test_codes_of_true_places_find_every_way_and_are_the_maze(encoder):
    found, rows, _ = measured(encoder)
    assert found["planning_success"].value == found["path_ratio"].value == found["code_purity"].value == 1
    assert found["next_observation_on_map"].value == found["true_edges"].value == found["found_edges"].value == 1
    assert found["map_edit_distance"].value == 0
    assert rows["ways"].sum() == 2 * 70 == len(rows) * 2
    # Neither by lot nor by what is seen alone; and walks themselves are detours.
    assert found["planning_success"].chance < 0.6 > found["planning_success"].baseline
    assert found["path_ratio"].baseline > 1.3
    # Of these walks more than half show a shortest way themselves.
    assert found["better_than_walk"].value > 0.4 > 0.1 > found["better_than_walk"].baseline
    # No model that forecasts, no figure of it.
    assert "next_observation" not in found


def test_codes_of_what_is_seen_are_as_good_as_the_baseline_and_no_better():
    found, _, _ = measured(Told(seen, 4))
    for metric in (
        "planning_success",
        "better_than_walk",
        "code_purity",
        "map_edit_distance",
        "true_edges",
        "found_edges",
    ):
        assert found[metric].value == pytest.approx(found[metric].baseline), metric


def test_codes_by_lot_are_no_map():
    found, _, _ = measured(Told(lot, 30))
    assert found["code_purity"].value < 0.1
    assert found["planning_success"].value < 0.1
    assert found["map_edit_distance"].value > 0.8


def test_a_code_that_no_training_walk_has_leads_nowhere():
    def strange(name):
        return DATA.walked(name) + (30 if int(name.split()[1]) >= 170 else 0)

    found, _, _ = measured(Told(strange, 60))
    assert found["planning_success"].value == found["code_purity"].value == 0
    assert isinstance(found["path_ratio"], NotMeasured)


def test_purity_and_map_are_learnt_from_training_walks_alone():
    """Codes that are true on the test side and by lot on the training side are of no use."""

    def half(name):
        return DATA.walked(name) if int(name.split()[1]) >= 170 else lot(name)

    found, _, _ = measured(Told(half, 30))
    assert found["code_purity"].value < 0.15
    assert found["planning_success"].value < 0.15


def test_results_come_from_the_rows_of_a_run_folder_and_the_figure_shows_both():
    found, rows, (protocol, _, context) = measured(Told(true_place, 30), prefix=10, each=1)
    again = {one.metric: one for one in protocol.conclude(rows.assign(fold=0), context)}
    assert again == found
    figures = protocol.figures(rows.assign(fold=0), context)
    ((caption, figure),) = figures.items()
    assert "first fold" in caption
    left, right = figure.axes
    assert left.get_title() == "the maze"
    assert right.get_title() == "the map: 30 nodes"
    marks = [sum(len(one.get_offsets()) for one in ax.collections) for ax in (left, right)]
    assert marks == [30, 30]


def test_walks_that_are_too_short_and_data_without_a_maze_are_said():
    _, _, (_, fold, context) = measured(Told(true_place, 30))
    with pytest.raises(NotMeasurable, match="walks of 60 steps are too short where 59 are not counted"):
        MapPlanning(MapPlanningConfig(prefix=59)).examine(fold)
    assert not MapPlanning().unfit(context)
    # Before anything is fitted: the settings alone say it.
    assert "walks of 60 steps are too short where 59" in MapPlanning(MapPlanningConfig(prefix=59)).unfit(context)
    plain = Context(context.spec, NEXT, context.parts, "", 0, {"walk": EncoderTags(accepts=("trajectory",))}, ("walk",))
    assert "no encoder of this study gives codes" in MapPlanning().unfit(plain)
    other = Context(context.spec, NEXT, context.parts, "", 0, context.encoders, ("place",))
    assert "trajectory of symbols" in MapPlanning().unfit(other)


def test_a_model_of_a_plain_trajectory_has_no_map():
    import dataclasses

    from pellucid.data.arrays import ArrayDataset

    _, _, (protocol, fold, _) = measured(Told(true_place, 30))
    whole = DATA.read(np.arange(len(DATA)))
    bare = ArrayDataset(DATA.spec, DATA.frame, whole.inputs)
    with pytest.raises(NotMeasurable, match="does not know in which maze"):
        protocol.examine(dataclasses.replace(fold, dataset=bare))


def test_a_plan_that_bumps_into_a_wall_or_ends_elsewhere_does_not_arrive():
    maze = room(2, 3, 2, (0, 0), np.random.default_rng(0))
    places = np.array([[0, 1, 2, 5, 4, 3]])
    one = Problem(0, 0, 2)
    right, up = 3, 0
    for edges, arrives in (([[0, right, 1], [1, right, 2]], True), ([[0, up, 2]], False), ([[0, right, 2]], False)):
        found = CognitiveMap(np.array(edges), np.ones(len(edges), int), np.zeros(6, int), np.arange(6))
        assert planned(found, places, one, places, maze).arrived is arrives
    # The map takes start and goal for one place, and asks for no move.
    merged = CognitiveMap(np.array([[0, right, 1]]), np.ones(1, int), np.zeros(6, int), np.array([0, 1, 0, 3, 4, 5]))
    outcome = planned(merged, places, one, places, maze)
    assert (outcome.arrived, outcome.moves) == (False, 0)


def test_the_walk_is_walked_again_by_its_shortest_part_and_in_full_where_that_goes_astray():
    maze = room(2, 3, 2, (0, 0), np.random.default_rng(0))
    places = np.array([[0, 1, 0, 1, 2, 5]])
    done = np.array([[3, 2, 3, 3, 1, 0]])
    found = CognitiveMap(np.zeros((0, 3), int), np.zeros(0, int), np.zeros(6, int), np.arange(6))
    assert walked_again(found, places, done, Problem(0, 0, 4), places, maze).moves == 2
    # The codes of steps 2 and 4 are said to be those of 1 and 5: what joins them leads elsewhere from the start.
    codes = np.array([[0, 0, 3, 1, 2, 2]])
    assert walked_again(found, codes, done, Problem(0, 0, 5), places, maze).moves == 5


def test_problems_lie_behind_the_prefix_and_lead_somewhere_else():
    places = np.stack([DATA.walked(f"walk {at}") for at in range(30)])
    some = problems(places, 20, 3, np.random.default_rng(0))
    assert len(some) == 90
    for one in some:
        assert 20 <= one.start < one.goal
        assert places[one.walk, one.start] != places[one.walk, one.goal]
    assert problems(np.zeros((2, 30), int), 20, 3, np.random.default_rng(0)) == []
    near = Problem(0, 20, 21)
    arrived = [wandered(near, 1, places, DATA.maze, np.random.default_rng(at)) for at in range(200)]
    assert 0.1 < np.mean([one.arrived for one in arrived]) < 0.6
    assert {one.moves for one in arrived} == {1}


def test_rows_survive_a_table(tmp_path):
    _, rows, (protocol, _, context) = measured(Told(duplicated, 60))
    rows.assign(fold=0).to_parquet(tmp_path / "rows.parquet")
    kept = pd.read_parquet(tmp_path / "rows.parquet")
    assert [one.value for one in protocol.conclude(kept, context)] == [
        one.value for one in protocol.conclude(rows.assign(fold=0), context)
    ]


def test_what_reads_codes_elsewhere_reads_those_of_walks():
    from pellucid.protocols.codes.audit import CodesAudit
    from pellucid_robotics.maps.example import mapped_fold

    fold, context = mapped_fold()
    protocol = CodesAudit()
    assert not protocol.unfit(context)
    rows = protocol.examine(fold)
    found = {one.metric: one for one in protocol.conclude(rows.assign(fold=0), context)}
    uses = np.array(rows["uses"].tolist())
    # Every step of the test walks has one of 16 codes.
    assert uses.shape == (len(fold.split.test), 16)
    assert (uses.sum(1) == 30).all()
    assert found["usage"].value == (uses.sum(0) > 0).mean() > 0.1
