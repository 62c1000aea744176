"""Two groups of units, one for the class and one for the domain: what each must tell, and what it must not."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.data.spec import COVARIATES
from pellucid.data.subjects import group_name, pseudonym
from pellucid.encoders.adversary import information, reader, reversed_gradient, standardised
from pellucid.errors import DataError, StudyError, nearest

UNKNOWN = -1
"""Number of a domain that was not among the training samples."""


class Domains(nn.Module):
    """The domains that training samples come from, numbered; their names are kept as salted digests only.

    Parameters
    ----------
    name : str
        A group column, or a covariate.
    most : int
        How many there may be.
    column : int, optional
        Where the covariate stands among the covariates; None for a group column.
    """

    digests: Tensor
    count: Tensor

    def __init__(self, name: str, most: int, column: int | None) -> None:
        super().__init__()
        self.name, self.most, self.column = name, most, column
        self.register_buffer("digests", torch.zeros(most, dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def named(self, batch: Batch) -> list[int | None]:
        """Digest of the domain of each sample; None where it is missing.

        Raises
        ------
        StudyError
            If samples have no such group column.
        """
        if self.column is not None:
            known, values = batch.known(COVARIATES), batch.inputs[COVARIATES][:, self.column].tolist()
            there = [True] * len(values) if known is None else known[:, self.column].tolist()
            return [one if is_there else None for one, is_there in zip(self._digests(values), there, strict=True)]
        if self.name not in batch.groups:
            known_columns = ", ".join(batch.groups) or "none"
            raise StudyError(
                f"domain {self.name!r} is no group column of the data{nearest(self.name, batch.groups)}; group columns: "
                f"{known_columns}. For a covariate, let the encoder read the covariates too: inputs = [..., {COVARIATES!r}]"
            )
        return list(self._digests(list(batch.groups[self.name])))

    def learn(self, digests: set[int]) -> None:
        """Number the domains of the training samples, given by their digests.

        Raises
        ------
        DataError
            If there is one only, or more than expected.
        """
        if not 2 <= len(digests) <= self.most:
            raise DataError(
                f"the training samples come from {len(digests)} domains by {self.name!r}; dts needs two at least and was built "
                f"for {self.most}: set `domains = {max(2, len(digests))}`, or name another column as `domain`"
            )
        self.digests.zero_()
        self.digests[: len(digests)] = torch.tensor(sorted(digests), dtype=torch.int64)
        self.count.fill_(len(digests))

    def numbers(self, batch: Batch) -> Tensor:
        """Number of each sample's domain, int64, shape (sample,); :data:`UNKNOWN` where it was not learnt from."""
        order = {digest: at for at, digest in enumerate(self.digests[: int(self.count)].tolist())}
        found = [UNKNOWN if one is None else order.get(one, UNKNOWN) for one in self.named(batch)]
        return torch.tensor(found, dtype=torch.int64, device=self.digests.device)

    def _digests(self, names: list[Any]) -> list[int]:
        # A batch names few domains many times, and a digest takes longer than all else that is done with it.
        of = {name: self._digest(name) for name in set(names)}
        return [of[name] for name in names]

    def _digest(self, name: object) -> int:
        # 63 of the 64 bits, so that the number fits a signed tensor.
        return int(pseudonym(group_name(name), f"domain {self.name}"), 16) >> 1


class Groups(nn.Module):
    """Readers of both groups of units: of each, one that it must please and one that it must leave at chance.

    Parameters
    ----------
    units : (int, int)
        Of the class group and of the domain group.
    classes, domains : int
        0: there are no labels of this kind, and no readers.
    """

    def __init__(self, units: tuple[int, int], classes: int, domains: int) -> None:
        super().__init__()
        self.units, self.classes, self.domains = units, classes, domains
        first, second = units
        self.readers = nn.ModuleDict()
        if classes:
            self.readers["class"] = reader(first, classes)
            self.readers["class adversary"] = reader(second, classes)
        if domains:
            self.readers["domain"] = reader(second, domains)
            self.readers["domain adversary"] = reader(first, domains)

    def readers_loss(self, z: Tensor, labels: Tensor | None, domains: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is lost where the class group tells the class, and where the domain group tells the domain.

        Parameters
        ----------
        z : Tensor, shape (sample, unit)
        labels : Tensor, shape (sample, column), optional
            One column: numbers of classes. Several: a yes or no each. NaN where a label is missing.
        domains : Tensor of int64, shape (sample,), optional
        """
        one, other = z.split(self.units, dim=1)
        return self._of_class("class", one, labels), self._of_domain("domain", other, domains)

    def adversaries_loss(
        self, z: Tensor, labels: Tensor | None, domains: Tensor | None, weights: tuple[float, float]
    ) -> tuple[Tensor, Tensor]:
        """What adversaries lose that look for the domain in the class group, and for the class in the domain group.

        They read units in standard deviations over the batch. Gradients reach ``z`` turned round, each with its weight, while an
        adversary does better than chance. To one at chance or worse they do not: against it a group gains most by telling what
        it is to hide, wrongly.

        Parameters
        ----------
        z, labels, domains
            See :meth:`readers_loss`.
        weights : (float, float)
            Of the adversary that looks for the domain, and of that which looks for the class.
        """
        one, other = (standardised(part) for part in z.split(self.units, dim=1))
        with torch.no_grad():
            found = self._looked(one, other, labels, domains)
        one, other = (
            reversed_gradient(part, weight if float(lost) < chance else 0.0)
            for part, weight, lost, chance in zip((one, other), weights, found, self.chance(labels), strict=True)
        )
        return self._looked(one, other, labels, domains)

    def information_of_other(self, z: Tensor, labels: Tensor | None, domains: Tensor | None) -> tuple[Tensor, Tensor]:
        """Nats that a reader without learning finds of the domain in the class group, and of the class in the domain group.

        Parameters
        ----------
        z, labels, domains
            See :meth:`readers_loss`.
        """
        one, other = z.split(self.units, dim=1)
        of_domain, of_class = z.new_zeros(()), z.new_zeros(())
        if domains is not None and self.domains:
            known = domains != UNKNOWN
            of_domain = information(one[known], _columns(domains[known], self.domains, z))
        if labels is not None and self.classes:
            known = labels.isfinite().all(1)
            several = labels.shape[1] > 1
            said = labels[known] if several else _columns(labels[known, 0].long(), self.classes, z)
            of_class = information(other[known], said)
        return of_domain, of_class

    def chance(self, labels: Tensor | None) -> tuple[float, float]:
        """What a reader loses, of domains and of classes, that knows nothing and says so."""
        several = labels is not None and labels.shape[1] > 1
        of_class = self.classes * math.log(2) if several else math.log(max(self.classes, 1))
        return math.log(max(self.domains, 1)), of_class

    def _looked(
        self, one: Tensor, other: Tensor, labels: Tensor | None, domains: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return self._of_domain("domain adversary", one, domains), self._of_class("class adversary", other, labels)

    def _of_class(self, name: str, units: Tensor, labels: Tensor | None) -> Tensor:
        if labels is None or not self.classes:
            return units.new_zeros(())
        said = self.readers[name](units)
        known = labels.isfinite().all(1)
        if labels.shape[1] == 1:
            numbers = torch.where(known, labels[:, 0], torch.full_like(labels[:, 0], UNKNOWN)).long()
            return _cross_entropy(said, numbers)
        lost = functional.binary_cross_entropy_with_logits(said, labels.nan_to_num(), reduction="none").sum(1)
        return (lost * known).sum() / known.sum().clamp(min=1)

    def _of_domain(self, name: str, units: Tensor, domains: Tensor | None) -> Tensor:
        if domains is None or not self.domains:
            return units.new_zeros(())
        return _cross_entropy(self.readers[name](units), domains)


def check_labels(labels: Tensor | None, classes: int) -> None:
    """Refuse labels that are not those of so many classes.

    Raises
    ------
    DataError
    """
    if labels is None:
        raise DataError(f"dts was built for {classes} classes, but its samples carry no labels")
    if labels.shape[1] > 1:
        if labels.shape[1] != classes:
            raise DataError(f"dts was built for {classes} classes, but the target has {labels.shape[1]} labels")
        return
    known = labels[labels.isfinite()]
    if ((known != known.round()) | (known < 0) | (known >= classes)).any():
        raise DataError(
            f"dts was built for {classes} classes, 0 to {classes - 1}, but the target reaches from {known.min():g} to "
            f"{known.max():g}: set `classes` to the number of classes, or leave it out where the target is a number"
        )


def _columns(numbers: Tensor, count: int, like: Tensor) -> Tensor:
    """A yes or no for each number but the last, which the others tell."""
    return functional.one_hot(numbers, count)[:, :-1].to(like)


def _cross_entropy(said: Tensor, numbers: Tensor) -> Tensor:
    """Mean over the samples whose number is known; 0 without any."""
    lost = functional.cross_entropy(said, numbers, ignore_index=UNKNOWN, reduction="sum")
    return lost / (numbers != UNKNOWN).sum().clamp(min=1)
