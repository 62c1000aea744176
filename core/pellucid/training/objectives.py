"""What is minimised: losses of parts as functions of a batch."""

from __future__ import annotations

from torch import Tensor, nn

from pellucid.batch import Batch
from pellucid.encoders.base import Encoder
from pellucid.heads.base import Head, Loss, Stage
from pellucid.model import Model
from pellucid.representation import Representation
from pellucid.training.reading import LATENT


class EncoderLoss(nn.Module):
    """Loss of an encoder that trains alone."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, batch: Batch) -> Tensor:
        """Mean over the samples of a batch."""
        return self.encoder.loss(batch)

    def settle(self) -> None:
        """After each step."""
        self.encoder.settle()


class HeadLoss(nn.Module):
    """Loss of a head on representations that are there already."""

    def __init__(self, head: Head, loss: Loss) -> None:
        super().__init__()
        self.head, self._loss = head, loss

    def forward(self, batch: Batch) -> Tensor:
        """Mean over the samples of a batch."""
        return self._loss(Representation(batch.inputs[LATENT], self.head.config.units), batch)

    def settle(self) -> None:
        """After each step."""
        self.head.settle()


class ModelLoss(nn.Module):
    """Loss of a head on what encoders say, which may learn with it."""

    def __init__(self, model: Model, stage: Stage, together: set[str]) -> None:
        super().__init__()
        assert stage.loss is not None
        self.model, self._loss, self._together = model, stage.loss, together
        self._with_encoders = stage.encoders
        for prefix, encoder in model.named_encoders():
            encoder.requires_grad_(stage.encoders and prefix in together)

    def train(self, mode: bool = True) -> ModelLoss:
        """Encoders that do not learn in this stage say what they will say afterwards: no dropout, no moving statistics."""
        super().train(mode)
        for prefix, encoder in self.model.named_encoders():
            encoder.train(mode and self._with_encoders and prefix in self._together)
        return self

    def forward(self, batch: Batch) -> Tensor:
        """Mean over the samples of a batch."""
        loss = self._loss(self.model.encode(batch), batch)
        for prefix, encoder in self.model.named_encoders():
            own = encoder.tags.trains_alone or encoder.tags.adds_loss
            if self._with_encoders and prefix in self._together and own:
                loss = loss + encoder.loss(batch)
        return loss

    def settle(self) -> None:
        """After each step."""
        self.model.head.settle()
        for prefix, encoder in self.model.named_encoders():
            if prefix in self._together:
                encoder.settle()
