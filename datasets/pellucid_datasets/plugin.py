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
        "ct-series": "pellucid_datasets/cards/ct-series.toml",
        "lidc": "pellucid_datasets/cards/lidc.toml",
        "lidc-crops": "pellucid_datasets/cards/lidc-crops.toml",
        "lidc-shapes": "pellucid_datasets/cards/lidc-shapes.toml",
        "planted-lesions": "pellucid_datasets/cards/planted-lesions.toml",
        "planted-nodules": "pellucid_datasets/cards/planted-nodules.toml",
    },
)
