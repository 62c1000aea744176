"""Spatial patterns: what sources look like at the electrodes, which is not what filters that find them look like."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.data.dataset import Dataset
from pellucid.model import batches
from pellucid_eeg.encoders.eegnet import EegNet


def haufe(covariance: Tensor, filters: Tensor) -> Tensor:
    """Patterns of filters: ``A = Cov(X) W Cov(s)^-1``, of sources ``s = W^T X``.

    A filter weighs electrodes so that what is not its source cancels; only its pattern says where the source is strong.

    Parameters
    ----------
    covariance : Tensor, shape (channel, channel)
        Of the signals that the filters read.
    filters : Tensor, shape (filter, channel)
        Of all sources that are looked for at once.

    Returns
    -------
    Tensor, shape (filter, channel)
        In units of the signal, for a source of the size that its filter gives it.

    References
    ----------
    Haufe et al. (2014), doi:10.1016/j.neuroimage.2013.10.067. The inverse is a pseudo-inverse, as two filters may be one.

    Examples
    --------
    A source seen by the first channel alone, and noise seen by both: the filter needs the second channel, the pattern does not.

    >>> covariance = torch.tensor([[1.0 + 4.0, 4.0], [4.0, 4.0]])
    >>> haufe(covariance, torch.tensor([[1.0, -1.0]])).tolist()
    [[1.0, 0.0]]
    """
    seen = filters @ covariance
    return torch.linalg.pinv(seen @ filters.T, hermitian=True) @ seen


@torch.no_grad()
def eegnet_patterns(encoder: EegNet, dataset: Dataset) -> Tensor:
    """Patterns of EEGNet's spatial filters, shape (filter, channel), each in the band of its temporal filter.

    The spatial filters of one temporal filter are looked at together, on the covariance of what that one lets through.

    Parameters
    ----------
    encoder : EegNet
    dataset : Dataset
        Training samples.
    """
    encoder.eval()
    depth, channels = encoder.config.depth, len(encoder.spec.channels)
    sums = torch.zeros(encoder.config.filters, channels, channels, dtype=torch.float64)
    count = 0
    for batch, _ in batches(dataset):
        for x in encoder.signal(batch).split(16):
            seen = encoder.temporal(x[:, None])
            seen = (seen - seen.mean(-1, keepdim=True)).transpose(0, 1).transpose(1, 2).flatten(2).double()
            sums += seen @ seen.transpose(1, 2)
            count += seen.shape[2]
    weights = encoder.spatial.weight[:, 0, :, 0].double().unflatten(0, (-1, depth))
    return torch.cat([haufe(c, w) for c, w in zip(sums / count, weights, strict=True)]).float()


@torch.no_grad()
def eegnet_bands_hz(encoder: EegNet) -> Tensor:
    """Frequency that each of EEGNet's temporal filters lets through best, shape (temporal filter,), Hz.

    Parameters
    ----------
    encoder : EegNet

    Returns
    -------
    Tensor, shape (temporal filter,), Hz
        A multiple of the rate over the longer of signal and kernel.
    """
    kernels = encoder.temporal.weight[:, 0, 0]
    padded = functional.pad(kernels, (0, max(0, encoder.spec.length - kernels.shape[1])))
    hz = torch.fft.rfftfreq(padded.shape[1], 1 / encoder.spec.rate_hz)
    return hz[torch.fft.rfft(padded).abs().argmax(1)]
