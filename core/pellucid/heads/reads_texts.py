"""Heads that learn from texts: which text of the dataset is meant, and what a batch has of it."""

from __future__ import annotations

from collections.abc import Collection

from pellucid.batch import Batch
from pellucid.errors import ContractError, StudyError, nearest


def chosen_text(head: str, asked: str, texts: Collection[str]) -> str:
    """The text that a head learns from: the one that is named, or the only one.

    Parameters
    ----------
    head : str
        Its name in a study, for the message.
    asked : str
        What the option ``text_name`` says; may be empty where there is one text.
    texts : collection of str
        Names of the dataset's texts.

    Raises
    ------
    StudyError
        If there is no such text, or it is not said which of several.
    """
    name = asked or (next(iter(texts)) if len(texts) == 1 else "")
    if name not in texts:
        raise StudyError(
            f"head {head!r} learns from one text, and is told {name!r}{nearest(name, texts)}: name one with the option text_name; "
            f"texts here: {', '.join(texts) or 'none'}"
        )
    return name


def texts_of(batch: Batch, name: str) -> tuple[tuple[str, ...], ...]:
    """A text of each sample, and its variants behind it.

    Raises
    ------
    ContractError
        If the batch has none, as of samples that came without their dataset.
    """
    if name not in batch.texts:
        raise ContractError(
            f"this head learns from the text {name!r}, which these samples do not have: collate a dataset's"
        )
    return batch.texts[name]
