"""The Gaussian process beside scikit-learn's, and taken apart into training samples and curves of single numbers."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.metrics import r2_score
from small_training import parts, planted, sides

from pellucid import plugins
from pellucid.assembly import build_head
from pellucid.batch import Batch
from pellucid.data.spec import Binary, DataSpec, MultiLabel, Regression, Vector
from pellucid.entries import HeadEntry
from pellucid.errors import ContractError, DataError, StudyError
from pellucid.heads.kernels import fitting
from pellucid.heads.kernels.fitting import JITTER, fit
from pellucid.heads.kernels.gaussian_process import NAME, OTHERS, GaussianProcess, GaussianProcessConfig
from pellucid.heads.kernels.kernels import CAP, kernel, min_max, min_max_parts
from pellucid.representation import Representation
from pellucid.sample_ids import decoded_ids
from pellucid.training.fit import fit_encoder, fit_model
from pellucid.training.settings import TrainingSettings

UNITS = (*(f"count:{at}" for at in range(12)), "number:a", "number:b", "number:c")
LENGTH = Regression(names=("length",), units=("m",))


def drawn(count=90, seed=0):
    """Counts of which the first two matter, and numbers of which the first does."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.8, (count, 12)).astype(np.float32)
    numbers = rng.normal(size=(count, 3)).astype(np.float32)
    y = counts[:, 0] - counts[:, 1] + 2 * np.sin(numbers[:, 0]) + rng.normal(0, 0.1, count)
    return np.hstack([counts, numbers]), y.astype(np.float32)


def z_of(x):
    return Representation(torch.from_numpy(x), UNITS)


def fitted(target=LENGTH, y=None, x=None, **options):
    if x is None:
        x, own = drawn()
        y = own if y is None else y
    options = {"kernels": {"count": "min-max"}, **options}
    head = GaussianProcess(GaussianProcessConfig(units=UNITS, target=target, **options))
    labels = torch.tensor(np.asarray(y, np.float32)).reshape(len(x), -1)
    names = tuple(f"m{at}" for at in range(len(x)))
    half = len(x) // 2
    head.finish(
        [(z_of(x[s]), Batch({}, targets=labels[s], samples=names[s])) for s in (slice(0, half), slice(half, None))]
    )
    return head.eval()


def test_min_max_is_the_sum_of_the_smaller_over_that_of_the_larger():
    rng = np.random.default_rng(0)
    a, b = rng.poisson(1.5, (7, 9)).astype(np.float64), rng.poisson(1.5, (5, 9)).astype(np.float64)
    a[0] = 0
    a[1, 0] = 40
    found = min_max(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    for i, one in enumerate(a.clip(max=CAP)):
        for j, other in enumerate(b.clip(max=CAP)):
            assert found[i, j] == pytest.approx(np.minimum(one, other).sum() / np.maximum(one, other).sum())
    assert min_max(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0.0


def test_nobody_is_like_nobody():
    some = torch.ones(2, 3)
    assert min_max(some[:0], some).shape == (0, 2)
    assert min_max_parts(some, some[:0], torch.ones(0)).tolist() == [[0.0] * 3] * 2


def test_kernels_of_units_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 4)), rng.normal(size=(5, 4))

    def found(name):
        return kernel(name, torch.from_numpy(a), torch.from_numpy(b)).numpy()

    assert np.allclose(found("additive"), np.mean([RBF(1.0)(a[:, [at]], b[:, [at]]) for at in range(4)], axis=0))
    assert np.allclose(found("linear"), DotProduct(0.0)(a, b) / 4)
    assert np.allclose(found("rbf"), RBF(2.0)(a, b))


def test_weights_are_the_likeliest_under_their_prior():
    x, y = drawn()
    counts, numbers = torch.from_numpy(x[:, :12]).double(), torch.from_numpy(x[:, 12:]).double()
    kernels = [kernel("min-max", counts, counts).numpy(), kernel("additive", numbers, numbers).numpy()]
    t = ((y - y.mean()) / y.std()).astype(np.float64)

    def unlikelihood(logs):
        w = np.exp(logs)
        cov = w[0] * kernels[0] + w[1] * kernels[1] + w[2] * np.eye(len(t))
        return -multivariate_normal(cov=cov).logpdf(t) - norm(0, 3).logpdf(logs).sum()

    best = minimize(unlikelihood, np.zeros(3), method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-5})
    found = fit(kernels, t)
    assert [*found.weights, found.noise] == pytest.approx(np.exp(best.x), rel=0.02)


def test_weights_of_many_samples_are_chosen_on_some_of_them_and_all_are_fitted(monkeypatch):
    x, y = drawn()
    z, t = torch.from_numpy(x[:, 12:]).double(), ((y - y.mean()) / y.std()).astype(np.float64)
    k = kernel("rbf", z, z).numpy()
    whole = fit([k], t)
    monkeypatch.setattr(fitting, "ENOUGH", 40)
    one, again, other = fit([k], t), fit([k], t, seed=0), fit([k], t, seed=1)
    assert len(one.alpha) == len(t)
    assert one.weights == again.weights
    assert len({whole.weights[0], one.weights[0], other.weights[0]}) == 3


def test_the_answer_is_that_of_scikit_learn_with_the_same_kernel():
    x, y = drawn()
    z, t = torch.from_numpy(x[:, 12:]).double(), (y - y.mean()) / y.std()
    found = fit([kernel("rbf", z, z).numpy()], t.astype(np.float64))
    same = ConstantKernel(found.weights[0], "fixed") * RBF(np.sqrt(3), "fixed") + WhiteKernel(found.noise, "fixed")
    other = GaussianProcessRegressor(same, alpha=0, optimizer=None).fit(x[:, 12:], t)
    new = torch.from_numpy(drawn(seed=1)[0][:, 12:]).double()
    said = found.weights[0] * kernel("rbf", new, z).numpy() @ found.alpha
    assert np.allclose(said, other.predict(new.numpy()), atol=1e-6)
    free = ConstantKernel(1.0) * RBF(np.sqrt(3), "fixed") + WhiteKernel(0.2)
    best = GaussianProcessRegressor(free, alpha=JITTER).fit(x[:, 12:], t).log_marginal_likelihood_value_
    # Short of the maximum by the prior on the weights alone.
    assert other.log_marginal_likelihood_value_ > best - 1.0


def test_what_is_said_of_a_sample_left_out_is_what_a_process_without_it_says():
    x, y = drawn(30)
    z, t = torch.from_numpy(x[:, :12]).double(), ((y - y.mean()) / y.std()).astype(np.float64)
    k = kernel("min-max", z, z).numpy()
    found = fit([k], t)
    for at in (0, 7, 29):
        rest = np.setdiff1d(np.arange(30), at)
        total = found.weights[0] * k[np.ix_(rest, rest)] + found.noise * np.eye(29)
        alone = found.weights[0] * k[at, rest] @ np.linalg.solve(total, t[rest])
        assert found.left_out[at] == pytest.approx(alone, abs=1e-8)


@pytest.mark.parametrize("kernels", [{"count": "min-max"}, {"count": "rbf", "number": "linear"}, {"count": "additive"}])
@pytest.mark.parametrize("target", [LENGTH, Binary(names=("no", "yes"))])
@pytest.mark.parametrize("parts", ["units", "samples"])
def test_parts_add_up_whatever_the_kernels(kernels, target, parts):
    x, y = drawn()
    head = fitted(target, y if target is LENGTH else y > 0, x, kernels=kernels, parts=parts)
    z = z_of(drawn(seed=1)[0])
    found = head.explain(z, head.outputs[0])
    assert found.gap.abs().max() < 1e-4
    assert torch.allclose(found.output, head(z)[:, 0])
    assert (found.contributions[~found.known] == 0).all()


@pytest.mark.parametrize("kind", ["additive", "linear", "rbf"])
def test_what_is_said_does_not_depend_on_units_of_numbers_and_labels(kind):
    x, y = drawn()
    new, truth = drawn(seed=1)
    kernels = {"count": "min-max", "number": kind}

    def said(numbers, labels):
        def given(values):
            return np.hstack([values[:, :12], (values[:, 12:] + numbers[0]) * numbers[1]]).astype(np.float32)

        return (
            fitted(LENGTH, y * labels[1] + labels[0], given(x), kernels=kernels)(z_of(given(new)))[:, 0]
            .detach()
            .numpy()
        )

    plain = said((0, 1), (0, 1))
    assert r2_score(truth, plain) > (0.6 if kind == "linear" else 0.85)
    assert said((5, 0.01), (0, 1)) == pytest.approx(plain, abs=1e-3)
    assert said((0, 1), (700, 100)) == pytest.approx(700 + 100 * plain, abs=0.1)


def test_numbers_are_compared_in_standard_deviations_of_what_is_within():
    x, y = drawn()
    x[:, 13] = 3.0
    x[0, 12] = 1e6
    head = fitted(LENGTH, y, x)
    rows = head.rows[:, 12:].double().numpy()
    assert rows.mean(0) == pytest.approx(0, abs=1e-5)
    assert rows.std(0) == pytest.approx([1, 0, 1], abs=1e-5)


def test_the_number_that_matters_has_a_curve_and_the_others_are_flat():
    x, y = drawn(200)
    head = fitted(LENGTH, y, x)
    new = drawn(200, seed=1)[0]
    found = head.explain(z_of(new), "length")
    part = {name: found.contributions[:, at].detach().numpy() for at, name in enumerate(found.names)}
    assert np.corrcoef(part["number:a"], 2 * np.sin(new[:, 12]))[0, 1] > 0.95
    assert part["number:a"].std() > 5 * max(part["number:b"].std(), part["number:c"].std())


@pytest.mark.parametrize("kind", ["additive", "linear"])
def test_parts_of_numbers_are_measured_from_their_mean_over_the_training_samples(kind):
    x, y = drawn()
    head = fitted(LENGTH, y, x, kernels={"count": "min-max", "number": kind})
    found = head.explain(z_of(x), "length")
    parts = found.contributions.detach().numpy()
    assert parts[:, 12:].mean(0) == pytest.approx(np.zeros(3), abs=1e-4)
    assert parts[:, 12].std() > 0.5
    # So the baseline, which counts are measured from too, is what is said of one without any, in the mean over the numbers of all.
    nothing = x.copy()
    nothing[:, :12] = 0
    assert float(found.baseline[0].detach()) == pytest.approx(float(head(z_of(nothing)).detach().mean()), abs=1e-3)


def test_what_a_count_is_worth_is_what_it_adds_to_each_likeness():
    x, y = drawn()
    head = fitted(LENGTH, y, x)
    one = drawn(seed=1)[0][:1]
    found = head.explain(z_of(one), "length")
    rows, alpha = head.rows[:, :12].numpy(), head.alpha[0].detach().numpy()
    either = np.maximum(one[:, :12], rows).sum(1)
    expected = head.line[0, 0].item() * head.weights[0, 0].item() * (alpha / either) @ np.minimum(one[:, :12], rows)
    said = {name: found.contributions[0, at].item() for at, name in enumerate(found.names)}
    assert [said[f"count:{at}"] for at in range(12)] == pytest.approx(expected.tolist(), abs=1e-5)
    assert found.known[0, :12].tolist() == (one[0, :12] != 0).tolist()
    # The two counts that matter are worth most where they are there.
    new = drawn(200, seed=2)[0]
    parts = head.explain(z_of(new), "length").contributions.detach().numpy()
    per_count = [parts[new[:, at] > 0, at].mean() for at in range(12)]
    assert np.argmax(per_count) == 0
    assert np.argmin(per_count) == 1


def test_the_training_samples_that_say_most_are_named_and_their_like_is_found():
    x, y = drawn()
    head = fitted(LENGTH, y, x, parts="samples")
    found = head.explain(z_of(x[:5]), "length")
    for case in range(5):
        assert found.known[case].sum() == 3 + 10 + 1
        sources = [one.source for one in found.evidence[case]]
        assert len(set(sources)) == 10
        assert set(sources) <= {f"m{at}" for at in range(len(x))}
        strongest = found.contributions[case, 3:-1].abs().argmax()
        assert found.names[3 + strongest] == f"like {sources[0]}"
    assert found.names[-1] == OTHERS
    # A sample is most like itself.
    likeness = min_max(torch.from_numpy(x[:5, :12]), head.rows[:, :12])
    assert likeness.argmax(1).tolist() == [0, 1, 2, 3, 4]


def test_chances_are_calibrated_on_what_is_said_of_samples_left_out():
    x, y = drawn(400)
    noisy = (y + np.random.default_rng(3).normal(0, 2, 400)) > 0
    head = fitted(Binary(names=("no", "yes")), noisy, x)
    new, truth = drawn(400, seed=1)
    true = (truth + np.random.default_rng(4).normal(0, 2, 400)) > 0
    chance = head(z_of(new))[:, 0].sigmoid().detach().numpy()
    assert abs(chance.mean() - true.mean()) < 0.07
    sure = chance > 0.8
    assert sure.sum() > 20
    assert abs(true[sure].mean() - chance[sure].mean()) < 0.1


def test_each_label_is_learnt_from_the_samples_that_have_it():
    x, y = drawn(120)
    labels = np.column_stack([y > 0, x[:, 12] > 0]).astype(float)
    labels[60:, 0], labels[:30, 1] = np.nan, np.nan
    head = fitted(MultiLabel(names=("long", "high"), partial=True), labels, x)
    assert (head.alpha[0, 60:] == 0).all()
    assert (head.alpha[1, :30] == 0).all()
    said = head(z_of(drawn(120, seed=1)[0])).detach().numpy()
    assert np.corrcoef(said[:, 1], drawn(120, seed=1)[0][:, 12])[0, 1] > 0.8


def test_it_is_rebuilt_and_notices_other_encoders():
    head = fitted()
    again = GaussianProcess(head.config)
    assert "has seen no training samples" in again.stale(torch.zeros(16, dtype=torch.uint8))
    again.load_state_dict(head.state_dict())
    z = z_of(drawn(seed=1)[0])
    assert torch.equal(head(z), again(z))
    then = torch.arange(16, dtype=torch.uint8)
    again.remember(then)
    assert again.stale(then) == ""
    assert "an encoder has changed" in again.stale(then + 1)


def test_a_far_number_counts_as_the_last_one_within():
    x, y = drawn()
    head = fitted(LENGTH, y, x)
    far, further = x[:1].copy(), x[:1].copy()
    far[0, 12], further[0, 12] = 50, 1e9
    assert torch.equal(head(z_of(far)), head(z_of(further)))


def test_what_cannot_be_is_refused():
    x, y = drawn()
    with pytest.raises(
        StudyError, match="kernels names 'cuont', which is no encoder that it reads; did you mean 'count'"
    ):
        fitted(LENGTH, y, x, kernels={"cuont": "min-max"})
    with pytest.raises(DataError, match="units of 'number' are negative"):
        fitted(LENGTH, y, x, kernels={"number": "min-max"})
    with pytest.raises(DataError, match="labels of 'length' are the same"):
        fitted(LENGTH, np.ones_like(y), x)
    with pytest.raises(DataError, match="units of 'number' are no whole numbers"):
        fitted(LENGTH, y, np.abs(x), kernels={"number": "min-max"})
    with pytest.raises(ContractError, match="labelled samples"):
        fitted().finish([(z_of(x), Batch({}))])


def test_of_too_many_samples_some_are_compared_under_their_own_names():
    x, y = drawn()
    head = fitted(LENGTH, y, x, most=40, parts="samples")
    names = [name.removeprefix("like m") for name in head.explain(z_of(x[:1]), "length").names if "like" in name]
    assert len(names) == len(head.rows) == 40
    assert np.array_equal(head.rows[:, :12].numpy(), x[[int(name) for name in names], :12])
    assert not torch.equal(head.rows, fitted(LENGTH, y, x, most=40, seed=1).rows)


def test_counts_that_an_encoder_standardises_are_refused_before_anything_is_fitted():
    made = plugins.load("encoder", "identity")
    entry = HeadEntry.model_validate({"name": NAME, "kernels": {"count": "min-max"}})
    spec = DataSpec(
        name="made", inputs={"count": Vector(names=("a", "b"))}, targets={"length": LENGTH}, namespace="made"
    )
    for standardised in (False, True):
        encoder = made(made.config_type(inputs=spec.inputs, standardised=standardised))
        build = partial(build_head, entry, {"count": encoder}, spec, "length", seed="0")
        if standardised:
            with pytest.raises(StudyError, match="write standardised = false with this encoder"):
                build()
        else:
            assert build().counted == ("count",)


def test_units_are_the_same_in_every_fold_and_training_samples_are_not():
    head = fitted(parts="samples")
    names = head.explain(z_of(drawn()[0][:1]), "length").names
    assert [head.lasting(name) for name in names] == [name in UNITS for name in names]
    assert sum(map(head.lasting, names)) == 3


def test_training_samples_are_named_as_the_data_name_them():
    """Encoders that are frozen say the samples once, and the ids travel with what they say."""
    dataset = planted()
    encoders, head = parts(dataset, GaussianProcess)
    fit_encoder(encoders["x"], sides(dataset), TrainingSettings())
    model, _ = fit_model(encoders, head, sides(dataset), TrainingSettings())
    assert decoded_ids(model.head.ids) == tuple(f"s{at}" for at in range(80))


def test_training_samples_without_ids_are_refused():
    x, y = drawn(20)
    head = GaussianProcess(GaussianProcessConfig(units=UNITS, target=LENGTH))
    with pytest.raises(ContractError, match="no ids"):
        head.finish([(z_of(x), Batch({}, targets=torch.tensor(y)[:, None]))])
