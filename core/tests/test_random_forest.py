"""The forest says what scikit-learn's says, and is taken apart without remainder."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from pellucid.attribution.gradients import gradient_times_input
from pellucid.batch import Batch
from pellucid.data.spec import Binary, MultiClass, MultiLabel, Regression
from pellucid.errors import DataError
from pellucid.heads.trees.forest import SURE, RandomForest, RandomForestConfig
from pellucid.representation import Representation

UNITS = tuple(f"x:{name}" for name in "abcdef")


def drawn(count=120, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (count, 6)).astype(np.float32) + rng.random((count, 6)).astype(np.float32) * 1e-3
    return x, x[:, 0] * 2 + (x[:, 1] > 2) + rng.normal(0, 0.1, count)


def fitted(target, y, x, **options):
    head = RandomForest(RandomForestConfig(units=UNITS, target=target, trees=25, **options))
    labels = torch.tensor(np.asarray(y, np.float32)).reshape(len(x), -1)
    half = len(x) // 2
    z = torch.from_numpy(x)
    head.finish(
        [(Representation(z[s], UNITS), Batch({}, targets=labels[s])) for s in (slice(0, half), slice(half, None))]
    )
    return head.eval()


def said(head, x):
    return head(Representation(torch.from_numpy(x), UNITS)).detach().numpy()


def test_numbers_are_those_of_scikit_learn_to_the_last_leaf():
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x, seed=3)
    other = RandomForestRegressor(25, max_features=1 / 3, random_state=3).fit(x, y.astype(np.float32))
    new = drawn(seed=1)[0]
    assert np.allclose(said(head, new)[:, 0], other.predict(new), atol=1e-5)


def test_logits_are_those_of_scikit_learn_with_certainty_bounded():
    x, y = drawn()
    label = y > np.quantile(y, 0.8)
    head = fitted(Binary(names=("no", "yes")), label, x)
    other = RandomForestClassifier(25, random_state=0, class_weight="balanced").fit(x, label)
    chance = other.predict_proba(x)[:, 1].clip(SURE, 1 - SURE)
    assert np.allclose(said(head, x)[:, 0], np.log(chance / (1 - chance)), atol=1e-4)
    assert np.abs(said(head, x)).max() <= np.log((1 - SURE) / SURE) + 1e-4


@pytest.mark.parametrize(
    "target", [Regression(names=("y",), units=("m",)), Binary(names=("no", "yes")), MultiClass(names=("a", "b", "c"))]
)
def test_parts_add_up_and_go_to_the_units_that_were_asked(target):
    x, y = drawn()
    labels = (
        y
        if target.kind == "regression"
        else np.searchsorted(np.quantile(y, [0.5] if target.kind == "binary" else [0.3, 0.6]), y)
    )
    head = fitted(target, labels, x)
    z = Representation(torch.from_numpy(drawn(seed=2)[0]), UNITS)
    for output in head.outputs:
        found = head.explain(z, output)
        assert found.gap.abs().max() < 1e-4
        strength = found.contributions.abs().mean(0)
        assert strength[0] == strength.max()
        assert strength[0] > 2 * strength[2:].max()


def test_parts_of_one_tree_are_the_steps_down_it():
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x)
    tree = (
        RandomForestRegressor(25, max_features=1 / 3, random_state=0).fit(x, y.astype(np.float32)).estimators_[0].tree_
    )
    flat = head.trees_of(0)
    one = type(flat)(flat.unit, flat.limit, flat.left, flat.right, flat.value, flat.root[:1], flat.depth)
    start, parts = one.parts(torch.from_numpy(x[:1]).double())
    at, expected = 0, np.zeros(6)
    while tree.feature[at] >= 0:
        below = tree.children_left[at] if x[0, tree.feature[at]] <= tree.threshold[at] else tree.children_right[at]
        expected[tree.feature[at]] += tree.value[below, 0, 0] - tree.value[at, 0, 0]
        at = below
    assert float(start.detach()) == pytest.approx(tree.value[0, 0, 0], rel=1e-6)
    assert np.allclose(parts[0].detach().numpy(), expected, atol=1e-5)


def test_each_label_is_learnt_from_the_samples_that_have_it():
    x = drawn(200)[0]
    labels = np.column_stack([x[:, 0] > 2, x[:, 1] > 2]).astype(float)
    labels[:100, 0], labels[150:, 1] = np.nan, np.nan
    head = fitted(MultiLabel(names=("first", "second"), partial=True), labels, x)
    alone = fitted(Binary(names=("no", "yes")), labels[100:, 0], x[100:])
    assert np.allclose(said(head, x)[:, 0], said(alone, x)[:, 0], atol=1e-6)


def test_it_is_rebuilt_from_settings_and_weights_and_refuses_one_class():
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x)
    again = RandomForest(head.config)
    again.load_state_dict(head.state_dict())
    assert np.array_equal(said(head, x), said(again, x))
    with pytest.raises(DataError, match="all 120 training labels of 'yes' are the same"):
        fitted(Binary(names=("no", "yes")), np.ones(120), x)


def test_gradients_say_nothing_of_steps():
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x)
    z = torch.from_numpy(x)
    found = gradient_times_input(
        lambda values, rows: head(Representation(values, UNITS))[:, 0], z, torch.zeros_like(z), module=head
    )
    assert (found.values == 0).all()
    assert torch.allclose(found.gap, found.output - found.baseline)
