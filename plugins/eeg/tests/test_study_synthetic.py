"""The study of made-up signals: explanations point at the channels and bands that were planted."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid_datasets.electroencephalograms.discharges import PEAKS_HZ, PLACES

SMALLER = {
    "options.eeg-synthetic.subjects": 16,
    "options.eeg-synthetic.strength": 0.3,
    "options.nested-subject-cv.folds": 2,
    "options.noise-control.folds": 1,
    "training.epochs": 4,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study = pellucid.study("eeg-synthetic").with_settings(SMALLER)
    return study.run(tmp_path_factory.mktemp("runs") / "run")


def planted(unit: str) -> str:
    """Which rhythm a unit is of, by its channel and band; empty where nothing was planted."""
    channel, band = unit.removeprefix("bands:").removesuffix(" Hz").split(" ")
    low, high = map(float, band.split("-"))
    return next((name for name, places in PLACES.items()
                 if channel in places and any(low <= hz < high for hz in PEAKS_HZ[name])), "")  # fmt: skip


def test_the_readable_model_goes_by_the_channels_and_bands_that_were_planted(run):
    rows = run.explanations()
    mine = rows[rows["part"] == "band powers"]
    strength = mine.groupby("unit")["contribution"].apply(lambda some: some.abs().mean()).sort_values()
    where = {unit: planted(unit) for unit in strength.index}
    assert sorted(filter(None, where.values())) == ["alpha"] * 2 + ["spike-wave"] * 9
    # Eleven of 72 units were planted.
    assert sum(bool(where[unit]) for unit in strength.index[-11:]) >= 9
    assert all(where[unit] for unit in strength.index[-6:])


def test_more_of_a_planted_rhythm_speaks_for_its_class(run):
    model = pellucid.load(run.path, head="band powers")
    weights = dict(zip(model.head.config.units, model.head.linear.weight[0].tolist() if hasattr(model.head, "linear")
                       else model.head.weight[0].tolist(), strict=True))  # fmt: skip
    for unit, weight in weights.items():
        if planted(unit):
            assert np.sign(weight) == (1 if planted(unit) == "spike-wave" else -1), unit


def test_patterns_peak_where_rhythms_were_planted(run):
    encoder = pellucid.load(run.path, head="spatial patterns").encoders["patterns"]
    strongest = encoder.patterns.abs()[0].argsort(descending=True)
    channels = [encoder.spec.channels[at] for at in strongest.tolist()]
    assert set(channels[:2]) <= {*PLACES["alpha"]} or set(channels[:3]) <= {*PLACES["spike-wave"]}


def test_the_report_holds_the_control_on_noise_and_what_the_models_reach(run):
    results = run.results
    assert results.get("prediction", "auroc", "band powers").value > 0.95
    for part in ("band powers", "spatial patterns", "eegnet"):
        control = results.get("noise-control", "auroc_on_noise", part)
        assert control.baseline_name == "the same model, learnt from the data"
        assert control.value < 0.75
    page = run.report.read_text("utf-8")
    assert "A control: noise in place of the data" in page
    assert "has learnt from noise in place of the data" in page
