"""What a model loses when it reads the reconstruction instead of the activations: for any model with a task loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pellucid.errors import DataError
from pellucid.measures.dictionaries.exactness import defined, exact
from pellucid.statistics.bootstrap import Statistic, weighted_mean

_HARMLESS = "the ablation does no harm, so there is nothing to recover"


def loss_recovered(clean: Tensor | float, replaced: Tensor | float, ablated: Tensor | float) -> float:
    """Share of the harm of an ablation that the reconstruction spares: ``(ablated - replaced) / (ablated - clean)``.

    1 if the reconstruction is as good as the activations, 0 if it is as bad as none. Used by all. The trap: zeros can
    be a far worse ablation than the mean, and the worse the ablation, the better the score; say which one it was.

    Parameters
    ----------
    clean, replaced, ablated : Tensor, shape (row,), or float
        Losses, or their means: with the activations, the reconstruction, and zeros (or the mean) in their place.

    Returns
    -------
    float
        NaN, with a warning, if the ablation does not make the loss worse.

    Examples
    --------
    >>> loss_recovered(1.0, 1.5, 3.0)
    0.75
    """
    clean, replaced, ablated = (_mean(each) for each in (clean, replaced, ablated))
    share = (ablated - replaced) / (ablated - clean) if ablated > clean else torch.nan
    return defined(share, "loss_recovered", _HARMLESS)


def kl_divergence(clean: Tensor, new: Tensor) -> Tensor:
    """Divergence of new predictions from clean ones, ``sum p_clean (log p_clean - log p_new)``, in nats.

    Parameters
    ----------
    clean, new : Tensor, shape (row, class)
        Logits; for a yes or no, of both classes.

    Returns
    -------
    Tensor, shape (row,), float64
        Classes that have no probability when clean count nothing.

    Raises
    ------
    DataError
        If shapes differ.
    """
    if clean.shape != new.shape:
        raise DataError(f"clean logits have shape {tuple(clean.shape)} and new ones {tuple(new.shape)}")
    before, after = exact(clean).log_softmax(-1), exact(new).log_softmax(-1)
    return torch.where(before > -torch.inf, before.exp() * (before - after), torch.zeros_like(before)).sum(-1)


def kl_score(replaced: Tensor | float, ablated: Tensor | float) -> float:
    """Share of the ablation's divergence that the reconstruction spares: ``(ablated - replaced) / ablated``.

    Used by SAEBench. Divergences, or their means, from :func:`kl_divergence`. It needs no labels, so it also holds a
    model to its mistakes. NaN, with a warning, if the ablation changes nothing.
    """
    replaced, ablated = _mean(replaced), _mean(ablated)
    share = (ablated - replaced) / ablated if ablated > 0 else torch.nan
    return defined(share, "kl_score", _HARMLESS)


def loss_recovered_statistic(clean: Tensor, replaced: Tensor, ablated: Tensor) -> Statistic:
    """:func:`loss_recovered` as a function of weights, shape (..., row), for an interval over subjects."""
    before, after, without = (exact(each).cpu().numpy() for each in (clean, replaced, ablated))

    def at(weights: np.ndarray) -> np.ndarray:
        harm = weighted_mean(without - before, weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(harm > 0, weighted_mean(without - after, weights) / harm, np.nan)

    return at


def kl_score_statistic(replaced: Tensor, ablated: Tensor) -> Statistic:
    """:func:`kl_score` as a function of weights, shape (..., row), for an interval over subjects."""
    return loss_recovered_statistic(torch.zeros_like(exact(ablated)), replaced, ablated)


def _mean(losses: Tensor | float) -> float:
    return float(exact(torch.as_tensor(losses)).mean())
