"""Scores that others have published for a task: what a run's own score may stand beside."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pellucid.data.frozen import Frozen


class Published(Frozen):
    """One published score.

    Parameters
    ----------
    name : str
        The model, as its authors call it.
    metric : str
        As pellucid's results name it: ``"auroc"`` (for several labels their mean).
    value : float
    uncertainty : float, optional
        As published: half the width of an interval or a standard deviation; ``note`` says which.
    source : str
        Where it stands: a paper's identifier, a repository.
    tag : str
        ``"verified"``: read at the source. ``"recalled"``: from memory or second hand, to be checked before it is cited.
    note : str
        What a reader of the figure must know.
    split : str
        Frame column of the official split that it was measured on. It is drawn only beside runs that were split by this
        column; empty: beside every run.
    """

    name: str
    metric: str
    value: float
    uncertainty: float | None = Field(default=None, ge=0)
    source: str
    tag: Literal["verified", "recalled"]
    note: str = ""
    split: str = ""
