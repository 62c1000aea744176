"""What all assessments of dictionaries by labels share: whom they judge, what chooses, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from made_labelled_rows import (
    ATOMS,
    COIN,
    LOUD,
    PEOPLE,
    QUIET,
    TRUE,
    UNITS,
    assessed,
    context,
    fold_of,
    model,
    probing,
    ravel,
    rows,
    scr,
    tpp,
    unlearned,
)
from sklearn.metrics import roc_auc_score

from pellucid.data import Binary, DataSpec, LearnedFrom, MultiClass, Vector
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.heads.dictionaries import TopK
from pellucid.heads.functions.linear import Linear
from pellucid.protocols.audited import told, told_once
from pellucid.protocols.base import Context
from pellucid.protocols.dictionaries.by_labels.absorption import Absorption
from pellucid.protocols.dictionaries.by_labels.perturbation import TargetedPerturbation
from pellucid.protocols.dictionaries.by_labels.probing import SparseProbing
from pellucid.protocols.dictionaries.by_labels.ravel import Ravel
from pellucid.protocols.dictionaries.by_labels.removal import SpuriousRemoval
from pellucid.protocols.dictionaries.by_labels.unlearning import UNTOUCHED, Unlearned
from pellucid.protocols.dictionaries.codes import label_called, label_names
from pellucid.protocols.measuring import concluded, examined

ALL = {
    "sparse-probing": probing, "absorption": Absorption, "tpp": tpp, "scr": scr, "unlearning": unlearned, "ravel": ravel,
}  # fmt: skip


@pytest.mark.parametrize("name", ["sparse-probing", "tpp", "scr", "unlearning", "ravel"])
def test_labels_of_test_samples_choose_nothing(name):
    """With test labels turned round, what probes say is the same and only whether it is right turns round."""
    data, turned = rows(), rows()
    protocol = ALL[name]()
    test = fold_of(data, model(data)).split.test
    for column in ("loud", "quiet", "coin"):
        at = turned.frame.columns.get_loc(column)
        turned.frame.iloc[test, at] = 1 - turned.frame.iloc[test, at]
    one, other = (protocol.examine(fold_of(each, model(each))) for each in (data, turned))
    if name == "unlearning":
        assert one["features"].iloc[0] == other["features"].iloc[0] != UNTOUCHED
        kept = [each[each["forgets"] == 0] for each in (one, other)]
        for column in ("before", "after", "random"):
            np.testing.assert_allclose(kept[0][column].to_numpy(), 1 - kept[1][column].to_numpy())
        return
    if name == "ravel":
        for fact in ("features_first", "features_second"):
            assert told(one, fact) == told(other, fact) != []
        both = [each.drop_duplicates("sample").set_index("sample").sort_index() for each in (one, other)]
        np.testing.assert_array_equal(both[0]["read_first"], 1 - both[1]["read_first"])
        return
    assert list(one["sample"]) == list(other["sample"])
    np.testing.assert_array_equal(one["truth"], 1 - other["truth"])
    if name == "sparse-probing":
        assert list(one["features"]) == list(other["features"])
        for column in [f"{what}:{k}" for what in ("codes", "units") for k in (1, 2, 5)] + ["full", "usual"]:
            np.testing.assert_array_equal(one[column], other[column])
        return
    for column in [each for each in one if each.split(":")[0] in ("right", "own", "others", "off", "base", "oracle")]:
        np.testing.assert_allclose(one[column], 1 - other[column], atol=1e-12)


@pytest.mark.parametrize(
    ("made", "option"), [(SparseProbing, "ks"), (TargetedPerturbation, "ns"), (SpuriousRemoval, "ns")]
)
def test_more_features_than_a_dictionary_has_are_refused_before_anything_is_fitted(made, option):
    data = rows()
    heads = {"linear": None, "topk": model(data).head}

    def said(*numbers: int) -> str:
        return made(made.config_type(**{option: numbers})).unfit_for(data, heads, context(data))

    assert said(1, ATOMS) == ""
    assert (
        said(ATOMS + 1, 1)
        == f"{option} asks for {ATOMS + 1} features, but “topk” has {ATOMS} features: ask for no more"
    )
    assert made().unfit_for(data, heads, context(data)) == ""


def test_a_probe_of_features_has_as_many_units_beside_it():
    data = rows()
    wide = model(data, torch.cat([TRUE, -TRUE, TRUE]))
    asked = probing(ks=(UNITS + 1,)).unfit_for(data, {"topk": wide.head}, context(data))
    assert asked == f"ks asks for {UNITS + 1} features, but “topk” has {UNITS} units to compare with: ask for no more"


def test_usual_numbers_that_a_dictionary_has_not_are_left_out_and_no_other_is_lost():
    """Of two dictionaries of 12 and of 4 features only the first has 5 and 10."""
    data = rows()
    small = model(data, TRUE[:4])
    fold = fold_of(data, model(data))
    fold = dataclasses.replace(fold, models={**fold.models, "small": small})
    both = Context(data.spec, "", {"topk": TopK.tags, "small": TopK.tags}, "", 0)
    for protocol, numbers in (
        (
            TargetedPerturbation(TargetedPerturbation.config_type(labels=("loud", "quiet"), steps=200)),
            ([2, 5, 10], [2]),
        ),
        (SpuriousRemoval(SpuriousRemoval.config_type(wanted="quiet", spurious="loud", steps=200)), ([2, 5, 10], [2])),
        (SparseProbing(SparseProbing.config_type(labels=("loud",))), ([1, 2, 5], [1, 2])),
    ):
        results, lacking = concluded(protocol, [examined(protocol, fold, both)], both)
        assert lacking == []
        for part, expected in zip(("topk", "small"), numbers, strict=True):
            named = {int(one.metric.split("_")[-1].removeprefix("k")) for one in results if one.part == part}
            assert named == set(expected)
            assert all(np.isfinite(one.value) for one in results)
    one = dataclasses.replace(fold, models={"topk": model(data, TRUE[:1])})
    usual = TargetedPerturbation(TargetedPerturbation.config_type(labels=("loud", "quiet"), steps=10))
    with pytest.raises(NotMeasurable, match="there are 1 features, fewer than the 2 asked for"):
        usual.examine(one)


def test_how_many_features_two_labels_have_is_said_of_all_folds():
    data = rows()
    found = ravel().examine(fold_of(data, model(data))).assign(fold=0)
    (own,) = told(found, "features_first")
    other = told_once(found.assign(fold=1, subject="x" + found["subject"]), {"features_first": own + 3})
    (result,) = ravel().conclude(pd.concat([found, other]), context(data))
    assert result.sentence.startswith(f"Given the {own} to {own + 3} features of yes (loud) of another sample")


@pytest.mark.parametrize("name", ALL)
def test_nobody_is_judged_whom_the_model_has_learnt_from(name):
    data = rows()
    data.made_by = LearnedFrom.of({"subject": ["p0"]}, "r")
    with pytest.raises(LeakageError, match="1 of"):
        ALL[name]().examine(fold_of(data, model(data)))


@pytest.mark.parametrize("name", ALL)
def test_a_label_of_one_class_is_said_and_breaks_nothing(name):
    data = rows()
    data.frame["loud"] = 0.0
    if name in ("sparse-probing", "absorption", "tpp"):
        _, results = assessed(ALL[name](), data, model(data))
        first = next(iter(results.values()))
        assert np.isfinite(first.value)
        told = first.sentence
    else:
        with pytest.raises(NotMeasurable) as refused:
            assessed(ALL[name](), data, model(data))
        assert "(least)" in refused.value.helps
        told = refused.value.because
    said = "yes (loud) (0 with and 240 without it on the training side; 10 of each are asked for)"
    assert said in told or "the training side has 0 samples" in told
    assert told.count(said) <= 1


def test_labels_that_nobody_said_are_left_out_of_their_label_alone():
    data = rows()
    unknown = data.frame["subject"].isin([f"p{at}" for at in range(0, PEOPLE, 4)])
    data.frame.loc[unknown, "quiet"] = np.nan
    found, results = assessed(probing(), data, model(data))
    assert found.groupby("label").size().to_dict() == {LOUD: 120, QUIET: 90, COIN: 120}
    assert results["auroc_k1_yes (quiet)"].n_samples == 90
    assert results["auroc_k1_yes (quiet)"].value == 1
    assert results["auroc_k1"].n_samples == 120
    _, results = assessed(ravel(), data, model(data))
    assert results["disentanglement"].n_samples == 90
    _, results = assessed(tpp(labels=("loud", "quiet")), data, model(data))
    assert results["tpp_1"].value == pytest.approx(0.5, abs=0.05)


def test_the_order_of_rows_changes_no_interval():
    data = rows()
    data.frame.loc[data.frame["subject"].isin([f"p{at}" for at in range(0, PEOPLE, 4)]), "coin"] = np.nan
    found, results = assessed(probing(ks=(1,)), data, model(data))
    again = probing(ks=(1,)).conclude(found.sample(frac=1, random_state=0), context(data))
    for result in again:
        one = results[result.metric]
        assert (result.low, result.high) == pytest.approx((one.low, one.high))


def test_folds_have_probes_of_their_own():
    """What probes of two folds say cannot be put in one order: the area is of each fold, and subjects are drawn in theirs."""
    data = rows()
    protocol, made = probing(labels=("coin",), ks=(1,)), model(data)
    sides = [np.flatnonzero([int(one[1:]) % 3 == at for one in data.frame["subject"]]) for at in (0, 1)]
    both = [protocol.examine(fold_of(data, made, side)).assign(fold=at) for at, side in enumerate(sides)]
    both[1]["codes:1"] += 100
    (pooled,) = [r for r in protocol.conclude(pd.concat(both), context(data)) if r.metric == "auroc_k1"]
    each = [roc_auc_score(one["truth"], one["codes:1"]) for one in both]
    assert pooled.value == pytest.approx(np.mean(each))
    assert pooled.n_samples == 240


@pytest.mark.parametrize("name", ALL)
def test_a_fold_in_which_nothing_could_be_measured_is_said(name):
    data, protocol, known = rows(), ALL[name](), context(rows())
    whole = examined(protocol, fold_of(data, model(data)), known)
    nine = np.flatnonzero([int(one[1:]) % 40 == 0 for one in data.frame["subject"]])
    fold = fold_of(data, model(data), nine)
    few = examined(protocol, dataclasses.replace(fold, split=dataclasses.replace(fold.split, fold=1)), known)
    assert few.rows is None
    (why,) = few.not_measured
    assert (why.protocol, why.part, why.folds) == (name, "topk", (1,))
    alone, nothing = concluded(protocol, [whole], known)
    assert nothing == []
    (first, *others), lacking = concluded(protocol, [whole, few], known)
    # The one that could be measured is all that results are of.
    assert first.sentence == f"{alone[0].sentence} Measured in 1 of 2 folds; in the other not: {why.because}."
    assert [dataclasses.replace(first, sentence=alone[0].sentence), *others] == alone
    assert lacking == [dataclasses.replace(why, of_folds=2)]


def test_labels_are_called_by_short_names_and_the_nearest_is_suggested():
    names = {"loud": Binary(names=("no", "yes")), "kind": MultiClass(names=("cat", "dog", "yes"))}
    spec = DataSpec(name="d", namespace="d", inputs={"x": Vector(names=("a",))}, targets=names)
    assert label_called("loud", spec) == LOUD
    assert label_called("cat", spec) == label_called("kind:cat", spec) == label_called("cat (kind)", spec)
    assert list(label_names(spec)) == [LOUD, "is cat (kind)", "is dog (kind)", "is yes (kind)"]
    tags = Context(spec, "", {"topk": TopK.tags}, "", 0)
    assert "no yes-or-no label 'lould'; did you mean 'loud'?" in probing(labels=("lould",)).unfit(tags)
    assert "may mean any of is yes (loud), is yes (kind)" in probing(labels=("yes",)).unfit(tags)
    assert probing(labels=("loud", "kind:yes")).unfit(tags) == ""


def test_settings_that_lack_a_label_are_refused_before_anything_is_fitted():
    data = rows()
    asked = context(data)
    assert '[options.scr] wanted = "..."' in SpuriousRemoval().unfit(asked)
    assert '[options.ravel] first = "..."' in Ravel().unfit(asked)
    assert '[options.unlearning] forget = "..."' in Unlearned().unfit(asked)
    assert '[options.scr] spurious = "..."' in scr(spurious="").unfit(asked)
    assert "name two labels" in ravel(second="loud:yes").unfit(asked)
    assert "is to be forgotten and kept" in unlearned(keep=("quiet", "loud:yes")).unfit(asked)
    predictors = dataclasses.replace(asked, parts={"linear": Linear.tags})
    for made in ALL.values():
        assert "is a dictionary" in made().no_head(predictors)
        bare = dataclasses.replace(asked, spec=data.spec.model_copy(update={"targets": {}}))
        assert "have no yes-or-no labels" in made().unfit(bare)
