import itertools

import pytest

from pellucid import plugins
from pellucid.errors import DataError, UnknownComponent
from pellucid_robotics.policies.kinds import ADDED
from pellucid_robotics.policies.reading import benchmarks, corpora, policies
from pellucid_robotics.policies.registry import Registry
from pellucid_robotics.policies.words import LEVELS, MEANINGS

ROW = {
    "benchmark": "libero", "suite": "long", "split": "standard", "metric": "success_rate", "value": 0.5,
    "recipe": "as released", "source": "recalled",
}  # fmt: skip

CARD = {
    "title": "A policy", "about": "It grips.", "name": "gripper", "year": 2024, "level1": "monolithic",
    "level2": "single-system", "action_head": "regression", "recalled": ["year"],
}  # fmt: skip


def refused(**changes):
    with pytest.raises(DataError) as caught:
        Registry().register(CARD | changes)
    return str(caught.value)


def test_every_file_of_a_card_is_named_and_every_name_has_a_file():
    for kind, components in ADDED.items():
        paths = {plugins.resource(target) for target in components.values()}
        assert paths == set(next(iter(paths)).parent.glob("*.toml")), kind.plural


def test_a_card_that_is_whole_is_taken():
    assert Registry().register(CARD).name == "gripper"
    assert Registry().register(CARD | {"results": [ROW]}).results[0].ci95 is None


@pytest.mark.parametrize(
    ("level1", "level2"), list(itertools.product(LEVELS, (two for some in LEVELS.values() for two in some)))
)
def test_only_pairs_of_the_taxonomy_are_taken(level1, level2):
    card = CARD | {"level1": level1, "level2": level2, "intermediate": {"kind": ["box"]}}
    if level2 in LEVELS[level1]:
        assert Registry().register(card).level2 == level2
    else:
        assert "level2" in refused(**card)


def test_what_cannot_be_is_refused_by_name():
    assert "variant" in refused(variant="")
    assert "there is no field 'yaer'; did you mean 'year'" in refused(recalled=["yaer"])
    assert "backbone is not known" in refused(recalled=["backbone"])
    assert "which of them are recalled" in refused(recalled=[])
    assert "verified_on" in refused(sources=["a README"])
    assert "acton_head: there is no such field; did you mean 'action_head'?" in refused(acton_head="flow")
    assert "results.1.ci95: there is no such field" in refused(results=[ROW | {"ci95": [0.4, 0.6]}])
    assert "stands there twice" in refused(results=[ROW, ROW | {"value": 0.6}])
    assert "paper:<policy>" in refused(results=[ROW | {"source": "somebody"}])
    assert "read_in" in refused(results=[ROW | {"source": "paper"}])
    assert "no suite 'lung'; did you mean 'long'?" in refused(results=[ROW | {"suite": "lung"}])
    assert "no split 'ABC to D'" in refused(results=[ROW | {"split": "ABC to D"}])
    assert "no card of benchmark 'libera'; did you mean 'libero'?" in refused(results=[ROW | {"benchmark": "libera"}])
    assert "names the suites" in refused(results=[ROW | {"suite": "average"}])
    assert "average_length lies from 0 to 5" in refused(
        results=[
            ROW
            | {
                "benchmark": "calvin",
                "suite": "chain-of-5",
                "split": "ABC to D",
                "metric": "average_length",
                "value": 5.5,
            }
        ]
    )


def test_averages_over_different_suites_do_not_compare():
    mean = ROW | {"suite": "average", "over": ["long", "90"]}
    registry = Registry()
    registry.register(CARD | {"results": [mean]})
    registry.register(CARD | {"name": "other", "results": [mean | {"over": ["90", "long"], "value": 0.7}]})
    assert [name for name, _ in registry.compare("libero", "average")] == ["other", "gripper"]
    registry.register(CARD | {"name": "third", "results": [mean | {"over": ["long", "goal"]}]})
    with pytest.raises(DataError, match="averages over different suites"):
        registry.compare("libero", "average")


def test_splits_and_metrics_are_chosen_and_never_mixed():
    registry = Registry.installed()
    with pytest.raises(DataError, match="several splits"):
        registry.compare("simpler", "google-robot")
    rows = registry.compare("simpler", "google-robot", split="variant aggregation")
    assert {row.split for _, row in rows} == {"variant aggregation"}
    with pytest.raises(DataError, match="did you mean 'libero'"):
        registry.compare("libro", "long")
    with pytest.raises(DataError, match="did you mean 'long'"):
        registry.compare("libero", "lon")


def test_an_average_that_is_not_that_of_its_rows_is_told():
    # The README that both were read in gives averages that its own columns do not have.
    told = Registry.installed().averages_apart()
    assert [one.partition(":")[0] for one in told] == ["diffusion-policy", "rdt-1b"]
    assert "given as 0.536, its 5 suites average 0.5312" in told[1]


def test_policies_are_asked_for_by_fields():
    registry = Registry.installed()
    assert registry.query(level1="hierarchical", intermediate="keypoint") == ("rekep",)
    assert set(registry.query(editable=True)) == set(registry.query(level1="hierarchical"))
    assert registry.query(benchmark="calvin") == ("susie",)
    assert registry.query(year=2025) == ("hi-robot",)
    with pytest.raises(UnknownComponent, match="did you mean 'hierarchical'"):
        registry.query(level1="hierarchic")
    with pytest.raises(UnknownComponent, match="did you mean 'intermediate'"):
        registry.query(intermediat="box")


def test_coverage_counts_what_cards_do_not_say():
    registry = Registry()
    registry.register(CARD)
    registry.register(CARD | {"name": "other", "backbone": "a network", "reads": {"depth": False}})
    coverage = registry.coverage()
    assert (coverage["title"], coverage["backbone"], coverage["reads"], coverage["results"]) == (0, 0.5, 0.5, 1)


def test_the_taxonomy_sorts_every_policy_once_and_says_what_its_words_mean():
    registry = Registry.installed()
    table = registry.taxonomy_table()
    assert sorted(name for names in table.values() for name in names) == sorted(card.name for card in registry)
    assert all(level2 in MEANINGS for _, level2 in table)


def test_what_is_known_of_a_benchmark_and_a_corpus():
    libero = benchmarks()["libero"]
    assert {suite.name: suite.tasks for suite in libero.suites} == {
        "spatial": 10,
        "object": 10,
        "goal": 10,
        "long": 10,
        "90": 90,
    }
    known = {corpus.name for corpus in corpora()}
    assert {data for card in policies() for data in card.pretrain_datasets or ()} <= known


def test_numbers_of_a_card_are_finite_and_a_comparison_names_its_suite():
    assert "control_hz" in refused(control_hz=float("inf"))
    assert "requires_gpu_gb" in refused(requires_gpu_gb=float("inf"))
    with pytest.raises(DataError, match="say which suite"):
        Registry.installed().compare("libero", None)
    with pytest.raises(DataError, match="not valid JSON"):
        Registry.from_json(None)


def test_an_interval_follows_from_the_trials_of_a_share_alone():
    from scipy.stats import binomtest

    row = Registry().register(CARD | {"results": [ROW | {"value": 0.9, "n_episodes": 50}]}).results[0]
    wilson = binomtest(45, 50).proportion_ci(method="wilson")
    assert row.ci95 == pytest.approx((wilson.low, wilson.high), abs=1e-6)
    of_calvin = {"benchmark": "calvin", "suite": "chain-of-5", "split": "ABC to D", "metric": "average_length"}
    mean = ROW | of_calvin | {"value": 2.7, "n_episodes": 50}
    assert Registry().register(CARD | {"results": [mean]}).results[0].ci95 is None


def test_the_table_says_what_is_known_and_marks_what_is_not():
    registry = Registry()
    registry.register(CARD | {"n_params": 1_234_400_000, "chunk_len": 8})
    registry.register(
        CARD | {"name": "thinker", "level1": "hierarchical", "level2": next(iter(LEVELS["hierarchical"])),
                "intermediate": {"kind": ["box"], "editable": False}}
    )  # fmt: skip
    first, second = registry.as_markdown().splitlines()[2:]
    assert first == "| gripper | 2024 | monolithic, single-system | - | - | regression | 1,234 M | 8 | ? | ? | ? |"
    assert second.split(" | ")[3:7] == ["box", "no", "regression", "?"]


def test_ends_of_a_scale_are_on_it_and_averages_may_be_off_by_their_printing():
    for value in (0.0, 1.0):
        assert Registry().register(CARD | {"results": [ROW | {"value": value}]}).results[0].value == value
    assert "lies from 0 to 1" in refused(results=[ROW | {"value": float("nan")}])
    parts = [ROW | {"suite": "long", "value": 0.4}, ROW | {"suite": "90", "value": 0.6}]
    for value, told in ((0.501, 0), (0.502, 1)):
        registry = Registry()
        registry.register(
            CARD | {"results": [*parts, ROW | {"suite": "average", "over": ["long", "90"], "value": value}]}
        )
        assert len(registry.averages_apart()) == told


def test_a_slow_policy_that_needs_little_is_taken_and_a_slot_is_one_number():
    space = [{"name": "gripper", "unit": "1"}]
    card = Registry().register(CARD | {"control_hz": 0.5, "requires_gpu_gb": 0.25, "action_space": space})
    assert card.action_space[0].count == 1
    assert "control_hz" in refused(control_hz=0)
    assert "requires_gpu_gb" in refused(requires_gpu_gb=0)


def test_tokens_without_a_tokenizer_and_sources_without_a_date_are_refused():
    assert "action_tokenizer" in refused(action_head="ar_token")
    assert "hierarchical policy has one" in refused(level1="hierarchical", level2=LEVELS["hierarchical"][0])
    for one in ({"read_in": "a README"}, {"verified_on": "2025-01-01"}):
        assert "read_in: say what" in refused(results=[ROW | {"source": "paper"} | one])


def test_cards_come_back_from_json_and_what_is_none_is_refused():
    registry = Registry()
    registry.register(CARD | {"results": [ROW]})
    assert Registry.from_json(registry.to_json()).cards == registry.cards
    with pytest.raises(DataError, match="not valid JSON"):
        Registry.from_json("[{")
    with pytest.raises(DataError, match="expected a list of cards, got a dict"):
        Registry.from_json("{}")
