"""Products of named numbers as units, as they are: the library of sparse equations."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Vector
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import StudyError
from pellucid.monomials import Monomials
from pellucid.representation import Representation


class PolynomialLibraryConfig(EncoderConfig):
    """Settings of :class:`PolynomialLibrary`.

    Parameters
    ----------
    degree : int
    linear_in : tuple of str
        Numbers that enter at most linearly, and not multiplied by each other: controls. Products of all others are there alone and
        times each of these.
    interactions : bool
        Whether different numbers are multiplied by each other.
    constant : bool
        Whether 1 is a unit.
    angles : tuple of (str, str)
        Pairs of numbers that are cosine and sine of one angle. Products with a square of the sine are left out, as they are sums of others.
    """

    degree: int = Field(default=2, ge=1, le=12)
    linear_in: tuple[str, ...] = ()
    interactions: bool = True
    constant: bool = True
    angles: tuple[tuple[str, str], ...] = ()


class PolynomialLibrary(Encoder):
    """Products of powers of named numbers, up to a degree, not standardised: a coefficient on them is one of an equation.

    Units are called ``x``, ``x*y``, ``x^2``, and ``1`` for the constant. Nothing is learnt.
    A missing number counts as 0, so that products of it add nothing.

    References
    ----------
    Brunton, Proctor and Kutz (2016), doi:10.1073/pnas.1517384113; with controls, Zolman et al. (2025), Nature
    Communications. Only polynomials are here.
    """

    tags = EncoderTags(accepts=("vector",))
    config_type = PolynomialLibraryConfig
    config: PolynomialLibraryConfig

    def __init__(self, config: PolynomialLibraryConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Vector)
        for name in spec.names:
            if any(sign in name for sign in "*^") or name == "1":
                raise StudyError(
                    f"input {self.input_name!r}: a number named {name!r} would make products that cannot be read back; rename it"
                )
        self.terms = Monomials.up_to(
            config.degree,
            spec.names,
            linear=config.linear_in,
            interactions=config.interactions,
            constant=config.constant,
            angles=config.angles,
        )
        self._units = (spec.units,) * len(spec.names) if isinstance(spec.units, str) else spec.units

    @property
    def names(self) -> tuple[str, ...]:
        """``"x^2*y"``, by degree."""
        return self.terms.names

    @property
    def term_units(self) -> tuple[str, ...]:
        """The physical unit of each product."""
        return self.terms.units(self._units)

    def forward(self, batch: Batch) -> Representation:
        """Multiply."""
        values, known = self.read(batch), self.known(batch)
        if known is not None:
            values = torch.where(known, values, torch.zeros_like(values))
        # In double precision until all is multiplied.
        rows = values.double().T
        found = torch.empty(len(self.names), len(values), dtype=torch.float64, device=values.device)
        self.terms.fill(rows, found)
        units: Tensor = found.T.to(values.dtype)
        return Representation(units, self.names)
