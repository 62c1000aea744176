"""What a head is and what it needs, told without building it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pellucid.explanation import Family

Learnt = Literal["labels", "texts", "rows", "inputs"]
"""What a head learns from."""


@dataclass(frozen=True, kw_only=True)
class HeadTags:
    """What a head is and what it needs; names follow the survey of self-interpretable networks (arXiv 2501.15638).

    Parameters
    ----------
    family : str
        Form of its explanation.
    scope : str
        Whether it explains one output (``"local"``) or the whole model (``"global"``).
    stage : str
        ``"ante_hoc"``: the explanation is how the output is computed. ``"post_hoc"``: it is found afterwards.
    faithful_by_construction : bool
        Whether contributions add up to the output exactly.
    learns : str
        What it learns from: the ``"labels"`` of a target, which it predicts; the ``"texts"`` of the samples; the ``"rows"`` that
        frozen encoders say, side by side with others (a dictionary); or the ``"inputs"`` themselves, with encoders, tokens and
        batch (an equation model, a policy, a map).
    targets : tuple of str
        Kinds of target it can predict, where it learns from labels.
    needs_concepts : bool
    needs_decoder : bool
        Whether an encoder it reads must be able to decode.
    needs_tokens : bool
        Whether it reads tokens, so that an encoder must hand some on.
    varying_tokens : bool
        Whether it can read tokens whose number differs between samples: the atoms of a molecule.
    contrasts : bool
        Whether it learns by setting each sample against the others of its batch, whose texts must then differ.
    needs_codes : bool
        Whether it reads codes of tokens, so that an encoder must be one of discrete codes.
    partial_labels : bool
        Whether it can learn from samples of which single labels are unknown (:attr:`pellucid.data.targets.MultiLabel.partial`).
    remembers : bool
        Whether it keeps what encoders said of training samples (prototypes). It is then out of date as soon as one of
        these encoders changes; :meth:`~pellucid.model.Model.check` notices.
    counts : bool
        Whether the units of its explanations are things that are counted in a sample (n-grams of codes), so that each can be
        shown by its name although an encoder has learnt what it stands for.
    """

    family: Family
    scope: Literal["local", "global"] = "local"
    stage: Literal["ante_hoc", "post_hoc"] = "ante_hoc"
    faithful_by_construction: bool = True
    learns: Learnt = "labels"
    targets: tuple[str, ...] = ("binary", "multiclass", "multilabel", "ordinal", "regression", "links")
    needs_concepts: bool = False
    needs_decoder: bool = False
    needs_tokens: bool = False
    varying_tokens: bool = False
    contrasts: bool = False
    needs_codes: bool = False
    partial_labels: bool = False
    remembers: bool = False
    counts: bool = False

    @property
    def singly(self) -> bool:
        """Whether each unit of its explanations can be read by itself within a fold, whether or not an encoder has learnt it."""
        return self.remembers or self.counts

    @property
    def predicts(self) -> bool:
        """Whether it predicts a target: its class is a :class:`Predictor`."""
        return self.learns == "labels"

    def __post_init__(self) -> None:
        if not self.predicts:
            object.__setattr__(self, "targets", ())

    @classmethod
    def of_json(cls, facts: Mapping[str, Any]) -> HeadTags:
        """Tags as a run folder keeps them; folders of earlier versions do not say what a head learns from."""
        facts = dict(facts)
        texts = facts.pop("needs_texts", False)
        before: Learnt = "texts" if texts else "labels" if facts.get("targets") else "rows"
        return cls(**{"learns": before, **facts})
