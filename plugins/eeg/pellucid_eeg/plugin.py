"""What the EEG plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="eeg",
    api=API,
    mend="pip install --force-reinstall pellucid-eeg",
)
