"""Products of named numbers: which there are, what they are worth, what they measure, and when there are too many."""

import math

import numpy as np
import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Vector
from pellucid.encoders.polynomials import PolynomialLibrary, PolynomialLibraryConfig
from pellucid.errors import ContractError, StudyError
from pellucid.monomials import MOST, Monomials


def library(names, units="1", **options):
    return PolynomialLibrary(
        PolynomialLibraryConfig(inputs={"state": Vector(names=tuple(names), units=units)}, **options)
    )


def worth(name, **values):
    """What a product is worth, read from its name by Python itself."""
    return eval(name.replace("^", "**"), {}, values)


@pytest.mark.parametrize(
    "options", [{"degree": 4}, {"degree": 3, "linear_in": ("z",)}, {"degree": 3, "interactions": False}]
)
def test_every_product_is_worth_what_its_name_says(options):
    x = torch.tensor(np.random.default_rng(0).normal(size=(6, 3)), dtype=torch.float32)
    z = library("xyz", **options)(Batch({"state": x}))
    for row, (a, b, c) in enumerate(x.double().tolist()):
        said = [worth(name, x=a, y=b, z=c) for name in z.names]
        assert z.values[row].tolist() == pytest.approx(said, rel=1e-6)


def test_all_products_up_to_the_degree_are_there_once():
    names = library("wxyz", degree=5).names
    assert len(names) == len(set(names)) == math.comb(9, 5)
    assert library("xy", degree=2, constant=False).names == ("x", "y", "x^2", "x*y", "y^2")
    assert library("xy", degree=3, interactions=False).names == ("1", "x", "y", "x^2", "y^2", "x^3", "y^3")


def test_controls_enter_every_product_of_the_others_at_most_once_and_never_each_other():
    names = library("xuv", degree=2, linear_in=("u", "v")).names
    assert set(names) == {"1", "x", "x^2", "u", "v", "x*u", "x*v", "x^2*u", "x^2*v"}


def test_units_multiply():
    found = library(("q", "v", "n"), units=("m", "m s-1", "1"), degree=2)
    assert dict(zip(found.names, found.term_units, strict=True)) == {
        "1": "1", "q": "m", "v": "m s-1", "n": "1", "q^2": "m2", "q*v": "m (m s-1)", "q*n": "m", "v^2": "(m s-1)2", "v*n": "m s-1",
        "n^2": "1",
    }  # fmt: skip


def test_what_cannot_be_a_library_is_refused():
    with pytest.raises(
        StudyError, match=rf"40 numbers have 12,341 products up to degree 3, more than {MOST:,}: lower the degree"
    ):
        library([f"a{at}" for at in range(40)], degree=3)
    with pytest.raises(StudyError, match=r"linear_in names 'torqe'.*did you mean 'torque'"):
        library(("x", "torque"), linear_in=("torqe",))
    with pytest.raises(StudyError, match=r"'x\*y' would make products that cannot be read back"):
        library(("x*y", "z"))
    with pytest.raises(ContractError, match=r"'x\*w' is no product of powers of x, y"):
        Monomials.read(["x*w"], ["x", "y"])


def test_a_missing_number_adds_nothing_whatever_stands_in_its_place():
    mask = torch.tensor([[True, False]])
    found = [library("xy")(Batch({"state": torch.tensor([[2.0, one]])}, {"state": mask})).values for one in (7.0, -3.0)]
    assert torch.equal(*found)
    assert found[0].tolist() == [[1, 2, 0, 4, 0, 0]]
