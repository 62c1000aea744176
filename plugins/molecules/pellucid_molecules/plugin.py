"""What the molecules plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="molecules",
    api=API,
    datasets={
        "bace": "pellucid_molecules.tables.moleculenet:Bace",
        "bbbp": "pellucid_molecules.tables.moleculenet:Bbbp",
        "bipartite-table": "pellucid_molecules.links.tables:BipartiteTable",
        "clintox": "pellucid_molecules.tables.moleculenet:ClinTox",
        "core-mof": "pellucid_molecules.crystals.core_mof:CoreMof",
        "esol": "pellucid_molecules.tables.moleculenet:Esol",
        "event-table": "pellucid_molecules.events.table:EventTable",
        "events-synthetic": "pellucid_molecules.events.synthetic:EventsSynthetic",
        "freesolv": "pellucid_molecules.tables.moleculenet:FreeSolv",
        "lipophilicity": "pellucid_molecules.tables.moleculenet:Lipophilicity",
        "microbe-drug": "pellucid_molecules.links.tables:MicrobeDrug",
        "molecules-synthetic": "pellucid_molecules.synthetic:MoleculesSynthetic",
        "networks-synthetic": "pellucid_molecules.networks.synthetic:NetworksSynthetic",
        "networks-tables": "pellucid_molecules.networks.network_tables:NetworksTables",
        "sdf-file": "pellucid_molecules.tables.sdf:SdfFile",
        "smiles-table": "pellucid_molecules.tables.smiles_table:SmilesTable",
        "tox21": "pellucid_molecules.tables.moleculenet:Tox21",
    },
    encoders={
        "attentivefp": "pellucid_molecules.encoders.attentivefp:AttentiveFp",
        "crystal-encoder": "pellucid_molecules.encoders.crystal:CrystalEncoder",
        "degree-rate": "pellucid_molecules.encoders.pivem_degrees:DegreeRate",
        "dmpnn": "pellucid_molecules.encoders.dmpnn:Dmpnn",
        "gat": "pellucid_molecules.encoders.gat:Gat",
        "gin": "pellucid_molecules.encoders.gin:Gin",
        "graph2mda": "pellucid_molecules.links.graph2mda:Graph2Mda",
        "latte": "pellucid_molecules.encoders.latte:Latte",
        "neighbour-links": "pellucid_molecules.links.baselines:NeighbourLinks",
        "pair-degrees": "pellucid_molecules.links.baselines:PairDegrees",
        "pivem": "pellucid_molecules.encoders.pivem:Pivem",
    },
    heads={
        "inner-product": "pellucid_molecules.links.inner_product:InnerProduct",
    },
    studies={
        "events-trajectories": "pellucid_molecules/studies/events-trajectories.toml",
        "links-synthetic": "pellucid_molecules/studies/links-synthetic.toml",
        "molecules-barrier": "pellucid_molecules/studies/molecules-barrier.toml",
        "molecules-microbe-drug": "pellucid_molecules/studies/molecules-microbe-drug.toml",
        "molecules-mof": "pellucid_molecules/studies/molecules-mof.toml",
        "molecules-synthetic": "pellucid_molecules/studies/molecules-synthetic.toml",
        "networks-metapaths": "pellucid_molecules/studies/networks-metapaths.toml",
    },
    views={
        "crystal": "pellucid_molecules.views.crystal:crystal",
        "depiction": "pellucid_molecules.views.depiction:depiction",
        "event-counts": "pellucid_molecules.events.view:event_counts",
    },
    mend="pip install --force-reinstall pellucid-molecules",
)
