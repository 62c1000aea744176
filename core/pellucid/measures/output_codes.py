"""What a head says of an example as one whole number: the strongest latent of a small auto-encoder."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.errors import DataError

NONE_ACTIVE = -1
"""Code of an output for which no latent is active; the strongest of zeros would be the first latent."""


class SmallAutoencoder(nn.Module):
    """Auto-encoder with rectified latents and a penalty on their sum.

    Parameters
    ----------
    width : int
        Numbers in the output of a head.
    latents : int
    """

    def __init__(self, width: int, latents: int = 100) -> None:
        super().__init__()
        self.encoder = nn.Linear(width, latents)
        self.decoder = nn.Linear(latents, width)

    def features(self, x: Tensor) -> Tensor:
        """Latents, none negative, shape (row, latent)."""
        return torch.relu(self.encoder(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction, shape (row, width), and latents."""
        found = self.features(x)
        return self.decoder(found), found


def centred_outputs(outputs: Tensor, *, scaled: bool = False) -> Tensor:
    """Outputs less the mean of their head, so that a head's offset does not become its code.

    Parameters
    ----------
    outputs : Tensor, shape (example, head, width)
        At the last position, or averaged over positions.
    scaled : bool
        Whether to divide by the root mean square of a head too. This makes the noise of a head that does nothing as large as
        the work of one that does.
    """
    if outputs.ndim != 3:
        raise DataError(f"outputs need the shape (example, head, width), got {tuple(outputs.shape)}")
    apart = outputs - outputs.mean(0)
    if scaled:
        size = apart.square().mean((0, 2), keepdim=True).sqrt()
        apart = torch.where(size > 0, apart / size, 0.0)
    return apart


def fit_autoencoder(
    rows: Tensor,
    *,
    latents: int = 100,
    penalty: float = 0.02,
    steps: int = 500,
    learning_rate: float = 5e-3,
    seed: int = 0,
) -> SmallAutoencoder:
    """Train on all rows at once by Adam: squared error, summed over a row, plus ``penalty`` times the sum of latents.

    Parameters
    ----------
    rows : Tensor, shape (row, width)
    latents, penalty, steps, learning_rate, seed
        More latents give more codes of one's own by accident.

    References
    ----------
    O'Neill and Bui (2024), arXiv 2405.12522. Deviations: scores by the divergence of code histograms, as counts of codes that
    only positive examples have are higher for noise than for a circuit; outputs are centred by head; the code of nothing.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SmallAutoencoder(rows.shape[1], latents).to(rows)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(steps):
        optimizer.zero_grad()
        rebuilt, found = model(rows)
        ((rebuilt - rows).square().sum(1) + penalty * found.sum(1)).mean().backward()
        optimizer.step()
    return model


def strongest_latent(features: Tensor) -> np.ndarray:
    """Number of the largest latent of each row, :data:`NONE_ACTIVE` where none is above zero; shape (...,)."""
    size, code = features.detach().max(-1)
    return torch.where(size > 0, code, NONE_ACTIVE).cpu().numpy()


def discretised(outputs: Tensor, *, scaled: bool = False, **settings: float) -> np.ndarray:
    """Codes of heads on examples by an auto-encoder trained on these very outputs.

    Parameters
    ----------
    outputs : Tensor, shape (example, head, width)
    scaled : bool
        See :func:`centred_outputs`.
    **settings
        Of :func:`fit_autoencoder`.

    Returns
    -------
    ndarray of int, shape (example, head)
    """
    rows = centred_outputs(outputs, scaled=scaled)
    model = fit_autoencoder(rows.flatten(0, 1), **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        return strongest_latent(model.features(rows))
