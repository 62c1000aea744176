"""The same numbers as other libraries give, where they define the same thing, and other ones where they do not.

Neither library is needed by anything here, and both ask for much that is of no use to their measures: install them with
``pip install --no-deps overcomplete dictionary-learning``. What they import besides is stood in for while they load.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from unittest.mock import MagicMock

import matplotlib
import pytest
import torch

from pellucid.measures.dictionaries import reconstruction, sparsity
from pellucid.measures.dictionaries.independence import greatest_correlation
from pellucid.measures.dictionaries.matching import coherence, match_atoms, stability

NOT_NEEDED = (
    "torchvision",
    "timm",
    "cv2",
    "einops",
    "nnsight",
    "circuitsvis",
    "umap",
    "datasets",
    "zstandard",
    "skimage",
)


def peer(name, monkeypatch):
    """Import a module of a library that is installed without what it asks for, or skip."""
    library = name.split(".")[0]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install --no-deps {library.replace('_', '-')}")
    for missing in NOT_NEEDED:
        if importlib.util.find_spec(missing) is None:
            stand_in = MagicMock(name=missing)
            stand_in.__spec__ = importlib.machinery.ModuleSpec(missing, None)
            stand_in.__path__ = []
            monkeypatch.setitem(sys.modules, missing, stand_in)
            for inner in ("transforms", "measure"):
                monkeypatch.setitem(sys.modules, f"{missing}.{inner}", stand_in)
    if not hasattr(matplotlib.cm, "get_cmap"):
        # overcomplete 0.3.0 calls it when it is imported, and matplotlib 3.9 took it away.
        monkeypatch.setattr(matplotlib.cm, "get_cmap", matplotlib.colormaps.get_cmap, raising=False)
    for loaded in [each for each in sys.modules if each == library or each.startswith(f"{library}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    return importlib.import_module(name)


@pytest.fixture
def overcomplete(monkeypatch):
    return peer("overcomplete.metrics", monkeypatch)


@pytest.fixture
def dictionary_learning(monkeypatch):
    return peer("dictionary_learning.evaluation", monkeypatch)


def made(seed):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.rand(200, 24, generator=generator) * (torch.rand(200, 24, generator=generator) < 0.15)
    codes[:, 0] += 0.1
    codes[:, 5] = 0
    atoms = torch.randn(24, 10, generator=generator)
    found = codes @ atoms + torch.linspace(-1, 1, 10)
    return found + 0.4 * torch.randn(200, 10, generator=generator) + 0.2, found, codes, atoms


@pytest.mark.parametrize("seed", range(3))
def test_overcomplete_gives_the_same(overcomplete, seed):
    x, found, codes, atoms = made(seed)
    other = torch.randn(24, 10, generator=torch.Generator().manual_seed(seed + 50))
    # It adds 1e-6 to what it divides by.
    near = {"rel": 1e-4, "abs": 1e-5}
    assert reconstruction.r2_global_mean(x, found) == pytest.approx(float(overcomplete.r2_score(x, found)), **near)
    assert sparsity.hoyer(codes) == pytest.approx(float(overcomplete.hoyer(codes).mean()), **near)
    assert sparsity.l0(codes) == pytest.approx(24 * float(overcomplete.l0(codes)), **near)
    assert sparsity.dead_fraction(codes, least_rows=1) == pytest.approx(float(overcomplete.dead_codes(codes).mean()))
    assert coherence(atoms) == pytest.approx(overcomplete.dictionary_collinearity(atoms)[0], **near)
    cost = overcomplete.cosine_hungarian_loss(atoms, other)
    assert stability([atoms, other]) == pytest.approx(1 - cost / 24, **near)
    assert match_atoms(atoms, other).mcc == pytest.approx(1 - cost / 24, **near)
    # Its 1e-6 is not small beside the variance of a code of a few hundredths: judged on codes a hundred times as large.
    alive = 100 * codes[:, [j for j in range(24) if j != 5]]
    assert greatest_correlation(alive) == pytest.approx(overcomplete.codes_correlation_matrix(alive)[0], **near)


@pytest.mark.parametrize("seed", range(3))
def test_dictionary_learning_gives_the_same(dictionary_learning, seed):
    x, found, codes, _ = made(seed)

    class Fixed:
        dict_size, activation_dim = codes.shape[1], x.shape[1]

        def __call__(self, rows, output_features):
            return found, codes

    theirs = dictionary_learning.evaluate(Fixed(), iter([x]))
    ours = {
        "l0": sparsity.l0(codes),
        "l1_loss": sparsity.l1(codes),
        "frac_alive": sparsity.frac_alive(codes),
        "frac_variance_explained": reconstruction.frac_variance_explained(x, found),
        "cossim": reconstruction.cossim(x, found),
        "l2_ratio": reconstruction.l2_ratio(x, found),
        "relative_reconstruction_bias": reconstruction.rel_recon_bias(x, found),
    }
    assert ours == pytest.approx({name: theirs[name] for name in ours}, rel=1e-5)
    # The error has the same sign in every row: this is what centring forgives and the default does not.
    assert reconstruction.explained_variance(x, found) < theirs["frac_variance_explained"] - 0.01
