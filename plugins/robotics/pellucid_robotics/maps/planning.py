"""The assessment ``map-planning``: a map from codes of training walks, by which ways are found in unseen ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pellucid.data.dataset import Dataset
from pellucid.data.spec import Trajectory
from pellucid.errors import NotMeasurable
from pellucid.fingerprint import hexadecimal
from pellucid.part import Config
from pellucid.protocols.audited import told_once
from pellucid.protocols.base import Assessment, Context, FittedFold, joined, rows_of
from pellucid.protocols.said import MetricWords, Section
from pellucid.result import NotMeasured, Result
from pellucid.seeds import seed_of
from pellucid.statistics.bootstrap import REPLICATES
from pellucid_robotics.maps.agreement import edit_distance, places_of, true_edges
from pellucid_robotics.maps.coded_walks import CodedWalks, coded_walks, codes_of
from pellucid_robotics.maps.cognitive_map import CognitiveMap, MapSettings, extract
from pellucid_robotics.maps.conclusions import MapConclusions
from pellucid_robotics.maps.figures import drawing, drawn
from pellucid_robotics.maps.mazes import KnowsMaze, Maze, Whole
from pellucid_robotics.maps.problems import planned, problems, walked_again, wandered

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class MapPlanningConfig(Config, MapSettings):
    """Settings of :class:`MapPlanning`.

    Parameters
    ----------
    prefix, least, share, tolerance
        How the map is read; see :class:`~pellucid_robotics.maps.cognitive_map.MapSettings`.
    each : int
        Ways to find, for each test walk.
    replicates : int
        Resamplings of walks behind each interval.
    """

    each: int = Field(2, ge=1, le=1000)
    replicates: int = Field(REPLICATES, ge=100)


class MapPlanning(Assessment):
    """Whether codes of walks are a map: it is read from training walks, and ways are found by it in walks that nobody has seen.

    - ``planning_success``: from where a test walk was at one step to where it was at a later one. The encoder says the codes of both
      steps, the map the shortest way between them, and the maze whether every action is possible and where the last one leads. A way
      that fails is not tried again.
    - ``path_ratio``: moves of the ways that arrive, over the fewest that would do.
    - ``better_than_walk``: the share of all ways that arrive in fewer moves than the walk itself shows: the shortest part of it that
      led from one node to the other, or where that goes astray the part in between.
    - ``next_observation``: whether what the encoder takes for likeliest is seen next; ``next_observation_on_map``: the same of the node
      behind the action, by the map alone.
    - ``code_purity``: the share of test steps that were at the place where their code mostly was on the training walks.
    - ``map_edit_distance``: of nodes and edges, how many are to be taken away or added until the map is the maze, over all there are of
      both; a bound from above (:func:`~pellucid_robotics.maps.agreement.edit_distance`). ``true_edges`` and ``found_edges``: of the
      map's edges those that are moves of the maze, and of these those that the map has.

    All steps are those behind ``prefix``. Chance is a walk by lot with as many moves as the test walk took, for steps the commonest
    observation or place, for a map drawn edges. The baseline takes each observation for a place: the same map, read from what is seen.

    Models that share an encoder are measured once.

    References
    ----------
    Dedieu et al. (2024), arXiv 2401.05946, read at second hand. Deviations: purity is that on unseen walks; the edit distance is a bound.
    """

    name: ClassVar[str] = "map-planning"
    about: ClassVar[Any] = "any"
    needs_training: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, MetricWords]] = {
        "planning_success": MetricWords("Ways found", "share of planned ways that lead to their goal; 1 is best"),
        "path_ratio": MetricWords("Detours", "moves of ways that arrive, over the fewest; 1 is best"),
        "better_than_walk": MetricWords("Shorter than walked", "share of ways that need fewer moves than the walk itself shows"),
        "next_observation": MetricWords("Next observation", "share that the model foretells; 1 is best"),
        "next_observation_on_map": MetricWords("Next observation, by the map", "the same of the map alone; 1 is best"),
        "code_purity": MetricWords("Places of codes", "share of steps at the place that their code stands for; 1 is best"),
        "map_edit_distance": MetricWords("Map and maze", "share of nodes and edges to change until they are one; 0 is best"),
        "true_edges": MetricWords("True edges", "share of the map's edges that the maze has; 1 is best"),
        "found_edges": MetricWords("Found edges", "share of the maze's moves that the map has; 1 is best"),
    }  # fmt: skip
    section: ClassVar[Section | None] = Section(
        "map",
        "Whether codes are a map",
        "A model may foretell what comes next and still not know one place from another. A map that is read from its codes shows whether "
        "it does: ways are planned on it, and walked in the true maze.",
    )
    config_type = MapPlanningConfig
    config: MapPlanningConfig

    @classmethod
    def example_fold(cls) -> tuple[FittedFold, Context]:
        """A small fold to try it on."""
        from pellucid_robotics.maps.example import mapped_fold

        return mapped_fold()

    def unfit(self, context: Context) -> str:
        """An encoder must give codes of a trajectory whose names have levels."""
        if context.encoders is not None and not any(tags.gives_codes for tags in context.encoders.values()):
            return "no encoder of this study gives codes; add vq-bottleneck"
        walks = [one for one in context.inputs.values() if isinstance(one, Trajectory) and one.levels]
        if not walks:
            return "no encoder of this study reads a trajectory of symbols (levels)"
        return self._too_short(max(one.length for one in walks))

    def examine(self, fold: FittedFold) -> pd.DataFrame:
        """One row a part and test walk.

        Returns
        -------
        DataFrame
            ``part``, ``sample``, ``subject``; shares of steps ``seen:<who>`` and ``pure:<who>``; of its ways ``ways``, and sums
            ``arrived:<who>``, ``better:<who>``, ``ratio:<who>``. Told once of a part and fold: ``maps``, how maps agree with the maze, and
            ``drawing``.

        Raises
        ------
        NotMeasurable
            If no encoder gives a code for each step, the dataset does not know its maze, or walks are too short.
        """
        found, measured = [], set()
        for part, model in fold.models.items():
            samples = fold.test(part)
            for prefix, encoder in codes_of(model):
                if (mark := hexadecimal([(prefix, encoder)])) not in measured:
                    measured.add(mark)
                    found.append(self._rows(part, samples, *coded_walks(encoder, fold.train, samples), fold))
        if not found:
            raise NotMeasurable("no part reads an encoder that gives a code for each step of one state and one action")
        return joined(found)

    def _rows(self, part: str, samples: Dataset, train: CodedWalks, test: CodedWalks, fold: FittedFold) -> pd.DataFrame:
        config = self.config
        if because := self._too_short(test.seen.shape[1]):
            raise NotMeasurable(because)
        knows = samples.ability(KnowsMaze)  # type: ignore[type-abstract]
        assert knows is not None
        maze = knows.maze
        maps = {
            "map": extract(train.codes, train.seen, train.done, config),
            "markov": extract(train.seen, train.seen, train.done, config),
        }
        columns = self._steps(train, test, maps["map"])
        ways, told = self._ways(test, maps, maze, seed_of(fold.seed, part, fold.split.fold, "ways"))
        cut = train.places[:, config.prefix :]
        facts: dict[str, Any] = {"places": len(maze), "edges": len(maze.edges), "actions": maze.moves.shape[1]}
        for name, codes in (("map", train.codes), ("markov", train.seen)):
            nodes = maps[name].nodes(codes)[:, config.prefix :]
            places, often = places_of(nodes, cut, len(maps[name]))
            right, all_found = true_edges(maps[name], places, maze)
            facts[name] = {
                "nodes": len(maps[name]),
                "edges": len(maps[name].edges),
                "edit_distance": edit_distance(maps[name], places, often, maze),
                "true_edges": right,
                "found_edges": all_found,
            }
            if name == "map":
                picture = drawing(maps[name], nodes, cut, maze, told)
        return told_once(rows_of(part, samples, columns | ways), {"maps": facts, "drawing": picture})

    def _too_short(self, steps: int) -> str:
        """Why walks of so many steps have none left behind the prefix, or an empty string."""
        if steps >= self.config.prefix + 2:
            return ""
        return (
            f"walks of {steps} steps are too short where {self.config.prefix} are not counted: "
            "ask for longer walks, or for a shorter prefix"
        )

    def _steps(self, train: CodedWalks, test: CodedWalks, found: CognitiveMap) -> dict[str, np.ndarray]:
        """Shares of the steps of each walk."""
        prefix = self.config.prefix
        cut = slice(prefix, -1)
        truth, here, done = test.seen[:, prefix + 1 :], test.seen[:, cut], test.done[:, cut]
        nodes = found.nodes(test.codes)[:, cut]
        on_map = np.array(
            [[found.expected(*one) for one in zip(*row, strict=True)] for row in zip(nodes, done, strict=True)]
        )
        usual = _most_frequent(train.seen[:, cut], train.done[:, cut], train.seen[:, prefix + 1 :])
        said = {
            "map": on_map,
            "markov": usual[here, done],
            "common": np.full(truth.shape, np.bincount(train.seen[train.seen >= 0]).argmax()),
        }
        if test.forecast is not None:
            said["model"] = test.forecast[:, cut]
        known = (truth >= 0) & (here >= 0) & (done >= 0)
        columns = {f"seen:{who}": _share(one == truth, known) for who, one in said.items()}
        for who, (learnt, judged) in {
            "model": (train.codes, test.codes),
            "markov": (train.seen, test.seen),
            "common": (np.zeros_like(train.seen), np.zeros_like(test.seen)),
        }.items():
            size = 1 + int(max(learnt.max(), judged.max(), 0))
            places, _ = places_of(learnt[:, prefix:], train.places[:, prefix:], size)
            own = judged[:, prefix:]
            right = np.where(own >= 0, places[own], -1) == test.places[:, prefix:]
            columns[f"pure:{who}"] = right.mean(1)
        return columns

    def _ways(
        self, test: CodedWalks, maps: Mapping[str, CognitiveMap], maze: Maze, seed: int
    ) -> tuple[dict[str, np.ndarray], list[Any]]:
        """Sums over the ways of each walk, and the way to draw: the farthest of those that arrive, as places."""
        rng = np.random.default_rng(seed)
        names = [
            f"{what}:{who}" for what in ("arrived", "better", "ratio") for who in ("map", "markov", "wandering", "walk")
        ]
        sums = {name: np.zeros(len(test.seen)) for name in ("ways", *names)}
        farthest, path = 0.0, list[int]()
        for one in problems(test.places, self.config.prefix, self.config.each, rng):
            start, goal = (int(test.places[one.walk, step]) for step in (one.start, one.goal))
            least = float(maze.distances[start, goal])
            outcomes = {
                "map": planned(maps["map"], test.codes, one, test.places, maze),
                "markov": planned(maps["markov"], test.seen, one, test.places, maze),
                "walk": walked_again(maps["map"], test.codes, test.done, one, test.places, maze),
                "wandering": wandered(one, one.goal - one.start, test.places, maze, rng),
            }
            sums["ways"][one.walk] += 1
            for who, outcome in outcomes.items():
                sums[f"arrived:{who}"][one.walk] += outcome.arrived
                sums[f"better:{who}"][one.walk] += outcome.arrived and outcome.moves < outcomes["walk"].moves
                # Of the same ways for all, so that lengths can be compared.
                if outcomes["map"].arrived:
                    sums[f"ratio:{who}"][one.walk] += outcome.moves / least
            if outcomes["map"].arrived and least > farthest:
                farthest, path = least, [start]
                for action in outcomes["map"].plan:
                    path.append(int(maze.moves[path[-1], action]))
        return sums, path

    def conclude(self, rows: pd.DataFrame, context: Context) -> Sequence[Result | NotMeasured]:
        """Every figure of every part with a map."""
        return [
            result
            for part, own in context.own_rows(rows)
            for result in MapConclusions(own, part, context, self.config.replicates).results()
        ]

    def figures(self, rows: pd.DataFrame, context: Context) -> Mapping[str, Figure]:
        """For each part, of its first fold: the map beside the maze, and a way."""
        return drawn(rows, context)


def _most_frequent(seen: Whole, done: Whole, after: Whole) -> Whole:
    """What is seen most often behind each observation and action, shape (observation + 1, action + 1); the last of each is unknown."""
    known = (seen >= 0) & (done >= 0) & (after >= 0)
    sizes = [1 + max(int(one.max(initial=0)), 0) for one in (seen, done, after)]
    table = np.zeros(sizes, np.int64)
    np.add.at(table, (seen[known], done[known], after[known]), 1)
    found = np.full((max(sizes[0], sizes[2]) + 1, sizes[1] + 1), int(np.bincount(after[after >= 0]).argmax()))
    found[: sizes[0], : sizes[1]] = np.where(table.any(2), table.argmax(2), found[0, 0])
    return found


def _share(right: np.ndarray, known: np.ndarray) -> np.ndarray:
    count = known.sum(1)
    return np.where(count > 0, (right & known).sum(1) / np.maximum(count, 1), np.nan)
