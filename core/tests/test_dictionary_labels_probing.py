"""Sparse probing: one planted feature reads its label, and single units do not."""

from __future__ import annotations

import numpy as np
import pytest
from made_labelled_rows import PEOPLE, assessed, fold_of, mixed, model, probing, rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pellucid.errors import NotMeasurable


def test_one_feature_reads_what_was_planted_and_single_units_do_not():
    data = rows(flipped=0.1, others=1.5)
    found, results = assessed(probing(labels=("loud",)), data, model(data))
    test = fold_of(data, model(data)).test("topk").frame.drop_duplicates("source").set_index("source")
    has = rows(others=1.5).frame.drop_duplicates("source").set_index("source")["loud"][test.index]
    known = float((has == test["loud"]).mean())
    assert 0.85 < known < 0.95
    one = results["accuracy_k1"]
    assert one.value == pytest.approx(known)
    assert one.low < known < one.high
    assert one.baseline < known - 0.1
    assert one.n_subjects == one.n_samples == PEOPLE / 3
    assert found["features"].iloc[0].startswith("f0, ")
    assert results["auroc_k1"].value == pytest.approx(roc_auc_score(found["truth"], found["codes:1"]), abs=1e-9)
    assert results["auroc_k1"].chance == 0.5
    full = float(((found["full"] > 0) == (found["truth"] > 0)).mean())
    assert f"of the whole layer {full:.1%}" in one.sentence
    assert one.chance == pytest.approx(0.5, abs=0.1)


def test_where_no_label_can_be_read_it_is_said_with_what_was_left_out():
    data = rows()
    data.frame["loud"] = 0.0
    with pytest.raises(
        NotMeasurable, match=r"no label has samples enough \(left out: yes \(loud\) \(0 with and 240 without"
    ):
        assessed(probing(labels=("loud",)), data, model(data))


def test_a_label_that_goes_with_nothing_is_read_by_chance():
    found = []
    for seed in range(6):
        data = rows(seed=seed)
        found.append(assessed(probing(labels=("coin",)), data, model(data))[1])
    for k in (1, 2, 5):
        for metric in (f"auroc_k{k}", f"accuracy_k{k}"):
            assert np.mean([one[metric].value for one in found]) == pytest.approx(0.5, abs=0.05)
    # Of six intervals of 95 % one may lie beside it.
    assert sum(one["auroc_k1"].low < 0.5 < one["auroc_k1"].high for one in found) >= 5


def test_several_labels_are_averaged_and_told_one_by_one():
    data = rows()
    _, results = assessed(probing(), data, model(data))
    # In the order of the data's labels.
    names = [f"auroc_k1_yes ({label})" for label in ("loud", "quiet", "coin")]
    assert [metric for metric in results if metric.startswith("auroc_k1_")] == names
    each = [results[name].value for name in names]
    assert results["auroc_k1"].value == pytest.approx(np.mean(each))
    assert each[0] == each[1] == 1.0
    assert "mean of 3 labels" in results["auroc_k1"].sentence
    # The mean of one certain and two fixed labels varies a third as much as the one.
    wide, narrow = results["auroc_k1_yes (coin)"], results["auroc_k1"]
    assert narrow.high - narrow.low == pytest.approx((wide.high - wide.low) / 3, rel=1e-6)


def test_the_usual_answer_is_that_of_the_training_side():
    data = rows()
    number = np.array([int(one[1:]) for one in data.frame["subject"]])
    # Most test samples have it, few training samples do.
    data.frame["coin"] = np.where(number % 3 == 0, number % 4 != 0, number % 4 == 0).astype(float)
    _, results = assessed(probing(labels=("coin",), ks=(1,)), data, model(data))
    assert results["accuracy_k1"].chance == pytest.approx(0.25)


@pytest.mark.parametrize("unknown", ["training", "test", "both"])
def test_probes_are_scikit_learns_on_the_training_samples_of_which_the_label_is_known(unknown):
    """Rows of both sides are at other positions of their sides, so that who confuses them learns from others."""
    data = rows(flipped=0.2, others=1.0)
    made = model(data, mixed())
    fold = fold_of(data, made)
    sides = {name: getattr(fold.split, at) for name, at in (("training", "train"), ("test", "test"))}
    for name, at in sides.items():
        if unknown in (name, "both"):
            data.frame.iloc[
                [one for one in at if int(data.frame["subject"].iloc[one][1:]) % 5 < 2], data.frame.columns.get_loc("loud")
            ] = np.nan  # fmt: skip
    found, results = assessed(probing(labels=("loud",)), data, made)
    codes = made.codes(data).to_numpy().astype(float)
    x, source = data.read(np.arange(len(data))).inputs["activations"].astype(float), data.frame["source"].to_numpy()

    def whole(values, at):
        """Means over positions of the samples with a label, in order of their names."""
        names = [name for name in np.unique(source[at]) if data.frame["loud"][source == name].notna().all()]
        return names, np.stack([values[source == name].mean(0) for name in names])

    names, _ = whole(x, sides["test"])
    assert list(found["sample"]) == names
    learnt, _ = whole(x, sides["training"])
    y = np.array([data.frame["loud"][source == name].iloc[0] for name in learnt])
    for what, values in (("codes", codes), ("units", x)):
        here, there = whole(values, sides["training"])[1], whole(values, sides["test"])[1]
        strength = np.abs(here[y == 1].mean(0) - here[y == 0].mean(0))
        for k in (1, 2, 5, len(strength)):
            if k not in (1, 2, 5) and what == "codes":
                continue
            best = np.argsort(-strength)[:k]
            probe = LogisticRegression(max_iter=1000).fit(here[:, best], y)
            column = f"{what}:{k}" if k <= 5 else "full"
            np.testing.assert_allclose(
                found[column], probe.decision_function(there[:, best]), atol=1e-3, err_msg=column
            )
    assert set(found["usual"]) == {float(y.mean() > 0.5)}
    assert results["accuracy_k2"].value == np.mean((found["codes:2"] > 0) == (found["truth"] > 0))
