"""Thresholded least squares and the heads that are equations: planted terms, bad input, and equations that say what the head says."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Regression
from pellucid.errors import ContractError, DataError, StudyError
from pellucid.heads.abilities import HasEquations
from pellucid.heads.equations import stlsq as module
from pellucid.heads.equations.relevance_vector import RelevanceVector
from pellucid.heads.equations.sindy_ensemble import SindyEnsemble
from pellucid.heads.equations.stlsq import stlsq
from pellucid.monomials import Monomials
from pellucid.representation import Representation
from pellucid.testing.equations import planted_equations

TERMS = Monomials.up_to(3, ("x", "y"))
TRUE = {"dx/dt": {"y": 2.0, "x*y": -1.0}, "dy/dt": {"1": 0.5, "x^2": 1.5}}
TARGET = Regression(names=tuple(TRUE), units=("m s-1", "m s-1"))


def planted(rows=600, noise=0.05, episodes=12, seed=0):
    """Points with rates of the true equations; returns columns, targets, the truth and whose they are."""
    rng = np.random.default_rng(seed)
    columns = TERMS.of(rng.normal(size=(rows, 2)))
    truth = np.array([[TRUE[output].get(term, 0.0) for term in TERMS.names] for output in TRUE])
    targets = columns @ truth.T + rng.normal(0, noise, (rows, 2))
    return columns, targets, truth, [f"e{at * episodes // rows}" for at in range(rows)]


def fitted(kind, columns, targets, groups, names=TERMS.names, **options):
    head = kind(kind.config_type(units=tuple(f"state:{name}" for name in names), target=TARGET, **options))
    half = len(columns) // 2
    parts = [
        (
            Representation(torch.tensor(columns[at], dtype=torch.float32), head.config.units),
            Batch({}, targets=torch.tensor(targets[at], dtype=torch.float32), groups={"episode": tuple(groups[at])} if groups else {}),
        )
        for at in (slice(0, half), slice(half, None))
    ]  # fmt: skip
    head.finish(parts)
    return head.eval(), parts[0][0]


def reference(columns, target, threshold, rounds=20):
    """The textbook's loop on the rows themselves, one target."""
    live = np.ones(columns.shape[1], bool)
    for _ in range(rounds):
        found = np.zeros(columns.shape[1])
        found[live] = np.linalg.lstsq(columns[:, live], target, rcond=None)[0]
        live = np.abs(found) >= threshold
    return np.where(live, found, 0)


@pytest.mark.parametrize("seed", range(3))
def test_thresholded_least_squares_is_that_of_the_textbook(seed):
    columns, targets, _, _ = planted(noise=1.0, rows=80, seed=seed)
    columns = columns * np.logspace(-2, 2, columns.shape[1])
    found = stlsq(columns, targets, threshold=0.05)
    for at in range(2):
        assert found[:, at] == pytest.approx(reference(columns, targets[:, at], 0.05), rel=1e-6, abs=1e-9)


def test_terms_that_are_nearly_alike_are_told_apart_by_rows_where_normal_equations_cannot(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    columns = np.stack([x, x + 3e-6 * rng.normal(size=500)], 1)
    target = (columns @ [1.0, -2.0])[:, None]
    assert stlsq(columns, target, threshold=0.1)[:, 0] == pytest.approx([1, -2], rel=1e-6)
    monkeypatch.setattr(module, "ILL_CONDITIONED", 1e30)
    assert np.abs(stlsq(columns, target, threshold=0.1)[:, 0] - [1, -2]).max() > 1e-6, "then rows were not needed"


def test_a_term_that_stands_twice_shares_and_one_that_is_zero_has_nothing():
    x = np.linspace(-1, 1, 40)
    found = stlsq(np.stack([x, x, 0 * x, x**2], 1), (3 * x)[:, None], threshold=0.1)
    assert found[:, 0] == pytest.approx([1.5, 1.5, 0, 0])


@pytest.mark.parametrize("kind", [SindyEnsemble, RelevanceVector])
def test_planted_terms_are_found_and_no_others(kind):
    columns, targets, truth, groups = planted()
    head, _ = fitted(kind, columns, targets, groups)
    found = head.coefficients.detach().numpy()
    assert isinstance(head, HasEquations)
    assert ((found != 0) == (truth != 0)).all()
    assert np.abs(found - truth).max() < 0.02
    low, high = head.low.numpy(), head.high.numpy()
    assert (low < high)[truth != 0].all()
    assert ((low <= found) & (found <= high)).all()
    assert (head.inclusion[truth != 0] > 0.9).all()
    # Of 2 x 2 true terms with intervals of 90 %.
    assert ((low <= truth) & (truth <= high))[truth != 0].sum() >= 3


def test_ranges_grow_with_noise_as_the_spread_over_new_data_does():
    def width(noise):
        columns, targets, truth, groups = planted(noise=noise)
        head, _ = fitted(SindyEnsemble, columns, targets, groups, members=200)
        return (head.high - head.low).numpy()[truth != 0]

    fits = np.stack([stlsq(*planted(noise=0.4, seed=s)[:2], threshold=0.1).T for s in range(200)])
    spread = np.quantile(fits, 0.95, 0) - np.quantile(fits, 0.05, 0)
    assert width(0.4) == pytest.approx(spread[planted()[2] != 0], rel=0.6)
    assert (width(0.4) > 4 * width(0.05)).all()


def test_the_median_withstands_a_broken_episode_where_the_mean_does_not():
    columns, targets, truth, groups = planted(rows=1000, episodes=20)
    targets[:50] += np.random.default_rng(1).normal(0, 30, (50, 2))
    error = {}
    for how in ("median", "mean"):
        head, _ = fitted(SindyEnsemble, columns, targets, groups, aggregate=how, share=0.3)
        error[how] = np.abs(head.coefficients.detach().numpy() - truth).max()
    assert error["median"] < 0.05 < error["mean"]


def test_terms_kept_by_too_few_members_have_no_coefficient():
    columns, targets, _, groups = planted()
    head, _ = fitted(SindyEnsemble, columns, targets, groups, dropout=0.3, members=100)
    assert (head.inclusion <= 0.85).all(), "each term is away from three members of ten"
    found, sure = head.coefficients.detach(), head.inclusion
    assert ((found != 0) <= (sure > 0.5)).all()
    two, _ = fitted(SindyEnsemble, columns, targets, groups, dropout=0.3, members=2, seed=1)
    half = two.inclusion == 0.5
    assert half.any()
    assert not two.coefficients[half].any(), "half of a coefficient is none"


def test_blocks_are_drawn_where_there_is_one_episode():
    columns, targets, truth, _ = planted()
    one = ["e"] * len(columns)
    with pytest.raises(DataError, match=r"all training samples are of one group.*bagging = \"blocks\""):
        fitted(SindyEnsemble, columns, targets, one)
    head, _ = fitted(SindyEnsemble, columns, targets, one, bagging="blocks", block=20)
    assert ((head.coefficients.detach().numpy() != 0) == (truth != 0)).all()
    assert (head.high > head.low).any()


def test_a_relevance_vector_machine_keeps_one_of_terms_that_are_alike_and_nothing_of_nothing():
    columns, targets, truth, groups = planted()
    names = (*TERMS.names, "copy")
    head, _ = fitted(RelevanceVector, np.concatenate([columns, -2 * columns[:, 2:3]], 1), targets, groups, names)
    assert np.count_nonzero(head.coefficients.detach().numpy()) == np.count_nonzero(truth)
    nothing, _ = fitted(RelevanceVector, columns, 0 * targets, groups)
    assert not nothing.coefficients.any()
    assert nothing.equations() == {"dx/dt": "dx/dt [m s-1] = 0", "dy/dt": "dy/dt [m s-1] = 0"}


def test_posterior_deviations_are_those_of_least_squares_on_the_kept_terms():
    columns, targets, truth, groups = planted(noise=0.5)
    head, _ = fitted(RelevanceVector, columns, targets, groups)
    kept = truth[0] != 0
    own = columns[:, kept]
    left = targets[:, 0] - own @ np.linalg.lstsq(own, targets[:, 0], rcond=None)[0]
    sd = np.sqrt(np.linalg.inv(own.T @ own).diagonal() * left.var())
    found = (head.high - head.low).numpy()[0, kept] / (2 * 1.6449)
    assert found == pytest.approx(sd, rel=0.02)


@pytest.mark.parametrize("kind", [SindyEnsemble, RelevanceVector])
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda c, t: (c[:7], t[:7]), "7 training samples do not determine coefficients of 10 terms"),
        (lambda c, t: (np.where(c == c[3, 1], np.nan, c), t), "term 'x' is nan in 1 training sample"),
        (lambda c, t: (c, np.where(t == t[5, 1], np.inf, t)), "label 'dy/dt' is inf in 1 training sample"),
    ],
)  # fmt: skip
def test_samples_that_determine_nothing_are_refused(kind, spoil, said):
    columns, targets = spoil(*planted()[:2])
    with pytest.raises(DataError, match=said):
        fitted(kind, columns, targets, [f"e{at % 3}" for at in range(len(columns))])


def test_too_few_samples_for_the_library_are_refused_before_anything_is_fitted():
    columns, targets, _, groups = planted()
    head, _ = fitted(SindyEnsemble, columns, targets, groups)
    data = planted_equations(samples=20)
    assert head.unfit_for(data) == ""
    assert "of 10 terms, and 9 samples do not determine them" in head.unfit_for(data.subset(np.arange(9)))


def test_what_is_written_says_what_the_head_says():
    columns, targets, _, groups = planted()
    head, z = fitted(SindyEnsemble, columns, targets, groups)
    points = columns[: len(z), 1:3].astype(np.float32)
    assert head.function(("x", "y"))(points) == pytest.approx(head(z).detach().numpy(), rel=1e-5, abs=1e-5)
    assert head.function(("y", "x"))(points[:, ::-1]) == pytest.approx(head.function()(points)), (
        "asked for in another order"
    )
    assert head.function()(points[0]) == pytest.approx(head.function()(points)[0]), "one point alone"
    terms = head.terms("dx/dt")
    assert set(terms) == {"y", "x*y"}
    assert head.equations()["dx/dt"] == f"dx/dt [m s-1] = {terms['y']:.4g} y - {-terms['x*y']:.4g} x*y"
    assert head.latex()["dx/dt"].startswith(r"\frac{dx}{dt} = ")
    found = head.explain(z, "dy/dt")
    assert found.gap.abs().max() < 1e-5
    assert found.evidence[0][0].text == head.equations()["dy/dt"]
    at = head.config.units.index("state:x^2")
    assert found.contributions[:, at].tolist() == pytest.approx(
        (z.values[:, at].double() * head.terms("dy/dt")["x^2"]).tolist(), rel=1e-6
    )
    with pytest.raises(ContractError, match=r"'x\^2' is no product of powers of y"):
        head.export(("y",))


def test_an_exported_function_needs_numpy_alone_and_runs_no_name(tmp_path):
    columns, targets, _, groups = planted()
    names = tuple(name.replace("x", 'x"); import os; ("') for name in TERMS.names)
    head, _ = fitted(SindyEnsemble, columns, targets, groups, names)
    variables = ('x"); import os; ("', "y")
    (tmp_path / "equations.py").write_text(head.export(variables))
    code = (
        "import sys, equations\nassert 'torch' not in sys.modules and not hasattr(equations, 'os')\n"
        "print(*equations.predict([0.5, 2.0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [float(one) for one in done.stdout.split()] == pytest.approx([2 * 2 - 0.5 * 2, 0.5 + 1.5 * 0.25], abs=0.05)


def test_products_that_an_angle_makes_twice_are_left_out_and_its_equations_are_the_true_ones():
    rng = np.random.default_rng(0)
    angle, speed = rng.uniform(0, 2 * np.pi, 500), rng.normal(size=500)
    states = np.stack([np.cos(angle), np.sin(angle), speed], 1)
    target = Regression(names=("pay",), units=("1",))
    found = {}
    for angles in ((), (("cos", "sin"),)):
        terms = Monomials.up_to(2, ("cos", "sin", "w"), angles=angles)
        head = SindyEnsemble(
            SindyEnsemble.config_type(units=terms.names, target=target, bagging="blocks", threshold=0.01)
        )
        head.settle_on(terms.of(states), (0.5 + 2 * np.cos(angle) - 0.1 * speed**2)[:, None], ["walk"] * 500)
        found[bool(angles)] = head.terms("pay")
    assert found[True] == pytest.approx({"1": 0.5, "cos": 2.0, "w^2": -0.1})
    # Without it the constant is shared with the squares, as their sum is 1.
    assert {"cos^2", "sin^2"} <= set(found[False])
    # Nothing that can be said is lost: the third degree has as many independent columns as terms.
    every = Monomials.up_to(3, ("cos", "sin", "w")).of(states)
    some = Monomials.up_to(3, ("cos", "sin", "w"), angles=(("cos", "sin"),)).of(states)
    assert np.linalg.matrix_rank(every) == np.linalg.matrix_rank(some) == some.shape[1] < every.shape[1]
    with pytest.raises(StudyError, match=r"angles names 'sine'.*did you mean 'sin'"):
        Monomials.up_to(2, ("cos", "sin"), angles=(("cos", "sine"),))


def test_equations_are_drawn_without_true_ones():
    from matplotlib.figure import Figure

    from pellucid.protocols.dynamics.equation_card import drawn

    one = np.array([[1.0, 0.0, 0.0]])
    facts = {
        "terms": ["x", "y", "z"],
        "outputs": ["u"],
        "found": one,
        "low": one,
        "high": one,
        "inclusion": np.array([[1, 0.4, 0]]),
    }
    figure = drawn(facts)
    assert isinstance(figure, Figure)
    # The kept term, and the one that some members keep; no ring of a truth.
    assert [one.get_text() for one in figure.axes[0].get_yticklabels()] == ["x", "y"]
    assert len(figure.axes[0].lines) + 1 == len(drawn(facts | {"true": one}).axes[0].lines)


def test_evidence_of_a_term_is_what_the_marginal_likelihood_loses_without_it():
    from scipy.stats import multivariate_normal

    from pellucid.heads.equations import evidence

    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    y = 1.5 * x[:, 0] - 0.4 * x[:, 1] + 0.15 * x[:, 2] + 0.3 * rng.normal(size=60)
    coefficients = np.array([1.5, -0.4, 0.0, 0.0])
    ranked = {one.name: one for one in evidence.ranked_terms(x, y, coefficients, ("a", "b", "c", "d"))}
    assert list(ranked) == ["a", "b", "c", "d"]
    # The same by the density of all rows together.
    size, scale = np.sqrt(np.square(x).mean(0)), np.sqrt(np.square(y).mean())
    phi, target = x / size, y / scale
    of = phi[:, :2]
    precision, noise = evidence._settled(of.T @ of, of.T @ target, float(target @ target), 60)

    def log_likelihood(columns, precisions):
        covariance = np.eye(60) / noise + columns @ np.diag(1 / np.asarray(precisions)) @ columns.T
        return multivariate_normal(np.zeros(60), covariance).logpdf(target)

    whole = log_likelihood(of, precision)
    assert ranked["a"].evidence == pytest.approx(whole - log_likelihood(of[:, 1:], precision[1:]), rel=1e-6)
    assert ranked["b"].evidence == pytest.approx(whole - log_likelihood(of[:, :1], precision[:1]), rel=1e-6)
    best = max(log_likelihood(phi[:, :3], [*precision, tried]) for tried in np.logspace(-3, 5, 4000))
    assert ranked["c"].evidence == pytest.approx(best - whole, rel=1e-3)
    assert ranked["a"].evidence > ranked["b"].evidence > ranked["c"].evidence > 0.5
    assert not ranked["d"].kept


def test_terms_that_do_not_fit_are_refused_before_they_are_ranked():
    from pellucid.errors import DataError
    from pellucid.heads.equations.evidence import ranked_terms

    with pytest.raises(DataError, match="do not fit"):
        ranked_terms(np.zeros((5, 2)), np.zeros(5), np.zeros(3), ("a", "b"))
    with pytest.raises(DataError, match="more rows"):
        ranked_terms(np.ones((1, 2)), np.ones(1), np.ones(2), ("a", "b"))


def test_a_term_that_more_than_half_of_the_members_keep_has_a_coefficient():
    columns, targets, truth, groups = planted()
    head, _ = fitted(SindyEnsemble, columns, targets, groups, dropout=0.3, members=100)
    sure = head.inclusion[truth != 0]
    # Away by lot from three members of ten.
    assert ((sure > 0.5) & (sure < 0.85)).all()
    assert head.coefficients.detach()[truth != 0].all()


def test_members_draw_episodes_that_there_are_and_one_at_least():
    columns, _, truth, _ = planted()
    groups = ["slow"] * 300 + ["quick"] * 300
    targets = np.where(np.arange(600) < 300, 1.0, 3.0)[:, None] * (columns @ truth.T)
    whole, _ = fitted(SindyEnsemble, columns, targets, groups, members=100)
    assert (whole.inclusion[truth != 0] == 1).all()
    # A tenth of two episodes is none, and members with one see either the slow or the quick one: no mean of both.
    one, _ = fitted(SindyEnsemble, columns, targets, groups, members=101, share=0.1)
    found = one.coefficients.detach().numpy()[truth != 0] / truth[truth != 0]
    assert np.minimum(np.abs(found - 1), np.abs(found - 3)).max() < 1e-3


def test_a_relevance_vector_machine_says_from_which_coefficient_on_a_term_counts():
    columns, targets, _, groups = planted()
    head, _ = fitted(RelevanceVector, columns, 100 * targets, groups, prune=25.0)
    # A fifth of the target's root mean square, by the term's own.
    share = (
        head.level.numpy() * np.sqrt(np.square(columns).mean(0)) / np.sqrt(np.square(100 * targets).mean(0))[:, None]
    )
    assert share == pytest.approx(np.full((2, 10), 0.2), rel=1e-5)


def test_an_equation_without_terms_is_drawn_as_its_title():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from pellucid.protocols.dynamics.equation_card import drawn

    none = np.zeros((1, 0))
    facts = {"terms": [], "outputs": ["u"], "found": none, "low": none, "high": none, "inclusion": none}
    for more in ({}, {"sample": "one", "values": []}):
        figure = drawn(facts | more)
        assert not figure.axes
        assert [text.get_text() for text in figure.texts] == ["$u = 0$"]
        FigureCanvasAgg(figure).draw()
