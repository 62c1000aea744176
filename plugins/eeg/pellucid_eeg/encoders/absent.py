"""What is read in place of electrodes that are masked: what the others let expect, by how channels go together in training.

A zero is not nothing. Spatial filters subtract neighbours from each other, and a BatchNorm expects the sizes that it has learnt:
without an electrode both are wrong. As much of it as the others tell is put in its place, and its own values are never read.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

LEAST = 1e-12

RIDGE = 0.01
"""Of the mean variance of a channel, added to each: electrodes side by side say nearly the same."""


class Together:
    """Sums up how channels go together, over the batches that pass by.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        self.products = torch.zeros(channels, channels, dtype=torch.float64)
        self.counts = torch.zeros(channels, channels, dtype=torch.float64)
        # Of a row's channel, over what is known of the column's too.
        self.sums = torch.zeros(channels, channels, dtype=torch.float64)
        self.offset = torch.zeros(channels, 1)

    def add(self, x: Tensor, known: Tensor | None) -> None:
        """Take in signals, shape (sample, channel, time); what is not known counts for no pair."""
        there = None if known is None else known.to(x.dtype)
        # Near the means: amplifiers have offsets a thousand times larger than what is recorded. A channel has one once it is known.
        often = torch.full_like(self.offset, x[:, 0].numel()) if there is None else there.sum((0, 2))[:, None]
        middle = (x if there is None else x * there).sum((0, 2))[:, None] / often.clamp(min=1)
        new = (self.counts.diagonal()[:, None] == 0) & (often > 0)
        self.offset = torch.where(new, middle, self.offset)
        kept = x - self.offset if there is None else (x - self.offset) * there
        flat = kept.transpose(0, 1).flatten(1)
        self.products += (flat @ flat.T).double()
        if there is None:
            self.counts += flat.shape[1]
            self.sums += flat.sum(1, keepdim=True).double()
        else:
            seen = there.transpose(0, 1).flatten(1)
            self.counts += (seen @ seen.T).double()
            self.sums += (flat @ seen.T).double()

    @property
    def means(self) -> Tensor:
        """Shape (channel, 1)."""
        return (self._beyond + self.offset).float()

    @property
    def _beyond(self) -> Tensor:
        """Means less the offset."""
        return (self.sums.diagonal() / self.counts.diagonal().clamp(min=1))[:, None]

    @property
    def covariance(self) -> Tensor:
        """Shape (channel, channel), about the mean of all that is known of each; 0 of pairs that were never seen together."""
        means = self._beyond
        crossed = self.sums * means.T
        found = (self.products - crossed - crossed.T) / self.counts.clamp(min=1) + means * means.T
        return torch.where(self.counts > 0, found, 0.0).float()


def from_before(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Let weights be loaded that were kept before these were: of what is masked nothing is expected then."""
    for name in ("covariance", "centre"):
        if hasattr(module, name):
            state.setdefault(f"{prefix}{name}", getattr(module, name))


def filled(x: Tensor, known: Tensor | None, covariance: Tensor, centre: Tensor | None = None) -> Tensor:
    """Signals with what the other channels let expect in place of channels of which a sample knows nothing.

    The expectation is linear: the regression of a channel on those that are there.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, time)
        0 where nothing is known.
    known : Tensor of bool of that shape, optional
    covariance : Tensor, shape (channel, channel)
        Of training samples; with the identity (nothing was learnt) the centre is expected.
    centre : Tensor, shape (channel, 1), optional
        Means of training samples; 0 without it.
    """
    patterns = list(_patterns(known, covariance))
    if not patterns:
        return x
    x, middle = x.clone(), torch.zeros_like(x[0, :, :1]) if centre is None else centre
    for mine, there, weights in patterns:
        some = x[mine]
        some[:, ~there] = middle[~there] + weights.T @ (some[:, there] - middle[there])
        x[mine] = some
    return x


def untold(known: Tensor | None, covariance: Tensor) -> Tensor | None:
    """Covariance of what the others do not tell of absent channels, shape (sample, channel, channel); None where none is absent.

    What :func:`filled` puts in their place has so much less power than they had.

    Parameters
    ----------
    known : Tensor of bool, shape (sample, channel, time), optional
        A channel is absent from a sample in which it is never known.
    covariance : Tensor, shape (channel, channel)
        Of the training samples.
    """
    if known is None or bool(known.any(-1).all()):
        return None
    found = torch.zeros(len(known), *covariance.shape, device=covariance.device)
    for mine, there, weights in _patterns(known, covariance):
        rest = torch.zeros_like(covariance)
        lost = covariance[~there][:, ~there] - covariance[~there][:, there] @ weights
        rest[torch.outer(~there, ~there)] = lost.flatten()
        found[mine] = rest
    return found


def _patterns(known: Tensor | None, covariance: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each set of channels that samples lack: whose it is, what is there, and weights of it, shape (there, absent)."""
    if known is None or bool((there := known.any(-1)).all()):
        return
    patterns, of = torch.unique(there, dim=0, return_inverse=True)
    for number, some in enumerate(patterns):
        if bool(some.all()) or not bool(some.any()):
            continue
        among = covariance[some][:, some].double()
        ridge = (
            RIDGE * among.diagonal().mean().clamp(min=LEAST) * torch.eye(len(among), dtype=among.dtype).to(among.device)
        )
        yield of == number, some, torch.linalg.solve(among + ridge, covariance[some][:, ~some].double()).float()
