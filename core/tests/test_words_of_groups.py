"""Where groups are no subjects, figures and sentences say what they are."""

from __future__ import annotations

import dataclasses

import pytest

from pellucid.protocols.explanations.audit import ExplanationAudit
from pellucid.protocols.prediction.assessment import Prediction
from pellucid.testing.folds import fitted_fold


def of_scaffolds():
    fold, context = fitted_fold()
    spec = context.spec.model_copy(update={"group_word": ("scaffold", "scaffolds")})
    return fold, dataclasses.replace(context, spec=spec)


def test_a_context_says_over_what_intervals_are():
    _, context = of_scaffolds()
    assert (context.one, context.several, context.bars) == ("scaffold", "scaffolds", "95 % intervals over scaffolds")
    assert fitted_fold()[1].bars == "95 % intervals over subjects"


@pytest.mark.parametrize("protocol", [Prediction(), ExplanationAudit()])
def test_captions_speak_of_the_groups_that_there_are(protocol):
    fold, context = of_scaffolds()
    captions = " ".join(protocol.figures(protocol.examine(fold).assign(fold=0), context))
    assert "over scaffolds" in captions
    assert "subjects" not in captions


def test_scores_by_group_speak_of_the_groups_that_there_are():
    fold, context = of_scaffolds()
    rows = Prediction().examine(fold).assign(fold=0)
    # Two samples of each, so that there are scores of groups beside those of samples.
    rows["subject"] = rows.groupby("part").cumcount().floordiv(2).astype(str)
    told = [one.sentence for one in Prediction().conclude(rows, context) if one.metric == "auroc_per_subject"]
    assert told
    assert all("scaffolds" in one and "subjects" not in one for one in told)
