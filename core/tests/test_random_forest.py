"""The forest says what scikit-learn's says, and is taken apart without remainder."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from pellucid.attribution.gradients import gradient_times_input
from pellucid.batch import Batch
from pellucid.data.spec import Binary, MultiClass, MultiLabel, Regression
from pellucid.errors import ContractError, DataError
from pellucid.faithfulness.randomisation import reinitialised
from pellucid.heads.trees.forest import SURE, RandomForest, RandomForestConfig
from pellucid.representation import Representation

UNITS = tuple(f"x:{name}" for name in "abcdef")


def drawn(count=120, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (count, 6)).astype(np.float32) + rng.random((count, 6)).astype(np.float32) * 1e-3
    return x, x[:, 0] * 2 + (x[:, 1] > 2) + rng.normal(0, 0.1, count)


def fitted(target, y, x, **options):
    head = RandomForest(RandomForestConfig(units=UNITS, target=target, **{"trees": 25, **options}))
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


@pytest.mark.parametrize(("trees", "zero", "rounding"), [(1, 0.0, 1e-5), (25, 0.0, 1e-5), (25, 1e5, 0.02)])
def test_parts_are_the_steps_down_the_trees_of_scikit_learn(trees, zero, rounding):
    x, y = drawn()
    y = y + zero
    head = fitted(Regression(names=("y",), units=("m",)), y, x, trees=trees, smallest_leaf=1)
    other = RandomForestRegressor(trees, max_features=1 / 3, random_state=0).fit(x, y.astype(np.float32))
    start, expected = 0.0, np.zeros((len(x), 6))
    for tree in (one.tree_ for one in other.estimators_):
        start += tree.value[0, 0, 0] / trees
        for row, sample in zip(expected, x, strict=True):
            at = 0
            while tree.feature[at] >= 0:
                unit = tree.feature[at]
                below = tree.children_left[at] if sample[unit] <= tree.threshold[at] else tree.children_right[at]
                row[unit] += (tree.value[below, 0, 0] - tree.value[at, 0, 0]) / trees
                at = below
    found = head.explain(Representation(torch.from_numpy(x), UNITS), "y")
    assert np.allclose(found.baseline.detach().numpy(), start, rtol=1e-6)
    assert np.allclose(found.contributions.detach().numpy(), expected, atol=rounding)


@pytest.mark.parametrize(
    ("target", "slope"),
    [
        (Regression(names=("y",), units=("m",)), 1.0),
        (Binary(names=("no", "yes")), 1 / 0.4 + 1 / 0.6),
        (MultiClass(names=("p", "q", "r")), 1 / 0.4),
    ],
)
@pytest.mark.parametrize("rounding", [0.0, 2e-7])
def test_a_path_that_comes_back_to_where_it_began_has_parts_all_the_same(target, slope, rounding):
    head = RandomForest(RandomForestConfig(units=("x:a", "x:b"), target=target))
    outputs = len(head.outputs)
    # Whoever has a is moved up by 0.2, and who has no b besides is moved down again.
    tree = {
        "unit": [0, -1, 1, -1, -1],
        "limit": [0.5, 0.0, 0.5, 0.0, 0.0],
        "left": [1, 1, 3, 3, 4],
        "right": [2, 1, 4, 3, 4],
        "value": [0.4, 0.2, 0.6, 0.4 + rounding, 0.8],
    }
    for name, values in tree.items():
        again = torch.tensor(values, dtype=torch.float64 if name == "limit" else None).repeat(outputs)
        below = 5 * torch.arange(outputs).repeat_interleave(5) if name in ("left", "right") else 0
        head.grow(name, again + below)
    head.grow("root", 5 * torch.arange(outputs))
    head.grow("first_tree", torch.arange(outputs + 1))
    head.grow("depths", torch.full((outputs,), 2))
    found = head.explain(Representation(torch.tensor([[1.0, 0.0]]), ("x:a", "x:b")), head.outputs[0])
    assert found.output.tolist() == pytest.approx(found.baseline.tolist(), abs=2e-6)
    assert found.contributions[0].tolist() == pytest.approx([0.2 * slope, -0.2 * slope], rel=1e-5)


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
    with pytest.raises(ContractError, match="labelled samples"):
        head.finish([(Representation(torch.from_numpy(x), UNITS), Batch({}))])


def test_gradients_say_nothing_of_steps():
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x)
    z = torch.from_numpy(x)
    found = gradient_times_input(
        lambda values, rows: head(Representation(values, UNITS))[:, 0], z, torch.zeros_like(z), module=head
    )
    assert (found.values == 0).all()
    assert torch.allclose(found.gap, found.output - found.baseline)


def deep_forest():
    """Trees of numbers without a pattern: paths of all lengths, and limits between neighbouring values of single precision."""
    rng = np.random.default_rng(5)
    x = (1 + rng.integers(0, 40, (300, 6)) * np.float32(2**-21)).astype(np.float32)
    return fitted(Regression(names=("y",), units=("m",)), rng.normal(size=300), x), x


def walked(flat, row, tree):
    """The nodes of one tree that one sample passes, step by step in plain Python."""
    at = int(flat.root[tree])
    passed = [at]
    while int(flat.unit[at]) >= 0:
        at = int(flat.left[at] if float(row[int(flat.unit[at])]) <= float(flat.limit[at]) else flat.right[at])
        passed.append(at)
    return passed


def test_compiled_trees_take_the_steps_that_the_arrays_say():
    head, x = deep_forest()
    flat, compiled = head.trees_of(0), head.compiled(0)
    rows = torch.from_numpy(x[:40])
    leaves, (start, parts) = compiled.leaves(rows), flat.parts(rows, compiled)
    value = flat.value.detach().double()
    for row in range(len(rows)):
        expected = np.zeros(6)
        for tree in range(25):
            passed = walked(flat, rows[row], tree)
            assert passed[-1] == int(leaves[row, tree])
            for before, after in itertools.pairwise(passed):
                expected[int(flat.unit[before])] += float(value[after] - value[before]) / 25
        assert np.allclose(parts[row].numpy(), expected, atol=1e-9)
    assert max(len(walked(flat, row, 0)) for row in rows) > 9
    assert float(start) == pytest.approx(float(value[flat.root].mean()))


def test_several_outputs_have_trees_of_their_own():
    x = drawn()[0]
    labels = np.column_stack([x[:, 0] > 1, x[:, 1] > 2]).astype(float)
    head = fitted(MultiLabel(names=("first", "second")), labels, x)
    for output in range(2):
        flat, leaves = head.trees_of(output), head.compiled(output).leaves(torch.from_numpy(x[:5]))
        assert [
            [walked(flat, torch.from_numpy(row), tree)[-1] for tree in range(25)] for row in x[:5]
        ] == leaves.tolist()


def test_a_copy_with_other_values_says_otherwise_and_the_first_stays():
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x)
    before = said(head, x)
    other = reinitialised(head, torch.Generator().manual_seed(0))
    assert np.array_equal(said(head, x), before)
    drawn_anew = other.trees_of(0)
    expected = drawn_anew.value[head.compiled(0).leaves(torch.from_numpy(x))].mean(1)
    assert np.allclose(said(other, x)[:, 0], expected.detach().numpy(), atol=1e-6)
    assert not np.allclose(said(other, x), before, atol=0.1)


def test_a_head_that_is_fitted_again_forgets_its_compiled_trees():
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x)
    first = said(head, x)
    other = fitted(Regression(names=("y",), units=("m",)), x[:, 5], x)
    head.load_state_dict(other.state_dict())
    assert np.array_equal(said(head, x), said(other, x))
    assert not np.allclose(said(head, x), first, atol=0.1)


@pytest.mark.parametrize(
    ("name", "value"), [("unit", 6), ("left", 10**9), ("left", 0), ("right", -5), ("depths", 2), ("root", 10**9)]
)
def test_damaged_arrays_are_refused_before_compiled_code_reads_them(name, value):
    x, y = drawn()
    head = fitted(Regression(names=("y",), units=("m",)), y, x)
    state = {key: values.clone() for key, values in head.state_dict().items()}
    state[name][0] = value
    head.load_state_dict(state)
    with pytest.raises(ContractError, match="are no trees"):
        said(head, x)
