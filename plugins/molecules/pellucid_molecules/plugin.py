"""What the molecules plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="molecules",
    api=API,
    mend="pip install --force-reinstall pellucid-molecules",
)
