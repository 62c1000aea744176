"""What a map says of a model, with intervals over walks where there can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.protocols.audited import AuditedRows, told
from pellucid.result import NotMeasured, Result
from pellucid.statistics.bootstrap import Interval, Statistic

MARKOV, AGAIN = "each observation taken for a place", "walking a part of the walk again"
USUAL = "the most frequent next observation after what is seen and done"


@dataclass(frozen=True)
class MapConclusions(AuditedRows):
    """Results of one part from the rows of :class:`~pellucid_robotics.maps.planning.MapPlanning`."""

    protocol: ClassVar[str] = "map-planning"

    def results(self) -> Iterator[Result | NotMeasured]:
        """Ways first, then what comes next, then codes and the map itself."""
        ways = self.column("ways")
        if ways.sum():
            yield from self._ways(int(ways.sum()))
        else:
            yield NotMeasured(
                protocol=self.protocol, part=self.part, metric="planning_success",
                because="no test walk was at two places behind its first steps", helps="ask for longer walks",
            )  # fmt: skip
        for metric, who, what in (
            ("next_observation", "model", "The model foretells"),
            ("next_observation_on_map", "map", "The map alone foretells"),
        ):
            if self.has(f"seen:{who}"):
                found, usual = self.interval(self.mean_of(f"seen:{who}")), self.value(self.mean_of("seen:markov"))
                yield self.result(
                    metric, found, higher=True, chance=self.value(self.mean_of("seen:common")), baseline=usual, baseline_name=USUAL,
                    sentence=f"{what} {found.value:.1%} of what is seen next; what is usual behind what is seen and done, {usual:.1%}.",
                )  # fmt: skip
        found, seen = self.interval(self.mean_of("pure:model")), self.value(self.mean_of("pure:markov"))
        yield self.result(
            "code_purity", found, higher=True, chance=self.value(self.mean_of("pure:common")), baseline=seen, baseline_name=MARKOV,
            sentence=f"{found.value:.1%} of the steps are at the place that their code stands for, {seen:.1%} at that of what is seen.",
        )  # fmt: skip
        yield from self._maps()

    def _ways(self, count: int) -> Iterator[Result | NotMeasured]:
        found, by_sight, by_lot = (
            self.interval(self._sum(f"arrived:{who}", "ways")) for who in ("map", "markov", "wandering")
        )
        yield self.result(
            "planning_success", found, higher=True, chance=by_lot.value, baseline=by_sight.value, baseline_name=MARKOV,
            sentence=f"Of {count} ways planned in unseen {self.context.several}, {found.value:.1%} lead to their goal, each tried once; "
            f"a walk by lot with as many moves as the {self.context.one} took passes it in {by_lot.value:.1%}.",
        )  # fmt: skip
        if not self.column("arrived:map").sum():
            yield NotMeasured(
                protocol=self.protocol, part=self.part, metric="path_ratio", because="no planned way leads to its goal",
                helps="train longer, or on more walks",
            )  # fmt: skip
        else:
            found, again, by_lot = (
                self.interval(self._sum(f"ratio:{who}", "arrived:map")) for who in ("map", "walk", "wandering")
            )
            yield self.result(
                "path_ratio", found, higher=False, chance=by_lot.value, baseline=again.value, baseline_name=AGAIN,
                sentence=f"Ways that arrive have {found.value:.3f} times the fewest moves, what was walked {again.value:.2f} times.",
            )  # fmt: skip
        found, by_sight, by_lot = (
            self.interval(self._sum(f"better:{who}", "ways")) for who in ("map", "markov", "wandering")
        )
        yield self.result(
            "better_than_walk", found, higher=True, chance=by_lot.value, baseline=by_sight.value, baseline_name=MARKOV,
            sentence=f"{found.value:.1%} of the ways arrive in fewer moves than the {self.context.one} itself shows.",
        )  # fmt: skip

    def _maps(self) -> Iterator[Result]:
        maps = told(self.rows, "maps")

        def mean(name: str, who: str = "map") -> float:
            return float(np.mean([one[who][name] for one in maps]))

        nodes, edges, places = mean("nodes"), mean("edges"), float(np.mean([one["places"] for one in maps]))
        every = float(np.mean([one["places"] ** 2 * one["actions"] for one in maps]))
        true = float(np.mean([one["edges"] for one in maps]))
        for metric, name, higher, chance in (
            ("map_edit_distance", "edit_distance", False, 1.0),
            ("true_edges", "true_edges", True, true / every),
            ("found_edges", "found_edges", True, min(1.0, edges / every)),
        ):
            value, by_sight = mean(name), mean(name, "markov")
            said = {
                "map_edit_distance": f"The map has {nodes:.0f} nodes and {edges:.0f} edges for {places:.0f} places and {true:.0f} moves; "
                f"{value:.1%} of all these would have to be changed to make one of the other.",
                "true_edges": f"{value:.1%} of what the map says of moves is so.",
                "found_edges": f"{value:.1%} of the possible moves are on the map.",
            }[metric]
            yield self.result(
                metric,
                Interval.fixed(value),
                higher=higher,
                chance=chance,
                baseline=by_sight,
                baseline_name=MARKOV,
                sentence=said,
            )

    def _sum(self, above: str, below: str) -> Statistic:
        upper, lower = self.column(above), self.column(below)

        def statistic(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray((weights @ upper) / (weights @ lower))

        return statistic
