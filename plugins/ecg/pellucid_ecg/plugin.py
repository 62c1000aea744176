"""What the ECG plugin offers."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="ecg",
    api=API,
    datasets={
        "cinc": "pellucid_ecg.databases.cinc:Cinc",
        "cpsc2018": "pellucid_ecg.databases.cpsc:Cpsc2018",
        "ecg-folder": "pellucid_ecg.databases.folder:EcgFolder",
        "ecg-synthetic": "pellucid_ecg.synthetic:EcgSynthetic",
        "mit-bih": "pellucid_ecg.databases.mitbih:MitBih",
        "ptb-xl": "pellucid_ecg.databases.ptbxl:PtbXl",
    },
    encoders={
        "protoecgnet": "pellucid_ecg.encoders.protoecgnet:ProtoEcgNet",
        "resnet2d-ecg": "pellucid_ecg.encoders.resnet2d:ResNet2d",
    },
    heads={"protoecgnet": "pellucid_ecg.heads.protoecgnet:ProtoEcgNetHead"},
    studies={
        "ecg-beats": "pellucid_ecg/studies/ecg-beats.toml",
        "ecg-statements": "pellucid_ecg/studies/ecg-statements.toml",
        "ecg-superclass": "pellucid_ecg/studies/ecg-superclass.toml",
        "ecg-synthetic": "pellucid_ecg/studies/ecg-synthetic.toml",
    },
    views={
        "paper": "pellucid_ecg.views.paper:paper",
        "beat": "pellucid_ecg.views.paper:beat",
    },
    mend="pip install --force-reinstall pellucid-ecg",
)
