"""Dictionaries without steps: factorisations against planted truth, baselines against scikit-learn, and the way into it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from made_dictionaries import explained_variance, matched_cosines, names

from pellucid.heads.dictionaries import Ica, Kmeans, Pca, SemiNmf, SemiNmfHierarchy
from pellucid.heads.dictionaries.semi_nmf import factorised


def planted_factors(seed: int = 0, units: int = 60, rows: int = 800, features: int = 6, each: int = 6):
    """Rows that are sums of features of six signed units each, none of them with a negative code."""
    generator = torch.Generator().manual_seed(seed)
    true = torch.zeros(features, units)
    for at in range(features):
        where = torch.randperm(units, generator=generator)[:each]
        true[at, where] = torch.randn(each, generator=generator).sign() * (0.5 + torch.rand(each, generator=generator))
    there = torch.rand(rows, features, generator=generator) < 0.2
    codes = there * (0.3 + torch.rand(rows, features, generator=generator))
    noise = 0.02 * torch.randn(rows, units, generator=generator)
    return codes @ true + noise, true, codes


def built(head: type, units: int, seed: int = 0, **options):
    torch.manual_seed(seed)
    return head(head.config_type(units=names(units), **options))


def test_features_of_few_units_are_recovered_and_without_the_cut_they_are_not():
    rows, true, _ = planted_factors()
    found = {}
    for sparsity in (0.1, 1.0):
        one = built(SemiNmf, 60, features=6, sparsity=sparsity, iterations=300).fit(rows)
        cosines = matched_cosines(one.atoms, true)
        found[sparsity] = cosines.mean(), explained_variance(rows, one.reconstruct(rows))
        assert ((one.atoms != 0).sum(1) <= np.ceil(sparsity * 60)).all()
        assert torch.allclose(torch.linalg.vector_norm(one.atoms, dim=1), torch.ones(6), atol=1e-5)
    assert found[0.1][0] > 0.95
    assert found[1.0][0] < found[0.1][0] - 0.25
    # The error does not tell: it is smaller where nothing was found.
    assert found[1.0][1] > found[0.1][1] - 0.01 > 0.9


def test_codes_of_new_rows_are_never_negative_and_those_that_least_squares_would_give():
    from scipy.optimize import nnls

    rows, _, codes = planted_factors()
    one = built(SemiNmf, 60, features=6).fit(rows)
    found = one.encode(rows).numpy()
    assert (found >= 0).all()
    expected = np.stack([nnls(one.atoms.numpy().T.astype(float), row.astype(float))[0] for row in rows[:100].numpy()])
    assert np.abs(found[:100] - expected).max() < 0.05 * expected.max()
    # Codes stand in the rows' units: features have unit length.
    alike = np.corrcoef(np.concatenate([found, codes.numpy()], 1).T)[:6, 6:]
    assert (alike.max(0) > 0.95).all()


def test_codes_found_while_fitting_are_those_found_afterwards():
    rows, _, _ = planted_factors()
    generator = torch.Generator().manual_seed(0)
    features, codes = factorised(rows, 6, support=6, iterations=300, patience=100, start="random", generator=generator)
    from pellucid.heads.dictionaries.semi_nmf import codes_of

    again = codes_of(rows, features, 300)
    assert (codes >= 0).all()
    for feature in range(6):
        assert np.corrcoef(codes[:, feature], again[:, feature])[0, 1] > 0.95


@pytest.mark.parametrize("start", ["random", "clusters", "svd"])
def test_the_best_pair_on_the_way_is_kept(start):
    """The error jumps, yet a longer fit is never worse."""
    rows, _, _ = planted_factors(seed=3)
    errors = []
    for iterations in (1, 2, 4, 8, 16, 32, 64):
        generator = torch.Generator().manual_seed(1)
        features, codes = factorised(
            rows, 6, support=3, iterations=iterations, patience=1000, start=start, generator=generator
        )
        errors.append(float((rows - codes @ features).square().sum()))
    assert all(later <= earlier + 1e-3 for earlier, later in pairwise(errors))
    assert errors[-1] < errors[0]


def test_it_ends_where_nothing_gets_better():
    rows, _, _ = planted_factors()
    found = [
        factorised(rows, 6, support=6, iterations=count, patience=5, start="svd", generator=torch.Generator())
        for count in (400, 4000)
    ]
    assert torch.equal(found[0][0], found[1][0])


def test_a_feature_that_no_row_uses_starts_anew():
    from pellucid.heads.dictionaries.semi_nmf import _revived

    rows, true, codes = planted_factors()
    codes = codes.clone()
    codes[:, 2] = 0
    revived_codes, revived = _revived(rows, codes, true, 6)
    assert torch.equal(revived[[0, 1, 3, 4, 5]], true[[0, 1, 3, 4, 5]])
    assert not torch.equal(revived[2], true[2])
    assert (revived_codes[:, 2] > 0).any()
    before = (rows - codes @ true).square().sum()
    assert float((rows - revived_codes @ revived).square().sum()) < 0.8 * float(before)
    # What it starts from is what was missing most.
    assert matched_cosines(revived[2:3], true[2:3])[0] > 0.9


def test_coarser_features_are_sums_of_finer_ones():
    """Six features in two families: members of one family share most of their units."""
    generator = torch.Generator().manual_seed(0)
    families = torch.zeros(2, 40)
    families[0, :8] = families[1, 20:28] = 1.0
    own = torch.zeros(6, 40)
    for at in range(6):
        own[at, (8 if at < 3 else 28) + 3 * (at % 3) :][:3] = 1.5
    true = families.repeat_interleave(3, 0) + own
    one = built(SemiNmfHierarchy, 40, features=6, levels=(1 / 3,))
    one.directions.copy_(torch.nn.functional.normalize(true, dim=1))
    one._stack()
    rows = torch.randn(50, 40, generator=generator)
    parents = one.parents(1)
    assert parents.shape == (6, 2)
    assert (parents >= 0).all()
    found = parents.argmax(1).tolist()
    assert found in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    # What members of a family share is what its feature consists of most.
    assert matched_cosines(one.atoms_at(1), families).min() > 0.75
    # Two features cannot do better than the means of the two families.
    means = one.atoms.reshape(2, 3, 40).mean(1).repeat_interleave(3, 0)
    best = explained_variance(one.atoms, means)
    assert explained_variance(one.atoms, parents @ one.atoms_at(1)) == pytest.approx(best, abs=1e-3)
    assert torch.allclose(one.codes_at(rows, 1), one.encode(rows) @ parents)
    assert one.atoms_at(1).shape == (2, 40)


def test_levels_explain_the_atoms_before_any_tuning_and_stay_without_negative_parts_in_it():
    generator = torch.Generator().manual_seed(0)
    atoms = torch.nn.functional.normalize(torch.randn(12, 20, generator=generator), dim=1)
    kept = {}
    for tuning in (0, 800):
        one = built(SemiNmfHierarchy, 20, features=12, levels=(0.75, 0.5), tuning=tuning)
        one.directions.copy_(atoms)
        one._stack()
        assert (one.parents(1) >= 0).all()
        assert (one.parents(2) >= 0).all()
        kept[tuning] = float((atoms - one.parents(1) @ one.atoms_at(1)).square().sum() / atoms.square().sum())
    assert kept[800] < kept[0] < 0.75


def test_three_levels_hand_their_codes_up():
    rows, _, _ = planted_factors()
    one = built(SemiNmfHierarchy, 60, features=6, levels=(0.5, 1 / 6), iterations=50, tuning=20).fit(rows)
    assert one.config.sizes == (3, 1)
    assert torch.allclose(one.codes_at(rows, 2), one.encode(rows) @ one.parents(1) @ one.parents(2))
    assert torch.allclose(one.atoms_at(1), one.parents(2) @ one.atoms_at(2))
    with pytest.raises(ValueError, match="fall from below 1"):
        built(SemiNmfHierarchy, 60, features=6, levels=(0.5, 0.7))


def test_a_bounded_number_of_rows_is_fitted_and_it_says_how_many():
    rows, _, _ = planted_factors()
    one = built(Pca, 60, features=3, rows=100).fit(rows)
    assert (one.rows_seen, one.rows_used) == (800, 100)
    whole = built(Pca, 60, features=3).fit(rows)
    assert (whole.rows_seen, whole.rows_used) == (800, 800)
    assert not torch.equal(one.atoms, whole.atoms)


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    rows, _, _ = planted_factors()
    one = built(Pca, 60, features=5).fit(rows)
    reference = PCA(5).fit(rows.double().numpy())
    codes = reference.transform(rows.double().numpy())
    signs = np.sign((codes * one.encode(rows).numpy()).sum(0))
    assert np.abs(one.encode(rows).numpy() - signs * codes).max() < 1e-4
    assert explained_variance(rows, one.reconstruct(rows)) == pytest.approx(
        reference.explained_variance_ratio_.sum(), abs=1e-5
    )


def test_independent_components_are_recovered():
    generator = torch.Generator().manual_seed(0)
    sources = torch.rand(4000, 4, generator=generator) - 0.5
    mixing = torch.randn(4, 6, generator=generator)
    rows = sources @ mixing + 3.0
    one = built(Ica, 6, features=4).fit(rows)
    cosines = matched_cosines(torch.cat([one.atoms, -one.atoms]), mixing)
    assert cosines.min() > 0.99
    assert explained_variance(rows, one.reconstruct(rows)) > 0.999
    assert matched_cosines(torch.cat([(p := built(Pca, 6, features=4).fit(rows)).atoms, -p.atoms]), mixing).min() < 0.95


def test_components_may_keep_the_strongest_codes_alone():
    rows, _, _ = planted_factors()
    one, whole = built(Pca, 60, features=6, k=2).fit(rows), built(Pca, 60, features=6).fit(rows)
    codes, every = one.encode(rows), whole.encode(rows)
    assert ((codes != 0).sum(1) == 2).all()
    kept = every.abs() >= every.abs().topk(2, dim=1).values[:, -1:]
    assert torch.allclose(codes, every * kept)


def test_a_cluster_is_one_code_and_its_reconstruction_the_centre():
    generator = torch.Generator().manual_seed(0)
    centres = 5 * torch.randn(4, 3, generator=generator)
    label = torch.arange(400) % 4
    rows = centres[label] + 0.1 * torch.randn(400, 3, generator=generator)
    one = built(Kmeans, 3, features=4).fit(rows)
    codes = one.encode(rows)
    assert codes.sum(1).tolist() == [1.0] * 400
    assert float((one.reconstruct(rows) - centres[label]).abs().max()) < 0.1
    assert len({tuple(row) for row in torch.stack([codes.argmax(1), label], 1).tolist()}) == 4
