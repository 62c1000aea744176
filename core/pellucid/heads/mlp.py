"""The black box to compare with: a multilayer perceptron, explained after the fact."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from pellucid.heads.base import HeadTags, PredictorConfig
from pellucid.heads.hidden_layers import hidden_layers
from pellucid.heads.path_explained import PathExplained


class MlpConfig(PredictorConfig):
    """Settings of :class:`Mlp`.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    dropout : float
        Share of hidden cells that are silent in a training step.
    steps : int
        Points on the path along which an explanation integrates gradients.
    """

    hidden: tuple[int, ...] = (64, 32)
    dropout: float = Field(0.2, ge=0, lt=1)
    steps: int = Field(50, ge=2)


class Mlp(PathExplained):
    """A multilayer perceptron. Nothing in it can be read; what interpretability costs is measured against it.

    Its explanation integrates gradients from the training mean, and the error of that integral is the explanation's gap.
    """

    tags = HeadTags(family="attribution", stage="post_hoc", faithful_by_construction=False, partial_labels=True)
    config_type = MlpConfig
    config: MlpConfig

    def __init__(self, config: MlpConfig) -> None:
        super().__init__(config)
        widths = (len(config.units), *config.hidden)
        layers = hidden_layers(widths, config.dropout)
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], len(self.outputs)))

    def score(self, x: Tensor) -> Tensor:
        """The network's output."""
        return self.layers(x)
