"""What the CT plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="ct",
    api=API,
    datasets={"lidc-shapes": "pellucid_ct.lidc.shapes:LidcShapes"},
    measures={
        "area": "pellucid_ct.measures:area",
        "perimeter": "pellucid_ct.measures:perimeter",
        "spiculation": "pellucid_ct.measures:spiculation",
    },
    mend="pip install --force-reinstall pellucid-ct",
)
