"""A sum over places: each adds what a small network says of it alone, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, PredictorConfig, Stage
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.heads.scaled import STRIDE, ScaledHead
from pellucid.representation import Representation, Tokens

TOP = 5
"""Places of each sample that are named as evidence."""


class AdditiveTokensConfig(PredictorConfig):
    """Settings of :class:`AdditiveTokens`.

    Parameters
    ----------
    tokens_name : str
        Of the set of tokens; may be left out where there is only one.
    pool : {"mean", "sum"}
        Whether places add up, or their mean is the output.
    hidden : int
        Width of the network's one hidden layer; 0: a weighted sum of the place's units.
    dropout : float
        Share of hidden cells that are silent in a training step.
    beside : bool
        Whether units of the other encoders are added too, each with a weight.
    l2 : float
        Penalty on half the squared weights of the units beside, per standard deviation of a unit.
    """

    tokens_name: str = ""
    pool: Literal["mean", "sum"] = "mean"
    hidden: int = Field(64, ge=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    beside: bool = True
    l2: float = Field(1e-3, ge=0)


class AdditiveTokens(ScaledHead):
    """``output = prior + sum over places of network(place) + sum of weighted units beside``.

    The explanation is how the output is computed, so contributions add up to it exactly. With ``pool="mean"`` each place's
    contribution is measured from the mean over all places of the training samples, which joins the baseline: a place that
    is as places are adds nothing. With ``"sum"`` there is no such zero, as another place more is a difference in itself.
    What a place is may depend on its neighbours, as far as the encoder looks.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> from pellucid.representation import Tokens, TokenShape
    >>> tokens = {"x": TokenShape(count=0, width=2, varying=True)}
    >>> head = AdditiveTokens(AdditiveTokensConfig(units=("x:a",), target=Binary(names=("no", "yes")), tokens=tokens))
    >>> known = torch.tensor([[True, True, False], [True, True, True]])
    >>> z = Representation(torch.ones(2, 1), ("x:a",), {"x": Tokens(torch.rand(2, 3, 2), known=known)})
    >>> found = head.explain(z, "yes")
    >>> bool(found.gap.abs().max() < 1e-6), found.known.tolist()
    (True, [[True, True, False], [True, True, True]])
    """

    tags = HeadTags(family="function", needs_tokens=True, varying_tokens=True, partial_labels=True)
    config_type = AdditiveTokensConfig
    config: AdditiveTokensConfig
    centre: Tensor

    def __init__(self, config: AdditiveTokensConfig) -> None:
        super().__init__(config)
        self.tokens_name = name = chosen_tokens("additive-tokens", config.tokens_name, config.tokens)
        prefix, outputs, width = name.partition(":")[0], len(self.outputs), config.tokens[name].width
        self.beside = [at for at, unit in enumerate(config.units) if not unit.startswith(f"{prefix}:")]
        if not config.beside:
            self.beside = []
        self.norm = nn.LayerNorm(width)
        self.places = nn.Sequential(
            *([nn.Linear(width, config.hidden), nn.ReLU(), nn.Dropout(config.dropout)] if config.hidden else []),
            nn.Linear(config.hidden or width, outputs),
        )
        self.weight = nn.Parameter(torch.zeros(outputs, len(self.beside)))
        self.register_buffer("centre", torch.zeros(outputs))

    def stages(self) -> tuple[Stage, ...]:
        """Everything at once; then the zero of contributions is found."""
        return (Stage(name="fit", loss=self.loss, finish=self.find_centre),)

    @torch.no_grad()
    def find_centre(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn what a place adds in the mean over all places of the training samples."""
        if self.config.pool == "sum":
            return
        total, count = torch.zeros_like(self.centre, dtype=torch.float64), 0.0
        for z, _ in parts:
            tokens = z.of(self.tokens_name)
            total += self.at_places(tokens).double().sum((0, 1))
            count += float(tokens.there.sum())
        self.centre.copy_(total / max(count, 1.0))

    def at_places(self, tokens: Tokens) -> Tensor:
        """What the network says of each place, 0 where there is none; shape (sample, place, output)."""
        said: Tensor = self.places(self.norm(tokens.values)) * tokens.there[..., None]
        return said

    def score(self, x: Tensor) -> Tensor:
        """What the units beside add, from standardised units of all encoders."""
        return functional.linear(x[:, self.beside], STRIDE * self.weight)

    def forward(self, z: Representation) -> Tensor:
        """Logits or numbers."""
        tokens = z.of(self.tokens_name)
        total = self.at_places(tokens).sum(1)
        if self.config.pool == "mean":
            total = total / tokens.there.sum(1).clamp(min=1)[:, None]
        return self.prior + self.scale * (total + self.score(self.standardised(z)))

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood and the penalty."""
        return self.likelihood_loss(self(z), batch) + 0.5 * self.config.l2 * (STRIDE * self.weight).square().sum()

    @property
    def explained_names(self) -> tuple[str, ...]:
        """None: how many places there are differs between samples."""
        return ()

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each place, and each unit beside, adds to one output."""
        at = self.output_index(target)
        tokens = z.of(self.tokens_name)
        known, said = tokens.there, self.at_places(tokens)[..., at]
        baseline = self.prior[at].expand(len(said))
        if self.config.pool == "mean":
            said = (said - self.centre[at] * known) / known.sum(1, keepdim=True).clamp(min=1)
            # A sample without any place has no mean, and nothing to measure from.
            baseline = baseline + self.scale[at] * self.centre[at] * (known.sum(1) > 0)
        beside = self.standardised(z)[:, self.beside] * STRIDE * self.weight[at]
        word = self.config.tokens[self.tokens_name].word[0]
        names = (*(f"{self.tokens_name}:{word} {one + 1}" for one in range(said.shape[1])), *self._beside_names)
        contributions = self.scale[at] * torch.cat([said, beside], 1)
        everywhere = torch.ones_like(beside, dtype=torch.bool)
        return Explanation(
            "function",
            target,
            names,
            contributions,
            baseline,
            self(z)[:, at],
            None,
            self._evidence(contributions[:, : said.shape[1]], tokens, names),
            known=torch.cat([known, everywhere], 1),
        )

    @torch.no_grad()
    def place_contributions(self, z: Representation, target: str) -> Tensor:
        """What each token adds to one output, shape (sample, token); see :class:`~pellucid.heads.abilities.ByPlaces`."""
        return self.explain(z, target).contributions[:, : z.of(self.tokens_name).values.shape[1]]

    def _evidence(self, said: Tensor, tokens: Tokens, names: tuple[str, ...]) -> tuple[tuple[Evidence, ...], ...]:
        """The strongest places of each sample that are there."""
        if not tokens.placed:
            return ()
        order = said.abs().masked_fill(~tokens.there, -1.0).argsort(dim=1, descending=True)[:, :TOP]
        there = tokens.there.gather(1, order)
        return tuple(
            tuple(
                Evidence(unit=names[place], region=regions[place], input=tokens.input)
                for place, real in zip(places, reals, strict=True)
                if real
            )
            for regions, places, reals in zip(
                map(tokens.regions_of, range(len(order))), order.tolist(), there.tolist(), strict=True
            )
        )

    @property
    def _beside_names(self) -> tuple[str, ...]:
        return tuple(self.config.units[at] for at in self.beside)
