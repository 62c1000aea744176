"""What the robotics plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="robotics",
    api=API,
    studies={
        "robotics-lorenz": "pellucid_robotics/studies/robotics-lorenz.toml",
    },
    mend="pip install --force-reinstall pellucid-robotics",
)
