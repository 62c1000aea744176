"""Equations as people, typesetters and programs read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.monomials import CONSTANT, Monomials

DIGITS = 4
"""Of a coefficient where people read."""

GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau",
    "phi", "chi", "psi", "omega",
)  # fmt: skip
"""Names that a typesetter writes as letters."""


def equation(output: str, unit: str, terms: Sequence[str], coefficients: Sequence[float]) -> str:
    """An output as a sum of terms.

    Examples
    --------
    >>> equation("dx/dt", "1/s", ("1", "x", "x*y"), (0.5, 0.0, -2.0))
    'dx/dt [1/s] = 0.5 - 2 x*y'
    >>> equation("dx/dt", "1", ("x",), (0.0,))
    'dx/dt = 0'
    """
    shown = f"{output} [{unit}]" if unit not in ("", "1") else output
    return f"{shown} = {_sum(terms, coefficients, ' ')}"


def latex(output: str, terms: Sequence[str], coefficients: Sequence[float]) -> str:
    r"""The same for a typesetter.

    Examples
    --------
    >>> latex("dx/dt", ("x^2*y", "torque"), (1.0, -2.0))
    '\\frac{dx}{dt} = 1\\,x^{2} y - 2\\,\\mathrm{torque}'
    >>> latex("next cos", ("cos*omega",), (0.5,))
    '\\mathrm{next\\ cos} = 0.5\\,\\mathrm{cos}\\,\\omega'
    """
    found = re.fullmatch(r"d(.+)/dt", output)
    left = rf"\frac{{d{_symbol(found[1])}}}{{dt}}" if found else _symbol(output)
    return f"{left} = {_sum([_typeset(term) for term in terms], coefficients, chr(92) + ',')}"


def source(outputs: Sequence[str], terms: Sequence[str], coefficients: np.ndarray, variables: Sequence[str]) -> str:
    """A Python module with the equations and nothing else, which needs numpy alone.

    Parameters
    ----------
    outputs : sequence of str
    terms : sequence of str
    coefficients : ndarray, shape (output, term)
    variables : sequence of str
        What the function is given, in this order.

    Raises
    ------
    ContractError
        If a term with a coefficient is no product of these variables.
    """
    used = [bool(one) for one in np.abs(coefficients).max(0)]
    powers = iter(Monomials.read([term for term, one in zip(terms, used, strict=True) if one], variables).powers)
    written = [_code(next(powers)) if one else "" for one in used]
    lines = []
    for at, row in enumerate(coefficients):
        parts = [
            " * ".join([repr(float(c)), *([term] if term else [])]) for c, term in zip(row, written, strict=True) if c
        ]
        lines.append(f"    found[..., {at}] = {' + '.join(parts) or '0.0'}")
    # Names are data: they stand in strings alone, and the code knows variables by their number.
    read = "".join(f"    v{at} = values[..., {at}]\n" for at in range(len(variables)))
    return (
        "import numpy as np\n\n"
        f"VARIABLES = {tuple(variables)!r}\n"
        f"OUTPUTS = {tuple(outputs)!r}\n\n\n"
        "def predict(values):\n"
        '    """OUTPUTS from VARIABLES, shape (..., variable) to (..., output)."""\n'
        "    values = np.asarray(values, dtype=float)\n"
        f"{read}    found = np.empty((*values.shape[:-1], {len(outputs)}))\n"
        + "\n".join(lines)
        + "\n    return found\n"
    )


def compiled(written: str) -> Any:
    """The function of a module that :func:`source` has written."""
    inside: dict[str, Any] = {}
    # Written a moment ago by this process from numbers: names stand in it as strings.
    exec(compile(written, "<equations>", "exec"), inside)
    return inside["predict"]


def variables_of(terms: Sequence[str]) -> tuple[str, ...]:
    """The numbers that products are made of, in the order in which they first stand there.

    Examples
    --------
    >>> variables_of(("1", "x", "u", "x^2*u"))
    ('x', 'u')
    """
    factors = (factor.partition("^")[0] for term in terms if term != CONSTANT for factor in term.split("*"))
    return tuple(dict.fromkeys(factors))


def plain_names(units: Sequence[str]) -> tuple[str, ...]:
    """Names of units without the encoder that says them, where they then still differ.

    Examples
    --------
    >>> plain_names(("state:x", "state:x*y")), plain_names(("a:x", "b:x"))
    (('x', 'x*y'), ('a:x', 'b:x'))
    """
    short = tuple(unit.partition(":")[2] or unit for unit in units)
    return short if len(set(short)) == len(short) else tuple(units)


def by_term(terms: Sequence[str], coefficients: Sequence[float]) -> Mapping[str, float]:
    """Terms that have a coefficient."""
    return {term: float(one) for term, one in zip(terms, coefficients, strict=True) if one}


def _sum(terms: Sequence[str], coefficients: Sequence[float], between: str) -> str:
    text = ""
    for term, value in zip(terms, coefficients, strict=True):
        if not value:
            continue
        sign = ("-" if value < 0 else "") if not text else (" - " if value < 0 else " + ")
        size = f"{abs(value):.{DIGITS}g}"
        text += sign + (size if term == CONSTANT else f"{size}{between}{term}")
    return text or "0"


def _code(powers: Sequence[int]) -> str:
    return " * ".join(f"v{at}" for at, power in enumerate(powers) for _ in range(power))


def _typeset(term: str) -> str:
    parts = []
    for factor in term.split("*"):
        name, _, power = factor.partition("^")
        parts.append(_symbol(name) + (f"^{{{power}}}" if power else ""))
    if term == CONSTANT:
        return term
    # Letters of a product may touch each other, names may not.
    return (" " if all(re.match(r"[A-Za-z](?![a-z])", part) for part in parts) else r"\,").join(parts)


def _symbol(name: str) -> str:
    if re.fullmatch(r"[A-Za-z]", name):
        return name
    if name in GREEK:
        return rf"\{name}"
    if found := re.fullmatch(r"([A-Za-z])_?(\d+)", name):
        return f"{found[1]}_{{{found[2]}}}"
    escaped = re.sub(r"([#$%&_{} ])", r"\\\1", name.replace("\\", r"\backslash "))
    return rf"\mathrm{{{escaped}}}"
