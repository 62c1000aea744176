"""Heads that are fitted in one pass: what they ask of labels, and what classes there are."""

from __future__ import annotations

import pytest
import torch

from pellucid.batch import Batch
from pellucid.data.spec import Binary, Links, MultiClass, MultiLabel, Ordinal, Regression
from pellucid.errors import ContractError, DataError
from pellucid.heads.codes.naive_bayes import NGramNaiveBayes
from pellucid.heads.functions.lda import Lda
from pellucid.heads.kernels.gaussian_process import GaussianProcess
from pellucid.heads.one_pass import OnePass
from pellucid.heads.trees.forest import RandomForest
from pellucid.representation import Representation, Tokens, TokenShape

TWO = Binary(names=("no", "yes"))
CODED = TokenShape(count=4, width=1, codebook=3)


def made(head):
    options = {"fewest": 1} if head is NGramNaiveBayes else {}
    return head(head.config_type(units=("x:a", "x:b"), target=TWO, tokens={"x": CODED}, **options))


def shown(labels):
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(3, (8, 4), generator=generator)
    z = Representation(
        torch.randn(8, 2, generator=generator), ("x:a", "x:b"), {"x": Tokens(torch.zeros(8, 4, 1), codes=codes)}
    )
    return [(z, Batch({}, targets=labels, samples=tuple("abcdefgh")))]


@pytest.mark.parametrize("head", [Lda, NGramNaiveBayes, RandomForest, GaussianProcess])
def test_labels_that_teach_nothing_are_refused(head):
    one = made(head)
    assert isinstance(one, OnePass)
    (stage,) = one.stages()
    with pytest.raises(ContractError, match="collate it with a target"):
        stage.finish(shown(None))
    said = "none of no" if head in (Lda, NGramNaiveBayes) else "all 8 training labels of 'yes' are the same"
    with pytest.raises(DataError, match=said):
        stage.finish(shown(torch.ones(8, 1)))
    stage.finish(shown(torch.tensor([[0.0], [1.0]] * 4)))


def test_an_output_of_which_no_label_is_known_is_refused():
    forest = RandomForest(
        RandomForest.config_type(units=("x:a", "x:b"), target=MultiLabel(names=("p", "q"), partial=True))
    )
    labels = torch.tensor([[0.0, torch.nan], [1.0, torch.nan]] * 4)
    with pytest.raises(DataError, match="all 0 training labels of 'q' are the same"):
        forest.finish(shown(labels))


def test_classes_have_names_both_of_a_yes_or_no():
    assert TWO.categories == ("no", "yes")
    assert MultiClass(names=("a", "b", "c")).categories == ("a", "b", "c")
    assert Ordinal(names=("low", "middle", "high")).categories == ("low", "middle", "high")
    assert MultiLabel(names=("p", "q")).categories == ("p", "q")
    assert Links(relation="treats").categories == ("not treats", "treats")
    assert Regression(names=("age",), units=("years",)).categories == ()
