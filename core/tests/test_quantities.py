"""Numbers with units in texts: read, converted and spelt; what is none is a miss and never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.text.quantities import joined_digits, quantity, spelt


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("12.3 A", "angstrom", 12.3),
        ("1.23 nm", "angstrom", 12.3),
        ("12.3 Å", "nm", 1.23),
        ("The pore is about 870 pm wide.", "angstrom", 8.7),
        ("253.7 m^2/g", "m2/g", 253.7),
        ("253.7 m²/g.", "m2/g", 253.7),
        ("1.2 g/cm^3", "kg/m3", 1200.0),
        ("1e-3 mm", "um", 1.0),
        ("0.45", "1", 0.45),
        ("a void fraction of 45 %", "1", 0.45),
        ("-2.5 mV", "V", -0.0025),
        ("3 of them are 4.5 nm", "nm", 4.5),
        ("1 2 . 3 angstrom", "angstrom", 12.3),
    ],
)
def test_a_value_is_brought_to_the_unit_asked_for(text, unit, value):
    assert quantity(text, unit) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("no pore", "angstrom"),
        ("", "angstrom"),
        ("12.3", "angstrom"),
        ("12.3 parsecs", "angstrom"),
        ("1200 m2/cm3", "m2/g"),
        ("C12 H3", "angstrom"),
        ("angstrom", "angstrom"),
        (". angstrom", "angstrom"),
    ],
)
def test_what_is_no_number_in_such_a_unit_is_a_miss(text, unit):
    assert quantity(text, unit) is None


def test_a_unit_that_nobody_knows_is_an_error_and_no_miss():
    with pytest.raises(KeyError, match="furlong"):
        quantity("3 furlong", "furlong")


@given(st.decimals(min_value=0, max_value=9999, places=2, allow_nan=False))
def test_spelling_is_undone(number):
    text = f"{number} angstrom"
    assert all(len(word) == 1 or word == "angstrom" for word in spelt(text).split())
    assert joined_digits(spelt(text)) == text
    assert quantity(spelt(text), "angstrom") == pytest.approx(float(number))
