"""One linear decoder after every step of an encoder: what each input adds to the output."""

from __future__ import annotations

import torch
from pydantic import AliasChoices, Field
from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.explanation import Explanation
from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.reads_tokens import chosen_tokens
from pellucid.heads.scaled import ScaledHead
from pellucid.representation import Representation


class CumulativeConfig(PredictorConfig):
    """Settings of :class:`Cumulative`.

    Parameters
    ----------
    tokens_name : str
        Of the set of tokens that are the states (``"all"``); needed only where several encoders hand some on.
    state_change : float
        Penalty on the squared change of the state, mean over samples and steps. It also suppresses useful changes.
    """

    # Settings of earlier runs call it states.
    tokens_name: str = Field("", validation_alias=AliasChoices("tokens_name", "states"))
    state_change: float = Field(0.0, ge=0)


class Cumulative(ScaledHead):
    """Reads the state after every input with one linear decoder, and learns from all of them alike.

    The output is what the decoder says of the last state. An input adds the difference that its step makes: the output
    after it less the output before. The baseline is the output at the start, where nothing was read, the same for all
    samples; so baseline and contributions are the output by construction, and an input that was passed over adds
    nothing. What an input adds depends on what was read before it: of two inputs that say the same, the first gets all
    (:class:`~pellucid.protocols.missingness.ModalityImportance` averages over orders). The value beside each contribution
    is how far the step moved the state (Euclidean norm).

    References
    ----------
    Swamy et al. (2023), MultiModN, arXiv 2309.14118. Deviations: likelihood of the logits, where the released code squashes
    them twice; outputs start at the prevalence.
    """

    tags = HeadTags(
        family="attribution", needs_tokens=True, targets=("binary", "multiclass", "multilabel", "ordinal", "regression")
    )
    config_type = CumulativeConfig
    config: CumulativeConfig

    def __init__(self, config: CumulativeConfig) -> None:
        super().__init__(config)
        # Places have no names, steps have: a signal's own tokens beside them are not meant.
        steps = [name for name, shape in config.tokens.items() if shape.names]
        meant = config.tokens if config.tokens_name or not steps else steps
        self.tokens_name = chosen_tokens("cumulative", config.tokens_name, meant, what="tokens that are states")
        shape = config.tokens[self.tokens_name]
        self.decoder = nn.Linear(shape.width, len(self.outputs))
        self.step_names = shape.names[1:] or tuple(f"step {at}" for at in range(1, shape.count))

    def score(self, x: Tensor) -> Tensor:
        """Score of states, shape (..., state) to (..., output). The states are what learns, so they are not standardised."""
        return self.decoder(x)

    def states(self, z: Representation) -> Tensor:
        """States from the start to the last, shape (sample, step + 1, state).

        Raises
        ------
        ContractError
            If the representation has lost its tokens.
        """
        return z.of(self.tokens_name).values

    def outputs_by_step(self, z: Representation) -> Tensor:
        """Outputs at the start and after each step, shape (sample, step + 1, output)."""
        return self.prior + self.scale * self.score(self.states(z))

    def forward(self, z: Representation) -> Tensor:
        """Outputs after the last step."""
        return self.prior + self.scale * self.score(self.states(z)[:, -1])

    def loss(self, z: Representation, batch: Batch) -> Tensor:
        """Negative log-likelihood, mean over all states, and the penalty."""
        said = self.outputs_by_step(z)
        likelihood = torch.stack([self.likelihood_loss(output, batch) for output in said.unbind(1)]).mean()
        if not self.config.state_change:
            return likelihood
        return likelihood + self.config.state_change * self.states(z).diff(dim=1).square().sum(2).mean()

    def explain(self, z: Representation, target: str) -> Explanation:
        """What each step adds to one output."""
        said = self.outputs_by_step(z)[:, :, self.output_index(target)]
        moved = self.states(z).diff(dim=1).norm(dim=2)
        return Explanation("attribution", target, self.step_names, said.diff(dim=1), said[:, 0], said[:, -1], moved)
