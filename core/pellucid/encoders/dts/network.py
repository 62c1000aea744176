"""The two recurrent networks: from frames of a signal to numbers, and from numbers back to frames."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Frames(nn.Module):
    """Cuts a signal into frames of consecutive samples, one a step of a recurrent network, and joins them again.

    Parameters
    ----------
    channels, length : int
        Of the signal.
    frame : int
        Samples in a frame; the last frame is filled up with zeros.
    """

    def __init__(self, channels: int, length: int, frame: int) -> None:
        super().__init__()
        self.channels, self.length, self.frame = channels, length, frame
        self.steps = -(-length // frame)
        self.width = channels * frame

    def cut(self, x: Tensor) -> Tensor:
        """From (sample, channel, time) to (sample, step, width)."""
        x = nn.functional.pad(x, (0, self.steps * self.frame - self.length))
        return x.unflatten(2, (self.steps, self.frame)).transpose(1, 2).flatten(2)

    def join(self, frames: Tensor) -> Tensor:
        """From (sample, step, width) to (sample, channel, time)."""
        x = frames.unflatten(2, (self.channels, self.frame)).transpose(1, 2).flatten(2)
        return x[..., : self.length]


class Inward(nn.Module):
    """A bidirectional LSTM; its two last states, side by side, shape (sample, 2 * hidden)."""

    def __init__(self, frames: Frames, hidden: int) -> None:
        super().__init__()
        self.frames = frames
        self.lstm = nn.LSTM(frames.width, hidden, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """From (sample, channel, time)."""
        _, (last, _) = self.lstm(self.frames.cut(x))
        return last.transpose(0, 1).flatten(1)


class Outward(nn.Module):
    """An LSTM that starts from the latent and reads it at every step; never what it should have said.

    A decoder that is shown the previous values of the signal can do without the latent, and then the latent stays empty.
    """

    def __init__(self, frames: Frames, latent: int, hidden: int) -> None:
        super().__init__()
        self.frames = frames
        self.start = nn.Linear(latent, 2 * hidden)
        self.lstm = nn.LSTM(latent, hidden, batch_first=True)
        self.out = nn.Linear(hidden, frames.width)

    def forward(self, z: Tensor) -> Tensor:
        """From (sample, unit) to (sample, channel, time)."""
        state = torch.tanh(self.start(z))[None].chunk(2, dim=2)
        said, _ = self.lstm(z[:, None].expand(-1, self.frames.steps, -1), tuple(part.contiguous() for part in state))
        return self.frames.join(self.out(said))
