"""The concept audit: planted truths about accuracy, corrections and leakage are found, with the right sign and size."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pellucid.data import Split
from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError
from pellucid.heads.concepts.bottleneck import ConceptBottleneck
from pellucid.heads.functions.linear import Linear
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.concepts.accuracy import PEOPLE
from pellucid.protocols.concepts.audit import ConceptAudit, ConceptAuditConfig
from pellucid.protocols.usual import Usual
from pellucid.testing.concepts import NAMES, planted_concepts
from pellucid.training.fit import Sides, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings

TRAIN, STOP, TEST = range(0, 600), range(600, 700), range(700, 1200)
HEADS = {
    "joint": {"trained": "joint"},
    "hard": {"trained": "joint", "kind": "hard"},
    "sequential": {"trained": "sequential"},
    "independent": {"trained": "independent"},
}


def fitted(dataset, heads, epochs=30):
    """Bottlenecks with some options, fitted on one fold; anything else is a head's class."""
    split = Split(0, np.array(TRAIN), np.array(STOP), np.array(TEST))
    sides = Sides(dataset.subset(split.train), dataset.subset(split.validation), "y")
    encoder = Identity(Identity.config_type(inputs={"x": dataset.spec.input("x")}))
    prepare_encoder(encoder, sides)
    models = {}
    facts = {
        "units": tuple(f"x:{name}" for name in encoder.names),
        "target": dataset.spec.target("y"),
        "concepts": dataset.spec.concepts,
    }
    for name, options in heads.items():
        torch.manual_seed(0)
        head = ConceptBottleneck(ConceptBottleneck.config_type(**facts, **options)) if options is not Linear else None
        head = head or Linear(Linear.config_type(**facts))
        settings = TrainingSettings(epochs=epochs, learning_rate=5e-3)
        models[name], _ = fit_model({"x": encoder}, head, sides, settings, name=name)
    baseline = TrivialBaseline(dataset.spec, "y").fit(sides.train)
    context = Context(dataset.spec, "y", {n: m.head.tags for n, m in models.items()}, baseline.name, seed=0)
    return FittedFold(dataset, "y", split, models, baseline, seed=0), context


def audited(dataset, heads, epochs=30, **settings):
    """Results by (part, metric), rows, context and audit."""
    fold, context = fitted(dataset, heads, epochs)
    audit = ConceptAudit(ConceptAuditConfig(replicates=200, **settings))
    rows = audit.examine(fold).assign(fold=0)
    return {(r.part, r.metric): r for r in audit.conclude(rows, context)}, rows, context, audit


@pytest.fixture(scope="module", params=[0, 1, 2], ids=lambda seed: f"seed{seed}")
def from_concepts(request):
    return audited(planted_concepts("concepts", seed=request.param), HEADS)


@pytest.fixture(scope="module", params=[0, 1, 2], ids=lambda seed: f"seed{seed}")
def with_more(request):
    return audited(planted_concepts("more", seed=request.param), HEADS)


@pytest.fixture(scope="module", params=[0, 1, 2], ids=lambda seed: f"seed{seed}")
def from_nothing(request):
    return audited(planted_concepts("nothing", seed=request.param), HEADS)


def test_where_concepts_are_all_there_is_nothing_leaks_and_corrections_lead_to_the_ceiling(from_concepts):
    results = from_concepts[0]
    for part in HEADS:
        leak, gain = results[part, "leakage_bits"], results[part, "intervention_gain"]
        assert leak.passed
        assert leak.low < 0.01
        assert abs(leak.value) < 0.03
        assert abs(results[part, "leakage_bits_whole_steps"].value) < 0.03
        assert gain.passed
        assert gain.low > 0.04
        assert "helps" in gain.sentence
        before, ceiling = results[part, "ratings_alone"].baseline, results[part, "ratings_alone"].value
        assert before + gain.value == pytest.approx(ceiling, abs=0.03)
        assert 0 < results[part, "intervention_area"].value < gain.value
        # The learnt order begins with what matters most, and never does worse than chance would.
        learnt = results[part, "intervention_area_learnt_order"]
        assert learnt.value > learnt.baseline == results[part, "intervention_area"].value


def test_what_a_joint_bottleneck_smuggles_past_its_concepts_is_found_and_less_of_it_in_whole_steps(with_more):
    results = with_more[0]
    joint, hard, sequential = (results[part, "leakage_bits"] for part in ("joint", "hard", "sequential"))
    assert not joint.passed
    assert joint.low > 0.2
    assert joint.value > 20 * abs(sequential.value)
    assert "tell more" in joint.sentence
    assert hard.value < joint.value
    assert hard.value == pytest.approx(results["hard", "leakage_bits_whole_steps"].value)
    assert joint.baseline == results["joint", "leakage_bits_whole_steps"].value < joint.value
    assert results["joint", "leakage_auroc"].low > 0.08
    # Concepts learnt before the target know nothing of it but what they are.
    assert sequential.passed
    assert abs(sequential.value) < 0.03
    assert abs(results["sequential", "leakage_auroc"].value) < 0.02


def test_a_curve_that_falls_is_said_to_fall(with_more):
    results = with_more[0]
    for part in ("joint", "hard"):
        gain = results[part, "intervention_gain"]
        assert not gain.passed
        assert gain.high < 0
        assert "the curve falls" in gain.sentence
        assert "means something else by its concepts than people do" in gain.sentence
        assert results[part, "intervention_area"].high < 0
    assert "It falls at correction 1, 2, 3, 4 of 4." in results["joint", "intervention_gain"].sentence
    for part in ("sequential", "independent"):
        gain = results[part, "intervention_gain"]
        assert gain.passed
        assert gain.low > 0
        assert "fall" not in gain.sentence


def test_random_labels_have_neither_leak_nor_gain(from_nothing):
    results = from_nothing[0]
    for part in HEADS:
        assert results[part, "leakage_bits"].passed
        assert abs(results[part, "leakage_bits"].value) < 0.03
        assert results[part, "intervention_gain"].passed
        assert abs(results[part, "intervention_gain"].value) < 0.06
        assert abs(results[part, "ratings_alone"].value - 0.5) < 0.06
        assert "ratings tell 0.0" in results[part, "leakage_bits"].sentence
        # Concepts are as well predicted as ever: that the target is noise is not their fault.
        assert results[part, "concept_rank_correlation"].value > 0.5


def test_concepts_are_predicted_as_well_as_the_input_shows_them_and_people_stand_beside(from_concepts):
    results, rows, *_ = from_concepts
    own = rows[rows["part"] == "sequential"]
    order = [results["sequential", f"concept_rank_correlation:{name}"].value for name in NAMES]
    assert order == sorted(order, reverse=True)  # the input shows the first concept best and the last one worst
    assert results["sequential", "concept_rank_correlation"].value == pytest.approx(np.mean(order), abs=1e-9)
    for name in NAMES:
        error, person = results["sequential", f"concept_rmse:{name}"], results[PEOPLE, f"concept_rmse:{name}"]
        truth = own[f"rated:{name}"]
        assert error.value == pytest.approx(np.sqrt(((own[f"concept:{name}"] - truth) ** 2).mean()))
        assert error.baseline == pytest.approx(np.sqrt(((own[f"usual:{name}"] - truth) ** 2).mean()))
        assert error.baseline > truth.std(ddof=0)
        assert person.value < error.value < error.baseline
        # Three raters half a step apart, one of them is nearer to their mean: 0.5 * sqrt(2 / 3), and a third for rounding.
        assert person.value == pytest.approx(0.45, abs=0.05)
        assert person.n_samples == own[f"apart:{name}"].notna().sum() < len(own)
        assert f"one of the people who rated {person.value:.2f}" in error.sentence


def test_every_result_stands_beside_chance_and_baseline(from_concepts):
    for result in from_concepts[0].values():
        assert np.isfinite([result.value, result.chance, result.baseline]).all()
        assert result.low <= result.value <= result.high
        assert result.protocol == "concept-audit"
        assert result.part == PEOPLE or (result.n_samples, result.n_subjects) == (500, 250)
        assert "nan" not in result.sentence


def test_rows_survive_a_parquet_file_and_measuring_twice_is_the_same(tmp_path):
    dataset = planted_concepts("more", samples=1200)
    results, rows, context, audit = audited(dataset, {"joint": HEADS["joint"]}, epochs=3)
    rows.to_parquet(tmp_path / "rows.parquet")
    assert audit.conclude(pd.read_parquet(tmp_path / "rows.parquet"), context) == list(results.values())
    pd.testing.assert_frame_equal(rows, audited(dataset, {"joint": HEADS["joint"]}, epochs=3)[1])


def test_the_learnt_order_begins_with_what_helps_most_among_training_samples():
    dataset = planted_concepts("concepts")
    fold, _ = fitted(dataset, {"joint": HEADS["joint"]}, epochs=15)
    usual = fold.usual.concepts["joint"]
    train = dataset.subset(fold.split.train)
    ratings = train.concept_values()
    np.testing.assert_allclose(usual.mean, ratings.mean(0), rtol=1e-5)
    head, y = fold.models["joint"].head, train.target_values("y")
    predicted = head.concepts(fold.models["joint"].representation(train)).detach()
    gained = []
    for at in range(len(NAMES)):
        mended = predicted.clone()
        mended[:, at] = torch.tensor(ratings[:, at])
        odds = head.outcome(mended).detach().numpy()
        gained.append(np.logaddexp(0, np.where(y > 0, -odds, odds)).mean())
    assert usual.order[0] == int(np.argmin(gained))
    assert sorted(usual.order) == list(range(len(NAMES)))
    back = Usual.from_json(json.loads(json.dumps(fold.usual.to_json()))).concepts["joint"]
    assert back.order == usual.order
    torch.testing.assert_close(back.mean, usual.mean)


def test_corrections_put_people_s_ratings_in_place_one_after_the_other():
    dataset = planted_concepts("concepts", lost=0.2)
    fold, context = fitted(dataset, {"joint": HEADS["joint"]}, epochs=5)
    rows = ConceptAudit(ConceptAuditConfig(random_orders=6)).examine(fold)
    model, order = fold.models["joint"], fold.usual.concepts["joint"].order
    test = dataset.subset(fold.split.test)
    given = dict(zip(NAMES, torch.tensor(test.concept_values(), dtype=torch.float32).T, strict=True))
    z = model.representation(test)
    for step in (0, 1, 3, 4):
        replaced = {NAMES[at]: given[NAMES[at]] for at in order[:step]}
        chance = model.head.intervene(z, replaced).detach().sigmoid()[:, 0]
        np.testing.assert_allclose(rows[f"corrected:learnt:{step}:0"], chance, atol=1e-6)
    orders = {str(column).split(":")[1] for column in rows.columns if str(column).startswith("corrected:random")}
    assert len(orders) == 6
    everything = ConceptAudit(ConceptAuditConfig(random_orders=30)).examine(fold)
    again = {str(column).split(":")[1] for column in everything.columns if str(column).startswith("corrected:random")}
    assert len(again) == 24  # there are no more orders of four
    # After one correction in all orders, each concept is the one corrected in a quarter of them.
    first = np.stack([everything[f"corrected:{one}:1:0"] for one in again])
    alone = np.stack([model.head.intervene(z, {name: given[name]}).detach().sigmoid()[:, 0] for name in NAMES])
    np.testing.assert_allclose(first.mean(0), alone.mean(0), atol=1e-6)
    assert np.isfinite(ConceptAudit().conclude(rows.assign(fold=0), context)[0].value)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_other_kinds_of_target_are_audited_alike(kind):
    results, rows, context, audit = audited(
        planted_concepts("more", kind), {"joint": HEADS["joint"], "late": HEADS["sequential"]}
    )
    score = "R2" if kind == "regression" else "AUROC"
    assert not results["joint", "intervention_gain"].passed
    assert score in results["joint", "intervention_gain"].sentence
    assert not results["joint", "leakage_bits"].passed
    assert results["joint", "leakage_bits"].low > 0.05
    assert results["late", "leakage_bits"].passed
    assert results["late", "intervention_gain"].low > 0
    ceiling = results["late", "ratings_alone"]
    assert ceiling.value == pytest.approx(ceiling.baseline + results["late", "intervention_gain"].value, abs=0.04)
    assert ceiling.chance == (0 if kind == "regression" else 0.5)
    for figure in audit.figures(rows, context).values():
        FigureCanvasAgg(figure).draw()


def test_figures_show_the_curve_its_ceiling_and_the_errors(with_more):
    results, rows, context, audit = with_more
    curves, errors = audit.figures(rows, context).values()
    assert [ax.get_title(loc="left") for ax in curves.axes] == list(HEADS)
    lines = {line.get_label(): line.get_ydata() for line in curves.axes[0].lines}
    gain = results["joint", "intervention_gain"].value
    for order in ("random order", "learnt order"):
        assert len(lines[order]) == len(NAMES) + 1
        assert lines[order][-1] - lines[order][0] == pytest.approx(gain)
    assert lines["people's ratings alone"][0] == pytest.approx(results["joint", "ratings_alone"].value)
    drawn = [text.get_text() for text in errors.axes[0].get_legend().get_texts()]
    assert {"training mean", "one of the people who rated", *HEADS} == set(drawn)


def test_a_study_without_concepts_is_told_so_and_other_heads_are_left_alone():
    dataset = planted_concepts("concepts")
    fold, context = fitted(dataset, {"linear": Linear}, epochs=1)
    audit = ConceptAudit()
    assert "no head of this study goes by concepts" in audit.unfit(context)
    bare = dataset.spec.model_copy(update={"concepts": None})
    assert "has no concepts" in audit.unfit(Context(bare, "y", context.parts, "b", 0))
    assert len(audit.examine(fold)) == 0
    assert audit.conclude(audit.examine(fold).assign(fold=0), context) == []
    assert audit.figures(audit.examine(fold).assign(fold=0), context) == {}
    both, context = fitted(dataset, {"linear": Linear, "joint": {}}, epochs=1)
    assert audit.unfit(context) == ""
    assert set(audit.examine(both)["part"]) == {"joint"}


def test_a_subject_learnt_from_is_refused():
    fold, _ = fitted(planted_concepts("concepts"), {"joint": HEADS["joint"]}, epochs=1)
    leaky = FittedFold(fold.dataset, "y", Split(0, fold.split.train, fold.split.validation, fold.split.train),
                       fold.models, fold.baseline, 0)  # fmt: skip
    with pytest.raises(LeakageError, match="'joint'"):
        ConceptAudit().examine(leaky)


def made_by_hand(after, subjects=60, soft=2.0, rated=True):
    """Rows of two concepts whose corrections give the AUROCs that ``after`` says, in both kinds of order.

    ``soft``: log odds that concepts as they are give the answer that is right, one a subject or of all.
    """
    half = subjects // 2
    yes = np.repeat([1.0, 0.0], half)
    rows = {"part": "head", "fold": 0, "sample": "s", "subject": [str(at) for at in range(subjects)], "label": yes}
    for name in ("first", "second"):
        said = 4 - yes if rated else np.full(subjects, np.nan)
        rows |= {f"usual:{name}": 3.0, f"concept:{name}": 3 + yes, f"rated:{name}": said}
    for step, auroc in enumerate(after):
        # So many of the yes stand above all no, and the others below them.
        above = np.where(np.arange(half) < round(auroc * half), 2.0, 0.0)
        for order in ("learnt", "random0") if step == 1 else ("learnt",):
            rows[f"corrected:{order}:{step}:0"] = np.concatenate([above, np.ones(half)])
    rows["asked:0"] = yes
    for probe, odds in {"ratings": 0.0, "soft": soft, "whole": 1.0, "soft_control": 0.0, "whole_control": 0.0}.items():
        rows[f"told:{probe}:0:0"] = np.where(yes > 0, odds, -odds)
    spec = planted_concepts("concepts", samples=4).spec
    context = Context(spec, "y", {"head": ConceptBottleneck.tags}, "baseline", 0)
    found = ConceptAudit(ConceptAuditConfig(replicates=200)).conclude(pd.DataFrame(rows), context)
    return {r.metric: r for r in found}


def test_figures_are_those_that_a_pencil_gives():
    found = made_by_hand((0.5, 0.7, 1.0))
    assert found["intervention_gain"].value == pytest.approx(0.5)
    assert found["intervention_gain"].baseline == pytest.approx(0.2)
    assert "AUROC goes from 0.500 to 1.000 (+0.500)." in found["intervention_gain"].sentence
    assert found["ratings_alone"].sentence.endswith("With all concepts corrected, this model reaches 1.000.")
    assert found["intervention_area"].value == pytest.approx((0.2 + 0.5) / 2)
    assert found["intervention_area_learnt_order"].value == pytest.approx(found["intervention_area"].value)
    # An answer at log odds of nothing costs one bit, at 2 it costs log2(1 + e^-2).
    assert found["leakage_bits"].value == pytest.approx(1 - np.log2(1 + np.exp(-2)))
    assert found["leakage_bits_whole_steps"].value == pytest.approx(1 - np.log2(1 + np.exp(-1)))
    assert not found["leakage_bits"].passed
    assert "the ratings tell 0.000 of 1.000 bits" in found["leakage_bits"].sentence
    assert found["leakage_auroc"].value == pytest.approx(0.5)
    assert found["concept_rank_correlation"].value == pytest.approx(-1)
    assert not found["concept_rank_correlation"].passed
    # Predicted 4 where people said 3 and 3 where they said 4, the mean being 3.
    assert found["concept_rmse:first"].value == pytest.approx(1.0)
    assert found["concept_rmse:first"].baseline == pytest.approx(np.sqrt(0.5))
    assert "one of the people" not in found["concept_rmse:first"].sentence


def test_a_leak_that_is_small_beside_its_interval_is_open_and_one_that_is_none_is_denied():
    # Of sixty answers 39 are right by odds of 1 and 21 wrong by as much: 0.04 bits, and 0.09 is the error of their mean.
    mixed = np.where(np.arange(60) % 20 < 13, 1.0, -1.0)
    one = made_by_hand((0.5, 0.7, 1.0), soft=mixed)["leakage_bits"]
    gained = 1 - (0.65 * np.log2(1 + np.exp(-1)) + 0.35 * np.log2(1 + np.e))
    assert one.value == pytest.approx(gained)
    assert one.low < 0.01 < one.value
    assert one.passed
    assert one.sentence.startswith(
        "Whether predicted concepts tell more of the answer than people's ratings do is open:"
    )
    none = made_by_hand((0.5, 0.7, 1.0), soft=0.0)["leakage_bits"]
    assert none.value == 0
    assert none.passed
    assert none.sentence.startswith("Predicted concepts tell no more of the answer than people's ratings do:")
    # A hundredth of a bit for everybody is no leak yet; two are.
    for bits, passed in ((0.009, True), (0.02, False)):
        odds = -np.log(2 ** (1 - bits) - 1)
        assert made_by_hand((0.5, 0.7, 1.0), soft=odds)["leakage_bits"].passed is passed


def test_where_nobody_rated_concepts_have_no_accuracy_and_all_else_is_measured():
    found = made_by_hand((0.5, 0.7, 1.0), rated=False)
    assert not [metric for metric in found if metric.startswith(("concept_rank", "concept_rmse"))]
    assert found["intervention_gain"].value == pytest.approx(0.5)
    assert found["leakage_bits"].value > 0.5


@pytest.mark.parametrize(
    ("after", "passed", "told"),
    [
        ((0.5, 0.7, 1.0), True, "people said helps"),
        ((0.7, 0.7, 0.7), True, "changes little"),
        ((1.0, 0.8, 0.5), False, "the curve falls"),
        ((0.9, 0.4, 0.9), False, "Replacing only some predicted concepts by what people said makes predictions worse"),
    ],
)
def test_a_curve_is_called_what_it_is(after, passed, told):
    gain = made_by_hand(after)["intervention_gain"]
    assert gain.passed is passed
    assert told in gain.sentence
    falls = [str(at) for at in (1, 2) if after[at] < after[at - 1]]
    assert (f"It falls at correction {', '.join(falls)} of 2." in gain.sentence) == bool(falls)
    assert ("means something else" in gain.sentence) == (after[2] < after[0])


def test_a_finished_run_is_audited_on_other_subjects_without_its_training_samples():
    dataset = planted_concepts("more")
    fold, context = fitted(dataset, {"joint": HEADS["joint"]}, epochs=5)
    kept = Usual.from_json(json.loads(json.dumps(fold.usual.to_json())))
    others = dataset.subset(fold.split.test)
    nobody = np.array([], np.int64)
    alone = FittedFold(
        others, "y", Split(0, nobody, nobody, np.arange(len(others))), fold.models, fold.baseline, 0, kept
    )
    audit = ConceptAudit()
    assert not audit.needs_training
    pd.testing.assert_frame_equal(audit.examine(alone), audit.examine(fold))
    assert audit.conclude(audit.examine(alone).assign(fold=0), context)
