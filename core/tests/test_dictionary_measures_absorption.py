"""Absorption: planted hierarchies whose answer is known, and the rule row by row in Python."""

from __future__ import annotations

import math

import pytest
import torch
from made_dictionaries import CHILDREN, hierarchy

from pellucid.errors import DataError
from pellucid.measures.dictionaries.absorption import (
    absorption,
    absorption_fractions,
    fully_absorbed,
    main_features,
)

PLAIN = 0.1


def scored(absorbed, kept=0.0):
    x, codes, labels, atoms = hierarchy(2880, absorbed, seed=0, kept=kept)
    test_x, test_codes, test_labels, _ = hierarchy(1440, absorbed, seed=1, kept=kept)
    return absorption(x, codes, labels, test_x, test_codes, test_labels, atoms), test_codes


def test_a_clean_hierarchy_is_not_absorbed():
    found, _ = scored(absorbed=False)
    assert found.concepts[0].probe_f1 > 0.99
    assert found.concepts[0].main.tolist() == [0]
    assert found.fraction == 0.0
    assert found.full == 0.0


def test_an_absorbed_hierarchy_is_absorbed_in_every_row_with_a_child():
    found, codes = scored(absorbed=True)
    concept = found.concepts[0]
    assert concept.probe_f1 > 0.99
    assert concept.main.tolist() == [0]
    has_child = (codes[:, 1 : CHILDREN + 1] > 0).any(1)
    judged = concept.fractions[has_child & concept.fractions.isfinite()]
    assert len(judged) > 600
    assert (judged == 1).all()
    alone = concept.fractions[(codes[:, 0] > 0) & concept.fractions.isfinite()]
    assert (alone == 0).all()
    assert found.fraction == pytest.approx(1 - PLAIN, abs=0.01)
    assert found.full == pytest.approx(found.fraction)
    assert concept.fractions.isnan().sum() >= len(codes) / 2


def test_where_the_parent_whispers_the_fraction_is_what_it_does_not_say():
    # Its direction known, the parent says 0.3 of its row and the child's atom the other 0.7.
    x, codes, _, atoms = hierarchy(400, True, seed=0, kept=0.3)
    rows = (codes[:, 1 : CHILDREN + 1] > 0).any(1)
    main = torch.tensor([0])
    found = absorption_fractions(x[rows], codes[rows], atoms, 7 * atoms[0], main)
    assert found.tolist() == pytest.approx([0.7] * len(found), abs=1e-5)
    assert not fully_absorbed(x[rows], codes[rows], atoms, atoms[0], main).any()
    scored_through, _ = scored(absorbed=True, kept=0.3)
    assert 0.5 < scored_through.fraction < 0.9
    assert scored_through.full == 0.0


def by_rule(x, codes, atoms, direction, main):
    """The published rule for one row after the other."""
    direction = direction.double() / direction.double().norm()
    fractions, full = [], []
    for row, code in zip(x.double(), codes.double(), strict=True):
        total = float(row @ direction)
        cosine = [float(atom @ direction / atom.norm()) for atom in atoms.double()]
        brings = [float(c) * float(atom @ direction) for c, atom in zip(code, atoms.double(), strict=True)]
        mains = sum(brings[j] for j in main)
        others = sorted((b for j, b in enumerate(brings) if j not in main and cosine[j] >= 0.1 and b > 0), reverse=True)
        taken = sum(others[:3])
        if mains >= total or total <= 0 or taken / total < 0.4:
            fractions.append(0.0)
        elif mains <= 0:
            fractions.append(1.0)
        else:
            fractions.append(min(taken, total - mains) / (min(taken, total - mains) + mains))
        top = max(range(len(brings)), key=lambda j: brings[j])
        off = all(float(code[j]) < 1e-8 for j in main)
        full.append(off and cosine[top] >= 0.025 and brings[top] >= 0.4 * total and total > 0)
    return fractions, full


def test_fractions_are_those_of_the_rule_for_every_row():
    seen, full_seen = [], []
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        atoms = torch.nn.functional.normalize(torch.randn(14, 5, generator=generator), dim=1)
        codes = torch.rand(400, 14, generator=generator) * (torch.rand(400, 14, generator=generator) < 0.3)
        direction = torch.randn(5, generator=generator)
        x = codes @ atoms + 0.3 * torch.randn(400, 5, generator=generator)
        main = torch.tensor([2, 6])
        fractions, full = by_rule(x, codes, atoms, direction, [2, 6])
        assert absorption_fractions(x, codes, atoms, direction, main).tolist() == pytest.approx(fractions)
        assert fully_absorbed(x, codes, atoms, direction, main).tolist() == full
        seen += fractions
        full_seen += full
    assert seen.count(0.0) > 50
    assert seen.count(1.0) > 50
    assert sum(0 < fraction < 1 for fraction in seen) > 50
    assert 50 < sum(full_seen) < 1000


def one(main, others, total=1.0, cosine=1.0):
    """Fraction of one row in which a main feature and three or more others bring these contributions."""
    angle = math.acos(cosine)
    atoms = torch.tensor([[1.0, 0.0], *[[math.cos(angle), math.sin(angle)]] * len(others)], dtype=torch.float64)
    codes = torch.tensor([[main, *[other / cosine for other in others]]], dtype=torch.float64)
    x, direction = torch.tensor([[total, 0.0]], dtype=torch.float64), torch.tensor([2.0, 0.0])
    arguments = (x, codes, atoms, direction, torch.tensor([0]))
    return float(absorption_fractions(*arguments)), bool(fully_absorbed(*arguments))


def test_each_part_of_the_rule_decides_where_it_should():
    assert one(0.0, [0.39]) == (0.0, False)
    assert one(0.0, [0.41]) == (1.0, True)
    assert one(-0.1, [0.5])[0] == 1.0
    assert one(1.0, [0.9]) == (0.0, False)
    assert one(0.5, [0.9]) == (0.5, False)
    assert one(0.2, [0.3, 0.3])[0] == pytest.approx(0.6 / 0.8)
    # Four small ones do not absorb: three count. Nor does one of another direction.
    assert one(0.1, [0.12] * 4)[0] == 0.0
    assert one(0.1, [0.14] * 4)[0] == pytest.approx(0.42 / 0.52)
    assert one(0.1, [0.8], cosine=0.09) == (0.0, False)
    assert one(0.1, [0.8], cosine=0.11)[0] == pytest.approx(0.8 / 0.9)
    assert one(0.0, [0.8], cosine=0.03) == (0.0, True)
    assert one(0.0, [0.8], cosine=0.02) == (0.0, False)
    assert one(1e-9, [0.5])[1]
    assert not one(1e-7, [0.5])[1]
    assert one(0.0, [0.5], total=-1.0) == (0.0, False)
    assert one(0.0, [0.5], total=0.0) == (0.0, False)


def test_atoms_of_another_length_say_the_same_when_their_codes_make_up_for_it():
    x, codes, _, atoms = hierarchy(200, True, seed=0)
    scale = torch.linspace(0.2, 5, len(atoms))
    plain = absorption_fractions(x, codes, atoms, atoms[0], torch.tensor([0]))
    scaled = absorption_fractions(x, codes / scale, atoms * scale[:, None], atoms[0], torch.tensor([0]))
    assert scaled.tolist() == pytest.approx(plain.tolist(), abs=1e-4)
    assert 0 < plain.mean() < 1


def test_main_features_end_where_the_probe_last_became_better():
    labels = torch.arange(400) % 2
    part = (torch.arange(400) // 2) % 10
    codes = torch.zeros(400, 14)
    codes[:, 0] = labels * (part < 4)
    codes[:, 1] = labels * (part < 4)  # says nothing new
    codes[:, 2] = labels * (part >= 7)
    codes[:, 3] = labels * (part == 6) * (torch.arange(400) < 40)  # two rows: too little to matter
    codes[:, 12] = labels  # would be perfect, but ranks last
    weights = torch.tensor([9.0, 8, 7, 6, *[0.5] * 8, 0.1, -20.0])
    assert main_features(codes, labels, weights).tolist() == [0, 1, 2]
    assert main_features(codes[:, :2], labels, weights[:2]).tolist() == [0]
    # Signs count: a strong weight against the concept ranks last.
    assert main_features(codes, labels, -weights)[0].item() == 13
    # The tenth feature is still tried, the eleventh is not.
    assert main_features(codes, labels, weights.index_fill(0, torch.tensor([12]), 0.6)).tolist()[-1] == 12
    ranks = torch.arange(14, 0, -1.0)
    last = codes[:, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1, 2, 13]]
    assert len(main_features(last, labels, ranks)) == 10
    later = codes[:, [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 12, 0, 2, 13]].clone()
    later[:, 9] = 0
    assert len(main_features(later, labels, ranks)) == 1


def test_concepts_that_cannot_be_read_count_in_no_mean():
    x, codes, labels, atoms = hierarchy(1440, True, seed=0)
    test_x, test_codes, test_labels, _ = hierarchy(720, True, seed=1)
    noise = (torch.rand(1440, generator=torch.Generator().manual_seed(0)) < 0.2).long()[:, None]
    never = torch.zeros_like(noise)
    both = absorption(
        x,
        codes,
        torch.cat([labels, noise, never], 1),
        test_x,
        test_codes,
        torch.cat([test_labels, noise[:720], never[:720]], 1),
        atoms,
    )
    alone = absorption(x, codes, labels, test_x, test_codes, test_labels, atoms)
    assert both.concepts[1].probe_f1 < 0.6
    assert both.concepts[2].probe_f1 == 0.0
    assert math.isnan(both.concepts[2].fraction)
    assert both.fraction == pytest.approx(alone.fraction)
    assert both.full == pytest.approx(alone.full)
    with pytest.warns(UserWarning, match="absorption fraction is not defined: no concept"):
        found = absorption(x, codes, noise, test_x, test_codes, noise[:720], atoms)
    assert math.isnan(found.fraction)
    with pytest.warns(UserWarning, match="absorption fraction is not defined"):
        found = absorption(x, codes, labels, test_x, test_codes, test_labels * 0, atoms)
    assert found.concepts[0].probe_f1 == 0.0


def test_what_does_not_fit_is_refused():
    x, codes, labels, atoms = hierarchy(40, True, seed=0)
    with pytest.raises(DataError, match="x 40, codes 39"):
        absorption(x, codes[1:], labels, x, codes, labels, atoms)
    with pytest.raises(DataError, match="test_labels 39"):
        absorption(x, codes, labels, x, codes, labels[1:], atoms)
    with pytest.raises(DataError, match="expected \\(row, concept\\)"):
        absorption(x, codes, labels[:, 0], x, codes, labels, atoms)
    with pytest.raises(DataError, match="expected \\(row, concept\\)"):
        absorption(x, codes, labels, x, codes, labels.repeat(1, 2), atoms)
    with pytest.raises(DataError, match="rows differ"):
        absorption_fractions(x, codes[1:], atoms, atoms[0], torch.tensor([0]))
