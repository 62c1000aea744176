"""Attribution of a model's output to one of its inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from pellucid.attribution.gradients import gradient_times_input, integrated_gradients
from pellucid.attribution.memory import Function
from pellucid.attribution.occlusion import occlusion
from pellucid.attribution.values import Attribution
from pellucid.batch import Batch
from pellucid.data.dataset import Dataset
from pellucid.errors import ContractError, nearest
from pellucid.model import Model, batches

Method = Literal["integrated-gradients", "gradient-x-input", "occlusion"]


def attribute(
    model: Model,
    batch: Batch,
    *,
    input: str | None = None,
    target: str | None = None,
    method: Method = "integrated-gradients",
    baseline: Tensor | None = None,
    baseline_name: str = "",
    steps: int = 50,
    window: tuple[int, ...] | None = None,
    stride: tuple[int, ...] | None = None,
) -> Attribution:
    """How much each number of an input adds to one output.

    Parameters
    ----------
    model : Model
    batch : Batch
        Its other inputs stay as they are.
    input, target : str, optional
        Names; the first ones by default.
    method : {"integrated-gradients", "gradient-x-input", "occlusion"}
    baseline : Tensor, optional, shape (\\*input shape) or (sample, \\*input shape)
        The input that stands for knowing nothing; zeros by default. See :func:`training_mean`.
    baseline_name : str
        What the baseline is, for readers; ``"zeros"`` if there is none given.
    steps : int
        Path points of integrated gradients.
    window, stride : tuple of int, optional
        Of occlusion, one number an axis of the input; single numbers by default.

    Returns
    -------
    Attribution
        Its gap says how far the values are from accounting for the output.

    Raises
    ------
    ContractError
        If there is no such input or output, or gradients are asked of an input without slopes (text, graphs).
    """
    name, x, start = inputs_of(batch, input, baseline)
    at = model.head.output_index(target or model.head.outputs[0])
    function = output_of(model, batch, name, at)
    if method != "occlusion" and not x.is_floating_point():
        raise ContractError(f"input {name!r} holds whole numbers, which have no gradients; use method 'occlusion'")
    if method == "integrated-gradients":
        found = integrated_gradients(function, x, start, steps=steps, module=model)
    elif method == "gradient-x-input":
        found = gradient_times_input(function, x, start, module=model)
    elif method == "occlusion":
        found = occlusion(function, x, start, window or (1,) * (x.ndim - 1), stride=stride, module=model)
    else:
        known = ("integrated-gradients", "gradient-x-input", "occlusion")
        raise ContractError(
            f"no attribution method named {method!r}{nearest(method, known)}; methods: {', '.join(known)}"
        )
    said = baseline_name or ("zeros" if baseline is None else "the input given")
    return replace(found, input=name, target=model.head.outputs[at], baseline_name=said)


def inputs_of(batch: Batch, name: str | None, baseline: Tensor | None) -> tuple[str, Tensor, Tensor]:
    """Name, values and baseline of an input, the baseline with one row a sample."""
    name = name or next(iter(batch.inputs))
    if name not in batch.inputs:
        raise ContractError(f"no input named {name!r}{nearest(name, batch.inputs)}; inputs: {', '.join(batch.inputs)}")
    x = batch.inputs[name]
    if not isinstance(x, Tensor):
        raise ContractError(f"input {name!r} is no array; attribution to parts of it is not possible")
    if baseline is None:
        return name, x, torch.zeros_like(x)
    if baseline.shape not in (x.shape, x.shape[1:]):
        raise ContractError(f"baseline of shape {tuple(baseline.shape)} for input {name!r} of shape {tuple(x.shape)}")
    return name, x, baseline.to(x).expand_as(x)


def output_of(model: Model, batch: Batch, name: str, at: int) -> Function:
    """One output of a model as a function of one input, the others as in the batch."""
    beside = replace(batch, inputs={key: value for key, value in batch.inputs.items() if key != name})

    def function(values: Tensor, rows: Tensor) -> Tensor:
        return model(beside.rows(rows).with_input(name, values))[:, at]

    return function


def training_mean(dataset: Dataset, input: str) -> Tensor:
    """Mean of an input over samples, masked values left out: a baseline that knows nothing of one sample.

    Parameters
    ----------
    dataset : Dataset
        The training samples. A mean over others would tell of them.
    input : str

    Returns
    -------
    Tensor, shape of the input; 0 where no sample has a value
    """
    total: Tensor | None = None
    count: Tensor | None = None
    for batch, _ in batches(dataset):
        _, x, _ = inputs_of(batch, input, None)
        known = batch.known(input)
        there = torch.ones_like(x, dtype=torch.float64) if known is None else known.double()
        sums, counts = (x.double() * there).sum(0), there.sum(0)
        total, count = (sums, counts) if total is None or count is None else (total + sums, count + counts)
    assert total is not None
    assert count is not None
    return (total / count.clamp(min=1)).float()
