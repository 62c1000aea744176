"""Frameworks of CoRE MOF: drawn by seed, split by family and formula, with pores that agree with the published diameters."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from pellucid import plugins
from pellucid.errors import DataError
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid_molecules.crystals.core_mof import GET, CoreMof, CoreMofConfig
from pellucid_molecules.crystals.frameworks import examples, framework_of, made_up


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder():
    with examples() as place:
        yield place


def opened(folder, **options):
    return CoreMof(CoreMofConfig(**{"samples": 60} | options), folder)


def rewritten(folder, change):
    """The archive with each structure's text changed."""
    path = folder / "2019-ASR.tar.xz"
    with tarfile.open(path) as archive:
        texts = {member.name: archive.extractfile(member).read().decode() for member in archive.getmembers()}
    with tarfile.open(path, "w:xz") as archive:
        for name, text in texts.items():
            data = change(Path(name).stem, text).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))


def test_labels_and_structures_of_a_sample_belong_together(folder):
    data = opened(folder)
    assert len(data) == 60
    for at in (0, 17, 59):
        sample = data[at]
        # The made-up names count in letters from the left.
        number = sum((ord(letter) - 65) * 26**place for place, letter in enumerate(sample.id[:6]))
        text, cavity, bare = made_up(number)
        edge = float(text.split("_cell_length_a ")[1].split()[0])
        assert sample.inputs["cell"][0] == pytest.approx(edge, abs=1e-3)
        assert sample.row["lcd"] == pytest.approx(cavity, abs=1e-3)
        assert sample.row["oms"] == bare
        # Three arms of oxygen, or six.
        assert sample.inputs["composition"][-1] == (3 if bare else 6)
        assert len(sample.inputs["crystal"].nodes) == (7 if bare else 13)


def test_a_draw_is_that_of_its_seed_and_the_store_is_read_again(folder):
    one, again, other = (opened(folder, samples=20, draw_seed=seed) for seed in (0, 0, 1))
    assert list(one.frame.index) == list(again.frame.index) != list(other.frame.index)
    assert one.digest() == again.digest()
    assert opened(folder, samples=20, jobs=2, cache=False).digest() == one.digest()


def test_structures_that_overlap_are_left_out_and_listed_with_file_and_line(folder):
    def change(name, text):
        return text + "C99 C 0.02 0 0 1.0\n" if name.startswith("B") else text

    rewritten(folder, change)
    data = opened(folder)
    assert len(data) == 60 - len(data.findings)
    assert 0 < len(data.findings) < 10
    assert all("_clean.cif, line" in one.where and "overlaps" in one.where for one in data.findings)
    assert not [name for name in data.frame.index if name.startswith("B")]
    with pytest.raises(
        DataError, match=r"3 structures that were drawn cannot be used\. The first is .*line \d+: this atom overlaps"
    ):
        opened(folder, skip_broken=False)


def test_large_cells_are_not_drawn(folder):
    data = opened(folder, most_atoms=7)
    assert 10 < len(data) < 50
    assert {len(data[at].inputs["crystal"].nodes) for at in range(len(data))} == {7}
    with pytest.raises(DataError, match="no structure of at most 3 atoms"):
        opened(folder, most_atoms=3)


def test_the_parts_of_a_split_share_neither_family_nor_formula(folder):
    data = opened(folder)
    (split,) = SubjectHoldout(SubjectHoldoutConfig()).splits(data, "pld", 0)
    for column in ("framework", "formula"):
        values = data.frame[column].to_numpy()
        assert not set(values[split.test]) & set(values[np.concatenate([split.train, split.validation])])


@pytest.mark.parametrize(
    ("name", "said"),
    [("ABAVIJ01_clean", "ABAVIJ"), ("ABAVIJ_ion_b", "ABAVIJ"), ("ja5b00450_si_002_clean", "ja5b00450_si_002_clean")],
)
def test_families_are_the_letters_of_reference_codes(name, said):
    assert framework_of(name) == said


def test_files_that_are_missing_or_something_else_are_refused(tmp_path, folder):
    with pytest.raises(DataError, match=r"holds no 2019-ASR\.csv; the package core-mof has it \(pip install"):
        opened(tmp_path)
    (folder / "2019-ASR.csv").write_text("filename,LCD,PLD\nA,1,2\n")
    with pytest.raises(DataError, match=r"line 1: there is no column 'Has_OMS'"):
        opened(folder)
    (folder / "2019-ASR.csv").write_text("filename,LCD,PLD,Has_OMS\nA,wide,2,Yes\n")
    with pytest.raises(DataError, match=r"line 2: needs numbers in PLD and LCD"):
        opened(folder)


def test_an_archive_that_ends_too_early_is_refused_by_name(folder):
    path = folder / "2019-ASR.tar.xz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"2019-ASR\.tar\.xz: is no whole archive"):
        opened(folder)


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(plugins, "package_folder", lambda name: None)
    with pytest.raises(DataError, match=r"pip install --no-deps core-mof==2019\.1"):
        CoreMof()


def test_pores_agree_with_the_published_diameters():
    if plugins.package_folder("CoRE_MOF") is None:
        pytest.skip(f"the package core-mof is not installed: {GET}")
    data = CoreMof(CoreMofConfig(samples=40, most_atoms=150))
    assert len(data) == 40
    pores = data.read(np.arange(40)).inputs["pores"]
    for column, at, most in (("lcd", 0, 0.3), ("pld", 1, 0.6)):
        published = data.frame[column].to_numpy()
        assert np.corrcoef(published, pores[:, at])[0, 1] > 0.98
        # A grid's balls are a little too small, never too large by more than a rounded radius.
        assert 0 < np.median(published - pores[:, at]) < most
