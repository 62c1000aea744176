"""Dictionaries as scikit-learn's transformers, by scikit-learn's own checks; none of them is expected to fail."""

from __future__ import annotations

import numpy as np
import pytest
from made_dictionaries import matched_cosines, planted_atoms
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from pellucid.errors import StudyError
from pellucid.heads.dictionaries.transformer import METHODS, DictionaryTransformer


@parametrize_with_checks(
    [
        DictionaryTransformer("topk", n_components=2, options={"k": 1}, epochs=2),
        DictionaryTransformer("pca", n_components=1),
    ]
)
def test_it_keeps_what_scikit_learn_asks_of_transformers(estimator, check):
    check(estimator)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_there(method):
    rows = planted_atoms(200, 10, 8, active=2.0).rows.numpy()
    options = {"k": 2} if "k" in METHODS[method].config_type.model_fields else {}
    one = DictionaryTransformer(method, n_components=6, options=options, epochs=1, batch_size=50)
    codes = one.fit_transform(rows)
    assert codes.shape == (200, 6)
    assert one.components_.shape == (6, 10)
    assert (codes != 0).any()
    assert np.allclose(
        one.inverse_transform(codes), codes @ one.components_ + one.dictionary_.offset.numpy(), atol=1e-4
    )
    assert list(one.get_feature_names_out()) == [f"dictionarytransformer{at}" for at in range(6)]
    again = DictionaryTransformer(method, n_components=6, options=options, epochs=1, batch_size=50).fit_transform(rows)
    assert np.array_equal(codes, again)


def test_it_finds_planted_atoms_in_a_pipeline():
    made = planted_atoms(3000, 40, 12, active=1.0)
    one = make_pipeline(
        StandardScaler(), DictionaryTransformer("matching-pursuit", 12, options={"k": 2}, epochs=40, batch_size=128)
    )
    one.fit(made.rows.numpy())
    scale = one[0].scale_
    import torch

    found = torch.from_numpy(one[1].components_ * scale)
    assert matched_cosines(found, made.atoms).mean() > 0.9


def test_what_does_not_exist_is_refused_with_the_nearest_name():
    rows = np.random.default_rng(0).normal(size=(50, 4))
    with pytest.raises(ValueError, match="did you mean 'jump-relu'"):
        DictionaryTransformer("jumprelu", n_components=3).fit(rows)
    with pytest.raises(StudyError, match="has no option 'kk'"):
        DictionaryTransformer("topk", n_components=3, options={"kk": 2}).fit(rows)
