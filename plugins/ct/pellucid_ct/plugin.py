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
        "lesion": "pellucid_ct.views:lesion",
        "lesion-volume": "pellucid_ct.views:lesion_volume",
        "ratings": "pellucid_ct.views:ratings",
    },
    mend="pip install --force-reinstall pellucid-ct",
)
