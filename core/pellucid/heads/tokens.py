"""Logistic or linear regression on each place of an input; the strongest place, or their mean, is the output."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pellucid.batch import Batch
from pellucid.errors import ContractError, StudyError, nearest
from pellucid.explanation import Evidence, Explanation
from pellucid.heads.base import HeadTags, Predictor, PredictorConfig, target_loss
from pellucid.heads.scaled import STRIDE
from pellucid.moments import Moments
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


class LinearTokens(Predictor):
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
    unit_mean: Tensor
    unit_scale: Tensor
    prior: Tensor
    scale: Tensor

    def __init__(self, config: LinearTokensConfig) -> None:
        super().__init__()
        self.config = config
        name = config.tokens_name or (next(iter(config.tokens)) if len(config.tokens) == 1 else "")
        if name not in config.tokens:
            known = ", ".join(config.tokens) or "none"
            raise StudyError(
                f"head 'linear-tokens' reads one set of tokens, and is told {name!r}{nearest(name, config.tokens)}: "
                f"name one with the option tokens_name; tokens here: {known}"
            )
        self.tokens_name = name
        width, outputs = config.tokens[name].width, len(config.target.outputs)
        self.register_buffer("unit_mean", torch.zeros(width))
        self.register_buffer("unit_scale", torch.ones(width))
        self.register_buffer("prior", torch.zeros(outputs))
        self.register_buffer("scale", torch.ones(outputs))
        self.weight = nn.Parameter(torch.zeros(outputs, width))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def prepare(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn means and deviations of units over all tokens, and the prior of the outputs."""
        units, labels = Moments(), Moments()
        for z, batch in parts:
            if batch.targets is None:
                raise ContractError("a head is prepared with labelled samples; collate the batches with a target")
            units.add(self._tokens(z).flatten(0, 1))
            labels.add(
                self.config.target.steps(batch.targets.nan_to_num(0.0)),
                ~batch.targets.isnan().expand(-1, len(self.outputs)),
            )
        self.unit_mean.copy_(units.mean)
        self.unit_scale.copy_(units.deviation)
        if self.config.target.kind == "regression":
            self.prior.copy_(labels.mean)
            self.scale.copy_(labels.deviation)
            return
        # Half a sample is added to each side: a class that no training sample has keeps a finite prior.
        chance = (labels.mean * labels.count + 0.5) / (labels.count + 1)
        self.prior.copy_(chance.log() if self.config.target.kind == "multiclass" else chance.logit())

    def token_outputs(self, z: Representation) -> Tensor:
        """Output of every token, shape (sample, token, output)."""
        return self.prior + self.scale * functional.linear(self._standardised(z), STRIDE * self.weight, self.bias)

    def forward(self, z: Representation) -> Tensor:
        """Logits or numbers."""
        return self.token_outputs(z).amax(1) if self.config.pool == "max" else self.token_outputs(z).mean(1)

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood and the penalty."""
        penalty = 0.5 * self.config.l2 * (STRIDE * self.weight).square().sum()
        if self.config.target.kind == "regression" and batch.targets is not None:
            return 0.5 * functional.mse_loss(self(z) / self.scale, batch.targets / self.scale) + penalty
        return target_loss(self.config.target, self(z), batch) + penalty

    @property
    def explained_names(self) -> tuple[str, ...]:
        """Units of the mean token; none for the strongest one, which is another for each output."""
        return self._names if self.config.pool == "mean" else ()

    def explained(self, z: Representation) -> Tensor:
        """Mean units over tokens, shape (sample, unit)."""
        return self._tokens(z).mean(1)

    def outcome(self, explained: Tensor) -> Tensor:
        """Outputs from the units of one token, or of the mean token."""
        x = (explained - self.unit_mean) / self.unit_scale
        return self.prior + self.scale * functional.linear(x, STRIDE * self.weight, self.bias)

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each unit of the strongest (or mean) token adds to one output."""
        at = self.output_index(target)
        tokens, x = self._tokens(z), self._standardised(z)
        weight = self.scale[at] * STRIDE * self.weight[at]
        baseline = (self.prior[at] + self.scale[at] * self.bias[at]).expand(len(x))
        output = self(z)[:, at]
        if self.config.pool == "mean":
            return Explanation("function", target, self._names, x.mean(1) * weight, baseline, output, tokens.mean(1))
        rows, best = torch.arange(len(x)), self.token_outputs(z)[:, :, at].argmax(1)
        contributions = x[rows, best] * weight
        strongest = contributions.abs().argmax(1)
        regions = z.tokens[self.tokens_name].regions
        evidence = tuple(
            (
                Evidence(
                    unit=self._names[unit],
                    region=regions[token] if regions else None,
                    text=f"place {token + 1} of {x.shape[1]} speaks most for {target!r}",
                    input=self.tokens_name.partition(":")[0],
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
        said = self._standardised(z) @ (self.scale[at] * STRIDE * self.weight[at])
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

    def _tokens(self, z: Representation) -> Tensor:
        if self.tokens_name not in z.tokens:
            raise ContractError(f"this head reads tokens {self.tokens_name!r}, which this representation does not have")
        return z.tokens[self.tokens_name].values

    def _standardised(self, z: Representation) -> Tensor:
        return (self._tokens(z) - self.unit_mean) / self.unit_scale
