"""The parameter randomisation test: an explanation of a model must change when what the model learnt is thrown away."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from pellucid.statistics import ranking

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def reinitialised(module: ModuleT, generator: torch.Generator) -> ModuleT:
    """A copy whose parameters are drawn anew, of the same size but with nothing learnt; buffers (scales) stay.

    Each parameter tensor becomes normal numbers of mean 0 and the root mean square that it had. Signs are drawn with
    them: with shuffled weights a model whose weights are mostly positive would keep most of its explanation.

    References
    ----------
    Adebayo et al. (2018), Sanity checks for saliency maps, arXiv 1810.03292: all layers at once.
    """
    found = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in found.parameters():
            size = parameter.square().mean().sqrt()
            drawn = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.copy_(drawn.to(parameter.device) * size)
    return found


def rank_correlation(a: Tensor, b: Tensor, known: Tensor | None = None) -> Tensor:
    """Spearman's correlation of each row of two tables, ties given their mean rank; (sample, unit) to (sample,).

    NaN where a row does not vary.

    Parameters
    ----------
    a, b : Tensor, shape (sample, unit)
    known : Tensor of bool, optional, shape (sample, unit)
        Which units a sample has; by default all.

    Examples
    --------
    >>> rank_correlation(torch.tensor([[1.0, 2.0, 30.0]]), torch.tensor([[5.0, 6.0, 6.5]])).tolist()
    [1.0]
    """
    first, second = (table.detach().cpu().double().numpy() for table in (a, b))
    return torch.from_numpy(ranking.rank_correlation(first, second, None if known is None else known.cpu().numpy()))
