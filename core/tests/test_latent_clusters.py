"""Whether a latent is organised by class: found where it is planted, not found where it is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_latents import dataset, fold, model
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier

from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError
from pellucid.protocols.latents.agreement import redealt
from pellucid.protocols.latents.clusters import LatentClusters, LatentClustersConfig
from pellucid.protocols.latents.space import Space
from pellucid.protocols.measuring import concluded, examined

FAST = LatentClustersConfig(replicates=50)


def found(data, models=None):
    protocol = LatentClusters(FAST)
    fitted, context = fold(data, models or {"linear": model(data, [[1.0, 0.0, 0.0]])})
    rows = protocol.examine(fitted).assign(fold=0)
    return {r.metric: r for r in protocol.conclude(rows, context)}, rows, protocol, context


def blobs(apart: float, seed: int = 0, samples: int = 120):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, samples)
    return random.normal(size=(samples, 3)) + apart * labels[:, None] * np.array([1, -1, 0]), labels


def test_classes_that_lie_apart_are_found_in_clusters_and_neighbours():
    units, labels = blobs(8.0)
    results, *_ = found(dataset(units, labels, np.arange(120)))
    information, purity = results["cluster_information:image"], results["neighbour_purity:image"]
    assert information.value == pytest.approx(1.0)
    assert abs(information.chance) < 0.1
    assert abs(information.baseline) < 0.15
    assert purity.value == pytest.approx(1.0)
    assert purity.chance == pytest.approx(0.5, abs=0.05)
    assert purity.baseline == pytest.approx(0.5, abs=0.15)
    assert information.low <= information.value <= information.high


def test_a_latent_without_classes_is_at_chance():
    units, labels = blobs(0.0)
    results, *_ = found(dataset(units, labels, np.arange(120)))
    for result in results.values():
        assert result.low < result.chance + 0.05
        assert result.value == pytest.approx(result.chance, abs=0.12)


def test_without_two_classes_among_the_tested_clusters_have_nothing_to_agree_with_and_neighbours_have():
    units, labels = blobs(8.0)
    data = dataset(units, labels, np.arange(120))
    models = {"linear": model(data, [[1.0, 0.0, 0.0]])}
    fitted, context = fold(data, models)
    of_one = fitted.split.test[data.frame[fitted.target].to_numpy()[fitted.split.test] == 1]
    fitted = dataclasses.replace(fitted, split=dataclasses.replace(fitted.split, test=of_one))
    (purity,), (lacking,) = concluded(LatentClusters(FAST), [examined(LatentClusters(FAST), fitted, context)], context)
    assert purity.value == pytest.approx(1.0)
    assert lacking.metric == "cluster_information:image"
    assert "in no fold are test samples of two classes" in lacking.because


def test_a_trivial_covariate_that_knows_the_class_is_the_baseline_to_beat():
    units, labels = blobs(0.0)
    trivial = labels + 0.01 * np.random.default_rng(0).normal(size=120)
    results, *_ = found(dataset(units, labels, np.arange(120), trivial))
    assert results["neighbour_purity:image"].baseline == pytest.approx(1.0)
    assert results["cluster_information:image"].baseline > 0.4


def test_a_missing_trivial_covariate_is_no_clump_of_its_own():
    units, labels = blobs(0.0)
    trivial = 1000 + 10 * labels + np.random.default_rng(0).normal(size=120)
    trivial[::8] = np.nan
    results, *_ = found(dataset(units, labels, np.arange(120), trivial))
    assert results["cluster_information:image"].baseline > 0.4


def test_chance_knows_that_samples_of_a_subject_lie_together():
    # Eight patients with fifteen samples each, in tight clumps, their labels by lot: clusters tell patients, so they tell
    # labels of those patients too. Labels dealt to single samples would call that a finding.
    random = np.random.default_rng(3)
    subjects = np.repeat(np.arange(24), 15)
    units = random.normal(size=(24, 3))[subjects] * 5 + 0.05 * random.normal(size=(360, 3))
    labels = (random.permutation(24) % 2)[subjects]
    results, *_ = found(dataset(units, labels, subjects))
    chance = results["cluster_information:image"].chance
    assert chance > 0.1
    assert results["cluster_information:image"].value < chance + 0.35


def test_redealt_labels_of_a_subject_are_those_of_one_subject_of_the_fold():
    sizes = [1, 2, 3, 5, 8]
    subjects = np.random.default_rng(0).permutation(np.repeat(np.arange(10), sizes * 2))
    folds = subjects // 5
    # Each subject of a fold has its own tens; the largest has two labels.
    labels = np.where(subjects % 5 == 4, 40 + np.arange(len(subjects)) % 2, 10 * (subjects % 5)) + 100 * folds
    moved = 0
    for seed in range(20):
        dealt = redealt(labels, subjects, folds, np.random.default_rng(seed))
        assert (dealt // 100 == folds).all()
        givers = []
        for subject in range(10):
            of = np.unique(dealt[subjects == subject] % 100 // 10)
            assert len(of) == 1
            givers.append(int(of[0]))
        assert sorted(givers[:5]) == sorted(givers[5:]) == list(range(5))
        moved += givers[:5] != list(range(5))
    assert moved > 15


def test_the_baseline_has_a_number_of_clusters_of_its_own_and_the_sentence_says_who_tells_more():
    # Four clumps of the trivial covariate are the classes pairwise; the latent has two clumps that know nothing.
    random = np.random.default_rng(0)
    clump = random.integers(0, 4, 240)
    units = random.normal(size=(240, 3)) + 9 * random.integers(0, 2, 240)[:, None]
    labels = clump % 2
    trivial = 20 * clump + random.normal(size=240)
    results, rows, *_ = found(dataset(units, labels, np.arange(240), trivial))
    assert rows["cluster"].nunique() == 2
    assert rows["baseline_cluster"].nunique() == 4
    for result, what in zip(results.values(), ("clusters of rough", "neighbours in rough"), strict=True):
        assert result.value < result.baseline
        assert f"That is less than {what} alone tell: " in result.sentence
    results, *_ = found(dataset(units + 40 * labels[:, None] * np.array([1, 0, 0]), labels, np.arange(240)))
    assert all("That is more than" in result.sentence for result in results.values())
    results, *_ = found(dataset(units, labels, np.arange(240)))
    assert all("It cannot be told apart from" in result.sentence for result in results.values())


def test_purity_is_the_share_that_sklearn_counts():
    units, labels = blobs(1.5)
    data = dataset(units, labels, np.arange(120))
    _, rows, *_ = found(data)
    scaled = (units - units[:80].mean(0)) / units[:80].std(0)
    chances = KNeighborsClassifier(10).fit(scaled[:80], labels[:80]).predict_proba(scaled[80:])
    assert np.allclose(rows["purity"], chances[np.arange(40), labels[80:]])
    usual = np.where(labels[80:] == 1, labels[:80].mean(), 1 - labels[:80].mean())
    assert np.allclose(rows["usual_purity"], usual)


def test_information_is_taken_within_folds():
    units, labels = blobs(3.0)
    _, rows, protocol, context = found(dataset(units, labels, np.arange(120)))
    # In the second fold the clusters have other numbers; pooled, they would say less.
    other = rows.assign(fold=1, cluster=1 - rows["cluster"], sample=rows["sample"] + "b", subject=rows["subject"] + "b")
    import pandas as pd

    both = protocol.conclude(pd.concat([rows, other]), context)[0]
    assert both.value == pytest.approx(adjusted_mutual_info_score(rows["label"], rows["cluster"]))
    assert both.value > 0.2


def test_heads_that_share_an_encoder_count_once():
    units, labels = blobs(1.0)
    data = dataset(units, labels, np.arange(120))
    first = model(data, [[1.0, 0.0, 0.0]])
    results, rows, protocol, context = found(data, {"one": first, "two": model(data, [[0.0, 1.0, 0.0]])})
    assert set(rows["part"]) == {"one"}
    assert len(results) == 2
    assert len(protocol.figures(rows, context)) == 1


def test_clusters_refuse_whom_they_were_learnt_from():
    units, labels = blobs(1.0)
    data = dataset(units, labels, np.arange(120))
    learnt = data.subset(np.arange(80))
    space = Space.fitted(units[:80], labels[:80], learnt.learned_from, most=4, neighbours=5, seed=0)
    space.placed(units[80:], labels[80:], data.subset(np.arange(80, 120)).learned_from, part="clusters")
    with pytest.raises(LeakageError, match="clusters would be asked about subjects it has learnt from: 1 of 41"):
        space.placed(units[79:], labels[79:], data.subset(np.arange(79, 120)).learned_from, part="clusters")


def test_the_number_of_clusters_is_that_of_the_clumps():
    random = np.random.default_rng(0)
    middles = np.array([[0, 0], [9, 0], [0, 9], [9, 9], [4, 20]])
    points = middles[np.arange(100) % 5] + random.normal(size=(100, 2))
    nobody = dataset(np.zeros((6, 3)), np.arange(6) % 2, np.arange(6)).subset(np.arange(0)).learned_from
    space = Space.fitted(points, np.zeros(100), nobody, most=8, neighbours=5, seed=0)
    assert space.count == 5
    constant = Space.fitted(np.ones((20, 1)), np.zeros(20), nobody, most=8, neighbours=5, seed=0)
    assert constant.count == 1


def test_a_study_without_a_learnt_latent_is_told_so_beforehand():
    units, labels = blobs(1.0)
    *_, context = found(dataset(units, labels, np.arange(120)))
    assert LatentClusters().unfit(context) == ""
    plain = type(context)(context.spec, context.target, context.parts, context.baseline_name, 0, {"x": Identity.tags})
    assert "no encoder of this study learns a latent" in LatentClusters().unfit(plain)
