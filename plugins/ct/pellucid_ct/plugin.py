"""What the CT plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="ct",
    api=API,
    datasets={
        "lidc": "pellucid_ct.lidc.archive.dataset:Lidc",
        "lidc-crops": "pellucid_ct.lidc.crops.dataset:LidcCrops",
        "lidc-shapes": "pellucid_ct.lidc.shapes.dataset:LidcShapes",
        "ct-series": "pellucid_ct.cases.lesions:CtSeries",
    },
    encoders={
        "radiomics": "pellucid_ct.encoders.radiomics:Radiomics",
        "resnet3d": "pellucid_ct.encoders.resnet3d:ResNet3d",
    },
    studies={
        "ct-crops": "pellucid_ct/studies/ct-crops.toml",
        "ct-lidc": "pellucid_ct/studies/ct-lidc.toml",
        "ct-malignancy": "pellucid_ct/studies/ct-malignancy.toml",
        "ct-malignancy-dirichlet": "pellucid_ct/studies/ct-malignancy-dirichlet.toml",
        "ct-malignancy-rest": "pellucid_ct/studies/ct-malignancy-rest.toml",
        "ct-series": "pellucid_ct/studies/ct-series.toml",
    },
    views={
        "lesion": "pellucid_ct.views.lesions:lesion",
        "lesion-volume": "pellucid_ct.views.lesions:lesion_volume",
        "ratings": "pellucid_ct.views.lesions:ratings",
        "slice": "pellucid_ct.views.pixels:ct_slice",
        "volume": "pellucid_ct.views.pixels:ct_volume",
    },
    mend="pip install --force-reinstall pellucid-ct",
)
