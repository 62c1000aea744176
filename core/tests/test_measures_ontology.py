"""Latents, classes and trees: planted meanings, other libraries, and trees written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy, spearmanr
from sklearn.metrics import f1_score, roc_auc_score

from pellucid.errors import DataError
from pellucid.measures.class_purity import class_auroc, purity
from pellucid.measures.class_tree import ClassTree
from pellucid.measures.ontology import (
    best_detectors,
    class_distances,
    common_heights,
    hierarchical_score,
    tree_agreement,
)

CLASSES = tuple("abcdefghi")
PARENTS = {name: f"super{at // 3}" for at, name in enumerate(CLASSES)} | {f"super{s}": "root" for s in range(3)}
TREE = ClassTree.of(CLASSES, PARENTS)

# Two branches of different depth, with a node that has a single child.
UNEVEN = ClassTree.of(
    ["p", "q", "r", "s"],
    {"p": "low", "q": "low", "low": "single", "single": "top", "r": "top", "s": "whole", "top": "whole"},
)


def planted(samples=900, seed=0):
    """Latents 0 to 8 fire for a class, 9 to 11 for three, 12 for all, 13 never, 14 by chance."""
    random = np.random.default_rng(seed)
    labels = random.integers(9, size=samples)
    means = np.concatenate([np.eye(9), np.kron(np.eye(3), np.ones((3, 1))), np.ones((9, 1)), np.zeros((9, 2))], axis=1)
    codes = means[labels] * (0.5 + random.random((samples, 15)))
    codes[:, 14] = random.random(samples)
    return codes, labels


def test_purity_is_the_share_of_the_most_frequent_class_among_the_strongest():
    codes, labels = planted()
    found = purity(codes, labels, top=30)
    assert found.purity[:9].tolist() == [1.0] * 9
    assert found.label[:9].tolist() == list(range(9))
    assert (found.entropy[:9] == 0).all()
    for latent in (9, 12, 14):
        top = labels[np.argsort(-codes[:, latent], kind="stable")[:30]]
        shares = np.bincount(top, minlength=9) / 30
        assert found.purity[latent] == pytest.approx(shares.max())
        assert found.entropy[latent] == pytest.approx(entropy(shares, base=2))
        assert found.label[latent] == shares.argmax()
    assert np.isnan(found.purity[13])
    assert found.label[13] == -1
    assert found.looked_at.tolist() == [30] * 13 + [0, 30]
    assert found.density[0] == pytest.approx((labels == 0).mean())


def test_of_a_latent_that_fires_rarely_only_what_fires_is_counted():
    codes, labels = np.zeros((40, 1)), np.arange(40) % 2
    codes[[0, 2, 3]] = 1.0
    found = purity(codes, labels)
    assert found.purity[0] == pytest.approx(2 / 3)
    assert found.looked_at[0] == 3


def test_purity_of_all_that_a_latent_fires_for_or_of_the_strongest_of_them():
    labels = np.array([0, 0, 1, 2, 1, 1])
    codes = np.array([[1.0, 5, 0], [2, 4, 0], [0, 3, 0], [0, 2, 0], [0, 1, 0], [0, 1, 0]])
    whole = purity(codes, labels, top=None)
    assert whole.purity[:2].tolist() == pytest.approx([1.0, 0.5])
    assert whole.looked_at.tolist() == [2, 6, 0]
    assert np.isnan(whole.purity).tolist() == [False, False, True]
    assert purity(codes, labels, top=3).purity[:2].tolist() == pytest.approx([1.0, 2 / 3])
    assert purity(codes, labels, top=2).purity[:2].tolist() == pytest.approx([1.0, 1.0])
    with pytest.raises(DataError, match="labels"):
        purity(codes, labels[1:])


def test_areas_are_those_of_another_library_ties_included():
    codes, labels = planted(200)
    found = class_auroc(codes.round(1), labels)
    for latent in range(15):
        for label in range(9):
            assert found[latent, label] == pytest.approx(roc_auc_score(labels == label, codes[:, latent].round(1)))
    assert found[:9].argmax(1).tolist() == list(range(9))
    assert np.isnan(class_auroc(codes, np.where(labels == 3, 4, labels))[:, 3]).all()


def test_trees_know_distances_heights_and_what_stands_below():
    distances = TREE.distances()
    assert distances[0].tolist() == [0, 2, 2, 4, 4, 4, 4, 4, 4]
    assert UNEVEN.distances().tolist() == [[0, 2, 4, 5], [2, 0, 4, 5], [4, 4, 0, 3], [5, 5, 3, 0]]
    heights = dict(zip(UNEVEN.names, UNEVEN.heights().tolist(), strict=True))
    assert heights == {"p": 0, "q": 0, "r": 0, "s": 0, "low": 1, "single": 2, "top": 3, "whole": 4}
    assert [TREE.names[node] for node in TREE.inner()] == ["super0", "super1", "super2"]
    assert [UNEVEN.names[node] for node in UNEVEN.inner()] == ["low", "single", "top"]
    lowest = [UNEVEN.names[UNEVEN.lowest_common(np.array(some))] for some in ([0], [0, 1], [0, 2], [1, 2, 3])]
    assert lowest == ["p", "low", "top", "whole"]
    assert UNEVEN.members()[UNEVEN.names.index("top")].tolist() == [True, True, True, False]


def test_what_is_no_tree_is_refused_with_a_reason():
    for classes, parents, told in (
        (["a", "b"], {"a": "x", "b": "y"}, "2 nodes have no parent: x, y"),
        (["a", "b"], {"a": "b", "b": "x"}, "'b' is the parent"),
        (["a", "b"], {"a": "x", "x": "y", "y": "x", "b": "root"}, "its own ancestor"),
    ):
        with pytest.raises(DataError, match=told):
            ClassTree.of(classes, parents)


def test_latents_of_a_branch_have_the_height_of_the_branch():
    codes, labels = planted()
    found = common_heights(codes, labels, TREE)
    assert found[:9].tolist() == [0.0] * 9
    assert found[9:13].tolist() == [1.0, 1.0, 1.0, 2.0]
    assert np.isnan(found[13])
    assert found[14] == 2


def test_codes_that_follow_the_tree_agree_with_it_and_flat_codes_do_not():
    codes, labels = planted()
    distances = class_distances(codes[:, :12], labels)
    means = np.stack([codes[labels == c, :12].mean(0) for c in range(9)])
    cosine = means[2] @ means[7] / np.linalg.norm(means[2]) / np.linalg.norm(means[7])
    assert distances[2, 7] == pytest.approx(1 - cosine)
    found = tree_agreement(distances, TREE.distances())
    pairs = np.triu_indices(9, 1)
    peer = spearmanr(distances[pairs].round(9), TREE.distances()[pairs]).statistic
    assert found.value == pytest.approx(peer)
    assert found.value > 0.7
    assert found.p < 0.01
    random = np.random.default_rng(1).random((900, 40))
    flat = tree_agreement(class_distances(random, labels), TREE.distances())
    assert abs(flat.value) < 0.4
    assert flat.p > 0.05
    turned = tree_agreement(-distances, TREE.distances())
    assert turned.value == pytest.approx(-found.value)
    assert turned.p > 0.9


def test_shared_strongest_latents_are_a_distance_too():
    codes, labels = planted()
    found = class_distances(codes[:, :12], labels, "jaccard", strongest=2)
    assert found[0, 1] == pytest.approx(1 - 1 / 3)
    assert found[0, 5] == 1
    assert (found.diagonal() == 0).all()
    assert tree_agreement(found, TREE.distances()).value == pytest.approx(1.0)


def test_detectors_find_the_planted_latents_of_inner_nodes_and_hold_elsewhere():
    codes, labels = planted()
    other, other_labels = planted(seed=1)
    inside = TREE.members()[TREE.inner()]
    found = best_detectors(codes, inside[:, labels].T)
    assert found.latents.tolist() == [9, 10, 11]
    assert found.f1.tolist() == [1.0, 1.0, 1.0]
    assert (found.f1_on(other, inside[:, other_labels].T) > 0.98).all()
    score = hierarchical_score(found, other, other_labels, TREE)
    assert score == pytest.approx(found.f1_on(other, inside[:, other_labels].T).mean())
    alone = best_detectors(codes[:, :9], inside[:, labels].T)
    assert hierarchical_score(alone, other[:, :9], other_labels, TREE) < 0.7


def test_the_best_threshold_is_the_best_of_all_ties_and_signs_included():
    random = np.random.default_rng(2)
    codes, inside = random.normal(size=(60, 5)).round(1), random.random((60, 3)) < 0.3
    found = best_detectors(codes, inside)
    for at in range(3):
        best = max(f1_score(inside[:, at], codes[:, j] >= t) for j in range(5) for t in np.unique(codes[:, j]))
        assert found.f1[at] == pytest.approx(best)
        here = f1_score(inside[:, at], codes[:, found.latents[at]] >= found.thresholds[at])
        assert here == pytest.approx(best)
    np.testing.assert_allclose(found.f1_on(codes, inside), found.f1)


def test_what_cannot_be_measured_is_refused_with_a_reason():
    codes, labels = planted(90)
    small = ClassTree.of(["a", "b"], {"a": "x", "b": "x"})
    for refused, told in (
        (lambda: purity(codes, labels[:5]), "sample, latent"),
        (lambda: purity(codes, labels.astype(float)), "whole numbers"),
        (lambda: purity(codes, labels - 1), "whole numbers"),
        (lambda: purity(codes[:0], labels[:0]), "whole numbers"),
        (lambda: common_heights(codes, labels, small), "a label is 8, and the tree has 2 classes"),
        (lambda: class_distances(codes, np.where(labels == 3, 4, labels)), "class 3 has no sample"),
        (lambda: class_distances(codes, labels, "euclid"), "no distance 'euclid'"),
        (lambda: tree_agreement(np.zeros((3, 3)), np.zeros((4, 4))), "not of the same classes"),
        (lambda: best_detectors(codes, labels), "sample, set"),
        (lambda: hierarchical_score(best_detectors(codes, labels[:, None] == 1), codes, labels, TREE), "3 inner nodes"),
    ):
        with pytest.raises(DataError, match=told):
            refused()
