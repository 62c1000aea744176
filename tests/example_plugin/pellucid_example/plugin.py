"""What this distribution offers: names and import strings."""

from pellucid.plugins import Plugin

PLUGIN = Plugin(
    name="example",
    # Written out and not imported: it says for which contract this plugin was made, whatever pellucid is installed.
    api=1,
    encoders={"pulse-power": "pellucid_example.band_power:BandPower"},
    datasets={"pulse": "pellucid_example.pulse:Pulse"},
    views={"pulse-wave": "pellucid_example.drawing:pulse_wave"},
    measures={"loudness": "pellucid_example.drawing:loudness"},
    studies={"pulse-rhythm": "pellucid_example/studies/pulse-rhythm.toml"},
    cards={"pulse": "pellucid_example/cards/pulse.toml"},
)
