"""A few made-up trials to try components on."""

from __future__ import annotations

from pellucid.data.dataset import Dataset


def example() -> Dataset:
    """Sixteen trials of four made-up people: 22 channels, four seconds at 128 Hz."""
    from pellucid_eeg.synthetic import EegSynthetic, EegSyntheticConfig

    return EegSynthetic(EegSyntheticConfig(subjects=4, train_trials=4, test_trials=0, rate_hz=128.0))
