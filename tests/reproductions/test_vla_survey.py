"""A survey of policies on large vision-language models: a list of policies that is typed, sourced and compared only like with like."""

import random

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid_robotics.policies.capabilities import capabilities
from pellucid_robotics.policies.cards import PolicyCard
from pellucid_robotics.policies.reading import policies
from pellucid_robotics.policies.registry import Registry
from pellucid_robotics.policies.results import ResultRow

pytestmark = pytest.mark.reproduction

ASKED = {
    "rt-2", "openvla-7b", "octo-base", "pi0", "rdt-1b", "diffusion-policy", "cogact-base", "hi-robot", "voxposer",
    "code-as-policies", "saycan", "rekep",
}  # fmt: skip

HIERARCHICAL = {
    "title": "Two steps", "about": "A point, then a motion to it.", "name": "two-steps", "year": 2024, "level1": "hierarchical",
    "level2": "planner-policy", "action_head": "regression", "recalled": ["year"],
    "intermediate": {"kind": ["keypoint"], "human_readable": True, "editable": True},
}  # fmt: skip


def without(card, *keys):
    return {key: value for key, value in card.items() if key not in keys}


def refused(card):
    with pytest.raises(DataError) as caught:
        Registry().register(card)
    return str(caught.value)


def test_the_policies_asked_for_are_there_and_every_result_says_where_it_is_from():
    cards = policies()
    assert {card.name for card in cards} >= ASKED
    for card in cards:
        assert card.sources or card.recalled
        for row in card.results:
            assert row.source in ("paper", "reproduced", "recalled") or row.source.startswith("paper:")
            assert row.source == "recalled" or row.read_in


def test_the_average_of_rdt_1b_is_as_published_and_its_trials_are_said_only_where_they_are_known():
    rows = {name: row for name, row in Registry.installed().compare("maniskill", "average")}
    assert rows["rdt-1b"].value == 0.536
    assert rows["rdt-1b"].source == "paper"
    assert rows["rdt-1b"].n_episodes is None
    assert rows["openvla-7b"].source == "paper:rdt-1b"
    pegs = dict(Registry.installed().compare("maniskill", "peg-insertion-side"))
    # 250 trials of each task: 33 of them.
    assert pegs["rdt-1b"].n_episodes == 250
    assert pegs["rdt-1b"].value * 250 == pytest.approx(33)


def test_illegal_cards_are_refused():
    assert "intermediate" in refused(without(HIERARCHICAL, "intermediate"))
    assert "action_space.1.unit" in refused(HIERARCHICAL | {"action_space": [{"name": "x", "unit": ""}]})
    assert "action_space.1.unit: is missing" in refused(HIERARCHICAL | {"action_space": [{"name": "x"}]})
    row = {
        "benchmark": "libero",
        "suite": "long",
        "split": "standard",
        "metric": "success_rate",
        "recipe": "r",
        "source": "recalled",
    }
    assert "lies from 0 to 1, and 1.3 does not" in refused(HIERARCHICAL | {"results": [row | {"value": 1.3}]})
    assert "action_tokenizer" in refused(HIERARCHICAL | {"action_head": "ar_token"})
    registry = Registry()
    registry.register(HIERARCHICAL)
    with pytest.raises(DataError, match="one of that name"):
        registry.register(HIERARCHICAL)


def test_intervals_are_wilsons():
    row = {
        "benchmark": "libero", "suite": "long", "split": "standard", "metric": "success_rate", "recipe": "r", "source": "recalled",
        "n_episodes": 10,
    }  # fmt: skip
    assert round(ResultRow(value=1.0, **row).ci95[0], 3) == 0.722
    assert round(ResultRow(value=0.0, **row).ci95[1], 3) == 0.278


def test_the_long_suite_and_the_ninety_do_not_mix():
    registry = Registry.installed()
    row = {
        "benchmark": "libero",
        "suite": "90",
        "split": "standard",
        "metric": "success_rate",
        "value": 0.9,
        "recipe": "r",
        "source": "recalled",
    }
    registry.register(HIERARCHICAL | {"results": [row]})
    with pytest.raises(DataError, match="long and 90 are different suites"):
        registry.compare("libero", ("long", "90"))
    assert {row.suite for _, row in registry.compare("libero", "long")} == {"long"}
    assert [name for name, _ in registry.compare("libero", "90")] == ["two-steps"]


def test_json_comes_back_the_same_and_markdown_does_not_hang_on_the_order():
    registry = Registry.installed()
    again = Registry.from_json(registry.to_json())
    assert again.cards == registry.cards
    assert again.to_json() == registry.to_json()
    cards = list(registry)
    for seed in range(3):
        random.Random(seed).shuffle(cards)
        shuffled = Registry()
        for card in cards:
            shuffled.register(card)
        assert shuffled.as_markdown() == registry.as_markdown()
        assert shuffled.to_json() == registry.to_json()
    for broken in ("{", "{}", '[{"name": "x"}]'):
        with pytest.raises(DataError, match="polic"):
            Registry.from_json(broken)


class Reacher:
    """Moves towards a point that it says; or only says it."""

    def __init__(self, *, listens):
        self.listens = listens

    def intermediate(self, observation):
        return observation[:2] + 1

    def act(self, observation, intermediate=None):
        goal = intermediate if intermediate is not None and self.listens else self.intermediate(observation)
        return goal - observation[:2]


class Noisy(Reacher):
    """Draws a part of its action."""

    rng = np.random.default_rng(0)

    def act(self, observation, intermediate=None):
        return super().act(observation, intermediate) + self.rng.normal(size=2)


def test_a_policy_that_ignores_edits_is_found_out_by_trying():
    card = PolicyCard.model_validate(HIERARCHICAL)
    seen = list(np.random.default_rng(0).normal(size=(6, 3)))
    kept = capabilities(Reacher(listens=True), card, seen)
    assert kept
    assert (kept.editable, kept.followed, kept.tried) == (True, 1.0, 6)
    ignored = capabilities(Reacher(listens=False), card, seen)
    assert not ignored
    assert ignored.returns_intermediate
    assert not ignored.editable
    assert "none of 6 edits changed the action" in ignored.reason
    assert "offers none" in capabilities(object(), card, seen).reason


def test_what_cannot_be_tried_is_said_and_not_passed():
    card = PolicyCard.model_validate(HIERARCHICAL)
    with pytest.raises(DataError, match="fix its seed"):
        capabilities(Noisy(listens=True), card, list(np.ones((3, 3)) * np.arange(3)[:, None]))
    with pytest.raises(DataError, match="same intermediate"):
        capabilities(Reacher(listens=True), card, list(np.ones((3, 3))))


def test_a_card_that_claims_nothing_has_nothing_to_break():
    card = PolicyCard.model_validate(
        without(HIERARCHICAL, "intermediate") | {"level1": "monolithic", "level2": "single-system"}
    )
    assert capabilities(object(), card, [])
