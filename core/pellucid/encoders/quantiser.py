"""Vector quantisation: each latent is replaced by the nearest of some learnt vectors, its code."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from pellucid.data.frozen import Frozen

# Why not vector-quantize-pytorch: where its codebook learns by gradients, one term with one weight moves codes and latents
# together, so that the second term cannot be set to 0 alone; it restarts codes by a moving count of vectors and not by their
# share over some steps; and it has no loss in evaluation mode, by which training is stopped here.


class QuantiserSettings(Frozen):
    """Settings of :class:`VectorQuantiser`, for encoders to have among theirs.

    Parameters
    ----------
    codes : int
        Entries of the codebook.
    start : {"data", "noise"}
        Codes begin as latents of training samples, drawn by lot, or as normal noise.
    codebook_weight : float
        Weight of the term that draws codes towards the latents which they stand for.
    commitment : float
        Weight of the term that draws latents towards their code.
    restart_share : float
        A code that stands for a smaller share of the latents of so many steps is put where a latent is. Below one over the
        number of codes: with equal use each has that share.
    restart_steps : int
        How many steps are looked at; 0: no code is ever put elsewhere.
    """

    codes: int = Field(default=512, ge=2)
    start: Literal["data", "noise"] = "data"
    codebook_weight: float = Field(default=1.0, ge=0)
    commitment: float = Field(default=0.25, ge=0)
    restart_share: float = Field(default=0.001, ge=0, lt=1)
    restart_steps: int = Field(default=1000, ge=0)

    @model_validator(mode="after")
    def _a_share_that_codes_can_have(self) -> QuantiserSettings:
        if self.restart_steps and self.restart_share >= 1 / self.codes:
            raise ValueError(
                f"restart_share = {self.restart_share:g}: {self.codes} codes that are used alike have {1 / self.codes:.2g} each, "
                "and all would be put elsewhere again and again; set a smaller share"
            )
        return self


@dataclass(frozen=True)
class Quantised:
    """Latents as codes.

    Parameters
    ----------
    values : Tensor, shape (..., width)
        The code's vector, through which gradients pass to the latent as if it were the latent; 0 where nothing is known.
    codes : Tensor of int64, shape (...)
        From 0; -1 where nothing is known.
    loss : Tensor, shape ()
        ``codebook_weight * mean (sg(h) - v)^2 + commitment * mean (h - sg(v))^2`` over the values of all known latents ``h``
        and their codes' vectors ``v``; no gradient passes through ``sg``.
    """

    values: Tensor
    codes: Tensor
    loss: Tensor


class VectorQuantiser(nn.Module):
    """A codebook that learns by gradients, with codes that nobody uses put where latents are.

    While it learns, :meth:`settle` is to be called after each step. All chance is torch's own, so that a seed settles it.

    Parameters
    ----------
    width : int
        Of latents and codes.
    settings : QuantiserSettings

    References
    ----------
    van den Oord et al. (2017), arXiv 1711.00937. Deviations: squared distances are means over values and not sums; codes begin
    as latents; codes that are hardly used are put elsewhere.

    Examples
    --------
    >>> layer = VectorQuantiser(2, QuantiserSettings(codes=2, restart_steps=0))
    >>> layer.codebook.data = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    >>> found = layer(torch.tensor([[0.1, 0.0], [0.9, 1.2]]))
    >>> found.codes.tolist(), found.values.tolist()
    ([0, 1], [[0.0, 0.0], [1.0, 1.0]])
    """

    uses: Tensor
    steps: Tensor
    restarts: Tensor

    def __init__(self, width: int, settings: QuantiserSettings) -> None:
        super().__init__()
        self.settings = settings
        self.codebook = nn.Parameter(torch.randn(settings.codes, width))
        # Of the steps since codes were last put elsewhere: part of the weights, so that a training that was cut off goes on.
        self.register_buffer("uses", torch.zeros(settings.codes, dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("restarts", torch.zeros((), dtype=torch.int64))
        self._latest: Tensor | None = None

    def nearest(self, latents: Tensor) -> Tensor:
        """Code of each latent, int64, shape (...) from (..., width)."""
        found: Tensor = (0.5 * self.codebook.square().sum(1) - latents @ self.codebook.T).argmin(-1)
        return found

    def forward(self, latents: Tensor, known: Tensor | None = None) -> Quantised:
        """Replace latents by codes.

        Parameters
        ----------
        latents : Tensor, shape (..., width)
        known : Tensor of bool, optional, shape (...)
            Where latents are of something; elsewhere they have no code and no part in the loss. All, if left out.
        """
        with torch.no_grad():
            codes = self.nearest(latents)
        chosen = functional.embedding(codes, self.codebook)
        draws = (latents.detach() - chosen).square().mean(-1)
        commits = (latents - chosen.detach()).square().mean(-1)
        share = torch.full_like(draws, 1 / max(1, draws.numel())) if known is None else known / known.sum().clamp(min=1)
        weights = self.settings
        loss = weights.codebook_weight * (draws * share).sum() + weights.commitment * (commits * share).sum()
        # In this order the value is the code's to the last bit.
        values = chosen.detach() + (latents - latents.detach())
        if self.training:
            self._watch(latents, codes, known)
        if known is not None:
            values = torch.where(known[..., None], values, torch.zeros_like(values))
            codes = codes.masked_fill(~known, -1)
        return Quantised(values, codes, loss)

    @torch.no_grad()
    def begin(self, latents: Iterable[Tensor]) -> None:
        """Put codes where latents of training samples are, drawn by lot; nothing, if they begin as noise.

        Parameters
        ----------
        latents : iterable of Tensor, shape (latent, width) each
        """
        if self.settings.start == "noise":
            return
        # A lot for each latent, and the lowest win: one pass, and no more is kept than is needed.
        generator, count = torch.Generator().manual_seed(0), len(self.codebook)
        lots, kept = torch.zeros(0), self.codebook.new_zeros(0, self.codebook.shape[1])
        for some in latents:
            lots = torch.cat([lots, torch.rand(len(some), generator=generator)])
            kept = torch.cat([kept, some])
            order = lots.argsort(stable=True)[:count]
            lots, kept = lots[order], kept[order]
        # Where latents are fewer, the other codes stay noise.
        self.codebook[: len(kept)] = kept

    @torch.no_grad()
    def settle(self) -> None:
        """After a step: put codes that are hardly used where latents of the latest batch are."""
        latest, self._latest = self._latest, None
        if latest is None or not len(latest) or not self.settings.restart_steps:
            return
        self.steps += 1
        if int(self.steps) < self.settings.restart_steps:
            return
        idle = torch.nonzero(self.uses < self.settings.restart_share * self.uses.sum())[:, 0]
        drawn = torch.randperm(len(latest))
        drawn = drawn.repeat(math.ceil(len(idle) / len(drawn)))[: len(idle)].to(latest.device)
        self.codebook[idle] = latest[drawn]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            # Each process has seen its own part of the batch; the codebook must stay one.
            torch.distributed.broadcast(self.codebook.data, 0)
        self.restarts += len(idle)
        self.uses.zero_()
        self.steps.zero_()

    @torch.no_grad()
    def _watch(self, latents: Tensor, codes: Tensor, known: Tensor | None) -> None:
        codes, latents = (codes.flatten(), latents.detach().flatten(0, -2))
        if known is not None:
            codes, latents = codes[known.flatten()], latents[known.flatten()]
        self.uses += torch.bincount(codes, minlength=len(self.uses))
        self._latest = latents


def perplexity(counts: Tensor) -> Tensor:
    """How many codes that are used alike would be as spread out: the exponential of the entropy, from 1 to their number.

    Parameters
    ----------
    counts : Tensor, shape (..., code)
        How often each code occurs, or the shares.

    Examples
    --------
    >>> perplexity(torch.tensor([[5, 5, 0], [7, 0, 0]])).round(decimals=4).tolist()
    [2.0, 1.0]
    """
    share = counts.double() / counts.sum(-1, keepdim=True).clamp(min=1e-300)
    return torch.special.entr(share).sum(-1).exp()
