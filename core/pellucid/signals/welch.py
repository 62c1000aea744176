"""Power in bands of frequency by Welch's method: the spectra of tapered stretches, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Welch(nn.Module):
    """Power in each of some bands of a signal, in the square of its units.

    Parameters
    ----------
    bands_hz : sequence of (float, float)
        From, and up to but without.
    length : int
        Samples of a stretch; each lies half over the next and is tapered by a Hann window.
    rate_hz : float

    References
    ----------
    Welch (1967), doi:10.1109/TAU.1967.1161901. Each stretch is freed of its mean, as in ``scipy.signal.welch``, with which powers
    agree.

    Examples
    --------
    >>> time_s = torch.arange(200) / 100
    >>> power, _ = Welch([(2, 8), (8, 20)], length=100, rate_hz=100)(3 * torch.sin(2 * torch.pi * 5 * time_s))
    >>> [round(one, 2) for one in power.tolist()]
    [4.5, 0.0]
    """

    among: Tensor
    taper: Tensor

    def __init__(self, bands_hz: Sequence[tuple[float, float]], length: int, rate_hz: float) -> None:
        super().__init__()
        self.length = length
        hz = torch.arange(length // 2 + 1, dtype=torch.float64) * rate_hz / length
        among = torch.stack([(hz >= low) & (hz < high) for low, high in bands_hz]).float()
        self.register_buffer("among", among, persistent=False)
        self.register_buffer("taper", torch.hann_window(length), persistent=False)

    def forward(self, x: Tensor, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Powers, and where there are any; stretches in which a sample is not known are left out.

        Parameters
        ----------
        x : Tensor, shape (..., time)
        known : Tensor of bool of that shape, optional

        Returns
        -------
        Tensor, shape (..., band)
        Tensor of bool, shape (...)
        """
        step = max(self.length - self.length // 2, 1)
        stretches = x.unfold(-1, self.length, step)
        spectrum = torch.fft.rfft((stretches - stretches.mean(-1, keepdim=True)) * self.taper).abs().square()
        # One-sided: all but 0 Hz and half the rate stand for two.
        spectrum[..., 1 : (self.length + 1) // 2] *= 2
        density = spectrum / (self.length * self.taper.square().sum())
        bands = density @ self.among.T
        if known is None:
            return bands.mean(-2), torch.ones(x.shape[:-1], dtype=torch.bool, device=x.device)
        whole = known.unfold(-1, self.length, step).all(-1)
        count = whole.sum(-1)
        kept = torch.where(whole[..., None], bands, torch.zeros_like(bands))
        return kept.sum(-2) / count[..., None].clamp(min=1), count > 0
