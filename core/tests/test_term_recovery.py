"""Equations against the true ones: figures worked out by hand, wrong equations, and what cannot be asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pellucid.data.arrays import ArrayDataset
from pellucid.errors import NotMeasurable
from pellucid.measures.equations import chance_scores, coefficient_error, support_scores
from pellucid.protocols.dynamics.equation_card import drawn
from pellucid.protocols.dynamics.recovery import BASELINE, TermRecovery
from pellucid.result import NotMeasured
from pellucid.testing.equations import EQUATIONS, equation_fold, planted_equations
from pellucid.testing.folds import fitted


def concluded(fold, context):
    rows = TermRecovery().examine(fold).assign(fold=fold.split.fold)
    return {(one.part, one.metric): one for one in TermRecovery().conclude(rows, context)}, rows


def changed(fold, part, change):
    """The fold with other coefficients in one head, put back afterwards by the caller's copy."""
    head = fold.models[part].head
    before = head.coefficients.detach().clone()
    with torch.no_grad():
        change(head.coefficients, head.term_names)
    return head, before


def test_planted_equations_are_recovered_better_than_by_chance():
    results, _ = concluded(*equation_fold())
    for part in ("sindy-ensemble", "relevance-vector"):
        assert results[part, "support_f1"].value == 1.0
        assert results[part, "coefficient_error"].value < 0.02
        assert results[part, "rate_error"].value < 0.02
        assert results[part, "rate_error"].low < results[part, "rate_error"].value < results[part, "rate_error"].high
        # 2 of 6 terms in both equations: as many at random hit 2 x 2 x 2 / 6 of 4.
        assert results[part, "support_precision"].chance == pytest.approx(1 / 3)
        assert results[part, "support_f1"].baseline_name == BASELINE
        assert np.isnan(results[part, "support_f1"].low), "one fold has no interval"
        assert "keeps 4 of 12 coefficients, and 4 are in the true equations" in results[part, "support_f1"].sentence
    assert not any(part == "linear" for part, _ in results), "a head that has no equations is not asked"


def test_wrong_equations_score_as_wrong_as_they_are():
    fold, context = equation_fold()

    def spoil(coefficients, names):
        coefficients[0, names.index("x")] = 0.5
        coefficients[1, names.index("1")] = 0.0

    head, before = changed(fold, "sindy-ensemble", spoil)
    try:
        results, _ = concluded(fold, context)
    finally:
        head.coefficients.data.copy_(before)
    # Found: y, x*y, x; x^2. True: y, x*y; 1, x^2.
    assert results["sindy-ensemble", "support_precision"].value == pytest.approx(3 / 4)
    assert results["sindy-ensemble", "support_recall"].value == pytest.approx(3 / 4)
    wanted = (0.5 / np.hypot(2, 1) + 0.5 / np.hypot(0.5, 1.5)) / 2
    assert results["sindy-ensemble", "coefficient_error"].value == pytest.approx(wanted, abs=0.01)
    assert results["sindy-ensemble", "rate_error"].value > 0.1


def test_a_library_without_a_true_term_misses_it_and_its_right_hand_side_is_not_measured():
    study = {
        "encoder": [{"input": "state", "name": "polynomial-library", "degree": 1}],
        "head": [{"name": "sindy-ensemble"}],
        "training": {"epochs": 1},
    }
    results, rows = concluded(*fitted(study, planted_equations(), "rate"))
    assert results["sindy-ensemble", "support_recall"].value <= 0.5
    missing = results["sindy-ensemble", "rate_error"]
    assert isinstance(missing, NotMeasured)
    assert "raise the degree" in missing.helps
    assert TermRecovery().figures(rows, equation_fold()[1])


def test_means_and_ends_are_over_folds():
    fold, context = equation_fold()
    good = TermRecovery().examine(fold).assign(fold=0)
    head, before = changed(fold, "sindy-ensemble", lambda coefficients, names: coefficients.zero_())
    try:
        bad = TermRecovery().examine(fold).assign(fold=1)
    finally:
        head.coefficients.data.copy_(before)
    import pandas as pd

    bad["subject"] = bad["subject"] + " of fold 2"
    results = {(r.part, r.metric): r for r in TermRecovery().conclude(pd.concat([good, bad]), context)}
    one = results["sindy-ensemble", "support_recall"]
    assert (one.value, one.low, one.high) == (0.5, 0.0, 1.0)
    assert "lowest and highest of 2 folds" in one.sentence
    assert results["sindy-ensemble", "coefficient_error"].high == 1.0


def test_data_that_know_no_equations_and_heads_that_have_none_are_refused():
    fold, context = equation_fold()
    heads = {part: model.head for part, model in fold.models.items()}
    known = fold.dataset
    assert TermRecovery().unfit_for(known, heads, context) == ""
    assert "none of its heads has equations" in TermRecovery().unfit_for(known, {"linear": heads["linear"]}, context)
    plain = ArrayDataset(known.spec, known.frame, {"state": known.read(np.arange(len(known))).inputs["state"]})
    assert "knows no true equations of 'rate'" in TermRecovery().unfit_for(plain, heads, context)
    with pytest.raises(NotMeasurable, match="knows no true equations"):
        TermRecovery().examine(replace(fold, dataset=plain))


def test_a_part_of_a_dataset_knows_the_equations_of_the_whole():
    from pellucid.data.abilities import true_equations

    assert true_equations(planted_equations().labelled("rate").subset([1, 2]), "rate") == EQUATIONS
    assert true_equations(equation_fold()[0].train, "rate") == EQUATIONS


def test_chance_is_what_random_terms_have_on_average():
    rng = np.random.default_rng(0)
    truth = np.array([[1.0, 1, 0, 0, 0, 0, 1], [0, 0, 3, 0, 0, 0, 0]])
    found = np.array([[0.0, 1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]])
    drawn = []
    for _ in range(4000):
        some = np.zeros_like(truth)
        for row, count in zip(some, (3, 1), strict=True):
            row[rng.choice(6, count, replace=False)] = 1
        drawn.append(support_scores(some, truth))
    wanted = chance_scores(found, truth, 6)
    for name in ("precision", "recall", "f1"):
        assert np.mean([getattr(one, name) for one in drawn]) == pytest.approx(getattr(wanted, name), abs=0.01)


def test_nothing_found_is_wholly_wrong():
    truth = np.array([[3.0, 4.0], [0.0, 1.0]])
    assert coefficient_error(0 * truth, truth) == 1.0
    assert support_scores(0 * truth, truth).precision == 0.0


def card(names, found, **more):
    """A card of one equation, and its axes."""
    found = np.array([found], float)
    facts = {
        "terms": names,
        "outputs": ["dx/dt"],
        "found": found,
        "low": found - 0.1,
        "high": found + 0.1,
        "inclusion": found * 0 + 1,
    }
    figure = drawn(facts | more)
    figure.canvas.draw()
    return [text.get_text() for text in figure.texts], figure.axes


def test_a_card_typesets_an_equation_and_says_what_each_term_adds_in_a_sample():
    values = np.array([5.0, -3.0, 2.0])
    (title,), (left, right) = card(
        ["1", "x", "x^2*y"], [0.0, 2.0, -1.5], sample="walk 7", values=values, true=np.array([[0, 2.0, -1.0]])
    )
    assert title.startswith("$\\frac{dx}{dt} = 2")
    assert "x^{2}" in title
    assert [label.get_text() for label in left.get_yticklabels()] == ["1", "x", "x^2*y"]
    assert [bar.get_width() for bar in right.patches] == [0.0, -6.0, -3.0]
    assert right.get_xlabel() == "adds in walk 7; together -9.000"
    rings = left.lines[1].get_xdata()
    assert list(rings) == [0, 2, -1]
    # Nobody knows the truth, nor a sample.
    _, axes = card(["x"], [1.0])
    assert len(axes) == 1
    assert len(axes[0].lines) == 2


def test_a_long_equation_is_broken_and_a_name_that_cannot_be_typeset_is_written_plainly():
    names = [f"x{at}" for at in range(7)]
    first, second = card(names, [1.0] * 7)[0]
    assert first.count("+") == 5
    assert second.startswith("$\\quad +")
    assert second.count("+") == 1
    # Long names take more room.
    assert [line.count("torque") for line in card([f"torque {at}*{'x' * 20}" for at in range(5)], [1.0] * 5)[0]] == [
        2,
        2,
        1,
    ]
    (plain,) = card(["a^{b"], [2.0])[0]
    assert plain == "dx/dt = 2 a^{b"


def test_chance_of_both_errors_is_that_of_finding_nothing():
    fold, context = equation_fold()
    head, before = changed(fold, "sindy-ensemble", lambda coefficients, names: coefficients.zero_())
    try:
        results, _ = concluded(fold, context)
    finally:
        head.coefficients.data.copy_(before)
    for metric in ("coefficient_error", "rate_error"):
        nothing = results["sindy-ensemble", metric]
        assert nothing.chance == nothing.value == pytest.approx(1.0)
