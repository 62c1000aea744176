"""Matching pursuit: one atom after the other, each the one that explains most of what is left."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.dictionaries.base import ACTIVATION
from pellucid.heads.dictionaries.nonnegative import nonnegative_least_squares
from pellucid.heads.dictionaries.sparse import without_radial_gradient
from pellucid.heads.dictionaries.stepped import SteppedConfig, SteppedDictionary
from pellucid.representation import Representation

GRAM_FEATURES = 4096
"""Largest dictionary whose atoms' products with each other are kept during a pursuit: 64 MB."""

ROUNDING = 1e-5
"""Share of a row's length below which nothing is left of it."""


@dataclass(frozen=True)
class Path:
    """The order in which atoms explained some rows.

    Parameters
    ----------
    features : Tensor of int64, shape (row, step)
    codes : Tensor, shape (row, step)
        What each step added; 0 once nothing correlated with what was left.
    left : Tensor, shape (row, step + 1)
        Squared length of what was left before the first step and after each.
    """

    features: Tensor
    codes: Tensor
    left: Tensor


class PursuitConfig(SteppedConfig):
    """Settings of :class:`OrthogonalMatchingPursuit`.

    Parameters
    ----------
    k : int
        Steps while learning, and afterwards unless another number is asked for.
    dropout : float
        Share of the atoms that a batch must do without at first, so that all are used.
    dropout_passes : float
        Passes over the training rows for which that lasts.
    """

    k: int = Field(default=8, gt=0)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    dropout_passes: float = Field(default=1.0, ge=0)


class MatchingPursuitConfig(PursuitConfig):
    """Settings of :class:`MatchingPursuit`, beside those of :class:`PursuitConfig`.

    Parameters
    ----------
    tied : bool
        Whether an atom is chosen by its product with what is left, rather than by that of a direction learnt beside it.
    """

    tied: bool = True


class Pursuit(SteppedDictionary):
    """A dictionary whose codes are found in steps, and which learns from the squared error alone.

    A row's codes do not depend on one linear look at it: an atom that points away from others may be found after them, once
    they are explained. How many steps there are can be changed afterwards; a further step never makes the error larger.

    Evidence of an explanation is the path: which atom came first, and how much it left.
    """

    config: PursuitConfig

    def path(self, x: Tensor, k: int | None = None) -> Path:
        """The steps for representations, in their own units.

        Parameters
        ----------
        x : Tensor, shape (row, unit)
        k : int, optional
            Steps; those it has learnt with by default.
        """
        with torch.no_grad():
            apart = x / self.scale - self.centre
            features, codes, left = self._pursued(apart, k or self.config.k)
        return Path(features, codes * self.scale, left * self.scale.square())

    def encode(self, x: Tensor, k: int | None = None) -> Tensor:
        """Codes in the representation's own units, shape (row, unit) to (row, feature); an atom met twice has the sum."""
        path = self.path(x, k)
        return x.new_zeros(len(x), self.config.features).scatter_add(1, path.features, path.codes)

    def explain(self, z: Representation, target: str = ACTIVATION) -> Explanation:
        """How much each feature accounts for, with the path as evidence."""
        found = super().explain(z, target)
        path = self.path(z.values)
        evidence = tuple(tuple(self._told(path, row)) for row in range(len(z)))
        return Explanation(
            found.family, target, found.names, self._accounted(path, found), found.baseline, found.output, found.values,
            evidence,
        )  # fmt: skip

    def _told(self, path: Path, row: int) -> Iterator[Evidence]:
        whole = float(path.left[row, 0])
        for step, (feature, code) in enumerate(zip(path.features[row].tolist(), path.codes[row].tolist(), strict=True)):
            if code:
                left = float(path.left[row, step + 1]) / whole if whole else 0.0
                text = f"step {step + 1}: code {code:.4g}, leaves {left:.1%}"
                yield Evidence(self.explained_names[feature], text=text)

    def _accounted(self, path: Path, found: Explanation) -> Tensor:
        return found.contributions

    @abstractmethod
    def _pursued(self, x: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]: ...

    def _without(self) -> Tensor | None:
        """Atoms that this batch must do without, bool, shape (feature,); None outside of the first passes of training."""
        config = self.config
        if not (self.training and config.dropout and self.passes < config.dropout_passes):
            return None
        return torch.rand(config.features, device=self.directions.device) < config.dropout


class MatchingPursuit(Pursuit):
    """Each step adds the atom that correlates most with what is left, and takes its projection away.

    It stops for a row where nothing correlates positively. With tied atoms every step takes as much of the squared length as
    the square of its code, which is what its explanations say; the rest is the gap.

    Whether it finds more than :class:`~pellucid.heads.dictionaries.topk.TopK` depends on the data. Given the atoms, it tells
    coherent ones apart that no linear encoder can; *learning* planted hierarchies it was no better, and language models gave
    features that were harder to read (EleutherAI, 23 July 2025).

    References
    ----------
    Costa, Fel, Lubana, Tolooshams and Ba (2025), arXiv 2506.03093; Mallat and Zhang (1993), doi:10.1109/78.258082.
    Deviation: the product with all atoms is made once, and changed by products of atoms, where that costs less.
    """

    config_type = MatchingPursuitConfig
    config: MatchingPursuitConfig

    def __init__(self, config: MatchingPursuitConfig) -> None:
        super().__init__(config)
        if not config.tied:
            self.weight = nn.Parameter(self.directions.detach().clone())

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Squared error in scaled units, summed over them; which atoms are chosen is a constant to the gradient."""
        left = z.values / self.scale - self.centre
        with torch.no_grad():
            features, _, _ = self._pursued(left, self.config.k)
        atoms = without_radial_gradient(self.directions)
        seen = atoms if self.config.tied else self.weight
        if self.training:
            self.seen += len(z)
        for feature in features.T:
            chosen = atoms[feature]
            found = torch.linalg.vecdot(chosen if self.config.tied else seen[feature], left).relu()
            left = left - found[:, None] * chosen
        return left.square().sum(1).mean()

    def _pursued(self, x: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        seen = self.directions if self.config.tied else self.weight
        atoms, without = self.directions, self._without()
        features, codes, energies = [], [], [x.square().sum(1)]
        # One product with all atoms and k look-ups, or k products: the first pays for itself where rows are many.
        few = len(seen) <= min(GRAM_FEATURES, k * len(x))
        gram = atoms @ seen.T if few and len(seen) > x.shape[1] else None
        alike = x @ seen.T
        for _ in range(k):
            masked = alike if without is None else alike.masked_fill(without, -torch.inf)
            code, feature = masked.max(1)
            code = code.clamp(min=0)
            x = torch.addcmul(x, atoms[feature], code[:, None], value=-1)
            alike = x @ seen.T if gram is None else torch.addcmul(alike, gram[feature], code[:, None], value=-1)
            features.append(feature)
            codes.append(code)
            energies.append(x.square().sum(1))
        return torch.stack(features, 1), torch.stack(codes, 1), torch.stack(energies, 1)

    def _accounted(self, path: Path, found: Explanation) -> Tensor:
        taken = path.left[:, :-1] - path.left[:, 1:]
        return torch.zeros_like(found.contributions).scatter_add(1, path.features, taken)


class OrthogonalMatchingPursuit(Pursuit):
    """Each step adds the atom that correlates most with what is left, and finds all codes so far anew.

    What is left is then at right angles to every atom with a code, so that none is met twice.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad (1993), doi:10.1109/ACSSC.1993.342465, here with codes that are never negative, as in
    Bruckstein, Elad and Zibulevsky (2008), doi:10.1109/TIT.2008.929920. Codes are exact least squares, so they are constants
    to the gradient of the error.
    """

    config_type = PursuitConfig
    config: PursuitConfig

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Squared error in scaled units, summed over them."""
        apart = z.values / self.scale - self.centre
        with torch.no_grad():
            features, codes, _ = self._pursued(apart, self.config.k)
        if self.training:
            self.seen += len(z)
        found = (codes[:, :, None] * without_radial_gradient(self.directions)[features]).sum(1)
        return (apart - found).square().sum(1).mean()

    def _pursued(self, x: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        # Atoms that are nearly alike make codes that single precision cannot tell.
        kind, x, atoms = x.dtype, x.double(), self.directions.detach().double()
        left, energies = x, [x.square().sum(1)]
        taken = x.new_zeros(len(x), len(atoms), dtype=torch.bool)
        without = self._without()
        if without is not None:
            taken |= without
        chosen: Tensor = x.new_zeros(len(x), 0, dtype=torch.int64)
        codes, counts = x.new_zeros(len(x), 0), x.new_zeros(len(x), 0)
        for _ in range(min(k, len(atoms))):
            most, feature = (left @ atoms.T).masked_fill(taken, -torch.inf).max(1, keepdim=True)
            taken.scatter_(1, feature, True)
            chosen = torch.cat([chosen, feature], 1)
            # What correlates with rounding errors alone is not met.
            counts = torch.cat([counts, (most > ROUNDING * energies[0].sqrt()[:, None]).to(x.dtype)], 1)
            some = atoms[chosen] * counts[:, :, None]
            products = some @ some.transpose(1, 2)
            codes = nonnegative_least_squares(products, (some @ x[:, :, None])[:, :, 0])
            left = x - (codes[:, :, None] * some).sum(1)
            energies.append(left.square().sum(1))
        return chosen, codes.to(kind), torch.stack(energies, 1).to(kind)
