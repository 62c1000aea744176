from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid import plugins
from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.nodules import RATING_NAMES
from pellucid_ct.lidc.shapes.dataset import LidcShapes, LidcShapesConfig
from pellucid_ct.plugin import PLUGIN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def data(folder, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(folder))
    return LidcShapes()


def test_frame_holds_nodules_of_875_subjects_and_no_patients_name(data):
    assert data.frame["subject"].nunique() == 875
    assert data.frame["subject"].map(lambda s: bool(re.fullmatch(r"[0-9a-f]{16}", s))).all()
    assert not data.frame.astype(str).apply(lambda column: column.str.contains("LIDC-IDRI")).any().any()
    assert pseudonym("LIDC-IDRI-0078", "lidc-idri") in set(data.frame["subject"])


def test_inputs_are_the_shape_and_the_ratings_with_unknown_disagreement_masked(data):
    some = np.array([5, 900, 2])
    arrays = data.read(some)
    assert arrays.inputs["shape"].shape == (3, 1, 32, 32)
    assert arrays.inputs["ratings"].shape == (3, 16)
    everything = data.read(np.arange(len(data)))
    alone = data.frame["n_readers"].to_numpy() == 1
    known = everything.masks["ratings"]
    assert known[:, :8].all()
    np.testing.assert_array_equal(known[:, 8:].all(1), ~alone)
    np.testing.assert_array_equal(known[:, 8:].any(1), ~alone)
    names = data.spec.inputs["ratings"].names
    assert names[6] == "spiculation"
    assert names[14] == "spiculation:sd"
    np.testing.assert_allclose(everything.inputs["ratings"][:, 6], data.frame["concept:spiculation"], rtol=1e-6)


def test_concepts_are_the_eight_ratings_other_than_malignancy(data):
    assert data.spec.concepts.names == RATING_NAMES
    assert "malignancy" not in data.spec.concepts.names
    values = data.concept_values()
    assert ((values >= data.spec.concepts.low) & (values <= data.spec.concepts.high)).all()


def test_trivial_baseline_is_the_area_of_the_mid_slice(data):
    assert data.spec.trivial == ("log_area",)
    np.testing.assert_allclose(np.exp(data.covariate_values(("log_area",))[:, 0]), data.frame["area_mm2"])


def test_label_is_said_to_be_opinion_and_not_pathology(data):
    assert "not pathology" in data.spec.about
    assert all("not pathology" in target.about for target in data.spec.targets.values())


def test_nothing_in_the_frame_is_a_row_number_of_the_public_database(data):
    assert data.frame.index.map(lambda name: bool(re.fullmatch(r"nodule-[0-9a-f]{16}", name))).all()
    assert data.frame["scan"].map(lambda name: bool(re.fullmatch(r"scan-[0-9a-f]{16}", name))).all()
    assert data.frame.groupby("scan")["subject"].nunique().max() == 1
    assert f"nodule-{pseudonym('lidc-0001-0001', 'lidc-idri')}" in set(data.frame.index)


def test_share_of_labels_that_are_one_readers_is_said(data):
    labelled = data.labelled("malignant-vs-benign").frame
    alone = int((labelled["n_readers"] == 1).sum())
    assert (alone, len(labelled)) == (445, 1712)
    assert "445 of the 1,712 nodules labelled benign or malignant (26%) were rated by one reader" in data.spec.about
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert "Of the 1,712 nodules labelled benign or malignant, 445 (26 %)" in readme


def test_share_of_lone_readers_is_that_of_the_database_given(one_nodule):
    def about():
        return LidcShapes(LidcShapesConfig(cache=False), one_nodule.path).spec.about

    assert "one reader only" not in about(), "a nodule at exactly 3 has no label"
    one_nodule.run("UPDATE annotations SET malignancy = 5")
    assert "1 of the 1 nodules labelled benign or malignant (100%)" in about()


def test_targets_can_be_learnt(data):
    sizes = {name: len(data.labelled(name)) for name in data.spec.targets}
    assert sizes["malignant-vs-rest"] == sizes["malignancy"] == len(data)
    assert 1690 <= sizes["malignant-vs-benign"] <= 1730


def test_volumes_are_offered_at_both_scales(one_nodule):
    widths = {}
    for scale in ("millimetres", "normalised"):
        data = LidcShapes(LidcShapesConfig(dimensions=3, size=16, scale=scale, cache=False), one_nodule.path)
        cube = data.read(np.array([0])).inputs["shape"]
        assert cube.shape == (1, 1, 16, 16, 16)
        assert cube.dtype == np.float32
        assert 0 < cube.max() <= 1
        widths[scale] = data.spec.inputs["shape"].spacing_mm
        # 25 mm2 on two slices, 2 mm apart.
        if scale == "millimetres":
            assert cube.sum() * 5.0**3 == pytest.approx(100, rel=0.05)
    assert widths == {"millimetres": (5.0, 5.0, 5.0), "normalised": None}


def test_database_given_by_a_user_is_read_in_the_place_of_the_installed_one(one_nodule):
    assert len(LidcShapes(LidcShapesConfig(cache=False), one_nodule.path)) == 1
    one_nodule.run("UPDATE annotations SET margin = 9")
    with pytest.raises(DataError, match=r"sketch\.sqlite: table 'annotations', row id 1, field 'margin'"):
        LidcShapes(LidcShapesConfig(cache=False), one_nodule.path)


def test_nothing_heavy_is_imported_to_list_or_to_read_it():
    script = (
        "import sys, pellucid_ct, pellucid_ct.plugin\n"
        "domain = {'torch', 'pydicom', 'nibabel', 'highdicom'}\n"
        "assert not {'numpy', 'pandas', 'pellucid_ct.lidc', *domain} & set(sys.modules), 'listing'\n"
        "import pellucid_ct.lidc.shapes.dataset, pellucid.measures.shape\n"
        "assert not {'pylidc', 'skimage', 'sqlalchemy', 'matplotlib', *domain} & set(sys.modules), 'reading'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_everything_the_plugin_names_is_there():
    import importlib

    for kind in plugins.KINDS:
        if kind in ("study", "card"):
            continue
        for target in PLUGIN.of_kind(kind).values():
            module, _, name = target.partition(":")
            assert hasattr(importlib.import_module(module), name), target
