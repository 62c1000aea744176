"""What an aligned model is shown: the signal, noise in its place, the signal without its prompts, or the text itself.

Whatever a model scores on noise it owes to its prompts, to how blocks are dealt or to the text model, and not to signals.
Every condition goes through the same calls; only the batch differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.encoders.abilities import HasPrompts
from pellucid.errors import ContractError
from pellucid.heads.abilities import ByText
from pellucid.heads.base import Head
from pellucid.model import Model, batches
from pellucid.protocols.base import Context, FittedFold
from pellucid.seeds import seed_of

SIGNAL, NOISE, NO_PROMPTS, TEXT = "signal", "noise", "no prompts", "raw text"

SHOWN = {SIGNAL: "", NOISE: "_on_noise", NO_PROMPTS: "_without_prompts", TEXT: "_of_raw_text"}
"""What a metric's name says of the condition."""


def aligned(fold: FittedFold) -> dict[str, Model]:
    """The models that compare samples with sentences, by part."""
    return {part: model for part, model in fold.models.items() if isinstance(model.head, ByText)}


def no_noise(context: Context) -> str:
    """Why nothing can be shown in the place of what a study reads, or an empty string."""
    strange = {name: one.kind for name, one in context.inputs.items() if one.kind in ("graph", "nodes")}
    if not strange:
        return ""
    told = ", ".join(f"{name!r} ({kind})" for name, kind in strange.items())
    return f"it scores what models say of noise too, and nobody can say what noise is in the place of {told}"


def not_comparing(heads: Mapping[str, Head]) -> str:
    """Which head never learns to compare samples with sentences, and what to do; or an empty string."""
    for part, head in heads.items():
        if isinstance(head, ByText) and not getattr(head, "compares", True):
            return (
                f"head {part!r} has clip_weight = 0, so it learns to write alone and never to lay a sample near its sentence. Set its "
                "clip_weight above 0, or leave this protocol out (generated-text judges what is written)"
            )
    return ""


def head_of(model: Model) -> ByText:
    """The head of an aligned model."""
    assert isinstance(model.head, ByText)
    return model.head


def prompts_of(model: Model) -> tuple[str, ...]:
    """Inputs of a model that are prompts."""
    found = [encoder for _, encoder in model.named_encoders() if isinstance(encoder, HasPrompts)]
    return tuple(name for encoder in found for name in encoder.prompts)


def conditions_of(model: Model) -> tuple[str, ...]:
    """What a model is shown: without prompts only where it has any."""
    return (SIGNAL, NOISE, NO_PROMPTS) if prompts_of(model) else (SIGNAL, NOISE)


@torch.no_grad()
def vectors(model: Model, samples: Dataset, condition: str, seed: int) -> Tensor:
    """What a model says of samples under a condition, shape (sample, width).

    Parameters
    ----------
    model : Model
    samples : Dataset
    condition : str
        See :func:`shown`.
    seed : int
        Of the noise.
    """
    model.eval()
    return torch.cat([model(batch) for batch in shown(model, samples, condition, seed)])


@torch.no_grad()
def written(model: Model, samples: Dataset, condition: str, seed: int) -> list[str]:
    """What a model writes of samples under a condition.

    Parameters
    ----------
    model : Model
        Its head writes.
    samples : Dataset
    condition : str
        See :func:`shown`.
    seed : int
        Of the noise.

    Returns
    -------
    list of str
        One a sample.
    """
    model.eval()
    head = head_of(model)
    return [text for batch in shown(model, samples, condition, seed) for text in head.write(model.encode(batch))]


def shown(model: Model, samples: Dataset, condition: str, seed: int) -> Iterator[Batch]:
    """Batches of samples under a condition.

    Parameters
    ----------
    model : Model
    samples : Dataset
    condition : str
        :data:`SIGNAL`; :data:`NOISE`: Gaussian noise of the mean and deviation that the samples' values have as a whole, with
        nothing masked, prompts as they are; or :data:`NO_PROMPTS`: prompts of zeros.
    seed : int
        Of the noise.

    Raises
    ------
    ContractError
        If an input is neither numbers nor words of a vocabulary, so that nobody can say what noise is in its place.
    """
    prompts = prompts_of(model)
    read = [name for _, encoder in model.named_encoders() for name in encoder.config.inputs if name not in prompts]
    if condition == NOISE:
        scale = _scale(samples, read)
        chance = torch.Generator().manual_seed(seed_of(seed, "noise in place of signals"))
    for batch, _ in batches(samples):
        if condition == NO_PROMPTS:
            yield replace(batch, inputs={**batch.inputs, **{n: torch.zeros_like(batch.inputs[n]) for n in prompts}})
        elif condition == NOISE:
            noise = {name: _noise(name, batch.inputs[name], scale, samples, chance) for name in read}
            masks = {name: mask for name, mask in batch.masks.items() if name not in read}
            yield replace(batch, inputs={**batch.inputs, **noise}, masks=masks)
        else:
            yield batch


def _scale(samples: Dataset, names: list[str]) -> dict[str, tuple[float, float]]:
    """Mean and deviation of all real values of each input: of all samples together, or it would tell them apart."""
    sums = {name: np.zeros(3) for name in names}
    for batch, _ in batches(samples):
        for name in names:
            values, known = batch.inputs[name], batch.known(name)
            if not isinstance(values, Tensor):
                raise ContractError(f"input {name!r} is no array: nobody can say what noise is in its place")
            real = (values if known is None else values[known]).double().flatten()
            sums[name] += [len(real), float(real.sum()), float(real.square().sum())]
    means = {name: total / max(count, 1.0) for name, (count, total, _) in sums.items()}
    return {
        name: (means[name], max(squares / max(count, 1.0) - means[name] ** 2, 0.0) ** 0.5)
        for name, (count, _, squares) in sums.items()
    }


def _noise(
    name: str, values: Tensor, scale: dict[str, tuple[float, float]], samples: Dataset, chance: torch.Generator
) -> Tensor:
    if values.is_floating_point():
        mean, deviation = scale[name]
        return mean + deviation * torch.randn(values.shape, generator=chance)
    vocabulary = getattr(samples.spec.input(name), "vocabulary", 0)
    if not vocabulary:
        raise ContractError(f"input {name!r} holds whole numbers of no vocabulary: nobody can say what noise is there")
    return torch.randint(vocabulary, values.shape, generator=chance)
