"""Absorption: an absorbed parent scores high, and a clean one nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from made_dictionaries import CHILDREN, hierarchy
from made_labelled_rows import assessed, model, rows

from pellucid.data import ArrayDataset, Binary, DataSpec, Vector
from pellucid.errors import NotMeasurable
from pellucid.model import Model
from pellucid.protocols.dictionaries.by_labels.absorption import Absorption


def kinds(absorbed: bool) -> tuple[ArrayDataset, Model, np.ndarray]:
    """A parent with many rare children as data; where absorbed the parent's feature is off in rows that have a child."""
    parts = [hierarchy(count, absorbed, seed) for seed, count in enumerate((2880, 1440))]
    x, codes, labels = (torch.cat([part[which] for part in parts]) for which in range(3))
    atoms = parts[0][3]
    frame = pd.DataFrame(
        {"subject": [f"p{at}" for at in range(len(x))], "parent": labels[:, 0].double().numpy(),
         "coin": (np.random.default_rng(0).random(len(x)) < 0.5).astype(float)},
        index=[f"s{at}" for at in range(len(x))],
    )  # fmt: skip
    no_yes = Binary(names=("no", "yes"))
    spec = DataSpec(
        name="kinds", namespace="k", inputs={"activations": Vector(names=tuple(f"u{at}" for at in range(x.shape[1])))},
        targets={"parent": no_yes, "coin": no_yes},
    )  # fmt: skip
    data = ArrayDataset(spec, frame, {"activations": x.numpy()})
    clean = hierarchy(2, False, 0)[3]
    weight = clean.clone()
    if absorbed:
        weight[0] -= clean[1 : CHILDREN + 1].sum(0)
        weight[1 : CHILDREN + 1] *= 2**0.5
    made = model(data, atoms, weight)
    torch.testing.assert_close(made.head.encode(x[:50]), codes[:50], atol=2e-3, rtol=1e-4)
    return data, made, np.arange(2880, len(x))


def test_an_absorbed_parent_scores_high_and_a_clean_one_nothing():
    data, made, test = kinds(absorbed=True)
    found, results = assessed(Absorption(), data, made, test=test)
    assert results["absorption"].value == pytest.approx(0.9, abs=0.01)
    assert results["full_absorption"].value == pytest.approx(0.9, abs=0.01)
    assert results["absorption"].low < 0.9 < results["absorption"].high
    assert set(found["label"]) == {"is yes (parent)"}
    assert set(found["main"]) == {"f0"}
    data, made, test = kinds(absorbed=False)
    _, results = assessed(Absorption(), data, made, test=test)
    assert results["absorption"].value == results["full_absorption"].value == 0
    for metric in ("absorption", "full_absorption"):
        assert 0.9 < results[metric].baseline <= 1
        assert not results[metric].higher_is_better
    assert list(results) == ["absorption", "full_absorption"]
    assert "(yes (parent))" in results["absorption"].sentence


def test_absorption_without_a_label_that_can_be_told_is_said_not_to_be_defined():
    data = rows()
    with pytest.raises(NotMeasurable, match=r"no label has a probe of F1 0.6 on the test side \(F1: yes \(coin\) 0."):
        assessed(Absorption(Absorption.config_type(labels=("coin",))), data, model(data))
