"""Named numbers as they are, standardised: for ratings, covariates and features measured by hand."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Vector
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.errors import DataError, StudyError, nearest
from pellucid.moments import Moments
from pellucid.representation import Representation


class IdentityConfig(EncoderConfig):
    """Settings of :class:`Identity`.

    Parameters
    ----------
    columns : tuple of str, optional
        Which of the vector's numbers to keep, in this order; all by default.
    standardised : bool
        Whether numbers are handed on in standard deviations from their training mean, or as they are (counts), a missing one as
        the training mean.
    indicators : bool
        Whether each number gets a second unit, ``"<name> is missing"``: 1 where the number is unknown, else 0.
    """

    columns: tuple[str, ...] | None = None
    standardised: bool = True
    indicators: bool = False


class Identity(Encoder):
    """Named numbers, each in standard deviations from its mean over the training samples, or as they are.

    A missing number becomes the training mean, which is 0 after standardising. A number that does not vary in training
    is centred and left unscaled, so that an unusual value met later does not become huge.
    """

    tags = EncoderTags(accepts=("vector",))
    config_type = IdentityConfig
    config: IdentityConfig
    mean: Tensor
    scale: Tensor

    def __init__(self, config: IdentityConfig) -> None:
        super().__init__()
        self.config = config
        (spec,) = config.inputs.values()
        assert isinstance(spec, Vector)
        self.columns = spec.names if config.columns is None else config.columns
        for column in self.columns:
            if column not in spec.names:
                raise StudyError(
                    f"input {self.input_name!r} has no number named {column!r}{nearest(column, spec.names)}"
                )
        self._at = [spec.names.index(column) for column in self.columns]
        self.register_buffer("mean", torch.zeros(len(self.columns)))
        self.register_buffer("scale", torch.ones(len(self.columns)))

    @property
    def names(self) -> tuple[str, ...]:
        """The vector's own names; with indicators also ``"<name> is missing"``."""
        extra = tuple(f"{name} is missing" for name in self.columns) if self.config.indicators else ()
        return (*self.columns, *extra)

    @property
    def centred(self) -> bool:
        """Where numbers are standardised."""
        return self.config.standardised

    def prepare(self, batches: Iterable[Batch]) -> None:
        """Learn mean and standard deviation of each number from the training samples in which it is known.

        Raises
        ------
        DataError
            If a number is known in no training sample: nothing can be put in its place.
        """
        moments = Moments()
        for batch in batches:
            moments.add(*self._selected(batch))
        unknown = [name for name, n in zip(self.columns, moments.count, strict=True) if n == 0]
        if unknown:
            raise DataError(
                f"input {self.input_name!r}: {', '.join(map(repr, unknown))} is known in no training sample; "
                "leave it out with the option `columns`"
            )
        self.mean.copy_(moments.mean)
        self.scale.copy_(moments.deviation)

    def forward(self, batch: Batch) -> Representation:
        """Standardise; missing numbers become 0."""
        values, known = self._selected(batch)
        if self.config.standardised:
            units = torch.where(known, (values - self.mean) / self.scale, torch.zeros_like(values))
        else:
            units = torch.where(known, values, self.mean.expand_as(values))
        if self.config.indicators:
            units = torch.cat([units, (~known).to(units.dtype)], dim=1)
        return Representation(units, self.names)

    def undone(self, units: Tensor) -> Tensor:
        """Numbers in their own scale again, from units without indicators; shape (sample, unit) both."""
        return units * self.scale + self.mean if self.config.standardised else units

    def _selected(self, batch: Batch) -> tuple[Tensor, Tensor]:
        values, known = self.read(batch)[:, self._at], self.known(batch)
        return values, torch.ones_like(values, dtype=torch.bool) if known is None else known[:, self._at]
