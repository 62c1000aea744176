"""Products of named numbers: how they are called, what they measure, and what they are worth."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from pellucid.errors import ContractError, StudyError, nearest

CONSTANT = "1"
"""Name of the product of nothing."""

MOST = 2000
"""Terms of a library above which it is refused: normal equations of so many are solved by nobody who wants to read the outcome."""


@dataclass(frozen=True)
class Monomials:
    """Products of powers of named numbers, in order of their degree.

    Parameters
    ----------
    variables : tuple of str
        The numbers that are multiplied.
    powers : tuple of tuple of int
        Of each term, the power of each variable.

    Examples
    --------
    >>> Monomials.up_to(2, ("x", "y")).names
    ('1', 'x', 'y', 'x^2', 'x*y', 'y^2')
    >>> Monomials.up_to(2, ("x", "u"), linear=("u",), constant=False).names
    ('x', 'u', 'x^2', 'x*u', 'x^2*u')
    >>> Monomials.up_to(2, ("cos", "sin"), angles=(("cos", "sin"),)).names
    ('1', 'cos', 'sin', 'cos^2', 'cos*sin')
    """

    variables: tuple[str, ...]
    powers: tuple[tuple[int, ...], ...]

    @classmethod
    def up_to(
        cls,
        degree: int,
        variables: Sequence[str],
        *,
        linear: Sequence[str] = (),
        interactions: bool = True,
        constant: bool = True,
        angles: Sequence[tuple[str, str]] = (),
    ) -> Monomials:
        """All products up to a degree.

        Parameters
        ----------
        degree : int
            Of the numbers that may enter with any power.
        variables : sequence of str
        linear : sequence of str
            Numbers that enter at most linearly, and not multiplied by each other (controls): every product of the others is there
            alone and times each of these.
        interactions : bool
            Whether different numbers that may enter with any power are multiplied by each other.
        constant : bool
            Whether 1 is a term.
        angles : sequence of (str, str)
            Pairs that are cosine and sine of one angle. A square of a sine is 1 less that of the cosine, so products with it are sums of
            others and are left out: with them no coefficient would be determined.

        Raises
        ------
        StudyError
            If a name in ``linear`` or ``angles`` is none of the variables, or there would be more than :data:`MOST` terms.
        """
        for option, names in (("linear_in", linear), ("angles", [name for pair in angles for name in pair])):
            for name in names:
                if name in variables:
                    continue
                raise StudyError(
                    f"{option} names {name!r}, which is none of the numbers{nearest(name, variables)}; these are: "
                    f"{', '.join(variables)}"
                )
        free = [at for at, name in enumerate(variables) if name not in linear]
        count = math.comb(len(free) + degree, degree) if interactions else 1 + len(free) * degree
        if (total := count * (1 + len(set(linear))) - (not constant)) > MOST:
            raise StudyError(
                f"{len(variables)} numbers have {total:,} products up to degree {degree}, more than {MOST:,}: lower the degree, name "
                "numbers in linear_in, or leave numbers out"
            )
        found: list[list[int]] = []
        for order in range(degree + 1):
            found += [
                [some.count(at) for at in range(len(variables))]
                for some in combinations_with_replacement(free, order)
                if interactions or len(set(some)) <= 1
            ]
        controls = [at for at, name in enumerate(variables) if name in linear]
        powers = found + [[one + (at == of) for at, one in enumerate(term)] for term in found for of in controls]
        sines = [list(variables).index(sine) for _, sine in angles]
        powers = [term for term in powers if all(term[at] < 2 for at in sines)]
        # By degree; of one degree in the order in which people write them.
        powers = sorted(powers, key=lambda term: (sum(term), [-one for one in term]))
        return cls(tuple(variables), tuple(tuple(term) for term in powers if constant or any(term)))

    @classmethod
    def read(cls, names: Sequence[str], variables: Sequence[str]) -> Monomials:
        """The products that names say.

        Raises
        ------
        ContractError
            If a name is no product of powers of these variables.

        Examples
        --------
        >>> Monomials.read(["x^2*y", "1"], ["x", "y"]).powers
        ((2, 1), (0, 0))
        """
        return cls(tuple(variables), tuple(_powers(name, variables) for name in names))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """``"x^2*y"``; ``"1"`` for the constant."""
        return tuple(_product(term, self.variables) for term in self.powers)

    def units(self, units: Sequence[str]) -> tuple[str, ...]:
        """The unit of each product, from those of the variables.

        Examples
        --------
        >>> Monomials.up_to(2, ("x", "v")).units(("m", "m s-1"))
        ('1', 'm', 'm s-1', 'm2', 'm (m s-1)', '(m s-1)2')
        """
        return tuple(_unit(term, units) for term in self.powers)

    def of(self, values: np.ndarray) -> np.ndarray:
        """What the products are worth.

        Parameters
        ----------
        values : ndarray, shape (sample, variable)

        Returns
        -------
        ndarray of float64, shape (sample, term), column after column in memory
        """
        rows = np.ascontiguousarray(np.asarray(values, np.float64).T)
        found = np.empty((len(self.powers), rows.shape[1]))
        self.fill(rows, found)
        return found.T

    def fill(self, rows: Any, found: Any) -> None:
        """Write products of rows of variables into rows of terms; arrays and tensors alike."""
        for at, (before, factor) in enumerate(self._made_of):
            if factor < 0:
                found[at] = 1.0
            elif before < 0:
                found[at] = rows[factor] if before == -1 else _power(rows, self.powers[at])
            else:
                found[at] = found[before]
                found[at] *= rows[factor]

    @cached_property
    def _made_of(self) -> tuple[tuple[int, int], ...]:
        """For each term an earlier one and the variable that it is this one times; (-1, variable) alone, (-2, 0) neither."""
        place: dict[tuple[int, ...], int] = {}
        found = []
        for at, term in enumerate(self.powers):
            place[term] = at
            if not any(term):
                found.append((-1, -1))
            elif sum(term) == 1:
                found.append((-1, term.index(1)))
            else:
                less = (
                    (place.get(tuple(p - (v == of) for v, p in enumerate(term))), of) for of, p in enumerate(term) if p
                )
                found.append(next(((before, of) for before, of in less if before is not None and before < at), (-2, 0)))
        return tuple(found)


def _power(rows: Any, term: tuple[int, ...]) -> Any:
    whole: Any = 1.0
    for row, power in zip(rows, term, strict=True):
        for _ in range(power):
            whole = whole * row
    return whole


def _product(term: Sequence[int], variables: Sequence[str]) -> str:
    factors = [name if power == 1 else f"{name}^{power}" for name, power in zip(variables, term, strict=True) if power]
    return "*".join(factors) or CONSTANT


def _powers(name: str, variables: Sequence[str]) -> tuple[int, ...]:
    powers = [0] * len(variables)
    for factor in name.split("*") if name != CONSTANT else ():
        one, _, power = factor.partition("^")
        if one not in variables or not (power or "1").isdigit():
            raise ContractError(
                f"{name!r} is no product of powers of {', '.join(variables)}: the equation is not one of these numbers"
            )
        powers[list(variables).index(one)] += int(power or 1)
    return tuple(powers)


def _unit(term: Sequence[int], units: Sequence[str]) -> str:
    known = [(unit, power) for unit, power in zip(units, term, strict=True) if power and unit not in ("", "1")]
    if len(known) == 1 and known[0][1] == 1:
        return known[0][0]
    # A unit of several letters and powers is kept whole: (m s-1)2 cannot be misread.
    shown = [unit if re.fullmatch(r"[^\W\d_]+", unit) else f"({unit})" for unit, _ in known]
    return " ".join(f"{unit}{power if power > 1 else ''}" for unit, (_, power) in zip(shown, known, strict=True)) or "1"
