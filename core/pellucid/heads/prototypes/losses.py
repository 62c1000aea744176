"""What makes prototypes good examples of their class: near it, away from others, different from each other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def clustering(similarity: Tensor, is_of_class: Tensor, owner: Tensor) -> Tensor:
    """Minus the similarity of each sample to the nearest prototype of every class that it is of; mean over all pairs.

    Parameters
    ----------
    similarity : Tensor, shape (sample, prototype)
    is_of_class : Tensor of bool, shape (sample, class)
    owner : Tensor of bool, shape (class, prototype)
        Which class a prototype is of. Classes without a prototype are left out.
    """
    best = _best(similarity, owner[None])
    return -torch.where(is_of_class & owner.any(1), best, 0.0).mean()


def separation(similarity: Tensor, is_of_class: Tensor, owner: Tensor, *, as_released: bool = False) -> Tensor:
    """The similarity of each sample to the nearest prototype that it should not resemble; mean over samples.

    Parameters
    ----------
    similarity, is_of_class, owner
        See :func:`clustering`.
    as_released : bool
        As the released code of ProtoECGNet (2025, PMLR 298) has it: for every class the nearest prototype of any other one, so
        that a sample is pushed away from the prototypes of the other classes that it is of, too.
    """
    if as_released:
        best = _best(similarity, ~owner[None])
        return torch.where((~owner).any(1), best, 0.0).mean()
    foreign = ~((is_of_class.to(owner.device)[:, :, None] & owner[None]).any(1))
    best = similarity.masked_fill(~foreign, -torch.inf).amax(1)
    return torch.where(foreign.any(1), best, 0.0).mean()


def _best(similarity: Tensor, mask: Tensor) -> Tensor:
    best = similarity[:, None].masked_fill(~mask, -torch.inf).amax(2)
    # Minus infinity in the branch that is not taken would still make the gradient NaN.
    return torch.where(best.isinf(), 0.0, best)


def diversity(prototypes: Tensor) -> Tensor:
    """How far prototypes, shape (prototype, value), are from being perpendicular to each other, per pair.

    ``||P P^T - I||^2 / n^2`` of prototypes scaled to length 1.

    Examples
    --------
    >>> diversity(torch.eye(3)).item(), diversity(torch.ones(2, 4)).item()
    (0.0, 0.5)
    """
    unit = functional.normalize(prototypes, dim=1)
    return (unit @ unit.t() - torch.eye(len(unit), device=unit.device)).square().mean()


def cooccurrence(prototypes: Tensor, class_of: Tensor, jaccard: Tensor) -> Tensor:
    """Contrast of prototypes of classes that occur together with those of classes that do not; lower is better.

    Parameters
    ----------
    prototypes : Tensor, shape (prototype, value)
    class_of : Tensor of int, shape (prototype,)
    jaccard : Tensor, shape (class, class)
        From :class:`CoOccurrence`.

    References
    ----------
    ProtoECGNet (2025), as released: minus the difference of the mean cosine weighted by the Jaccard index and that weighted by
    one minus it, over the root of the number of prototypes.
    """
    unit = functional.normalize(prototypes, dim=1)
    cosine = unit @ unit.t()
    together = jaccard[class_of][:, class_of]
    separate = 1 - together
    drawn = (cosine * together).sum() / together.sum().clamp(min=1e-12)
    pushed = (cosine * separate).sum() / separate.sum().clamp(min=1e-12)
    return -(drawn - pushed) / len(unit) ** 0.5


def same_places(distances: Tensor, is_of_class: Tensor, class_of: Tensor) -> Tensor:
    """How much prototypes of one class look at the same places of a sample, 0 to 1; mean over samples and pairs.

    Parameters
    ----------
    distances : Tensor, shape (sample, window, prototype)
        Squared distances, not similarities, of the prototypes of one set (one scale).
    is_of_class : Tensor of bool, shape (sample, class)
    class_of : Tensor of int, shape (prototype,)

    References
    ----------
    Porta et al. (2025), ScaleProtoSeg, arXiv 2409.09497: the mean over pairs of ``exp(-KL)``, where KL is the symmetric
    divergence of the softmax of distances over places. Deviation: where only a whole sample is labelled, all of its windows are
    places of its class.
    """
    terms = []
    share = distances.log_softmax(1)
    for class_index in class_of.unique():
        at, has = torch.nonzero(class_of == class_index)[:, 0], is_of_class[:, class_index]
        if len(at) < 2 or not has.any() or distances.shape[1] < 2:
            continue
        log = share[has][:, :, at]
        # KL(i | j) of every pair at once: sum of p_i log p_i less sum of p_i log p_j.
        chance = log.exp()
        crossed = torch.einsum("bwi,bwj->bij", chance, log)
        own = crossed.diagonal(dim1=1, dim2=2)
        divergence = own[:, :, None] - crossed
        both = (divergence + divergence.transpose(1, 2)) / 2
        first, second = torch.triu_indices(len(at), len(at), 1, device=distances.device)
        terms.append((-both[:, first, second]).exp().flatten())
    return torch.cat(terms).mean() if terms else distances.sum() * 0.0


class CoOccurrence:
    """How often classes occur in the same samples, from batches that pass by.

    Examples
    --------
    >>> classes_seen = CoOccurrence()
    >>> classes_seen.add(torch.tensor([[True, True, False], [True, False, False]]))
    >>> classes_seen.jaccard[0].tolist()
    [1.0, 0.5, 0.0]
    """

    def __init__(self) -> None:
        self._both: Tensor | None = None
        self.samples = 0

    def add(self, is_of_class: Tensor) -> None:
        """Take in a batch, bool, shape (sample, class)."""
        counted = is_of_class.double().t() @ is_of_class.double()
        self._both = counted if self._both is None else self._both + counted
        self.samples += len(is_of_class)

    @property
    def counts(self) -> Tensor:
        """Samples of each class."""
        assert self._both is not None
        return self._both.diagonal()

    @property
    def jaccard(self) -> Tensor:
        """Samples of both classes over samples of either, shape (class, class); 0 where there is neither."""
        assert self._both is not None
        either = self.counts[:, None] + self.counts[None] - self._both
        return self._both / either.clamp(min=1)
