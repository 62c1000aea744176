"""Heads that are fitted in one pass over the training samples, in closed form or by a library: nothing is learnt by steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np

from pellucid.batch import Batch
from pellucid.errors import DataError
from pellucid.heads.base import Predictor, Stage
from pellucid.representation import Representation


class OnePass(Predictor):
    """A predictor with one stage, which is one pass over the training samples.

    Notes
    -----
    It learns from the training side alone, though it does not stop by the validation side as heads that learn by steps do.
    That side is not free: the threshold of a yes is chosen by what the model says of it, which must be samples that the
    model has not learnt from (a forest is right on nearly all that it has). Fitting it again on both sides, once the
    threshold is chosen, would be honest; but the threshold would be another model's, and of two heads side by side one
    would have seen more samples than the other, so that a comparison would no longer be one of heads.
    """

    def stages(self) -> tuple[Stage, ...]:
        """One pass."""
        return (Stage(name="fit", finish=self.finish),)

    @abstractmethod
    def finish(self, parts: Iterable[tuple[Representation, Batch]]) -> None:
        """Learn from one pass over the training samples.

        Raises
        ------
        ContractError
            If the samples carry no labels.
        DataError
            If nothing can be learnt from these labels.
        """


def check_every_class(head: str, names: Sequence[str], counts: Sequence[float]) -> None:
    """Refuse training samples among which there are none of some class.

    Parameters
    ----------
    head : str
        Its name in a study, for the message.
    names : sequence of str
        Classes.
    counts : sequence of float
        Training samples of each.

    Raises
    ------
    DataError
        Names the classes that are missing.
    """
    absent = [name for name, count in zip(names, counts, strict=True) if not count]
    if absent:
        raise DataError(
            f"head {head!r} needs training samples of every class, and there are none of {', '.join(absent)}: train on more, "
            "or leave the class out of the target"
        )


def check_differ(head: str, output: str, labels: np.ndarray) -> None:
    """Refuse known labels of an output that are all the same, so that there is nothing to tell apart.

    Raises
    ------
    DataError
    """
    if not len(labels) or (labels == labels[0]).all():
        raise DataError(
            f"head {head!r}: all {len(labels)} training labels of {output!r} are the same: leave it out of the target, or train on "
            "more samples"
        )
