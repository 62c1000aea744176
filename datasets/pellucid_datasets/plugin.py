"""What this distribution offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="datasets",
    api=API,
    datasets={"planted-lesions": "pellucid_datasets.lesions:PlantedLesions"},
    cards={
        "ct-series": "pellucid_datasets/cards/ct-series.toml",
        "lidc": "pellucid_datasets/cards/lidc.toml",
        "lidc-crops": "pellucid_datasets/cards/lidc-crops.toml",
        "lidc-shapes": "pellucid_datasets/cards/lidc-shapes.toml",
        "planted-lesions": "pellucid_datasets/cards/planted-lesions.toml",
    },
)
