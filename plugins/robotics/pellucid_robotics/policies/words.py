"""The words that cards may use: a taxonomy of robot policies, kinds of intermediates, action heads and metrics.

The taxonomy is that of surveys of policies on large vision-language models; policies on no such model are sorted in by the same
definitions.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Level1 = Literal["monolithic", "hierarchical"]
Level2 = Literal["single-system", "dual-system-cascade", "dual-system-parallel", "planner-only", "planner-policy"]
Tag = Literal["rl-tuned", "training-free", "human-video", "world-model"]
IntermediateKind = Literal["sub-task", "keypoint", "program", "affordance", "trace", "goal-image", "box"]
ActionHead = Literal["ar_token", "diffusion", "flow", "regression", "program", "hybrid"]
Metric = Literal["success_rate", "average_length", "target_coverage"]

LEVELS: dict[Level1, tuple[Level2, ...]] = {
    "monolithic": ("single-system", "dual-system-cascade", "dual-system-parallel"),
    "hierarchical": ("planner-only", "planner-policy"),
}
"""Which second levels a first level has, in the order of tables."""

MEANINGS: dict[str, str] = {
    "single-system": "one network from observation and instruction to action",
    "dual-system-cascade": "a slow model's latent or plan feeds a fast policy",
    "dual-system-parallel": "a large model and an action expert side by side, with shared attention or features",
    "planner-only": "a large model emits a program or calls of given skills",
    "planner-policy": "a readable intermediate is handed to a learnt policy",
    "rl-tuned": "trained further by reinforcement",
    "training-free": "nothing is trained",
    "human-video": "learns from videos of people",
    "world-model": "predicts what will be seen",
}
"""What the words of the taxonomy mean."""


class Scale(NamedTuple):
    """What a metric's values can be."""

    low: float
    high: float
    of_trials: bool
    """Whether it is a share of trials that each succeed or not, so that it has an interval by their number alone."""
    about: str


METRICS: dict[Metric, Scale] = {
    "success_rate": Scale(0, 1, True, "share of episodes that succeed"),
    "average_length": Scale(0, 5, False, "sub-tasks done in a row, of five"),
    "target_coverage": Scale(
        0, 1, False, "greatest share of the target that is covered in an episode; no success rate"
    ),
}
"""Metrics of results."""

AVERAGE = "average"
"""The suite of a row that is a mean over suites, which it names."""
