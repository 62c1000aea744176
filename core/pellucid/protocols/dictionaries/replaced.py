"""A model that reads something else in the place of a layer: what it loses, and how far its answers go astray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.activations.collecting import input_of_layer, kept_positions
from pellucid.activations.dataset import ActivationsFolder
from pellucid.activations.layers import ACTIVATIONS, Layout, channels_of, watching
from pellucid.batch import Batch, collate
from pellucid.data.blocks import index_blocks
from pellucid.data.dataset import Dataset
from pellucid.data.subset import Subset
from pellucid.data.targets import Target
from pellucid.edits.activations import Edit, applied
from pellucid.encoders.identity import Identity
from pellucid.errors import RunError
from pellucid.heads.base import target_loss
from pellucid.heads.dictionaries.base import Dictionary
from pellucid.measures.dictionaries.downstream import kl_divergence
from pellucid.model import BATCH, Model

ALIKE = 1e-2
"""How far, beside the size of a row, what a layer says may be from what was collected; half precision keeps three digits."""


@dataclass(frozen=True, eq=False)
class Reconstruct(Edit):
    """Put what a dictionary keeps of rows in their place.

    Parameters
    ----------
    model : Model
        A dictionary behind an ``identity``.
    """

    model: Model

    def __call__(self, x: Tensor) -> Tensor:
        """The reconstruction, in the layer's own units."""
        encoder, head = only_encoder(self.model), self.model.head
        assert isinstance(head, Dictionary)
        z = encoder(Batch({encoder.input_name: x})).values
        return encoder.undone(head.reconstruct(z))

    @property
    def units(self) -> int:
        """Of the dictionary."""
        return len(self.model.head.config.units)

    def describe(self) -> dict[str, Any]:
        """Which dictionary."""
        return {"edit": "reconstruct", "features": self.model.head.config.features}  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Project(Reconstruct):
    """Put what principal components keep of rows in their place.

    Parameters
    ----------
    model : Model
        Whose encoder the components are of.
    mean, basis : Tensor, shape (unit,) and (unit, component)
    """

    mean: Tensor
    basis: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The projection, in the layer's own units."""
        encoder = only_encoder(self.model)
        z = encoder(Batch({encoder.input_name: x})).values
        return encoder.undone(self.mean + (z - self.mean) @ self.basis @ self.basis.T)

    @property
    def count(self) -> int:
        """Components."""
        return self.basis.shape[1]

    def describe(self) -> dict[str, Any]:
        """How many."""
        return {"edit": "project", "components": self.count}


@dataclass(frozen=True, eq=False)
class Constant(Edit):
    """Put one row in the place of all.

    Parameters
    ----------
    row : Tensor, shape (unit,)
    """

    row: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """As many of it as there are rows."""
        return self.row.to(x).expand_as(x)

    @property
    def units(self) -> int:
        """Of the row."""
        return len(self.row)

    def describe(self) -> dict[str, Any]:
        """How long it is."""
        return {"edit": "constant", "length": float(torch.linalg.vector_norm(self.row))}


class Replaced:
    """A model on the test samples of collected rows, with its layer as it is and replaced.

    Parameters
    ----------
    model : Model
        The source of the activations.
    folder : ActivationsFolder
    source : Dataset
        What the rows are of.
    test : Subset
        Rows of the folder.
    target : str
        What the model predicts.
    """

    def __init__(self, model: Model, folder: ActivationsFolder, source: Dataset, test: Subset, target: str) -> None:
        self.model, self.folder, self.test = model, folder, test
        self.at = np.unique(folder.sources[test.indices])
        """Samples that the rows are of, by their place in the source."""
        self.samples = source.subset(self.at)
        self.layer: str = folder.document["layer"]
        self._input = input_of_layer(model, self.layer, self.samples)
        module = dict(model.named_modules())[self.layer]
        self._channels = folder.document.get("channels") or channels_of(module)
        self._target = target

    @torch.no_grad()
    def columns(self, ways: dict[str, Edit]) -> dict[str, np.ndarray]:
        """Losses and divergences, shape (sample,) each."""
        found: dict[str, list[Tensor]] = {}
        target = self.model.predictor.config.target
        for at in index_blocks(len(self.at), BATCH):
            batch = collate(self.samples, at, self._target)
            clean = self._clean(batch, at)
            for way, edit in ({"clean": None} | ways).items():
                logits = clean if edit is None else self._edited(batch, edit)
                found.setdefault(f"loss:{way}", []).append(losses(target, logits, batch.targets))
                if edit is not None:
                    found.setdefault(f"kl:{way}", []).append(divergence(target, clean, logits))
        return {name: torch.cat(parts).double().numpy() for name, parts in found.items()}

    def _edited(self, batch: Batch, edit: Edit) -> Tensor:
        def where(shape: tuple[int, ...]) -> Tensor | None:
            return kept_positions(batch, self._input, self.samples, shape)

        with applied(self.model, self.layer, edit, channels=self._channels, where=where):
            logits: Tensor = self.model(batch)
        return logits

    def _clean(self, batch: Batch, at: np.ndarray) -> Tensor:
        """Logits of the model as it is, if its layer says what was collected."""
        with watching(self.model, self.layer) as said:
            logits: Tensor = self.model(batch)
            values, _ = Layout(self._channels).positions(said())
        rows = self._rows_of(self.at[at])
        sample = np.searchsorted(self.at[at], self.folder.sources[rows])
        here = values[torch.from_numpy(sample), torch.from_numpy(self.folder.positions[rows])].float()
        kept = torch.from_numpy(self.folder.read(rows).inputs[ACTIVATIONS])
        away = (here - kept).norm(dim=1) / kept.norm(dim=1).clamp(min=1e-6)
        if float(away.max()) > ALIKE:
            name = self.samples.frame.index[at[sample[int(away.argmax())]]]
            raise RunError(
                f"layer {self.layer} of the model says another thing of sample {str(name)!r} than what was collected in "
                f"{self.folder.folder}: the data or the model have changed; collect the activations again"
            )
        return logits

    def _rows_of(self, samples: np.ndarray) -> np.ndarray:
        """Test rows of some samples, a few of them: enough to notice another model."""
        rows = self.test.indices[np.isin(self.folder.sources[self.test.indices], samples)]
        return rows[:BATCH]


def losses(target: Target, logits: Tensor, labels: Tensor | None) -> Tensor:
    """The loss of each sample, shape (sample,); NaN where it has no label."""
    found = torch.full((len(logits),), torch.nan)
    if labels is None:
        return found
    for at in torch.nonzero(torch.isfinite(labels).all(1))[:, 0].tolist():
        one = slice(at, at + 1)
        found[at] = target_loss(target, logits[one], Batch({}, targets=labels[one]))
    return found


def divergence(target: Target, clean: Tensor, new: Tensor) -> Tensor:
    """Divergence of what logits say from what clean ones say, shape (sample,)."""
    if target.exclusive:
        return kl_divergence(clean, new)
    if target.numeric:
        return 0.5 * (clean.double() - new.double()).square().sum(1)
    # A yes or no has one logit; the other class has zero.
    pairs = (torch.stack([torch.zeros_like(one), one], -1).flatten(0, 1) for one in (clean, new))
    return kl_divergence(*pairs).unflatten(0, clean.shape).sum(1)


def only_encoder(model: Model) -> Identity:
    """The ``identity`` of a dictionary that reads the rows of a layer."""
    ((_, encoder),) = model.named_encoders()
    assert isinstance(encoder, Identity)
    return encoder
