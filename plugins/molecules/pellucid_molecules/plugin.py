"""What the molecules plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="molecules",
    api=API,
    datasets={
        "bace": "pellucid_molecules.tables.moleculenet:Bace",
        "bbbp": "pellucid_molecules.tables.moleculenet:Bbbp",
        "clintox": "pellucid_molecules.tables.moleculenet:ClinTox",
        "esol": "pellucid_molecules.tables.moleculenet:Esol",
        "freesolv": "pellucid_molecules.tables.moleculenet:FreeSolv",
        "lipophilicity": "pellucid_molecules.tables.moleculenet:Lipophilicity",
        "molecules-synthetic": "pellucid_molecules.synthetic:MoleculesSynthetic",
        "sdf-file": "pellucid_molecules.tables.sdf:SdfFile",
        "smiles-table": "pellucid_molecules.tables.smiles_table:SmilesTable",
        "tox21": "pellucid_molecules.tables.moleculenet:Tox21",
    },
    encoders={
        "attentivefp": "pellucid_molecules.encoders.attentivefp:AttentiveFp",
        "dmpnn": "pellucid_molecules.encoders.dmpnn:Dmpnn",
        "gat": "pellucid_molecules.encoders.gat:Gat",
        "gin": "pellucid_molecules.encoders.gin:Gin",
    },
    studies={
        "molecules-barrier": "pellucid_molecules/studies/molecules-barrier.toml",
        "molecules-synthetic": "pellucid_molecules/studies/molecules-synthetic.toml",
    },
    views={
        "depiction": "pellucid_molecules.views.depiction:depiction",
    },
    mend="pip install --force-reinstall pellucid-molecules",
)
