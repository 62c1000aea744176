"""The trivial baseline: against scikit-learn, with one class, missing values and no covariate, and through JSON."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pellucid.data import ArrayDataset, Binary, DataSpec, MultiClass, MultiLabel, Ordinal, Regression, Vector
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.statistics.classification import choose_threshold

TARGETS = {
    "ill": Binary(names=("well", "ill")),
    "kind": MultiClass(names=("a", "b", "c")),
    "signs": MultiLabel(names=("one", "two")),
    "level": Ordinal(names=("low", "middle", "high")),
    "grade": Regression(names=("x", "y"), units=("1", "1")),
}


def cohort(n=80, seed=0, trivial=("size", "age"), **changes):
    rng = np.random.default_rng(seed)
    size, age = 500 + 100 * rng.normal(size=n), 60 + 10 * rng.normal(size=n)
    signal = (size - 500) / 100 + rng.normal(size=n)
    columns = {
        "subject": np.arange(n) + 1000 * seed,
        "ill": (signal > 0.5).astype(float),
        "kind": np.digitize(signal, [-0.5, 0.5]).astype(float),
        "signs:one": (signal > 0).astype(float),
        "signs:two": (age > 60).astype(float),
        "level": np.digitize(signal, [-0.5, 0.5]).astype(float),
        "grade:x": signal,
        "grade:y": -2 * signal + age,
        "size": np.where(np.arange(n) % 9 == 4, np.nan, size),
        "age": age,
        **changes,
    }
    spec = DataSpec(
        name="cohort",
        inputs={},
        targets=TARGETS,
        namespace="cohort",
        covariates=Vector(names=("age", "size")),
        trivial=trivial,
    )
    return ArrayDataset(spec, pd.DataFrame(columns, index=[f"s{i}" for i in range(n)]), {})


def reference(train, last, labels):
    made = make_pipeline(SimpleImputer(), StandardScaler(), last)
    return made.fit(train.covariate_values(("size", "age")), labels)


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_scikit_learns_regression_on_imputed_scaled_covariates(target):
    train, test = cohort(seed=0), cohort(seed=1)
    x, y = test.covariate_values(("size", "age")), train.target_values(target)
    found = TrivialBaseline(train.spec, target).fit(train).predict(test)
    if target == "grade":
        expected = reference(train, Ridge(), y).predict(x)
    elif target == "kind":
        expected = reference(train, LogisticRegression(max_iter=1000), y[:, 0]).predict_proba(x)
    else:
        columns = y if target != "level" else (y > np.arange(2)).astype(float)
        models = [reference(train, LogisticRegression(max_iter=1000), c) for c in columns.T]
        expected = np.column_stack([m.predict_proba(x)[:, 1] for m in models])
    assert found == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("target", TARGETS)
def test_it_says_the_same_after_json(target):
    train, test = cohort(seed=0), cohort(seed=1)
    before = TrivialBaseline(train.spec, target).fit(train)
    after = TrivialBaseline.from_json(json.loads(json.dumps(before.to_json())), train.spec, target)
    assert after.predict(test) == pytest.approx(before.predict(test), abs=0)
    assert after.threshold == before.threshold
    assert after.learned_from == before.learned_from == train.learned_from


def test_two_of_three_classes_in_training_leave_the_third_improbable():
    train = cohort(kind=(np.arange(80) % 2) * 2.0, trivial=("size",), size=np.arange(80) % 2 + np.arange(80) / 100)
    chances = TrivialBaseline(train.spec, "kind").fit(train).predict(train)
    assert chances.sum(1) == pytest.approx(np.ones(80))
    assert chances[:, 1].max() < 1e-4
    model = LogisticRegression(max_iter=1000).fit(
        StandardScaler().fit_transform(train.covariate_values(("size",))), train.target_values("kind")[:, 0]
    )
    assert chances[:, 2] == pytest.approx(
        model.predict_proba(StandardScaler().fit_transform(train.covariate_values(("size",))))[:, 1], abs=1e-3
    )
    only = cohort(kind=np.ones(80))
    assert TrivialBaseline(only.spec, "kind").fit(only).predict(only)[:, 1].min() > 0.999


def test_one_class_in_training_is_nearly_certain_and_has_no_threshold_of_its_own():
    for value, expected in ((1.0, 80.5 / 81), (0.0, 0.5 / 81)):
        train = cohort(ill=np.full(80, value))
        made = TrivialBaseline(train.spec, "ill").fit(train)
        assert made.predict(cohort(seed=1))[:, 0] == pytest.approx(np.full(80, expected))
        assert made.threshold == 0.5


def test_without_a_covariate_it_says_the_training_share():
    train = cohort(trivial=())
    made = TrivialBaseline(train.spec, "ill").fit(train)
    assert made.name == "training mean"
    assert made.predict(cohort(seed=1, trivial=()))[:, 0] == pytest.approx(
        np.full(80, train.frame["ill"].mean()), abs=1e-3
    )
    assert TrivialBaseline(cohort().spec, "ill").name == "size + age alone"


def test_the_threshold_is_chosen_on_the_training_samples():
    train = cohort()
    made = TrivialBaseline(train.spec, "ill").fit(train)
    assert made.threshold == choose_threshold(train.target_values("ill")[:, 0], made.predict(train)[:, 0])
    assert made.threshold != 0.5
    assert TrivialBaseline(train.spec, "grade").fit(train).threshold == 0.5


def test_a_covariate_that_is_never_known_or_never_varies_does_no_harm():
    train = cohort(size=np.full(80, np.nan), age=np.full(80, 60.0))
    found = TrivialBaseline(train.spec, "ill").fit(train).predict(cohort(seed=1))
    assert np.isfinite(found).all()


def test_a_missing_covariate_is_read_as_its_mean_over_the_training_samples():
    train, test = cohort(), cohort(seed=1)
    found = TrivialBaseline(train.spec, "ill").fit(train).features(test)
    known = test.covariate_values(("size", "age"))
    missing = np.isnan(known)
    assert missing[:, 0].sum() == 9
    np.testing.assert_array_equal(found[~missing], known[~missing])
    assert found[missing] == pytest.approx(np.nanmean(train.covariate_values(("size",))))
    nothing = TrivialBaseline(cohort(trivial=()).spec, "ill").fit(cohort(trivial=()))
    assert nothing.features(test).tolist() == [[0.0]] * 80
    with pytest.raises(RuntimeError, match="fit the baseline"):
        TrivialBaseline(train.spec, "ill").features(test)


def test_it_cannot_predict_before_it_is_fitted():
    with pytest.raises(RuntimeError, match="fit the baseline"):
        TrivialBaseline(cohort().spec, "ill").predict(cohort())
