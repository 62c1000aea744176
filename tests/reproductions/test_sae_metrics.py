"""Definitions of measures of dictionaries: worked examples, and what each must give for perfect and for useless codes.

Three numbers under the name of explained variance are in use, and one widely used program computed a fourth by mistake for a
year. The examples tell them apart.
"""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.measures.dictionaries.reconstruction import (
    cossim,
    ev_legacy,
    explained_variance,
    frac_variance_explained,
    fvu,
    r2_global_mean,
)

pytestmark = pytest.mark.reproduction

A, A_BACK = torch.tensor([[2.0, 0], [0, 4]]), torch.tensor([[2.0, 1], [0, 3]])
B = torch.tensor([[0.0, 0], [2, 0], [4, 0]])
B_BACK = B + torch.tensor([0.0, 1])


def test_explained_variance_is_about_the_mean_of_each_unit_and_not_about_zero():
    assert explained_variance(A, A_BACK) == pytest.approx(0.8, abs=1e-6)
    assert fvu(A, A_BACK) == pytest.approx(0.2, abs=1e-6)


def test_four_numbers_of_one_name_differ_on_a_constant_error():
    assert explained_variance(B, B_BACK) == pytest.approx(0.625, abs=1e-6)
    assert frac_variance_explained(B, B_BACK) == pytest.approx(1.0, abs=1e-6)
    assert r2_global_mean(B, B_BACK) == pytest.approx(0.7857142857, abs=1e-6)
    with pytest.warns(UserWarning, match="not defined"):
        assert math.isnan(ev_legacy(B, B_BACK))


def test_the_mean_explains_nothing_and_a_copy_everything():
    x = torch.randn(200, 7, generator=torch.Generator().manual_seed(0)) * 3 + 40
    assert explained_variance(x, x.double().mean(0).expand(200, 7)) == pytest.approx(0.0, abs=1e-6)
    assert explained_variance(x, x) == 1.0
    assert cossim(x, x) == pytest.approx(1.0, abs=1e-6)
