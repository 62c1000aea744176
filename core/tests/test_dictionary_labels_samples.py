"""Rows as samples: what an edit of a sample's mean does, and which way codes are clamped."""

from __future__ import annotations

import numpy as np
import torch
from made_labelled_rows import ATOMS, LOUD, POSITIONS, QUIET, UNITS, fold_of, mixed, model, rows

from pellucid.measures.dictionaries.ablation import ablate
from pellucid.measures.dictionaries.code_edits import clamped, with_error
from pellucid.protocols.dictionaries.by_labels.labelled import Labelled, Side
from pellucid.protocols.dictionaries.by_labels.unlearning import _change


def test_a_sample_is_the_mean_of_its_positions():
    data = rows()
    made = model(data)
    side = Side.of(made, data)
    codes, x = made.codes(data).to_numpy(), data.read(np.arange(len(data))).inputs["activations"]
    source = data.frame["source"].to_numpy()
    for at in (0, 17, 200):
        own = np.flatnonzero(source == side.samples[at])
        assert len(own) == POSITIONS == side.positions[at]
        np.testing.assert_allclose(side.x[at], x[own].mean(0), atol=1e-6)
        np.testing.assert_allclose(side.codes[at], codes[own].mean(0), atol=1e-6)
        np.testing.assert_allclose(side.on[at], (codes[own] > 0).mean(0), atol=1e-6)
        np.testing.assert_allclose(side.positive[at], codes[own].clip(min=0).mean(0), atol=1e-6)
        assert set(data.frame["subject"].iloc[own]) == {side.subjects[at]}
        assert side.labels[LOUD][at] == data.frame["loud"].iloc[own[0]]


def test_edits_of_means_are_means_of_edited_positions():
    data = rows()
    made = model(data, mixed())
    sides = Labelled.of(fold_of(data, made), "topk", made, 10)
    probes = sides.probes([LOUD, QUIET], 300)
    test = fold_of(data, made).test("topk")
    x, head = made.representation(test).values, made.head
    codes, features = head.encode(x), torch.tensor([3, 0, 7])
    source, count = np.unique(test.frame["source"].to_numpy(), return_inverse=True)[1], len(sides.test.samples)

    def pooled(values):
        return torch.zeros(count, UNITS).index_add(0, torch.from_numpy(source), values) / POSITIONS

    off = probes.logits(pooled(ablate(x, codes, features, head.decode)))
    change = (sides.test.codes[:, features] @ sides.atoms[features]) @ probes.weight.T
    torch.testing.assert_close(probes.logits(sides.test.x) - change, off, atol=1e-5, rtol=1e-5)
    pressed = probes.logits(pooled(with_error(x, codes, clamped(codes, features, -25.0), head.decode)))
    change = _change(sides.test, features, 25.0, sides.atoms, probes.weight)
    torch.testing.assert_close(probes.logits(sides.test.x) + change, pressed, atol=1e-4, rtol=1e-4)


def test_clamping_takes_away_what_is_above_zero_alone(monkeypatch):
    data = rows()
    made = model(data)
    monkeypatch.setattr(made.head, "encode", lambda x: x[:, :ATOMS])
    side, codes = Side.of(made, data), data.read(np.arange(len(data))).inputs["activations"][:, :ATOMS]
    own = data.frame["source"].to_numpy() == side.samples[5]
    assert codes[own].min() < 0
    np.testing.assert_allclose(side.positive[5], codes[own].clip(min=0).mean(0), atol=1e-6)
    np.testing.assert_allclose(side.codes[5], codes[own].mean(0), atol=1e-6)
