"""Logistic or linear regression on each place of an input; the strongest place, or their mean, is the output."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.heads.scaled import STRIDE, ScaledHead
from pellucid.representation import Representation


class LinearTokensConfig(PredictorConfig):
    """Settings of :class:`LinearTokens`.

    Parameters
    ----------
    tokens_name : str
        Of the set of tokens (``"signal:windows"``); may be left out where there is only one.
    pool : {"max", "mean"}
        An output is that of its strongest token, or the mean over tokens.
    l2 : float
        Penalty on half the squared weights, per standard deviation of a unit.
    """

    tokens_name: str = ""
    pool: Literal["max", "mean"] = "max"
    l2: float = Field(1e-3, ge=0)


class LinearTokens(ScaledHead):
    """A weighted sum of standardised units at every token; each output is that of its strongest token, or their mean.

    What a classifier of sliding windows with maximum aggregation is. The explanation is the model: with ``"max"`` it is
    the weighted sum at the winning token, whose region is the evidence; which token wins differs between outputs. Its
    baseline is the output of a token whose every unit is at the training mean.

    Examples
    --------
    >>> from pellucid.data.spec import Binary
    >>> from pellucid.representation import Tokens, TokenShape
    >>> config = LinearTokensConfig(
    ...     units=("x:a",), target=Binary(names=("no", "yes")), tokens={"x": TokenShape(count=3, width=1)}
    ... )
    >>> head = LinearTokens(config)
    >>> z = Representation(torch.ones(1, 1), ("x:a",), {"x": Tokens(torch.ones(1, 3, 1))})
    >>> head.explain(z, "yes").gap.item()
    0.0
    """

    tags = HeadTags(family="function", needs_tokens=True, partial_labels=True)
    config_type = LinearTokensConfig
    config: LinearTokensConfig

    def __init__(self, config: LinearTokensConfig) -> None:
        name = chosen_tokens("linear-tokens", config.tokens_name, config.tokens)
        width = config.tokens[name].width
        super().__init__(config, width)
        self.tokens_name = name
        self.weight = nn.Parameter(torch.zeros(len(self.outputs), width))
        self.bias = nn.Parameter(torch.zeros(len(self.outputs)))

    def measured(self, z: Representation) -> Tensor:
        """Units of every token, shape (sample, token, unit)."""
        return z.of(self.tokens_name).values

    def score(self, x: Tensor) -> Tensor:
        """A weighted sum of standardised units, shape (..., unit) to (..., output)."""
        return functional.linear(x, STRIDE * self.weight, self.bias)

    def token_outputs(self, z: Representation) -> Tensor:
        """Output of every token, shape (sample, token, output)."""
        return self.prior + self.scale * self.score(self.standardised(z))

    def forward(self, z: Representation) -> Tensor:
        """Logits or numbers."""
        return self.token_outputs(z).amax(1) if self.config.pool == "max" else self.token_outputs(z).mean(1)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood and the penalty."""
        return self.likelihood_loss(self(z), batch) + 0.5 * self.config.l2 * (STRIDE * self.weight).square().sum()

    @property
    def explained_names(self) -> tuple[str, ...]:
        """Units of the mean token; none for the strongest one, which is another for each output."""
        return self._names if self.config.pool == "mean" else ()

    def explained(self, z: Representation) -> Tensor:
        """Mean units over tokens, shape (sample, unit)."""
        return self.measured(z).mean(1)

    def outcome(self, explained: Tensor) -> Tensor:
        """Outputs from the units of one token, or of the mean token."""
        return self.prior + self.scale * self.score((explained - self.unit_mean) / self.unit_scale)

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each unit of the strongest (or mean) token adds to one output."""
        at = self.output_index(target)
        tokens, x = self.measured(z), self.standardised(z)
        weight = self.scale[at] * STRIDE * self.weight[at]
        baseline = (self.prior[at] + self.scale[at] * self.bias[at]).expand(len(x))
        output = self(z)[:, at]
        if self.config.pool == "mean":
            return Explanation("function", target, self._names, x.mean(1) * weight, baseline, output, tokens.mean(1))
        rows, best = torch.arange(len(x)), self.token_outputs(z)[:, :, at].argmax(1)
        contributions = x[rows, best] * weight
        strongest = contributions.abs().argmax(1)
        places = z.of(self.tokens_name)
        evidence = tuple(
            (
                Evidence(
                    unit=self._names[unit],
                    region=places.regions[token] if places.regions else None,
                    text=f"place {token + 1} of {x.shape[1]} speaks most for {target!r}",
                    input=places.input,
                ),
            )
            for unit, token in zip(strongest.tolist(), best.tolist(), strict=True)
        )
        return Explanation(
            "function", target, self._names, contributions, baseline, output, tokens[rows, best], evidence
        )

    @torch.no_grad()
    def place_contributions(self, z: Representation, target: str) -> Tensor:
        """What each token adds to one output, shape (sample, token); see :class:`~pellucid.heads.abilities.ByPlaces`.

        With ``"max"`` the strongest token adds all, and the others nothing.
        """
        at = self.output_index(target)
        said = self.standardised(z) @ (self.scale[at] * STRIDE * self.weight[at])
        if self.config.pool == "mean":
            return said / said.shape[1]
        best = self.token_outputs(z)[:, :, at].argmax(1, keepdim=True)
        return torch.zeros_like(said).scatter(1, best, said.gather(1, best))

    @property
    def _names(self) -> tuple[str, ...]:
        width = self.config.tokens[self.tokens_name].width
        prefix = self.tokens_name.partition(":")[0]
        own = tuple(name for name in self.config.units if name.startswith(f"{prefix}:"))
        plain = own if len(own) == width else tuple(f"{self.tokens_name}:unit {at + 1}" for at in range(width))
        where = "at the strongest place" if self.config.pool == "max" else "over all places"
        return tuple(f"{name} {where}" for name in plain)
