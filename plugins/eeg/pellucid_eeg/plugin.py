"""What the EEG plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="eeg",
    api=API,
    datasets={"eeg-synthetic": "pellucid_eeg.synthetic:EegSynthetic"},
    encoders={
        "csp": "pellucid_eeg.encoders.csp:CommonSpatialPatterns",
        "deep4": "pellucid_eeg.encoders.convnets:Deep4",
        "eegconformer": "pellucid_eeg.encoders.conformer:EegConformer",
        "eegnet": "pellucid_eeg.encoders.eegnet:EegNet",
        "shallow-convnet": "pellucid_eeg.encoders.convnets:ShallowConvNet",
    },
    mend="pip install --force-reinstall pellucid-eeg",
)
