"""Targeted perturbation: a label with a feature of its own is lost alone."""

from __future__ import annotations

import numpy as np
import pytest
from made_labelled_rows import COIN, LOUD, QUIET, assessed, at_random, context, fold_of, mixed, model, rows, tpp

from pellucid.errors import NotMeasurable
from pellucid.measures.dictionaries.exactness import indices_of_strongest
from pellucid.protocols.dictionaries.by_labels.labelled import Labelled
from pellucid.protocols.dictionaries.by_labels.perturbation import effects_of


def test_a_label_with_a_feature_of_its_own_is_lost_alone():
    data = rows()
    _, results = assessed(tpp(labels=("loud", "quiet")), data, model(data))
    # Of a probe without its feature what is left leans on other things, and is right by luck about a little more than half.
    assert results["tpp_1"].value == pytest.approx(0.5, abs=0.05)
    assert results["tpp_1"].baseline < 0.15
    assert results["tpp_1"].low <= results["tpp_1"].value <= results["tpp_1"].high
    _, results = assessed(tpp(labels=("loud", "quiet")), data, model(data, at_random()))
    assert abs(results["tpp_1"].value) < 0.15


def test_tpp_is_the_published_sum_over_labels():
    data = rows()
    made = model(data, mixed())
    _, results = assessed(tpp(), data, made)
    sides = Labelled.of(fold_of(data, made), "topk", made, 10)
    labels = [LOUD, QUIET, COIN]
    probes = sides.probes(labels, 1000)
    truth = [sides.test.labels[label] for label in labels]

    def accuracy(at, off=None):
        change = 0 if off is None else sides.test.codes[:, off] @ sides.atoms[off]
        said = (probes.logits(sides.test.x - change)[:, at] > 0).numpy()
        return np.mean([(said == value)[truth[at] == value].mean() for value in (0, 1)])

    for n in (1, 2):
        off = [indices_of_strongest(effects_of(sides, label, probes.weight[at]), n) for at, label in enumerate(labels)]
        score = np.mean([
            accuracy(i) - accuracy(i, off[i]) - np.mean([accuracy(j) - accuracy(j, off[i]) for j in range(3) if j != i])
            for i in range(3)
        ])  # fmt: skip
        assert results[f"tpp_{n}"].value == pytest.approx(score, abs=1e-9)


def test_tpp_takes_two_labels():
    data = rows()
    assert "it compares labels with each other, and one is named, 'loud'" in tpp(labels=("loud",)).unfit(context(data))
    assert "one is named" in tpp(labels=("loud", "loud:yes")).unfit(context(data))
    assert "no yes-or-no label 'lout'" in tpp(labels=("lout", "quiet")).unfit(context(data))
    data.frame["quiet"] = 1.0
    with pytest.raises(
        NotMeasurable, match=r"two labels with samples enough, there is one \(left out: yes \(quiet\) \(240 with"
    ):
        assessed(tpp(labels=("loud", "quiet")), data, model(data))
