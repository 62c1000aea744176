"""Interchange between samples, part by part: as the plain measure counts it, pair by pair, and in the sentence of a report."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from made_labelled_rows import LOUD, QUIET, UNITS, assessed, context, fold_of, model, ravel, rows

from pellucid.measures.dictionaries.ravel import Pairs, disentanglement
from pellucid.protocols.dictionaries.by_labels.labelled import Side
from pellucid.protocols.dictionaries.by_labels.ravel import PARTS, RavelRows, _pairs, _parts

COUNT, FEATURES = 300, 5


def pairs(seed: int) -> tuple[Pairs, list, list, torch.Tensor]:
    """Bases and sources of which nothing goes with anything, masks and readers by lot."""
    generator = torch.Generator().manual_seed(seed)
    x, codes, others = (torch.randn(COUNT, FEATURES, generator=generator) for _ in range(3))
    labels, source_labels = (torch.randint(2, (COUNT, 2), generator=generator) for _ in range(2))
    atoms = torch.randn(FEATURES, FEATURES, generator=generator)
    masks = [torch.rand(FEATURES, generator=generator) < 0.5 for _ in range(2)]
    weights = torch.randn(2, FEATURES, 2, generator=generator)
    readers = [lambda x, at=at: x @ weights[at] for at in (0, 1)]
    return Pairs(x, codes, others, labels, source_labels), masks, readers, atoms


@pytest.mark.parametrize("seed", range(4))
def test_the_parts_of_pairs_are_what_the_measure_counts_over_all(seed):
    some, masks, readers, atoms = pairs(seed)
    sides = SimpleNamespace(head=SimpleNamespace(decode=lambda codes: codes @ atoms))
    found = dict(zip(PARTS, _parts(some, masks, readers, sides), strict=True))
    known = disentanglement(some, masks, readers, sides.head.decode)
    means = [float(np.nanmean(found[name])) for name in PARTS]
    # Isolation comes by the label that is exchanged: the first one's features leave the second.
    assert means == pytest.approx([*known.cause, *known.isolation])
    assert len({round(one, 4) for one in means}) > 2
    for name, at in zip(PARTS, (0, 1, 1, 0), strict=True):
        differs = some.labels[:, at] != some.source_labels[:, at]
        assert torch.equal(found[name].isfinite(), differs), name
    frame = pd.DataFrame({**{name: values.numpy() for name, values in found.items()}, "subject": np.arange(COUNT)})
    made = RavelRows(frame, "topk", context(rows()), 100)
    assert made.value(made.score()) == pytest.approx(known.score)
    # Of subjects drawn twice or not at all the same as of their pairs written twice or not at all.
    weights = np.random.default_rng(seed).integers(0, 3, COUNT)
    again = frame.loc[frame.index.repeat(weights)]
    assert float(made.score()(weights.astype(float))) == pytest.approx(again[list(PARTS)].mean().mean())


def test_rows_are_those_of_the_parts_with_sources_that_have_each_combination_and_the_sentence_says_their_means():
    data = rows()
    made = model(data)
    found, results = assessed(ravel(steps=300, mask_epochs=1), data, made)
    one = results["disentanglement"]
    parts = found[list(PARTS)].mean()
    assert one.value == pytest.approx(parts.mean())
    assert one.baseline == pytest.approx(found[[f"random_{name}" for name in PARTS]].mean().mean())
    said = f"see that sample's yes (loud) in {parts['cause_first']:.0%} of pairs and leave yes (quiet) as it was in "
    assert f"{said}{parts['isolation_first']:.0%}" in one.sentence
    said = f"of yes (quiet) bring it in {parts['cause_second']:.0%} and leave yes (loud) in {parts['isolation_second']:.0%}"
    assert said in one.sentence
    read = found[["read_first", "read_second"]].mean()
    assert f"read rightly in {read.iloc[0]:.0%} and {read.iloc[1]:.0%}" in one.sentence
    # Draws by lot are means over several: a pair is in between.
    assert set(found["cause_first"].dropna()) <= {0.0, 1.0}
    assert found["random_cause_first"].between(0.01, 0.99).any()
    fold = fold_of(data, made)
    assert found["truth"].tolist() == [
        data.frame["loud"].loc[data.frame["source"] == at].iloc[0] for at in found["sample"]
    ]
    assert set(found["subject"]) == set(data.frame["subject"].iloc[fold.split.test])


def test_readers_learn_from_equally_many_of_each_combination():
    """Both labels mostly go together here; from all samples a reader of one would lean on the other."""
    data = rows()
    data = data.subset(
        np.flatnonzero((data.frame["loud"] == data.frame["quiet"]) | data.frame["subject"].str.endswith("7"))
    )
    side = Side.of(model(data), data)
    labels = (LOUD, QUIET)
    rarest = np.bincount(side.quadrants(*labels)).min()
    for seed in (0, 1):
        sides = SimpleNamespace(train=side, seed=seed, fitted=lambda *given: given)
        drawn, truth, steps = ravel(steps=7)._readers(sides, labels)
        assert np.bincount(side.quadrants(*labels)[drawn]).tolist() == [rarest] * 4
        assert len(set(drawn)) == 4 * rarest
        for at, label in enumerate(labels):
            np.testing.assert_array_equal(truth[:, at], side.labels[label][drawn])
        assert steps == 7


def test_pairs_hold_what_their_bases_and_sources_have():
    data = rows()
    made = model(data)
    side = Side.of(made, data)
    found, bases = _pairs(side, (LOUD, QUIET), 0)
    assert found.x.shape[1] == UNITS
    np.testing.assert_array_equal(found.x, side.x[bases])
    np.testing.assert_array_equal(found.codes, side.codes[bases])
    np.testing.assert_array_equal(found.labels[:, 0], side.labels[LOUD][bases])
    np.testing.assert_array_equal(found.labels[:, 1], side.labels[QUIET][bases])
    # Each source is a sample: its codes are found there beside its own labels.
    of = {tuple(codes): at for at, codes in enumerate(side.codes.numpy().tolist())}
    sources = np.array([of[tuple(codes)] for codes in found.source_codes.numpy().tolist()])
    np.testing.assert_array_equal(found.source_labels[:, 0], side.labels[LOUD][sources])
    np.testing.assert_array_equal(found.source_labels[:, 1], side.labels[QUIET][sources])
    assert (side.subjects[sources] != side.subjects[bases]).all()
    assert len(set(sources[:360].tolist())) > 50
