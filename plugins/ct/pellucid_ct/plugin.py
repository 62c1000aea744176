"""What the CT plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="ct",
    api=API,
    datasets={"lidc-shapes": "pellucid_ct.lidc.shapes:LidcShapes"},
    studies={
        "ct-malignancy": "pellucid_ct/studies/ct-malignancy.toml",
        "ct-malignancy-dirichlet": "pellucid_ct/studies/ct-malignancy-dirichlet.toml",
        "ct-malignancy-rest": "pellucid_ct/studies/ct-malignancy-rest.toml",
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
