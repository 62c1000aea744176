"""Bundles of prototypes: for each class a few weighted means of its prototypes, with few weights that are not zero."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

THRESHOLD = 0.05
"""Share of a bundle below which a prototype is dropped from it."""

RATE = 0.02
"""Step size of Adam; shares lie between 0 and 1."""


def simplex_rows(values: Tensor, usable: Tensor) -> Tensor:
    """The nearest rows whose entries are not negative and add up to 1.

    Parameters
    ----------
    values : Tensor, shape (..., entry)
    usable : Tensor of bool, of the same shape
        Other entries are 0; rows with none usable are 0 throughout.

    References
    ----------
    Held et al. (1974), doi:10.1007/BF01580223: by sorting.

    Examples
    --------
    >>> simplex_rows(torch.tensor([[0.6, 0.6, -1.0]]), torch.ones(1, 3, dtype=torch.bool)).tolist()
    [[0.5, 0.5, 0.0]]
    """
    ordered = values.masked_fill(~usable, -torch.inf).sort(dim=-1, descending=True).values
    counted = torch.arange(1, values.shape[-1] + 1, device=values.device)
    excess = (ordered.masked_fill(ordered.isinf(), 0).cumsum(-1) - 1) / counted
    # The last entry that is above the common excess decides how many stay.
    kept = (ordered > excess).sum(-1, keepdim=True).clamp(min=1)
    return torch.where(usable, (values - excess.gather(-1, kept - 1)).relu(), torch.zeros_like(values))


def row_entropy(rows: Tensor) -> Tensor:
    """Entropy of each row in nats: 0 for one entry alone; (..., entry) to (...)."""
    return -torch.xlogy(rows, rows).sum(-1)


def activations(similarities: Tensor, mix: Tensor, full_at: Tensor) -> Tensor:
    """How active each bundle is, above 0 to 1; (sample, prototype) to (sample, class * bundle).

    The exponential of the weighted mean of similarities, over that of ``full_at``: the mean from which on it is 1.
    """
    mean = similarities @ mix.flatten(0, 1).t()
    return (torch.minimum(mean, full_at) - full_at).exp()


@dataclass(frozen=True)
class Bundling:
    """How shares are learnt.

    Parameters
    ----------
    entropy, l1 : float
        Weights of the mean entropy of a bundle's shares and of the sizes of other classes' weights, these per standard
        deviation of an activation.
    steps : int
    """

    entropy: float
    l1: float
    steps: int

    def learn(
        self, similarities: Tensor, labels: Tensor, mix: Tensor, usable: Tensor, weight: Tensor, bias: Tensor, own: Tensor,
        full_at: Tensor, *, one_class: bool,
    ) -> Tensor:  # fmt: skip
        """Shares, shape (class, bundle, prototype), from the similarities of all training samples.

        Parameters
        ----------
        similarities : Tensor, shape (sample, prototype)
        labels : Tensor, shape (sample, output)
        mix : Tensor, shape (class, bundle, prototype)
            Where they begin.
        usable : Tensor of bool, of the same shape
            Prototypes of the class that have a source.
        weight, bias : Tensor, shapes (output, class * bundle), (output,)
            Weights of activations in standard deviations where they begin.
        own : Tensor of bool, shape (output, class * bundle)
        full_at : Tensor, shape ()
            See :func:`activations`.
        one_class : bool

        References
        ----------
        Porta et al. (2025), ScaleProtoSeg, arXiv 2409.09497: rows are put back on the simplex before the first step and after
        each; what is left below the threshold is dropped. Deviations: rows are made whole again afterwards.
        """
        with torch.enable_grad():
            mix = simplex_rows(mix.detach().clone(), usable).requires_grad_()
            weight, bias = (start.detach().clone().requires_grad_() for start in (weight, bias))
            begin = activations(similarities, mix, full_at).detach()
            mean, scale = begin.mean(0), begin.std(0).clamp(min=1e-9)
            optimizer = torch.optim.Adam([mix, weight, bias], lr=RATE)
            for _ in range(self.steps):
                optimizer.zero_grad()
                x = (activations(similarities, mix, full_at) - mean) / scale
                outputs = functional.linear(x, weight, bias)
                if one_class:
                    loss = functional.cross_entropy(outputs, labels)
                else:
                    loss = functional.binary_cross_entropy_with_logits(outputs, labels)
                entropy = row_entropy(mix.clamp(min=1e-12)).mean()
                (loss + self.entropy * entropy + self.l1 * (weight * ~own).abs().sum()).backward()
                optimizer.step()
                with torch.no_grad():
                    mix.copy_(simplex_rows(mix, usable))
        return thresholded(mix.detach())


def thresholded(mix: Tensor) -> Tensor:
    """Shares without the small ones, made whole again."""
    kept = torch.where(mix < THRESHOLD, 0.0, mix)
    return kept / kept.sum(-1, keepdim=True).clamp(min=1e-12)
