"""What this distribution offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="datasets",
    api=API,
    datasets={
        "planted-lesions": "pellucid_datasets.lesions:PlantedLesions",
        "planted-nodules": "pellucid_datasets.nodules:PlantedNodules",
    },
    cards={
        "aeon-eeg": "pellucid_datasets/cards/aeon-eeg.toml",
        "bace": "pellucid_datasets/cards/bace.toml",
        "bbbp": "pellucid_datasets/cards/bbbp.toml",
        "bids-eeg": "pellucid_datasets/cards/bids-eeg.toml",
        "cinc": "pellucid_datasets/cards/cinc.toml",
        "clintox": "pellucid_datasets/cards/clintox.toml",
        "cpsc2018": "pellucid_datasets/cards/cpsc2018.toml",
        "ct-series": "pellucid_datasets/cards/ct-series.toml",
        "ecg-folder": "pellucid_datasets/cards/ecg-folder.toml",
        "ecg-synthetic": "pellucid_datasets/cards/ecg-synthetic.toml",
        "eeg-folder": "pellucid_datasets/cards/eeg-folder.toml",
        "eeg-synthetic": "pellucid_datasets/cards/eeg-synthetic.toml",
        "esol": "pellucid_datasets/cards/esol.toml",
        "freesolv": "pellucid_datasets/cards/freesolv.toml",
        "lidc": "pellucid_datasets/cards/lidc.toml",
        "lidc-crops": "pellucid_datasets/cards/lidc-crops.toml",
        "lidc-shapes": "pellucid_datasets/cards/lidc-shapes.toml",
        "lipophilicity": "pellucid_datasets/cards/lipophilicity.toml",
        "mit-bih": "pellucid_datasets/cards/mit-bih.toml",
        "muse-n170": "pellucid_datasets/cards/muse-n170.toml",
        "planted-lesions": "pellucid_datasets/cards/planted-lesions.toml",
        "planted-nodules": "pellucid_datasets/cards/planted-nodules.toml",
        "ptb-xl": "pellucid_datasets/cards/ptb-xl.toml",
        "sdf-file": "pellucid_datasets/cards/sdf-file.toml",
        "smiles-table": "pellucid_datasets/cards/smiles-table.toml",
        "tox21": "pellucid_datasets/cards/tox21.toml",
        "tuh-eeg": "pellucid_datasets/cards/tuh-eeg.toml",
        "uci-eeg": "pellucid_datasets/cards/uci-eeg.toml",
        "zuco": "pellucid_datasets/cards/zuco.toml",
        "zuco-synthetic": "pellucid_datasets/cards/zuco-synthetic.toml",
    },
)
