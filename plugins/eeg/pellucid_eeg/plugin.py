"""What the EEG plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="eeg",
    api=API,
    datasets={
        "aeon-eeg": "pellucid_eeg.databases.aeon:AeonEeg",
        "bids-eeg": "pellucid_eeg.databases.bids:BidsEeg",
        "eeg-folder": "pellucid_eeg.databases.folder:EegFolder",
        "eeg-synthetic": "pellucid_eeg.synthetic:EegSynthetic",
        "muse-n170": "pellucid_eeg.databases.muse:MuseN170",
        "tuh-eeg": "pellucid_eeg.databases.tuh:Tuh",
        "uci-eeg": "pellucid_eeg.databases.uci:UciEeg",
        "zuco": "pellucid_eeg.zuco.dataset:Zuco",
        "zuco-synthetic": "pellucid_eeg.zuco.synthetic:ZucoSynthetic",
    },
    encoders={
        "csp": "pellucid_eeg.encoders.csp:CommonSpatialPatterns",
        "deep4": "pellucid_eeg.encoders.convnets:Deep4",
        "eegconformer": "pellucid_eeg.encoders.conformer:EegConformer",
        "eegformer": "pellucid_eeg.encoders.eegformer:EegFormer",
        "eegnet": "pellucid_eeg.encoders.eegnet:EegNet",
        "glim": "pellucid_eeg.encoders.glim:Glim",
        "shallow-convnet": "pellucid_eeg.encoders.convnets:ShallowConvNet",
    },
    studies={
        "eeg-codes": "pellucid_eeg/studies/eeg-codes.toml",
        "eeg-codes-visual": "pellucid_eeg/studies/eeg-codes-visual.toml",
        "eeg-synthetic": "pellucid_eeg/studies/eeg-synthetic.toml",
        "eeg-text": "pellucid_eeg/studies/eeg-text.toml",
        "eeg-text-subjects": "pellucid_eeg/studies/eeg-text-subjects.toml",
        "eeg-visual": "pellucid_eeg/studies/eeg-visual.toml",
    },
    views={
        "butterfly": "pellucid_eeg.views.butterfly:butterfly",
        "time-frequency": "pellucid_eeg.views.time_frequency:time_frequency",
    },
    mend="pip install --force-reinstall pellucid-eeg",
)
