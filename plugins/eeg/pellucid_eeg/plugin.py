"""What the EEG plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="eeg",
    api=API,
    datasets={
        "eeg-synthetic": "pellucid_eeg.synthetic:EegSynthetic",
        "uci-eeg": "pellucid_eeg.databases.uci:UciEeg",
    },
    encoders={
        "csp": "pellucid_eeg.encoders.csp:CommonSpatialPatterns",
        "deep4": "pellucid_eeg.encoders.convnets:Deep4",
        "eegconformer": "pellucid_eeg.encoders.conformer:EegConformer",
        "eegnet": "pellucid_eeg.encoders.eegnet:EegNet",
        "shallow-convnet": "pellucid_eeg.encoders.convnets:ShallowConvNet",
    },
    studies={"eeg-visual": "pellucid_eeg/studies/eeg-visual.toml"},
    views={"butterfly": "pellucid_eeg.views.butterfly:butterfly"},
    mend="pip install --force-reinstall pellucid-eeg",
)
