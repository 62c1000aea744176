"""Human ratings as heads learn from them: which there are, what a batch has of them, and whether each was given at all."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pellucid.batch import Batch
from pellucid.data.spec import Concepts
from pellucid.errors import ContractError, StudyError
from pellucid.heads.base import PredictorConfig
from pellucid.moments import Moments


def concepts_of(config: PredictorConfig, head: str) -> Concepts:
    """The ratings that a head is to learn.

    Parameters
    ----------
    config : PredictorConfig
    head : str
        Its name in a study, for the message.

    Raises
    ------
    StudyError
        If the dataset has none.
    """
    if config.concepts is None:
        raise StudyError(f"head {head!r} needs a dataset with human ratings (concepts); this has none")
    return config.concepts


def rated(batch: Batch, head: str) -> tuple[Tensor, Tensor]:
    """Ratings of a batch, and where they are known (bool); shape (sample, concept) each.

    Raises
    ------
    ContractError
        If the batch has none.
    """
    if batch.concepts is None or batch.concept_mask is None:
        raise ContractError(f"head {head!r} learns from human ratings, and this batch has none")
    return batch.concepts, batch.concept_mask


def check_each_given(moments: Moments, names: Sequence[str]) -> None:
    """Refuse training samples that lack a rating altogether.

    Parameters
    ----------
    moments : Moments
        Of the ratings over all training samples.
    names : sequence of str

    Raises
    ------
    ContractError
        Names each rating that no training sample has.
    """
    never = [name for name, count in zip(names, moments.count.tolist(), strict=True) if count == 0]
    if never:
        raise ContractError(f"no training sample has a rating of {', '.join(map(repr, never))}")
