"""Do features go on and off together? The measure by which variational dictionaries were found better than others."""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.measures.dictionaries.exactness import defined
from pellucid.measures.dictionaries.matching import standardised

BLOCK = 1024
"""Features whose correlations with all others are in memory at once."""


def mean_correlation(codes: Tensor) -> float:
    """Mean size of the Pearson correlation of two features; 0 if all are uncorrelated.

    The trap: features that never vary are left out, and rare ones hardly correlate with anything, so a dictionary of
    dead features looks independent. Give it beside the dead fraction.

    Parameters
    ----------
    codes : Tensor, shape (row, feature)

    Returns
    -------
    float
        NaN, with a warning, if fewer than two features vary.

    References
    ----------
    Baker and Li (2025), arXiv:2509.22994.

    Examples
    --------
    >>> round(mean_correlation(torch.tensor([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])), 6)
    1.0
    """
    columns = standardised(codes)
    columns = columns[:, columns.abs().sum(0) > 0]
    count = columns.shape[1]
    # Its own correlation, 1, is taken out of each row of the matrix at the end.
    total = sum(
        (float((columns[:, start : start + BLOCK].T @ columns).abs().sum()) for start in range(0, count, BLOCK)), 0.0
    )
    share = (total - count) / (count * (count - 1)) if count > 1 else torch.nan
    return defined(share, "mean_correlation", "fewer than two features vary")


def greatest_correlation(codes: Tensor) -> float:
    """Greatest size of the Pearson correlation of two features; 1 where one repeats another. Used by overcomplete.

    Features that never vary are left out.
    """
    columns = standardised(codes)
    columns = columns[:, columns.abs().sum(0) > 0]
    found = torch.tensor(torch.nan, dtype=torch.float64)
    for start in range(0, columns.shape[1] if columns.shape[1] > 1 else 0, BLOCK):
        block = (columns[:, start : start + BLOCK].T @ columns).abs()
        block.diagonal(start).fill_(0)
        found = torch.fmax(found, block.max())
    return defined(found, "greatest_correlation", "fewer than two features vary")
