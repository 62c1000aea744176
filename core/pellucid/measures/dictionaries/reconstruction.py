"""How much of ``x`` a reconstruction keeps. :func:`explained_variance` is the measure to report; the others carry the
names under which they are published, and differ from it where their docstrings say.

Not offered, as it is a mistake: the ``explained_variance`` that SAELens and SAEBench printed from March 2025 to March
2026 took the variance about zero, not about the mean, and can exceed 1. Numbers of that time compare to nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pellucid.measures.dictionaries.exactness import ROUNDING, defined, exact, same_shape

DEFAULT = "explained_variance"
"""The measure to report where only one is."""

_FLAT = "x does not vary"
_NO_LENGTH = "a row of x has length zero"


def explained_variance(x: Tensor, reconstruction: Tensor) -> float:
    """One minus the squared error over the squared distance from the mean, both summed over all rows. The default.

    1 is a perfect reconstruction, 0 is what predicting the mean of the rows reaches; there is no lower bound. Used by
    whoever says R2 and means it. The trap: averaged over batches it is another number, as each batch has its own mean;
    use :class:`~pellucid.measures.dictionaries.running_reconstruction.RunningReconstruction`.

    Parameters
    ----------
    x, reconstruction : Tensor, shape (row, unit)

    Returns
    -------
    float
        NaN, with a warning, if ``x`` does not vary.

    Raises
    ------
    DataError
        If the shapes differ.

    Examples
    --------
    >>> explained_variance(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([[2.0, 1.0], [0.0, 3.0]]))
    0.8
    """
    x, found = checked_pair(x, reconstruction)
    return defined(1 - (x - found).square().sum() / _spread(x), "explained_variance", _FLAT)


def fvu(x: Tensor, reconstruction: Tensor) -> float:
    """Fraction of variance unexplained: 1 - :func:`explained_variance`. Used by EleutherAI and RecSAE; less is better."""
    x, found = checked_pair(x, reconstruction)
    return defined((x - found).square().sum() / _spread(x), "fvu", _FLAT)


def ev_legacy(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of one minus each row's squared error over its own squared distance from the mean.

    The numbers in the SAEBench paper; SAELens and SAEBench still print them as legacy. The trap: rows near the mean
    weigh without bound (one row on it, and the number is not defined), and the mean is that of the batch, so the number
    depends on how rows are batched.
    """
    x, found = checked_pair(x, reconstruction)
    return defined(legacy_of_rows(x, found).mean(), "ev_legacy", "a row of x is the mean of all rows")


def frac_variance_explained(x: Tensor, reconstruction: Tensor) -> float:
    """One minus the variance of the error over the variance of ``x``, both summed over units.

    Used by dictionary_learning, averaged over batches there. The trap: the error is centred, so a reconstruction that
    is off by the same amount in every row is forgiven.
    """
    x, found = checked_pair(x, reconstruction)
    residual = x - found
    centred = (residual - residual.mean(0)).square().sum()
    return defined(1 - centred / _spread(x), "frac_variance_explained", _FLAT)


def r2_global_mean(x: Tensor, reconstruction: Tensor) -> float:
    """One minus the squared error over the squared distance from ONE number, the mean of all entries.

    Used by overcomplete. The trap: where units have different means, predicting the mean row scores above 0.
    """
    x, found = checked_pair(x, reconstruction)
    flat = (x - x.mean()).square().sum()
    flat = torch.where(flat > ROUNDING * x.square().sum(), flat, torch.nan)
    return defined(1 - (x - found).square().sum() / flat, "r2_global_mean", "all entries of x are equal")


def nmse(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the squared error over the squared length of the row; less is better.

    Used by OpenAI. The trap: nothing is centred, so activations with a large mean look easy.
    """
    x, found = checked_pair(x, reconstruction)
    return defined(nmse_of_rows(x, found).mean(), "nmse", _NO_LENGTH)


def mse(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the squared error SUMMED over units; less is better.

    The trap: others take the mean over units too, or the square root of each row (dictionary_learning's ``l2_loss``).
    """
    x, found = checked_pair(x, reconstruction)
    return defined((x - found).square().sum(1).mean(), "mse", "there are no rows")


def cossim(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the cosine between row and reconstruction.

    Used by all. The trap: it does not see a reconstruction that is too short, see :func:`l2_ratio`.
    """
    x, found = checked_pair(x, reconstruction)
    return defined(cosine_of_rows(x, found).mean(), "cossim", "a row or its reconstruction has length zero")


def l2_ratio(x: Tensor, reconstruction: Tensor) -> float:
    """Mean over rows of the length of the reconstruction over that of the row; below 1 where codes shrink.

    Used by dictionary_learning and SAEBench. The trap: 1 is not perfect, only of the right length.
    """
    x, found = checked_pair(x, reconstruction)
    return defined(length_ratio_of_rows(x, found).mean(), "l2_ratio", _NO_LENGTH)


def rel_recon_bias(x: Tensor, reconstruction: Tensor) -> float:
    """Mean squared length of the reconstruction over its mean product with ``x``: 1 unbiased, below 1 shrunk.

    Used by dictionary_learning and SAEBench (equation 10 of arXiv 2404.16014, whose gamma is its inverse).
    """
    x, found = checked_pair(x, reconstruction)
    share = found.square().sum() / (x * found).sum()
    return defined(share, "rel_recon_bias", "the reconstruction is at right angles to x or zero")


MEASURES: dict[str, Callable[[Tensor, Tensor], float]] = {
    measure.__name__: measure
    for measure in (
        explained_variance,
        fvu,
        ev_legacy,
        frac_variance_explained,
        r2_global_mean,
        nmse,
        mse,
        cossim,
        l2_ratio,
        rel_recon_bias,
    )
}
"""Every measure of this module by its name, the default first."""


def checked_pair(x: Tensor, reconstruction: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64.

    Raises
    ------
    DataError
        If they are not both of the same shape (row, unit).
    """
    same_shape(x, reconstruction, ("x", "reconstruction"))
    return exact(x), exact(reconstruction)


def legacy_of_rows(x: Tensor, found: Tensor) -> Tensor:
    """Each row's term of :func:`ev_legacy`, shape (row,); NaN where a row is the mean of all."""
    away = (x - x.mean(0)).square().sum(1)
    away = torch.where(away > ROUNDING * x.square().sum(1), away, torch.nan)
    return 1 - (x - found).square().sum(1) / away


def nmse_of_rows(x: Tensor, found: Tensor) -> Tensor:
    """Each row's term of :func:`nmse`, shape (row,)."""
    return (x - found).square().sum(1) / x.square().sum(1)


def cosine_of_rows(x: Tensor, found: Tensor) -> Tensor:
    """Each row's term of :func:`cossim`, shape (row,)."""
    return (x * found).sum(1) / (x.norm(dim=1) * found.norm(dim=1))


def length_ratio_of_rows(x: Tensor, found: Tensor) -> Tensor:
    """Each row's term of :func:`l2_ratio`, shape (row,)."""
    return found.norm(dim=1) / x.norm(dim=1)


def _spread(x: Tensor) -> Tensor:
    spread = (x - x.mean(0)).square().sum()
    return torch.where(spread > ROUNDING * x.square().sum(), spread, torch.nan)
