"""Temporal filters, a BatchNorm and spatial filters of each, in the order that costs least."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def temporal_then_spatial(x: Tensor, temporal: nn.Conv2d, norm: nn.BatchNorm2d, spatial: nn.Conv2d) -> Tensor:
    """``spatial(norm(temporal(x)))``, a tenth of the work.

    Both filters are sums, so the spatial ones may come first: then the temporal ones run over as many signals as there are
    features, not over all channels each. Only the norm's mean and variance need what stands between, and these follow from
    the products of samples up to a filter's length apart, see :func:`moments`.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, time)
    temporal : Conv2d
        From one map to as many as filters, kernel ``(1, k)``, padding "same", no bias.
    norm : BatchNorm2d
        Its running statistics are moved while it learns.
    spatial : Conv2d
        Grouped by filter, kernel ``(channel, 1)``, no bias.

    Returns
    -------
    Tensor, shape (sample, feature, time)
    """
    kernels = temporal.weight[:, 0, 0]
    length, before = kernels.shape[1], (kernels.shape[1] - 1) // 2
    x = functional.pad(x, (before, length - 1 - before))
    mean, variance = _statistics(x, kernels, norm)
    scale = norm.weight / (variance + norm.eps).sqrt()
    weights = spatial.weight[:, 0, :, 0]
    depth = len(weights) // len(kernels)
    seen = convolved(weights @ x, kernels.repeat_interleave(depth, 0))
    offset = (norm.bias - mean * scale).repeat_interleave(depth) * weights.sum(1)
    return seen * scale.repeat_interleave(depth)[:, None] + offset[:, None]


def convolved(x: Tensor, kernels: Tensor) -> Tensor:
    """Each signal with its own kernel, without padding: shape (sample, feature, time), (feature, k).

    Parameters
    ----------
    x : Tensor, shape (sample, feature, time)
    kernels : Tensor, shape (feature, k)
        At most as long as the signal.

    Returns
    -------
    Tensor, shape (sample, feature, time - k + 1)
    """
    length, n = kernels.shape[1], x.shape[-1]
    product = torch.fft.rfft(x, n) * torch.fft.rfft(kernels, n).conj()
    return torch.fft.irfft(product, n)[..., : n - length + 1]


def _statistics(x: Tensor, kernels: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    if not norm.training:
        return norm.running_mean, norm.running_var
    means, products = moments(x, kernels.shape[1])
    mean = kernels @ means
    variance = ((kernels @ products) * kernels).sum(1) - mean.square()
    count = x[..., kernels.shape[1] - 1 :].numel()
    with torch.no_grad():
        norm.num_batches_tracked += 1
        rate = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, rate)
        norm.running_var.lerp_(variance * (count / max(1, count - 1)), rate)
    return mean, variance


def moments(x: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Means and mean products of the samples that a kernel meets, wherever it stands.

    Parameters
    ----------
    x : Tensor, shape (sample, channel, time)
    length : int
        Of the kernel, at most as long as the signal.

    Returns
    -------
    Tensor, shape (length,)
        Mean of ``x[t + k]`` over samples, channels and places ``t``.
    Tensor, shape (length, length)
        Mean of ``x[t + k] x[t + l]``.
    """
    n = x.shape[-1]
    places = n - length + 1
    begin, end = x[..., : length - 1].flatten(0, 1), x[..., places:].flatten(0, 1)
    steps = end.sum(0) - begin.sum(0)
    sums = torch.cat([x.new_zeros(1), steps.cumsum(0)]) + x[..., :places].sum()
    # Row 0 is a correlation; from one row to the next the window moves by a sample, which leaves at one end what it takes in
    # at the other.
    first = torch.fft.rfft(x[..., :places], n).conj() * torch.fft.rfft(x, n)
    row = torch.fft.irfft(first.sum((0, 1)), n)[:length]
    change = end.T @ end - begin.T @ begin
    rows = [row]
    for k in range(length - 1):
        moved = rows[-1][k:-1] + change[k, k:]
        rows.append(torch.cat([row.new_zeros(k + 1), moved]))
    upper = torch.stack(rows)
    products = upper + upper.triu(1).T
    count = x[..., :places].numel()
    return sums / count, products / count
